//! IP addresses as haproxy writes them, which is as libc does.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An address to be written as libc's `inet_ntop` writes it: unlike Rust, it writes IPv4-compatible addresses with dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainIp(pub IpAddr);

impl fmt::Display for PlainIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(ip) if is_compatible(ip) => {
                let [.., a, b, c, d] = ip.octets();
                write!(f, "::{a}.{b}.{c}.{d}")
            }
            ip => ip.fmt(f),
        }
    }
}

fn is_compatible(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, _] = ip.segments();
    [a, b, c, d, e, f] == [0; 6] && g != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What 2.6.12 wrote into lines and headers.
    #[test]
    fn addresses_look_as_libc_writes_them() {
        for text in [
            "::",
            "::1",
            "::1.2.3.4",
            "::0.1.0.0",
            "::ffff:0.0.0.1",
            "64:ff9b::102:304",
            "1::2:3:4:5:6",
            "1:2:3:4:5:6:7:0",
            "::1:0:0:1:0:0",
            "1.2.3.4",
        ] {
            assert_eq!(PlainIp(text.parse().unwrap()).to_string(), text);
        }
    }
}
