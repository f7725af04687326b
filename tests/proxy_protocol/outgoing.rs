//! Headers that go out: bytes of every kind, to servers and in checks.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::harness::backends::Backend;
use crate::harness::program::Program;
use crate::harness::{client, ports, wait};
use crate::stage::*;

/// What a server line says of the header.
const WORDS: [&str; 20] = [
    "send-proxy",
    "send-proxy-v2",
    "send-proxy send-proxy-v2",
    "proxy-v2-options crc32c",
    "send-proxy-v2 proxy-v2-options crc32c",
    "send-proxy-v2 proxy-v2-options authority",
    "send-proxy-v2 proxy-v2-options unique-id",
    "send-proxy-v2 proxy-v2-options ssl",
    "send-proxy-v2 proxy-v2-options ssl-cipher",
    "send-proxy-v2 proxy-v2-options cert-sig,cert-key",
    "send-proxy-v2 proxy-v2-options crc32c,authority,unique-id,cert-cn",
    "send-proxy-v2-ssl",
    "send-proxy-v2-ssl-cn",
    "send-proxy-v2 no-send-proxy",
    "send-proxy no-send-proxy-v2",
    "send-proxy-v2 no-send-proxy-v2",
    "send-proxy-v2-ssl no-send-proxy-v2",
    "send-proxy-v2-ssl-cn no-send-proxy-v2-ssl",
    "send-proxy-v2-ssl no-send-proxy-v2-ssl-cn",
    "send-proxy send-proxy-v2-ssl no-send-proxy-v2-ssl",
];

/// What a client of each kind announces.
fn clients() -> Vec<Vec<u8>> {
    let six = "PROXY TCP6 2001:db8::1 ::ffff:5.6.7.8 1111 2222\r\n";
    let named = [&ADDRESSES[..], &tlv(2, b"example.com"), &tlv(5, b"theirs")].concat();
    vec![V1.to_vec(), six.into(), v2(0x21, 0x11, &named)]
}

#[test]
fn every_header_has_haproxys_bytes() {
    let door = |nth: usize| format!("DIR/{nth}");
    let listen = |(nth, words): (usize, &&str)| {
        format!(
            "listen l{nth}\n bind {} accept-proxy\n bind {}.plain\n server s SERVER {words}\n",
            door(nth),
            door(nth)
        )
    };
    let lines: String = WORDS.iter().enumerate().map(listen).collect();
    alike(|program| {
        let stage = Stage::new(program, &lines);
        let mut seen = Vec::new();
        for (nth, words) in WORDS.iter().enumerate() {
            let mut say = |path: String, bytes: &[u8]| {
                let mut unix = UnixStream::connect(stage.folder.path().join(path)).expect("the listener");
                unix.write_all(&[bytes, b"DATA"].concat()).expect("sent");
                unix.shutdown(std::net::Shutdown::Write).expect("a FIN");
                unix.read_to_end(&mut Vec::new()).expect("an end");
                seen.push(format!("{words}: {}", stage.next().escape_ascii()));
            };
            clients().iter().for_each(|header| say(nth.to_string(), header));
            say(format!("{nth}.plain"), b"");
        }
        seen
    });
}

/// The unique id of the header is that of the log.
#[test]
fn a_session_is_announced_under_its_unique_id() {
    let long = "x".repeat(100);
    for format in ["%ci:%cp-%fi:%fp", "%{+X}o\\ %cp-%rt", &format!("{long}-%f-{long}")] {
        alike(|program| {
            let lines = format!(
                "listen l\n bind DOOR accept-proxy\n unique-id-format {format}\n log-format \"id %ID\"\n \
                 server s SERVER send-proxy-v2 proxy-v2-options unique-id,crc32c\n"
            );
            let stage = Stage::new(program, &lines);
            say(&mut client::connect(stage.door), &[V1, b"DATA"].concat());
            let heard = stage.next();
            let line = stage.log.wait_for("]: id ");
            let (_, id) = line.split_once("]: id ").expect("the id");
            let text = String::from_utf8_lossy(&heard).into_owned();
            assert!(text.contains(id), "{id} stands in {text:?}");
            vec![heard.escape_ascii().to_string(), id.to_owned()]
        });
    }
}

/// The ends of the connection itself: IPv4, IPv6, IPv4 on an IPv6 socket.
#[test]
fn a_plain_client_is_announced_as_it_is() {
    alike(|program| {
        let port = ports::free_on(std::net::Ipv4Addr::UNSPECIFIED).port();
        let lines = format!("listen l\n bind DOOR\n bind [::]:{port} v4v6\n server s SERVER send-proxy\n");
        let stage = Stage::new(program, &lines);
        let mut seen = Vec::new();
        for address in
            [stage.door, format!("[::1]:{port}").parse().expect("it"), format!("127.0.0.1:{port}").parse().expect("it")]
        {
            let mut stream = client::connect(address);
            let own = stream.local_addr().expect("its address").port().to_string();
            say(&mut stream, b"DATA");
            let heard = stage.next().escape_ascii().to_string();
            seen.push(
                heard.replace(&format!(" {own} "), " PORT ").replace(&format!(" {}\\r", address.port()), " DOOR\\r"),
            );
        }
        seen
    });
}

