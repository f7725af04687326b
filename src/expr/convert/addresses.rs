//! Masks of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ADDR, Arg, Row, Value, plain, row};
use crate::expr::value::embedded;

pub(super) const ROWS: &[Row] = &[row("ipmask", "m|M", (ADDR, ADDR), plain, |args, value, _| {
    let masked4 = |address: Ipv4Addr| match args.first() {
        Some(Arg::Ipv4(mask)) => Some(Value::Ipv4(address & *mask)),
        _ => None,
    };
    match value.address()? {
        IpAddr::V4(address) => masked4(address),
        // One that is an IPv4 address in IPv6's clothes is masked as such.
        IpAddr::V6(address) => match (embedded(address).filter(|_| mapped(address)), args.get(1)) {
            (Some(address), _) => masked4(address),
            (None, Some(Arg::Ipv6(mask))) => Some(Value::Ipv6(address & *mask)),
            _ => None,
        },
    }
})];

fn mapped(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0, 0, 0, 0, 0, 0xffff, ..])
}
