//! The counters of stick tables that a session tracks: `sc0_conn_cnt`, `sc_get_gpc(0,1)`, `src_inc_gpc0(table)`…
//!
//! A name is made of whose counter it is, what is done with it, and which it is. Source: manual §7.3.3; arguments and
//! places as `haproxy -dKsmp` of 2.6 lists them.

use super::places::{CLIENT, LIVE};
use crate::expr::args::Args;
use crate::expr::{Arg, Places, TableRef, Type};
use crate::grammar::Support;

/// Whose counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tracked {
    /// That of the entry that the session tracks with this number.
    Sc(u32),
    /// That of the client's address.
    Source,
}

/// What is done with a counter; each gives a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Nothing: its value.
    Get,
    /// One more: its value then.
    Increment,
    /// Zero: its value before.
    Clear,
}

macro_rules! data {
    ($($datum:ident $name:literal,)*) => {
        /// A datum of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Datum {
            $(#[doc = concat!("`", $name, "`.")] $datum,)*
        }

        impl Datum {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$datum,)*];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self { $(Self::$datum => $name,)* }
            }
        }
    };
}

data! {
    BytesInRate "bytes_in_rate",
    BytesOutRate "bytes_out_rate",
    ConnCnt "conn_cnt",
    ConnCur "conn_cur",
    ConnRate "conn_rate",
    Gpc "gpc",
    Gpc0 "gpc0",
    Gpc0Rate "gpc0_rate",
    Gpc1 "gpc1",
    Gpc1Rate "gpc1_rate",
    GpcRate "gpc_rate",
    Gpt "gpt",
    Gpt0 "gpt0",
    GlitchCnt "glitch_cnt",
    GlitchRate "glitch_rate",
    HttpErrCnt "http_err_cnt",
    HttpErrRate "http_err_rate",
    HttpFailCnt "http_fail_cnt",
    HttpFailRate "http_fail_rate",
    HttpReqCnt "http_req_cnt",
    HttpReqRate "http_req_rate",
    KbytesIn "kbytes_in",
    KbytesOut "kbytes_out",
    SessCnt "sess_cnt",
    SessRate "sess_rate",
    Tracked "tracked",
    Trackers "trackers",
    UpdtConnCnt "updt_conn_cnt",
    ServerId "server_id",
    Expire "expire",
    Idle "idle",
    Present "present",
}

impl Datum {
    /// Whether it is an array, so that an index comes first among the arguments.
    pub fn indexed(self) -> bool {
        matches!(self, Self::Gpc | Self::GpcRate | Self::Gpt)
    }
}

/// A counter that an expression asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Whose.
    pub of: Tracked,
    /// What is done with it.
    pub deed: Deed,
    /// Which.
    pub what: Datum,
    /// The element of an array.
    pub index: u32,
    /// Another table than that of the tracked entry; for the client's address: the table, empty for the proxy's own.
    pub table: Option<TableRef>,
}

/// A name of a counter, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    of: Option<Tracked>,
    deed: Deed,
    what: Datum,
    pub(super) name: &'static str,
}

/// All names of counters.
pub(super) fn named(name: &[u8]) -> Option<Named> {
    let text = std::str::from_utf8(name).ok()?;
    let (who, rest) = text.split_once('_')?;
    let of = match who {
        "sc" => None,
        "sc0" => Some(Tracked::Sc(0)),
        "sc1" => Some(Tracked::Sc(1)),
        "sc2" => Some(Tracked::Sc(2)),
        "src" => Some(Tracked::Source),
        _ => return None,
    };
    let (deed, datum) = match rest.split_once('_') {
        Some(("get", datum)) => (Deed::Get, datum),
        Some(("inc", datum)) => (Deed::Increment, datum),
        Some(("clr", datum)) => (Deed::Clear, datum),
        _ => (Deed::Get, rest),
    };
    let what = Datum::ALL.iter().copied().find(|what| what.name() == datum)?;
    let spelled = datum != rest;
    let good = match what {
        Datum::Gpc | Datum::Gpc0 | Datum::Gpc1 => spelled,
        Datum::Gpt | Datum::Gpt0 => spelled && deed == Deed::Get,
        Datum::Tracked | Datum::Trackers => !spelled && of != Some(Tracked::Source),
        Datum::UpdtConnCnt => !spelled && of == Some(Tracked::Source),
        Datum::ServerId | Datum::Expire | Datum::Idle | Datum::Present => false,
        _ => !spelled,
    };
    // `sc0_get_gpc` and its like: 2.6 has the arrays with `sc_` and `src_` alone.
    let array = what.indexed() && matches!(of, Some(Tracked::Sc(_)));
    let row = crate::grammar::row(crate::grammar::Kind::Fetch, text)?;
    // what the tables say is not built counts nowhere
    let built = row.support == Support::Full;
    (good && !array && built).then_some(Named { of, deed, what, name: row.keyword })
}

impl Named {
    pub(super) fn spec(self) -> &'static str {
        match (self.of, self.what.indexed()) {
            (None, true) => "ii|t",
            (None, false) => "i|t",
            (Some(Tracked::Sc(_)), _) => "|t",
            (Some(Tracked::Source), true) => "it",
            (Some(Tracked::Source), false) => "t",
        }
    }

    pub(super) fn gives(self) -> Type {
        if self.what == Datum::Tracked { Type::Bool } else { Type::Int }
    }

    pub(super) fn places(self) -> Places {
        let narrow = matches!(self.what, Datum::KbytesIn | Datum::KbytesOut) || self.of == Some(Tracked::Source);
        if narrow { CLIENT } else { LIVE }
    }

    pub(super) fn counter(self, args: &Args) -> Counter {
        let number = |ix| u32::try_from(args.int(ix).unwrap_or(0)).unwrap_or(u32::MAX);
        let indexed = usize::from(self.what.indexed());
        let index = if indexed == 1 { number(0) } else { 0 };
        let (of, table) = match self.of {
            None => (Tracked::Sc(number(indexed)), indexed + 1),
            Some(of) => (of, indexed),
        };
        let table = match args.get(table) {
            Some(Arg::Table(table)) => Some(table.clone()),
            _ => None,
        };
        Counter { of, deed: self.deed, what: self.what, index, table }
    }
}
