//! Bandwidth limits of sessions: `filter bwlim-in|bwlim-out` and `set-bandwidth-limit`.
//!
//! haproxy has them since 2.7, so these are tests of ours alone. They measure that bytes take *at least* the time that a limit says: in
//! the other direction nothing depends on the machine.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::{self, Proxy};
use harness::site::Site;
use harness::{client, ports, wait};

const KB: usize = 1024;

/// Bytes of which each says where it stands.
fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8 ^ (at / 251) as u8).collect()
}

/// A server that is told in a first line of three words how many bytes it is to send; then it ends.
fn source() -> Backend {
    Backend::start(|mut stream| {
        let Some(count) = told(&mut stream) else { return };
        let _ = stream.write_all(&pattern(count));
    })
}

/// Reads the line of [`asked`]; its number.
fn told(stream: &mut TcpStream) -> Option<usize> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read_exact(&mut byte).is_ok() && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).ok()?.split(' ').nth(1)?.parse().ok()
}

/// A connection whose first line asks for so many bytes. `how`: a word for rules.
fn asked(door: SocketAddr, how: &str, count: usize) -> TcpStream {
    let mut stream = client::connect(door);
    stream.write_all(format!("{how} {count} please\n").as_bytes()).expect("asked");
    stream
}

/// Reads all; the bytes must be those of [`pattern`].
#[track_caller]
fn whole(stream: &mut TcpStream, count: usize) {
    let got = client::read_all(stream).expect("all of it, and a FIN");
    assert_eq!(got.len(), count);
    assert!(got == pattern(count), "the bytes are not those that were sent");
}

/// A server that reads all until the FIN and then says how many bytes those of [`pattern`] were, or `wrong`.
fn sink() -> Backend {
    Backend::start(|mut stream| {
        let mut got = Vec::new();
        let read = stream.read_to_end(&mut got);
        let right = read.is_ok() && got == pattern(got.len());
        let _ = stream.write_all(if right { got.len().to_string() } else { "wrong".to_owned() }.as_bytes());
    })
}

fn config(global: &str, lines: &str, server: SocketAddr) -> (SocketAddr, String) {
    let door = ports::free();
    let text = format!(
        "global\n{global}\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         listen l\n bind {door}\n{lines}\n server s {server}\n"
    );
    (door, text)
}

/// How long it takes to have `count` bytes of such a session.
#[track_caller]
fn download(global: &str, lines: &str, count: usize) -> Duration {
    let server = source();
    let (door, text) = config(global, lines, server.address);
    let _proxy = Proxy::start(&Program::ours(), &text);
    let begun = Instant::now();
    whole(&mut asked(door, "get", count), count);
    begun.elapsed()
}

/// The first period's bytes go at once; each other one needs its time.
#[track_caller]
fn at_least(took: Duration, millis: u64) {
    // a session begins to count at its first byte, a moment behind the test; clocks of milliseconds round down
    assert!(took >= Duration::from_millis(millis - 5), "{took:?} instead of {millis} ms");
}

#[test]
fn what_a_server_sends_takes_its_time() {
    let took = download(
        "",
        " filter bwlim-out down default-limit 64k default-period 250ms\n tcp-request content set-bandwidth-limit down",
        64 * KB * 7,
    );
    at_least(took, 6 * 250);
}

#[test]
fn what_a_client_sends_takes_its_time_and_its_end_comes_behind_it() {
    let server = sink();
    let rules = " filter bwlim-in up default-period 250ms min-size 2896 default-limit 64k\n tcp-request content set-bandwidth-limit up";
    let (door, text) = config("", rules, server.address);
    let _proxy = Proxy::start(&Program::ours(), &text);
    let begun = Instant::now();
    let (mut stream, count) = (client::connect(door), 64 * KB * 6 + 777);
    let mut writer = stream.try_clone().expect("a second handle");
    let sender = std::thread::spawn(move || {
        writer.write_all(&pattern(count)).expect("sent");
        client::half_close(&writer);
    });
    assert_eq!(client::read_all(&mut stream).expect("an answer"), count.to_string().as_bytes());
    at_least(begun.elapsed(), 5 * 250);
    sender.join().expect("the sender");
}

