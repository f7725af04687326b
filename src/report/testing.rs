//! Small configurations for this module's tests.

use crate::expr::{Facts, Template};
use crate::ir::*;
use crate::pool::{HttpRecord, Journal, Report, SessionRecord};
use crate::units::Weight;

/// A journal that writes nothing and has lost that many lines.
pub(super) struct Quiet {
    pub(super) lost: u64,
}

impl Journal for Quiet {
    fn accepted(&self, _: &SessionRecord) {}
    fn session(&self, _: &SessionRecord, _: &dyn Facts) {}
    fn refused(&self, _: &SessionRecord, _: &dyn Facts, _: (&str, &str)) {}
    fn unique_id(&self, _: &SessionRecord, _: &dyn Facts, _: &mut Vec<u8>) {}
    fn text(&self, _: &Template, _: &SessionRecord, _: &dyn Facts, _: &mut Vec<u8>) {}
    fn request(&self, _: &HttpRecord, _: &dyn Facts) {}
    fn event(&self, _: Option<ProxyIx>, _: Level, _: &str) {}
    fn lost(&self) -> u64 {
        self.lost
    }
}

/// All pieces of a report.
pub(super) fn told(mut report: Report) -> String {
    let mut out = String::new();
    while report.next(&mut out) {}
    out
}

/// A configuration of these proxies.
pub(super) fn config(proxies: Vec<Proxy>) -> Config {
    Config { global: Global::default(), proxies, files: vec!["test.cfg".into()], ..Config::default() }
}

/// A log target with the usual limits.
pub(super) fn log_target(to: LogProtocol, format: LogFormat) -> LogTarget {
    LogTarget {
        to,
        format,
        max_len: 1024,
        sample: None,
        facility: Facility(16),
        max_level: Level::Debug,
        min_level: Level::Emerg,
    }
}

/// A TCP proxy without addresses or servers.
pub(super) fn proxy(name: &str, id: u32, kind: ProxyKind) -> Proxy {
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
pub(super) fn server(name: &str, id: u32) -> Server {
    Server {
        name: name.into(),
        id,
        address: ServerAddress::Inet(([127, 0, 0, 1], 1).into()),
        port_offset: None,
        weight: Weight::DEFAULT,
        backup: false,
        non_stick: false,
        hash_key: crate::ir::HashKey::Id,
        disabled: false,
        maxconn: 0,
        minconn: 0,
        user_timeout: None,
        send_proxy: crate::ir::SendProxy::default(),
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
