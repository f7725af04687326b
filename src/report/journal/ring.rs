//! Ring buffers of messages: the latest are kept, and servers are told of each.
//!
//! A message never waits: where there is no room because a server has not taken what is there, it is lost and counted;
//! without servers the oldest make room. Source: manual §3.9; what is kept and how long a message may be was asked of 2.6.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::forward;
use crate::ir;

/// Bytes before each message in the store: its length.
const LENGTH: usize = 4;

/// A ring buffer.
pub struct Ring {
    /// What the configuration says of it.
    pub declared: ir::Ring,
    store: Mutex<Store>,
    fresh: Condvar,
    dropped: AtomicU64,
    /// The process whose threads forward its messages: a fork leaves them behind.
    served_by: AtomicU32,
}

/// The messages, each behind its length, and how far each server has come.
#[derive(Default)]
struct Store {
    bytes: VecDeque<u8>,
    /// Where the first byte stands, counted from the very first message.
    start: u64,
    readers: Box<[Reader]>,
}

/// How far a server has come.
#[derive(Default, Clone, Copy)]
struct Reader {
    /// Where its next message stands.
    at: u64,
    /// Only for a connected server the next message is kept: one that is away gets what is left when it comes.
    connected: bool,
}

impl Store {
    fn length(&self, at: usize) -> Option<usize> {
        let mut length = [0; LENGTH];
        for (ix, byte) in length.iter_mut().enumerate() {
            *byte = *self.bytes.get(at + ix)?;
        }
        Some(u32::from_le_bytes(length) as usize)
    }

    /// Copies the message at an offset; `None`: there is none yet.
    fn copy(&self, offset: u64, to: &mut Vec<u8>) -> Option<()> {
        let at = usize::try_from(offset - self.start).ok()?;
        let length = self.length(at)?;
        to.clear();
        to.extend(self.bytes.range(at + LENGTH..at + LENGTH + length));
        Some(())
    }

    /// Adds a message; `false`: there is no room, and what is there is still to be sent.
    fn push(&mut self, message: &[u8], size: usize) -> bool {
        let needed = message.len() + LENGTH;
        if needed > size {
            return false;
        }
        while self.bytes.len() + needed > size {
            let Some(length) = self.length(0) else { return false };
            let start = self.start;
            if self.readers.iter().any(|reader| reader.connected && reader.at == start) {
                return false;
            }
            self.bytes.drain(..LENGTH + length);
            self.start += (LENGTH + length) as u64;
            for reader in self.readers.iter_mut().filter(|reader| reader.at == start) {
                reader.at = self.start;
            }
        }
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(message);
        true
    }
}

