//! Figures side by side: baton and the installed haproxy (or any two of them, to see the noise).
//!
//! `cargo bench --bench compare` runs every shape: five interleaved rounds, all printed, and the median of the paired
//! ratios. Options follow `--`: `cargo bench --bench compare -- --shape message --rounds 9`.
//! Log record to a UDP receiver, `option tcplog` and counters are on in every shape; one thread but where a shape says two.
//! Never part of the tests: figures belong to a quiet machine.

mod check;
mod closing;
mod expr;
mod floor;
mod idle;
mod load;
mod machine;
#[path = "../../tests/lowering/outside.rs"]
#[allow(dead_code)]
mod outside;
mod program;
mod reload;
mod rules;
mod table;
mod tables;
mod traffic;
mod turns;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use program::Program;
use table::Table;

/// Side by side with haproxy.
#[derive(Debug, Parser)]
struct Options {
    /// The first program: the one that should be better.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_baton"))]
    ours: PathBuf,
    /// The second program. Give the same twice to see the noise.
    #[arg(long, default_value = "/usr/sbin/haproxy")]
    theirs: PathBuf,
    /// Interleaved rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these shapes.
    #[arg(long, value_enum)]
    shape: Vec<Shape>,
    /// A tenth of the work: to see that everything runs, not for figures.
    #[arg(long)]
    small: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Run a command, print its CPU seconds, wall seconds and peak KiB (the bench starts itself this way).
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    measure: Option<Vec<String>>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// CPU µs of the proxy for connect, 64 bytes there and back, close.
    Connect,
    /// CPU µs per message of 128 bytes, 200 sessions in ping-pong; a ping and its pong are two messages.
    Message,
    /// The same with one session: each message is its own wake-up.
    Single,
    /// CPU seconds per GiB from server to client.
    Bulk,
    /// The same through two bare loops, `splice` against `read` and `write`: the best ratio that this kernel allows.
    Floor,
    /// Bytes of process memory per idle session that has exchanged 64 bytes.
    Idle,
    /// Connections per second and CPU µs each, two threads, a socket the process bound itself.
    Threads,
    /// The same on a socket taken over from the process before.
    TakenOver,
    /// `-c` on a file of 1,000 listeners with 96 checked servers each: seconds and KiB.
    Check,
    /// When sessions of mode tcp end that are cut, with `close-spread-time 5s`: a histogram, one round.
    Closing,
    /// Bytes per entry of a stick table of 1,000,000 texts, `server_id` and `gpc0`.
    TableMemory,
    /// A reload with 100,000 and 1,000,000 entries of such a table. Ours alone.
    TableReload,
    /// CPU µs for an MQTT client that comes, is answered and goes: with the rule that lets only MQTT through, and with a look-up of its
    /// identifier in a stick table of 1,000 besides.
    Mqtt,
    /// CPU µs for connect, 64 bytes there and back, close, with a condition on a file of 10 and of 100,000 strings and networks.
    Patterns,
    /// A reload of 9,500 sessions: how many move a second, how long one is silent, memory, and 100 reloads. Ours alone.
    Reload,
    /// What a lookup in a list of 100,000 patterns costs against one of 10, in this process. Ours alone.
    Expr,
}

const ALL: [Shape; 16] = [
    Shape::Connect,
    Shape::Message,
    Shape::Single,
    Shape::Bulk,
    Shape::Floor,
    Shape::Idle,
    Shape::Threads,
    Shape::TakenOver,
    Shape::Check,
    Shape::TableMemory,
    Shape::TableReload,
    Shape::Closing,
    Shape::Mqtt,
    Shape::Patterns,
    Shape::Reload,
    Shape::Expr,
];

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(command) = options.measure {
        return machine::measure_child(&command);
    }
    machine::raise_descriptor_limit();
    let programs = [Program::new("ours", options.ours), Program::new("theirs", options.theirs)];
    for program in &programs {
        println!("{}: {} ({})", program.name, program.path.display(), program.version());
    }
    let shapes = if options.shape.is_empty() { ALL.to_vec() } else { options.shape };
    let scale = if options.small { 10 } else { 1 };
    for shape in shapes {
        if shape == Shape::Closing {
            closing::measure(&programs, 3_000 / scale).iter().for_each(|histogram| println!("{histogram}"));
            continue;
        }
        if shape == Shape::TableReload {
            for entries in [100_000, 1_000_000] {
                println!("\n{}", tables::reload(&programs[0], entries / scale));
            }
            continue;
        }
        if shape == Shape::Expr {
            println!("\n{}", expr::measure(scale));
            continue;
        }
        if shape == Shape::Reload {
            for threads in [1, 2] {
                println!("\n{}", reload::measure(&programs[0], 9_500 / scale, threads, 100 / scale));
            }
            continue;
        }
        for table in measure(shape, &programs, options.rounds, scale) {
            println!("\n{table}");
        }
    }
    ExitCode::SUCCESS
}

