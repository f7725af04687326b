//! Rows were asked of haproxy 2.6.12 on `bind` and `server` lines; prefixes that came later are from the manual of 3.x.

use super::*;

fn ip(text: &str) -> Host {
    Host::Ip(text.parse().expect("an address"))
}

fn name(text: &str) -> Host {
    Host::Name(String::from(text))
}

#[test]
fn an_address_in_its_parts() {
    use Family::{Any, V4, V6};
    use PortSpec::{Missing, Offset, One, Range};
    for (text, family, host, port) in [
        ("*:80", Any, Host::Wildcard, One(80)),
        (":80", Any, Host::Wildcard, One(80)),
        ("*", Any, Host::Wildcard, Missing),
        (":", Any, Host::Wildcard, Missing),
        ("80", Any, name("80"), Missing), // a host, not a port
        ("127.0.0.1", Any, ip("127.0.0.1"), Missing),
        ("127.0.0.1:", Any, ip("127.0.0.1"), Missing),
        ("127.0.0.1:080", Any, ip("127.0.0.1"), One(80)),
        ("127.0.0.1:80-90", Any, ip("127.0.0.1"), Range(80, Some(90))),
        ("127.0.0.1:80-", Any, ip("127.0.0.1"), Range(80, None)),
        ("127.0.0.1:+1", Any, ip("127.0.0.1"), Offset(1)),
        ("127.0.0.1:-5", Any, ip("127.0.0.1"), Offset(-5)),
        ("127.0.0.1:+", Any, ip("127.0.0.1"), Offset(0)),
        ("[::1]:80", Any, ip("::1"), One(80)),
        ("[::1]", Any, ip("::1"), Missing),
        ("::1:80", Any, ip("::1"), One(80)),
        (":::80", Any, ip("::"), One(80)),
        ("1:2:3:4:5:6:7:8:80", Any, ip("1:2:3:4:5:6:7:8"), One(80)),
        ("[127.0.0.1]:80", Any, ip("127.0.0.1"), One(80)),
        ("[localhost]:80", Any, name("localhost"), One(80)),
        ("127.1:80", Any, name("127.1"), One(80)), // libc knows
        ("broker_1:1883", Any, name("broker_1"), One(1883)),
        ("foo@127.0.0.1:80", Any, name("foo@127.0.0.1"), One(80)), // no known prefix
        ("ipv4@*:80", V4, Host::Wildcard, One(80)),
        ("ipv4@localhost:80", V4, name("localhost"), One(80)),
        ("ipv6@::1:80", V6, ip("::1"), One(80)),
        ("stream+ipv6@:80", V6, Host::Wildcard, One(80)),
    ] {
        let found = ParsedAddress::parse(text.as_bytes()).map(|address| address.place);
        assert_eq!(found, Ok(Place::Inet { family, host, port }), "input {text:?}");
    }
}

#[test]
fn places_without_ports() {
    for (text, want) in [
        (&b"/run/s"[..], Place::Unix(b"/run/s".to_vec())),
        (b"unix@run/s", Place::Unix(b"run/s".to_vec())),
        (b"unix@", Place::Unix(Vec::new())),
        (b"uxst@/run/\xff", Place::Unix(b"/run/\xff".to_vec())),
        (b"abns@x:80", Place::Abstract(b"x:80".to_vec())),
        (b"abnsz@x", Place::AbstractZero(b"x".to_vec())),
        (b"fd@3", Place::Fd(3)),
        (b"sockpair@4", Place::SockPair(4)),
        (b"rhttp@be/srv", Place::Reverse(b"be/srv".to_vec())),
    ] {
        let found = ParsedAddress::parse(text).expect("an address");
        assert_eq!(found.place, want, "input {}", text.escape_ascii());
        assert_eq!(found.listen_ports(), Ok(None));
    }
}

#[test]
fn transports() {
    for (text, want) in [
        ("127.0.0.1:1", Transport::Any),
        ("tcp4@127.0.0.1:1", Transport::Stream),
        ("stream+ipv4@127.0.0.1:1", Transport::Stream),
        ("stream+udp@127.0.0.1:1", Transport::Datagram), // the inner prefix wins
        ("uxdg@/dev/log", Transport::Datagram),
        ("quic6@[::1]:1", Transport::Quic),
        ("mptcp@127.0.0.1:1", Transport::Mptcp),
    ] {
        let found = ParsedAddress::parse(text.as_bytes()).expect("an address");
        assert_eq!(found.transport, want, "input {text:?}");
        assert_eq!(found.want_stream().is_err(), want == Transport::Datagram);
    }
}

