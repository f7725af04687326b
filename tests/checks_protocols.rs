//! Checks that speak a protocol: what is sent, byte by byte, and what is made of each answer.
//!
//! Runs on both programs against scripted servers; `fixtures/checks/protocols.txt` holds what the original sends and
//! says, `BLESS=1 BATON_UNDER_TEST=theirs` rewrites it. And against a real redis.

mod harness;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use harness::pinned::pinned;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::services::Service;
use harness::stats::Stats;
use harness::{ports, wait};

/// What a scripted server does, in order. It ends its side then, unless the last is [`Act::Hold`].
enum Act {
    /// Reads so many bytes.
    Hear(usize),
    Say(&'static [u8]),
    /// Says nothing more until the other side closes.
    Hold,
}

use Act::{Hear, Hold, Say};

/// A greeting of MySQL 5.7.
const MYSQL: &[u8] = b"\x4d\0\0\0\x0a5.7.1-log\0\x01\0\0\0abcdefgh\0\xff\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";

/// All rows: what is configured, and what the server does.
fn rows() -> Vec<(&'static str, Vec<Act>)> {
    let mut rows = Vec::new();
    let redis = |answer| vec![Hear(14), Say(answer)];
    for answer in [&b"+PONG\r\n"[..], b"-NOAUTH x\r\n", b"xx+PONG\r\nyy", b"+PONG", b"+PONGA\r\n", b""] {
        rows.push(("redis-check", redis(answer)));
    }
    rows.push(("redis-check", vec![Hear(14), Say(b"+PO"), Say(b"NG\r\n"), Hold]));
    let smtp = |greeting, hello, quit| vec![Say(greeting), Hear(16), Say(hello), Hear(6), Say(quit)];
    rows.push(("smtpchk", smtp(b"220 hi there\r\n", b"250 ok\r\n", b"221 bye\r\n")));
    rows.push(("smtpchk", smtp(b"220\r\n", b"250-a\r\n250 b\r\n", b"221-z\r\n")));
    rows.push(("smtpchk", smtp(b"220 x", b"250 y", b"221 z")));
    rows.push(("smtpchk", smtp(b"220 x\r\n", b"250 y\r\n", b"500 z\r\n")));
    rows.push(("smtpchk", smtp(b"220 x\r\n", b"250 y\r\n", b"")));
    for hello in [&b"500 no\r\n"[..], b"350 no\r\n", b"250-a\r\n250-b\r\n", b"250-a\r\n500 b\r\n", b"25", b""] {
        rows.push(("smtpchk", vec![Say(b"220 x\r\n"), Hear(16), Say(hello)]));
    }
    for greeting in [&b"421 busy\r\n"[..], b"354 x\r\n", b"220-a\r\n", b"hello\r\n", b"220x\r\n", b"2200 x\r\n"] {
        rows.push(("smtpchk", vec![Say(greeting), Hold]));
    }
    rows.push(("smtpchk", vec![Say(b"22")]));
    rows.push(("smtpchk", vec![]));
    let long = || vec![Say(b"220 x\r\n"), Hear(19), Say(b"250 y\r\n"), Hear(6), Say(b"221 z\r\n")];
    rows.push(("smtpchk EHLO mydomain.org", long()));
    rows.push(("smtpchk HELO mydomain.org", long()));
    for words in ["smtpchk FOO mydomain.org", "smtpchk EHLO", "smtpchk ehlo x"] {
        rows.push((words, smtp(b"220 x\r\n", b"250 y\r\n", b"221 z\r\n")));
    }
    for answer in [&b"\x16\x03\0\0\x10abc"[..], b"\x15\x03\0\0\x02\x02\x28", b"\x16", b"\x15\x03", b"hello there", b""]
    {
        rows.push(("ssl-hello-chk", vec![Hear(126), Say(answer)]));
    }
    for packet in [
        MYSQL,
        b"\x1c\0\0\0\xff\x6a\x04Host is blocked because o",
        b"\x03\0\0\0\xff\x15\x04",
        b"\x02\0\0\0\xff\x15",
        b"\0\0\0\0",
        b"\x04\0\0\0\x0aabc",
    ] {
        rows.push(("mysql-check", vec![Say(packet), Hold]));
    }
    for packet in [&b"hello there"[..], b"\x4a\0\0\0\x0a", b"\x4a\0\0", b""] {
        rows.push(("mysql-check", vec![Say(packet)]));
    }
    for answer in [
        &b"\x07\0\0\x02\0\0\0\x02\0\0\0"[..],
        b"\x1c\0\0\x02\xff\x15\x04#28000Access denied for u",
        b"\x01\0\0\x02\xfe",
        b"\x03\0\0\x02\xff\x15\x04",
    ] {
        rows.push(("mysql-check user joe", vec![Say(MYSQL), Hear(46), Say(answer), Hold]));
    }
    rows.push(("mysql-check user joe", vec![Say(MYSQL), Hear(46), Say(b"\x07\0\0")]));
    rows.push(("mysql-check user joe", vec![Say(MYSQL), Hear(46)]));
    rows.push(("mysql-check user joe post-41", vec![Say(MYSQL), Hear(46), Say(b"\x01\0\0\x02\0"), Hold]));
    rows.push(("mysql-check user joe pre-41", vec![Say(MYSQL), Hear(19), Say(b"\x01\0\0\x02\0"), Hold]));
    for answer in [
        &b"R\0\0\0\x08\0\0\0\0Z\0"[..],
        b"R\0\0\0\x08\0\0\0\x01",
        b"R\0\0\0\x08\0\0\0\x03",
        b"R\0\0\0\x0c\0\0\0\x05ab",
        b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
        b"R\0\0\0\x08\0\0\0\x0b",
        b"R\0\0\x01\x08\0\0\0\0",
        b"R\0\0\0\x08\0\0\x01\0",
        b"E\0\0\0\x10SFATAL\0Mno such\0\0",
        b"E\0\0\0\x10",
        b"EFATAL: x\0",
        b"X1234567890",
    ] {
        rows.push(("pgsql-check user joe", vec![Hear(18), Say(answer), Hold]));
    }
    for answer in [&b"R"[..], b"N", b"E", b"R\0\0\0\x08\0\0\0", b""] {
        rows.push(("pgsql-check user joe", vec![Hear(18), Say(answer)]));
    }
    for answer in [
        &b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"[..],
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x33\x04\x00\x04\x00",
        b"\x30\x11\x02\x01\x01\x61\x0c\x0a\x01\x33\x04\x00\x04\x05\x6f\x6b\x6f\x6b\x6b",
        b"\x31\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x81\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x82\x00\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x83\x00\x00\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x61\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x85\x00\x00\x00\x00\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x80\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0d\x02\x02\x00\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0d\x02\x01\x01\x61\x81\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x14\x02\x01\x01\x61\x88\x00\x00\x00\x00\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x02\x01\x00\x04\x00\x04\x00",
        b"\x30\x0d\x02\x01\x01\x61\x08\x0a\x02\x00\x00\x04\x00\x04\x00",
        b"\x30\x05\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00\x7a\x7a",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x7f\x04\x00\x04\x00",
    ] {
        rows.push(("ldap-check", vec![Hear(14), Say(answer), Hold]));
    }
    for answer in [
        &b""[..],
        b"\x30",
        b"\x30\x81",
        b"\x30\x83",
        b"\x30\x0c",
        b"\x30\x0c\x02\x01\x01",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04",
        b"\x30\x20\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x41",
        b"\x41\x41\x41\x41\x41\x41\x41\x41\x41\x41\x41\x41\x41",
        b"\x30\x08\x02\x01\x01\x61\x07\x0a\x01\x05",
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x31",
        b"\x30\x82\x00",
    ] {
        rows.push(("ldap-check", vec![Hear(14), Say(answer)]));
    }
    rows
}

/// Plays one connection; returns what was heard and how the other side ended.
fn play(mut stream: TcpStream, acts: Vec<Act>) -> String {
    let (mut heard, mut holds) = (Vec::new(), false);
    for act in acts {
        match act {
            Hear(count) => {
                let mut bytes = vec![0; count];
                match stream.read_exact(&mut bytes) {
                    Ok(()) => heard.extend(bytes),
                    Err(_) => return "ended early".to_owned(),
                }
            }
            Say(bytes) => _ = stream.write_all(bytes),
            Hold => holds = true,
        }
    }
    if !holds {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let _ = stream.read_to_end(&mut heard);
    // the moment in a hello of SSL
    if heard.len() > 15 && heard.starts_with(b"\x16\x03\x00") {
        heard[11..15].copy_from_slice(b"TIME");
    }
    heard.escape_ascii().to_string()
}

fn server(acts: Vec<Act>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind(ports::free()).expect("a port");
    let port = listener.local_addr().expect("it").port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            let _ = tell.send(play(stream, acts));
        }
    });
    (port, told)
}

