//! Progress on standard output, with the seconds since the start; and waiting for a condition.

use std::time::{Duration, Instant};

use crate::fault::Fault;

/// Tells what happens; keeps the count of wrong numbers.
#[derive(Debug)]
pub(crate) struct Tell {
    start: Instant,
    wrong: u32,
}

impl Tell {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), wrong: 0 }
    }

    /// One line of progress.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        println!("[{:6.2} s] {}", self.start.elapsed().as_secs_f64(), text.as_ref());
    }

    /// One line that is judged: a wrong number is marked and makes the demo fail.
    pub(crate) fn judge(&mut self, right: bool, text: impl AsRef<str>) {
        let mark = if right { "ok   " } else { "WRONG" };
        self.wrong += u32::from(!right);
        self.say(format!("{mark} {}", text.as_ref()));
    }

    /// How many numbers were wrong.
    pub(crate) fn wrong(&self) -> u32 {
        self.wrong
    }
}

/// Waits until `probe` gives a value.
///
/// # Errors
/// [`Fault::Late`] after `limit`.
pub(crate) fn wait<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> Result<T, Fault> {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if start.elapsed() >= limit {
            return Err(Fault::Late { what: what.to_owned(), seconds: limit.as_secs() });
        }
        #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
        std::thread::sleep(Duration::from_millis(5));
    }
}