/// A client that says nothing is announced at once, and one that has left already, too.
#[test]
fn a_header_waits_for_nobody() {
    alike(|program| {
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let backend = Backend::start(move |mut stream| {
            let mut first = [0; 64];
            let count = stream.read(&mut first).unwrap_or(0);
            let _ = tell.lock().expect("the channel").send(first[..count].escape_ascii().to_string());
            let _ = stream.write_all(b"welcome");
        });
        let lines = format!("listen l\n bind DOOR accept-proxy\n server s {} send-proxy\n", backend.address);
        let stage = Stage::new(program, &lines);
        let mut stream = client::connect(stage.door);
        stream.write_all(V1).expect("sent");
        let mut seen = vec![told.recv_timeout(wait::PATIENCE).expect("the header")];
        seen.push(client::read_all(&mut stream).expect("a welcome").escape_ascii().to_string());
        seen.push(say(&mut client::connect(stage.door), V1));
        seen.push(told.recv_timeout(wait::PATIENCE).expect("the header"));
        seen
    });
}

/// A server that is tried in vain is told nothing; the next one is told once. Headers count in no byte.
#[test]
fn a_redispatched_session_announces_itself_once() {
    alike(|program| {
        let refused = ports::refused();
        let lines = format!(
            "listen l\n bind DOOR accept-proxy\n option tcplog\n option redispatch 1\n retries 2\n \
             server s1 {refused} send-proxy-v2\n server s2 SERVER send-proxy\n"
        );
        let stage = Stage::new(program, &lines);
        let end = say(&mut client::connect(stage.door), &[V1, b"DATA"].concat());
        let heard = stage.next().escape_ascii().to_string();
        vec![end, heard, stage.line(0), stage.stat("l", "s2", "bin").to_string()]
    });
}

/// A server that resets instead of listening to the header.
#[test]
fn a_server_that_resets() {
    alike(|program| {
        let rude = Backend::start(|mut stream| {
            let _ = stream.read(&mut [0; 4]);
            client::reset(stream);
        });
        let lines =
            format!("listen l\n bind DOOR accept-proxy\n option tcplog\n server s1 {} send-proxy\n", rude.address);
        let stage = Stage::new(program, &lines);
        let mut stream = client::connect(stage.door);
        stream.write_all(V1).expect("sent");
        let end = client::read_all(&mut stream).map_or_else(|_| "reset".to_owned(), |all| format!("fin {}", all.len()));
        drop(stream);
        vec![end, stage.line(0)]
    });
}

/// What is said of the header of a server's checks; `PORT` is the server's own.
const CHECKS: [&str; 14] = [
    "send-proxy",
    "send-proxy-v2",
    "check-send-proxy",
    "check-send-proxy send-proxy-v2",
    "send-proxy port PORT",
    "send-proxy addr HOST",
    "check-send-proxy send-proxy port PORT",
    "send-proxy-v2-ssl",
    "send-proxy-v2 proxy-v2-options crc32c",
    "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority",
    "check-send-proxy proxy-v2-options crc32c",
    "send-proxy no-check-send-proxy",
    "check-send-proxy no-check-send-proxy",
    "proxy-v2-options crc32c port PORT",
];

/// A server that tells the first bytes of each connection, as far as they are not its ports. A check resets its
/// connection: by the time it is accepted there may be no peer any more, but what it sent is there.
fn witness() -> (Backend, Receiver<String>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let backend = Backend::start(move |mut stream| {
        let mut first = [0; 128];
        let Ok(count @ 1..) = stream.read(&mut first) else { return };
        // In version 2 the ports would be bytes; LOCAL has none.
        let heard = first[..count].escape_ascii().to_string();
        let words = heard.split(' ').enumerate();
        let heard: Vec<&str> = words.map(|(nth, word)| if nth == 4 { "THEIRS" } else { word }).collect();
        let _ = tell.lock().expect("the channel").send(heard.join(" "));
    });
    (backend, told)
}

#[test]
fn checks_announce_themselves() {
    alike(|program: &Program| {
        let witnesses: Vec<_> = CHECKS.iter().map(|_| witness()).collect();
        let line = |(nth, (words, (backend, _))): (usize, (&&str, &(Backend, _)))| {
            let (ip, port) = (backend.address.ip().to_string(), backend.address.port().to_string());
            let words = words.replace("PORT", &port).replace("HOST", &ip);
            format!(" server s{nth} {ip}:{port} check inter 200 {words}\n")
        };
        let lines: String = CHECKS.iter().zip(&witnesses).enumerate().map(line).collect();
        let stage = Stage::new(program, &format!("listen l\n bind DOOR\n{lines}"));
        let mut seen = Vec::new();
        for (nth, (words, (backend, told))) in CHECKS.iter().zip(&witnesses).enumerate() {
            let name = format!("s{nth}");
            // Checked twice at least: where there is a header it has been told.
            wait::until_true("a check to pass", || passed(&stage, &name));
            let silent = ["send-proxy port", "send-proxy addr", "proxy-v2-options crc32c port"];
            let quiet = silent.iter().any(|start| words.starts_with(start))
                || words.ends_with("no-check-send-proxy") && !words.starts_with("send-proxy ");
            let heard = if quiet { told.try_recv().ok() } else { told.recv_timeout(wait::PATIENCE).ok() };
            let heard = heard.unwrap_or_else(|| "nothing".to_owned());
            seen.push(format!("{words}: {}", heard.replace(&backend.address.port().to_string(), "OURS")));
        }
        seen
    });
}

fn passed(stage: &Stage, name: &str) -> bool {
    let stats = crate::harness::stats::Stats::from_socket(&stage.folder.path().join("stats"));
    stats.text("l", name, "check_status") == "L4OK"
}
