//! Fetches: where an expression gets its value from.
//!
//! A name and its arguments become a [`Fetch`] when the configuration is read. What can be computed from the buffer, from
//! variables or from nothing is computed here ([`Fetch::evaluate`]); for the rest the engine is asked
//! ([`crate::expr::Facts::known`]). Names that the grammar has and this module has not (HTTP, TLS) are an error of their own.

mod constant;
mod counter;
mod distcc;
mod evaluate;
mod http;
mod known;
mod payload;
mod places;
mod rdp;
mod tls;
mod vars;

pub use counter::{Counter, Datum, Deed, Tracked};
pub use known::Known;
pub(super) use payload::Then;
pub use tls::Hello;

use self::places::{ALWAYS, BUFFER, CLIENT, LIVE, REQUEST, RESPONSE, STREAM};
use super::args::{self, Args};
use super::condition::NamedAcl;
use super::context::Context;
use super::error::{ArgError, ExprError, Wrong, shown};
use super::{Arg, Places, Scope, Side, Type, Value, VarName};
use crate::grammar::{self, Kind};
use crate::units::proxy_header;

/// Where an expression gets its value from.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetch {
    /// The same value always.
    Constant(Value<'static>),
    /// Never a value: a variable of the environment that is not set.
    Missing,
    /// A variable, and the text that stands for it where it is not set.
    Var(VarName, Option<Box<[u8]>>),
    /// The date, in units of that many microseconds, with an offset.
    Date {
        /// What is added.
        offset: i64,
        /// Microseconds of a unit.
        unit: i64,
    },
    /// The microseconds of the date.
    DateUs,
    /// A random number below this one.
    Rand(u64),
    /// A random UUID.
    Uuid,
    /// Whether the inspection is over.
    WaitEnd,
    /// The number of bytes in a buffer.
    Len(Side),
    /// Bytes of a buffer.
    Payload {
        /// Whose.
        side: Side,
        /// The first of them.
        offset: usize,
        /// How many; 0: all.
        length: usize,
    },
    /// Bytes of a buffer whose number stands before them.
    PayloadLv {
        /// Whose buffer.
        side: Side,
        /// Where the number stands.
        at: usize,
        /// Of how many bytes it is.
        size: usize,
        /// Where they begin.
        then: Then,
    },
    /// The cookie of a request of RDP; with `count` their number.
    RdpCookie {
        /// Its name; empty: any.
        name: Box<[u8]>,
        /// Whether it is counted.
        count: bool,
    },
    /// Something that a hello of TLS says.
    Tls(Side, Hello),
    /// Whether the request is one of HTTP.
    ProtoHttp,
    /// A token of a message of distcc: its number, or with `body` the bytes behind it.
    Distcc {
        /// Whose buffer.
        side: Side,
        /// Its name.
        token: [u8; 4],
        /// Which of those with that name, from 1; 0 is the first, too.
        occurrence: u64,
        /// Whether its bytes are wanted.
        body: bool,
    },
    /// A counter of a stick table.
    Counter(Box<Counter>),
    /// All variables of scopes whose names begin so.
    Vars {
        /// In this order.
        scopes: &'static [Scope],
        /// What names begin with.
        prefix: Box<str>,
        /// What stands between two.
        between: Box<[u8]>,
    },
    /// Whether all these ACLs hold.
    Acls(Box<[NamedAcl]>),
    /// What only the engine knows.
    Known(Known, Box<[Arg]>),
}

/// What the bytes of a buffer say so far.
#[derive(Debug, PartialEq, Eq)]
enum Found<'a> {
    /// A value for good.
    Value(Value<'a>),
    /// None yet.
    More,
    /// None, whatever comes.
    No,
}

/// What a name stands for, before its arguments are read.
#[derive(Clone, Copy)]
pub(super) struct Row {
    name: &'static str,
    pub(super) spec: &'static str,
    pub(super) gives: Type,
    pub(super) places: Places,
}

