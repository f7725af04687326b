//! Peers as processes: reloads while entries go both ways, taking over from haproxy and by haproxy, and what is shown.

mod harness;

use std::net::SocketAddr;
use std::path::Path;

use harness::daemon::Daemon;
use harness::program::Program;
use harness::{ports, stats, wait};

fn config(folder: &Path, own: (&str, SocketAddr), other: (&str, SocketAddr)) -> String {
    format!(
        "global\n  stats socket {folder}/stats level admin\n  localpeer {}\npeers all\n  peer {} {}\n  peer {} {}\n  \
         table inner type string len 16 size 1k expire 1h store gpc0\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout \
         client 10s\n  timeout server 10s\nbackend ts\n  stick-table type string len 32 size 100k expire 1h store \
         server_id,server_key,gpc0,conn_rate(1h) peers all\n  server s1 127.0.0.1:9\nfrontend f\n  bind {}\n  default_backend ts\n",
        own.0,
        own.0,
        own.1,
        other.0,
        other.1,
        ports::free(),
        folder = folder.display()
    )
}

/// A process and its folder.
struct Side {
    daemon: Daemon,
}

impl Side {
    fn start(program: &Program, own: (&str, SocketAddr), other: (&str, SocketAddr)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), own, other);
        Self { daemon: Daemon::start_in(program, &config, folder) }
    }

    fn says(&self, command: &str) -> String {
        stats::command(&self.daemon.folder().join("stats"), command)
    }

    fn set(&self, table: &str, key: &str, gpc0: u32) {
        let answer = self.says(&format!("set table {table} key {key} data.gpc0 {gpc0}"));
        assert_eq!(answer.trim(), "", "{table} {key}");
    }

    /// Waits until an entry has that `gpc0`.
    #[track_caller]
    fn has(&self, table: &str, key: &str, gpc0: u32) {
        let (key, gpc0) = (format!(" key={key} "), format!(" gpc0={gpc0} "));
        let shown = || self.says(&format!("show table {table}"));
        let there = || {
            shown().lines().map(|line| line.to_owned() + " ").any(|line| line.contains(&key) && line.contains(&gpc0))
        };
        wait::until_or(&format!("{table} {key} {gpc0}"), there, || shown() + &self.says("show peers"));
    }

    #[track_caller]
    fn used(&self, table: &str, want: usize) {
        let line = || {
            self.says("show table").lines().find(|line| line.contains(&format!("table: {table},"))).map(str::to_owned)
        };
        let end = format!("used:{want}");
        wait::until_or(
            &format!("{table} {end}"),
            || line().is_some_and(|line| line.ends_with(&end)),
            || format!("{:?}", line()),
        );
    }
}

fn names() -> ((&'static str, SocketAddr), (&'static str, SocketAddr)) {
    (("one", ports::free()), ("two", ports::free()))
}

/// Sections have tables of their own; they are known by the section's name here and without it to the peer.
#[test]
fn tables_of_sections() {
    let (one, two) = names();
    let ours = Side::start(&Program::ours(), one, two);
    let theirs = Side::start(&Program::theirs(), two, one);
    ours.set("all/inner", "here", 1);
    theirs.has("all/inner", "here", 1);
    theirs.set("all/inner", "there", 2);
    ours.has("all/inner", "there", 2);
}

/// Entries of either side are on both after any number of reloads of ours.
#[test]
fn reloads_while_entries_go_both_ways() {
    let (one, two) = names();
    let mut ours = Side::start(&Program::ours(), one, two);
    let theirs = Side::start(&Program::theirs(), two, one);
    for round in 0..5 {
        ours.set("ts", &format!("ours-{round}"), round);
        theirs.set("ts", &format!("theirs-{round}"), round);
        theirs.has("ts", &format!("ours-{round}"), round);
        ours.daemon.reload_well();
        ours.has("ts", &format!("theirs-{round}"), round);
        ours.set("ts", &format!("later-{round}"), round);
        theirs.has("ts", &format!("later-{round}"), round);
    }
    ours.daemon.settle();
    ours.used("ts", 15);
    theirs.used("ts", 15);
}

