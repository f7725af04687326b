//! JSON Web Tokens: their parts, and signatures by a secret.
//!
//! Signatures by a certificate come with TLS. Source: manual §7.3.1 "jwt_verify" (the numbers of its answers); RFC 7515 §3.1,
//! RFC 7518 §3.2; asked of 2.6 (`fixtures/expr/ciphers.txt`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::digests::authenticated;
use super::{ANY, Arg, Args, BIN, Context, ExprError, Facts, INT, Row, Value, json_query, row, text, variable};
use crate::expr::VarName;
use crate::expr::error::Wrong;

pub(super) const ROWS: &[Row] = &[
    row("jwt_header_query", "|ss", (BIN, ANY), path, |args, value, _| query(args, &value.into_text(), 0)),
    row("jwt_payload_query", "|ss", (BIN, ANY), path, |args, value, _| query(args, &value.into_text(), 1)),
    row("jwt_verify", "ss", (BIN, INT), verified, |args, value, facts| {
        let algorithm = said(args, 0, facts)?;
        let secret = said(args, 1, facts)?;
        Some(Value::Int(verify(&value.into_text(), &algorithm, &secret)))
    }),
];

/// The signature fits.
const GOOD: i64 = 1;
const BAD: i64 = 0;
/// No algorithm that RFC 7518 names.
const UNKNOWN: i64 = -1;
/// One of the family PSxxx.
const UNMANAGED: i64 = -2;
/// No token.
const INVALID: i64 = -3;
/// No such certificate.
const NO_CERTIFICATE: i64 = -5;

fn path(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    if args.text(0).is_empty() { Ok(()) } else { json_query::check(args, context) }
}

fn verified(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let literal = VarName::parse(args.text(0)).is_none();
    let certificates = match args.text(0) {
        b"HS256" | b"HS384" | b"HS512" | b"none" => false,
        b"RS256" | b"RS384" | b"RS512" | b"ES256" | b"ES384" | b"ES512" => true,
        _ if literal => return Err(args.kind(0, "an algorithm that is built: HS256, HS384, HS512 or none")),
        // The token says it: a path can only be that of a certificate.
        _ => args.text(1).contains(&b'/'),
    };
    if certificates {
        let what = "signatures of tokens by a certificate (TLS)".to_owned();
        return Err(ExprError::new(args.word, args.at.clone(), Wrong::NotBuilt { what }));
    }
    for ix in 0..2 {
        if let Some(name) = VarName::parse(args.text(ix)) {
            args.set(ix, Arg::Var(name));
        }
    }
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
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    match text(args, 0) {
        b"" => Some(Value::owned(json)),
        path => json_query::query(&json, path, !text(args, 1).is_empty()),
    }
}

fn verify(token: &[u8], algorithm: &[u8], secret: &[u8]) -> i64 {
    let digest: &[u8] = match algorithm {
        b"HS256" => b"sha256",
        b"HS384" => b"sha384",
        b"HS512" => b"sha512",
        b"none" => b"",
        b"RS256" | b"RS384" | b"RS512" | b"ES256" | b"ES384" | b"ES512" => return NO_CERTIFICATE,
        b"PS256" | b"PS384" | b"PS512" => return UNMANAGED,
        _ => return UNKNOWN,
    };
    let Some(end) = memchr::memrchr(b'.', token).filter(|_| token.split(|byte| *byte == b'.').count() == 3) else {
        return INVALID;
    };
    let (signed, signature) = (&token[..end], &token[end + 1..]);
    if digest.is_empty() {
        return if signature.is_empty() { GOOD } else { BAD };
    }
    let Some(signature) = URL_SAFE_NO_PAD.decode(signature).ok().filter(|signature| !signature.is_empty()) else {
        return INVALID;
    };
    match authenticated(digest, secret, signed) {
        Some(code) if code.ct_eq(&signature).into() => GOOD,
        _ => BAD,
    }
}
