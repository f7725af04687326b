//! `peers` sections: who else has our stick tables.

use super::{Bind, SourceAddress, StreamAddress};
use crate::text::Span;

/// A `peers` section.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Its name.
    pub name: String,
    /// `disabled`: nobody is listened or connected to.
    pub disabled: bool,
    /// Where the local peer listens.
    pub binds: Vec<Bind>,
    /// All peers in the order of the file, this process among them.
    pub peers: Vec<Peer>,
    /// The section's line.
    pub span: Span,
}

/// One peer.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its name: both sides must call it so.
    pub name: String,
    /// Whether it is this process.
    pub local: bool,
    /// Where it is; `None`: the line does not say, and nobody is connected to.
    pub address: Option<StreamAddress>,
    /// `source`: where connections to it come from.
    pub source: Option<SourceAddress>,
    /// `tcp-ut`.
    pub user_timeout: Option<crate::units::Millis>,
}

impl Peers {
    /// This process.
    pub fn local(&self) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.local)
    }

    /// Whether somebody is listened or connected to.
    pub fn is_active(&self) -> bool {
        !self.disabled && self.local().is_some()
    }
}