/// Who takes over from the other program knows what it knew, though no other peer is there.
#[test]
fn either_program_takes_over_from_the_other() {
    let nobody = ("nobody", ports::refused());
    for (old, new) in [(Program::ours(), Program::theirs()), (Program::theirs(), Program::ours())] {
        let mut side = Side::start(&old, ("one", ports::free()), nobody);
        for entry in 0..100 {
            side.set("ts", &format!("entry-{entry}"), entry);
        }
        // haproxy teaches nobody before it counts as knowing everything itself
        wait::until_true("the old process to have looked around", || side.says("show peers").contains("flags=0x33"));
        side.daemon.program = new;
        side.daemon.reload_well();
        side.has("ts", "entry-99", 99);
        side.used("ts", 100);
        side.daemon.settle();
    }
}

/// `show peers` looks the same, but for addresses in memory, times and what each counts its own way.
#[test]
fn peers_are_shown() {
    let (one, two) = names();
    let ours = Side::start(&Program::ours(), one, two);
    let theirs = Side::start(&Program::theirs(), two, one);
    ours.set("ts", "here", 1);
    theirs.has("ts", "here", 1);
    let talks = |side: &Side| side.says("show peers").contains("last_status=ESTA");
    wait::until_true("sessions to be shown", || talks(&ours) && talks(&theirs));
    let shape = |side: &Side, command: &str| {
        let text = side.says(command);
        let names: Vec<String> = text
            .lines()
            .flat_map(|line| {
                let names = line.split_whitespace().filter_map(|word| Some(word.split_once(['=', ':'])?.0.to_owned()));
                let ignored =
                    |name: &String| name.starts_with("0x") || name.starts_with('[') || name == "xprt" || name == "src";
                names.filter(move |name| !ignored(name)).collect::<Vec<_>>()
            })
            .collect();
        names
    };
    // the section's head, and each peer's lines: which of the two is local differs, and so does who has a session
    let head = |side: &Side| shape(side, "show peers all").into_iter().take(12).collect::<Vec<_>>();
    assert_eq!(head(&ours), head(&theirs));
    for command in ["show peers", "show peers all", "show peers - all", "show peers dict all"] {
        let (mut a, mut b) = (shape(&ours, command), shape(&theirs, command));
        a.sort();
        b.sort();
        a.dedup();
        b.dedup();
        assert_eq!(a, b, "{command}");
    }
    assert!(ours.says("show peers dict").contains("RX dictionary cache:"));
    assert!(ours.says("show peers nobody").contains("no such section"));
    wait::until_true("the peers to be counted", || ours.says("show info").contains("ConnectedPeers: 1"));
}

/// Tables and sections are listed, and numbered for peers, in haproxy's order: the last one of the file first.
#[test]
fn the_order_of_tables_and_sections() {
    let (a, b) = (ports::free(), ports::free());
    let listed = |program: &Program| {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "global\n  stats socket {}/stats level admin\n  localpeer x\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout \
             server 1s\nbackend zz\n  stick-table type ip size 10\npeers all\n  peer x {a}\n  table in1 type ip size 10\n  \
             table in2 type ip size 10\nbackend aa\n  stick-table type ip size 10 peers all\npeers bb\n  peer x {b}\n  table in3 \
             type ip size 10\n",
            folder.path().display()
        );
        let side = Side { daemon: Daemon::start_in(program, &config, folder) };
        let tables =
            side.says("show table").lines().filter_map(|line| Some(line.split_once(',')?.0.to_owned())).collect();
        let named = |word: &str| word.starts_with("id=") || word.starts_with("local_id=");
        let peers = side.says("show peers");
        let peers: Vec<String> = peers.split_whitespace().filter(|word| named(word)).map(str::to_owned).collect();
        let both: (Vec<String>, _) = (tables, peers);
        both
    };
    let theirs = listed(&Program::theirs());
    assert_eq!(theirs.0.len(), 5, "{theirs:?}");
    assert_eq!(listed(&Program::ours()), theirs);
}
