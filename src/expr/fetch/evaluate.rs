//! What a fetch gives now.

use super::{Fetch, Found, distcc, http, payload, rdp, tls, vars};
use crate::expr::condition;
use crate::expr::{Buffer, Facts, Fetched, Side, Value};

impl Fetch {
    /// What it gives now. Allocates only where the value is made here.
    pub fn evaluate<'a>(&'a self, facts: &'a dyn Facts) -> Fetched<'a> {
        let buffer = |side: Side| facts.buffer(side);
        match self {
            Self::Constant(value) => Fetched::Value(value.borrowed()),
            Self::Missing => Fetched::Missing,
            Self::Var(name, default) => {
                let value = facts.variable(name).or(default.as_deref().map(Value::text));
                Fetched::known(value)
            }
            Self::Date { offset, unit } => {
                let micros = i64::try_from(facts.now().as_micros()).unwrap_or(i64::MAX);
                Fetched::Value(Value::Int((micros / unit).saturating_add(*offset)))
            }
            Self::DateUs => Fetched::Value(Value::Int(i64::from(facts.now().subsec_micros()))),
            Self::Rand(range) => {
                let number = (u128::from(facts.random()) * u128::from(*range)) >> 64;
                Fetched::Value(Value::Int(number as i64))
            }
            Self::Uuid => Fetched::Value(Value::owned(uuid(facts.random(), facts.random()))),
            Self::WaitEnd if facts.waiting() => Fetched::NotYet,
            Self::WaitEnd => Fetched::Value(Value::Bool(true)),
            Self::Len(side) => buffer(*side).map_or(Fetched::Missing, payload::length),
            Self::Payload { side, offset, length } => {
                buffer(*side).map_or(Fetched::Missing, |buffer| payload::bytes(buffer, *offset, *length))
            }
            Self::PayloadLv { side, at, size, then } => {
                buffer(*side).map_or(Fetched::Missing, |buffer| payload::behind_length(buffer, *at, *size, *then))
            }
            Self::RdpCookie { name, count } => {
                said(buffer(Side::Request), |buffer| rdp::look(buffer.bytes, name, *count))
            }
            Self::Tls(side, hello) => said(buffer(*side), |buffer| tls::look(buffer.bytes, *hello)),
            Self::ProtoHttp => said(buffer(Side::Request), |buffer| http::look(buffer.bytes)),
            Self::Distcc { side, token, occurrence, body } => {
                said(buffer(*side), |buffer| distcc::look(buffer, token, *occurrence, *body))
            }
            Self::Counter(counter) if counter.what == super::Datum::Tracked => {
                Fetched::Value(Value::Bool(facts.counter(counter).is_some()))
            }
            Self::Counter(counter) => Fetched::known(facts.counter(counter).map(Value::Int)),
            Self::Vars { scopes, prefix, between } => {
                Fetched::Value(Value::owned(vars::told(facts, scopes, prefix, between)))
            }
            Self::Acls(acls) => condition::all(acls, facts),
            Self::Known(known, args) => facts.known(*known, args),
        }
    }
}

/// What the bytes of a buffer say: what may still come is not there yet as long as more may.
fn said<'a>(buffer: Option<Buffer<'a>>, look: impl FnOnce(Buffer<'a>) -> Found<'a>) -> Fetched<'a> {
    let Some(buffer) = buffer else { return Fetched::Missing };
    match look(buffer) {
        Found::Value(value) => Fetched::Value(value),
        Found::More if buffer.more => Fetched::NotYet,
        Found::More | Found::No => Fetched::Missing,
    }
}

/// A UUID of version 4.
fn uuid(high: u64, low: u64) -> Vec<u8> {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(3 << 62) | 1 << 63;
    let text = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_uuid_says_its_version() {
        assert_eq!(super::uuid(u64::MAX, u64::MAX), b"ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(super::uuid(0, 0), b"00000000-0000-4000-8000-000000000000");
    }
}