/// Interleaved rounds of one shape; who is first changes from round to round.
fn measure(shape: Shape, programs: &[Program; 2], rounds: usize, scale: usize) -> Vec<Table> {
    let columns: &[&str] = match shape {
        Shape::Connect => &["connect + 64 B + close, CPU µs"],
        Shape::Message => &["128 B message, 200 sessions, CPU µs"],
        Shape::Single => &["128 B message, 1 session, CPU µs"],
        Shape::Bulk => &["bulk, CPU s/GiB", "bulk, GiB/s"],
        Shape::Floor => &["bulk, bare loops (no proxy), CPU s/GiB"],
        Shape::Idle => &["idle session, bytes (PSS)", "idle session, bytes (private)"],
        Shape::Threads => &["2 threads, bound: CPU µs per connection", "2 threads, bound: connections/s"],
        Shape::TakenOver => &["2 threads, taken over: CPU µs per connection", "2 threads, taken over: connections/s"],
        Shape::TableMemory => &["entry of a stick table, bytes (private)"],
        Shape::Closing | Shape::Reload | Shape::TableReload | Shape::Expr => &[], // no pairs of figures
        Shape::Mqtt => &["MQTT session, mqtt_is_valid, CPU µs", "MQTT session, mqtt_is_valid and stick, CPU µs"],
        Shape::Patterns => &[
            "connection, 10 strings, CPU µs",
            "connection, 100,000 strings, CPU µs",
            "connection, 10 networks, CPU µs",
            "connection, 100,000 networks, CPU µs",
        ],
        Shape::Check => &["-c of 100,000 lines, CPU s", "-c of 100,000 lines, wall s", "-c of 100,000 lines, peak KiB"],
    };
    let mut tables: Vec<Table> = columns.iter().map(|name| Table::new(name)).collect();
    for round in 0..rounds {
        if let Some(pairs) = in_turns(shape, programs, 20_000 / scale) {
            for (table, [ours, theirs]) in tables.iter_mut().zip(pairs) {
                table.add((ours, theirs));
            }
            continue;
        }
        let mut figures = [Vec::new(), Vec::new()];
        for turn in 0..2 {
            let ix = (round + turn) % 2;
            let program = &programs[ix];
            figures[ix] = match shape {
                Shape::Message => traffic::messages(program, 200, 400_000 / scale),
                Shape::Single => traffic::messages(program, 1, 60_000 / scale),
                Shape::Bulk => traffic::bulk(program, 8 / scale.min(8)),
                Shape::Floor => floor::bulk(program, 8 / scale.min(8)),
                Shape::Idle => idle::sessions(program, 4_000 / scale),
                Shape::Threads => traffic::threads(program, false, 30_000 / scale),
                Shape::TakenOver => traffic::threads(program, true, 30_000 / scale),
                Shape::TableMemory => tables::weigh(program, 1_000_000 / scale),
                Shape::Closing | Shape::Reload | Shape::TableReload | Shape::Expr => Vec::new(),
                Shape::Connect | Shape::Mqtt | Shape::Patterns => Vec::new(), // in turns
                Shape::Check => check::big_file(program, 1_000 / scale),
            };
        }
        let [ours, theirs] = figures;
        for (table, pair) in tables.iter_mut().zip(ours.into_iter().zip(theirs)) {
            table.add(pair);
        }
    }
    tables
}

/// The shapes for which both programs are up at once and take turns within a round; `total` sessions of each.
fn in_turns(shape: Shape, programs: &[Program; 2], total: usize) -> Option<Vec<[f64; 2]>> {
    match shape {
        Shape::Connect => {
            let visit = async |door, _| load::visit(door).await;
            Some(vec![turns::sessions(programs, "", total, visit)])
        }
        Shape::Mqtt => Some(rules::mqtt(programs, total)),
        Shape::Patterns => Some(rules::patterns(programs, total)),
        _ => None,
    }
}
