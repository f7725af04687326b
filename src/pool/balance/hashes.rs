//! From a key to the number that is looked up: the functions of `hash-type`.
//!
//! Source: manual §4.2 "hash-type"; each function's public description (SDBM and DJB2 are Dan Bernstein's and sdbm's, CRC-32 that of
//! Ethernet); 1,000 keys of each asked of 2.6 (`fixtures/output/keys/`). `wt6` is described nowhere but in haproxy's source: it is not built.

use std::net::IpAddr;

use super::ring::mix;
use crate::ir::{HashFunction, HashType};

/// The number of a key, mixed where `hash-type` wants it.
pub fn key_hash(hash: HashType, key: &[u8]) -> u32 {
    mixed(
        hash,
        match hash.function {
            HashFunction::Sdbm | HashFunction::Wt6 => {
                key.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(65_599).wrapping_add(u32::from(*byte)))
            }
            HashFunction::Djb2 => {
                key.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
            }
            HashFunction::Crc32 => crc32(key),
            HashFunction::None => number(key),
        },
    )
}

/// The number of a client for `balance source`: the address as big-endian 32-bit words, combined by exclusive or.
///
/// The functions are for texts: an address is a number already, and none of them is applied to it.
pub fn address_hash(hash: HashType, address: IpAddr) -> u32 {
    mixed(
        hash,
        match address {
            IpAddr::V4(v4) => v4.to_bits(),
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                (0..4).fold(0, |hash, word| hash ^ (bits >> (32 * word)) as u32)
            }
        },
    )
}

fn mixed(hash: HashType, number: u32) -> u32 {
    if hash.avalanche { mix(number) } else { number }
}

/// CRC-32 as in Ethernet, bit by bit: a key is short, and a session has one.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum: u32, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// `none`: the key is a number already, in decimal digits; what is none ends it.
fn number(key: &[u8]) -> u32 {
    let digits = key.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_the_public_ones() {
        let hash = |function, key: &str| key_hash(HashType { function, ..HashType::default() }, key.as_bytes());
        for (function, key, want) in [
            (HashFunction::Crc32, "123456789", 0xcbf4_3926), // the check value of its description
            (HashFunction::Crc32, "", 0),
            (HashFunction::Djb2, "", 5381),
            (HashFunction::Djb2, "a", 177_670),
            (HashFunction::Sdbm, "", 0),
            (HashFunction::Sdbm, "ab", 97 * 65_599 + 98),
            (HashFunction::None, "4294967297 and more", 1), // 2^32 + 1
            (HashFunction::None, "x", 0),
        ] {
            assert_eq!(hash(function, key), want, "{function:?} {key:?}");
        }
    }
}
