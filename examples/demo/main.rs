//! The demo: two MQTT brokers behind baton, reloaded three times under traffic, one broker stopped.
//!
//! `cargo run --release --example demo` needs nothing but cargo. baton runs here as it does for its users: a process
//! called `haproxy` with a configuration file, a pidfile and `-sf`; no function of the library is called.
//!
//! Options: `--stay` keeps everything up until Ctrl-C, `--haproxy PATH` runs another haproxy for comparison.
//! Exit code: 0 when every number is right, 1 when one is wrong, 2 when the demo could not be set up.

mod brokers;
mod clients;
mod fault;
mod interrupt;
mod log;
mod newcomers;
mod page;
mod proxy;
mod story;
mod tell;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Two MQTT brokers behind baton: three reloads without a lost message, then a broker stops.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Options {
    /// Keep everything running after the last step, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Run this haproxy instead of baton.
    #[arg(long, value_name = "PATH")]
    haproxy: Option<PathBuf>,
    /// Be a broker on this address until standard input ends (the demo starts itself this way).
    #[arg(long, value_name = "ADDRESS", hide = true)]
    broker: Option<std::net::SocketAddr>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(address) = options.broker {
        return brokers::serve(address);
    }
    match story::run(options.haproxy.as_deref(), options.stay) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            println!("{wrong} number(s) wrong");
            ExitCode::from(1)
        }
        Err(fault) => {
            eprintln!("demo: {fault}");
            ExitCode::from(2)
        }
    }
}
