//! AES in Galois/Counter mode, where bytes are authenticated too, and with block chaining, where they are not.
//!
//! Nonce, key, tag and what else is authenticated are in base64, or in variables that hold base64. Source: manual §7.3.1
//! "aes_gcm_dec", of 3.x "aes_gcm_enc", "aes_cbc_enc"; NIST SP 800-38D;
//! asked of 2.6 (`fixtures/expr/ciphers.txt`), which takes nonces of any length and tags that are cut off: here a nonce has 8, 12 or
//! 16 bytes and a tag 16.

use aes_gcm::aead::array::ArraySize;
use aes_gcm::aead::consts::{U8, U12, U16};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::cipher::block_padding::Pkcs7;
use aes_gcm::aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AesGcm, Nonce};

use super::encodings::{base64, to_base64};
use super::{Arg, Args, BIN, Context, ExprError, Facts, Row, Value, int, row, text};
use crate::expr::VarName;
use crate::expr::args::VARIABLE;
use crate::expr::error::{ArgError, Wrong};

pub(super) const ROWS: &[Row] = &[
    row("aes_cbc_dec", "iss|s", (BIN, BIN), chained, |args, value, facts| {
        chain(args, &value.into_bytes(), facts, true).map(Value::bytes)
    }),
    row("aes_cbc_enc", "iss|s", (BIN, BIN), chained, |args, value, facts| {
        chain(args, &value.into_bytes(), facts, false).map(Value::bytes)
    }),
    row("aes_gcm_dec", "isss|s", (BIN, BIN), check, |args, value, facts| {
        let (nonce, key, tag) = (bytes(args, 1, facts)?, bytes(args, 2, facts)?, bytes(args, 3, facts)?);
        if tag.len() != TAG {
            return None;
        }
        let mut whole = value.into_bytes().into_owned();
        whole.extend_from_slice(&tag);
        let besides = besides(args, facts)?;
        crypted(int(args, 0)?, &nonce, &key, Payload { msg: &whole, aad: &besides }, true).map(Value::bytes)
    }),
    row("aes_gcm_enc", "isss|s", (BIN, BIN), encryption, |args, value, facts| {
        let (nonce, key) = (bytes(args, 1, facts)?, bytes(args, 2, facts)?);
        let Some(Arg::Var(name)) = args.get(3) else { return None };
        let (plain, besides) = (value.into_bytes(), besides(args, facts)?);
        let mut whole = crypted(int(args, 0)?, &nonce, &key, Payload { msg: &plain, aad: &besides }, false)?;
        let tag = whole.split_off(whole.len().checked_sub(TAG)?);
        facts.set_variable(name, Some(Value::owned(to_base64(&tag))));
        Some(Value::bytes(whole))
    }),
];

/// Where stands what is authenticated besides.
const BESIDES: usize = 4;
/// The bytes of a tag.
const TAG: usize = 16;

fn check(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    common(args, context, &[1, 2, 3, BESIDES])
}

/// The last argument is the variable that the tag is put into.
fn encryption(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    common(args, context, &[1, 2, BESIDES])?;
    let name = VarName::parse(args.text(3)).ok_or_else(|| args.kind(3, VARIABLE))?;
    args.set(3, Arg::Var(name));
    Ok(())
}

fn common(args: &mut Args, _: &Context<'_>, coded: &[usize]) -> Result<(), ExprError> {
    if !matches!(args.int(0), Some(128 | 192 | 256)) {
        let text = args.int(0).unwrap_or(0).to_string();
        return Err(args.blame(0, ArgError::Kind { text, want: "128, 192 or 256" }));
    }
    for ix in coded.iter().copied().filter(|ix| *ix < args.list.len()).collect::<Vec<_>>() {
        let given = args.text(ix);
        let arg = match VarName::parse(given) {
            Some(name) => Arg::Var(name),
            None => Arg::Str(base64(given).ok_or_else(|| args.kind(ix, "base64, or the name of a variable"))?.into()),
        };
        args.set(ix, arg);
    }
    Ok(())
}

/// Chained blocks authenticate nothing: what the manual lets stand behind the key could not be checked, and may only be empty.
fn chained(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    if let Some(given) = args.list.get(3).filter(|_| !args.text(3).is_empty()) {
        let what = "more that AES is to authenticate in CBC mode, which authenticates nothing,".to_owned();
        return Err(ExprError::new(args.word, given.at.clone(), Wrong::NotBuilt { what }));
    }
    common(args, context, &[1, 2])
}

/// With blocks that are filled up as PKCS #7 says; the first one is mixed with 16 bytes of the nonce.
fn chain(args: &[Arg], bytes: &[u8], facts: &dyn Facts, open: bool) -> Option<Vec<u8>> {
    fn run<A>((nonce, key, bytes, open): (&[u8], &[u8], &[u8], bool)) -> Option<Vec<u8>>
    where
        A: KeyInit + BlockCipherEncrypt<BlockSize = U16> + BlockCipherDecrypt<BlockSize = U16>,
    {
        if open {
            let cipher = cbc::Decryptor::<A>::new_from_slices(key, nonce).ok()?;
            cipher.decrypt_padded_vec::<Pkcs7>(bytes).ok()
        } else {
            Some(cbc::Encryptor::<A>::new_from_slices(key, nonce).ok()?.encrypt_padded_vec::<Pkcs7>(bytes))
        }
    }
    let (nonce, key) = (self::bytes(args, 1, facts)?, self::bytes(args, 2, facts)?);
    let what = (&*nonce, &*key, bytes, open);
    match int(args, 0)? {
        128 => run::<Aes128>(what),
        192 => run::<Aes192>(what),
        256 => run::<Aes256>(what),
        _ => None,
    }
}

/// What is authenticated besides the bytes, if it is given.
fn besides(args: &[Arg], facts: &dyn Facts) -> Option<Vec<u8>> {
    if args.get(BESIDES).is_some() { bytes(args, BESIDES, facts) } else { Some(Vec::new()) }
}

fn bytes(args: &[Arg], ix: usize, facts: &dyn Facts) -> Option<Vec<u8>> {
    match args.get(ix)? {
        Arg::Var(name) => base64(&facts.variable(name)?.into_text()),
        _ => Some(text(args, ix).to_vec()),
    }
}

fn crypted(bits: i64, nonce: &[u8], key: &[u8], what: Payload<'_, '_>, open: bool) -> Option<Vec<u8>> {
    fn run<A: KeyInit + BlockCipherEncrypt<BlockSize = U16>, N: ArraySize>(
        (nonce, key, what, open): (&[u8], &[u8], Payload<'_, '_>, bool),
    ) -> Option<Vec<u8>> {
        let cipher = AesGcm::<A, N>::new_from_slice(key).ok()?;
        let nonce = Nonce::<N>::try_from(nonce).ok()?;
        if open { cipher.decrypt(&nonce, what) } else { cipher.encrypt(&nonce, what) }.ok()
    }
    let what = (nonce, key, what, open);
    match (bits, nonce.len()) {
        (128, 8) => run::<Aes128, U8>(what),
        (128, 12) => run::<Aes128, U12>(what),
        (128, 16) => run::<Aes128, U16>(what),
        (192, 8) => run::<Aes192, U8>(what),
        (192, 12) => run::<Aes192, U12>(what),
        (192, 16) => run::<Aes192, U16>(what),
        (256, 8) => run::<Aes256, U8>(what),
        (256, 12) => run::<Aes256, U12>(what),
        (256, 16) => run::<Aes256, U16>(what),
        _ => None,
    }
}
