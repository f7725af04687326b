//! Log lines: which session gets one, what it says and where it goes.
//!
//! Never waits and allocates nothing per line: text is built in a buffer of the thread, sent without blocking, and
//! what cannot be sent is counted. Knows no session, only records. Entry point: [`Log::open`].

pub(super) mod date;
mod facts;
mod forward;
mod frame;
mod line;
mod ring;
mod sinks;
mod target;

pub use ring::Ring;

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use thiserror::Error;

use crate::expr::{Facts, Format, Known, Template};
use crate::ir::{Config, Level, LogMoment, LogProtocol, LogTarget, Proxy, ProxyIx, SessionLog};
use crate::pool::{Cause, HttpRecord, Journal, Pool, SessionRecord, Urgency};
use facts::View;
use frame::Framing;
use target::{Sink, Sockets};

/// What a journal needs to know of its process.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The program's name as it was started: the default `log-tag`.
    pub tag: String,
    /// The host's name, for `log-send-hostname` without an argument.
    pub hostname: String,
    /// Whether events are copied to standard error: in the foreground and not quiet.
    pub echo: bool,
    /// Seconds that local time is ahead of UTC at a moment: `sys::local_offset`.
    pub local_offset: fn(i64) -> i32,
    /// The state of the process once it serves: it names the servers that were added.
    pub state: Arc<OnceLock<Arc<Pool>>>,
}

/// Why a log target cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No UDP socket can be had.
    #[error("cannot open a UDP socket for logs: {0}")]
    Udp(io::Error),
    /// No unix datagram socket can be had, or its name is too long.
    #[error("cannot open a unix socket for logs: {0}")]
    Unix(io::Error),
    /// The process has no such descriptor.
    #[error("cannot log to fd@{fd}: {why}")]
    Descriptor {
        /// Its number.
        fd: i32,
        /// What the system says.
        why: io::Error,
    },
}

/// Most bytes of a unique id: more are cut off, in lines and in PROXY headers.
const LONGEST_ID: usize = 127;

/// A target of a proxy or of the process.
struct Target {
    is: LogTarget,
    sink: Sink,
    /// Lines that its level let through: what `sample` counts.
    seen: AtomicU64,
}

/// All of a proxy or of the process.
type Targets = Box<[Target]>;

/// The journal of a process.
pub struct Log {
    config: Arc<Config>,
    env: Surroundings,
    hostname: Option<String>,
    sockets: Sockets,
    global: Targets,
    proxies: Box<[Targets]>,
    rings: Box<[Arc<Ring>]>,
    lost: AtomicU64,
    /// Lines of a format of their own that each frontend has logged.
    logged: Box<[AtomicU64]>,
    /// Set when the first line was lost and said so.
    complained: AtomicBool,
}

/// What a line tells.
struct Told<'a> {
    record: &'a SessionRecord,
    http: Option<&'a HttpRecord>,
    /// What the expressions of formats look at.
    facts: &'a dyn Facts,
}

/// What a line is built in.
#[derive(Default)]
struct Buffers {
    message: Vec<u8>,
    /// `log-format-sd`.
    structured: Vec<u8>,
    /// `unique-id-format`.
    id: Vec<u8>,
    /// The message in its frame.
    framed: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

fn opened_one(
    log: &LogTarget,
    copy: &dyn Fn(i32) -> io::Result<OwnedFd>,
    rings: &[Arc<Ring>],
) -> Result<Target, OpenError> {
    let sink = target::open(&log.to, copy, rings)?;
    let mut is = log.clone();
    if let (LogProtocol::Ring(_), Sink::Ring(ring)) = (&is.to, &sink) {
        is.format = ring.declared.format; // the ring's own, whatever the line says
    }
    Ok(Target { is, sink, seen: AtomicU64::new(0) })
}

impl Log {
    /// Opens all targets. Call it before a chroot; `copy` duplicates an inherited descriptor for `fd@N`.
    ///
    /// # Errors
    /// [`OpenError`]; a unix socket that nobody listens on is none.
    pub fn open(
        config: Arc<Config>,
        env: Surroundings,
        copy: &dyn Fn(i32) -> io::Result<OwnedFd>,
    ) -> Result<Self, OpenError> {
        (env.local_offset)(0); // reads the zone file while it can be reached
        let all = config.global.logs.iter().chain(config.proxies.iter().flat_map(|proxy| &proxy.logs));
        let sockets = Sockets::open(all.map(|log| &log.to))?;
        let declared = config.global.rings.iter().cloned().map(Ring::new);
        let rings: Box<[Arc<Ring>]> = std::iter::once(sinks::buffer()).chain(declared).collect();
        let opened = |logs: &[LogTarget]| -> Result<Targets, OpenError> {
            logs.iter().map(|log| opened_one(log, copy, &rings)).collect()
        };
        let global = opened(&config.global.logs)?;
        let proxies = config.proxies.iter().map(|proxy| opened(&proxy.logs)).collect::<Result<_, _>>()?;
        let hostname = config.global.log_send_hostname.clone().map(|name| name.unwrap_or_else(|| env.hostname.clone()));
        let (lost, complained) = (AtomicU64::new(0), AtomicBool::new(false));
        let logged = config.proxies.iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Self { config, env, hostname, sockets, global, proxies, rings, lost, logged, complained })
    }

