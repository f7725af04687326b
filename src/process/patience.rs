//! The only place of the process where a thread sleeps: where there is nothing to wait on, or time itself is meant.

use std::time::Duration;

/// Waits that long.
#[expect(clippy::disallowed_methods, reason = "locks and addresses of other processes wake nobody when they are free")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
