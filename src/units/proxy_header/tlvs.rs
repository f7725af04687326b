//! Looks up what a header of version 2 says besides addresses: triples of a type, a length and a value.
//!
//! What is known of the client's TLS stands within one of them, behind five bytes. Source: haproxy's proxy-protocol.txt §2.2; values
//! above 1,024 bytes are passed over (manual of 3.x §7.3.3 "fc_pp_tlv").

use super::TLV_SSL;

/// Most bytes of a value that is told.
const LONGEST: usize = 1024;
/// Bytes of what is known of the client's TLS before its own triples.
const SSL_FIXED: usize = 5;

/// The first value of that type.
pub fn find(tlvs: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = tlvs;
    while let Some((&[kind, high, low], behind)) = rest.split_first_chunk::<3>() {
        let (value, next) = behind.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        if kind == wanted && value.len() <= LONGEST {
            return Some(value);
        }
        if kind == TLV_SSL
            && let Some(found) = value.get(SSL_FIXED..).and_then(|within| find(within, wanted))
        {
            return Some(found);
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_type() {
        let tlvs = b"\x02\0\x03abc\x20\0\x0b\x01\0\0\0\0\x22\0\x03dev\xe0\0\x01x\xe0\0\x01y\xe1\0\0\xe2\0\x09short";
        for (kind, want) in [
            (2, Some(&b"abc"[..])),
            (0x22, Some(b"dev")), // within that of TLS
            (0x20, Some(b"\x01\0\0\0\0\x22\0\x03dev")),
            (0xe0, Some(b"x")), // the first
            (0xe1, Some(b"")),
            (0xe2, None), // cut off
            (0, None),
        ] {
            assert_eq!(find(tlvs, kind), want, "{kind:#x}");
        }
        let long = [&[7, 4, 1][..], &[b'a'; 1025], &[7, 0, 1, b'b']].concat();
        assert_eq!(find(&long, 7), Some(&b"b"[..]));
    }

    #[test]
    fn any_bytes() {
        bolero::check!().with_iterations(5_000).for_each(|bytes: &[u8]| {
            for kind in [0, 2, 0x20, 0x22, 0xff] {
                assert!(find(bytes, kind).is_none_or(|value| value.len() <= LONGEST));
            }
        });
    }
}
