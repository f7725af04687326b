//! `dump_all_vars`: variables as a text. Source: manual of 3.4 §7.3.2; not asked: no 3.x binary.
//!
//! Within a scope they stand in the order of their names.

use std::io::Write as _;

use super::Fetch;
use crate::expr::args::Args;
use crate::expr::error::ExprError;
use crate::expr::{Facts, Scope, Value};

/// Those that are told of, in this order.
const SCOPES: [Scope; 5] = [Scope::Session, Scope::Transaction, Scope::Request, Scope::Response, Scope::Process];

pub(super) fn read(args: &Args) -> Result<Fetch, ExprError> {
    let scopes = match args.text(0) {
        b"" => &SCOPES[..],
        name => SCOPES
            .chunks(1)
            .find(|scope| scope.iter().any(|scope| scope.name().as_bytes() == name))
            .ok_or_else(|| args.kind(0, "'sess', 'txn', 'req', 'res' or 'proc'"))?,
    };
    let prefix = std::str::from_utf8(args.text(1)).map_err(|_| args.kind(1, "what names of variables begin with"))?;
    let between = if args.text(2).is_empty() { b", " } else { args.text(2) };
    Ok(Fetch::Vars { scopes, prefix: prefix.into(), between: between.into() })
}

/// Variables whose names behind the scope begin so.
pub(super) fn told(facts: &dyn Facts, scopes: &[Scope], prefix: &str, between: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for scope in scopes {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        facts.variables(*scope, &mut |name, value| {
            if name.starts_with(prefix) {
                found.push((name.to_owned(), written(value)));
            }
        });
        found.sort();
        for (name, value) in found {
            if !all.is_empty() {
                all.extend_from_slice(between);
            }
            all.extend_from_slice(format!("{}.{name}=", scope.name()).as_bytes());
            all.extend(value);
        }
    }
    all
}

fn written(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Bool(truth) => truth.to_string().into_bytes(),
        Value::Str(text) => quoted(text),
        Value::Bin(bytes) => {
            let mut out = vec![b'x'];
            bytes.iter().for_each(|byte| drop(write!(out, "{byte:02x}")));
            out
        }
        value => value.to_text(),
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\r' => out.extend(b"\\r"),
            b'\n' => out.extend(b"\\n"),
            8 => out.extend(b"\\b"),
            0 => out.extend(b"\\0"),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}
