//! Limits on rates of the whole process, as they are in force: those of the configuration until an order changes them.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::ir::Global;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Connections of clients per second (`maxconnrate`).
    Connections,
    /// Sessions per second (`maxsessrate`).
    Sessions,
    /// TLS handshakes per second (`maxsslrate`): kept and shown, there is no TLS.
    SslSessions,
    /// Kilobytes per second into compression (`maxcomprate`): kept and shown, there is no compression.
    Compression,
}

impl Limited {
    /// All of them, with the words that say so.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Connections, "connections"),
        (Self::Sessions, "sessions"),
        (Self::SslSessions, "ssl-sessions"),
        (Self::Compression, "http-compression"),
    ];
}

/// The limits; 0: none.
#[derive(Debug, Default)]
pub struct RateLimits([AtomicU32; Limited::ALL.len()]);

impl RateLimits {
    /// Those of the configuration.
    pub fn of(global: &Global) -> Self {
        let limits = Self::default();
        Limited::ALL.into_iter().for_each(|(of, _)| limits.set(of, configured(global, of)));
        limits
    }

    /// The limit in force.
    pub fn get(&self, of: Limited) -> u32 {
        self.0[of as usize].load(Relaxed)
    }

    /// Changes a limit.
    pub fn set(&self, of: Limited, limit: u32) {
        self.0[of as usize].store(limit, Relaxed);
    }
}

/// What the configuration says.
pub(super) fn configured(global: &Global, of: Limited) -> u32 {
    match of {
        Limited::Connections => global.max_connection_rate,
        Limited::Sessions => global.max_session_rate,
        Limited::SslSessions | Limited::Compression => 0,
    }
}
