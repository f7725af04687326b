//! The bodies of messages about sessions: JSON, and for an offer the raw bytes that its sessions hold behind it.
//!
//! ```text
//! 0 length of the JSON (4 bytes, little-endian)   4 JSON: a list of SessionState   then: bytes that were read and not written
//! ```

use std::io;

use super::wire::{ReceiveError, WireError};
use crate::engine::migrate::{Lane, SessionState};

/// Lanes of one message.
pub(super) const LANES: usize = 1000;
/// Most bytes of the lines of one message: half of [`super::wire::LONGEST`], for JSON adds to them.
const LINES: usize = 512 * 1024;

/// The body of an offer.
///
/// # Errors
/// `InvalidData`: never for states of this process.
pub(super) fn encode<'a>(states: impl Iterator<Item = &'a SessionState>, held: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = vec![0; 4];
    serde_json::to_writer(&mut body, &states.collect::<Vec<_>>())?;
    let length = (body.len() - 4) as u32;
    body[..4].copy_from_slice(&length.to_le_bytes());
    body.extend_from_slice(held);
    Ok(body)
}

/// Reads the body of an offer: the sessions and the bytes that they hold.
///
/// # Errors
/// [`WireError::Short`], [`WireError::Json`].
pub(super) fn decode(body: &[u8]) -> Result<(Vec<SessionState>, &[u8]), ReceiveError> {
    let (length, rest) = body.split_first_chunk().ok_or(WireError::Short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (json, held) = rest.split_at_checked(length).ok_or(WireError::Short)?;
    Ok((serde_json::from_slice(json).map_err(|_| WireError::Json)?, held))
}

/// Lanes as a body.
///
/// # Errors
/// `InvalidData`: never for lanes of this process.
pub(super) fn lanes(lanes: &[Lane]) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(lanes)?)
}

/// Reads lanes.
///
/// # Errors
/// [`WireError::Json`].
pub(super) fn read_lanes(body: &[u8]) -> Result<Vec<Lane>, ReceiveError> {
    Ok(serde_json::from_slice(body).map_err(|_| WireError::Json)?)
}

/// Lines as bodies that are short enough, and the empty one that ends them.
pub(super) fn lines(lines: &[String]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |line: &&String| {
            bytes += line.len();
            bytes <= LINES
        };
        let count = rest.iter().take_while(fits).count().max(1);
        bodies.extend(serde_json::to_vec(&rest[..count]).ok());
        rest = &rest[count..];
    }
    bodies.push(Vec::new());
    bodies
}

/// Reads lines.
///
/// # Errors
/// [`WireError::Json`].
pub(super) fn read_lines(body: &[u8]) -> Result<Vec<String>, ReceiveError> {
    Ok(serde_json::from_slice(body).map_err(|_| WireError::Json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_messages() {
        let long = |count: usize| vec!["x".repeat(30_000); count];
        for (count, bodies) in [(0, 1), (1, 2), (17, 2), (18, 3), (100, 7)] {
            let encoded = lines(&long(count));
            assert_eq!(encoded.len(), bodies, "{count} lines");
            assert!(encoded.iter().all(|body| body.len() < super::super::wire::LONGEST));
            let (end, full) = encoded.split_last().unwrap();
            assert!(end.is_empty());
            let back: Vec<String> = full.iter().flat_map(|body| read_lines(body).unwrap()).collect();
            assert_eq!(back, long(count));
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            let _ = (decode(bytes), read_lanes(bytes), read_lines(bytes));
        });
        // A session with one byte changed: what is read is read.
        let state = r#"[{"lane":0,"number":7,"frozen":3,"stage":{"pausing":9},"up":{"bytes":1,"held":2,"pipe":false,"ended":false,"told":true},
            "down":{"bytes":0,"held":0,"pipe":true,"ended":true,"told":false},"peer":{"inet":"[::1]:80"},"announced":null,
            "wall":1,"accepted":1,"since":2,"client_seen":3,"server_seen":4,
            "blame":99,"counted":[1,2],"logged":false,"redispatched":true,"retries":1,"queue_time":null,"connect_time":5,
            "places":[0,0]}]"#;
        let whole = [&(state.len() as u32).to_le_bytes(), state.as_bytes(), b"ab"].concat();
        let (states, held) = decode(&whole).unwrap();
        assert_eq!((states.len(), held, states[0].descriptors()), (1, &b"ab"[..], 3));
        assert_eq!(encode(states.iter(), held).map(|body| decode(&body).unwrap().0 == states).ok(), Some(true));
        bolero::check!().with_iterations(20_000).with_type::<(u16, u8)>().for_each(|(at, byte)| {
            let mut bytes = whole.clone();
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *byte;
            let _ = decode(&bytes);
        });
    }
}
