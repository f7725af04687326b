//! Headers that 2.6.12 took, refused and sent; then any bytes.

use super::*;

fn ends(source: &str, destination: &str) -> Option<Ends> {
    Some(Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() })
}

/// What 2.6.12 made of version 1 lines.
#[test]
fn version_1_is_read_as_haproxy_reads_it() {
    let good = |source: &str, destination: &str| Ok(ends(source, destination));
    for (line, want) in [
        ("TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n", good("1.2.3.4:1111", "5.6.7.8:2222")),
        ("TCP6 2001:db8::1 ::ffff:5.6.7.8 1 2\r\n", good("[2001:db8::1]:1", "[::ffff:5.6.7.8]:2")),
        ("UNKNOWN\r\n", Ok(None)),
        ("UNKNOWN ::1 ::1 1 1\r\n", Err(HeaderError::Unhandled)), // not what the protocol says
        ("UNKNOWN\n", Err(HeaderError::Unhandled)),
        ("TCP5 1.2.3.4 5.6.7.8 1 2\r\n", Err(HeaderError::Unhandled)),
        ("TC", Err(HeaderError::Truncated)),
        ("TCP", Err(HeaderError::Unhandled)),
        ("TCP4 ", Err(HeaderError::Truncated)),
        ("TCP4 1.2.3.4 5.6.7.8 1111 2222\r", Err(HeaderError::Truncated)),
        ("TCP4 1.2.3.4 5.6.7.8 1111 2222\n", Err(HeaderError::INVALID)),
        ("TCP4 1.2.3.4 5.6.7.8 65536 4294967376\r\n", good("1.2.3.4:0", "5.6.7.8:80")), // cut to 16 bits
        ("TCP4 1.2.3.4 5.6.7.8  80\r\n", good("1.2.3.4:0", "5.6.7.8:80")),              // no port is port 0
        ("TCP4 1.2.3.256 1.2 1 2\r\n", good("1.2.4.0:1", "1.2.0.0:2")),                 // carried; filled up
        ("TCP4 4294967296 1..2.3 1 2\r\n", good("40.0.0.0:1", "1.0.2.3:2")),            // the last three digits
        ("TCP4 1.256.256.256 999.1.1.1 1 2\r\n", good("2.1.1.0:1", "231.1.1.1:2")),
        ("TCP4 1.2.3.4.5 5.6.7.8 1 2\r\n", Err(HeaderError::INVALID)),
        ("TCP4 1.2.3.4. 5.6.7.8 1 2\r\n", Err(HeaderError::INVALID)),
        ("TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", Err(HeaderError::INVALID)),
        ("TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", Err(HeaderError::INVALID)),
        ("TCP4 1.2.3.4\x005.6.7.8 1 2\r\n", Err(HeaderError::INVALID)),
        ("TCP6 ::1 ::2  1 2\r\n", good("[::1]:0", "[::2]:1")), // what follows the fourth word is ignored
        ("TCP6 ::1\x00x ::2 1\x00 2\r\n", good("[::1]:1", "[::2]:2")), // a NUL ends a word
        ("TCP6 ::1 ::2 1\r\n", Err(HeaderError::INVALID)),
        ("TCP6 1.2.3.4 ::2 1 2\r\n", Err(HeaderError::INVALID)),
        ("TCP6 ::1 ::2 1 2\r", Err(HeaderError::Truncated)),
        ("TCP6 ::1 ::2 1 2\n\r\n", Err(HeaderError::INVALID)),
    ] {
        let bytes = [b"PROXY ", line.as_bytes()].concat();
        let got = decode(&bytes);
        assert_eq!(got.clone().map(|header| header.ends), want, "{line:?}");
        if got.is_ok() {
            let more = [&bytes[..], b"the client's"].concat();
            assert_eq!(decode(&more).map(|header| header.length), Ok(bytes.len()), "{line:?}");
        }
    }
    assert_eq!(decode(b"PROXYxxxxxxxxxx"), Err(HeaderError::Truncated));
    assert_eq!(decode(b"GET / HTTP/1.0\r\n"), Err(HeaderError::Foreign));
}

fn raw(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[version_command, family], &length, body].concat()
}

const ADDRESSES: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 4, 87, 8, 174];

#[test]
fn version_2_is_read_as_haproxy_reads_it() {
    let there = ends("1.2.3.4:1111", "5.6.7.8:2222");
    let late = Err(HeaderError::Invalid { ends: there });
    let with = |tail: &[u8]| raw(0x21, 0x11, &[&ADDRESSES, tail].concat());
    for (bytes, want) in [
        (with(b""), Ok(there)),
        (with(b"\x04\0\0"), Ok(there)),
        (with(b"\xee\0\x03abc"), Ok(there)), // a type that nobody knows
        (with(b"\x04"), late),
        (with(b"\x04\0\x05ab"), late),
        (with(b"\x03\0\x03abc"), late),
        (with(b"\x03\0\x04abcd"), late),
        (raw(0x21, 0x12, &ADDRESSES), Err(HeaderError::INVALID)), // UDP
        (raw(0x21, 0x00, &ADDRESSES), Err(HeaderError::INVALID)), // UNSPEC
        (raw(0x21, 0x31, &[0; 216]), Err(HeaderError::INVALID)),  // unix sockets
        (raw(0x21, 0x11, &ADDRESSES[1..]), Err(HeaderError::INVALID)),
        (raw(0x21, 0x21, &[0; 35]), Err(HeaderError::INVALID)),
        (raw(0x22, 0x11, &ADDRESSES), Err(HeaderError::INVALID)),
        (raw(0x20, 0xff, b"abc"), Ok(None)), // LOCAL, whatever follows
        (raw(0x31, 0x11, &ADDRESSES), Err(HeaderError::Foreign)),
        (with(b"")[..27].to_vec(), Err(HeaderError::Truncated)),
        (SIGNATURE.to_vec(), Err(HeaderError::Truncated)),
    ] {
        assert_eq!(decode(&bytes).map(|header| header.ends), want, "{bytes:?}");
    }
    for (kind, longest) in [(TLV_AUTHORITY, 255_u8), (TLV_UNIQUE_ID, 128)] {
        let name = |length: u16| with(&[&[kind], &length.to_be_bytes()[..], &vec![b'n'; length.into()]].concat());
        let header = decode(&name(longest.into())).unwrap();
        let found = if kind == TLV_AUTHORITY { header.authority } else { header.unique_id };
        assert_eq!(found.unwrap().len(), usize::from(longest));
        assert_eq!(decode(&name(u16::from(longest) + 1)).map(|header| header.ends), late);
    }
}

