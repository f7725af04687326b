//! What an expression gives, and how one kind of value becomes another.
//!
//! A value borrows what it is made of wherever it can: a fetch from a session's buffer allocates nothing. Source: manual
//! §7.1 (types), §7.3.1; which casts exist and what they give was asked of 2.6 (`fixtures/expr/casts.txt`).

use std::borrow::Cow;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::memchr;

use crate::units::PlainIp;

/// What kind of value a fetch or a converter gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Known when it is there: variables, mostly.
    Any,
    /// Yes or no.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// An address of either family.
    Addr,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// Text, which ends at its first zero byte.
    Str,
    /// Bytes.
    Bin,
    /// A method of HTTP.
    Method,
}

impl Type {
    /// The word of messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Addr => "address",
            Self::Ipv4 => "IPv4 address",
            Self::Ipv6 => "IPv6 address",
            Self::Str => "string",
            Self::Bin => "binary",
            Self::Method => "method",
        }
    }

    /// Whether values of this type may become one of the other.
    pub fn casts_to(self, other: Self) -> bool {
        use Type::{Addr, Any, Bin, Bool, Int, Ipv4, Ipv6, Method, Str};
        match (self, other) {
            (a, b) if a == b => true,
            (Any, _) | (_, Any) => true,
            (_, Str | Bin) => true,
            (Bool, Int) | (Str, Bool) => true,
            (Int, Bool | Addr | Ipv4 | Ipv6) | (Str, Int | Addr | Ipv4 | Ipv6 | Method) => true,
            (Addr | Ipv4, Int | Addr | Ipv4 | Ipv6) | (Ipv6, Addr | Ipv4) => true,
            _ => false,
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// Text.
    Str(Cow<'a, [u8]>),
    /// Bytes.
    Bin(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// Text that is borrowed.
    pub fn text(text: &'a [u8]) -> Self {
        Self::Str(Cow::Borrowed(text))
    }

    /// Text that is owned.
    pub fn owned(text: Vec<u8>) -> Self {
        Self::Str(Cow::Owned(text))
    }

    /// Bytes that are owned.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self::Bin(Cow::Owned(bytes))
    }

    /// An address of either family.
    pub fn ip(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Ipv4(address),
            IpAddr::V6(address) => Self::Ipv6(address),
        }
    }

    /// Its type.
    pub fn kind(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Ipv4(_) => Type::Ipv4,
            Self::Ipv6(_) => Type::Ipv6,
            Self::Str(_) => Type::Str,
            Self::Bin(_) => Type::Bin,
        }
    }

    /// The same without borrowing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Bool(truth) => Value::Bool(truth),
            Self::Int(number) => Value::Int(number),
            Self::Ipv4(address) => Value::Ipv4(address),
            Self::Ipv6(address) => Value::Ipv6(address),
            Self::Str(text) => Value::Str(Cow::Owned(text.into_owned())),
            Self::Bin(bytes) => Value::Bin(Cow::Owned(bytes.into_owned())),
        }
    }

    /// The same, borrowed from this one.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Ipv4(address) => Value::Ipv4(*address),
            Self::Ipv6(address) => Value::Ipv6(*address),
            Self::Str(text) => Value::Str(Cow::Borrowed(text)),
            Self::Bin(bytes) => Value::Bin(Cow::Borrowed(bytes)),
        }
    }

    /// As a value of another type; `None` where there is none: a text that is no address.
    pub fn cast(self, to: Type) -> Option<Self> {
        if !self.kind().casts_to(to) {
            return None;
        }
        Some(match to {
            Type::Any => self,
            Type::Bool => Self::Bool(self.int()? != 0),
            Type::Int => Self::Int(self.int()?),
            Type::Addr => Self::ip(self.address()?),
            Type::Ipv4 => match self.address()? {
                IpAddr::V4(address) => Self::Ipv4(address),
                IpAddr::V6(address) => Self::Ipv4(address.to_ipv4_mapped()?),
            },
            Type::Ipv6 => match self.address()? {
                IpAddr::V4(address) => Self::Ipv6(address.to_ipv6_mapped()),
                IpAddr::V6(address) => Self::Ipv6(address),
            },
            Type::Str | Type::Method => Self::Str(self.into_text()),
            Type::Bin => Self::Bin(self.into_bytes()),
        })
    }

    /// As a number: a text is one as far as its first bytes are digits.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Bool(truth) => Some(i64::from(*truth)),
            Self::Int(number) => Some(*number),
            Self::Ipv4(address) => Some(i64::from(u32::from(*address))),
            Self::Str(text) => Some(leading_int(text)),
            Self::Ipv6(_) | Self::Bin(_) => None,
        }
    }

    /// As an address: a number is one of 32 bits.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Ipv4(address) => Some((*address).into()),
            Self::Ipv6(address) => Some((*address).into()),
            Self::Int(number) => Some(Ipv4Addr::from(*number as u32).into()),
            Self::Str(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            Self::Bool(_) | Self::Bin(_) => None,
        }
    }

    /// As text: bytes end at their first zero.
    pub fn into_text(self) -> Cow<'a, [u8]> {
        match self {
            Self::Str(text) => text,
            Self::Bin(Cow::Borrowed(bytes)) => Cow::Borrowed(&bytes[..memchr(0, bytes).unwrap_or(bytes.len())]),
            Self::Bin(Cow::Owned(mut bytes)) => {
                bytes.truncate(memchr(0, &bytes).unwrap_or(bytes.len()));
                Cow::Owned(bytes)
            }
            Self::Bool(truth) => Cow::Borrowed(if truth { b"1" } else { b"0" }),
            other => {
                let mut out = Vec::new();
                other.write(&mut out);
                Cow::Owned(out)
            }
        }
    }

    /// As bytes: a number is 8 of them, the highest first.
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Str(bytes) | Self::Bin(bytes) => bytes,
            Self::Bool(truth) => Cow::Owned(i64::from(truth).to_be_bytes().to_vec()),
            Self::Int(number) => Cow::Owned(number.to_be_bytes().to_vec()),
            Self::Ipv4(address) => Cow::Owned(address.octets().to_vec()),
            Self::Ipv6(address) => Cow::Owned(address.octets().to_vec()),
        }
    }

    /// Appends it as text.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Bool(truth) => write!(out, "{}", u8::from(*truth)),
            Self::Int(number) => write!(out, "{number}"),
            Self::Ipv4(address) => write!(out, "{address}"),
            Self::Ipv6(address) => write!(out, "{}", PlainIp((*address).into())),
            Self::Str(text) => out.write_all(text),
            Self::Bin(bytes) => out.write_all(&bytes[..memchr(0, bytes).unwrap_or(bytes.len())]),
        };
    }

    /// As text of its own.
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// The IPv4 address within `::a.b.c.d`, `::ffff:a.b.c.d` and `2002:a.b.c.d::`; there is none in the others.
pub(super) fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

/// The number that a text begins with: a sign, digits; too large ones become the largest. Nothing: 0.
pub(super) fn leading_int(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut value = 0_i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        let next = value.checked_mul(10);
        value = match negative {
            true => next.and_then(|v| v.checked_sub(digit)).unwrap_or(i64::MIN),
            false => next.and_then(|v| v.checked_add(digit)).unwrap_or(i64::MAX),
        };
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers_as_far_as_they_are_ones() {
        for (text, want) in [
            ("12", 12),
            ("-12x", -12),
            ("+7", 7),
            (" 7", 0),
            ("", 0),
            ("-", 0),
            ("0x1f", 0),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            assert_eq!(leading_int(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn borrowed_text_is_not_copied() {
        let bytes = [b'a', b'b', 0, b'c'];
        let value = Value::Bin(Cow::Borrowed(&bytes));
        assert!(matches!(value.into_text(), Cow::Borrowed(b"ab")));
    }
}
