//! What the variables of log formats stand for in a session that is logged.
//!
//! Knows records and configuration; how a fact is written is [`crate::expr::Format`]'s. Source: manual §8.2.6; what a
//! session without a server, without an end or on a unix socket shows was asked of 2.6.

use std::cell::OnceCell;

use super::{Surroundings, date, line};
use crate::expr::{Arg, Date, Fact, Facts, Known, LogFacts, Side, Variable};
use crate::ir::{Config, Proxy};
use crate::pool::{HttpRecord, Peer, SessionRecord};

/// A session as formats see it.
pub(super) struct View<'a> {
    env: &'a Surroundings,
    record: &'a SessionRecord,
    samples: &'a dyn Facts,
    http: Option<Request<'a>>,
    front: &'a Proxy,
    back: &'a Proxy,
    server: &'a str,
    /// The termination state, and that of a cookie.
    state: [u8; 4],
    /// Lines that the frontend has logged before.
    pub(super) logged: u64,
    /// The unique id; empty without a format for it.
    pub(super) id: &'a [u8],
    /// What is kept of a request and of a response, once it is asked for.
    fields: [OnceCell<Vec<Option<Vec<u8>>>>; 2],
    /// What `%hr` and `%hs` show.
    together: [OnceCell<Vec<u8>>; 2],
}

/// A request of the statistics page.
struct Request<'a> {
    record: &'a HttpRecord,
    /// The request line, escaped.
    line: Vec<u8>,
}

/// What a part of the request is when there was none that could be understood.
const BAD: &[u8] = b"<BADREQ>";

impl<'a> View<'a> {
    /// The view of a session; `None` if the configuration has no such proxy.
    pub(super) fn new(
        config: &'a Config,
        env: &'a Surroundings,
        record: &'a SessionRecord,
        samples: &'a dyn Facts,
    ) -> Option<Self> {
        let front = config.proxies.get(record.frontend.0 as usize)?;
        let back = config.proxies.get(record.backend.0 as usize).unwrap_or(front);
        let state = [record.termination.cause as u8, record.termination.phase as u8, b'-', b'-'];
        let server = line::server(back, env, record);
        Some(Self {
            env,
            record,
            samples,
            http: None,
            front,
            back,
            server,
            state,
            logged: 0,
            id: b"",
            fields: <_>::default(),
            together: <_>::default(),
        })
    }

    /// The same of an answered request.
    pub(super) fn of_request(
        config: &'a Config,
        env: &'a Surroundings,
        record: &'a HttpRecord,
        samples: &'a dyn Facts,
    ) -> Option<Self> {
        let mut view = Self::new(config, env, &record.session, samples)?;
        let mut line = Vec::new();
        line::escape(&mut line, record.request.as_bytes());
        view.http = Some(Request { record, line });
        Some(view)
    }

    /// What is kept of a direction: `{a|b|}`.
    fn captures(&self, side: Side) -> Fact<'_> {
        let fields = self.kept(side);
        if fields.is_empty() {
            return Fact::Absent;
        }
        let text = self.together[side as usize].get_or_init(|| {
            let texts: Vec<&[u8]> = fields.iter().map(|field| field.as_deref().unwrap_or_default()).collect();
            [&b"{"[..], &texts.join(&b'|'), b"}"].concat()
        });
        Fact::Text(text)
    }

    /// The same, each apart.
    fn captured_apart(&self, side: Side) -> Fact<'_> {
        match self.kept(side) {
            [] => Fact::Absent,
            fields => Fact::Fields(fields),
        }
    }

    /// What is kept of a direction, by place.
    fn kept(&self, side: Side) -> &[Option<Vec<u8>>] {
        let places = self.front.frontend.as_ref().map_or(0, |front| front.captures.of(side).len());
        let fetch = match side {
            Side::Request => Known::CaptureReqHdr,
            Side::Response => Known::CaptureResHdr,
        };
        self.fields[side as usize].get_or_init(|| {
            let fields = (0..places).map(|place| {
                let asked = [Arg::Int(i64::try_from(place).ok()?)];
                let kept = self.samples.known(fetch, &asked).value()?.into_text();
                let mut field = Vec::with_capacity(kept.len());
                kept.iter().for_each(|byte| match byte {
                    b'{' => field.extend_from_slice(b"#7B"),
                    b'|' => field.extend_from_slice(b"#7C"),
                    b'}' => field.extend_from_slice(b"#7D"),
                    byte => line::escape(&mut field, std::slice::from_ref(byte)),
                });
                Some(field)
            });
            fields.collect()
        })
    }

    /// A timer or a count that still grows when the line is written early.
    fn growing(&self, number: i64) -> Fact<'static> {
        if self.front.log_asap { Fact::Growing(number) } else { Fact::Number(number) }
    }

    fn timer(value: Option<u32>) -> Fact<'static> {
        Fact::Number(value.map_or(-1, i64::from))
    }

    /// The time from the connection to the end.
    fn data_time(&self) -> i64 {
        let timers = self.record.timers;
        match (timers.queue, timers.connect) {
            (queue, Some(connect)) => {
                let before = u64::from(queue.unwrap_or(0)) + u64::from(connect) + u64::from(timers.handshake);
                i64::from(timers.total).saturating_sub_unsigned(before).max(0)
            }
            _ => -1,
        }
    }
}

