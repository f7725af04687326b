//! Digests and message authentication codes.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use super::{Arg, Args, BIN, Context, ExprError, Facts, Row, Value, int, plain, row, text};
use crate::expr::VarName;
use crate::expr::convert::encodings::base64;
use crate::expr::error::{ArgError, Wrong};

pub(super) const ROWS: &[Row] = &[
    row("digest", "s", (BIN, BIN), algorithm, |args, value, _| {
        digest(text(args, 0), &value.into_bytes()).map(Value::bytes)
    }),
    row("hmac", "ss", (BIN, BIN), keyed, |args, value, facts| {
        let key = key(args, facts)?;
        authenticated(text(args, 0), &key, &value.into_bytes()).map(Value::bytes)
    }),
    row("sha1", "", (BIN, BIN), plain, |_, value, _| digest(b"sha1", &value.into_bytes()).map(Value::bytes)),
    row("sha2", "|i", (BIN, BIN), bits, |args, value, _| {
        let name: &[u8] = match int(args, 0).unwrap_or(256) {
            224 => b"sha224",
            256 => b"sha256",
            384 => b"sha384",
            _ => b"sha512",
        };
        digest(name, &value.into_bytes()).map(Value::bytes)
    }),
];

/// What OpenSSL has besides; none of them is built.
const OTHERS: [&str; 18] = [
    "blake2b512",
    "blake2s256",
    "md4",
    "md5-sha1",
    "mdc2",
    "ripemd",
    "ripemd160",
    "rmd160",
    "sha3-224",
    "sha3-256",
    "sha3-384",
    "sha3-512",
    "shake128",
    "shake256",
    "sm3",
    "whirlpool",
    "md2",
    "ssl3-md5",
];

fn bits(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    match args.int(0) {
        None | Some(224 | 256 | 384 | 512) => Ok(()),
        Some(number) => Err(args.blame(0, ArgError::Kind { text: number.to_string(), want: "224, 256, 384 or 512" })),
    }
}

fn algorithm(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let name = args.text(0).to_ascii_lowercase();
    if digest(&name, b"").is_none() {
        return Err(match std::str::from_utf8(&name).ok().filter(|name| OTHERS.contains(name)) {
            Some(name) => {
                let what = format!("the digest '{name}'");
                ExprError::new(args.word, args.at.clone(), Wrong::NotBuilt { what })
            }
            None => args.kind(0, "the name of a digest, like 'sha256'"),
        });
    }
    args.set(0, Arg::Str(name.into()));
    Ok(())
}

/// The key is in base64, or in a variable that holds base64.
fn keyed(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    algorithm(args, context)?;
    let given = args.text(1);
    let arg = match VarName::parse(given) {
        Some(name) => Arg::Var(name),
        None => Arg::Str(base64(given).ok_or_else(|| args.kind(1, "base64, or the name of a variable"))?.into()),
    };
    args.set(1, arg);
    Ok(())
}

fn key(args: &[Arg], facts: &dyn Facts) -> Option<Vec<u8>> {
    match args.get(1)? {
        Arg::Var(name) => base64(&facts.variable(name)?.into_text()),
        _ => Some(text(args, 1).to_vec()),
    }
}

fn digest(name: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match name {
        b"md5" => Md5::digest(bytes).to_vec(),
        b"sha1" => Sha1::digest(bytes).to_vec(),
        b"sha224" => Sha224::digest(bytes).to_vec(),
        b"sha256" => Sha256::digest(bytes).to_vec(),
        b"sha384" => Sha384::digest(bytes).to_vec(),
        b"sha512" => Sha512::digest(bytes).to_vec(),
        b"sha512-224" => Sha512_224::digest(bytes).to_vec(),
        b"sha512-256" => Sha512_256::digest(bytes).to_vec(),
        _ => return None,
    })
}

/// The code of a text by a key.
pub(super) fn authenticated(name: &[u8], key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    fn code<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
        mac.update(bytes);
        Some(mac.finalize().into_bytes().to_vec())
    }
    match name {
        b"md5" => code::<Hmac<Md5>>(key, bytes),
        b"sha1" => code::<Hmac<Sha1>>(key, bytes),
        b"sha224" => code::<Hmac<Sha224>>(key, bytes),
        b"sha256" => code::<Hmac<Sha256>>(key, bytes),
        b"sha384" => code::<Hmac<Sha384>>(key, bytes),
        b"sha512" => code::<Hmac<Sha512>>(key, bytes),
        b"sha512-224" => code::<Hmac<Sha512_224>>(key, bytes),
        b"sha512-256" => code::<Hmac<Sha512_256>>(key, bytes),
        _ => None,
    }
}