#[test]
fn bytes_and_judgements() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let mut config = format!(
        "global\n  stats socket {}\n  max-spread-checks 20\ndefaults\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  \
         timeout connect 20s\n",
        socket.display()
    );
    let mut servers = Vec::new();
    for (number, (option, acts)) in rows().into_iter().enumerate() {
        let said: Vec<String> = acts
            .iter()
            .filter_map(|act| if let Say(bytes) = act { Some(*bytes) } else { None })
            .map(|bytes| if bytes == MYSQL { "GREETING".to_owned() } else { bytes.escape_ascii().to_string() })
            .collect();
        let (port, heard) = server(acts);
        let _ = writeln!(
            config,
            "backend b{number}\n  option {option}\n  server s {}:{port} check inter 20s",
            ports::address()
        );
        servers.push((format!("{option} << {}", said.join(" << ")), heard));
    }
    let _proxy = Proxy::start(&Program::under_test(), &config);
    let heard: Vec<(String, String)> = servers
        .into_iter()
        .map(|(row, heard)| {
            let heard = heard.recv_timeout(wait::PATIENCE).unwrap_or_else(|why| panic!("{row}: {why}"));
            (row, heard)
        })
        .collect();
    let stats = wait::until("all checks to end", || {
        let stats = Stats::from_socket(&socket);
        let ended = |number: usize| {
            let status = stats.text(&format!("b{number}"), "s", "check_status");
            status != "INI" && !status.starts_with('*')
        };
        (0..heard.len()).all(ended).then_some(stats)
    });
    let mut out = String::new();
    for (number, (row, heard)) in heard.iter().enumerate() {
        let _ = writeln!(out, "{row}\n  >> {heard}");
        let cell = |column: &str| stats.text(&format!("b{number}"), "s", column);
        let _ = writeln!(out, "  {} | {} | {}", cell("check_status"), cell("check_code"), cell("last_chk"));
    }
    pinned("checks/protocols.txt", &out);
}

