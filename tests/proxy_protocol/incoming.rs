//! Headers that come in: taken or not, what they change, what is logged and counted.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::harness::program::Program;
use crate::harness::{client, wait};
use crate::stage::*;

const FORWARD: &str = "listen in\n bind DOOR accept-proxy\n option tcplog\n server s SERVER send-proxy\n";

/// Everything that a peer may begin with.
fn headers() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for words in [
        "TCP4 1.2.3.4 5.6.7.8 1111 2222",
        "TCP6 2001:db8::1 2001:db8::2 1111 2222",
        "TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2",
        "TCP6 ::1.2.3.4 64:ff9b::1.2.3.4 1 2",
        "TCP6 1:0:0:2:3:4:5:6 0:0:1:0:0:1:0:0 65535 0",
        "TCP6 1:2:3:4:5:6:7:: ::FFFF:0:1 1 2",
        "TCP4 1.2.3.4 5.6.7.8 65536 4294967376",
        "TCP4 1.2.3.4 5.6.7.8 -1 2",
        "TCP4 1.2.3.4 5.6.7.8 0x10 2",
        "TCP4 1.2.3.4 5.6.7.8 1 2a",
        "TCP4 1.2.3.4 5.6.7.8  2",
        "TCP4 1.2.3.4 5.6.7.8 1 2 ",
        "TCP4 1.2.3.4 5.6.7.8 1 2 3",
        "TCP4 1.2.3.256 1000.1.1.1 1 2",
        "TCP4 1.2 1..3 1 2",
        "TCP4 1.2.3.4.5 5.6.7.8 1 2",
        "TCP4 1.2.3.4 5.6.7.8",
        "TCP4 ::1 ::2 1 2",
        "TCP6 1.2.3.4 5.6.7.8 1 2",
        "TCP6 ::1 ::2 1 2 3",
        "TCP6 ::1%lo ::2 1 2",
        "TCP4 1.2.3.4\x005.6.7.8 1 2",
        "TCP6 ::1\x00 ::2 1 2\x00",
        "TCP4 1.2.3.4 5.6.7.8 1 2\n",
        "TCP4\t1.2.3.4 5.6.7.8 1 2",
        " TCP4 1.2.3.4 5.6.7.8 1 2",
        "UNKNOWN ::1 ::2 1 2",
        "UDP4 1.2.3.4 5.6.7.8 1 2",
        "tcp4 1.2.3.4 5.6.7.8 1 2",
    ] {
        all.push(format!("PROXY {words}\r\n").into_bytes());
    }
    for text in ["GET / HTTP/1.0\r\n\r\n", "PROXY\r\n", "PING", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "\r\n\r\n"] {
        all.push(text.into());
    }
    for cut in [1, 5, 6, 8, 9, 11, 20, V1.len() - 2, V1.len() - 1] {
        all.push(V1[..cut].to_vec()); // what follows in the same write breaks it
    }
    all.push([V1, V1].concat());
    let zeros = "0".repeat(9000);
    all.push(format!("PROXY TCP4 1.2.3.4 5.6.7.8 {zeros}1 2\r\n").into_bytes());
    let six = [[0; 16], [1; 16]].concat();
    let six = [&six[..], &[1, 2, 3, 4]].concat();
    for (command, family, body) in [
        (0x21, 0x11, &ADDRESSES[..]),
        (0x21, 0x21, &six),
        (0x21, 0x11, &ADDRESSES[1..]),
        (0x21, 0x21, &six[1..]),
        (0x21, 0x12, &ADDRESSES),
        (0x21, 0x22, &six),
        (0x21, 0x31, &[b'/'; 216]),
        (0x21, 0x00, b""),
        (0x21, 0x13, &ADDRESSES),
        (0x21, 0x41, &ADDRESSES),
        (0x22, 0x11, &ADDRESSES),
        (0x11, 0x11, &ADDRESSES),
        (0x31, 0x11, &ADDRESSES),
    ] {
        all.push(v2(command, family, body));
    }
    let with = |tail: &[u8]| v2(0x21, 0x11, &[&ADDRESSES, tail].concat());
    for tail in [
        &b"\x04"[..],
        b"\x04\0",
        b"\x04\0\0",
        b"\x04\0\x05ab",
        b"\x03\0\x03abc",
        b"\x03\0\x04abcd",
        b"\x03\0\x04\x6a\x15\x9a\x95", // a right checksum, of nothing else
    ] {
        all.push(with(tail));
    }
    for (kind, length) in [(1, 2), (2, 255), (2, 256), (4, 2000), (5, 0), (5, 128), (5, 129), (0x20, 5), (0xee, 9)] {
        all.push(with(&tlv(kind, &vec![b'v'; length])));
    }
    let whole = with(b"");
    all.extend([12, 15, 20, 27].map(|cut| whole[..cut].to_vec()));
    let mut summed = with(&[3, 0, 4, 0, 0, 0, 0]);
    let sum = crc32c(&summed);
    summed[31..].copy_from_slice(&sum.to_be_bytes());
    all.push(summed.clone());
    summed[31] ^= 1;
    all.push(summed);
    for length in [16_352, 16_353, 40_000] {
        let padding = vec![0; length - ADDRESSES.len() - 3 + 16];
        all.push(with(&tlv(4, &padding)));
    }
    let name = |bytes: &Vec<u8>| {
        let shown = bytes.escape_ascii().to_string();
        let short: String = shown.chars().take(80).collect();
        format!("{short} ({} bytes)", bytes.len())
    };
    all.into_iter().map(|bytes| (name(&bytes), bytes)).collect()
}