    /// The ring that is always there and the `ring` sections, with what they keep.
    pub fn rings(&self) -> &[Arc<Ring>] {
        &self.rings
    }

    fn proxy(&self, ix: ProxyIx) -> Option<&Proxy> {
        self.config.proxies.get(ix.0 as usize)
    }

    /// Builds a message and sends it to the targets of a proxy, or of the process.
    fn publish(&self, proxy: Option<ProxyIx>, level: Level, build: impl FnOnce(&mut Buffers)) {
        let targets = match proxy {
            Some(ix) => self.proxies.get(ix.0 as usize),
            None => Some(&self.global),
        };
        let Some(targets) = targets.filter(|targets| !targets.is_empty()) else { return };
        let own_tag = proxy.and_then(|ix| self.proxy(ix)?.log_tag.as_deref());
        let tag = own_tag.or(self.config.global.log_tag.as_deref()).unwrap_or(&self.env.tag);
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.message.clear();
            buffers.structured.clear();
            build(buffers);
            let Buffers { message, structured, framed, .. } = buffers;
            if message.is_empty() {
                return; // a format may make nothing of a session: haproxy sends no such line
            }
            let now = SystemTime::now();
            for Target { is: target, sink, seen } in targets {
                let Some(level) = frame::level_on(target, level) else { continue };
                if let Some(sample) = &target.sample
                    && !sample.takes(seen.fetch_add(1, Relaxed))
                {
                    continue;
                }
                let hostname = self.hostname.as_deref();
                let framing = Framing { env: &self.env, hostname, tag, level, now, structured };
                // For a descriptor or a ring the limit includes the line feed; a datagram has it on top (observed).
                let feed = usize::from(matches!(sink, Sink::Standard(_) | Sink::Descriptor(_) | Sink::Ring(_)));
                let limit = (target.max_len as usize).saturating_sub(feed);
                frame::frame(framed, target, &framing, message, limit);
                if let Err(error) = self.sockets.send(sink, framed) {
                    self.miss(target, &error);
                }
            }
        });
    }

    fn miss(&self, target: &LogTarget, error: &io::Error) {
        self.lost.fetch_add(1, Relaxed);
        let full = error.kind() == io::ErrorKind::WouldBlock;
        if !full && self.env.echo && !self.complained.swap(true, Relaxed) {
            target::echo(&format!(
                "[ALERT]    ({}) : a log line could not be sent to {:?}: {error}. Further losses are only counted.\n",
                std::process::id(),
                target.to
            ));
        }
    }

    /// Level of a session's line; `None`: it gets no line.
    fn judge(&self, record: &SessionRecord, status: Option<u16>) -> Option<(SessionLog, Level)> {
        let proxy = self.proxy(record.frontend)?;
        if proxy.dont_log_null && record.bytes_in == 0 && record.ended {
            return None;
        }
        let normal = matches!(record.termination.cause, Cause::Normal | Cause::Local)
            && record.retries == 0
            && !record.redispatched
            && status.is_none_or(|status| status < 500);
        if normal && proxy.dont_log_normal {
            return None;
        }
        let level = if !normal && proxy.log_separate_errors { Level::Err } else { Level::Info };
        match record.level {
            Some(Urgency::Silent) => None,
            Some(Urgency::Level(level)) => Some((proxy.session_log, level)),
            None => Some((proxy.session_log, level)),
        }
    }
}

impl Log {
    /// Sends the line of a session or request to the targets of its frontend.
    fn line(&self, (kind, level): (SessionLog, Level), told: &Told<'_>) {
        let Told { record, http, .. } = *told;
        self.publish(Some(record.frontend), level, |buffers| {
            let formats = self.proxy(record.frontend).and_then(|proxy| proxy.formats.as_deref());
            if let Some(formats) = formats {
                let main = formats.session.as_ref().filter(|_| kind == SessionLog::Custom);
                self.formatted(buffers, told, (main, formats.structured.as_ref(), formats.unique_id.as_ref()));
            }
            let out = &mut buffers.message;
            match (kind, http) {
                (SessionLog::Default | SessionLog::Custom, _) => {}
                (SessionLog::Http, Some(http)) => line::http(out, &self.config, &self.env, http),
                (SessionLog::Http | SessionLog::Tcp, _) => line::tcp(out, &self.config, &self.env, record),
            }
        });
    }

