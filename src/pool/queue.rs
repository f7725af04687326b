//! Sessions that wait for a server: by class, then first come, first served, and any of them may leave at any time.
//!
//! One [`Waiting`] per backend holds the sessions of all its queues; a [`Line`] is one queue. Knows no server's
//! state and wakes nobody: it hands the waker out.

use std::collections::BTreeMap;
use std::task::Waker;

use slab::Slab;

use super::balance::Wish;

/// What a session has in queues before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Priority {
    /// Lower classes are served first: -2047 to 2047.
    pub class: i16,
    /// As if it had come so many milliseconds later: -524287 to 524287.
    pub offset: i32,
}

/// A session's place in the order: its class, when it came as far as that counts, and who was first within that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    class: i16,
    moment: i64,
    arrival: u64,
}

/// One queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    order: BTreeMap<Turn, usize>,
    /// Sessions that were served from it.
    served: u64,
}

impl Line {
    pub(super) fn len(&self) -> u32 {
        self.order.len() as u32
    }

    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<Turn> {
        self.order.keys().next().copied()
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
    turn: Turn,
    /// Sessions that its line had served when it came.
    before: u64,
    /// Its place when it was served.
    place: u32,
    hash: Option<u32>,
    /// It waits for no other server.
    stays: bool,
    waker: Option<Waker>,
    state: State,
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
    /// Puts a session into the line of `server` (or the backend's); returns its number.
    pub(super) fn join(&mut self, line: &mut Line, server: Option<u32>, wish: &Wish, waker: Waker) -> usize {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let Wish { hash, forced: stays, class, moment, .. } = *wish;
        let turn = Turn { class, moment, arrival };
        let state = State::Waits(server);
        let place = Place { arrival, turn, before: line.served, place: 0, hash, stays, waker: Some(waker), state };
        let key = self.places.insert(place);
        line.order.insert(turn, key);
        key
    }

    /// Puts a session that left one line behind those of its class in another.
    pub(super) fn rejoin(&mut self, line: &mut Line, server: Option<u32>, key: usize) {
        let Some(place) = self.places.get_mut(key) else { return };
        self.arrivals += 1;
        let class = place.turn.class;
        let last = line.order.range(..Turn { class: class + 1, moment: i64::MIN, arrival: 0 }).next_back();
        let last = last.filter(|(turn, _)| turn.class == class).map_or(i64::MIN, |(turn, _)| turn.moment);
        place.turn = Turn { class, moment: place.turn.moment.max(last), arrival: self.arrivals };
        (place.state, place.before) = (State::Waits(server), line.served);
        line.order.insert(place.turn, key);
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

    /// Takes the first session out of a line, because it is served.
    pub(super) fn take_first(&mut self, line: &mut Line) -> Option<usize> {
        let (_, key) = line.order.pop_first()?;
        let served = line.served;
        line.served += 1;
        if let Some(first) = self.places.get_mut(key) {
            first.place = if first.place > 0 { first.place } else { (served - first.before + 1) as u32 };
        }
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
        if let Some(place) = self.places.get(key) {
            line.order.remove(&place.turn);
        }
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

    fn wish(class: i16, offset: i64, now: i64) -> Wish {
        Wish { class, moment: now + offset, ..Wish::default() }
    }

    fn order(line: &mut Line, waiting: &mut Waiting) -> Vec<usize> {
        std::iter::from_fn(|| waiting.take_first(line)).collect()
    }

    #[test]
    fn any_session_may_leave() {
        let mut waiting = Waiting::default();
        let mut line = Line::default();
        let join =
            |waiting: &mut Waiting, line: &mut Line| waiting.join(line, None, &wish(0, 0, 1000), Waker::noop().clone());
        let keys: Vec<usize> = (0..4).map(|_| join(&mut waiting, &mut line)).collect();
        waiting.unlink(&mut line, keys[1]); // from the middle
        waiting.forget(keys[1]);
        waiting.unlink(&mut line, keys[3]); // from the end
        waiting.forget(keys[3]);
        let late = join(&mut waiting, &mut line);
        assert_eq!(order(&mut line, &mut waiting), [keys[0], keys[2], late]);
        assert_eq!(line.len(), 0);
        assert!(line.first().is_none());
    }

    #[test]
    fn classes_come_before_moments() {
        let mut waiting = Waiting::default();
        let mut line = Line::default();
        let mut join =
            |class, offset, now| waiting.join(&mut line, None, &wish(class, offset, now), Waker::noop().clone());
        let usual = join(0, 0, 1000);
        let later = join(0, 0, 1001);
        let put_back = join(0, 5, 1000); // as if it had come at 1005
        let put_forward = join(0, -500, 1100);
        let low = join(5, -500_000, 1000);
        let high = join(-1, 500_000, 1200);
        assert_eq!(order(&mut line, &mut waiting), [high, put_forward, usual, later, put_back, low]);
    }

    #[test]
    fn who_changes_lines_stands_behind_its_class() {
        let mut waiting = Waiting::default();
        let (mut one, mut other) = (Line::default(), Line::default());
        let mut join = |line: &mut Line, class| waiting.join(line, None, &wish(class, 0, 1000), Waker::noop().clone());
        let moved = join(&mut one, 0);
        let (there, low) = (join(&mut other, 0), join(&mut other, 1));
        let taken = waiting.take_first(&mut one).expect("one waits");
        assert_eq!(taken, moved);
        waiting.rejoin(&mut other, Some(1), moved);
        assert_eq!(order(&mut other, &mut waiting), [there, moved, low]);
    }
}