/// Castagnoli's checksum, by its definition.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

/// Each header with the client's first bytes behind it, in one write.
#[test]
fn every_header_is_taken_or_refused_as_haproxy_does() {
    alike(|program| {
        let stage = Stage::new(program, FORWARD);
        let play = |(nth, (name, header)): (usize, (String, Vec<u8>))| {
            let mut stream = client::connect(stage.door);
            let port = stream.local_addr().expect("its address").port().to_string();
            let end = say(&mut stream, &[&header[..], b"DATA"].concat());
            let line = stage.line(nth);
            let heard = if end == "reset" { String::new() } else { stage.next().escape_ascii().to_string() };
            format!("{name}: {end}; {line}; {heard}").replace(&port, "PORT")
        };
        let mut seen: Vec<String> = headers().into_iter().enumerate().map(play).collect();
        seen.push(format!("taken {}", stage.stat("in", "FRONTEND", "stot")));
        seen.push(format!("all {}", stage.stat("in", "FRONTEND", "conn_tot")));
        seen.push(format!("bytes {}", stage.stat("in", "FRONTEND", "bin")));
        seen.push(format!("left {}", stage.stat("in", "FRONTEND", "scur")));
        seen
    });
}

/// LOCAL and UNKNOWN: the connection's own ends.
#[test]
fn a_header_may_name_nobody() {
    alike(|program| {
        let stage = Stage::new(program, FORWARD);
        let local =
            [v2(0x20, 0, b""), v2(0x20, 0x11, &ADDRESSES), v2(0x20, 0xff, b"abc"), v2(0x20, 0, b"\x03\0\x04abcd")];
        let headers = local.into_iter().chain([b"PROXY UNKNOWN\r\n".to_vec()]).enumerate();
        headers
            .map(|(nth, header)| {
                let mut stream = client::connect(stage.door);
                let port = stream.local_addr().expect("its address").port().to_string();
                let end = say(&mut stream, &[&header[..], b"DATA"].concat());
                let heard = stage.next().escape_ascii().to_string();
                let seen = format!("{end}; {}; {heard}", stage.line(nth));
                seen.replace(&port, "PORT").replace(&stage.door.port().to_string(), "DOOR")
            })
            .collect()
    });
}

/// A header in two writes is refused when the first is looked at; one alone is taken, and bytes may come later.
#[test]
fn a_header_comes_at_once() {
    alike(|program| {
        let stage = Stage::new(program, FORWARD);
        let mut seen = Vec::new();
        for cut in [1, 20, V1.len() - 1] {
            let mut stream = client::connect(stage.door);
            let port = stream.local_addr().expect("its address").port().to_string();
            stream.write_all(&V1[..cut]).expect("sent");
            seen.push(stage.line(seen.len()).replace(&port, "PORT"));
            // how far its own bytes and FIN come before it notices is chance
            assert!(["reset", "fin after \"\""].contains(&&*say(&mut stream, &V1[cut..])), "nothing comes back");
        }
        let mut stream = client::connect(stage.door);
        stream.write_all(V1).expect("sent");
        wait::until_true("the session", || stage.stat("in", "BACKEND", "scur") == 1);
        seen.push(say(&mut stream, b"later"));
        seen.push(stage.next().escape_ascii().to_string());
        seen
    });
}

/// Who says nothing is given up after `timeout client`; who leaves or resets says nothing either.
#[test]
fn nobody_waits_for_ever() {
    for option in ["", " option dontlognull\n", " option log-separate-errors\n"] {
        alike(|program| {
            let lines = format!(
                "listen in\n bind DOOR accept-proxy name gate\n timeout client 300\n option tcplog\n{option} server s SERVER\n"
            );
            let stage = Stage::new(program, &lines);
            let mut seen = Vec::new();
            let mut note = |stage: &Stage, mut stream: TcpStream, act: &dyn Fn(&mut TcpStream) -> String| {
                let port = stream.local_addr().expect("its address").port().to_string();
                seen.push(act(&mut stream));
                drop(stream);
                port_free(stage, &port)
            };
            let silent = note(&stage, client::connect(stage.door), &|stream| {
                client::read_all(stream).map_or_else(|_| "reset".to_owned(), |all| format!("fin after {}", all.len()))
            });
            let closed = note(&stage, client::connect(stage.door), &|stream| say(stream, b""));
            let bad = note(&stage, client::connect(stage.door), &|stream| say(stream, b"0123456789abcdef"));
            let good = note(&stage, client::connect(stage.door), &|stream| say(stream, &[V1, b"x"].concat()));
            wait::until_true("the last line", || stage.log.lines().iter().any(|line| line.contains(" in/s ")));
            let ports = [silent, closed, bad, good];
            let lines = stage.log.lines();
            seen.extend(
                lines.iter().map(|line| {
                    ports.iter().fold(plain(line), |line, port| line.replace(&format!(":{port} "), ":PORT "))
                }),
            );
            seen
        });
    }
}

