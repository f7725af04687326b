//! Names of proxies, servers and sections.

use super::args::Given;
use super::error::{LowerError, Lowered};

/// The first byte that no name may hold. Source: manual §2.? "names"; tried on 2.6.
pub(super) fn wrong_byte(name: &[u8]) -> Option<u8> {
    name.iter().copied().find(|byte| !byte.is_ascii_alphanumeric() && !b"_-.:".contains(byte))
}

/// A name may hold letters, digits, `_`, `-`, `.` and `:`.
///
/// # Errors
/// [`LowerError::Name`].
pub(super) fn check(word: &Given<'_>) -> Lowered {
    match wrong_byte(word.bytes) {
        None => Ok(()),
        Some(byte) => Err(word.blame(LowerError::Name { text: word.text(), byte })),
    }
}
