//! Addresses and networks: one lookup by hash for each length of a prefix that occurs, the longest first.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::layer::{Fit, Twins};
use crate::expr::args::mask4;
use crate::expr::error::{PatternError, shown};
use crate::expr::value::embedded;

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, u32),
}

/// Looks a name up.
pub(super) type Resolver<'r> = &'r dyn Fn(&str) -> Vec<IpAddr>;

/// Parses an address, a network, or with `resolve` a name, which stands for all its addresses.
pub(super) fn parse(text: &[u8], resolve: Option<Resolver<'_>>) -> Result<Vec<Network>, PatternError> {
    let wrong = || PatternError::Address { text: shown(text) };
    let plain = std::str::from_utf8(text).map_err(|_| wrong())?;
    let (host, mask) = plain.split_once('/').map_or((plain, None), |(host, mask)| (host, Some(mask)));
    if host.contains(':') {
        let bits = mask.map_or(Some(128), |mask| mask.parse().ok()).filter(|bits| *bits <= 128);
        return Ok(vec![Network::V6(host.parse().map_err(|_| wrong())?, bits.ok_or_else(wrong)?)]);
    }
    let mask = mask.map_or(Some(Ipv4Addr::BROADCAST), mask4).ok_or_else(wrong)?;
    if let Some(address) = ipv4(host) {
        return Ok(vec![Network::V4(address, mask)]);
    }
    let all = resolve.map(|resolve| resolve(host)).unwrap_or_default();
    let first = all.into_iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(Network::V4(address, mask)),
        IpAddr::V6(_) => None,
    });
    first.map(|network| vec![network]).ok_or_else(wrong)
}

/// An IPv4 address, of which bytes in the middle may be left out: `10.5` is 10.0.0.5.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
    let parts = parts.filter(|parts| parts.len() <= 4)?;
    let (last, first) = parts.split_last()?;
    let mut octets = [0; 4];
    octets[..first.len()].copy_from_slice(first);
    octets[3] = *last;
    Some(octets.into())
}

/// Many networks; an address finds the finest that holds it.
#[derive(Debug, Default)]
pub(super) struct Networks {
    /// By mask; the largest number is the finest.
    v4: BTreeMap<u32, HashMap<u32, usize>>,
    v6: BTreeMap<u32, HashMap<u128, usize>>,
}

fn mask6(bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

impl Networks {
    pub(super) fn new(networks: &[(Network, usize)], twins: &mut Twins) -> Self {
        let mut made = Self::default();
        for (network, ix) in networks.iter().rev() {
            match network {
                Network::V4(address, mask) => {
                    let mask = u32::from(*mask);
                    twins.put(made.v4.entry(mask).or_default(), u32::from(*address) & mask, *ix);
                }
                Network::V6(address, bits) => {
                    let key = u128::from(*address) & mask6(*bits);
                    twins.put(made.v6.entry(*bits).or_default(), key, *ix);
                }
            }
        }
        made
    }

    /// `live` says which entry stands for an indexed one, if one of them is still there. An address's own family is finer
    /// than the other one.
    pub(super) fn find(&self, address: IpAddr, live: impl Fn(usize) -> Option<usize>) -> Option<Fit> {
        const OWN: u64 = 1 << 32;
        let (four, six) = match address {
            IpAddr::V4(four) => (Some(four), four.to_ipv6_mapped()),
            IpAddr::V6(six) => (embedded(six), six),
        };
        let in_four = |four: Ipv4Addr| {
            let bits = u32::from(four);
            let mut finest = self.v4.iter().rev();
            finest.find_map(|(mask, known)| Some((live(*known.get(&(bits & mask))?)?, u64::from(*mask))))
        };
        let bits = u128::from(six);
        let in_six = || {
            let mut finest = self.v6.iter().rev();
            finest.find_map(|(length, known)| Some((live(*known.get(&(bits & mask6(*length)))?)?, u64::from(*length))))
        };
        let own = |(ix, rank): Fit| (ix, rank + OWN);
        match address {
            IpAddr::V4(four) => in_four(four).map(own).or_else(in_six),
            IpAddr::V6(_) => in_six().map(own).or_else(|| four.and_then(in_four)),
        }
    }
}
