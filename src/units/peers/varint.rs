//! Numbers of variable length: one byte below 240, and up to ten. Source: `peers.txt`, "Encoding".

use super::Fault;

/// The first byte of a number that has more bytes.
const LONG: u64 = 0xf0;

/// Takes a number from the front of `bytes`.
pub(super) fn read(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let (first, mut rest) = bytes.split_first().ok_or(Fault::Protocol)?;
    let mut number = u64::from(*first);
    if number >= LONG {
        let mut shift = 4;
        loop {
            let (byte, behind) = rest.split_first().ok_or(Fault::Protocol)?;
            rest = behind;
            let part = u64::from(*byte);
            if shift > 63 || part > u64::MAX >> shift {
                return Err(Fault::Protocol);
            }
            number = number.checked_add(part << shift).ok_or(Fault::Protocol)?;
            if *byte < 0x80 {
                break;
            }
            shift += 7;
        }
    }
    *bytes = rest;
    Ok(number)
}

/// Adds a number to `out`.
pub(super) fn write(out: &mut Vec<u8>, number: u64) {
    if number < LONG {
        out.push(number as u8);
        return;
    }
    out.push((number | LONG) as u8);
    let mut left = (number - LONG) >> 4;
    while left >= 0x80 {
        out.push((left | 0x80) as u8);
        left = (left - 0x80) >> 7;
    }
    out.push(left as u8);
}