impl Ring {
    /// An empty ring.
    pub(super) fn new(declared: ir::Ring) -> Arc<Self> {
        let readers = declared.servers.iter().map(|_| Reader::default()).collect();
        let store = Mutex::new(Store { readers, ..Store::default() });
        let (fresh, dropped, served_by) = (Condvar::new(), AtomicU64::new(0), AtomicU32::new(0));
        Arc::new(Self { declared, store, fresh, dropped, served_by })
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message, cut to the ring's limit; `false`: it is lost.
    pub(super) fn push(self: &Arc<Self>, message: &[u8]) -> bool {
        let message = &message[..message.len().min(self.declared.max_len as usize)];
        let kept = self.store().push(message, self.declared.size as usize);
        if !kept {
            self.dropped.fetch_add(1, Relaxed);
        }
        if !self.declared.servers.is_empty() {
            let own = std::process::id();
            if self.served_by.swap(own, Relaxed) != own {
                forward::start(self);
            }
            self.fresh.notify_all();
        }
        kept
    }

    /// Waits for the next message that a server has not taken, and copies it.
    pub(super) fn next(&self, reader: usize, to: &mut Vec<u8>) {
        let mut store = self.store();
        loop {
            let offset = store.readers.get(reader).map_or(store.start, |reader| reader.at);
            if store.copy(offset, to).is_some() {
                return;
            }
            store = self.fresh.wait(store).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A server has taken a message of that length: it is not kept for it any longer.
    pub(super) fn taken(&self, reader: usize, length: usize) {
        if let Some(reader) = self.store().readers.get_mut(reader) {
            reader.at += (LENGTH + length) as u64;
        }
    }

    /// A server is connected, or no longer.
    pub(super) fn connected(&self, reader: usize, connected: bool) {
        if let Some(reader) = self.store().readers.get_mut(reader) {
            reader.connected = connected;
        }
    }

    /// What is kept, oldest first.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let store = self.store();
        let mut all = Vec::new();
        let mut message = Vec::new();
        let mut offset = store.start;
        while store.copy(offset, &mut message).is_some() {
            offset += (LENGTH + message.len()) as u64;
            all.push(message.clone());
        }
        all
    }

    /// Where the next message will stand, counted in bytes from the very first one.
    pub fn end(&self) -> u64 {
        let store = self.store();
        store.start + store.bytes.len() as u64
    }

    /// Adds messages from `at` on, a line each, and says where it stopped: at the end, or behind `most` bytes. Those that
    /// are gone are passed over.
    pub fn lines(&self, at: u64, most: usize, out: &mut Vec<u8>) -> u64 {
        let store = self.store();
        let mut at = at.max(store.start);
        let mut message = Vec::new();
        while out.len() < most && store.copy(at, &mut message).is_some() {
            at += (LENGTH + message.len()) as u64;
            out.extend_from_slice(message.trim_ascii_end());
            out.push(b'\n');
        }
        at
    }

    /// Messages that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(size: u32, max_len: u32) -> Arc<Ring> {
        Ring::new(ir::Ring { size, max_len, ..ir::Ring::named("r".into()) })
    }

    fn kept(ring: &Ring) -> Vec<String> {
        ring.messages().into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn the_oldest_make_room() {
        let ring = ring(30, 8);
        for text in ["first", "second", "a third one", "fourth"] {
            assert!(ring.push(text.as_bytes()));
        }
        assert_eq!(kept(&ring), ["a third ", "fourth"]);
        assert_eq!(ring.dropped(), 0);
    }

    #[test]
    fn a_message_larger_than_the_ring_is_lost() {
        let ring = ring(10, 100);
        assert!(ring.push(b"123456") && !ring.push(b"1234567"));
        assert_eq!((kept(&ring), ring.dropped()), (vec!["123456".to_owned()], 1));
    }

    #[test]
    fn lines_go_on_where_they_stopped() {
        let ring = ring(30, 8);
        let read = |at: u64, most: usize| {
            let mut out = Vec::new();
            let next = ring.lines(at, most, &mut out);
            (String::from_utf8(out).unwrap(), next)
        };
        assert_eq!(read(0, 100), (String::new(), 0));
        for text in ["first", "second\n"] {
            assert!(ring.push(text.as_bytes()));
        }
        assert_eq!(read(0, 1), ("first\n".into(), 9));
        assert_eq!(read(9, 100), ("second\n".into(), 20));
        assert_eq!((read(20, 100), ring.end()), ((String::new(), 20), 20));
        assert!(ring.push(b"a third") && ring.push(b"a fourth"));
        assert_eq!(read(0, 100), ("a third\na fourth\n".into(), 43)); // two made room
    }

    #[test]
    fn a_server_that_is_away_gets_what_is_left() {
        let mut store = Store { readers: Box::new([Reader::default()]), ..Store::default() };
        for text in [b"12345678", b"abcdefgh", b"ABCDEFGH"] {
            assert!(store.push(text, 24));
        }
        let mut message = Vec::new();
        let at = store.readers[0].at;
        assert_eq!(store.copy(at, &mut message).map(|()| message.as_slice()), Some(b"abcdefgh".as_slice()));
    }

    #[test]
    fn what_a_server_has_not_taken_is_not_overwritten() {
        let readers = [Reader { at: 0, connected: true }; 2];
        let mut store = Store { readers: Box::new(readers), ..Store::default() };
        assert!(store.push(b"12345678", 24) && store.push(b"abcdefgh", 24));
        assert!(!store.push(b"x", 24));
        store.readers[0].at = 24;
        assert!(!store.push(b"x", 24), "the slower server counts");
        store.readers[1].at = 12;
        assert!(store.push(b"x", 24));
        let mut message = Vec::new();
        assert_eq!(store.copy(12, &mut message).map(|()| message.as_slice()), Some(b"abcdefgh".as_slice()));
        assert_eq!(store.copy(24, &mut message).map(|()| message.as_slice()), Some(b"x".as_slice()));
        assert_eq!(store.copy(29, &mut message), None);
    }
}
