//! Lines as haproxy 2.6.12 writes them, captured from a datagram socket.

use std::net::UdpSocket;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::expr::Nothing;
use crate::ir::{LogFormat, LogProtocol, Mode, ProxyKind, ServerIx};
use crate::pool::{Peer, Phase, Termination, Timers};
use crate::report::testing;

/// A journal whose two proxies log to the socket: `a` (tcp) with server `s1`, `stats` (http).
fn journal(change: impl FnOnce(&mut Config)) -> (Log, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let to = || testing::log_target(LogProtocol::Udp(socket.local_addr().unwrap()), LogFormat::Short);
    let mut a = testing::proxy("a", 2, ProxyKind::Listen);
    a.session_log = SessionLog::Tcp;
    a.log_moment = LogMoment::Ended;
    a.logs = vec![to()];
    a.backend.as_mut().unwrap().servers.push(testing::server("s1", 1));
    let mut stats = testing::proxy("stats", 3, ProxyKind::Listen);
    stats.mode = Mode::Http;
    stats.session_log = SessionLog::Http;
    stats.log_moment = LogMoment::Ended;
    stats.logs = vec![to()];
    let mut config = testing::config(vec![a, stats]);
    config.global.logs = vec![to()];
    change(&mut config);
    let env = Surroundings {
        tag: "haproxy".into(),
        hostname: "h".into(),
        echo: false,
        local_offset: |_| 0,
        state: Default::default(),
    };
    let log = Log::open(Arc::new(config), env, &|_| Err(io::Error::from(io::ErrorKind::NotFound))).unwrap();
    (log, socket)
}

fn record() -> SessionRecord {
    SessionRecord {
        number: 35,
        client: Peer::Inet("127.0.0.1:41552".parse().unwrap()),
        local: Some("127.0.0.1:21080".parse().unwrap()),
        source: None,
        destination: None,
        ended: true,
        accepted: UNIX_EPOCH + Duration::from_millis(1_795_376_784_013),
        frontend: ProxyIx(0),
        backend: ProxyIx(0),
        server: Some(ServerIx(0)),
        timers: Timers { queue: Some(1), connect: Some(0), total: 5000, handshake: 0 },
        bytes_out: 6,
        bytes_in: 2,
        termination: Termination::default(),
        process_sessions: 3,
        frontend_sessions: 1,
        backend_sessions: 0,
        server_sessions: 0,
        retries: 0,
        redispatched: false,
        server_queue: 0,
        backend_queue: 0,
        level: None,
    }
}

/// What arrives; a marker event is sent behind it, so that "nothing" needs no waiting.
fn sent(log: &Log, socket: &UdpSocket) -> String {
    log.event(None, Level::Debug, "marker");
    let mut lines = String::new();
    loop {
        let mut buffer = [0; 2048];
        let count = socket.recv(&mut buffer).unwrap();
        let line = std::str::from_utf8(&buffer[..count]).unwrap();
        if line == "<7>marker\n" {
            return lines;
        }
        lines.push_str(line);
    }
}

fn ended(cause: Cause, phase: Phase) -> SessionRecord {
    SessionRecord { termination: Termination { cause, phase }, ..record() }
}

#[test]
fn tcp_lines() {
    let (log, socket) = journal(|_| {});
    let refused = SessionRecord {
        timers: Timers { queue: Some(1), connect: None, total: 1001, handshake: 0 },
        bytes_out: 0,
        retries: 1,
        redispatched: true,
        server_queue: 2,
        backend_queue: 4,
        level: None,
        ..ended(Cause::Server, Phase::Connect)
    };
    let unserved = SessionRecord {
        server: None,
        timers: Timers { queue: None, connect: None, total: 0, handshake: 0 },
        ..ended(Cause::Server, Phase::Connect)
    };
    let client = |text: &str| SessionRecord { client: Peer::Inet(text.parse().unwrap()), ..record() };
    for (record, want) in [
        (record(), "<6>127.0.0.1:41552 [22/Nov/2026:19:46:24.013] a a/s1 1/0/5000 6 -- 3/1/0/0/0 0/0\n"),
        (refused, "<6>127.0.0.1:41552 [22/Nov/2026:19:46:24.013] a a/s1 1/-1/1001 0 SC 3/1/0/0/+1 2/4\n"),
        (unserved, "<6>127.0.0.1:41552 [22/Nov/2026:19:46:24.013] a a/<NOSRV> -1/-1/0 6 SC 3/1/0/0/0 0/0\n"),
        (
            ended(Cause::ServerTimeout, Phase::Data),
            "<6>127.0.0.1:41552 [22/Nov/2026:19:46:24.013] a a/s1 1/0/5000 6 sD 3/1/0/0/0 0/0\n",
        ),
        (
            SessionRecord { client: Peer::Unix(2), ..record() },
            "<6>unix:2 [22/Nov/2026:19:46:24.013] a a/s1 1/0/5000 6 -- 3/1/0/0/0 0/0\n",
        ),
        (client("[::1]:34506"), "<6>::1:34506 [22/Nov/2026:19:46:24.013] a a/s1 1/0/5000 6 -- 3/1/0/0/0 0/0\n"),
        (
            client("[::ffff:127.0.0.1]:5"),
            "<6>::ffff:127.0.0.1:5 [22/Nov/2026:19:46:24.013] a a/s1 1/0/5000 6 -- 3/1/0/0/0 0/0\n",
        ),
    ] {
        log.session(&record, &Nothing);
        assert_eq!(sent(&log, &socket), want);
    }
}

