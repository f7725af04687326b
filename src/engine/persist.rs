//! Which server a session belongs to, as far as it can be told before balancing is asked, and by what balancing goes.
//!
//! Source: manual §4.2 "balance"; asked of 2.6.12 (docs/OBSERVED.md).

use super::session::Session;
use super::shard::Shard;
use crate::expr::{Buffer, Facts, Side};
use crate::ir::Balance;
use crate::pool::{Peer, address_hash, key_hash};

impl Session {
    /// The number that balancing goes by, where it goes by a key of the session; `None`: it takes turns.
    pub(super) fn key(&self, shard: &Shard) -> Option<u32> {
        let back = self.backend(&shard.shared)?;
        match back.balance {
            Balance::Source => match self.peer {
                Peer::Inet(address) => Some(address_hash(back.hash, address.ip())),
                Peer::Unix(_) => None,
            },
            Balance::Hash | Balance::RdpCookie => {
                let facts = Sent(self.up.held_bytes());
                let value = back.key.as_ref()?.value(&facts)?;
                Some(key_hash(back.hash, &value.into_bytes()))
            }
            _ => None,
        }
    }
}

/// What the client has sent.
struct Sent<'a>(&'a [u8]);

impl Facts for Sent<'_> {
    fn buffer(&self, side: Side) -> Option<Buffer<'_>> {
        (side == Side::Request).then_some(Buffer { bytes: self.0, more: false, room: 16 * 1024 })
    }
}
