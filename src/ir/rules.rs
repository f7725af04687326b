//! Rules: what is done with connections, with what they say, and with requests for pages, and on which condition.

use std::sync::Arc;

use super::table::Datum;
use super::{BandwidthLimit, Level, ProxyIx, SetBandwidth};
use crate::expr::{Condition, Expr, NameRef, Side, TableRef, Template, VarConditions, VarName};
use crate::text::Span;
use crate::units::Millis;
use crate::units::address::Family;

/// One rule: what is done, and when.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What is done.
    pub action: Action,
    /// When; `None`: always.
    pub when: Option<Condition>,
    /// The line, as `last_rule_file` and `last_rule_line` tell it.
    pub span: Span,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub enum Action {
    /// No more rules are looked at: it goes on.
    Accept,
    /// Nothing; what its condition waits for is waited for all the same, and what it counts is counted.
    Nothing,
    /// The connection ends.
    Reject,
    /// The connection to the server ends; the client's after it.
    Close,
    /// The client is left alone: it hears nothing, not even that the connection is gone. A number: a reset is sent that gets so
    /// many routers far.
    SilentDrop(Option<u8>),
    /// A line is written, besides that of the session.
    Log,
    /// A PROXY header must come first.
    ExpectProxy,
    /// A NetScaler header must come first.
    ExpectNetscaler,
    /// A variable gets the value of an expression, if these conditions hold.
    SetVar(VarName, VarConditions, Expr),
    /// A variable gets a text, if these conditions hold.
    SetVarFormat(VarName, VarConditions, Template),
    /// A variable is forgotten.
    UnsetVar(VarName),
    /// An address or a port of the client's connection is taken for another.
    SetEnd(End, Expr),
    /// The packets to the client are marked so.
    Mark(Amount),
    /// The packets to the client have this type of service.
    Tos(Amount),
    /// The packets to the server are marked so.
    ServerMark(Amount),
    /// The packets to the server have this type of service.
    ServerTos(Amount),
    /// So many attempts to connect are repeated, and not as many as the backend says; at most [`MOST_RETRIES`].
    Retries(Amount),
    /// The session's line has this level; none: there is no line.
    LogLevel(Option<Level>),
    /// Queues serve lower classes first.
    PriorityClass(Expr),
    /// Queues take the session as one that came so many milliseconds later.
    PriorityOffset(Expr),
    /// `capture`: what an expression gives is kept for the log.
    Capture(Capture),
    /// `do-resolve`: the session waits for the address of a name.
    Resolve(Box<NameLookup>),
    /// `track-sc*`.
    Track(Box<Track>),
    /// `sc-inc-gpc*`, `sc-add-gpc`: a counter of a tracked entry grows.
    Count(Count),
    /// `sc-set-gpt*`: a tag of a tracked entry is set.
    SetTag(Count),
    /// `set-bandwidth-limit`: a limit holds from now on.
    LimitBandwidth(Box<SetBandwidth>),
}

/// Most retries that a rule may set.
pub const MOST_RETRIES: u32 = 100;

/// What is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client's address.
    Source,
    /// Its port.
    SourcePort,
    /// The address that it connected to.
    Destination,
    /// That port.
    DestinationPort,
}

/// The places that a frontend has for captures, and the most bytes that each holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    /// Those of requests: `declare capture request`, and each `tcp-request content capture`.
    pub request: Vec<u32>,
    /// Those of responses: `declare capture response`.
    pub response: Vec<u32>,
}

impl Captures {
    /// Those of a direction.
    pub fn of(&self, side: Side) -> &[u32] {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }
}

/// What is kept for the log.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Its place among those of the frontend's requests: see [`super::Frontend::captures`].
    pub slot: u32,
    /// What is kept.
    pub value: Expr,
    /// The most bytes of it.
    pub len: u32,
}

/// A name whose address is looked up for a session.
#[derive(Debug, Clone)]
pub struct NameLookup {
    /// The variable that gets the address; `None`: the line names none that can be.
    pub variable: Option<VarName>,
    /// The `resolvers` section.
    pub section: NameRef,
    /// The family that is preferred; [`Family::Any`]: not said.
    pub prefer: Family,
    /// The name.
    pub name: Expr,
}

/// Whose entry a session tracks from now on.
#[derive(Debug, Clone)]
pub struct Track {
    /// The number that the entry is known by.
    pub counter: u32,
    /// The key.
    pub key: Expr,
    /// The table; an empty name is that of the own proxy.
    pub table: TableRef,
}

/// What is done to a datum of a tracked entry.
#[derive(Debug, Clone)]
pub struct Count {
    /// The number of the entry.
    pub counter: u32,
    /// The datum.
    pub what: Datum,
    /// Its place in an array; else 0.
    pub index: u32,
    /// How much.
    pub by: Amount,
}

/// A number, or what gives one.
#[derive(Debug, Clone)]
pub enum Amount {
    /// A number.
    Number(u32),
    /// An expression; where it gives no number, nothing is done.
    Expr(Expr),
}

/// The rules of a proxy, in the order of its lines.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// `tcp-request connection`: as soon as a connection is accepted.
    pub connection: Vec<Rule>,
    /// `tcp-request session`: when its PROXY header was read.
    pub session: Vec<Rule>,
    /// `tcp-request content`: with what the client has sent.
    pub request: Vec<Rule>,
    /// `tcp-request inspect-delay`: how long these wait for more.
    pub request_delay: Option<Millis>,
    /// `tcp-response content`: with what the server has sent.
    pub response: Vec<Rule>,
    /// `tcp-response inspect-delay`.
    pub response_delay: Option<Millis>,
    /// `use_backend`: the first whose condition holds.
    pub switching: Vec<Switch>,
    /// `filter bwlim-in`, `filter bwlim-out`: what rules of the section can put on sessions.
    pub limits: Vec<Arc<BandwidthLimit>>,
}

/// One `use_backend` line.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Where sessions go.
    pub to: Destination,
    /// When; `None`: always.
    pub when: Option<Condition>,
    /// The line.
    pub span: Span,
}

/// Where sessions go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// To a backend.
    Backend(ProxyIx),
    /// To the backend that this text names then; to the default one if there is none of that name.
    Named(Template),
}

impl Rules {
    /// The backends that sessions may go to, as far as they are named: by `use_backend`, and the default one.
    pub fn backends(&self, default: Option<usize>) -> Vec<usize> {
        let named = self.switching.iter().filter_map(|switch| match switch.to {
            Destination::Backend(ProxyIx(at)) => usize::try_from(at).ok(),
            Destination::Named(_) => None,
        });
        named.chain(default).collect()
    }

    /// Whether names are looked up for sessions.
    pub fn resolve(&self) -> bool {
        self.request.iter().any(|rule| matches!(rule.action, Action::Resolve(_)))
    }

    /// Whether something is to be decided between the accepting of a connection and the choice of its server.
    pub fn decide(&self) -> bool {
        !self.request.is_empty() || !self.switching.is_empty()
    }
}

/// One `http-request` rule.
#[derive(Debug, Clone)]
pub struct HttpRule {
    /// Who answers.
    pub service: Service,
    /// When; `None`: always.
    pub when: Option<Condition>,
}

/// What answers requests by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `prometheus-exporter`.
    PrometheusExporter,
}