/// The bytes that 2.6.12 sent.
#[test]
fn headers_are_written_as_haproxy_writes_them() {
    let v4 = ends("127.0.0.1:36138", "127.77.1.1:48423");
    assert_eq!(v1(v4), b"PROXY TCP4 127.0.0.1 127.77.1.1 36138 48423\r\n");
    assert_eq!(v1(None), b"PROXY UNKNOWN\r\n");
    let v6 = ends("[::1:0]:1", "[::ffff:127.0.0.1]:2");
    assert_eq!(v1(v6), b"PROXY TCP6 ::0.1.0.0 ::ffff:127.0.0.1 1 2\r\n");
    assert_eq!(v1(ends("1.2.3.4:1", "[::1]:2")), b"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n");
    let all = Extras { crc32c: true, authority: Some(b"example.com"), unique_id: Some(b""), no_tls: false };
    let client = ends("1.2.3.4:1111", "5.6.7.8:2222");
    assert_eq!(
        v2(Command::Proxy, client, all),
        b"\r\n\r\n\0\r\nQUIT\n!\x11\0$\x01\x02\x03\x04\x05\x06\x07\x08\x04W\x08\xae\
          \x03\0\x04\xf5\xc8M\xec\x02\0\x0bexample.com\x05\0\0"
    );
    let summed = Extras { crc32c: true, ..Extras::default() };
    let local = b"\r\n\r\n\0\r\nQUIT\n \0\0\x07\x03\0\x04\xa9\xb8~\x8f";
    assert_eq!(v2(Command::Local, client, summed), local);
    assert_eq!(v2(Command::Proxy, None, summed), local);
    let ssl = Extras { no_tls: true, ..Extras::default() };
    assert_eq!(v2(Command::Local, None, ssl), b"\r\n\r\n\0\r\nQUIT\n \0\0\x08 \0\x05\0\0\0\0\0");
}

/// What is written is read again, whatever it says.
#[test]
fn any_header_comes_back() {
    type Given = ([u8; 16], [u8; 16], (u16, u16), (bool, bool, bool, bool), Vec<u8>);
    bolero::check!().with_type::<Given>().for_each(|(from, to, ports, (four, crc32c, no_tls, named), name)| {
        let ip = |bytes: &[u8; 16]| match (four, bytes) {
            (true, [a, b, c, d, ..]) => std::net::Ipv4Addr::new(*a, *b, *c, *d).into(),
            (false, _) => std::net::IpAddr::from(*bytes),
        };
        let there = Ends { source: SocketAddr::new(ip(from), ports.0), destination: SocketAddr::new(ip(to), ports.1) };
        let name = &name[..name.len().min(128)];
        let names = named.then_some(name);
        let extras = Extras { crc32c: *crc32c, authority: names, unique_id: names, no_tls: *no_tls };
        for bytes in [v1(Some(there)), v2(Command::Proxy, Some(there), extras)] {
            let header = decode(&[&bytes[..], b"more"].concat()).unwrap();
            assert_eq!((header.length, header.ends), (bytes.len(), Some(there)));
            assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        }
        let mut bytes = v2(Command::Proxy, Some(there), Extras { crc32c: true, ..extras });
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        assert_eq!(decode(&bytes), Err(HeaderError::Invalid { ends: Some(there) }), "a checksum notices one bit");
    });
}

/// Any bytes get an answer, and a header is never longer than they are.
#[test]
fn any_bytes_are_judged() {
    const STARTS: [&[u8]; 6] = [
        b"",
        b"PROXY TCP4 ",
        b"PROXY TCP6 ",
        b"PROXY UNKNOWN",
        b"\r\n\r\n\0\r\nQUIT\n!\x11",
        b"\r\n\r\n\0\r\nQUIT\n!!",
    ];
    const ALPHABET: &[u8] = b"0123456789.: \r\n\0af";
    bolero::check!().with_type::<(u8, bool, Vec<u8>)>().for_each(|(start, likely, tail)| {
        let start = STARTS[usize::from(*start) % STARTS.len()];
        let tail: Vec<u8> = match likely {
            true => tail.iter().map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()]).collect(),
            false => tail.clone(),
        };
        let bytes = [start, &tail].concat();
        if let Ok(header) = decode(&bytes) {
            assert!(header.length <= bytes.len());
            let again = decode(&bytes[..header.length]);
            assert_eq!(again.as_ref(), Ok(&header), "what follows a header does not change it");
        }
    });
}
