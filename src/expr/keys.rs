//! Public keys that signatures are verified with: files in PEM, read with the configuration and by their names known to all of it.
//!
//! The first `PUBLIC KEY` or `RSA PUBLIC KEY` of a file counts; certificates and private keys are none. Which keys an algorithm
//! takes: RFC 7518 §3.3 to §3.5. Source: manual §7.3.1 "jwt_verify"; asked of 2.6 (`fixtures/expr/signatures.txt`).

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::text::World;

/// The algorithms that verify with a public key, by their names of RFC 7518.
const ALGORITHMS: [(&str, &dyn VerificationAlgorithm); COUNT] = [
    ("RS256", &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
    ("RS384", &signature::RSA_PKCS1_2048_8192_SHA384),
    ("RS512", &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
    ("PS256", &signature::RSA_PSS_2048_8192_SHA256),
    ("PS384", &signature::RSA_PSS_2048_8192_SHA384),
    ("PS512", &signature::RSA_PSS_2048_8192_SHA512),
    ("ES256", &signature::ECDSA_P256_SHA256_FIXED),
    ("ES384", &signature::ECDSA_P384_SHA384_FIXED),
    ("ES512", &signature::ECDSA_P521_SHA512_FIXED),
];

const COUNT: usize = 9;

/// What keys may be for that no algorithm of tokens takes: they are known, and fit no signature.
const OTHERS: [&dyn VerificationAlgorithm; 2] = [&signature::ED25519, &signature::ECDSA_P256K1_SHA256_FIXED];

/// An algorithm that verifies with a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Algorithm(usize);

impl Algorithm {
    /// The one of that name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        ALGORITHMS.iter().position(|(known, _)| known.as_bytes() == name).map(Self)
    }

    /// Whether its signatures are two numbers of the same length, one behind the other.
    pub(super) fn paired(self) -> bool {
        self.0 >= 6
    }
}

/// A public key, as each algorithm wants it that takes it.
#[derive(Debug)]
struct Key([Option<ParsedPublicKey>; COUNT]);

impl Key {
    /// The key of a file; `None`: it has none.
    fn read(bytes: &[u8]) -> Option<Self> {
        let parts = pem::parse_many(bytes).ok()?;
        let part = parts.iter().find(|part| matches!(part.tag(), "PUBLIC KEY" | "RSA PUBLIC KEY"))?;
        let parsed = |with: &'static dyn VerificationAlgorithm| ParsedPublicKey::new(with, part.contents()).ok();
        let key = Self(ALGORITHMS.map(|(_, with)| parsed(with)));
        let known = key.0.iter().any(Option::is_some) || OTHERS.iter().any(|with| parsed(*with).is_some());
        known.then_some(key)
    }
}

/// A file that was named, and its key if it has one.
#[derive(Debug)]
struct File {
    name: Box<[u8]>,
    key: Option<Key>,
}

/// The public keys of a configuration. New ones come only while it is read; who verifies takes no lock.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<boxcar::Vec<File>>);

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Keys {
    /// Reads the file of that name, once. A file that cannot be read, or has no key, is no key: tokens are told so.
    pub(super) fn load(&self, name: &[u8], world: &dyn World) {
        if self.0.iter().any(|(_, file)| *file.name == *name) {
            return;
        }
        let path = std::str::from_utf8(name).ok().filter(|path| !path.is_empty());
        let bytes = path.and_then(|path| world.read(Path::new(path)).ok());
        self.0.push(File { name: name.into(), key: bytes.and_then(|bytes| Key::read(&bytes)) });
    }

    /// Whether the signature of a text fits the key of that file; `None`: no such key was read.
    pub(super) fn verify(&self, name: &[u8], algorithm: Algorithm, text: &[u8], signature: &[u8]) -> Option<bool> {
        let (_, file) = self.0.iter().find(|(_, file)| *file.name == *name)?;
        let key = file.key.as_ref()?.0.get(algorithm.0)?.as_ref();
        Some(key.is_some_and(|key| key.verify_sig(text, signature).is_ok()))
    }
}