#[test]
fn the_line_of_logasap_has_pluses() {
    let (log, socket) = journal(|config| config.proxies[0].log_asap = true);
    log.session(&record(), &Nothing);
    assert_eq!(
        sent(&log, &socket),
        "<6>127.0.0.1:41552 [22/Nov/2026:19:46:24.013] a a/s1 1/0/+5000 +6 -- 3/1/0/0/0 0/0\n"
    );
}

#[test]
fn the_default_line_comes_at_accept_and_only_then() {
    let (log, socket) = journal(|config| {
        for proxy in &mut config.proxies {
            (proxy.session_log, proxy.log_moment) = (SessionLog::Default, LogMoment::Accepted);
        }
    });
    log.accepted(&record());
    log.session(&record(), &Nothing);
    assert_eq!(sent(&log, &socket), "<6>Connect from 127.0.0.1:41552 to 127.0.0.1:21080 (a/TCP)\n");
    log.accepted(&SessionRecord { client: Peer::Unix(2), local: None, frontend: ProxyIx(1), ..record() });
    assert_eq!(sent(&log, &socket), "<6>Connect to unix:2 (stats/HTTP)\n");
    let (log, socket) = journal(|_| {});
    log.accepted(&record());
    assert_eq!(sent(&log, &socket), "");
}

fn request(status: u16, text: &str, cause: Cause, phase: Phase) -> HttpRecord {
    let session = SessionRecord {
        frontend: ProxyIx(1),
        backend: ProxyIx(1),
        server: None,
        timers: Timers { queue: Some(0), connect: Some(0), total: 7, handshake: 0 },
        bytes_out: 27_288,
        process_sessions: 1,
        ..ended(cause, phase)
    };
    HttpRecord { session, status, request: text.into(), request_time: Some(0) }
}

#[test]
fn http_lines() {
    let (log, socket) = journal(|_| {});
    let head = "<6>127.0.0.1:41552 [22/Nov/2026:19:46:24.013] stats stats/";
    let mut bad = request(400, "<BADREQ>", Cause::Proxy, Phase::Request);
    bad.request_time = None;
    bad.session.timers = Timers { queue: None, connect: None, total: 3, handshake: 0 };
    for (record, want) in [
        (
            request(200, "GET /st HTTP/1.1", Cause::Local, Phase::Request),
            "<STATS> 0/0/0/0/7 200 27288 - - LR-- 1/1/0/0/0 0/0 \"GET /st HTTP/1.1\"\n",
        ),
        (
            request(200, "GET /\"#\n\u{e9} HTTP/1.1", Cause::Local, Phase::Request),
            "<STATS> 0/0/0/0/7 200 27288 - - LR-- 1/1/0/0/0 0/0 \"GET /#22#23#0A#C3#A9 HTTP/1.1\"\n",
        ),
        (bad, "<NOSRV> -1/-1/-1/-1/3 400 27288 - - PR-- 1/1/0/0/0 0/0 \"<BADREQ>\"\n"),
    ] {
        log.request(&record, &Nothing);
        assert_eq!(sent(&log, &socket), format!("{head}{want}"));
    }
}

/// Which sessions get a line, and at which level.
#[test]
fn filters() {
    let quiet = SessionRecord { bytes_in: 0, ..record() };
    let cut = ended(Cause::Client, Phase::Data);
    let retried = SessionRecord { retries: 1, ..record() };
    type Change = fn(&mut Proxy);
    for (change, record, want) in [
        ((|p| p.dont_log_null = true) as Change, &quiet, ""),
        (|p| p.dont_log_null = true, &record(), "<6>"),
        (|p| p.dont_log_normal = true, &record(), ""),
        (|p| p.dont_log_normal = true, &cut, "<6>"),
        (|p| p.dont_log_normal = true, &retried, "<6>"),
        (|p| p.log_separate_errors = true, &record(), "<6>"),
        (|p| p.log_separate_errors = true, &cut, "<3>"),
        (|p| p.log_separate_errors = true, &retried, "<3>"),
        (|p| p.logs.clear(), &record(), ""),
    ] {
        let (log, socket) = journal(|config| change(&mut config.proxies[0]));
        log.session(record, &Nothing);
        assert_eq!(sent(&log, &socket).get(..3).unwrap_or(""), want);
    }
    // A page that answers 5xx is no normal session.
    let (log, socket) = journal(|config| config.proxies[1].dont_log_normal = true);
    log.request(&request(200, "GET / HTTP/1.1", Cause::Local, Phase::Request), &Nothing);
    assert_eq!(sent(&log, &socket), "");
    log.request(&request(503, "GET / HTTP/1.1", Cause::Server, Phase::Connect), &Nothing);
    assert_ne!(sent(&log, &socket), "");
}

