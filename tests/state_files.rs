//! Server state files: what one program writes the other reads, and both make the same of what a file says.
//!
//! `fixtures/states/servers.txt` has the servers; both programs are run side by side, and asked the same.

mod harness;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{self, Stats};
use harness::{ports, wait};

/// Seconds since the last change in the files: what is half as old is told from what is new.
const OLD: i64 = 40;
const COLUMNS: [&str; 6] = ["status", "weight", "chkdown", "check_status", "check_desc", "throttle"];

/// A running program.
struct Run {
    _proxy: Proxy,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Run {
    /// Runs with these lines in a backend `b`; `states`: its server state file.
    fn start(program: &Program, states: &str, backend: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (socket, file) = (folder.path().join("stats"), folder.path().join("states"));
        std::fs::write(&file, states).expect("a file");
        let config = format!(
            "global\n  stats socket {} level admin\n  server-state-file {}\ndefaults\n  mode tcp\n  timeout client 30s\n  \
             timeout server 30s\n  timeout connect 5s\n  load-server-state-from-file global\nfrontend f\n  bind {}\nbackend b\n{backend}",
            socket.display(),
            file.display(),
            ports::free(),
        );
        let proxy = Proxy::start(program, &config);
        // haproxy's socket is there before it listens
        wait::until_true("the stats socket", || UnixStream::connect(&socket).is_ok());
        Self { _proxy: proxy, socket, _folder: folder }
    }

    /// What `show servers state` says: the file it makes.
    fn states(&self) -> String {
        let text = stats::command(&self.socket, "show servers state");
        text.trim_end().to_owned() + "\n"
    }

    /// Each server's line with the columns of `show stat` behind it. The check of `first` may have ended or not.
    fn seen(&self) -> Vec<String> {
        let stats = Stats::from_socket(&self.socket);
        let states = self.states();
        let lines = states.lines().skip(2).filter(|line| !line.contains(" first "));
        lines.map(|line| seen(line, &stats)).collect()
    }
}

/// A line of states in which the time only says whether it is old; haproxy's clock may give -1 in its first second.
fn aged(line: &str) -> String {
    let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
    if let Ok(since) = fields[9].parse::<i64>() {
        fields[9] = if since >= OLD / 2 { "old" } else { "new" }.into();
    }
    fields.join(" ")
}

fn seen(line: &str, stats: &Stats) -> String {
    let fields: Vec<&str> = line.split(' ').collect();
    let mut row = aged(line);
    for column in COLUMNS {
        row = row + " | " + stats.text(fields[1], fields[3], column);
    }
    row
}

/// The servers of the fixture.
struct Fixture {
    /// As lines of a backend. A check comes in an hour, but for that of the first.
    backend: String,
    /// Their state file.
    states: String,
    /// Those in which baton is known to differ.
    differ: Vec<String>,
}

fn fixture() -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/states/servers.txt");
    let text = std::fs::read_to_string(&path).expect("the fixture");
    let mut differ = Vec::new();
    let mut backend = format!("  server first {} check inter 1h\n", ports::refused());
    let mut states = String::from("1\n# nothing\n\n");
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for (at, row) in rows.enumerate() {
        let (options, state) = row.split_once("| ").expect("options and a state");
        let (name, port) = (format!("s{at}"), 1000 + at);
        let options = options.strip_prefix("! ").inspect(|_| differ.push(name.clone())).unwrap_or(options).trim();
        let check = if options.contains("check") { "inter 1h" } else { "" };
        backend += &format!("  server {name} 127.0.0.1:{port} weight 10 {options} {check}\n");
        let state = state.replace("{t}", &OLD.to_string()).replace("{port}", &port.to_string());
        states += &format!("3 b {} {name} {state}\n", at + 2);
    }
    assert!(backend.lines().count() > 50, "the fixture is whole");
    Fixture { backend, states, differ }
}

impl Fixture {
    /// Runs both programs on a state file, ours first, and holds what they say against each other.
    #[track_caller]
    fn compare(&self, states: &str) -> [Vec<String>; 2] {
        let programs = [Program::ours(), Program::theirs()];
        let both = programs.map(|program| Run::start(&program, states, &self.backend).seen());
        let [ours, theirs] = &both;
        let pairs = || ours.iter().zip(theirs);
        let name = |row: &str| row.split(' ').nth(3).unwrap_or_default().to_owned();
        let wrong = pairs().filter(|(ours, theirs)| ours != theirs && !self.differ.contains(&name(ours)));
        let wrong: Vec<String> = wrong.map(|(a, b)| format!("\n  ours   {a}\n  theirs {b}")).collect();
        assert!(wrong.is_empty() && ours.len() == theirs.len(), "{} differ:{}", wrong.len(), wrong.concat());
        both
    }
}

#[test]
fn both_programs_make_the_same_of_a_file() {
    let fixture = fixture();
    let [ours, theirs] = fixture.compare(&fixture.states);
    let differing = |(ours, theirs): &(&String, &String)| ours != theirs;
    assert_eq!(ours.iter().zip(&theirs).filter(differing).count(), fixture.differ.len(), "a difference is gone");
}

/// What a file of either program says, both understand alike, and it says what was.
#[test]
fn the_file_of_either_program_is_read_by_both() {
    let fixture = fixture();
    for writer in [Program::ours(), Program::theirs()] {
        let run = Run::start(&writer, &fixture.states, &fixture.backend);
        let (file, was) = (run.states(), run.seen());
        drop(run);
        for read in fixture.compare(&file) {
            // operational and administrative state, weights; haproxy may end a slow start in its first second
            let said = |row: &&String| !fixture.differ.iter().any(|name| row.contains(&format!(" {name} ")));
            let part = |row: &String| row.split(' ').skip(1).take(8).map(str::to_owned).collect::<Vec<_>>();
            let parts = |rows: &[String]| rows.iter().filter(said).map(part).collect::<Vec<_>>();
            assert_eq!(parts(&read), parts(&was), "written by {:?}", writer.kind);
        }
    }
}

