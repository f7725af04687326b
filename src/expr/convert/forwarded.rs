//! The `Forwarded` header and the nodes that it names.
//!
//! A header is read as RFC 7239 §4 writes it: no blanks but around the commas of a list, each parameter once in an element,
//! parameters that it does not know are let pass. Source: RFC 7239; manual of 3.x §7.3.1 "rfc7239_*" (`proto` is 'http' or 'https').

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{ANY, Args, BOOL, Context, ExprError, Row, STR, Value, plain, row, text};
use crate::units::PlainIp;

pub(super) const ROWS: &[Row] = &[
    row("rfc7239_field", "s", (STR, STR), field, |args, value, _| {
        let header = value.into_text();
        let found =
            elements(&header)?.into_iter().flatten().find(|pair| pair.name.eq_ignore_ascii_case(text(args, 0)))?;
        Some(Value::owned(found.value.into_owned()))
    }),
    row("rfc7239_is_valid", "", (STR, BOOL), plain, |_, value, _| {
        Some(Value::Bool(elements(&value.into_text()).is_some()))
    }),
    row("rfc7239_n2nn", "", (STR, ANY), plain, |_, value, _| {
        Some(match node(&value.into_text())?.0 {
            Name::Ipv4(address) => Value::Ipv4(address),
            Name::Ipv6(address) => Value::Ipv6(address),
            Name::Hidden(name) => Value::owned(name.to_vec()),
        })
    }),
    row("rfc7239_n2np", "", (STR, ANY), plain, |_, value, _| {
        Some(match node(&value.into_text())?.1? {
            Port::Number(port) => Value::Int(port.into()),
            Port::Hidden(name) => Value::owned(name.to_vec()),
        })
    }),
    row("rfc7239_nn", "", (ANY, STR), plain, |_, value, _| {
        Some(Value::owned(match value {
            Value::Ipv4(address) => address.to_string().into_bytes(),
            Value::Ipv6(address) => format!("[{}]", PlainIp(address.into())).into_bytes(),
            Value::Str(_) | Value::Bin(_) => match value.into_text() {
                name if name.is_empty() => b"unknown".to_vec(),
                name => hide(&name)?,
            },
            Value::Bool(_) | Value::Int(_) => return None,
        }))
    }),
    row("rfc7239_np", "", (ANY, STR), plain, |_, value, _| {
        Some(Value::owned(match value {
            Value::Int(port) => u16::try_from(port).ok()?.to_string().into_bytes(),
            Value::Str(_) | Value::Bin(_) => hide(&value.into_text()).filter(|name| name.len() > 1)?,
            _ => return None,
        }))
    }),
];

const FIELDS: [&[u8]; 4] = [b"proto", b"host", b"for", b"by"];

fn field(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    if FIELDS.contains(&args.text(0)) { Ok(()) } else { Err(args.kind(0, "'proto', 'host', 'for' or 'by'")) }
}

/// A parameter; quotes and escapes of its value are taken off.
struct Pair<'h> {
    name: &'h [u8],
    value: Cow<'h, [u8]>,
}

