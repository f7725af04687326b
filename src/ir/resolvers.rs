//! `resolvers` sections, and what servers want of them.

use std::net::SocketAddr;

use crate::units::address::Family;
use crate::units::{Millis, Network};

/// Index of a section in [`super::Global::resolvers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResolversIx(pub u32);

/// A `resolvers` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolvers {
    /// Its name.
    pub name: String,
    /// Its name servers, in order: all are asked at once.
    pub nameservers: Vec<Nameserver>,
    /// `accepted_payload_size`: the longest answer that is taken, in bytes, and announced.
    pub payload: u16,
    /// `resolve_retries`: how often a question is asked, with its preferred type, before it failed; 0 counts as 1.
    pub retries: u32,
    /// `timeout resolve`: from the end of one resolution to the begin of the next.
    pub timeout_resolve: Millis,
    /// `timeout retry`: how long an answer is waited for.
    pub timeout_retry: Millis,
    /// `hold …`.
    pub hold: Hold,
}

/// How long the last valid answer counts in spite of what was answered since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub struct Hold {
    pub nx: Millis,
    pub refused: Millis,
    pub timeout: Millis,
    pub other: Millis,
    /// Of `do-resolve` only.
    pub valid: Millis,
    /// How long a record stays that answers lack.
    pub obsolete: Millis,
}

/// One `nameserver`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameserver {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is asked over TCP.
    pub tcp: bool,
}

impl Resolvers {
    /// A section of which nothing else was said.
    pub fn named(name: String) -> Self {
        let usual = Millis::seconds(30);
        let hold = Hold {
            nx: usual,
            refused: usual,
            timeout: usual,
            other: usual,
            valid: Millis::seconds(10),
            obsolete: Millis::ZERO,
        };
        Self {
            name,
            nameservers: Vec::new(),
            payload: 512,
            retries: 3,
            timeout_resolve: Millis::seconds(1),
            timeout_retry: Millis::seconds(1),
            hold,
        }
    }
}

/// How a server's address is looked up at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// Where: which section.
    pub section: ResolversIx,
    /// What for, unless for the server's host name: SRV records of this name say what host and port it has.
    pub service: Option<String>,
    /// `resolve-prefer`; [`Family::Any`]: not said.
    pub prefer: Family,
    /// `resolve-net`: preferred networks.
    pub networks: Vec<Network>,
    /// `resolve-opts allow-dup-ip`.
    pub allow_duplicates: bool,
    /// `resolve-opts ignore-weight`.
    pub ignore_weight: bool,
}
