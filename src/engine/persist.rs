//! Which server a session belongs to, as far as it can be told before balancing is asked, and by what balancing goes.
//!
//! Source: manual §4.2 "balance"; asked of 2.6.12 (docs/OBSERVED.md).

use super::session::Session;
use super::shard::Shard;
use crate::ir::Balance;
use crate::pool::{Peer, address_hash, key_hash};

impl Session {
    /// The number that balancing goes by, where it goes by a key of the session; `None`: it takes turns.
    pub(super) fn key(&mut self, shard: &Shard) -> Option<u32> {
        let back = self.backend(&shard.shared)?;
        match back.balance {
            Balance::Source => match self.peer {
                Peer::Inet(address) => Some(address_hash(back.hash, address.ip())),
                Peer::Unix(_) => None,
            },
            Balance::Hash | Balance::RdpCookie => {
                let key = back.key.as_ref()?;
                self.viewed(shard, false, |view| Some(key_hash(back.hash, &key.value(view)?.into_bytes())))
            }
            _ => None,
        }
    }
}
