//! The binary: hands the command line to [`baton::process`] and exits with its answer.

fn main() -> std::process::ExitCode {
    baton::process::main(std::env::args_os())
}
