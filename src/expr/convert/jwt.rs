//! JSON Web Tokens: their parts, and signatures by a secret or a key.
//!
//! Source: manual §7.3.1 "jwt_verify" (the numbers of its answers); RFC 7515 §3.1, RFC 7518 §3; asked of 2.6
//! (`fixtures/expr/ciphers.txt`, `signatures.txt`). PSxxx are of 3.x, and certificates are none there either.

use subtle::ConstantTimeEq as _;

use super::digests::authenticated;
use super::encodings::base64url;
use super::{ANY, Arg, Args, BIN, Context, ExprError, Facts, INT, Row, Value, json_query, row, text, variable};
use crate::expr::VarName;
use crate::expr::keys::{Algorithm, Keys};

pub(super) const ROWS: &[Row] = &[
    row("jwt_header_query", "|ss", (BIN, ANY), path, |args, value, _| query(args, &value.into_text(), 0)),
    row("jwt_payload_query", "|ss", (BIN, ANY), path, |args, value, _| query(args, &value.into_text(), 1)),
    row("jwt_verify", "ss", (BIN, INT), verified, |args, value, facts| {
        let algorithm = said(args, 0, facts)?;
        let key = said(args, 1, facts)?;
        let Some(Arg::Keys(keys)) = args.get(2) else { return None };
        Some(Value::Int(verify(&value.into_text(), &algorithm, &key, keys)))
    }),
];

/// The signature fits.
const GOOD: i64 = 1;
const BAD: i64 = 0;
/// No algorithm that RFC 7518 names.
const UNKNOWN: i64 = -1;
/// No token.
const INVALID: i64 = -3;
/// No such key.
const NO_KEY: i64 = -5;

/// What a signature is compared with.
enum By {
    Nothing,
    /// The code that a digest and the secret make.
    Secret(&'static [u8]),
    Key(Algorithm),
}

fn path(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    if args.text(0).is_empty() { Ok(()) } else { json_query::check(args, context) }
}

/// Files are read now. One that is only named by a variable later has to be named here or in another `jwt_verify`.
fn verified(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    if VarName::parse(args.text(0)).is_none() && by(args.text(0)).is_none() {
        return Err(
            args.kind(0, "an algorithm of RFC 7518: HS256, RS256, ES256, PS256, those with 384 and 512, or none")
        );
    }
    if VarName::parse(args.text(1)).is_none() {
        context.lists.keys.load(args.text(1), context.world);
    }
    for ix in 0..2 {
        if let Some(name) = VarName::parse(args.text(ix)) {
            args.set(ix, Arg::Var(name));
        }
    }
    args.set(2, Arg::Keys(context.lists.keys.clone()));
    Ok(())
}

/// An argument, or the text of its variable.
fn said<'a>(args: &'a [Arg], ix: usize, facts: &'a dyn Facts) -> Option<std::borrow::Cow<'a, [u8]>> {
    match args.get(ix)? {
        Arg::Var(_) => Some(variable(args, ix, facts)?.into_text()),
        _ => Some(text(args, ix).into()),
    }
}

fn query<'a>(args: &'a [Arg], token: &[u8], part: usize) -> Option<Value<'a>> {
    let part = token.split(|byte| *byte == b'.').nth(part)?;
    let json = base64url(part)?;
    match text(args, 0) {
        b"" => Some(Value::owned(json)),
        path => json_query::query(&json, path, !text(args, 1).is_empty()),
    }
}

fn by(algorithm: &[u8]) -> Option<By> {
    Some(match algorithm {
        b"HS256" => By::Secret(b"sha256"),
        b"HS384" => By::Secret(b"sha384"),
        b"HS512" => By::Secret(b"sha512"),
        b"none" => By::Nothing,
        _ => By::Key(Algorithm::named(algorithm)?),
    })
}

/// `key`: the secret, or the name of a file.
fn verify(token: &[u8], algorithm: &[u8], key: &[u8], keys: &Keys) -> i64 {
    let Some(by) = by(algorithm) else { return UNKNOWN };
    let Some(end) = memchr::memrchr(b'.', token).filter(|_| token.split(|byte| *byte == b'.').count() == 3) else {
        return INVALID;
    };
    let (signed, signature) = (&token[..end], &token[end + 1..]);
    if let By::Nothing = by {
        return if signature.is_empty() { GOOD } else { BAD };
    }
    let Some(signature) = base64url(signature).filter(|signature| !signature.is_empty()) else { return INVALID };
    let fits = match by {
        By::Nothing => false,
        By::Secret(digest) => authenticated(digest, key, signed).is_some_and(|code| code.ct_eq(&signature).into()),
        By::Key(algorithm) => match keys.verify(key, algorithm, signed, &signature) {
            Some(_) if algorithm.paired() && !signature.len().is_multiple_of(2) => return INVALID,
            Some(fits) => fits,
            None => return NO_KEY,
        },
    };
    if fits { GOOD } else { BAD }
}
