//! How a table and an entry are written, and how data are compared.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ir::table::{Datum, KeyKind, Shape};
use crate::pool::tables::{Table, View};
use crate::units::{PlainIp, Tick};

/// Entries whose time is up and that are taken out before a table is told.
const BUDGET: usize = 100_000;

/// The operators of filters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operator {
    Eq,
    Ne,
    Le,
    Ge,
    Lt,
    Gt,
}

impl Operator {
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "le" => Self::Le,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "gt" => Self::Gt,
            _ => return None,
        })
    }

    pub(super) fn holds(self, data: i64, value: i64) -> bool {
        match self {
            Self::Eq => data == value,
            Self::Ne => data != value,
            Self::Le => data <= value,
            Self::Ge => data >= value,
            Self::Lt => data < value,
            Self::Gt => data > value,
        }
    }
}

/// The line of a table.
pub(super) fn heading(table: &Table, now: Tick) -> String {
    table.expire_some(now, BUDGET);
    let (name, kind, size, used) = (&table.ir.name, table.ir.kind.name(), table.size(), table.used());
    format!("# table: {name}, type: {kind}, size:{size}, used:{used}\n")
}

/// The line of an entry.
pub(super) fn entry(entry: &View<'_>, out: &mut String) {
    let table = entry.table();
    // Writing to a String cannot fail.
    let _ = write!(out, "{:#x}: key=", entry.address());
    key(table.ir.kind, entry.key(), out);
    let _ = write!(out, " use={} exp={}", entry.held(), entry.expires().unwrap_or(0));
    for stored in &table.ir.store {
        for index in 0..stored.elements {
            out.push(' ');
            name(stored.datum, index, out);
            if stored.datum.shape() == Shape::Rate {
                let _ = write!(out, "({})", stored.period.map_or(0, |period| period.get()));
            }
            let _ = match stored.datum {
                Datum::ServerKey => write!(out, "={}", entry.server_key().as_deref().unwrap_or("-")),
                datum => write!(out, "={}", entry.exact(datum, index).unwrap_or(0) as u64),
            };
        }
    }
    out.push('\n');
}

/// The name of a datum; of an element of an array with its number in it: `gpc2_rate`.
fn name(datum: Datum, index: u32, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match datum {
        Datum::Gpt | Datum::Gpc => write!(out, "{}{index}", datum.name()),
        Datum::GpcRate => write!(out, "gpc{index}_rate"),
        _ => write!(out, "{}", datum.name()),
    };
}

/// A key, in bytes that stay on their line and in their word.
fn key(kind: KeyKind, bytes: &[u8], out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match (kind, bytes) {
        (KeyKind::Ip, [a, b, c, d]) => write!(out, "{}", Ipv4Addr::new(*a, *b, *c, *d)),
        (KeyKind::Ipv6, bytes) => {
            let address = <[u8; 16]>::try_from(bytes).unwrap_or_default();
            write!(out, "{}", PlainIp(IpAddr::V6(Ipv6Addr::from(address))))
        }
        (KeyKind::Integer, bytes) => {
            write!(out, "{}", u32::from_le_bytes(<[u8; 4]>::try_from(bytes).unwrap_or_default()))
        }
        (KeyKind::Binary(_), bytes) => bytes.iter().try_for_each(|byte| write!(out, "{byte:02X}")),
        (_, bytes) => bytes.iter().try_for_each(|byte| match byte {
            b'\n' => write!(out, "\\n"),
            b'\r' => write!(out, "\\r"),
            b'\t' => write!(out, "\\t"),
            0x1b => write!(out, "\\e"),
            b' ' | b'=' | b'\\' => write!(out, "\\{}", char::from(*byte)),
            0x21..=0x7e => write!(out, "{}", char::from(*byte)),
            _ => write!(out, "\\x{byte:02X}"),
        }),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_word() {
        for (kind, bytes, want) in [
            (KeyKind::Ip, &[10, 0, 0, 1][..], "10.0.0.1"),
            (KeyKind::Integer, &[1, 1, 0, 0], "257"),
            (KeyKind::Binary(3), &[0, 0xab, 1], "00AB01"),
            (KeyKind::String(9), b"a b=\\", "a\\ b\\=\\\\"),
            (KeyKind::String(9), b"\t\r\n\x1b\x01\x7f\xc3", "\\t\\r\\n\\e\\x01\\x7F\\xC3"),
        ] {
            let mut out = String::new();
            key(kind, bytes, &mut out);
            assert_eq!(out, want, "{kind:?}");
        }
    }
}