impl Request<'_> {
    /// A variable that only requests have.
    fn fact(&self, variable: Variable) -> Fact<'_> {
        let session = &self.record.session;
        let bad = self.line == BAD;
        let mut words = self.line.splitn(3, |byte| *byte == b' ');
        let method = words.next().unwrap_or_default();
        let uri = if bad { BAD } else { words.next().unwrap_or_default() };
        let version = if bad { BAD } else { words.next().unwrap_or_default() };
        let query = uri.iter().position(|byte| *byte == b'?').unwrap_or(uri.len());
        match variable {
            Variable::Request => Fact::Text(&self.line),
            Variable::Method => Fact::Text(method),
            Variable::Uri => Fact::Text(uri),
            Variable::Path | Variable::PathOnly => Fact::Text(&uri[..query]),
            Variable::Query if bad => Fact::Text(BAD),
            Variable::Query if query == uri.len() => Fact::Empty,
            Variable::Query => Fact::Text(&uri[query..]),
            Variable::HttpVersion => Fact::Text(version),
            Variable::TimeHeaders | Variable::TimeRequest => View::timer(self.record.request_time),
            Variable::TimeIdle => Fact::Number(0),
            Variable::TimeResponse => Fact::Number(line::response_time(session)),
            Variable::RequestDate => Fact::Date(Date::Millis),
            Variable::RequestDateGmt => Fact::Date(Date::Gmt),
            Variable::RequestDateLocal => Fact::Date(Date::Local),
            _ => Fact::Unknown,
        }
    }
}

fn ip(peer: Option<Peer>) -> Fact<'static> {
    match peer {
        None => Fact::Unknown,
        Some(Peer::Inet(address)) => Fact::Ip(address.ip()),
        Some(Peer::Unix(_)) => Fact::Unix,
    }
}

fn port(peer: Option<Peer>) -> Fact<'static> {
    match peer {
        None => Fact::Unknown,
        Some(Peer::Inet(address)) => Fact::Hex(u64::from(address.port()), 4),
        Some(Peer::Unix(id)) => Fact::Number(i64::from(id)),
    }
}

impl LogFacts for View<'_> {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        let record = self.record;
        let timers = record.timers;
        // A client of a unix socket has connected to the socket's listener.
        let local = match record.client {
            Peer::Unix(id) => Some(Peer::Unix(id)),
            Peer::Inet(_) => record.local.map(Peer::Inet),
        };
        let count = |number: u32| Fact::Number(i64::from(number));
        let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        match variable {
            Variable::BytesOut => self.growing(bytes(record.bytes_out)),
            Variable::BytesIn => Fact::Number(bytes(record.bytes_in)),
            Variable::Host => Fact::Text(self.env.hostname.as_bytes()),
            Variable::Id => Fact::Text(self.id),
            Variable::Status => Fact::Number(self.http.as_ref().map_or(0, |http| i64::from(http.record.status))),
            Variable::DateGmt => Fact::Date(Date::Gmt),
            Variable::DateLocal => Fact::Date(Date::Local),
            Variable::Date => Fact::Date(Date::Millis),
            Variable::Timestamp => Fact::Hex(date::since_epoch(record.accepted).as_secs(), 4),
            Variable::Millis => Fact::Millis(date::since_epoch(record.accepted).subsec_millis()),
            Variable::TimeConnect => Self::timer(timers.connect),
            Variable::TimeData => Fact::Number(self.data_time()),
            Variable::TimeHandshake => count(timers.handshake),
            Variable::TimeTotal | Variable::TimeUser | Variable::TimeActive => self.growing(i64::from(timers.total)),
            Variable::TimeQueue => Self::timer(timers.queue),
            Variable::ProcessSessions => count(record.process_sessions),
            Variable::FrontendSessions => count(record.frontend_sessions),
            Variable::BackendSessions => count(record.backend_sessions),
            Variable::ServerSessions => count(record.server_sessions),
            Variable::BackendQueue => count(record.backend_queue),
            Variable::ServerQueue => count(record.server_queue),
            Variable::Retries if record.redispatched => Fact::Growing(i64::from(record.retries)),
            Variable::Retries => count(record.retries),
            Variable::Backend => Fact::Text(self.back.name.as_bytes()),
            Variable::Frontend | Variable::FrontendTransport => Fact::Text(self.front.name.as_bytes()),
            Variable::Server => Fact::Text(self.server.as_bytes()),
            Variable::ClientIp => ip(Some(record.client)),
            Variable::ClientPort => port(Some(record.client)),
            Variable::FrontendIp => ip(local),
            Variable::FrontendPort => port(local),
            Variable::SourceIp => ip(record.source),
            Variable::SourcePort => port(record.source),
            Variable::ServerIp => ip(record.destination),
            Variable::ServerPort => port(record.destination),
            Variable::LogCounter => Fact::Hex(self.logged, 4),
            Variable::Pid => Fact::Hex(u64::from(std::process::id()), 4),
            Variable::RequestCounter => Fact::Hex(record.number, 4),
            Variable::Termination => Fact::Plain(&self.state[..2]),
            Variable::TerminationCookie => Fact::Plain(&self.state),
            Variable::RequestHeaders => self.captures(Side::Request),
            Variable::RequestHeadersClf => self.captured_apart(Side::Request),
            Variable::ResponseHeaders => self.captures(Side::Response),
            Variable::ResponseHeadersClf => self.captured_apart(Side::Response),
            Variable::RequestCookie | Variable::ResponseCookie | Variable::TlsCipher | Variable::TlsVersion => {
                Fact::Unknown
            }
            of_requests => self.http.as_ref().map_or(Fact::Unknown, |http| http.fact(of_requests)),
        }
    }

    fn samples(&self) -> &dyn Facts {
        self.samples
    }

    fn date(&self, which: Date, out: &mut Vec<u8>) {
        match which {
            Date::Millis => date::accept(out, self.record.accepted, self.env),
            Date::Gmt => date::zoned(out, self.record.accepted, None),
            Date::Local => date::zoned(out, self.record.accepted, Some(self.env)),
        }
    }
}
