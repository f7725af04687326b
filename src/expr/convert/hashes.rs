//! Hashes that are no secrets: CRC-32, CRC-32C, DJB2, SDBM and the xxHash family.
//!
//! Source: each one's public description; the spreading of `avalanche` is Bob Jenkins' 32-bit integer hash with a last
//! step that was found by comparing with 2.6. `wt6` is described nowhere but in haproxy's source: it is not built.

use twox_hash::{XxHash3_64, XxHash32, XxHash64};

use super::{Arg, BIN, INT, Row, Value, int, plain, row};
use crate::units::proxy_header::crc32c;

pub(super) const ROWS: &[Row] = &[
    row("crc32", "|i", (BIN, INT), plain, |args, value, _| hash(args, value, crc32)),
    row("crc32c", "|i", (BIN, INT), plain, |args, value, _| hash(args, value, |bytes| crc32c::of(&[bytes]))),
    row("djb2", "|i", (BIN, INT), plain, |args, value, _| hash(args, value, djb2)),
    row("sdbm", "|i", (BIN, INT), plain, |args, value, _| hash(args, value, sdbm)),
    row("xxh3", "|i", (BIN, INT), plain, |args, value, _| {
        wide(value, |bytes| XxHash3_64::oneshot_with_seed(seed(args), bytes))
    }),
    row("xxh32", "|i", (BIN, INT), plain, |args, value, _| {
        let seed = seed(args) as u32;
        Some(Value::Int(i64::from(XxHash32::oneshot(seed, &value.into_bytes()))))
    }),
    row("xxh64", "|i", (BIN, INT), plain, |args, value, _| wide(value, |bytes| XxHash64::oneshot(seed(args), bytes))),
];

fn seed(args: &[Arg]) -> u64 {
    int(args, 0).unwrap_or(0).cast_unsigned()
}

fn wide<'a>(value: Value<'a>, hash: impl Fn(&[u8]) -> u64) -> Option<Value<'a>> {
    Some(Value::Int(hash(&value.into_bytes()).cast_signed()))
}

/// A hash of 32 bits, spread if the argument says so.
fn hash<'a>(args: &[Arg], value: Value<'a>, hash: impl Fn(&[u8]) -> u32) -> Option<Value<'a>> {
    let hash = hash(&value.into_bytes());
    let spread = int(args, 0).is_some_and(|wanted| wanted != 0);
    Some(Value::Int(i64::from(if spread { avalanche(hash) } else { hash })))
}

/// CRC-32 as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(!0, |sum: u32, byte| TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize] ^ sum >> 8)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { rest >> 1 ^ 0xedb8_8320 } else { rest >> 1 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
}

fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}

fn sdbm(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(65_599).wrapping_add(u32::from(*byte)))
}

/// Bob Jenkins' 32-bit integer hash, and a last step.
fn avalanche(key: u32) -> u32 {
    let a = key.wrapping_add(0x7ed5_5d16).wrapping_add(key << 12);
    let a = a ^ 0xc761_c23c ^ a >> 19;
    let a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    let a = a.wrapping_add(0xd3a2_646c) ^ a << 9;
    let a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    let a = a ^ 0xb55a_4f09 ^ a >> 16;
    a.wrapping_mul(0xc000_0001)
}
