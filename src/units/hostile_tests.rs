//! Any bytes: every parser answers, and what it accepts it accepts again.

use super::*;

#[test]
fn any_bytes_are_judged() {
    bolero::check!().for_each(|text| {
        if let Ok(time) = Millis::parse(text) {
            assert_eq!(Millis::parse(format!("{}ms", time.get()).as_bytes()), Ok(time));
        }
        if let Ok(time) = Seconds::parse(text) {
            assert_eq!(Seconds::parse(format!("{}s", time.get()).as_bytes()), Ok(time));
        }
        if let Ok(size) = Size::parse(text) {
            assert_eq!(Size::parse(size.get().to_string().as_bytes()), Ok(size));
        }
        if let Ok(number) = parse_i64(text, i64::MIN..=i64::MAX) {
            assert_eq!(parse_i64(number.to_string().as_bytes(), number..=number), Ok(number));
        }
        if let Ok(weight) = Weight::parse(text) {
            assert!(weight <= Weight::MAX);
        }
    });
}

#[test]
fn any_bytes_are_a_netscaler_header_or_none() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = netscaler::decode(bytes, 0);
        // likelier ones: both forms, both versions of IP
        for head in [&b"\0\0\x12\x34"[..], b"\0\0\x12\x34\0\0\0\x28\x45", b"\0\0\x12\x34\0\0\0\x28\0\x01\0\x28\x65"] {
            if let Ok(insert) = netscaler::decode(&[head, bytes].concat(), 0x1234) {
                assert!(insert.length >= 8 && head.len() + bytes.len() >= 40);
            }
        }
    });
}

#[test]
fn any_bytes_are_taken_apart() {
    /// Bytes that addresses are made of, so that more than one in a million is one.
    const ALPHABET: &[u8] = b"0189af.:[]*-+%@/,xunipv46";
    bolero::check!().for_each(|text| {
        let likely: Vec<u8> = text.iter().map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()]).collect();
        for text in [text, &likely[..]] {
            for part in address::split_list(text) {
                let Ok(parsed) = ParsedAddress::parse(part) else { continue };
                if let Ok(Some(ports)) = parsed.listen_ports() {
                    assert!(*ports.start() > 0 && !ports.is_empty());
                }
                let _ = (parsed.server_port(), parsed.plain_port(), parsed.source_ports(), parsed.want_stream());
            }
        }
    });
}
