//! The PROXY protocol's header, versions 1 and 2: read and written as bytes.
//!
//! Knows no socket: whoever reads it peeks once and gives all that was there. A header that has not come whole by then
//! is refused, as haproxy refuses it. [`decode`] reads, [`v1`] and [`v2`] write.
//! Source: haproxy's proxy-protocol.txt; what is refused and with which reason was observed on 2.6.12
//! (docs/OBSERVED.md §5.1 "accept-proxy"; tests/proxy_protocol.rs).

pub(crate) mod crc32c;
mod decode;
mod encode;
#[cfg(test)]
mod tests;
mod tlvs;

use std::net::SocketAddr;
use std::ops::Range;

use thiserror::Error;

pub use decode::decode;
pub use encode::{Command, Extras, v1, v2};
pub use tlvs::find;

/// The first twelve bytes of a version 2 header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a version 2 header before its addresses.
const FIXED: usize = 16;
/// Family and transport: TCP over IPv4.
const TCP4: u8 = 0x11;
/// Family and transport: TCP over IPv6.
const TCP6: u8 = 0x21;
/// The host name that the client asked for.
const TLV_AUTHORITY: u8 = 0x02;
/// A checksum of the header.
const TLV_CRC32C: u8 = 0x03;
/// A name of the connection.
const TLV_UNIQUE_ID: u8 = 0x05;
/// What is known of the client's TLS.
const TLV_SSL: u8 = 0x20;

/// What a header may say, by the names of its specification.
pub const TLV_NAMES: [(&str, u8); 12] = [
    ("ALPN", 0x01),
    ("AUTHORITY", TLV_AUTHORITY),
    ("CRC32", TLV_CRC32C),
    ("NOOP", 0x04),
    ("UNIQUE_ID", TLV_UNIQUE_ID),
    ("SSL", TLV_SSL),
    ("SSL_VERSION", 0x21),
    ("SSL_CN", 0x22),
    ("SSL_CIPHER", 0x23),
    ("SSL_SIG_ALG", 0x24),
    ("SSL_KEY_ALG", 0x25),
    ("NETNS", 0x30),
];

/// Both ends of a connection: the client, and the address it connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// The address it connected to.
    pub destination: SocketAddr,
}

/// A header that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its bytes; what follows is the client's.
    pub length: usize,
    /// The ends that it names; `None`: those of the connection that it came on.
    pub ends: Option<Ends>,
    /// The host name that the client asked for, of 255 bytes at most.
    pub authority: Option<Box<[u8]>>,
    /// The name of the connection, of 128 bytes at most.
    pub unique_id: Option<Box<[u8]>>,
    /// Where what else it says stands among its bytes.
    pub tlvs: Range<usize>,
}

/// Why bytes are not a header that is accepted. The texts are haproxy's, to be found in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// It has not come whole.
    #[error("Truncated PROXY protocol header received")]
    Truncated,
    /// It begins like neither version.
    #[error("Received something which does not look like a PROXY protocol header")]
    Foreign,
    /// It breaks a rule. `ends`: what it named before it did, for the log line names them.
    #[error("Received an invalid PROXY protocol header")]
    Invalid {
        /// The ends that it had named by then.
        ends: Option<Ends>,
    },
    /// Version 1 with another protocol than TCP4, TCP6 and UNKNOWN alone.
    #[error("Received an unhandled protocol in the PROXY protocol header")]
    Unhandled,
}

impl HeaderError {
    const INVALID: Self = Self::Invalid { ends: None };
}
