//! Where the converter `debug` sends values: a ring, standard output or standard error.
//!
//! One ring is always there: `buf0`. Source: manual §7.3.1 "debug"; names, forms and the frame of `buf0` asked of 2.6.12
//! (`tests/debugging.rs`).

use std::sync::Arc;
use std::time::SystemTime;

use super::frame::{self, Framing};
use super::{Log, Ring, Sink};
use crate::expr::BUFFER;
use crate::ir::{self, Facility, Level, LogFormat, LogProtocol, LogTarget};

/// Bytes of `buf0`.
const SIZE: u32 = 1 << 20;
/// Most bytes of a line on a descriptor.
const LONGEST: u32 = 16 * 1024;

/// The ring that is always there.
pub(super) fn buffer() -> Arc<Ring> {
    let description = Some("in-memory ring buffer".to_owned());
    Ring::new(ir::Ring { description, format: LogFormat::Timed, size: SIZE, ..ir::Ring::named(BUFFER.to_owned()) })
}

impl Log {
    /// Sends a message to a sink; where none has that name, it is lost.
    pub(super) fn tell(&self, sink: &str, message: &[u8]) {
        let (sink, format, max_len) = match sink {
            "stdout" => (Sink::Standard(1), LogFormat::Raw, LONGEST),
            "stderr" => (Sink::Standard(2), LogFormat::Raw, LONGEST),
            name => {
                let Some(ring) = self.rings.iter().find(|ring| ring.declared.name == name) else { return };
                (Sink::Ring(Arc::clone(ring)), ring.declared.format, ring.declared.max_len)
            }
        };
        let (level, facility) = (Level::Emerg, Facility(0));
        let to = LogProtocol::Ring(String::new());
        let target =
            LogTarget { to, format, max_len, sample: None, facility, max_level: Level::Debug, min_level: level };
        let tag = self.config.global.log_tag.as_deref().unwrap_or(&self.env.tag);
        let hostname = self.hostname.as_deref();
        let framing = Framing { env: &self.env, hostname, tag, level, now: SystemTime::now(), structured: b"" };
        let mut framed = Vec::new();
        frame::frame(&mut framed, &target, &framing, message, max_len as usize);
        // A ring counts what it loses; who debugs into a full pipe sees that lines are missing.
        let _ = self.sockets.send(&sink, &framed);
    }
}
