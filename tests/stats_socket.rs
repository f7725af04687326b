//! The runtime commands over a real socket, served by a real engine: framing, prompts, limits, descriptors.
//!
//! What haproxy 2.6.12 sends for the same bytes was observed; the expected texts are its, but for versions.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use baton::sys::getsocks;

mod rig;

use rig::Rig;

#[test]
fn framing() {
    let rig = Rig::start(Vec::new());
    for (bytes, want) in [
        ("show version\n", "3.4.0-test\n\n"),
        ("show version\r\n", "3.4.0-test\n\n"),
        ("show version;show version\n", "3.4.0-test\n\n3.4.0-test\n\n"),
        ("show version <<\nx\n\n", "3.4.0-test\n\n"), // a payload
        ("show version <<END\n\nx\nEND\nshow version\n", "3.4.0-test\n\n3.4.0-test\n\n"),
        ("prompt\nshow version <<\nx\n\nquit\n", "\n> + + 3.4.0-test\n\n> "),
        ("prompt i\nshow version\nprompt n\n", "\n3.4.0-test\n\n\n"),
        ("show cli level;operator\n", "user\n\nPermission denied\n\n"),
        ("show version\nshow version\n", "3.4.0-test\n\n3.4.0-test\n\n"),
        ("quit;show version\n", ""),
        ("prompt;show version\nquit\n", "\n> 3.4.0-test\n\n> "),
        ("prompt\nshow version\nprompt\n", "\n> 3.4.0-test\n\n> \n"),
        ("show version", ""), // half a line is no command, and after the idle time no connection
        ("_getsocks\n", ""),  // not exposed
    ] {
        assert_eq!(rig.said(bytes.as_bytes()), want, "{bytes:?}");
    }
}

/// What the Datadog agent sends, and how it takes the reply apart.
#[test]
fn two_reports_are_split_by_an_empty_line() {
    let rig = Rig::start(Vec::new());
    let reply = rig.said(b"show info;show stat\r\n");
    let parts: Vec<&str> = reply.split("\n\n").collect();
    assert!(parts[0].starts_with("Name: HAProxy\n") && parts[1].starts_with("# pxname,"), "{reply}");
    assert_eq!(parts.len(), 3);
}

#[test]
fn an_idle_session_ends() {
    let rig = Rig::start(Vec::new());
    let begun = Instant::now();
    assert_eq!(rig.said(b"prompt\n"), "\n> ");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // A session may ask for more time.
    let mut stream = rig.console("user");
    stream.write_all(b"prompt;set timeout cli 60\n").unwrap();
    let mut greeting = [0; 8];
    stream.read_exact(&mut greeting[..6]).unwrap();
    assert_eq!(&greeting[..6], b"\n> \n> ");
    stream.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
    assert_eq!(stream.read(&mut greeting).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_line_without_end_ends_the_session() {
    let rig = Rig::start(Vec::new());
    let mut stream = rig.console("user");
    // The other side may close while this is on its way.
    let _ = stream.write_all(&[b'x'; 20_000]);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    assert!(reply.is_empty());
    assert_eq!(rig.said(b"show version\n"), "3.4.0-test\n\n");
}

#[test]
fn a_client_that_leaves_hurts_nobody() {
    let rig = Rig::start(Vec::new());
    for _ in 0..50 {
        let mut stream = rig.console("user");
        let _ = stream.write_all(b"show stat\nshow info\nprompt\n");
        let _ = stream.shutdown(Shutdown::Both);
    }
    assert_eq!(rig.said(b"show version\n"), "3.4.0-test\n\n");
}

#[test]
fn listening_sockets_are_handed_out() {
    let rig = Rig::start(Vec::new());
    let sockets = getsocks::fetch(&rig.path("admin")).unwrap();
    assert_eq!(sockets.len(), 2);
    assert!(getsocks::fetch(&rig.path("user")).unwrap().is_empty());
    // They are the same sockets: who connects is accepted through the copy.
    let paths: Vec<PathBuf> = sockets
        .into_iter()
        .map(|socket| UnixListener::from(socket).local_addr().unwrap().as_pathname().unwrap().to_owned())
        .collect();
    assert_eq!(paths, [rig.path("admin"), rig.path("user")]);
}