/// Those that are answered here.
const OWN: &[Row] = &[
    row("acl", "s|sssssssssss", Type::Bool, ALWAYS),
    row("always_false", "", Type::Bool, ALWAYS),
    row("always_true", "", Type::Bool, ALWAYS),
    row("bin", "s", Type::Bin, ALWAYS),
    row("bool", "s", Type::Bool, ALWAYS),
    row("date", "|is", Type::Int, ALWAYS),
    row("date_us", "", Type::Int, ALWAYS),
    row("distcc_body", "s|i", Type::Bin, BUFFER),
    row("distcc_param", "s|i", Type::Int, BUFFER),
    row("dump_all_vars", "|sss", Type::Str, ALWAYS),
    row("env", "s", Type::Str, ALWAYS),
    row("hostname", "", Type::Str, ALWAYS),
    row("int", "i", Type::Int, ALWAYS),
    row("ipv4", "a", Type::Ipv4, ALWAYS),
    row("ipv6", "A", Type::Ipv6, ALWAYS),
    row("meth", "s", Type::Method, ALWAYS),
    row("nbproc", "", Type::Int, ALWAYS),
    row("payload", "ii", Type::Bin, BUFFER),
    row("payload_lv", "ii|s", Type::Bin, BUFFER),
    row("proc", "", Type::Int, ALWAYS),
    row("quic_enabled", "", Type::Bool, ALWAYS),
    row("rand", "|i", Type::Int, ALWAYS),
    row("rdp_cookie", "|s", Type::Str, REQUEST),
    row("rdp_cookie_cnt", "|s", Type::Int, REQUEST),
    row("req.len", "", Type::Int, REQUEST),
    row("req.payload", "ii", Type::Bin, REQUEST),
    row("req.payload_lv", "ii|s", Type::Bin, REQUEST),
    row("req.proto_http", "", Type::Bool, STREAM),
    row("req.rdp_cookie", "|s", Type::Str, REQUEST),
    row("req.rdp_cookie_cnt", "|s", Type::Int, REQUEST),
    row("req.ssl_alpn", "", Type::Str, REQUEST),
    row("req.ssl_cipherlist", "", Type::Bin, CLIENT),
    row("req.ssl_ec_ext", "", Type::Bool, REQUEST),
    row("req.ssl_hello_type", "", Type::Int, REQUEST),
    row("req.ssl_keyshare_groups", "", Type::Bin, CLIENT),
    row("req.ssl_sigalgs", "", Type::Bin, CLIENT),
    row("req.ssl_sni", "", Type::Str, REQUEST),
    row("req.ssl_st_ext", "", Type::Int, REQUEST),
    row("req.ssl_supported_groups", "", Type::Bin, CLIENT),
    row("req.ssl_ver", "", Type::Int, REQUEST),
    row("req_len", "", Type::Int, REQUEST),
    row("req_proto_http", "", Type::Bool, STREAM),
    row("req_rdp_cookie", "|s", Type::Str, REQUEST),
    row("req_rdp_cookie_cnt", "|s", Type::Int, REQUEST),
    row("req_ssl_hello_type", "", Type::Int, REQUEST),
    row("req_ssl_sni", "", Type::Str, REQUEST),
    row("req_ssl_ver", "", Type::Int, REQUEST),
    row("rep_ssl_hello_type", "", Type::Int, RESPONSE),
    row("res.len", "", Type::Int, RESPONSE),
    row("res.payload", "ii", Type::Bin, RESPONSE),
    row("res.payload_lv", "ii|s", Type::Bin, RESPONSE),
    row("res.ssl_hello_type", "", Type::Int, RESPONSE),
    row("str", "s", Type::Str, ALWAYS),
    row("uuid", "|i", Type::Str, ALWAYS),
    row("var", "s|s", Type::Any, ALWAYS),
    row("wait_end", "", Type::Bool, LIVE),
];

const fn row(name: &'static str, spec: &'static str, gives: Type, places: Places) -> Row {
    Row { name, spec, gives, places }
}

/// A fetch, what it gives, and where it may stand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compiled {
    pub(super) fetch: Fetch,
    pub(super) name: &'static str,
    pub(super) gives: Type,
    pub(super) places: Places,
}

/// The fetch of that name.
pub(super) fn named(name: &[u8]) -> Option<Row> {
    if let Some(own) = OWN.iter().find(|row| row.name.as_bytes() == name) {
        return Some(*own);
    }
    if let Some(known) = Known::named(name) {
        return Some(row(known.name(), known.spec(), known.gives(), known.places()));
    }
    let counter = counter::named(name)?;
    Some(row(counter.name, counter.spec(), counter.gives(), counter.places()))
}

