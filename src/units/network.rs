//! Networks: an address with a mask.

use std::net::{IpAddr, Ipv4Addr};

/// An IP network; what it holds is decided by the bits of its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    mask: IpAddr,
}

impl Network {
    /// Parses `address`, `address/length`, or for IPv4 `address/mask`; without a mask all bits count. `None`: it is none.
    ///
    /// Source: what `resolve-net` takes, observed on 2.6.12 (`fixtures/verdict/resolvers/server.cfg`).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let mask = match mask {
            None => prefix(address, most),
            Some(mask) if address.is_ipv4() && mask.contains('.') => IpAddr::V4(mask.parse::<Ipv4Addr>().ok()?),
            Some(length) => {
                let digits = length.bytes().all(|byte| byte.is_ascii_digit());
                prefix(address, length.parse().ok().filter(|length| digits && *length <= most)?)
            }
        };
        Some(Self { address, mask })
    }

    /// Whether an address is in it.
    pub fn holds(&self, ip: IpAddr) -> bool {
        match (self.address, self.mask, ip) {
            (IpAddr::V4(net), IpAddr::V4(mask), IpAddr::V4(ip)) => (net.to_bits() ^ ip.to_bits()) & mask.to_bits() == 0,
            (IpAddr::V6(net), IpAddr::V6(mask), IpAddr::V6(ip)) => (net.to_bits() ^ ip.to_bits()) & mask.to_bits() == 0,
            _ => false,
        }
    }
}

/// The mask of that many leading bits, of the family of `address`.
fn prefix(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0).into()),
        IpAddr::V6(_) => IpAddr::V6(u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_addresses() {
        for (network, ip, want) in [
            ("10.0.0.0/8", "10.255.0.1", Some(true)),
            ("10.0.0.0/8", "11.0.0.1", Some(false)),
            ("10.0.0.1", "10.0.0.1", Some(true)), // without a mask: this address only
            ("10.0.0.1", "10.0.0.2", Some(false)),
            ("10.0.0.9/255.0.255.0", "10.77.0.1", Some(true)), // a mask need not be a prefix
            ("0.0.0.0/0", "1.2.3.4", Some(true)),
            ("::1/64", "::ffff", Some(true)),
            ("::1", "::2", Some(false)),
            ("::/0", "1.2.3.4", Some(false)), // of the other family
            ("10.0.0.0/33", "10.0.0.1", None),
            ("::/129", "::1", None),
            ("10.0.0.0/", "10.0.0.1", None),
            ("10.0.0.0/+8", "10.0.0.1", None),
            ("foo", "10.0.0.1", None),
            ("", "10.0.0.1", None),
        ] {
            let held = Network::parse(network.as_bytes()).map(|network| network.holds(ip.parse().unwrap()));
            assert_eq!(held, want, "{network} {ip}");
        }
    }
}