/// The parameters of each element of a header; `None`: it is none.
fn elements(header: &[u8]) -> Option<Vec<Vec<Pair<'_>>>> {
    let (mut all, mut rest) = (Vec::new(), header);
    loop {
        let mut pairs = Vec::new();
        rest = element(rest, &mut pairs)?;
        if !pairs.is_empty() {
            all.push(pairs);
        }
        rest = rest.trim_ascii_start();
        match rest.split_first() {
            Some((b',', behind)) => rest = behind.trim_ascii_start(),
            Some(_) => return None,
            None => break,
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Reads one element, up to a comma, a blank or the end; gives what stands behind it.
fn element<'h>(mut rest: &'h [u8], pairs: &mut Vec<Pair<'h>>) -> Option<&'h [u8]> {
    loop {
        if rest.first().is_some_and(|byte| is_token(*byte)) {
            let (pair, behind) = pair(rest)?;
            if pairs.iter().any(|known| known.name.eq_ignore_ascii_case(pair.name)) || !fits(&pair) {
                return None;
            }
            pairs.push(pair);
            rest = behind;
        }
        match rest.split_first() {
            Some((b';', behind)) => rest = behind,
            _ => return Some(rest),
        }
    }
}

fn pair(text: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (name, rest) = text.split_at(tokens(text));
    let rest = rest.strip_prefix(b"=")?;
    match rest.strip_prefix(b"\"") {
        Some(quoted) => {
            let (value, behind) = unquoted(quoted)?;
            Some((Pair { name, value }, behind))
        }
        None => {
            let (value, behind) = rest.split_at(tokens(rest));
            (!value.is_empty()).then_some((Pair { name, value: Cow::Borrowed(value) }, behind))
        }
    }
}

/// What stands before the closing quote, and what behind it.
fn unquoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((Cow::Owned(value), text.get(at + 1..)?)),
            b'\\' => value.push(*bytes.next()?.1),
            b'\t' | b' '..=b'~' | 0x80.. => value.push(*byte),
            _ => return None,
        }
    }
    None
}

fn tokens(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_token(**byte)).count()
}

/// RFC 7230 §3.2.6.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the value of a parameter is one that it may have.
fn fits(pair: &Pair<'_>) -> bool {
    let is = |name: &[u8]| pair.name.eq_ignore_ascii_case(name);
    let value = &*pair.value;
    match () {
        () if is(b"proto") => value.eq_ignore_ascii_case(b"http") || value.eq_ignore_ascii_case(b"https"),
        () if is(b"host") => is_host(value),
        () if is(b"for") || is(b"by") => node(value).is_some(),
        () => true,
    }
}

/// `host`, `host:port`: a name, an IPv4 address, or an IPv6 address between brackets.
fn is_host(text: &[u8]) -> bool {
    let (host, port) = split(text);
    let literal = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(byte);
    let good = match literal {
        Some(address) => ipv6(address).is_some(),
        None => !host.is_empty() && host.iter().all(named),
    };
    good && port.is_none_or(|port| port.len() <= 5 && port.iter().all(u8::is_ascii_digit))
}

enum Name<'n> {
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
    /// 'unknown', or a name that begins with an underscore.
    Hidden(&'n [u8]),
}

enum Port<'n> {
    Number(u16),
    Hidden(&'n [u8]),
}

/// RFC 7239 §6: the name and the port of a node.
fn node(text: &[u8]) -> Option<(Name<'_>, Option<Port<'_>>)> {
    let (name, port) = split(text);
    let name = match name {
        [b'[', address @ .., b']'] => Name::Ipv6(ipv6(address)?),
        [b'_', ..] => Name::Hidden(hidden(name)?),
        name if name.eq_ignore_ascii_case(b"unknown") => Name::Hidden(b"unknown"),
        name => Name::Ipv4(std::str::from_utf8(name).ok()?.parse().ok()?),
    };
    let port = match port {
        None => None,
        Some(port @ [b'_', ..]) => Some(Port::Hidden(hidden(port)?)),
        Some(port) if !port.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit) => {
            Some(Port::Number(std::str::from_utf8(port).ok()?.parse().ok()?))
        }
        Some(_) => return None,
    };
    Some((name, port))
}

/// At the first colon that no bracket surrounds.
fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let from = text.iter().position(|byte| *byte == b']').unwrap_or(0);
    match text[from..].iter().position(|byte| *byte == b':') {
        Some(colon) => (&text[..from + colon], text.get(from + colon + 1..)),
        None => (text, None),
    }
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An underscore and at least one letter, digit, dot, underscore or hyphen.
fn hidden(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"_")?;
    (!rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))).then_some(text)
}

fn hide(name: &[u8]) -> Option<Vec<u8>> {
    let whole = [b"_", name].concat();
    hidden(&whole)?;
    Some(whole)
}