/// Reads the fetch that a word begins with; `*at` is behind it then.
///
/// # Errors
/// [`ExprError`].
pub(super) fn read(word: (usize, &[u8]), at: &mut usize, context: &Context<'_>) -> Result<Compiled, ExprError> {
    let text = word.1;
    let start = *at;
    let end = text[start..].iter().position(|byte| b"(,".contains(byte)).map_or(text.len(), |length| start + length);
    let name = &text[start..end];
    let fail = |why| ExprError::new(word.0, start..end, why);
    if name.is_empty() {
        return Err(fail(Wrong::Missing));
    }
    // A blank that the word holds belongs to no name: what stands before it is one.
    if let Some(blank) = name.iter().position(u8::is_ascii_whitespace).filter(|blank| *blank > 0) {
        let name = shown(&name[..blank]);
        return Err(ExprError::new(word.0, start + blank..text.len(), Wrong::NoComma { name }));
    }
    *at = end;
    let Some(row) = named(name) else { return Err(unknown(name, fail)) };
    let (known, counted) = (Known::named(name), counter::named(name));
    let args = args::read(row.name, word, start..end, at, row.spec)?;
    let fetch = match (known, counted) {
        (Some(known), _) => Fetch::Known(known, checked(known, args)?),
        (_, Some(counter)) => Fetch::Counter(Box::new(counter.counter(&args))),
        _ => constant::build(&args, context)?,
    };
    Ok(Compiled { fetch, name: row.name, gives: row.gives, places: row.places })
}

/// The arguments of what only the engine knows: units are of the date, or of a round trip. What the other fetches about a
/// client's connection are given is not looked at, as on 2.6.
fn checked(known: Known, args: Args) -> Result<Box<[Arg]>, ExprError> {
    let given = args.text(0);
    match known {
        _ if args.list.is_empty() => {}
        Known::AcceptDate if !matches!(given, b"s" | b"ms" | b"us") => {
            return Err(args.kind(0, "'s', 'ms' or 'us'"));
        }
        Known::BcRtt | Known::BcRttvar | Known::FcRtt | Known::FcRttvar if !matches!(given, b"ms" | b"us") => {
            return Err(args.kind(0, "'us' or 'ms'"));
        }
        Known::FcPpTlv => return tlv(args),
        _ => {}
    }
    Ok(args.into_list())
}

/// The number of what a PROXY header says: 0 to 255, or one of the names of its specification.
fn tlv(mut args: Args) -> Result<Box<[Arg]>, ExprError> {
    let given = args.text(0);
    let named = proxy_header::TLV_NAMES.iter().find(|(name, _)| name.as_bytes() == given).map(|(_, kind)| *kind);
    let kind = named.or_else(|| u8::try_from(args::int(given)?).ok());
    let kind =
        kind.ok_or_else(|| args.kind(0, "a number from 0 to 255, or 'ALPN', 'AUTHORITY', 'NETNS', 'SSL_CN'…"))?;
    args.set(0, Arg::Int(kind.into()));
    Ok(args.into_list())
}

/// The error of a name that is none of these.
fn unknown(name: &[u8], fail: impl Fn(Wrong) -> ExprError) -> ExprError {
    let text = shown(name);
    let Some(row) = grammar::row(Kind::Fetch, &text) else {
        // An old name for a fetch and a way to compare: only in conditions.
        let near = grammar::nearest_to(Kind::Fetch, name).map(|near| format!("did you mean '{near}'?"));
        return fail(Wrong::UnknownFetch { name: text }).hint(near);
    };
    let layer = match row.manual {
        _ if text.contains("ssl") => "TLS",
        "7.3.6" | "7.3.7" => "HTTP",
        _ => "others",
    };
    fail(Wrong::NotBuilt { what: format!("the fetch '{text}' ({layer})") })
}

impl Fetch {
    /// A number of a range that an argument must lie in.
    fn size(args: &Args, ix: usize) -> Result<usize, ExprError> {
        let number = args.int(ix).unwrap_or(0);
        let most = i64::from(i32::MAX);
        usize::try_from(number)
            .ok()
            .filter(|_| number <= most)
            .ok_or_else(|| args.blame(ix, ArgError::Range { number, least: 0, most }))
    }
}
