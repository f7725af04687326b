//! One thread's deadlines: an indexed heap with at most one entry per session.
//!
//! Activity never touches it: a session's entry is where it was armed, and when it fires the session looks whether
//! it was active meanwhile and arms again. An entry costs 12 bytes. Knows no clock.

use crate::units::Tick;

/// Children per node: a flatter heap touches fewer cache lines.
const ARITY: usize = 4;
/// Not in the heap.
const NOWHERE: u32 = u32::MAX;

/// Deadlines by key, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<Entry>,
    /// Place in `heap` by key.
    places: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Tick,
    key: u32,
}

impl Timers {
    /// Makes `key` fire at `at` or earlier: an entry that is due sooner stays. Returns whether the earliest deadline
    /// of all has changed.
    pub(super) fn arm(&mut self, key: u32, at: Tick) -> bool {
        if self.places.len() <= key as usize {
            self.places.resize(key as usize + 1, NOWHERE);
        }
        let place = self.places[key as usize];
        let place = if place == NOWHERE {
            self.heap.push(Entry { at, key });
            self.heap.len() - 1
        } else if at < self.heap[place as usize].at {
            self.heap[place as usize].at = at;
            place as usize
        } else {
            return false;
        };
        self.rise(place) == 0
    }

    /// Forgets `key`.
    pub(super) fn disarm(&mut self, key: u32) {
        let Some(place) = self.places.get(key as usize).copied().filter(|place| *place != NOWHERE) else { return };
        self.remove(place as usize);
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Tick> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Takes one key that is due at `now`, the earliest first.
    pub(super) fn due(&mut self, now: Tick) -> Option<u32> {
        let first = *self.heap.first()?;
        if first.at > now {
            return None;
        }
        self.remove(0);
        Some(first.key)
    }

    fn remove(&mut self, place: usize) {
        self.places[self.heap[place].key as usize] = NOWHERE;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.places[self.heap[place].key as usize] = place as u32;
            let place = self.rise(place);
            self.sink(place);
        }
        if self.heap.capacity() > 1024 && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(self.heap.capacity() / 2);
        }
    }

    fn rise(&mut self, mut place: usize) -> usize {
        let entry = self.heap[place];
        while place > 0 {
            let above = (place - 1) / ARITY;
            if self.heap[above].at <= entry.at {
                break;
            }
            self.put(place, self.heap[above]);
            place = above;
        }
        self.put(place, entry);
        place
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let first = place * ARITY + 1;
            let below = first..(first + ARITY).min(self.heap.len());
            let Some(least) = below.min_by_key(|below| self.heap[*below].at) else { break };
            if entry.at <= self.heap[least].at {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.places[entry.key as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Tick {
        Tick::from_millis(millis)
    }

    #[test]
    fn fires_in_order_and_forgets_what_was_disarmed() {
        let mut timers = Timers::default();
        // A pseudo-random permutation of 0..1009 (1009 is prime).
        for key in 0..1009u32 {
            timers.arm(key, at(u64::from(key * 613 % 1009)));
        }
        for key in (0..1009).step_by(3) {
            timers.disarm(key);
        }
        let mut last = at(0);
        let mut fired = 0;
        while let Some(key) = timers.due(at(2000)) {
            let due = at(u64::from(key * 613 % 1009));
            assert!(key % 3 != 0 && due >= last, "{key} at {due:?} after {last:?}");
            last = due;
            fired += 1;
        }
        assert_eq!(fired, 1009 - 337);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn an_entry_only_moves_forward() {
        let mut timers = Timers::default();
        assert!(timers.arm(7, at(50)));
        assert!(!timers.arm(7, at(90)), "later: it stays and looks again when it fires");
        assert_eq!(timers.next(), Some(at(50)));
        assert!(timers.arm(7, at(20)));
        assert_eq!(timers.due(at(19)), None);
        assert_eq!(timers.due(at(20)), Some(7));
        assert_eq!(timers.due(at(1000)), None, "one entry per key");
    }
}
