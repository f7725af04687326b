//! Whether a server may be used: check verdicts, administrative state, weight.

use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::ir::{Level, ServerIx};
use crate::units::Tick;

/// What one check found, as statistics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are haproxy's")]
pub enum CheckStatus {
    Unknown,
    Ini,
    SockErr,
    L4Ok,
    L4Tout,
    L4Con,
}

/// One finished check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// What it found.
    pub status: CheckStatus,
    /// How long it took, ms.
    pub duration: u32,
    /// What the system said, for the log (`Connection refused`).
    pub detail: Option<&'static str>,
}

/// What an administrator wants of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admin {
    /// Use it.
    #[default]
    Ready,
    /// No new sessions but persistent ones.
    Drain,
    /// Not at all; checks are suspended.
    Maint,
}

/// The state that statistics show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerStatus {
    /// `UP`, or `UP n/m` while it is failing.
    Up {
        /// Failed checks in a row, and how many take it down: `(0, _)` is plainly up.
        failing: Option<(u32, u32)>,
    },
    /// `DOWN`, or `DOWN n/m` while it is coming back.
    Down {
        /// Passed checks in a row, and how many bring it up.
        rising: Option<(u32, u32)>,
    },
    /// `NOLB`, drained.
    Drain,
    /// `MAINT`.
    Maint,
    /// `no check`: always used.
    Unchecked,
}

/// Something that changed, to be logged by `report` and acted on by `engine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The server, or `None` for the backend itself ("proxy X has no server available!").
    pub server: Option<ServerIx>,
    /// Log level.
    pub level: Level,
    /// The line.
    pub message: String,
    /// Whether the server was taken down, so that its sessions are to be shut if it is configured so.
    pub marked_down: bool,
    /// Whether it came up, so that sessions on backups are to be shut if it is configured so.
    pub marked_up: bool,
}

/// Health of one server, published for readers without a lock. Written under the backend's lock only.
#[derive(Debug, Default)]
pub struct HealthCell {
    /// Packed state; `health` is its only reader and writer.
    pub(super) word: AtomicU64,
    /// Effective weight.
    pub(super) weight: AtomicU32,
    /// Moment of the last change.
    pub(super) changed: AtomicU64,
    /// Times it went from up to down.
    pub(super) downs: AtomicU32,
    /// Milliseconds down before the last change.
    pub(super) downtime: AtomicU64,
}

/// Keeps the moment type used by the signatures here in one place.
pub(super) type At = Tick;
