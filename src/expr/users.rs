//! Passwords of userlists: the hashes of crypt(3), and passwords in the clear (`insecure-password`).
//!
//! Comparing takes the same time wherever two differ. `$1$` is computed here, `$5$`, `$6$` and `$y$` by crates of RustCrypto.
//! Hashing is made to be slow: a yescrypt of the usual cost takes tens of milliseconds, so a caller may want to remember
//! what it found. Source: manual §3.4, crypt(5).

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// Why a password cannot be compared with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashError {
    /// A kind of hash that is not built.
    #[error("hashes of this kind are not built: '$1$', '$5$', '$6$' and '$y$' are")]
    Kind,
    /// It begins like one and is none.
    #[error("not a hash of crypt(3)")]
    Malformed,
}

/// Whether a hash can be compared with: its kind and its form.
///
/// # Errors
/// [`HashError`].
pub fn check(hash: &str) -> Result<(), HashError> {
    match kind(hash) {
        None => Err(HashError::Kind),
        Some(_) => {
            let parts = hash.split('$').filter(|part| !part.is_empty()).count();
            if parts >= 3 { Ok(()) } else { Err(HashError::Malformed) }
        }
    }
}

/// Whether the password is the one that was hashed. What is no hash fits no password.
pub fn verify(hash: &str, password: &[u8]) -> bool {
    use sha_crypt::PasswordVerifier as _;
    match kind(hash) {
        Some("1") => md5_crypt(hash, password).is_some_and(|own| own.as_bytes().ct_eq(hash.as_bytes()).into()),
        Some("5" | "6") => sha_crypt::ShaCrypt::default().verify_password(password, hash).is_ok(),
        Some(_) => yescrypt::Yescrypt::default().verify_password(password, hash).is_ok(),
        None => false,
    }
}

/// Whether two passwords in the clear are the same.
pub fn same(own: &[u8], given: &[u8]) -> bool {
    own.ct_eq(given).into()
}

fn kind(hash: &str) -> Option<&str> {
    let (kind, _) = hash.strip_prefix('$')?.split_once('$')?;
    ["1", "5", "6", "y"].contains(&kind).then_some(kind)
}

/// The hash `$1$salt$…` of a password with the salt of another. Source: Poul-Henning Kamp's description of FreeBSD's crypt.
fn md5_crypt(hash: &str, password: &[u8]) -> Option<String> {
    const ROUNDS: usize = 1000;
    let (salt, _) = hash.strip_prefix("$1$")?.split_once('$')?;
    let salt = salt.as_bytes().get(..salt.len().min(8))?;
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    let mut left = password.len();
    while left > 0 {
        first.update(&inner[..left.min(16)]);
        left = left.saturating_sub(16);
    }
    let mut bits = password.len();
    while bits > 0 {
        match bits & 1 {
            1 => first.update([0]),
            _ => first.update(password.get(..1)?),
        }
        bits >>= 1;
    }
    let mut sum = first.finalize();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        let odd = round & 1 == 1;
        if odd {
            next.update(password)
        } else {
            next.update(sum)
        }
        if !round.is_multiple_of(3) {
            next.update(salt);
        }
        if !round.is_multiple_of(7) {
            next.update(password);
        }
        if odd {
            next.update(sum)
        } else {
            next.update(password)
        }
        sum = next.finalize();
    }
    let mut out = format!("$1${}$", std::str::from_utf8(salt).ok()?);
    for [a, b, c] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        digits(u32::from(sum[a]) << 16 | u32::from(sum[b]) << 8 | u32::from(sum[c]), 4, &mut out);
    }
    digits(u32::from(sum[11]), 2, &mut out);
    Some(out)
}

/// Six bits a character, the lowest first.
fn digits(mut bits: u32, count: usize, out: &mut String) {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..count {
        out.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl passwd` and by libcrypt.
    const HASHES: [(&str, &str); 6] = [
        ("password", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"),
        ("a longer password than sixteen bytes", "$1$xy$wIUtgIWZmgeOHPSnG1doF/"),
        ("password", "$5$saltstring$OH4IDuTlsuTYPdED1gsuiRMyTAwNlRWyA6Xr3I4/dQ5"),
        ("password", "$6$a.b/c$rU5AaLAcDy5mF7pukkSQ16Wc/KcaHBD/FVVcO15kxBu4PJdBU6X2.Kof5NGmz.Vh9CGaBD7uZ.NDXA08Hty931"),
        (
            "password",
            "$6$rounds=1400$anotherlongsalt$jjf9poG5TFCiZFUupSV7K/QnQ3sxpgHHRdZo25EkyC25PB1jHaS503E6Zv5U6cuB8nWcPIQa1ftVKKxLtS/Kb/",
        ),
        ("password", "$y$j75$abcdefghijklmnop$N9VtQBnMZBfUGPXsEdXe5UwVLyMe6bKcaAgKzaddXZ9"),
    ];

    #[test]
    fn passwords_fit_their_hashes_and_no_others() {
        for (password, hash) in HASHES {
            assert_eq!(check(hash), Ok(()), "{hash}");
            assert!(verify(hash, password.as_bytes()), "{hash}");
            assert!(!verify(hash, b"wrong"), "{hash}");
            assert!(!verify(hash, b""), "{hash}");
        }
    }

    #[test]
    fn what_is_no_hash_fits_nothing() {
        for (hash, why) in [
            ("", HashError::Kind),
            ("plain", HashError::Kind),
            ("$2b$10$x", HashError::Kind),
            ("ab12345678901", HashError::Kind),
            ("$1$", HashError::Malformed),
            ("$6$salt", HashError::Malformed),
            ("$y$j9T", HashError::Malformed),
        ] {
            assert_eq!(check(hash), Err(why), "{hash}");
            assert!(!verify(hash, b""), "{hash}");
        }
        assert!(same(b"a", b"a") && !same(b"a", b"ab") && !same(b"a", b"b"));
    }

    /// Whatever stands in a userlist: an answer. Costs beyond reason are left out, they only take their time.
    #[test]
    fn any_hash() {
        bolero::check!().with_iterations(300).with_type::<(u8, String)>().for_each(|(kind, rest)| {
            let kind = ["$1$", "$5$", "$6$rounds=1000$"][usize::from(*kind) % 3];
            assert!(!verify(&format!("{kind}{rest}"), b"password"));
        });
    }
}
