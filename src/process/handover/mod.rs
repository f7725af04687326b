//! The handover: a new process takes the listening sockets of an old one, what it knows, and then its sessions.
//!
//! [`server`] runs in every serving process behind an abstract unix socket named after its pid; [`client`] asks it. When
//! the new process serves, [`giver`] there and [`taker`] here move the sessions. [`wire`] holds the messages, [`offer`] the
//! bodies of those about sessions. Knows no configuration and no signal. docs/RELOAD.md tells the order of events.
//!
//! Who may: root or the same user, checked by credentials on both ends. The client opens a pidfd before it connects and
//! compares the listener's pid: a squatter on the name gets nothing and gives nothing. One newcomer at a time is served;
//! it either says that it accepts connections, or dies and leaves the old process as it was. Whoever comes later is
//! told the successor's pid.

pub(crate) mod client;
pub(crate) mod elders;
pub(crate) mod giver;
mod offer;
pub(crate) mod server;
pub(crate) mod taker;
pub(crate) mod wire;

use std::sync::OnceLock;

use crate::sys::proc;

/// What the names of all handover sockets of this pid namespace start with. It is known from the first call on, where a
/// later change of the root directory may hide /proc.
fn prefix() -> std::io::Result<String> {
    static NAMESPACE: OnceLock<u64> = OnceLock::new();
    let namespace = match NAMESPACE.get() {
        Some(known) => *known,
        None => {
            let namespace = proc::pid_namespace()?;
            *NAMESPACE.get_or_init(|| namespace)
        }
    };
    Ok(format!("baton/handover/{namespace}/"))
}

/// The processes of this pid namespace that have a handover socket.
pub(crate) fn candidates() -> Vec<i32> {
    let Ok(prefix) = prefix() else { return Vec::new() };
    let names = proc::abstract_listeners(&prefix);
    names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
