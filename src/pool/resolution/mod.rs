//! Names at run time: what is asked when, what an answer makes of servers, what is counted.
//!
//! A [`Section`] decides for one `resolvers` section: whoever has the sockets asks what it says and tells it what was
//! heard and when. Knows no socket and no message on the wire; servers change through the same functions as by an order.
//! Source: manual §5.3; what 2.6.12 was seen to do is in docs/OBSERVED.md.

mod change;
mod hosts;
mod inquiry;
mod question;
mod section;
mod services;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};

pub use self::inquiry::Inquiry;
pub use self::question::Ask;
pub use self::section::{Section, Turn};
use super::Pool;
use super::counters::Counter;
use crate::ir::{Global, ResolversIx, TrackRef};
use crate::units::address::Family;

/// What is asked of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    V4,
    /// IPv6 addresses.
    V6,
    /// Hosts and ports of a service.
    Service,
}

impl Kind {
    /// What is asked first of a host.
    fn of(prefer: Family) -> Self {
        match prefer {
            Family::V4 => Self::V4,
            Family::Any | Family::V6 => Self::V6,
        }
    }

    /// What is asked when this has no answer.
    fn other(self) -> Option<Self> {
        match self {
            Self::V4 => Some(Self::V6),
            Self::V6 => Some(Self::V4),
            Self::Service => None,
        }
    }
}

/// A valid answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Addresses of a host.
    Hosts(Vec<IpAddr>),
    /// Where a service is.
    Services(Vec<Service>),
}

/// One place of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Host name, lower case, without a dot at its end.
    pub target: String,
    /// Port.
    pub port: u16,
    /// Weight, 0 to 65535.
    pub weight: u16,
    /// What the answer said of its host's addresses besides.
    pub addresses: Vec<IpAddr>,
}

/// An answer of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// NXDOMAIN.
    NoName,
    /// REFUSED.
    Refused,
    /// Another error.
    Error,
    /// It was cut short.
    Truncated,
    /// It has no record.
    Empty,
    /// It leads to another name and says nothing of that.
    Alias,
    /// It answers something else, or cannot be read.
    Invalid,
}

/// Why a name does not resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub enum Status {
    Nx,
    Refused,
    Timeout,
    Other,
}

impl Fault {
    fn status(self) -> Status {
        match self {
            Self::NoName => Status::Nx,
            Self::Refused => Status::Refused,
            _ => Status::Other,
        }
    }
}

impl Status {
    /// As log lines have it.
    const fn text(self) -> &'static str {
        match self {
            Self::Nx => "DNS NX status",
            Self::Refused => "DNS refused status",
            Self::Timeout => "DNS timeout status",
            Self::Other => "unspecified DNS error",
        }
    }
}

/// What was heard from one name server, as `show resolvers` tells it.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names are those of 'show resolvers'")]
pub struct NameserverState {
    pub sent: Counter,
    pub send_errors: Counter,
    pub valid: Counter,
    /// Valid answers that changed a server.
    pub updates: Counter,
    pub alias_errors: Counter,
    pub empty: Counter,
    pub nx: Counter,
    pub refused: Counter,
    pub other: Counter,
    pub invalid: Counter,
    pub too_big: Counter,
    pub truncated: Counter,
    /// Answers that nobody waited for.
    pub outdated: Counter,
}

impl NameserverState {
    fn count(&self, fault: Fault) {
        let counter = match fault {
            Fault::NoName => &self.nx,
            Fault::Refused => &self.refused,
            Fault::Error => &self.other,
            Fault::Truncated => &self.truncated,
            Fault::Empty => &self.empty,
            Fault::Alias => &self.alias_errors,
            Fault::Invalid => &self.invalid,
        };
        counter.add(1);
    }
}

/// What is wanted besides what is due.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// It is looked up by another host name from now on.
    Host(TrackRef, String),
    /// It is looked up soon: it may be elsewhere.
    Soon(TrackRef),
    /// A session waits for the address of a name.
    Name(Weak<Inquiry>),
}

impl Wanted {
    /// The section that it is for; `None`: nobody wants it any more.
    pub fn section(&self, pool: &Pool) -> Option<ResolversIx> {
        match self {
            Self::Host(at, _) | Self::Soon(at) => Some(pool.server(*at)?.resolve.as_ref()?.section),
            Self::Name(inquiry) => Some(inquiry.upgrade()?.section),
        }
    }
}

/// Who takes such an order.
type Listener = Box<dyn Fn(Wanted) + Send + Sync>;

/// What all threads know of name resolution.
#[derive(Default)]
pub struct Resolution {
    /// Per section, per name server.
    nameservers: Box<[Box<[NameserverState]>]>,
    listener: OnceLock<Listener>,
}

impl std::fmt::Debug for Resolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolution").field("nameservers", &self.nameservers).finish_non_exhaustive()
    }
}

impl Resolution {
    pub(super) fn new(global: &Global) -> Self {
        let of =
            |section: &crate::ir::Resolvers| section.nameservers.iter().map(|_| NameserverState::default()).collect();
        Self { nameservers: global.resolvers.iter().map(of).collect(), listener: OnceLock::new() }
    }

    /// The counters of a section's name servers, in order.
    pub fn nameservers(&self, section: ResolversIx) -> &[NameserverState] {
        self.nameservers.get(section.0 as usize).map_or(&[], |all| all)
    }

    /// Has orders go there. Only the first call counts.
    pub fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }
}

impl Pool {
    /// Whether a server's host name is looked up at run time.
    pub fn is_resolved(&self, at: TrackRef) -> bool {
        self.server(at).is_some_and(|server| server.resolve.is_some())
    }

    /// Has a server looked up by another host name. `false`: it is not looked up at run time, or its name comes from the
    /// records of a service.
    pub fn resolve_by(&self, at: TrackRef, host: &str) -> bool {
        let server = self.server(at).and_then(|server| server.resolve.as_ref());
        if server.is_none_or(|resolve| resolve.service.is_some()) {
            return false;
        }
        self.set_server_host(at.proxy, at.server, host);
        if let Some(listener) = self.resolution.listener.get() {
            listener(Wanted::Host(at, host.to_owned()));
        }
        true
    }

    /// Has a name looked up for a session.
    pub fn inquire(&self, inquiry: &Arc<Inquiry>) {
        if let Some(listener) = self.resolution.listener.get() {
            listener(Wanted::Name(Arc::downgrade(inquiry)));
        }
    }

    /// Nobody was reached at a server's address: its name may lead elsewhere by now.
    pub fn resolve_soon(&self, at: TrackRef) {
        if let Some(listener) = self.resolution.listener.get().filter(|_| self.is_resolved(at)) {
            listener(Wanted::Soon(at));
        }
    }
}