#[test]
fn large_limits_are_obeyed_with_pipes_and_without() {
    for global in ["", " nosplice"] {
        let took = download(
            global,
            " filter bwlim-out down default-limit 3m default-period 200ms\n tcp-request content set-bandwidth-limit down",
            3 * KB * KB * 6,
        );
        at_least(took, 5 * 200);
    }
}

#[test]
fn other_sessions_are_not_slowed() {
    let server = source();
    let rules = " filter bwlim-out down default-limit 1k default-period 1s\n tcp-request inspect-delay 20s\n \
                 tcp-request content set-bandwidth-limit down if { req.payload(0,4) -m str slow }\n \
                 tcp-request content accept if { req.len gt 4 }";
    let (door, text) = config(" nbthread 1", rules, server.address);
    let _proxy = Proxy::start(&Program::ours(), &text);
    let mut slow = asked(door, "slow", KB * KB);
    slow.read_exact(&mut [0; 1024]).expect("the first bytes come at once");
    whole(&mut asked(door, "fast", 4 * KB * KB), 4 * KB * KB);
    // so long it would take 17 minutes
    slow.set_read_timeout(Some(Duration::from_millis(50))).expect("a limit");
    let mut got = 0;
    while let Ok(count @ 1..) = slow.read(&mut [0; 64 * KB]) {
        got += count;
    }
    assert!(got < KB * KB - 1024, "the slow one had all, too");
}

#[test]
fn expressions_say_limit_and_period_and_the_last_rule_counts() {
    let rules = " filter bwlim-out down default-limit 100m default-period 1s\n \
                 tcp-request content set-bandwidth-limit down limit 1 period 10s\n \
                 tcp-request content set-bandwidth-limit down limit int(10),mul(2048) period int(100),add(150)";
    at_least(download("", rules, 20 * KB * 6), 5 * 250);
    // what is no number of bytes, or of milliseconds, is as the filter says
    let rules = " filter bwlim-out down default-limit 20k default-period 250ms\n \
                 tcp-request content set-bandwidth-limit down limit str(many) period int(0)";
    at_least(download("", rules, 20 * KB * 6), 5 * 250);
    // a rule about what the server sends
    let rules = " filter bwlim-out down default-limit 100m default-period 1s\n tcp-response inspect-delay 20s\n \
                 tcp-response content set-bandwidth-limit down limit 20k period 250ms if { res.len gt 0 }";
    at_least(download("", rules, 20 * KB * 6), 5 * 250);
}

#[test]
fn both_directions_are_limited_and_a_header_for_the_server_is_free() {
    let server = Backend::start(|mut stream| {
        // the header is one line, and comes whole before the first bytes
        let mut line = Vec::new();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() && byte != *b"\n" {
            line.push(byte[0]);
        }
        if line.starts_with(b"PROXY TCP4 ") && line.ends_with(b"\r") {
            harness::backends::echo(stream);
        }
    });
    let door = ports::free();
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         listen l\n bind {door}\n filter bwlim-in up default-limit 8 default-period 200ms\n \
         filter bwlim-out down default-limit 4 default-period 200ms\n tcp-request content set-bandwidth-limit up\n \
         tcp-request content set-bandwidth-limit down\n server s {} send-proxy\n",
        server.address
    );
    let _proxy = Proxy::start(&Program::ours(), &text);
    let begun = Instant::now();
    let mut stream = client::connect(door);
    stream.write_all(&pattern(24)).expect("sent");
    client::half_close(&stream);
    whole(&mut stream, 24);
    at_least(begun.elapsed(), 5 * 200);
}

