//! Sessions that wait for a server: first come, first served, and any of them may leave at any time.
//!
//! One [`Waiting`] per backend holds the sessions of all its queues; a [`Line`] is one queue. Knows no server's
//! state and wakes nobody: it hands the waker out.

use std::task::Waker;

use slab::Slab;

use super::balance::Wish;

/// One queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    head: Option<usize>,
    tail: Option<usize>,
    len: u32,
    /// Sessions that were served from it.
    served: u64,
}

impl Line {
    pub(super) fn len(&self) -> u32 {
        self.len
    }
}

/// The sessions of all queues of a backend.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    places: Slab<Place>,
    arrivals: u64,
}

#[derive(Debug)]
struct Place {
    arrival: u64,
    /// Sessions that its line had served when it came.
    before: u64,
    /// Its place when it was served.
    place: u32,
    hash: Option<u32>,
    /// It waits for no other server.
    stays: bool,
    waker: Option<Waker>,
    state: State,
    previous: Option<usize>,
    next: Option<usize>,
}

/// What has become of a waiting session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// In the line of a server, or of the backend.
    Waits(Option<u32>),
    /// It was given this server.
    Given(u32),
}

impl Waiting {
    /// Appends a session to the line of `server` (or the backend's); returns its number.
    pub(super) fn join(&mut self, line: &mut Line, server: Option<u32>, wish: &Wish, waker: Waker) -> usize {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let state = State::Waits(server);
        let (before, previous) = (line.served, line.tail);
        let waker = Some(waker);
        let (hash, stays) = (wish.hash, wish.forced);
        let place = Place { arrival, before, place: 0, hash, stays, waker, state, previous, next: None };
        let key = self.places.insert(place);
        self.link(line, key);
        key
    }

    /// Puts a session that left one line at the end of another.
    pub(super) fn rejoin(&mut self, line: &mut Line, server: Option<u32>, key: usize) {
        if let Some(place) = self.places.get_mut(key) {
            (place.state, place.previous, place.next) = (State::Waits(server), line.tail, None);
            place.before = line.served;
            self.link(line, key);
        }
    }

    /// Whether a session waits for no other server.
    pub(super) fn stays(&self, key: usize) -> bool {
        self.places.get(key).is_some_and(|place| place.stays)
    }

    /// Puts a session that was taken out of a server's line back into it, as if it had not been served.
    pub(super) fn stay(&mut self, line: &mut Line, server: u32, key: usize) {
        self.rejoin(line, Some(server), key);
        if let Some(place) = self.places.get_mut(key) {
            place.place = 0;
        }
    }

    fn link(&mut self, line: &mut Line, key: usize) {
        match line.tail.and_then(|tail| self.places.get_mut(tail)) {
            Some(tail) => tail.next = Some(key),
            None => line.head = Some(key),
        }
        line.tail = Some(key);
        line.len += 1;
    }

    /// Takes the first session out of a line, because it is served.
    pub(super) fn take_first(&mut self, line: &mut Line) -> Option<usize> {
        let key = line.head?;
        let place = self.place(line, key);
        if let Some(first) = self.places.get_mut(key) {
            first.place = place;
        }
        self.unlink(line, key);
        line.served += 1;
        Some(key)
    }

    /// A session's place: 1 when none that was before it has been served since it came… not counting those that left.
    /// `line`: that it waits in; of one that was served it is no longer asked.
    pub(super) fn place(&self, line: &Line, key: usize) -> u32 {
        match self.places.get(key) {
            Some(place) if place.place > 0 => place.place,
            Some(place) => (line.served - place.before + 1) as u32,
            None => 0,
        }
    }

    /// Takes a session out of its line.
    pub(super) fn unlink(&mut self, line: &mut Line, key: usize) {
        let Some(place) = self.places.get(key) else { return };
        let (previous, next) = (place.previous, place.next);
        match previous.and_then(|previous| self.places.get_mut(previous)) {
            Some(place) => place.next = next,
            None => line.head = next,
        }
        match next.and_then(|next| self.places.get_mut(next)) {
            Some(place) => place.previous = previous,
            None => line.tail = previous,
        }
        line.len -= 1;
    }

    /// When a session came; earlier is lower.
    pub(super) fn arrival(&self, key: usize) -> u64 {
        self.places.get(key).map_or(0, |place| place.arrival)
    }

    /// Sets whom to wake for a session that waits; `false` if it was served.
    pub(super) fn watch(&mut self, key: usize, waker: &Waker) -> bool {
        let waiting = self.places.get_mut(key).filter(|place| matches!(place.state, State::Waits(_)));
        waiting.is_some_and(|place| {
            place.waker = Some(waker.clone());
            true
        })
    }

    /// When the first session of a line came; earlier is lower.
    pub(super) fn first_arrival(&self, line: &Line) -> Option<u64> {
        Some(self.places.get(line.head?)?.arrival)
    }

    /// Marks a session that has left its line as served; returns whom to wake.
    pub(super) fn give(&mut self, key: usize, server: u32) -> Option<Waker> {
        let place = self.places.get_mut(key)?;
        place.state = State::Given(server);
        place.waker.take()
    }

    /// What has become of a session.
    pub(super) fn state(&self, key: usize) -> Option<State> {
        Some(self.places.get(key)?.state)
    }

    /// The hash a session brought.
    pub(super) fn hash(&self, key: usize) -> Option<u32> {
        self.places.get(key)?.hash
    }

    /// Forgets a session that is in no line.
    pub(super) fn forget(&mut self, key: usize) {
        self.places.try_remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_session_may_leave() {
        let mut waiting = Waiting::default();
        let mut line = Line::default();
        let keys: Vec<usize> =
            (0..4).map(|_| waiting.join(&mut line, None, &Wish::default(), Waker::noop().clone())).collect();
        waiting.unlink(&mut line, keys[1]); // from the middle
        waiting.forget(keys[1]);
        waiting.unlink(&mut line, keys[3]); // from the end
        waiting.forget(keys[3]);
        let late = waiting.join(&mut line, None, &Wish::default(), Waker::noop().clone());
        let order: Vec<_> = std::iter::from_fn(|| waiting.take_first(&mut line)).collect();
        assert_eq!(order, [keys[0], keys[2], late]);
        assert_eq!(line.len(), 0);
        assert!(waiting.first_arrival(&line).is_none());
    }
}
