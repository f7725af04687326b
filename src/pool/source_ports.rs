//! The local ports of connections to one server: `source` with a range.
//!
//! The port that has been free for longest is taken first, as haproxy takes it: a closed connection's port rests as long
//! as others are there. Knows no socket: who binds says what became of a port. Source: observed on 2.6.12
//! (`tests/server_words.rs`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ir::SourceAddress;

/// Ports that wait for a connection.
#[derive(Debug)]
pub struct SourcePorts {
    free: Mutex<VecDeque<u16>>,
}

impl SourcePorts {
    /// The ports of a server's `source`; `None` where the system chooses, or somebody else's address is used.
    pub fn of(source: Option<&SourceAddress>) -> Option<Self> {
        let source = source.filter(|source| source.usesrc.is_none() && !source.address.ip().is_unspecified())?;
        let (first, last) = source.ports?;
        Some(Self { free: Mutex::new((first..=last).collect()) })
    }

    /// Takes the port that has been free for longest; `None` when all are taken.
    pub fn take(&self) -> Option<u16> {
        self.lock().pop_front()
    }

    /// How many are free.
    pub fn left(&self) -> usize {
        self.lock().len()
    }

    /// Takes this port: a connection from another process has it already.
    pub fn take_this(&self, port: u16) {
        self.lock().retain(|free| *free != port);
    }

    /// Gives a taken port back, once its connection is closed.
    pub fn give_back(&self, port: u16) {
        self.lock().push_back(port);
    }

    /// A thread that panicked left a list that is whole.
    fn lock(&self) -> MutexGuard<'_, VecDeque<u16>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::UseSource;

    fn source(address: &str, ports: Option<(u16, u16)>, usesrc: Option<UseSource>) -> SourceAddress {
        SourceAddress { address: address.parse().unwrap(), ports, interface: None, usesrc }
    }

    #[test]
    fn the_longest_free_port_comes_first() {
        let ports = SourcePorts::of(Some(&source("10.0.0.1:0", Some((20, 22)), None))).unwrap();
        assert_eq!([ports.take(), ports.take(), ports.take(), ports.take()], [Some(20), Some(21), Some(22), None]);
        ports.give_back(21);
        ports.give_back(20);
        assert_eq!([ports.take(), ports.take(), ports.take()], [Some(21), Some(20), None]);
    }

    #[test]
    fn only_a_range_of_ones_own_address_is_dealt_out() {
        for (address, ports, usesrc) in [
            ("10.0.0.1:5", None, None),
            ("0.0.0.0:0", Some((20, 22)), None), // never bound to, so no port is
            ("10.0.0.1:0", Some((20, 22)), Some(UseSource::ClientIp)),
        ] {
            assert!(SourcePorts::of(Some(&source(address, ports, usesrc))).is_none(), "{address} {ports:?} {usesrc:?}");
        }
        assert!(SourcePorts::of(None).is_none());
    }
}