#[test]
fn the_smallest_of_several_limits_counts() {
    let server = source();
    let door = ports::free();
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         frontend f\n bind {door}\n filter bwlim-out large default-limit 80k default-period 250ms\n \
         tcp-request content set-bandwidth-limit large\n default_backend b\n\
         backend b\n filter bwlim-out small default-limit 20k default-period 250ms\n \
         filter bwlim-out unused default-limit 1 default-period 1h\n \
         tcp-request content set-bandwidth-limit small\n server s {}\n",
        server.address
    );
    let _proxy = Proxy::start(&Program::ours(), &text);
    let begun = Instant::now();
    whole(&mut asked(door, "get", 20 * KB * 6), 20 * KB * 6);
    at_least(begun.elapsed(), 5 * 250);
}

#[test]
fn sessions_of_a_key_share_a_limit() {
    let server = source();
    let sections = |door: SocketAddr| {
        format!(
            "backend rates\n stick-table type ip size 100 expire 1h store bytes_out_rate(1s)\n\
             listen l\n bind {door}\n filter bwlim-out shared key src table rates limit 64k\n \
             tcp-request content set-bandwidth-limit shared\n server s {}\n",
            server.address
        )
    };
    let door = ports::free();
    let site = Site::start_with(&Program::ours(), "  nbthread 2\n", &sections(door));
    let mut streams: Vec<TcpStream> = (0..2).map(|_| client::connect(door)).collect();
    // both have their limit before either asks
    wait::until_true("both to be connected", || server.accepted() == 2);
    let begun = Instant::now();
    for stream in &mut streams {
        stream.write_all(format!("get {} please\n", 96 * KB).as_bytes()).expect("asked");
    }
    let readers: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            std::thread::spawn(move || {
                whole(&mut stream, 96 * KB);
                begun.elapsed()
            })
        })
        .collect();
    // each has 32k at once, and 32k a second
    let took: Vec<Duration> = readers.into_iter().map(|reader| reader.join().expect("whole")).collect();
    assert!(took.iter().all(|took| *took >= Duration::from_millis(1000)), "{took:?}");
    assert!(took.iter().max() >= Some(&Duration::from_millis(1995)), "{took:?}");
    let table = site.order("show table rates");
    assert!(table.contains("key=127.") && table.contains("bytes_out_rate(1000)="), "{table}");
    // alone again: nobody is counted twice
    site.order("clear table rates");
    whole(&mut asked(door, "get", 64 * KB), 64 * KB);
}

#[test]
fn limits_go_along_over_a_reload() {
    let server = source();
    let door = ports::free();
    let sections = |limits: &str| {
        let address = server.address;
        format!(
            "backend rates\n stick-table type ip size 100 expire 1h store bytes_out_rate(1s)\n\
             listen l\n bind {door}\n{limits} server s {address}\n"
        )
    };
    let own = " filter bwlim-out down default-limit 1g default-period 1s\n \
               tcp-request content set-bandwidth-limit down limit 32k period 500ms\n";
    let shared =
        " filter bwlim-out down key src table rates limit 64k\n tcp-request content set-bandwidth-limit down\n";
    for limits in [own, shared] {
        let mut site = Site::start(&Program::ours(), &sections(limits));
        let (begun, count) = (Instant::now(), 64 * KB * 5);
        let mut stream = asked(door, "get", count);
        let mut first = vec![0; 10 * KB];
        stream.read_exact(&mut first).expect("the first bytes");
        for _ in 0..3 {
            site.reload();
            site.wait_for("l", "s", "scur", 1);
        }
        let rest = client::read_all(&mut stream).expect("the rest");
        at_least(begun.elapsed(), 4000);
        first.extend(rest);
        assert!(first == pattern(count), "{} of {count} bytes", first.len());
    }
}

#[test]
fn a_limit_that_a_reload_has_taken_away_holds_no_longer() {
    let server = source();
    let door = ports::free();
    let sections = |limits: &str| format!("listen l\n bind {door}\n{limits} server s {}\n", server.address);
    let limits =
        " filter bwlim-out down default-limit 1k default-period 1s\n tcp-request content set-bandwidth-limit down\n";
    let mut site = Site::start(&Program::ours(), &sections(limits));
    let mut stream = asked(door, "get", 8 * KB * KB);
    let mut first = vec![0; KB];
    stream.read_exact(&mut first).expect("the first bytes");
    site.write(&sections(""));
    site.reload();
    // under the limit it would take two hours
    first.extend(client::read_all(&mut stream).expect("the rest"));
    assert!(first == pattern(8 * KB * KB), "{} bytes", first.len());
}

