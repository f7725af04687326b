//! A process without a descriptor left: connections wait, it is said once, nothing spins, and all goes on afterwards.

mod harness;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports, wait};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// The lowest number that is no descriptor of a process: a limit there leaves it none to open.
fn first_free(pid: u32) -> u64 {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    let used: Vec<u64> = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    (0..).find(|number| !used.contains(number)).expect("a number")
}

/// User and system time of a process, in clock ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its figures");
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<&str> = rest.split(' ').collect();
    fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
}

#[test]
fn without_descriptors_connections_wait_and_nothing_spins() {
    let echo = Backend::echo();
    let (log, sink) = LogReceiver::udp();
    let listen = ports::free();
    let config = format!(
        "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
         listen front\n bind {listen}\n maxconn 100\n log {sink} local0\n option tcplog\n server s1 {}\n",
        echo.address
    );
    let proxy = Proxy::start(&Program::ours(), &config);
    let id = proxy.process.pid();
    let pid = Pid::from_raw(id as i32);
    let mut first = client::connect(listen);
    client::echo(&mut first, b"open");

    let plenty = prlimit(
        pid,
        Resource::Nofile,
        Rlimit { current: Some(first_free(id)), maximum: getrlimit(Resource::Nofile).maximum },
    );
    let plenty = plenty.expect("a lower limit");
    let mut waiting: Vec<_> = (0..5).map(|_| client::connect(listen)).collect();
    waiting.iter_mut().for_each(|stream| stream.write_all(b"wait").expect("sent"));
    log.wait_for("cannot accept");
    let (before, start) = (cpu_ticks(id), Instant::now());
    wait::until_true("a second to pass", || start.elapsed() > Duration::from_secs(1));
    let spent = cpu_ticks(id) - before;
    assert!(spent <= 10, "{spent} ticks of 10 ms in a second of waiting");
    client::echo(&mut first, b"still open");
    assert_eq!(log.lines().iter().filter(|line| line.contains("cannot accept")).count(), 1, "{:#?}", log.lines());

    prlimit(pid, Resource::Nofile, plenty).expect("the limit back");
    for stream in &mut waiting {
        let mut back = [0; 4];
        stream.read_exact(&mut back).expect("served at last");
        assert_eq!(&back, b"wait");
    }
}
