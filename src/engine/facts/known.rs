//! The fetches that need a connection, a session or the state of the process.

use super::View;
use crate::expr::{Arg, Known, Value};
use crate::pool::Peer;

impl View<'_> {
    /// What a fetch gives now; `None`: it knows nothing here, or not yet anything.
    pub(super) fn look_up(&self, fetch: Known, _args: &[Arg]) -> Option<Value<'_>> {
        let config = &self.shard.shared.pool.config;
        match fetch {
            Known::Src => match self.peer() {
                Peer::Inet(address) => Some(Value::ip(address.ip())),
                Peer::Unix(_) => None,
            },
            Known::SrcPort => match self.peer() {
                Peer::Inet(address) => Some(Value::Int(address.port().into())),
                Peer::Unix(_) => None,
            },
            Known::Dst => self.local().map(|address| Value::ip(address.ip())),
            Known::DstPort => self.local().map(|address| Value::Int(address.port().into())),
            Known::FeName => {
                let (_, proxy, _) = self.seat().proxy()?;
                Some(Value::text(proxy.name.as_bytes()))
            }
            Known::BeName => {
                let proxy = config.proxies.get(self.session()?.back.0 as usize)?;
                Some(Value::text(proxy.name.as_bytes()))
            }
            _ => None,
        }
    }
}
