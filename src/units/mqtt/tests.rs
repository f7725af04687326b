//! Packets whole, in parts, long, and none at all.

use super::{Field, Found, Packet, PacketType, field, packet};

/// A CONNECT of 3.1.1: clean session, keepalive 60, client `me`.
const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me";

#[test]
fn each_beginning_of_a_packet_is_incomplete_and_what_follows_is_nobodys() {
    for end in 0..CONNECT.len() {
        assert_eq!(packet(&CONNECT[..end]), Packet::Incomplete, "{end} bytes");
    }
    assert_eq!(packet(CONNECT), Packet::Valid);
    assert_eq!(packet(&[CONNECT, b"\xc0\x00"].concat()), Packet::Valid);
}

#[test]
fn lengths_of_two_three_and_four_bytes() {
    for size in [200_usize, 20_000, 60_000] {
        let body = [&b"\x00\x04MQTT\x04\x02\x00\x3c"[..], &(size as u16).to_be_bytes(), &vec![b'x'; size]].concat();
        let mut whole = vec![0x10];
        let mut left = body.len();
        while left > 0x7f {
            whole.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        whole.push(left as u8);
        let head = whole.len();
        whole.extend_from_slice(&body);
        assert_eq!(packet(&whole), Packet::Valid, "{size}");
        assert_eq!(packet(&whole[..whole.len() - 1]), Packet::Incomplete, "{size}");
        let start = head + 12;
        let want = Some(Found::Bytes(start, start + size));
        assert_eq!(field(&whole, PacketType::Connect, Field::ClientIdentifier), want, "{size}");
    }
}

#[test]
fn an_empty_text_is_none() {
    // client "", a will on "t" that says nothing, user ""
    let packet = b"\x10\x13\x00\x04MQTT\x04\x86\x00\x3c\x00\x00\x00\x01t\x00\x00\x00\x00";
    assert_eq!(super::packet(packet), Packet::Valid);
    let found = |wanted| field(packet, PacketType::Connect, wanted);
    for wanted in [Field::ClientIdentifier, Field::WillPayload, Field::Username, Field::Password] {
        assert_eq!(found(wanted), None, "{wanted:?}");
    }
    assert_eq!(found(Field::WillTopic), Some(Found::Bytes(16, 17)));
}

#[test]
fn names_of_fields() {
    for (kind, text, want) in [
        (PacketType::Connect, "Client_Identifier", Some(Field::ClientIdentifier)),
        (PacketType::Connect, "17", Some(Field::Property(17))),
        (PacketType::Connect, "24", Some(Field::Property(24))),
        (PacketType::Connect, "18", None), // the manual's number of a will's delay, and nobody's
        (PacketType::Connect, "017", None),
        (PacketType::Connect, "36", None),
        (PacketType::Connect, "reason_code", None),
        (PacketType::Connack, "36", Some(Field::Property(36))),
        (PacketType::Connack, "25", None),
        (PacketType::Connack, "keepalive", None),
    ] {
        assert_eq!(Field::named(kind, text.as_bytes()), want, "{text}");
    }
}

/// Whatever comes: an answer, and a field lies within the bytes.
#[test]
fn any_bytes() {
    let fields = [Field::ClientIdentifier, Field::Username, Field::Property(22), Field::Property(9)];
    bolero::check!().with_iterations(50_000).for_each(|bytes: &[u8]| {
        let likely: Vec<u8> = [&CONNECT[..CONNECT.len().min(bytes.len() % 17)], bytes].concat();
        for bytes in [bytes, &likely] {
            let is = packet(bytes);
            for wanted in fields {
                match field(bytes, PacketType::Connect, wanted) {
                    Some(Found::Bytes(from, to)) => assert!(from <= to && to <= bytes.len() && is == Packet::Valid),
                    Some(Found::Number(_)) => assert_eq!(is, Packet::Valid),
                    None => {}
                }
            }
        }
    });
}
