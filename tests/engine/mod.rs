//! An engine inside the test process, with a configuration made by hand: for what is easier to see from inside.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use baton::engine::{Engine, Input, Listening, Purpose};
use baton::expr::{Facts, Template};
use baton::ir::{
    AdminLevel, Backend, Balance, Bind, BindOptions, Config, Endpoint, Frontend, Global, InitAddr, Level, MarkedDown,
    MarkedUp, Mode, Proxy, ProxyIx, ProxyKind, Server, ServerAddress, SessionLog, Timeouts,
};
use baton::pool::{Commands, Control, HttpRecord, Journal, Page, PageReply, PageRequest, Pool, Reply, SessionRecord};
use baton::text::Span;
use baton::units::{Tick, Weight};

/// Keeps what was logged.
#[derive(Debug, Default)]
pub struct Book {
    /// Ended sessions.
    pub sessions: Mutex<Vec<SessionRecord>>,
    /// Events.
    pub events: Mutex<Vec<String>>,
}

impl Journal for Book {
    fn accepted(&self, _record: &SessionRecord) {}

    fn session(&self, record: &SessionRecord, _: &dyn Facts) {
        self.sessions.lock().expect("the book").push(record.clone());
    }
    fn refused(&self, _: &SessionRecord, _: &dyn Facts, _: (&str, &str)) {}
    fn unique_id(&self, _: &SessionRecord, _: &dyn Facts, _: &mut Vec<u8>) {}
    fn text(&self, _: &Template, _: &SessionRecord, _: &dyn Facts, _: &mut Vec<u8>) {}

    fn request(&self, _record: &HttpRecord, _: &dyn Facts) {}

    fn event(&self, _proxy: Option<ProxyIx>, _level: Level, message: &str) {
        self.events.lock().expect("the book").push(message.to_owned());
    }

    fn lost(&self) -> u64 {
        0
    }
}

/// Answers nothing.
pub struct Nobody;

impl Page for Nobody {
    fn answer(&self, _request: &PageRequest<'_>) -> Option<PageReply> {
        None
    }
}

impl Commands for Nobody {
    fn run(&self, _command: &str, _payload: Option<&str>, _level: AdminLevel) -> Reply {
        Reply::Quit
    }

    fn list(&self, _: &baton::pool::SessionInfo, _: bool, _: &mut String) {}
}

/// A running engine with one `listen` section.
pub struct Line {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its state.
    pub pool: Arc<Pool>,
    /// What it logged.
    pub book: Arc<Book>,
    engine: Option<Engine>,
}

/// A server as a `server` line without options makes it.
pub fn server(name: &str, address: SocketAddr) -> Server {
    Server {
        name: name.to_owned(),
        id: 1,
        address: ServerAddress::Inet(address),
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
        on_marked_down: MarkedDown::Keep,
        agent: None,
        observe: None,
        on_marked_up: MarkedUp::Keep,
        source: None,
        port_offset: None,
        init_addr: vec![InitAddr::Libc],
        id_given: false,
        host: None,
        resolve: None,
        recorded: None,
        span: Span::default(),
    }
}

/// A `listen` section with `balance leastconn` and `option tcplog` over these servers.
pub fn listen(servers: Vec<Server>) -> Proxy {
    Proxy {
        name: "front".to_owned(),
        id: 2,
        id_given: false,
        kind: ProxyKind::Listen,
        mode: Mode::Tcp,
        disabled: false,
        description: None,
        timeouts: Timeouts::default(),
        logs: Vec::new(),
        log_tag: None,
        session_log: SessionLog::Tcp,
        log_moment: baton::ir::LogMoment::Ended,
        formats: None,
        dont_log_null: false,
        dont_log_normal: false,
        log_separate_errors: false,
        log_asap: false,
        error_files: Vec::new(),
        rules: Default::default(),
        http_rules: Vec::new(),
        frontend: Some(Frontend { binds: vec![bind()], ..Frontend::default() }),
        backend: Some(Backend { balance: Balance::LeastConn, servers, retries: 3, ..Backend::default() }),
        stats: None,
        span: Span::default(),
    }
}

fn bind() -> Bind {
    Bind {
        endpoint: Endpoint::Inet(SocketAddr::from(([127, 0, 0, 1], 0))),
        name: "sock-1".to_owned(),
        id: 1,
        options: BindOptions::default(),
        span: Span::default(),
    }
}

impl Line {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start(proxy: Proxy, threads: usize) -> Self {
        Self::start_with(Global::default(), proxy, threads)
    }

    /// [`Line::start`] with a `global` section.
    pub fn start_with(global: Global, proxy: Proxy, threads: usize) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").expect("a port"), global, proxy, threads)
    }

    /// [`Line::start_with`] on a listening socket of the caller's.
    pub fn start_on(listener: TcpListener, global: Global, proxy: Proxy, threads: usize) -> Self {
        listener.set_nonblocking(true).expect("non-blocking");
        let listen = listener.local_addr().expect("its address");
        let pool = Arc::new(Pool::new(
            Arc::new(Config { global, proxies: vec![proxy], ..Config::default() }),
            Tick::from_millis(1),
        ));
        let book = Arc::new(Book::default());
        let input = Input {
            pool: Arc::clone(&pool),
            journal: Arc::clone(&book) as Arc<dyn Journal>,
            page: Arc::new(Nobody),
            commands: Arc::new(Nobody),
            listeners: vec![Listening { purpose: Purpose::Frontend(ProxyIx(0), 0), socket: listener.into() }],
            threads,
        };
        let engine = Engine::start(input).expect("the engine starts");
        Self { listen, pool, book, engine: Some(engine) }
    }

    /// What can be done to it.
    pub fn control(&self) -> Arc<dyn Control> {
        self.engine.as_ref().expect("it runs").control()
    }

    /// Its sessions, to be moved.
    pub fn sessions(&self) -> baton::engine::migrate::Sessions {
        self.engine.as_ref().expect("it runs").sessions()
    }

    /// Waits until `count` sessions have ended and returns them.
    #[track_caller]
    pub fn ended(&self, count: usize) -> Vec<SessionRecord> {
        super::harness::wait::until(&format!("{count} sessions to end"), || {
            let sessions = self.book.sessions.lock().expect("the book");
            (sessions.len() >= count).then(|| sessions.clone())
        })
    }

    /// Waits for the engine's end.
    pub fn wait(mut self) {
        self.engine.take().expect("it runs").wait();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.control().hard_stop();
            engine.wait();
        }
    }
}
