//! What the headers of a client's first packet say: `fc_saved_syn` and what is cut from it.
//!
//! `eth.*` take a frame, `ip.*` what begins with an IP header, `tcp.*` what begins with a TCP header. Source: manual of 3.4 §7.3.1
//! "eth.data" and so on; not asked: no 3.x binary. An option that is not there is 0, but nothing for `tsval`.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{ADDR, Args, BIN, Context, ExprError, INT, Row, Value, int as number, part, plain, row};
use crate::expr::error::ArgError;
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
    row("ip.fp", "|i", (BIN, BIN), modes, |args, value, _| {
        fingerprint(&value.into_bytes(), number(args, 0).unwrap_or(0)).map(Value::bytes)
    }),
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
    row("tcp.options.tsval", "", (BIN, INT), plain, |_, value, _| tcp(value, |segment| int(segment.clock()?))),
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

/// What of a fingerprint is wanted besides its eight bytes: the sum of these.
const HOPS: i64 = 1;
const OPTIONS: i64 = 2;
const SOURCE: i64 = 4;

fn modes(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let most = HOPS + OPTIONS + SOURCE;
    match args.int(0) {
        Some(number) if !(0..=most).contains(&number) => Err(args.blame(0, ArgError::Range { number, least: 0, most })),
        _ => Ok(()),
    }
}

/// What the connections of one host have in common, and those of others behind the same address may not.
fn fingerprint(bytes: &[u8], mode: i64) -> Option<Vec<u8>> {
    let ip = Ip::read(bytes).filter(|ip| ip.protocol == 6)?;
    let tcp = Tcp::read(ip.data)?;
    let shortest = if ip.version == 6 { 40 } else { 20 };
    let flag = |set: bool, bit: u8| u8::from(set) << bit;
    let distance = match ip.hops {
        0..=32 => 0,
        33..=64 => 1,
        65..=128 => 2,
        129.. => 3,
    };
    let kinds = tcp.options().fold(0, |kinds, (kind, _)| match kind {
        0 | 1 => kinds,
        2..=8 => kinds | 1 << (kind - 2),
        9.. => kinds | 0x80,
    });
    let mut print = vec![
        ip.service,
        flag(ip.version == 6, 7)
            | flag(ip.whole, 6)
            | distance << 4
            | flag(ip.header.len() > shortest, 3)
            | flag(ip.length > tcp.length(), 2)
            | flag(tcp.flags & 0x80 != 0, 1)
            | flag(tcp.flags & 0x40 != 0, 0),
        u8::try_from(tcp.length() / 4).ok()? << 4 | tcp.scale().map_or(0, |scale| scale.min(14) + 1),
    ];
    print.extend(tcp.window.to_be_bytes());
    print.extend(tcp.largest_segment().unwrap_or(0).to_be_bytes());
    print.push(kinds);
    if mode & HOPS != 0 {
        print.push(ip.hops);
    }
    if mode & OPTIONS != 0 {
        print.extend(tcp.options().map(|(kind, _)| kind));
    }
    if mode & SOURCE != 0 {
        match ip.source {
            IpAddr::V4(address) => print.extend(address.octets()),
            IpAddr::V6(address) => print.extend(address.octets()),
        }
    }
    Some(print)
}

fn mac(address: [u8; 6]) -> Value<'static> {
    Value::Bin(Cow::Owned(address.to_vec()))
}