#[test]
fn tags_and_hosts() {
    let (log, socket) = journal(|config| {
        config.proxies[0].logs[0].format = LogFormat::Rfc5424;
        config.proxies[1].logs[0].format = LogFormat::Unset;
        config.proxies[0].log_tag = Some("mine".into());
        config.global.log_tag = Some("ours".into());
        config.global.log_send_hostname = Some(None);
    });
    log.event(Some(ProxyIx(0)), Level::Notice, "x");
    let line = sent(&log, &socket);
    assert!(line.contains(" h mine ") && line.ends_with(" - - x\n"), "{line}");
    log.event(Some(ProxyIx(1)), Level::Notice, "x");
    let line = sent(&log, &socket);
    assert!(line.contains(" h ours[") && line.ends_with("]: x\n"), "{line}");
}

#[test]
fn a_length_limit_on_a_datagram_leaves_the_line_feed_out() {
    let (log, socket) = journal(|config| config.proxies[0].logs[0].max_len = 8);
    log.event(Some(ProxyIx(0)), Level::Notice, "0123456789");
    assert_eq!(sent(&log, &socket), "<5>01234\n");
}

#[test]
fn unix_sockets_may_come_late_and_losses_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, _socket) = journal(|config| config.proxies[0].logs[0].to = LogProtocol::Unix(path.clone()));
    log.session(&record(), &Nothing);
    assert_eq!(log.lost(), 1);
    let server = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    log.session(&record(), &Nothing);
    let mut buffer = [0; 256];
    let count = server.recv(&mut buffer).unwrap();
    assert!(buffer[..count].starts_with(b"<6>127.0.0.1:41552 ["));
    assert_eq!(log.lost(), 1);
    // Filled to the brim, it loses lines and does not wait.
    for _ in 0..10_000 {
        log.session(&record(), &Nothing);
        if log.lost() > 1 {
            return;
        }
    }
    panic!("10000 lines and none lost");
}

/// What a chroot does to a path: it is gone, and the socket connected before serves on.
#[test]
fn a_unix_socket_that_was_there_at_the_start_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let server = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let (log, _socket) = journal(|config| config.proxies[0].logs[0].to = LogProtocol::Unix(path.clone()));
    std::fs::remove_file(&path).unwrap();
    log.event(Some(ProxyIx(0)), Level::Notice, "still");
    let mut buffer = [0; 64];
    assert_eq!(server.recv(&mut buffer).map(|n| buffer[..n].to_vec()).unwrap(), b"<5>still\n");
    assert_eq!(log.lost(), 0);
}

#[test]
fn abstract_sockets() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("baton-log-test-{}", std::process::id()).into_bytes();
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let server = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
    let (log, _socket) = journal(|config| config.proxies[0].logs[0].to = LogProtocol::Abstract(name));
    log.event(Some(ProxyIx(0)), Level::Notice, "hello");
    let mut buffer = [0; 64];
    assert_eq!(server.recv(&mut buffer).map(|n| buffer[..n].to_vec()).unwrap(), b"<5>hello\n");
}

/// A descriptor that somebody else reads slowly: lines are lost, nobody waits.
#[test]
fn a_full_pipe_loses_lines() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut config = testing::config(vec![testing::proxy("a", 2, ProxyKind::Listen)]);
    config.global.logs = vec![testing::log_target(LogProtocol::Fd(9), LogFormat::Short)];
    config.global.logs[0].max_len = 5;
    let env = Surroundings {
        tag: "t".into(),
        hostname: "h".into(),
        echo: false,
        local_offset: |_| 0,
        state: Default::default(),
    };
    let log = Log::open(Arc::new(config), env, &|_| Ok(OwnedFd::from(writer.try_clone()?))).unwrap();
    log.event(None, Level::Notice, "hello");
    let mut buffer = [0; 5];
    io::Read::read_exact(&mut &reader, &mut buffer).unwrap();
    assert_eq!(&buffer, b"<5>h\n"); // the limit of a descriptor includes the line feed
    while log.lost() == 0 {
        log.event(None, Level::Notice, "hello");
    }
}

#[test]
fn standard_error_words() {
    assert_eq!(quoted("proxy a has no server available!"), "proxy 'a' has no server available!");
    assert_eq!(quoted("backend b has no server available!"), "backend 'b' has no server available!");
    assert_eq!(quoted("Server a/b is UP."), "Server a/b is UP.");
}