    /// Evaluates what is there of the main format, the structured data and the unique id.
    fn formatted(
        &self,
        buffers: &mut Buffers,
        told: &Told<'_>,
        (main, structured, unique_id): (Option<&Format>, Option<&Format>, Option<&Format>),
    ) {
        let view = match told.http {
            Some(http) => View::of_request(&self.config, &self.env, http, told.facts),
            None => View::new(&self.config, &self.env, told.record, told.facts),
        };
        let Some(mut view) = view else { return };
        if let Some(counter) = self.logged.get(told.record.frontend.0 as usize) {
            view.logged = counter.fetch_add(1, Relaxed);
        }
        let Buffers { message, structured: data, id, .. } = buffers;
        id.clear();
        let shown = [main, structured].into_iter().flatten().any(Format::shows_id);
        if let Some(format) = unique_id.filter(|_| shown) {
            // A session has it made once; what is none has it made for its line.
            match told.facts.known(Known::UniqueId, &[]).value() {
                Some(made) => made.write(id),
                None => format.write(&view, id),
            }
            id.truncate(LONGEST_ID);
        }
        view.id = id;
        if let Some(format) = main {
            format.write(&view, message);
        }
        if let Some(format) = structured {
            format.write(&view, data);
        }
    }
}

impl Journal for Log {
    fn tell(&self, sink: &str, message: &[u8]) {
        Self::tell(self, sink, message);
    }

    fn accepted(&self, record: &SessionRecord) {
        if self.proxy(record.frontend).is_some_and(|proxy| proxy.log_moment == LogMoment::Accepted) {
            let to = Some(record.frontend);
            self.publish(to, Level::Info, |buffers| line::connect(&mut buffers.message, &self.config, record));
        }
    }

    fn session(&self, record: &SessionRecord, facts: &dyn Facts) {
        let Some((kind, level)) = self.judge(record, None) else { return };
        if kind != SessionLog::Default {
            self.line((kind, level), &Told { record, http: None, facts });
        }
    }

    fn refused(&self, record: &SessionRecord, facts: &dyn Facts, told: (&str, &str)) {
        let Some(proxy) = self.proxy(record.frontend) else { return };
        let level = if proxy.log_separate_errors { Level::Err } else { Level::Info };
        self.publish(Some(record.frontend), level, |buffers| match proxy.formats.as_deref() {
            Some(formats) if formats.error.is_some() => {
                // there is no session that an id could be of
                let told = Told { record, http: None, facts };
                self.formatted(buffers, &told, (formats.error.as_ref(), None, None));
            }
            // as with haproxy, one that has no line for its sessions has none for these
            _ if proxy.session_log == SessionLog::Default => {}
            _ => line::refused(&mut buffers.message, &self.config, &self.env, record, told),
        });
    }

    fn unique_id(&self, record: &SessionRecord, facts: &dyn Facts, out: &mut Vec<u8>) {
        let formats = self.proxy(record.frontend).and_then(|proxy| proxy.formats.as_deref());
        let format = formats.and_then(|formats| formats.unique_id.as_ref());
        if let (Some(format), Some(view)) = (format, View::new(&self.config, &self.env, record, facts)) {
            format.write(&view, out);
            out.truncate(LONGEST_ID);
        }
    }

    fn text(&self, text: &Template, record: &SessionRecord, facts: &dyn Facts, out: &mut Vec<u8>) {
        if let Some(view) = View::new(&self.config, &self.env, record, facts) {
            text.write(&view, out);
        }
    }

    fn request(&self, record: &HttpRecord, facts: &dyn Facts) {
        let Some((kind, level)) = self.judge(&record.session, Some(record.status)) else { return };
        if kind != SessionLog::Default {
            self.line((kind, level), &Told { record: &record.session, http: Some(record), facts });
        }
    }

    fn event(&self, proxy: Option<ProxyIx>, level: Level, message: &str) {
        self.publish(proxy, level, |buffers| buffers.message.extend_from_slice(message.as_bytes()));
        if self.env.echo {
            // Whatever the level, standard error knows two words: only an emergency is an alert there (observed).
            let word = if level == Level::Emerg { "[ALERT]   " } else { "[WARNING] " };
            let message = quoted(message);
            target::echo(&format!("{word} ({}) : {message}\n", std::process::id()));
        }
    }

    fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// The one message that standard error words differently: there the proxy's name is quoted (observed).
fn quoted(message: &str) -> std::borrow::Cow<'_, str> {
    let named = message.strip_suffix(" has no server available!").and_then(|start| start.split_once(' '));
    match named {
        Some((kind @ ("proxy" | "backend"), name)) => format!("{kind} '{name}' has no server available!").into(),
        _ => message.into(),
    }
}

#[cfg(test)]
mod tests;
