//! Stick tables over real reloads: what a process knew, its successor knows.

mod harness;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::program::Program;
use harness::site::Site;
use harness::{client, ports, stats, wait};

const TABLES: &str = "\
backend text
 stick-table type string len 20 size 100k expire 1h store gpc0,gpc0_rate(1h),server_id,server_key,bytes_in_cnt,gpt(2)
backend ip
 stick-table type ip size 5 store conn_cnt,conn_cur
backend changed
 stick-table type string len 20 size 10
backend data
 stick-table type integer size 10 store gpc0,conn_rate(1h),sess_rate(1h)
";

/// The same with other keys in one table, other data in another.
const OTHERS: &str = "\
backend text
 stick-table type string len 20 size 100k expire 1h store gpc0,gpc0_rate(1h),server_id,server_key,bytes_in_cnt,gpt(2)
backend ip
 stick-table type ip size 5 store conn_cnt,conn_cur
backend changed
 stick-table type string len 19 size 10
backend data
 stick-table type integer size 10 store gpc0,gpc1,conn_rate(2h),sess_rate(1h)
";

fn config(folder: &Path, door: std::net::SocketAddr, tables: &str) -> String {
    format!(
        "global\n daemon\n stats socket {}/stats level admin\ndefaults\n mode tcp\n timeout client 20s\n timeout server 20s\n \
         timeout connect 5s\n{tables}frontend f\n bind {door}\n default_backend text\n",
        folder.display()
    )
}

/// What a table holds, without addresses and times to expire.
fn entries(socket: &Path, table: &str) -> Vec<String> {
    let text = stats::command(socket, &format!("show table {table}"));
    let entries = text.lines().filter_map(|line| line.split_once(": key="));
    let known = |rest: &str| {
        let words = rest.split(' ').filter(|word| !word.starts_with("exp="));
        words.collect::<Vec<_>>().join(" ")
    };
    entries.map(|(_, rest)| known(rest)).collect()
}

fn order(socket: &Path, orders: &[String]) {
    for orders in orders.chunks(100) {
        let said = stats::command(socket, &orders.join(";"));
        assert_eq!(said.trim(), "");
    }
}

#[test]
fn twenty_reloads_lose_no_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, door) = (folder.path().join("stats"), ports::free());
    let config = config(folder.path(), door, TABLES);
    let mut daemon = Daemon::start_in(&Program::ours(), &config, folder);
    let mut known = Vec::new();
    for round in 0..20 {
        // each process adds something of its own
        let news = (0..200).map(|number| {
            format!("set table text key r{round}-{number} data.gpc0 {number} data.gpc0_rate 9 data.server_id {round} data.gpt 3 data.bytes_in_cnt 5000000000")
        });
        order(&socket, &news.collect::<Vec<_>>());
        order(&socket, &["set table text key always data.gpc0 ".to_owned() + &round.to_string()]);
        order(&socket, &[format!("set table ip key 10.0.0.{round} data.conn_cnt {round}")]);
        let before = ["text", "ip"].map(|table| entries(&socket, table));
        assert_eq!(before[0].len(), 200 * (round + 1) + 1);
        daemon.reload_well();
        daemon.settle();
        let after = ["text", "ip"].map(|table| entries(&socket, table));
        assert_eq!(after, before, "after reload {round}");
        known = after[1].clone();
    }
    daemon.settle();
    // the five that were touched last, as one process would keep them
    let want: Vec<String> = (15..20).map(|n| format!("10.0.0.{n} use=0 conn_cnt={n} conn_cur=0")).collect();
    assert_eq!(known, want);
}

#[test]
fn other_keys_are_dropped_and_data_found_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, door) = (folder.path().join("stats"), ports::free());
    let other = config(folder.path(), door, OTHERS);
    let config = config(folder.path(), door, TABLES);
    let mut daemon = Daemon::start_in(&Program::ours(), &config, folder);
    order(
        &socket,
        &[
            "set table changed key a".to_owned(),
            "set table data key 1 data.gpc0 7 data.conn_rate 8 data.sess_rate 9".to_owned(),
            "set table text key a data.gpc0 1".to_owned(),
        ],
    );
    daemon.write(&other);
    daemon.reload_well();
    daemon.settle();
    assert_eq!(entries(&socket, "changed"), Vec::<String>::new());
    // a rate over another time says nothing
    let want = "1 use=0 gpc0=7 conn_rate(7200000)=0 sess_rate(3600000)=9 gpc1=0";
    assert_eq!(entries(&socket, "data"), [want]);
    assert_eq!(entries(&socket, "text").len(), 1);
}

/// An entry's time goes on, it does not begin again.
#[test]
fn time_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, door) = (folder.path().join("stats"), ports::free());
    let tables = "backend text\n stick-table type string size 10 expire 4s\n";
    let config = config(folder.path(), door, tables);
    let mut daemon = Daemon::start_in(&Program::ours(), &config, folder);
    order(&socket, &["set table text key a".to_owned()]);
    let left = || -> u64 {
        let text = stats::command(&socket, "show table text");
        text.split_once("exp=").map_or(0, |(_, rest)| rest.trim().parse().expect("milliseconds"))
    };
    harness::wait::until_true("a second to pass", || left() < 3000);
    daemon.reload_well();
    assert!(left() < 3000);
    harness::wait::until_true("the entry to go", || left() == 0);
}

/// Both processes count while one takes over from the other: not one connection is missing, and none is counted twice.
#[test]
fn counts_are_exact_over_reloads() {
    let (echo, door) = (Backend::echo(), ports::free());
    let sections = format!(
        "listen l\n bind {door}\n stick-table type ip size 10 store conn_cnt,conn_rate(1h),conn_cur,bytes_in_cnt\n \
         tcp-request connection track-sc0 src\n server s {}\n",
        echo.address
    );
    let mut site = Site::start_with(&Program::ours(), "  nbthread 2", &sections);
    let visits = AtomicU64::new(0);
    for round in 0..8 {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        client::echo(&mut client::connect(door), b"0123456789");
                        visits.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let more = |before: u64| wait::until_true("visits", || visits.load(Ordering::Relaxed) > before + 50);
            more(visits.load(Ordering::Relaxed));
            site.reload();
            more(visits.load(Ordering::Relaxed));
            stop.store(true, Ordering::Relaxed);
        });
        let count = visits.load(Ordering::Relaxed);
        let want = format!("conn_cnt={count} conn_rate(3600000)={count} conn_cur=0 bytes_in_cnt={}", 10 * count);
        let table = || entries(&site.daemon.folder().join("sock"), "l").join("; ");
        wait::until_or(&format!("after {round} a table with {want}"), || table().contains(&want), table);
    }
}
