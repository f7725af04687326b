//! What an answer changes of a server, and what is told of it.

use std::net::IpAddr;

use super::super::verdicts::Events;
use super::super::{By, Event, Pool};
use super::Service;
use crate::ir::{Level, Server, ServerAddress, TrackRef};
use crate::units::address::ServerPort;
use crate::units::{Tick, Weight};

/// Who gave an address that came with the record of a service.
const ADDITIONAL: By<'static> = By::Dns("DNS additional record");

impl Pool {
    /// A server's name has this address, as `by` says.
    pub(super) fn give_address(&self, at: TrackRef, ip: IpAddr, by: &str, now: Tick, events: &mut Events) {
        if !self.is_resolved(at) {
            return; // deleted, and perhaps another in its place
        }
        let returns = self.is_unresolved(at.proxy, at.server);
        let Ok(mut moved) = self.set_server_address(at.proxy, at.server, Some(ip), None, By::Dns(by), now) else {
            return;
        };
        events.append(&mut moved.events);
        if returns {
            let label = self.label(at);
            notice(at, format!("Server {label} administratively READY thanks to valid DNS answer."), events);
        }
    }

    /// A server has no address any more.
    pub(super) fn take_address(&self, at: TrackRef, why: &str, now: Tick, events: &mut Events) {
        if self.is_resolved(at) {
            events.append(&mut self.clear_server_address(at.proxy, at.server, why, now));
        }
    }

    /// A free server becomes the one of a service's record.
    pub(super) fn give_service(
        &self,
        at: TrackRef,
        record: &Service,
        ip: Option<IpAddr>,
        now: Tick,
        events: &mut Events,
    ) {
        if !self.is_resolved(at) {
            return;
        }
        let port = Some(ServerPort::Fixed(record.port));
        self.set_server_host(at.proxy, at.server, &record.target);
        let moved = self.set_server_address(at.proxy, at.server, ip, port, ADDITIONAL, now);
        let mut told = moved.map(|moved| moved.events).unwrap_or_default();
        let label = self.label(at);
        let fqdn = format!("{label} changed its FQDN from (null) to {} by 'SRV record'", record.target);
        // behind the line about its address, before the one about its state
        let tail = told.split_off(usize::from(ip.is_some()).min(told.len()));
        events.append(&mut told);
        notice(at, fqdn, events);
        events.extend(tail);
    }

    /// The address that came with a service's record is another.
    pub(super) fn move_service(&self, at: TrackRef, ip: IpAddr, now: Tick, events: &mut Events) {
        if !self.is_resolved(at) {
            return;
        }
        if let Ok(mut moved) = self.set_server_address(at.proxy, at.server, Some(ip), None, ADDITIONAL, now) {
            events.append(&mut moved.events);
        }
    }

    /// A server's weight is what the record of its service says: 0 to 65535 there, 0 to 256 here, rounded up.
    pub(super) fn weigh_service(&self, at: TrackRef, weight: u16, now: Tick, events: &mut Events) {
        if !self.is_resolved(at) {
            return;
        }
        let Some(weight) = Weight::new(weight.div_ceil(256)) else { return };
        events.append(&mut self.set_weight(at.proxy, at.server, weight, now));
    }

    /// The record of a server's service is gone: it is free, as at the start.
    pub(super) fn free_service(&self, at: TrackRef, now: Tick, events: &mut Events) {
        if !self.is_resolved(at) {
            return;
        }
        self.take_address(at, "entry removed from SRV record", now, events);
        let Some(configured) = self.server(at) else { return };
        let service = configured.resolve.as_ref().and_then(|resolve| resolve.service.clone());
        self.change(at, |line: &mut Server| {
            line.host = None;
            line.port_offset = configured.port_offset;
            line.address = ServerAddress::Unresolved { host: service.unwrap_or_default(), port: 0 };
        });
    }
}

fn notice(at: TrackRef, message: String, events: &mut Events) {
    let server = Some(at.server);
    events.push((at.proxy, Event { server, message, ..Event::of_backend(Level::Notice) }));
}