/// One server for each of some protocols that says nothing.
#[test]
fn silent_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let silent = TcpListener::bind(ports::free()).expect("a port");
    let address = silent.local_addr().expect("it");
    let mut config = format!(
        "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  timeout connect 20s\n  \
         timeout check 200ms\n",
        socket.display()
    );
    let options = ["redis-check", "smtpchk", "mysql-check", "pgsql-check user x", "ldap-check", "ssl-hello-chk"];
    for (number, option) in options.iter().enumerate() {
        let _ = writeln!(config, "backend b{number}\n  option {option}\n  server s {address} check inter 300");
    }
    let _proxy = Proxy::start(&Program::under_test(), &config);
    for (number, option) in options.iter().enumerate() {
        let want = if *option == "ssl-hello-chk" { "L6TOUT" } else { "L7TOUT" };
        let cell = |column: &str| Stats::from_socket(&socket).text(&format!("b{number}"), "s", column).to_owned();
        wait::until_true(option, || cell("check_status").trim_start_matches("* ") == want);
        wait::until_true("DOWN", || cell("status") == "DOWN");
    }
}

#[test]
fn a_real_redis() {
    let redis = Service::redis();
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, door) = (folder.path().join("stats"), ports::free());
    let config = format!(
        "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  timeout connect 5s\n\
         listen l\n  bind {door}\n  option redis-check\n  server s1 {} check inter 200\n",
        socket.display(),
        redis.address
    );
    let _proxy = Proxy::start(&Program::under_test(), &config);
    let cell = |column: &str| Stats::from_socket(&socket).text("l", "s1", column).to_owned();
    wait::until_true("a passed check", || cell("check_status").ends_with("L7OK"));
    assert_eq!(cell("status"), "UP");
    drop(redis);
    wait::until_true("the server to be down", || cell("status") == "DOWN");
}
