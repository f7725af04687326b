//! NetScaler's headers, on both programs: which are taken, what they change, what is logged and counted.

use std::io::{Read, Write};
use std::net::Ipv6Addr;
use std::os::unix::net::UnixStream;

use crate::harness::client;
use crate::harness::program::Program;
use crate::stage::*;

const FORWARD: &str = "listen in\n bind DOOR accept-netscaler-cip 4660\n option tcplog\n server s SERVER send-proxy\n";
/// The number that headers begin with.
const MAGIC: u32 = 4660;

/// An IPv4 header by its first byte and its protocol, with 1.2.3.4 and 5.6.7.8, and options.
fn v4(first: u8, protocol: u8, options: &[u8]) -> Vec<u8> {
    let head = [first, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    [&head[..], options, &tcp()].concat()
}

fn v6(next: u8) -> Vec<u8> {
    let (source, destination) = (Ipv6Addr::LOCALHOST.octets(), [0x20; 16]);
    [&[0x60, 0, 0, 0, 0, 20, next, 64][..], &source, &destination, &tcp()].concat()
}

/// A TCP header with the ports 1111 and 2222.
fn tcp() -> [u8; 20] {
    [4, 87, 8, 174, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 100, 0, 0, 0, 0]
}

/// The form of today: magic number, length of all, type, length of the headers.
fn today(magic: u32, all: u32, kind: u16, length: u16, packet: &[u8]) -> Vec<u8> {
    [&magic.to_be_bytes()[..], &all.to_be_bytes(), &kind.to_be_bytes(), &length.to_be_bytes(), packet].concat()
}

/// The older form: magic number, length.
fn old(length: u32, packet: &[u8]) -> Vec<u8> {
    [&MAGIC.to_be_bytes()[..], &length.to_be_bytes(), packet].concat()
}

/// Everything that a peer may begin with; with whether the client's bytes follow.
fn headers() -> Vec<(Vec<u8>, bool)> {
    let (four, six) = (v4(0x45, 6, b""), v6(6));
    let (whole, whole_six) = (today(MAGIC, 52, 1, 40, &four), today(MAGIC, 72, 1, 60, &six));
    let mut all = vec![whole.clone(), whole_six.clone(), old(40, &four), old(60, &six)];
    for (length, packet) in [
        (44, v4(0x46, 6, &[1; 4])),
        (44, v4(0x45, 6, b"\x01\x01\x01\x01")), // ports where the options are
        (40, v4(0x44, 6, b"")),                 // ports within the addresses
        (40, v4(0x40, 6, b"")),
        (40, v4(0x55, 6, b"")),
        (40, v4(0x05, 6, b"")),
        (40, v4(0x45, 17, b"")),
        (60, v6(17)),
        (44, [&four[..], b"more"].concat()),
        (20, four.clone()),
        (0, four.clone()),
        (39, four.clone()),
        (44, four.clone()), // as long as the client's bytes, too
        (45, four.clone()), // longer than what has come by its words, and not in all
        (56, four.clone()),
        (57, four.clone()),
        (65_535, four.clone()),
        (20, six.clone()),
    ] {
        all.push(today(MAGIC, u32::from(length) + 12, 1, length, &packet));
        all.push(old(length.into(), &packet));
    }
    for kind in [0, 2, 0xff, 0x100, 0xfff, 0x1000, 0x4500, 0x5000, 0x6000] {
        all.push(today(MAGIC, 52, kind, 40, &four));
    }
    for length in [0, 40, 48, 60, 1000] {
        all.push(today(MAGIC, length, 1, 40, &four));
    }
    all.extend([today(0, 52, 1, 40, &four), today(MAGIC << 16, 52, 1, 40, &four), b"GET / HTTP/1.0\r\n\r\n".to_vec()]);
    all.extend([old(u32::MAX, &four), old(0xffff_fff0, &four)]);
    let mut all: Vec<_> = all.into_iter().map(|bytes| (bytes, true)).collect();
    for cut in [1, 3, 4, 8, 11, 12, 13, 31, 32, 39, 40, 51] {
        all.push((whole[..cut].to_vec(), false));
        all.push((old(40, &four)[..cut.min(47)].to_vec(), false));
    }
    all.extend([59, 60, 71].map(|cut| (whole_six[..cut].to_vec(), false)));
    all
}

#[test]
fn netscaler_headers_are_taken_or_refused_as_haproxy_does() {
    let all = |program: &Program| {
        let stage = Stage::new(program, FORWARD);
        let play = |(nth, (header, more)): (usize, (Vec<u8>, bool))| {
            let mut stream = client::connect(stage.door);
            let port = stream.local_addr().expect("its address").port().to_string();
            let bytes = if more { [&header[..], b"DATA"].concat() } else { header.clone() };
            let end = say(&mut stream, &bytes);
            let line = stage.line(nth);
            let heard = if line.contains(" in/s ") { stage.next().escape_ascii().to_string() } else { String::new() };
            format!("{}: {end}; {line}; {heard}", header.escape_ascii()).replace(&port, "PORT")
        };
        let mut seen: Vec<String> = headers().into_iter().enumerate().map(play).collect();
        for column in ["stot", "conn_tot", "bin", "scur", "ereq", "dses", "dcon"] {
            seen.push(format!("{column} {}", stage.stat("in", "FRONTEND", column)));
        }
        seen
    };
    // Where the client's FIN comes before its server is connected haproxy ends the session (`CC`): a race, so it is played again.
    alike(|program| {
        let again = (0..4).map(|_| all(program)).find(|seen| !seen.iter().any(|line| line.contains(" CC ")));
        again.unwrap_or_else(|| all(program))
    });
}

/// Silence, an end, time; numbers and words for them; what expressions know; with a PROXY header behind it.
#[test]
fn what_is_told_of_netscaler_headers() {
    let whole = || today(MAGIC, 52, 1, 40, &v4(0x45, 6, b""));
    let front = |options: &str| {
        format!(
            "frontend in\n bind DOOR {options}\n timeout client 600ms\n default_backend b\n\
             error-log-format \"%ci %[fc_err] %[fc_err_str] %[src] %[dst]\"\n\
             log-format \"%ci:%cp %[src]:%[src_port] %[dst]:%[dst_port] %[fc_rcvd_proxy] %[var(sess.early)]\"\n\
             tcp-request connection set-var(sess.early) src\n RULES\nbackend b\n server s SERVER\n"
        )
    };
    let proxy = b"PROXY TCP4 9.9.9.1 9.9.9.2 5 6\r\n";
    alike(|program| {
        let mut seen = Vec::new();
        let mut play = |options: &str, rules: &str, bytes: Option<&[u8]>| {
            let stage = Stage::new(program, &front(options).replace("RULES", rules));
            let mut stream = client::connect(stage.door);
            match bytes {
                Some(bytes) => drop(say(&mut stream, bytes)),
                None => drop(client::read_all(&mut stream)),
            }
            let port = stream.local_addr().map_or(0, |local| local.port()).to_string();
            seen.push(stage.line(0).replace(&port, "PORT").replace(&stage.door.port().to_string(), "DOOR"));
        };
        let accept = "accept-netscaler-cip 4660";
        let both = "accept-proxy accept-netscaler-cip 4660";
        play(accept, "", Some(&[&whole()[..], b"DATA"].concat()));
        play(accept, "", Some(b""));
        play(accept, "", Some(b"short"));
        play(accept, "", Some(b"GET / HTTP/1.0"));
        play(accept, "", Some(&today(MAGIC, 52, 1, 40, &v4(0x45, 17, b""))));
        play(accept, "", Some(&whole()[..51]));
        play(accept, "", None);
        play(accept, "tcp-request session reject if { src 1.2.3.4 }", Some(&[&whole()[..], b"DATA"].concat()));
        play(both, "", Some(&[&whole()[..], proxy, b"DATA"].concat()));
        play(both, "", Some(&[proxy, &whole()[..], b"DATA"].concat()));
        play(both, "", Some(&[&whole()[..], b"PROXY UNKNOWN\r\nDATA"].concat()));
        // a rule's header begins with the number of the line, which is 0 where none is said
        let rule = "tcp-request connection expect-netscaler-cip layer4";
        play("", rule, Some(&[&whole()[..], b"DATA"].concat()));
        play("", rule, Some(&[&today(0, 52, 1, 40, &v4(0x45, 6, b""))[..], b"DATA"].concat()));
        play(accept, rule, Some(&[&whole()[..], b"DATA"].concat()));
        play("", &format!("{rule} if {{ src 9.9.9.9 }}"), Some(b"DATA"));
        seen
    });
}

/// Who says nothing is no line with `dontlognull`, and who says too little is one.
#[test]
fn silent_probes_of_a_netscaler_listener() {
    alike(|program| {
        let stage = Stage::new(program, &FORWARD.replace(" option tcplog", " option tcplog\n option dontlognull"));
        say(&mut client::connect(stage.door), b"");
        let mut stream = client::connect(stage.door);
        stream.write_all(b"xx").expect("sent");
        let port = stream.local_addr().expect("its address").port().to_string();
        vec![stage.line(0).replace(&port, "PORT")]
    });
}

/// A stats socket may want such a header, too.
#[test]
fn commands_behind_a_netscaler_header() {
    alike(|program| {
        let sections = "global\n stats socket DIR/behind accept-netscaler-cip 4660\nlisten in\n bind DOOR\n";
        let stage = Stage::new(program, sections);
        let path = stage.folder.path().join("behind");
        let ask = |bytes: &[u8]| {
            let mut unix = UnixStream::connect(&path).expect("the stats socket");
            let _ = unix.write_all(bytes);
            let mut answer = String::new();
            let _ = unix.read_to_string(&mut answer);
            answer.lines().next().unwrap_or("nothing").to_owned()
        };
        let header = today(MAGIC, 52, 1, 40, &v4(0x45, 6, b""));
        vec![ask(&[&header[..], b"show info\n"].concat()), ask(&b"show info\n".repeat(8))]
    });
}
