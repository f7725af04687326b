//! How a server's checks are recognised in another process: fingerprints of what the file says.
//!
//! A fingerprint is the same for the same words as long as both processes are the same build; where it is not, a
//! server's health starts afresh, which is safe.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::ir::{Backend, Server};

/// What the checks of a backend's servers say and expect; the same for all of them.
pub(super) fn script(back: &Backend) -> u64 {
    let text = format!("{:?} {:?}", back.check, back.external);
    hash(&without_pointers(&text))
}

/// What is asked of a server by its check, its agent and `observe`; not how often. 0: nobody asks.
pub(super) fn checks(server: &Server, script: u64) -> u64 {
    let check = server.check.as_ref().map(|c| (c.rise, c.fall, c.addr, c.port, c.send_proxy, script));
    let agent = server.agent.as_ref().map(|a| (a.addr, a.port, &a.send));
    match (&check, &agent) {
        (None, None) => 0,
        _ => hash(&format!("{check:?} {agent:?}")).max(1),
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The text without the addresses of functions, which each process has elsewhere.
fn without_pointers(text: &str) -> String {
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("0x");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_functions_do_not_count() {
        assert_eq!(without_pointers("a 0x55d0 b 0x7f, 0x"), "a 0x b 0x, 0x");
        assert_eq!(without_pointers("none"), "none");
    }
}
