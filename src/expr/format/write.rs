//! A format and the facts of a session become a line.
//!
//! Writes into one buffer and allocates nothing else. Which escapes and digits a kind of fact has was observed on 2.6.

use std::io::Write;
use std::net::IpAddr;

use super::{Flags, Format, Piece, Variable};
use crate::expr::Value;

/// A date, as several variables write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// `22/Nov/2026:19:46:24.013`, local.
    Millis,
    /// `22/Nov/2026:19:46:24 +0000`, in GMT.
    Gmt,
    /// The same in local time.
    Local,
}

/// What a variable stands for in one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Nothing is known: `-`, or nothing between quotes.
    Unknown,
    /// Not even a dash: captures that there are none of.
    Absent,
    /// Text that is empty: nothing, or nothing between quotes.
    Empty,
    /// Text, quoted and escaped as the flags say.
    Text(&'a [u8]),
    /// Texts that stand apart, each quoted and escaped for itself; of one that is not there a dash.
    Fields(&'a [Option<Vec<u8>>]),
    /// Text that no flag changes.
    Plain(&'a [u8]),
    /// A number that no flag changes.
    Number(i64),
    /// The same with a plus before it: it is still growing.
    Growing(i64),
    /// A number that is hexadecimal with `X`, of at least that many digits then.
    Hex(u64, usize),
    /// Three decimal digits, or at least two hexadecimal ones.
    Millis(u32),
    /// An address.
    Ip(IpAddr),
    /// The place of an address is a unix socket. It has no hexadecimal form: with `X` the line ends here.
    Unix,
    /// A date.
    Date(Date),
}

/// Where a format's variables come from.
pub trait Facts {
    /// What a variable stands for.
    fn fact(&self, variable: Variable) -> Fact<'_>;

    /// Appends a date.
    fn date(&self, date: Date, out: &mut Vec<u8>);

    /// What sample expressions look at.
    fn samples(&self) -> &dyn crate::expr::Facts {
        &crate::expr::Nothing
    }
}

impl Format {
    /// Appends the line that the facts make. Spaces at its beginning are left out, and so is each behind another.
    pub fn write(&self, facts: &impl Facts, out: &mut Vec<u8>) {
        let mut spaced = true;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Space if spaced => continue,
                Piece::Space => out.push(b' '),
                Piece::Variable(variable, flags) => {
                    let before = out.len();
                    if !put(out, facts, facts.fact(*variable), *flags) {
                        return;
                    }
                    if out.len() == before {
                        continue;
                    }
                }
                Piece::Sample(expr, flags) => {
                    let before = out.len();
                    sample(out, facts, expr, *flags);
                    if out.len() == before {
                        continue;
                    }
                }
            }
            spaced = *piece == Piece::Space;
        }
    }
}

impl Format {
    /// Appends the text that the facts make, where it is no line: what is not known leaves no trace.
    pub(in crate::expr) fn write_verbatim(&self, facts: &impl Facts, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Space => out.push(b' '),
                Piece::Variable(variable, flags) => {
                    let fact = match facts.fact(*variable) {
                        Fact::Unknown | Fact::Text(b"") => Fact::Empty,
                        fact => fact,
                    };
                    if !put(out, facts, fact, *flags) {
                        return;
                    }
                }
                Piece::Sample(expr, flags) if *flags == Flags::default() => {
                    if let Some(value) = expr.value(facts.samples()) {
                        value.write(out);
                    }
                }
                Piece::Sample(expr, flags) => match expr.value(facts.samples()) {
                    Some(_) => sample(out, facts, expr, *flags),
                    None => drop(put(out, facts, Fact::Empty, *flags)),
                },
            }
        }
    }
}

/// Appends what a sample expression gives.
fn sample(out: &mut Vec<u8>, facts: &impl Facts, expr: &crate::expr::Expr, flags: Flags) {
    match expr.value(facts.samples()) {
        Some(value @ (Value::Str(_) | Value::Bin(_))) => {
            put(out, facts, Fact::Text(&value.into_text()), flags);
        }
        Some(Value::Int(number)) => quoted(out, flags, |out| {
            let _ = decimal(out, number);
        }),
        Some(value) => quoted(out, flags, |out| value.write(out)),
        None => {
            put(out, facts, Fact::Unknown, flags);
        }
    }
}

/// Appends a fact; `false`: the line ends here.
fn put(out: &mut Vec<u8>, facts: &impl Facts, fact: Fact<'_>, flags: Flags) -> bool {
    // Writing to a Vec cannot fail.
    let _ = match fact {
        Fact::Unknown | Fact::Empty if flags.quoted => out.write_all(b"\"\""),
        Fact::Unknown => out.write_all(b"-"),
        Fact::Absent | Fact::Empty => Ok(()),
        Fact::Text(b"") => return put(out, facts, Fact::Unknown, flags),
        Fact::Text(text) => {
            quoted(out, flags, |out| escaped(out, text, flags));
            Ok(())
        }
        Fact::Fields(fields) => {
            for (at, field) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                let fact = match field.as_deref() {
                    None => Fact::Unknown,
                    Some(b"") => Fact::Empty,
                    Some(text) => Fact::Text(text),
                };
                put(out, facts, fact, flags);
            }
            Ok(())
        }
        Fact::Plain(text) => out.write_all(text),
        Fact::Number(number) => decimal(out, number),
        Fact::Growing(number) => {
            out.push(b'+');
            decimal(out, number)
        }
        Fact::Hex(number, digits) if flags.hex => write!(out, "{number:0digits$X}"),
        Fact::Hex(number, _) => decimal(out, number.cast_signed()),
        Fact::Millis(number) if flags.hex => write!(out, "{number:02X}"),
        Fact::Millis(number) => write!(out, "{number:03}"),
        Fact::Ip(address) if flags.hex => {
            hex(out, address);
            Ok(())
        }
        Fact::Ip(address) => {
            quoted(out, flags, |out| {
                let _ = write!(out, "{address}");
            });
            Ok(())
        }
        Fact::Unix if flags.hex => return false,
        Fact::Unix => {
            quoted(out, flags, |out| out.extend_from_slice(b"unix"));
            Ok(())
        }
        Fact::Date(date) => {
            facts.date(date, out);
            Ok(())
        }
    };
    true
}

/// The digits of a number: `write!` costs several times as much, and a line has a dozen numbers.
fn decimal(out: &mut Vec<u8>, number: i64) -> std::io::Result<()> {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
    Ok(())
}

fn hex(out: &mut Vec<u8>, address: IpAddr) {
    let (four, six);
    let octets: &[u8] = match address {
        IpAddr::V4(address) => {
            four = address.octets();
            &four
        }
        IpAddr::V6(address) => {
            six = address.octets();
            &six
        }
    };
    for octet in octets {
        let _ = write!(out, "{octet:02X}");
    }
}

fn quoted(out: &mut Vec<u8>, flags: Flags, write: impl FnOnce(&mut Vec<u8>)) {
    if flags.quoted {
        out.push(b'"');
    }
    write(out);
    if flags.quoted {
        out.push(b'"');
    }
}

fn escaped(out: &mut Vec<u8>, text: &[u8], flags: Flags) {
    if !flags.escaped {
        return out.extend_from_slice(text);
    }
    for &byte in text {
        if matches!(byte, b'"' | b'\\' | b']') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}
