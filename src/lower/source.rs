//! `source …` of a proxy: what its servers begin with.

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::Lowered;
use super::server_options::source_address;

/// `source <ip>[:port] [interface <device>]`.
pub fn source(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.source = Some(source_address(args)?);
    args.end()
}
