//! Numbers that many threads write and statistics read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::units::Tick;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Sets the number: when counters are cleared or continue after a reload.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
}

/// A number that goes up and down, and the highest it has been.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicU32,
    max: AtomicU32,
}

impl Gauge {
    /// One more; returns how many there are now.
    pub fn up(&self) -> u32 {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        self.max.fetch_max(now, Relaxed);
        now
    }

    /// One more unless there are `limit` already (0: no limit); returns how many there are now.
    ///
    /// # Errors
    /// The number there is when the limit is reached.
    pub fn up_below(&self, limit: u32) -> Result<u32, u32> {
        let grown = self.now.fetch_update(Relaxed, Relaxed, |now| (limit == 0 || now < limit).then_some(now + 1))?;
        self.max.fetch_max(grown + 1, Relaxed);
        Ok(grown + 1)
    }

    /// One less; returns how many are left.
    pub fn down(&self) -> u32 {
        self.now.fetch_sub(1, Relaxed) - 1
    }

    /// How many there are.
    pub fn get(&self) -> u32 {
        self.now.load(Relaxed)
    }

    /// The most there have been.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }
}

/// Events per second, and the highest second.
///
/// Holds the current second's count and the one before; the rate is what the last second would hold if the
/// previous one's events were spread evenly.
#[derive(Debug, Default)]
pub struct Rate {
    /// Second (32 bits), count of it (32 bits).
    current: AtomicU64,
    previous: AtomicU32,
    max: AtomicU32,
}

impl Rate {
    /// One event at `now`; returns the rate with it.
    pub fn hit(&self, now: Tick) -> u32 {
        let second = now.seconds() & 0xffff_ffff;
        let before = self.current.fetch_update(Relaxed, Relaxed, |word| {
            Some(if word >> 32 == second { word + 1 } else { second << 32 | 1 })
        });
        let word = before.unwrap_or_default();
        if word >> 32 != second {
            let carried = if (word >> 32) + 1 == second { word as u32 } else { 0 };
            self.previous.store(carried, Relaxed);
        }
        let rate = self.get(now);
        self.max.fetch_max(rate, Relaxed);
        rate
    }

    /// Events in the second that ends at `now`.
    pub fn get(&self, now: Tick) -> u32 {
        let word = self.current.load(Relaxed);
        let (second, count) = (word >> 32, word as u32);
        let at = now.seconds() & 0xffff_ffff;
        let share = |n: u32| (u64::from(n) * (1000 - now.millis() % 1000) / 1000) as u32;
        if second == at {
            count.saturating_add(share(self.previous.load(Relaxed)))
        } else if second + 1 == at {
            share(count)
        } else {
            0
        }
    }

    /// The highest rate there has been.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }
}
