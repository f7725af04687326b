//! Fetches about the client's connection and the frontend it came in on.
//!
//! A round trip and its like are known once there is a session, as with haproxy. Source: manual §7.3.3.

use std::net::{IpAddr, SocketAddr};

use rustix::net::{getpeername, getsockname};

use super::{Caller, Outcome, Subject, View};
use crate::engine::clock;
use crate::expr::{Arg, Known, Value};
use crate::pool::Peer;
use crate::sys;
use crate::units::proxy_header::find;

impl View<'_> {
    pub(super) fn of_client(&self, fetch: Known, args: &[Arg]) -> Option<Value<'_>> {
        use Known as K;
        match fetch {
            K::Src => ip(self.source()),
            K::SrcPort => port(self.source()),
            K::Dst => ip(self.local()),
            K::DstPort => port(self.local()),
            K::FcSrc => ip(self.own_source()),
            K::FcSrcPort => port(self.own_source()),
            K::FcDst => ip(self.own_local()),
            K::FcDstPort => port(self.own_local()),
            K::SrcIsLocal => self.is_local(self.source()),
            K::DstIsLocal => self.is_local(self.local()),
            K::FcSrcIsLocal => self.is_local(self.own_source()),
            K::FcDstIsLocal => self.is_local(self.own_local()),
            K::FcRcvdProxy if self.error().is_some() => None,
            K::FcRcvdProxy => Some(Value::Bool(self.announced().is_some_and(|announced| announced.proxied))),
            K::FcPpAuthority => self.announced()?.authority.as_deref().map(Value::text),
            K::FcPpUniqueId => self.announced()?.unique_id.as_deref().map(Value::text),
            K::FcPpTlv => {
                let kind = u8::try_from(args.first()?.int()?).ok()?;
                find(&self.announced()?.tlvs, kind).map(Value::text)
            }
            K::FcSavedSyn => sys::tcp::take_saved_syn(&self.socket()?).map(Value::bytes),
            K::FcErr => Some(Value::Int(self.error().map_or(0, |error| error.0))),
            K::FcErrStr => Some(Value::text(self.error().map_or("Success", |error| error.1).as_bytes())),
            K::AcceptDate => {
                let micros = self.wall();
                Some(Value::Int(match args.first().and_then(Arg::text) {
                    Some(b"us") => micros,
                    Some(b"ms") => micros / 1000,
                    _ => micros / 1_000_000,
                }))
            }
            K::FcTimerHandshake => {
                let begun = self.announced().map_or(0, |announced| announced.begun.since(self.accepted()));
                Some(Value::Int(begun.cast_signed()))
            }
            K::FcTimerTotal => Some(Value::Int(clock::now().since(self.accepted()).cast_signed())),
            K::DstConn => {
                let (_, listener) = self.seat().counters()?;
                Some(Value::Int(listener?.sessions.get().into()))
            }
            K::SoId => Some(Value::Int(self.seat().bind()?.id.into())),
            K::SoName => {
                let bind = self.seat().bind()?;
                // An address that has no name is called by its number elsewhere.
                let number = bind.name.strip_prefix("sock-").and_then(|number| number.parse().ok());
                (number != Some(bind.id)).then(|| Value::text(bind.name.as_bytes()))
            }
            K::FeId => Some(Value::Int(self.seat().proxy()?.1.id.into())),
            K::FeName => Some(Value::text(self.seat().proxy()?.1.name.as_bytes())),
            K::FeClientTimeout => {
                let limit = self.seat().proxy()?.1.timeouts.client;
                Some(Value::Int(limit.map_or(0, |limit| limit.get().into())))
            }
            K::FeDefbe => {
                let default = self.seat().proxy()?.2.default_backend?;
                let backend = self.shard.shared.pool.config.proxies.get(default.0 as usize)?;
                Some(Value::text(backend.name.as_bytes()))
            }
            K::FcRtt
            | K::FcRttvar
            | K::FcUnacked
            | K::FcSacked
            | K::FcLost
            | K::FcRetrans
            | K::FcFackets
            | K::FcReordering => self.of_kernel(fetch, args),
            K::Thread => Some(Value::Int(self.shard.thread.into())),
            _ => None,
        }
    }

    /// What the kernel says of the client's connection.
    fn of_kernel(&self, fetch: Known, args: &[Arg]) -> Option<Value<'_>> {
        self.session()?;
        let info = sys::tcp::info(&self.socket()?)?;
        let number = match fetch {
            Known::FcRtt => return Some(span(info.rtt, args)),
            Known::FcRttvar => return Some(span(info.rttvar, args)),
            Known::FcUnacked => info.unacked,
            Known::FcSacked => info.sacked,
            Known::FcLost => info.lost,
            Known::FcRetrans => info.retrans,
            Known::FcFackets => info.fackets,
            Known::FcReordering => info.reordering,
            _ => return None,
        };
        Some(Value::Int(number.into()))
    }

    /// The client's address, as its PROXY header or a rule has it.
    fn source(&self) -> Option<SocketAddr> {
        match self.peer() {
            Peer::Inet(address) => Some(address),
            Peer::Unix(_) => None,
        }
    }

    /// The address that its connection comes from.
    fn own_source(&self) -> Option<SocketAddr> {
        getpeername(self.socket()?).ok()??.try_into().ok()
    }

    /// The address that its connection goes to.
    fn own_local(&self) -> Option<SocketAddr> {
        let socket = self.socket()?;
        let here: SocketAddr = getsockname(socket).ok()?.try_into().ok()?;
        Some(sys::destination::original(&socket, here.is_ipv6()).unwrap_or(here))
    }

    /// Whether this host has an address; that of a unix socket it has.
    fn is_local(&self, address: Option<SocketAddr>) -> Option<Value<'static>> {
        let unix = matches!(self.peer(), Peer::Unix(_));
        Some(Value::Bool(address.map_or(unix, |address| sys::socket::is_local(address.ip()))))
    }

    /// Why the connection became no session: number and words.
    fn error(&self) -> Option<(i64, &str)> {
        match self.subject {
            Subject::Caller(Caller { outcome: Outcome::Refused(number, words), .. }) => Some((*number, words)),
            _ => None,
        }
    }
}

pub(super) fn ip(address: Option<SocketAddr>) -> Option<Value<'static>> {
    address.map(|address| match address.ip() {
        IpAddr::V4(four) => Value::Ipv4(four),
        IpAddr::V6(six) => Value::Ipv6(six),
    })
}

pub(super) fn port(address: Option<SocketAddr>) -> Option<Value<'static>> {
    address.map(|address| Value::Int(address.port().into()))
}

/// Microseconds in the unit that is asked for: milliseconds unless another is named.
pub(super) fn span(micros: u32, args: &[Arg]) -> Value<'static> {
    let micros = i64::from(micros);
    Value::Int(if args.first().and_then(Arg::text) == Some(b"us") { micros } else { micros / 1000 })
}
