//! A real engine in this process with the real page, commands and journal, for tests of what people see.
//!
//! Sockets are bound here, on free ports and in a temporary folder; log lines arrive on a socket of the rig.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part of the rig")]

pub mod browser;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton::engine::{Engine, Input, Listening, Purpose};
use baton::ir::*;
use baton::pool::Pool;
use baton::report::{Console, Identity, Log, Site, Surroundings};
use baton::units::{Millis, Tick, Weight};

/// A running engine; it ends with the value.
pub struct Rig {
    engine: Option<Engine>,
    pub pool: Arc<Pool>,
    /// Address of the first proxy that listens.
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    logs: UdpSocket,
}

/// The clock that the engine uses.
fn clock() -> Tick {
    Tick::from_millis(uptime())
}

/// Milliseconds of the engine's clock.
pub fn uptime() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

/// A proxy without addresses or servers.
pub fn proxy(name: &str, id: u32, kind: ProxyKind) -> Proxy {
    Proxy {
        name: name.into(),
        id,
        id_given: false,
        kind,
        mode: Mode::Tcp,
        disabled: false,
        description: None,
        timeouts: Timeouts::default(),
        logs: Vec::new(),
        log_tag: None,
        session_log: SessionLog::Default,
        log_moment: LogMoment::default(),
        formats: None,
        dont_log_null: false,
        dont_log_normal: false,
        log_separate_errors: false,
        log_asap: false,
        frontend: (kind != ProxyKind::Backend).then(Frontend::default),
        backend: (kind != ProxyKind::Frontend).then(Backend::default),
        stats: None,
        error_files: Vec::new(),
        rules: Default::default(),
        http_rules: Vec::new(),
        span: Default::default(),
    }
}

/// A server on this host.
pub fn server(name: &str, id: u32, port: u16) -> Server {
    Server {
        name: name.into(),
        id,
        address: ServerAddress::Inet(([127, 0, 0, 1], port).into()),
        port_offset: None,
        weight: Weight::DEFAULT,
        backup: false,
        non_stick: false,
        hash_key: baton::ir::HashKey::Id,
        disabled: false,
        maxconn: 0,
        minconn: 0,
        user_timeout: None,
        send_proxy: baton::ir::SendProxy::default(),
        maxqueue: 0,
        slowstart: None,
        check: None,
        track: None,
        on_marked_down: MarkedDown::default(),
        agent: None,
        observe: None,
        on_marked_up: MarkedUp::default(),
        source: None,
        init_addr: Vec::new(),
        id_given: false,
        host: None,
        resolve: None,
        recorded: None,
        span: Default::default(),
    }
}

/// A `listen` with the statistics page at `uri`, an httplog and limits of some hundred milliseconds.
pub fn page(uri: &str) -> Proxy {
    let mut stats = proxy("stats", 2, ProxyKind::Listen);
    stats.mode = Mode::Http;
    stats.session_log = SessionLog::Http;
    stats.log_moment = LogMoment::Ended;
    stats.timeouts.client = Some(Millis::seconds(5));
    stats.timeouts.http_request = Millis::new(400);
    stats.stats = Some(StatsPage { uri: uri.into(), realm: "HAProxy Statistics".into(), ..StatsPage::default() });
    stats
}

impl Rig {
    /// Starts an engine with these proxies, the first of which gets an address, and with stats sockets
    /// `admin` (exposes descriptors) and `user`.
    pub fn start(mut proxies: Vec<Proxy>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = UdpSocket::bind("127.0.0.1:0").unwrap();
        logs.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut listeners = Vec::new();
        let mut address = ([127, 0, 0, 1], 0).into();
        if let Some(front) = proxies.first_mut().and_then(|proxy| proxy.frontend.as_mut()) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            address = listener.local_addr().unwrap();
            front.binds.push(Bind {
                endpoint: Endpoint::Inet(address),
                name: "sock-1".into(),
                id: 1,
                options: BindOptions::default(),
                span: Default::default(),
            });
            listeners.push(Listening { purpose: Purpose::Frontend(ProxyIx(0), 0), socket: listener.into() });
        }
        let target = LogTarget {
            to: LogProtocol::Udp(logs.local_addr().unwrap()),
            format: LogFormat::Short,
            max_len: 1024,
            sample: None,
            facility: Facility(16),
            max_level: Level::Debug,
            min_level: Level::Emerg,
        };
        proxies.iter_mut().for_each(|proxy| proxy.logs = vec![target.clone()]);
        let socket = |name: &str, level, expose_listeners| StatsSocket {
            endpoint: Endpoint::Unix(folder.path().join(name)),
            level,
            expose_listeners,
            file: FilePermissions::default(),
            name: None,
            maxconn: 0,
            accept_proxy: false,
            netscaler: None,
            masters: false,
            severity_output: baton::ir::SeverityOutput::None,
            span: Default::default(),
        };
        let sockets = vec![socket("admin", AdminLevel::Admin, true), socket("user", AdminLevel::User, false)];
        for (ix, name) in ["admin", "user"].iter().enumerate() {
            let listener = UnixListener::bind(folder.path().join(name)).unwrap();
            listener.set_nonblocking(true).unwrap();
            listeners.push(Listening { purpose: Purpose::Commands(ix), socket: listener.into() });
        }
        let mut global = Global { stats_sockets: sockets, ..Global::default() };
        global.stats_timeout = Millis::new(300);
        let config = Arc::new(Config { global, proxies, ..Config::default() });
        let pool = Arc::new(Pool::new(Arc::clone(&config), clock()));
        pool.set_maxconn(1000);
        let env = Surroundings {
            tag: "t".into(),
            hostname: "h".into(),
            echo: false,
            local_offset: |_| 0,
            state: Default::default(),
        };
        let log = Arc::new(Log::open(config, env, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap());
        let identity =
            Identity { version: "3.4.0-test".into(), released: "2026/11/22".into(), hostname: "h".into(), clock };
        let commands = Arc::new(Console::new(Arc::clone(&pool), log.clone(), identity.clone()));
        let site = Arc::new(Site::new(Arc::clone(&pool), log.clone(), identity));
        let input = Input {
            pool: Arc::clone(&pool),
            journal: log,
            page: site.clone(),
            commands: commands.clone(),
            listeners,
            threads: 1,
        };
        let engine = Engine::start(input).unwrap();
        site.attach(engine.control());
        commands.attach(engine.control());
        Self { engine: Some(engine), pool, address, folder, logs }
    }

    /// Path of a stats socket.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection to a stats socket.
    pub fn console(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(name)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// All that a stats socket sends back for these bytes, until it closes.
    pub fn said(&self, bytes: &[u8]) -> String {
        let mut stream = self.console("user");
        stream.write_all(bytes).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// A connection to the first proxy.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// All that the first proxy sends back for these bytes, until it closes.
    pub fn http(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// The next log line, with its level.
    pub fn line(&self) -> String {
        let mut buffer = [0; 2048];
        let count = self.logs.recv(&mut buffer).expect("a log line comes");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }

    /// The next log line, without its address and date: what follows `] `.
    pub fn logged(&self) -> String {
        let line = self.line();
        line.split_once("] ").map_or(line.clone(), |(_, rest)| rest.to_owned()).trim_end().to_owned()
    }

    /// Tells the engine to end with its last connection.
    pub fn soft_stop(&self) {
        self.engine.as_ref().unwrap().control().soft_stop();
    }

    /// Waits for the engine's end.
    pub fn wait(mut self) {
        self.engine.take().unwrap().wait();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.control().hard_stop();
            engine.wait();
        }
    }
}
