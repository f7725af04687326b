//! Fetches about a session: its backend, its server, their connection, and how far it has come.
//!
//! Source: manual §7.3.2, §7.3.3; when a time limit or a server is known was asked of 2.6.12. Fetches of later versions
//! are the same facts as the variables of log lines (§8.2.6).

use super::View;
use super::client::{ip, port, span};
use crate::engine::clock;
use crate::engine::dispatch::Step;
use crate::engine::placing::Placing;
use crate::engine::session::Session;
use crate::expr::{Arg, Known, Value};
use crate::ir::{Proxy, TrackRef};
use crate::pool::{Cause, Peer, Termination};
use crate::sys;
use crate::units::Millis;

impl View<'_> {
    pub(super) fn of_session(&self, fetch: Known, args: &[Arg]) -> Option<Value<'_>> {
        use Known as K;
        let session = self.session()?;
        let number = match fetch {
            K::BeName => return Some(Value::text(self.backend(session)?.name.as_bytes())),
            K::SrvName => {
                let server = self.shard.shared.pool.known(self.server(session)?)?;
                return Some(Value::text(server.name.as_bytes()));
            }
            K::BcErrStr if session.connect_time.get().is_some() => return Some(Value::text(b"Success")),
            K::BcSrc => return ip(inet(session.server_ends(&self.shard.shared).0)),
            K::BcSrcPort => return port(inet(session.server_ends(&self.shard.shared).0)),
            K::BcDst => return ip(inet(session.server_ends(&self.shard.shared).1)),
            K::BcDstPort => return port(inet(session.server_ends(&self.shard.shared).1)),
            K::BcReused => return session.connect_time.get().map(|_| Value::Bool(false)),
            K::BcRtt | K::BcRttvar => {
                let info = sys::tcp::info(session.server.as_ref()?.get_ref())?;
                return Some(span(if fetch == K::BcRtt { info.rtt } else { info.rttvar }, args));
            }
            K::TxnRedispatched => return Some(Value::Bool(session.placing.is(Placing::REDISPATCHED))),
            K::TxnSessTermState => {
                let end = session.end.unwrap_or_default();
                return Some(Value::owned(vec![end.cause as u8, end.phase as u8]));
            }
            K::LastRuleFile => {
                let files = &self.shard.shared.pool.config.files;
                return files.get(session.last_rule.get()?.file()).map(|file| Value::text(file.as_bytes()));
            }
            K::LastEntity => {
                let rule = session.last_rule.get()?;
                let file = self.shard.shared.pool.config.files.get(rule.file())?;
                return Some(Value::owned(format!("{file}:{}", rule.line()).into_bytes()));
            }
            // What `%rt` counts.
            K::TxnId32 => i64::from(session.number as u32),
            K::LastRuleLine => session.last_rule.get()?.line().into(),
            K::BeId => self.backend(session)?.id.into(),
            K::SrvId => self.shard.shared.pool.known(self.server(session)?)?.id.into(),
            K::BcErr => session.connect_time.get().map(|_| 0)?,
            K::BcBeQueue => session.backend_queue.into(),
            K::BcSrvQueue => session.server_queue.into(),
            K::TxnConnRetries => session.retries.into(),
            K::BcTimerConnect => session.connect_time.get().map_or(-1, i64::from),
            K::ReqTimerQueue => session.queue_time.get().map_or(-1, i64::from),
            K::ResTimerData => data_time(session),
            K::TxnTimerTotal | K::TxnTimerUser => clock::now().since(session.accepted).cast_signed(),
            K::BytesIn | K::ReqBytesIn => session.up.bytes.cast_signed(),
            K::ReqBytesOut => session.up.forwarded().cast_signed(),
            K::ResBytesIn => session.down.bytes.cast_signed(),
            K::BytesOut | K::ResBytesOut => session.down.forwarded().cast_signed(),
            // Nothing is profiled: haproxy says so, too, unless it is told to.
            K::CpuNsAvg | K::CpuNsTot | K::LatNsAvg | K::LatNsTot => 0,
            K::PrioClass | K::PrioOffset => 0,
            _ => return self.limit(session, fetch).map(Value::Int),
        };
        Some(Value::Int(number))
    }

    /// Time limits in milliseconds; 0: none, or none in force yet.
    fn limit(&self, session: &Session, fetch: Known) -> Option<i64> {
        use Known as K;
        let (front, back) = (&session.front_proxy(&self.shard.shared).timeouts, &self.backend(session)?.timeouts);
        let relays =
            matches!(session.step, Step::Relaying) || session.end.is_some() && session.connect_time.get().is_some();
        // Both sides have the limit of a tunnel once the first answer has passed.
        let tunnel = back.tunnel.filter(|_| relays && !session.placing.is(Placing::ANSWERING));
        let limit = match fetch {
            K::BeServerTimeout => back.server,
            K::BeTunnelTimeout => back.tunnel,
            K::BeConnectTimeout | K::CurConnectTimeout => back.connect,
            K::BeQueueTimeout | K::CurQueueTimeout => back.queue.or(back.connect),
            K::CurClientTimeout => tunnel.or(front.client),
            K::CurServerTimeout => tunnel.or(back.server).filter(|_| relays),
            K::CurTunnelTimeout => back.tunnel.filter(|_| relays),
            _ => return None,
        };
        Some(limit.map_or(0, |limit: Millis| limit.get().into()))
    }

    fn backend(&self, session: &Session) -> Option<&Proxy> {
        self.shard.shared.pool.config.proxies.get(session.back.0 as usize)
    }

    fn server(&self, session: &Session) -> Option<TrackRef> {
        session.target.map(|server| TrackRef { proxy: session.back, server })
    }
}

impl Session {
    /// Whether something has gone wrong so far, as `option dontlog-normal` means it.
    pub(super) fn is_troubled(&self) -> bool {
        let good = |end: Termination| matches!(end.cause, Cause::Normal | Cause::Local);
        !self.end.is_none_or(good) || self.retries > 0 || self.placing.is(Placing::REDISPATCHED)
    }
}

fn inet(peer: Option<Peer>) -> Option<std::net::SocketAddr> {
    match peer? {
        Peer::Inet(address) => Some(address),
        Peer::Unix(_) => None,
    }
}

/// The time since the connection to the server was there; -1 before it is.
fn data_time(session: &Session) -> i64 {
    let Some(connect) = session.connect_time.get() else { return -1 };
    let before = u64::from(session.queue_time.get().unwrap_or(0)) + u64::from(connect);
    clock::now().since(session.accepted).saturating_sub(before).cast_signed()
}
