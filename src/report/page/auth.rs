//! Basic authentication of the page.

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ir::StatsAuth;

/// Whether an `Authorization` header names one of the users with their password. No users: everybody may.
///
/// The time it takes depends on lengths and on the number of users, not on where two texts differ.
pub(super) fn allowed(users: &[StatsAuth], header: Option<&[u8]>) -> bool {
    if users.is_empty() {
        return true;
    }
    let Some(given) = header.and_then(credentials) else { return false };
    let mut found = false;
    for user in users {
        let known = [user.user.as_bytes(), b":", user.password.as_bytes()].concat();
        found |= same(&known, &given);
    }
    black_box(found)
}

/// The name and the password of a header, as user lists ask for them.
pub(super) fn login(header: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let given = credentials(header)?;
    let colon = given.iter().position(|byte| *byte == b':')?;
    Some((given[..colon].to_vec(), given[colon + 1..].to_vec()))
}

/// The decoded `user:password` of a header.
fn credentials(header: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, code) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(code.trim()).ok()).flatten()
}

fn same(known: &[u8], given: &[u8]) -> bool {
    let mut differs = u8::from(known.len() != given.len());
    for (at, byte) in given.iter().enumerate() {
        differs |= black_box(byte ^ known.get(at).copied().unwrap_or_default());
    }
    black_box(differs) == 0
}

/// A realm as it may stand between quotes.
pub(super) fn realm(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .flat_map(|c| [Some('\\').filter(|_| matches!(c, '"' | '\\')), Some(c)])
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_see_it() {
        let user = |user: &str, password: &str| StatsAuth { user: user.into(), password: password.into() };
        let users = [user("ann", "x:y"), user("bob", "")];
        for (header, want) in [
            (Some("Basic YW5uOng6eQ=="), true),   // ann:x:y
            (Some("basic  YW5uOng6eQ== "), true), // schemes have no case
            (Some("Basic Ym9iOg=="), true),       // bob:
            (Some("Basic YW5uOng6"), false),      // ann:x:
            (Some("Basic YW5uOng6eXo="), false),  // ann:x:yz
            (Some("Basic "), false),
            (Some("Basic ???"), false),
            (Some("Bearer YW5uOng6eQ=="), false),
            (None, false),
        ] {
            assert_eq!(allowed(&users, header.map(str::as_bytes)), want, "{header:?}");
        }
        assert!(allowed(&[], None));
    }

    #[test]
    fn realms_stay_in_their_quotes() {
        assert_eq!(realm("a \"b\" \\ c\r\nx"), r#"a \"b\" \\ cx"#);
    }
}
