//! How a server, its checks and a listener are recognised in another process: texts and fingerprints of what the file says.
//!
//! A fingerprint is the same for the same words as long as both processes are the same build; where it is not, a
//! server's health starts afresh, which is safe.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::ir::{Backend, Endpoint, Server, ServerAddress};

/// A server's address as the configuration has it, the port's rule with it.
pub(super) fn address(server: &Server) -> String {
    let mut text = match &server.address {
        ServerAddress::Inet(address) => address.to_string(),
        ServerAddress::Unix(path) => format!("unix@{}", path.display()),
        ServerAddress::Abstract(name) => format!("abns@{}", name.escape_ascii()),
        ServerAddress::Unresolved { host, port } => format!("{host}:{port}"),
    };
    if let Some(offset) = server.port_offset {
        // Writing to a String cannot fail.
        let _ = write!(text, "{offset:+}");
    }
    text
}

/// Where a listener is.
pub(super) fn endpoint(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Inet(address) => address.to_string(),
        Endpoint::Unix(path) => format!("unix@{}", path.display()),
        Endpoint::Abstract(name) => format!("abns@{}", name.escape_ascii()),
        Endpoint::Fd(number) => format!("fd@{number}"),
    }
}

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