/// What is ordered of haproxy at run time goes on in baton, by the way that scripts of reloads go.
#[test]
fn orders_given_to_haproxy_go_on_in_baton() {
    let port = ports::refused().port();
    let backend = format!(
        "  server s1 127.0.0.1:{port} weight 10\n  server s2 127.0.0.1:{port} weight 10 disabled\n  \
         server s3 127.0.0.1:{port} weight 10\n  server s4 127.0.0.1:{port} weight 10\n"
    );
    let old = Run::start(&Program::theirs(), "1\n", &backend);
    for order in ["b/s1 weight 7", "b/s2 state ready", "b/s3 state drain", "b/s4 state maint"] {
        let said = stats::command(&old.socket, &format!("set server {order}"));
        assert_eq!(said.trim(), "", "{order}");
    }
    let new = Run::start(&Program::ours(), &old.states(), &backend);
    let row = |run: &Run, server: &str| {
        let stats = Stats::from_socket(&run.socket);
        ["status", "weight", "act"].map(|column| stats.text("b", server, column).to_owned())
    };
    for (server, want) in [
        ("s1", ["no check", "7", "1"]),
        ("s2", ["no check", "10", "1"]),
        ("s3", ["DRAIN", "10", "1"]),
        ("s4", ["MAINT", "10", "1"]),
    ] {
        assert_eq!(row(&old, server), want, "haproxy, {server}");
        assert_eq!(row(&new, server), want, "baton, {server}");
    }
}

/// `init-addr last` starts with the address that is recorded, whether or not the name resolves.
#[test]
fn a_recorded_address_is_found() {
    let words = ["init-addr last,none", "init-addr libc,last,none", "init-addr none", ""];
    let (mut backend, mut states) = (String::new(), String::from("1\n"));
    for (at, words) in words.iter().enumerate() {
        backend += &format!("  server s{at} no-such-host.invalid:81 {words}\n");
        states +=
            &format!("3 b {} s{at} 127.0.0.9 2 0 1 1 40 1 0 2 0 0 0 0 no-such-host.invalid 81 - 0 0 - - 0\n", at + 1);
    }
    for program in [Program::ours(), Program::theirs()] {
        let run = Run::start(&program, &states, &backend);
        let stats = Stats::from_socket(&run.socket);
        let seen: Vec<&str> = (0..words.len()).map(|at| stats.text("b", &format!("s{at}"), "addr")).collect();
        assert_eq!(seen[..2], ["127.0.0.9:81"; 2], "{:?}", program.kind);
        assert_eq!(seen[3], "127.0.0.9:81", "{:?}", program.kind);
        assert_eq!(stats.text("b", "s2", "status"), "MAINT (resolution)", "{:?}", program.kind);
    }
}

/// Servers that track others: what the file says of the tracked holds for both.
#[test]
fn trackers_have_what_is_recorded_of_the_tracked() {
    let refused = ports::refused();
    let backend = format!(
        "  server first {refused} check inter 1h\n  server s2 127.0.0.1:2 check inter 1h\n  server s3 127.0.0.1:3 track s2\n"
    );
    for (tracked, tracker) in [("2 0", "2 0"), ("0 0", "0 0"), ("0 1", "0 2"), ("2 8", "2 16")] {
        let line = |id, state| format!("3 b {id} s{id} 127.0.0.1 {state} 1 1 40 6 3 4 6 0 0 0 - {id} - 0 0 - - 0\n");
        let states = format!("1\n{}{}", line(2, tracked), line(3, tracker));
        let rows = [Program::ours(), Program::theirs()].map(|program| {
            let run = Run::start(&program, &states, &backend);
            let stats = Stats::from_socket(&run.socket);
            let state = run.states().lines().filter(|line| !line.contains(" first ")).map(orders).collect::<Vec<_>>();
            (state, stats.text("b", "s2", "status").to_owned(), stats.text("b", "s3", "status").to_owned())
        });
        assert_eq!(rows[0], rows[1], "{tracked}");
    }
}

/// A backend all of whose servers are recorded as down or in maintenance has gone down at the start.
#[test]
fn a_backend_may_be_down_from_the_start() {
    let backend = "  server s1 127.0.0.1:1\nbackend away\n  server first 127.0.0.1:1 check inter 1h\n\
        backend c\n  server s2 127.0.0.1:2\n";
    for (state, want) in [("0 0", ["DOWN", "1"]), ("0 1", ["DOWN", "1"]), ("2 0", ["UP", "0"])] {
        let states = format!("1\n5 c 1 s2 127.0.0.1 {state} 1 1 40 6 3 4 0 0 0 0 - 2 - 0 0 - - 0\n");
        for program in [Program::ours(), Program::theirs()] {
            let run = Run::start(&program, &states, backend);
            let stats = Stats::from_socket(&run.socket);
            let row = ["status", "chkdown"].map(|column| stats.text("c", "BACKEND", column));
            assert_eq!(row, want, "{:?} {state}", program.kind);
        }
    }
}

/// Operational and administrative state of a line.
fn orders(line: &str) -> String {
    line.split(' ').skip(3).take(4).collect::<Vec<_>>().join(" ")
}
