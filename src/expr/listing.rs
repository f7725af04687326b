//! What `-dK` lists of fetches and converters: types, arguments and places, in the shape of haproxy's lists.
//!
//! Source: `haproxy -dKsmp` and `-dKcnv` of 2.6.

use std::fmt::Write as _;

use super::{Place, Type, convert, fetch};
use crate::grammar::{self, Kind, Support};

/// The converters that act, one a line: what they give and what they take.
pub fn converters() -> String {
    let mut out = String::from("# List of registered sample converter functions:\n");
    for name in built(Kind::Converter) {
        if let Some(row) = convert::named(name.as_bytes()) {
            let _ = writeln!(out, "{name}{}: {} => {}", arguments(row.spec()), kind(row.gives), kind(row.takes));
        }
    }
    out
}

/// The fetches that act, one a line: where they may stand, and what they give.
pub fn fetches() -> String {
    let mut out = String::from("# List of registered sample fetch functions:\n");
    for name in built(Kind::Fetch) {
        if let Some(row) = fetch::named(name.as_bytes()) {
            out.push_str("[ ");
            for place in Place::ALL {
                out.push_str(if row.places.allow(*place) { "Y " } else { ". " });
            }
            let _ = writeln!(out, "] {name}{}: {}", arguments(row.spec), kind(row.gives));
        }
    }
    out
}

fn built(kind: Kind) -> impl Iterator<Item = &'static str> {
    grammar::rows(kind).iter().filter(|row| row.support == Support::Full).map(|row| row.keyword)
}

/// The name of a type in these lists.
fn kind(kind: Type) -> &'static str {
    match kind {
        Type::Any => "any",
        Type::Bool => "bool",
        Type::Int => "sint",
        Type::Addr => "addr",
        Type::Ipv4 => "ipv4",
        Type::Ipv6 => "ipv6",
        Type::Str => "str",
        Type::Bin => "bin",
        Type::Method => "meth",
    }
}

/// The kinds of the arguments; those that may be left out stand in brackets.
fn arguments(spec: &str) -> String {
    let (must, may) = spec.split_once('|').unwrap_or((spec, ""));
    let names = |kinds: &str| kinds.chars().map(argument).collect::<Vec<_>>().join(",");
    match (must.is_empty(), may.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("({})", names(must)),
        (true, false) => format!("([{}])", names(may)),
        (false, false) => format!("({}[,{}])", names(must), names(may)),
    }
}

fn argument(kind: char) -> &'static str {
    match kind {
        'i' => "integer",
        't' => "table",
        'b' => "backend",
        'f' => "frontend",
        'v' => "server",
        'a' => "IPv4 address",
        'A' => "IPv6 address",
        'm' => "IPv4 mask",
        'M' => "IPv6 mask",
        'r' => "regex",
        'p' => "unset",
        _ => "string",
    }
}
