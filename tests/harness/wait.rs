//! Waiting for a condition with a deadline; the only place of the tests that lets time pass.

use std::time::{Duration, Instant};

/// How long a test waits for something that normally takes milliseconds: generous, for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(4);

/// Waits until `probe` gives a value.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was waited for.
#[track_caller]
pub fn until<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, probe)
}

/// [`until`] with a limit of its own, for what may take long or must be quick.
///
/// # Panics
/// After `limit`, naming `what` was waited for.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        moment(STEP);
    }
}

/// [`until_true`] that says `why` not, should it be in vain.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was waited for, and with what `why` gives then.
#[track_caller]
pub fn until_or(what: &str, mut probe: impl FnMut() -> bool, why: impl FnOnce() -> String) {
    let start = Instant::now();
    while !probe() {
        if start.elapsed() >= PATIENCE {
            panic!("waited {PATIENCE:?} in vain for {what}:\n{}", why());
        }
        moment(STEP);
    }
}

/// Lets time pass: between two looks at a condition and between two arrivals of a load, never to synchronise.
#[expect(clippy::disallowed_methods, reason = "the only place where a test sleeps")]
pub fn moment(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until `probe` is true.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was waited for.
#[track_caller]
pub fn until_true(what: &str, mut probe: impl FnMut() -> bool) {
    until(what, || probe().then_some(()));
}