fn port_free(stage: &Stage, port: &str) -> String {
    wait::until_true("the connection to be over", || stage.stat("in", "FRONTEND", "scur") == 0);
    port.to_owned()
}

/// A reset before the header: the default log has nothing to say of any of this, a format of its own has.
#[test]
fn failures_in_other_formats() {
    for option in ["", " error-log-format \"E %ci %fi %f %ts %B %ac %fc %s\"\n", " log-format \"F %ci\"\n"] {
        alike(|program| {
            let lines = format!("listen in\n bind DOOR accept-proxy\n{option} server s SERVER\n");
            let stage = Stage::new(program, &lines);
            let mut stream = client::connect(stage.door);
            let bad = stream.local_addr().expect("its address").port().to_string();
            let mut seen = vec![say(&mut stream, b"0123456789abcdef")];
            let header = v2(0x21, 0x11, &[&ADDRESSES[..], b"x"].concat());
            seen.push(say(&mut client::connect(stage.door), &header));
            seen.push(say(&mut client::connect(stage.door), &[V1, b"x"].concat()));
            let last = if option.contains("log-format \"F") {
                "F 1.2.3.4"
            } else {
                "Connect from 1.2.3.4:1111 to 5.6.7.8:2222"
            };
            stage.log.wait_for(last);
            seen.extend(stage.log.lines().iter().map(|line| plain(line).replace(&bad, "PORT")));
            seen
        });
    }
}

/// A reset of a connection that waits for its header.
#[test]
fn a_reset_before_the_header() {
    alike(|program| {
        let stage = Stage::new(program, FORWARD);
        let stream = client::connect(stage.door);
        let port = stream.local_addr().expect("its address").port().to_string();
        wait::until_true("the connection", || stage.stat("in", "FRONTEND", "conn_tot") == 1);
        client::reset(stream);
        vec![stage.line(0).replace(&port, "PORT")]
    });
}

/// The announced ends are the client's and its destination's everywhere: balancing, mapped ports, unix listeners.
#[test]
fn the_announced_ends_count() {
    alike(|program| {
        let lines = "listen in\n bind DOOR accept-proxy\n bind DIR/in accept-proxy\n option tcplog\n balance source\n \
                     server a SERVER\n server b SERVER\n server c SERVER\n server d SERVER\n";
        let stage = Stage::new(program, lines);
        let mut seen = Vec::new();
        for last in 1..9 {
            let header = format!("PROXY TCP4 10.1.{last}.{} 5.6.7.8 1 2\r\nx", last * 29);
            let end = say(&mut client::connect(stage.door), header.as_bytes());
            seen.push(format!("{end}; {}", stage.line(seen.len())));
        }
        let mut unix = UnixStream::connect(stage.folder.path().join("in")).expect("the unix listener");
        unix.write_all(&[V1, b"x"].concat()).expect("sent");
        drop(unix);
        seen.push(stage.line(seen.len()));
        let mut unix = UnixStream::connect(stage.folder.path().join("in")).expect("the unix listener");
        unix.write_all(b"0123456789abcdef").expect("sent");
        seen.push(stage.line(seen.len()));
        seen
    });
}

/// A server without address or port of its own is where the header says that the client wanted to go.
#[test]
fn the_announced_destination_is_connected_to() {
    for server in ["ADDRESS", "0.0.0.0:PORT", "0.0.0.0"] {
        alike(|program: &Program| {
            let (backend, told) = recorder();
            let (address, port) = (backend.address.ip().to_string(), backend.address.port().to_string());
            let server = server.replace("ADDRESS", &address).replace("PORT", &port);
            let lines = format!("listen in\n bind DOOR accept-proxy\n option tcplog\n retries 0\n server s {server}\n");
            let stage = Stage::new(program, &lines);
            let header = format!("PROXY TCP4 1.2.3.4 {address} 1111 {port}\r\nhello");
            let end = say(&mut client::connect(stage.door), header.as_bytes());
            let heard = told.recv_timeout(wait::PATIENCE).expect("the server is told");
            vec![end, heard.escape_ascii().to_string(), stage.line(0)]
        });
    }
}

/// A stats socket may want a header, too.
#[test]
fn commands_behind_a_header() {
    alike(|program| {
        let stage = Stage::new(program, "global\n stats socket DIR/behind accept-proxy\nlisten in\n bind DOOR\n");
        let path = stage.folder.path().join("behind");
        let ask = |bytes: &[u8]| {
            let mut unix = UnixStream::connect(&path).expect("the stats socket");
            let _ = unix.write_all(bytes);
            let mut answer = String::new();
            let _ = std::io::Read::read_to_string(&mut unix, &mut answer);
            answer.lines().next().unwrap_or("nothing").to_owned()
        };
        vec![ask(b"PROXY UNKNOWN\r\nshow info\n"), ask(b"show info; show info\n")]
    });
}
