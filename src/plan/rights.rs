//! What a configuration needs rights for that a process gives up with its user.

use crate::ir::{Config, SourceAddress};

/// Whether connections to servers need root's rights as long as the process serves: `usesrc` shows somebody else's
/// address, `interface` binds to a device. haproxy 2.6 then refuses to start with a `user` of its own.
pub fn needs_root(config: &Config) -> bool {
    let needs = |source: &Option<SourceAddress>| {
        source.as_ref().is_some_and(|source| source.usesrc.is_some() || source.interface.is_some())
    };
    config.proxies.iter().filter_map(|proxy| proxy.backend.as_ref()).any(|back| {
        back.servers.iter().any(|server| needs(&server.source))
            || back.forward.as_ref().is_some_and(|forward| needs(&forward.source))
    })
}
