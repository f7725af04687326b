//! The records of a service over the servers that wait for one.
//!
//! A server is the one of a record (host and port) as long as the record is among the answers; a new record gets the server
//! that has been free for longest. Source: manual §5.3.1; observed on 2.6.12.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::Service;
use crate::ir::TrackRef;
use crate::units::address::Family;
use crate::units::{Millis, Tick};

/// What tells records apart: host and port.
pub(super) type Entry = (String, u16);

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    /// As it was answered last.
    pub(super) service: Service,
    /// Whether it was answered, and is not just believed for it was so before.
    pub(super) answered: bool,
    seen: Tick,
}

/// The records of a service, and when each was answered last.
#[derive(Debug, Default)]
pub(super) struct Records(BTreeMap<Entry, Record>);

impl Records {
    /// Takes an answer, and forgets what answers lack for longer than `obsolete`. Of two with one host and port the last
    /// counts.
    pub(super) fn take(&mut self, answer: Vec<Service>, obsolete: Millis, now: Tick) {
        for service in answer {
            let entry = (service.target.clone(), service.port);
            self.0.insert(entry, Record { service, answered: true, seen: now });
        }
        self.0.retain(|_, record| record.seen == now || now.since(record.seen) < u64::from(obsolete.get()));
    }

    /// Another process knew this record.
    pub(super) fn believe(&mut self, (target, port): Entry, now: Tick) {
        let service = Service { target: target.clone(), port, weight: 0, addresses: Vec::new() };
        self.0.insert((target, port), Record { service, answered: false, seen: now });
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.0.contains_key(entry)
    }

    /// In order of host and port.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Entry, &Record)> {
        self.0.iter()
    }
}

/// The servers of one backend that wait for records of one service.
#[derive(Debug)]
pub(super) struct Group {
    /// All of them.
    pub(super) members: Vec<Member>,
    /// Those that are free, in the order in which they became so.
    pub(super) free: VecDeque<usize>,
}

/// A server that is the one of a record, or free.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) at: TrackRef,
    pub(super) entry: Option<Entry>,
    /// The weight of the record that was put in force.
    pub(super) weight: Option<u16>,
}

/// The address to use of those that came with a record: the first, or the first of the family that is preferred.
pub(super) fn choose(addresses: &[IpAddr], prefer: Family) -> Option<IpAddr> {
    let fits = |ip: &&IpAddr| match prefer {
        Family::Any => true,
        Family::V4 => ip.is_ipv4(),
        Family::V6 => ip.is_ipv6(),
    };
    addresses.iter().find(fits).or(addresses.first()).copied()
}
