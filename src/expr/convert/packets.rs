//! What the headers of a client's first packet say: `fc_saved_syn` and what is cut from it.
//!
//! `eth.*` take a frame, `ip.*` what begins with an IP header, `tcp.*` what begins with a TCP header. Source: `haproxy -dKcnv` of
//! 3.4 for names and types; not asked: no 3.x binary. An option that is not there is 0, as `wsopt` and `tsopt` say whether it is.

use std::borrow::Cow;

use super::{ADDR, BIN, INT, Row, Value, part, plain, row};
use crate::units::packet::{Ethernet, Ip, Tcp};

pub(super) const ROWS: &[Row] = &[
    row("eth.data", "", (BIN, BIN), plain, |_, value, _| {
        let bytes = value.into_bytes();
        let (from, to) = (Ethernet::read(&bytes)?.header.len(), bytes.len());
        Some(Value::Bin(part(bytes, from, to)))
    }),
    row("eth.dst", "", (BIN, BIN), plain, |_, value, _| ethernet(value, |frame| Some(mac(frame.destination)))),
    row("eth.hdr", "", (BIN, BIN), plain, |_, value, _| {
        let bytes = value.into_bytes();
        let to = Ethernet::read(&bytes)?.header.len();
        Some(Value::Bin(part(bytes, 0, to)))
    }),
    row("eth.proto", "", (BIN, INT), plain, |_, value, _| ethernet(value, |frame| int(frame.protocol))),
    row("eth.src", "", (BIN, BIN), plain, |_, value, _| ethernet(value, |frame| Some(mac(frame.source)))),
    row("eth.vlan", "", (BIN, INT), plain, |_, value, _| ethernet(value, |frame| int(frame.vlan?))),
    row("ip.data", "", (BIN, BIN), plain, |_, value, _| {
        let bytes = value.into_bytes();
        let (from, to) = (Ip::read(&bytes)?.header.len(), bytes.len());
        Some(Value::Bin(part(bytes, from, to)))
    }),
    row("ip.df", "", (BIN, INT), plain, |_, value, _| ip(value, |packet| int(packet.whole))),
    row("ip.dst", "", (BIN, ADDR), plain, |_, value, _| ip(value, |packet| Some(Value::ip(packet.destination)))),
    row("ip.hdr", "", (BIN, BIN), plain, |_, value, _| {
        let bytes = value.into_bytes();
        let to = Ip::read(&bytes)?.header.len();
        Some(Value::Bin(part(bytes, 0, to)))
    }),
    row("ip.proto", "", (BIN, INT), plain, |_, value, _| ip(value, |packet| int(packet.protocol))),
    row("ip.src", "", (BIN, ADDR), plain, |_, value, _| ip(value, |packet| Some(Value::ip(packet.source)))),
    row("ip.tos", "", (BIN, INT), plain, |_, value, _| ip(value, |packet| int(packet.service))),
    row("ip.ttl", "", (BIN, INT), plain, |_, value, _| ip(value, |packet| int(packet.hops))),
    row("ip.ver", "", (BIN, INT), plain, |_, value, _| ip(value, |packet| int(packet.version))),
    row("tcp.dst", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.destination))),
    row("tcp.flags", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.flags))),
    row("tcp.options.mss", "", (BIN, INT), plain, |_, value, _| {
        tcp(value, |segment| int(segment.largest_segment().unwrap_or(0)))
    }),
    row("tcp.options.sack", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.selective()))),
    row("tcp.options.tsopt", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.clock().is_some()))),
    row("tcp.options.tsval", "", (BIN, INT), plain, |_, value, _| {
        tcp(value, |segment| int(segment.clock().unwrap_or(0)))
    }),
    row("tcp.options.wscale", "", (BIN, INT), plain, |_, value, _| {
        tcp(value, |segment| int(segment.scale().unwrap_or(0)))
    }),
    row("tcp.options.wsopt", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.scale().is_some()))),
    row("tcp.options_list", "", (BIN, BIN), plain, |_, value, _| {
        tcp(value, |segment| Some(Value::bytes(segment.options().map(|(kind, _)| kind).collect())))
    }),
    row("tcp.seq", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.sequence))),
    row("tcp.src", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.source))),
    row("tcp.win", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.window))),
];

type Found = Option<Value<'static>>;

fn ethernet<'a>(value: Value<'a>, look: fn(Ethernet<'_>) -> Found) -> Option<Value<'a>> {
    look(Ethernet::read(&value.into_bytes())?)
}

fn ip<'a>(value: Value<'a>, look: fn(Ip<'_>) -> Found) -> Option<Value<'a>> {
    look(Ip::read(&value.into_bytes())?)
}

fn tcp<'a>(value: Value<'a>, look: fn(Tcp<'_>) -> Found) -> Option<Value<'a>> {
    look(Tcp::read(&value.into_bytes())?)
}

fn int(number: impl Into<i64>) -> Found {
    Some(Value::Int(number.into()))
}

fn mac(address: [u8; 6]) -> Value<'static> {
    Value::Bin(Cow::Owned(address.to_vec()))
}