#[test]
fn what_is_no_address() {
    let text = String::from;
    for (input, want) in [
        ("", AddressError::Empty),
        ("127.0.0.1:x", AddressError::PortText(text("x"))),
        ("*:*", AddressError::PortText(text("*"))),
        ("127.0.0.1:x-90", AddressError::PortText(text("x-90"))),
        ("127.0.0.1:80-x", AddressError::PortText(text("x"))),
        ("::1", AddressError::BareIpv6(text(":"))),
        ("::", AddressError::BareIpv6(text(":"))),
        ("[]:80", AddressError::Host(text("[]"))),
        ("[::1:80", AddressError::Host(text("[::1"))),
        ("[::1]80", AddressError::Host(text("[::1]80"))),
        ("fe80::1%lo:80", AddressError::Host(text("fe80::1%lo"))),
        ("ipv4@::1:80", AddressError::OtherFamily { host: text("::1"), family: Family::V4 }),
        ("ipv6@127.0.0.1:80", AddressError::OtherFamily { host: text("127.0.0.1"), family: Family::V6 }),
        ("fd@", AddressError::Descriptor(String::new())),
        ("fd@-1", AddressError::Descriptor(text("-1"))),
        ("fd@3x", AddressError::Descriptor(text("3x"))),
        ("sockpair@99999999999", AddressError::Descriptor(text("99999999999"))),
    ] {
        assert_eq!(ParsedAddress::parse(input.as_bytes()), Err(want), "input {input:?}");
    }
    for (prefix, longest) in [("unix@", LONGEST_PATH), ("", LONGEST_PATH), ("abns@", LONGEST_ABSTRACT)] {
        let fits = format!("{prefix}/{}", "x".repeat(longest - 1));
        assert!(ParsedAddress::parse(fits.as_bytes()).is_ok(), "{prefix}");
        let want = AddressError::TooLong { length: longest + 1, longest };
        assert_eq!(ParsedAddress::parse(format!("{fits}x").as_bytes()), Err(want), "{prefix}");
    }
}

#[test]
fn ports_of_each_kind_of_line() {
    use AddressError::*;
    let parse = |text: &str| ParsedAddress::parse(text.as_bytes()).expect("an address");
    for (port, listen, server) in [
        ("80", Ok(Some(80..=80)), Ok(ServerPort::Fixed(80))),
        ("65535", Ok(Some(65535..=65535)), Ok(ServerPort::Fixed(65535))),
        ("80-82", Ok(Some(80..=82)), Err(RangeHere)),
        ("80-80", Ok(Some(80..=80)), Err(RangeHere)),
        ("", Err(PortMissing { host: String::from("127.0.0.1") }), Ok(ServerPort::Mapped(0))),
        ("0", Err(PortZero), Ok(ServerPort::Fixed(0))),
        ("65536", Err(PortLarge(65536)), Err(PortLarge(65536))),
        ("99999999999999999999", Err(PortLarge(u32::MAX)), Err(PortLarge(u32::MAX))),
        ("90-80", Err(RangeOrder(90, 80)), Err(RangeHere)),
        ("0-5", Err(PortZero), Err(RangeHere)),
        ("5-65536", Err(PortLarge(65536)), Err(RangeHere)),
        ("80-", Err(PortText(String::from("80-"))), Err(RangeHere)),
        ("+1", Err(OffsetHere), Ok(ServerPort::Mapped(1))),
        ("-1", Err(OffsetHere), Ok(ServerPort::Mapped(-1))),
    ] {
        let address = parse(&format!("127.0.0.1:{port}"));
        assert_eq!(address.listen_ports(), listen, "bind port {port:?}");
        assert_eq!(address.server_port(), server, "server port {port:?}");
    }
    assert_eq!(parse("127.0.0.1").plain_port(), Ok(None));
    assert_eq!(parse("127.0.0.1:514").plain_port(), Ok(Some(514)));
    assert_eq!(parse("127.0.0.1:+1").plain_port(), Err(OffsetHere));
    for (text, want) in [
        ("127.0.0.1", Ok(None)),
        ("127.0.0.1:7", Ok(Some((7, 7)))),
        ("127.0.0.1:0-9", Ok(Some((0, 9)))), // seen on 2.6: 0 may be in it
        ("127.0.0.1:9-9", Ok(Some((9, 9)))),
        ("127.0.0.1:9-8", Err(RangeOrder(9, 8))),
        ("127.0.0.1:1-65536", Err(PortLarge(65536))),
        ("127.0.0.1:-1", Err(OffsetHere)),
    ] {
        assert_eq!(parse(text).source_ports(), want, "{text}");
    }
    assert_eq!(parse("127.0.0.1:80x").surplus.as_deref(), Some("x"));
    assert_eq!(parse("127.0.0.1:80-90-95").surplus.as_deref(), Some("-95"));
}

#[test]
fn a_list_of_addresses() {
    let parts = |text: &'static str| split_list(text.as_bytes()).map(lossy).collect::<Vec<_>>();
    assert_eq!(parts("*:80,:::81"), ["*:80", ":::81"]);
    assert_eq!(parts("*:80,"), ["*:80"]);
    assert_eq!(parts(",*:80"), ["", "*:80"]);
    assert_eq!(parts(""), [""]);
}
