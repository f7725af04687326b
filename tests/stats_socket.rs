//! The runtime commands over a real socket, served by a real engine: framing, prompts, limits, descriptors.
//!
//! What haproxy 2.6.12 sends for the same bytes was observed; the expected texts are its, but for versions.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton::engine::{Engine, Input, Listening, Purpose};
use baton::ir::{AdminLevel, Config, Endpoint, FilePermissions, Global, StatsSocket};
use baton::pool::{Page, PageReply, PageRequest, Pool};
use baton::report::{Console, Identity, Log, Surroundings};
use baton::sys::getsocks;
use baton::units::{Millis, Tick};

struct NoPage;

impl Page for NoPage {
    fn answer(&self, _: &PageRequest<'_>) -> Option<PageReply> {
        None
    }
}

struct Running {
    engine: Option<Engine>,
    folder: tempfile::TempDir,
}

impl Running {
    /// An engine with two stats sockets: `admin`, which exposes descriptors, and `user`, which does not.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = |name: &str, level, expose_listeners| StatsSocket {
            endpoint: Endpoint::Unix(folder.path().join(name)),
            level,
            expose_listeners,
            file: FilePermissions::default(),
            name: None,
            maxconn: 0,
            span: Default::default(),
        };
        let sockets = vec![socket("admin", AdminLevel::Admin, true), socket("user", AdminLevel::User, false)];
        let mut global = Global { stats_sockets: sockets, ..Global::default() };
        global.stats_timeout = Millis::new(300);
        let config = Arc::new(Config { global, proxies: Vec::new(), files: Vec::new() });
        let pool = Arc::new(Pool::new(Arc::clone(&config), Tick::default()));
        let env = Surroundings { tag: "t".into(), hostname: "h".into(), echo: false, local_offset: |_| 0 };
        let log = Arc::new(Log::open(config, env, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap());
        let identity = Identity {
            version: "3.4.0-test".into(),
            released: "2026/11/22".into(),
            hostname: "h".into(),
            clock: || Tick::from_millis(5000),
        };
        let commands = Arc::new(Console::new(Arc::clone(&pool), log.clone(), identity));
        let listeners = ["admin", "user"].iter().enumerate().map(|(ix, name)| {
            let listener = UnixListener::bind(folder.path().join(name)).unwrap();
            listener.set_nonblocking(true).unwrap();
            Listening { purpose: Purpose::Commands(ix), socket: listener.into() }
        });
        let listeners = listeners.collect();
        let input = Input { pool, journal: log, page: Arc::new(NoPage), commands, listeners, threads: 1 };
        Self { engine: Some(Engine::start(input).unwrap()), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn connect(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(name)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// All that comes back for these bytes, until the other side closes.
    fn said(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect("user");
        stream.write_all(bytes).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.control().hard_stop();
            engine.wait();
        }
    }
}

#[test]
fn framing() {
    let running = Running::start();
    for (bytes, want) in [
        ("show version\n", "3.4.0-test\n\n"),
        ("show version\r\n", "3.4.0-test\n\n"),
        ("show version;show version\n", "3.4.0-test\n\n3.4.0-test\n\n"),
        ("show version\nshow version\n", "3.4.0-test\n\n3.4.0-test\n\n"),
        ("quit;show version\n", ""),
        ("prompt;show version\nquit\n", "\n> 3.4.0-test\n\n> "),
        ("prompt\nshow version\nprompt\n", "\n> 3.4.0-test\n\n> \n"),
        ("show version", ""), // half a line is no command, and after the idle time no connection
        ("_getsocks\n", ""),  // not exposed
    ] {
        assert_eq!(running.said(bytes.as_bytes()), want, "{bytes:?}");
    }
}

/// What the Datadog agent sends, and how it takes the reply apart.
#[test]
fn two_reports_are_split_by_an_empty_line() {
    let running = Running::start();
    let reply = running.said(b"show info;show stat\r\n");
    let parts: Vec<&str> = reply.split("\n\n").collect();
    assert!(parts[0].starts_with("Name: HAProxy\n") && parts[1].starts_with("# pxname,"), "{reply}");
    assert_eq!(parts.len(), 3);
}

#[test]
fn an_idle_session_ends() {
    let running = Running::start();
    let begun = Instant::now();
    assert_eq!(running.said(b"prompt\n"), "\n> ");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // A session may ask for more time.
    let mut stream = running.connect("user");
    stream.write_all(b"prompt;set timeout cli 60\n").unwrap();
    let mut greeting = [0; 8];
    stream.read_exact(&mut greeting[..6]).unwrap();
    assert_eq!(&greeting[..6], b"\n> \n> ");
    stream.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
    assert_eq!(stream.read(&mut greeting).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_line_without_end_ends_the_session() {
    let running = Running::start();
    let mut stream = running.connect("user");
    // The other side may close while this is on its way.
    let _ = stream.write_all(&[b'x'; 20_000]);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    assert!(reply.is_empty());
    assert_eq!(running.said(b"show version\n"), "3.4.0-test\n\n");
}

#[test]
fn a_client_that_leaves_hurts_nobody() {
    let running = Running::start();
    for _ in 0..50 {
        let mut stream = running.connect("user");
        let _ = stream.write_all(b"show stat\nshow info\nprompt\n");
        let _ = stream.shutdown(Shutdown::Both);
    }
    assert_eq!(running.said(b"show version\n"), "3.4.0-test\n\n");
}

#[test]
fn listening_sockets_are_handed_out() {
    let running = Running::start();
    let sockets = getsocks::fetch(&running.path("admin")).unwrap();
    assert_eq!(sockets.len(), 2);
    assert!(getsocks::fetch(&running.path("user")).unwrap().is_empty());
    // They are the same sockets: who connects is accepted through the copy.
    let paths: Vec<PathBuf> = sockets
        .into_iter()
        .map(|socket| UnixListener::from(socket).local_addr().unwrap().as_pathname().unwrap().to_owned())
        .collect();
    assert_eq!(paths, [running.path("admin"), running.path("user")]);
}