#[test]
fn a_slow_receiver_gets_everything() {
    let server = source();
    let rules =
        " filter bwlim-out down default-limit 400k default-period 100ms\n tcp-request content set-bandwidth-limit down";
    let (door, text) = config(" tune.rcvbuf.server 8192\n tune.sndbuf.client 8192", rules, server.address);
    let _proxy = Proxy::start(&Program::ours(), &text);
    let count = 1200 * KB;
    let (mut stream, begun) = (asked(door, "get", count), Instant::now());
    let (mut got, mut piece) = (Vec::new(), vec![0; 40 * KB]);
    loop {
        match stream.read(&mut piece).expect("bytes") {
            0 => break,
            read => got.extend_from_slice(&piece[..read]),
        }
        wait::moment(Duration::from_millis(2));
    }
    assert!(got == pattern(count), "{} bytes", got.len());
    at_least(begun.elapsed(), 200);
}

#[test]
fn who_waits_for_an_allowance_is_not_cut_and_who_is_silent_is() {
    let server = Backend::start(|mut stream| {
        // what is asked for, and then silence
        if let Some(count) = told(&mut stream) {
            let _ = stream.write_all(&pattern(count));
            let _ = stream.read(&mut [0]);
        }
    });
    let door = ports::free();
    let sections = format!(
        "listen l\n timeout client 2s\n timeout server 2s\n bind {door}\n filter bwlim-out down default-limit 1000 default-period 5s\n \
         filter bwlim-in up default-limit 100k default-period 1s\n tcp-request content set-bandwidth-limit down\n \
         tcp-request content set-bandwidth-limit up\n server s {}\n",
        server.address
    );
    let site = Site::start(&Program::ours(), &sections);
    let (mut stream, begun) = (asked(door, "get", 1100), Instant::now());
    whole(&mut stream, 1100);
    at_least(begun.elapsed(), 5000); // behind the first period, which is longer than the times of both ends
    site.log.wait_for(" 1100 cD ");
}

#[test]
fn what_does_not_fit_together_is_told() {
    let rates = "backend rates\n stick-table type ip size 10 store bytes_out_rate(1s)\n";
    let head = " timeout client 1s\n timeout connect 1s\n timeout server 1s\n bind 127.0.0.1:1\n";
    for (lines, wants) in [
        ("filter bwlim-out x limit 1k key src table rates", ""),
        ("filter bwlim-out x limit 1k key src", "no stick table 'l'"),
        ("filter bwlim-out x limit 1k key src table other", "no stick table 'other'"),
        ("filter bwlim-in x limit 1k key src table rates", "needs 'bytes_in_rate' in table 'rates'"),
        (
            "filter bwlim-out x limit 1k key bool(1) table rates",
            "of the type boolean, the keys of table 'rates' of the type ip",
        ),
        ("tcp-request content set-bandwidth-limit x", "no 'filter bwlim-in x'"),
        ("tcp-response content set-bandwidth-limit x", "no 'filter bwlim-in x'"),
        (
            "filter bwlim-out x limit 1k key src table rates\n tcp-request content set-bandwidth-limit x limit 3",
            "its limit and its period are not set",
        ),
        (
            "filter bwlim-out x limit 1k key src table rates\n tcp-response content set-bandwidth-limit x period int(3)",
            "its limit and its period are not set",
        ),
    ] {
        let checked = proxy::check(&Program::ours(), &format!("{rates}listen l\n mode tcp\n{head} {lines}\n"));
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.success(), wants.is_empty(), "{lines}: {said}");
        assert!(said.contains(wants), "{lines}: {said}");
    }
}
