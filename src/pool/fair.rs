//! How many of a backend's sessions each of its servers should have, and how many it has too many.
//!
//! Pure arithmetic over loads, weights and limits; [`super::rebalance`] says when it counts.

use super::core::Core;

/// One server as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    /// Sessions on it.
    pub(super) load: u32,
    pub(super) part: Part,
}

/// What a server has to do with the sessions of its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Balancing uses it. `weight`: effective, in any unit above 0; `limit`: sessions at once, 0: none.
    Serves { weight: u32, limit: u32 },
    /// It is up and balancing does not use it: a backup that is not needed.
    Idle,
    /// It is up and is to get no more: drained, stopping, or of weight 0.
    Drained,
    /// It is down or in maintenance: what is on it is left alone, and counts for nothing.
    Apart,
}

impl Core {
    /// What each server is for now. `sessions`: of the backend.
    pub(super) fn seats(&self, sessions: u32) -> Vec<Seat> {
        let seat = |(ix, member): (usize, &super::member::Member)| {
            let part = match (member.usable(), member.running()) {
                (true, _) if self.uses(ix as u32) => {
                    Part::Serves { weight: member.scaled_weight, limit: member.limit(sessions, self.fullconn()) }
                }
                (true, _) => Part::Idle,
                (false, true) => Part::Drained,
                (false, false) => Part::Apart,
            };
            Seat { load: member.load, part }
        };
        self.members.iter().enumerate().map(seat).collect()
    }
}

/// The sessions of each server that are above its share of `whole`, of which `tolerance` percent more are let be.
///
/// Shares are by weight; a server's limit bounds its share, and the others get what it cannot have. Where all limits
/// together are too low for all, they don't count. Shares are rounded up. Nobody has too many where nobody serves.
pub(super) fn above(seats: &[Seat], whole: u64, tolerance: u32) -> Vec<u32> {
    let mut limits: Vec<Option<u64>> = vec![None; seats.len()];
    let open = |limits: &[Option<u64>]| {
        let all = seats.iter().zip(limits).filter(|(_, bound)| bound.is_none());
        all.map(|(seat, _)| u128::from(seat.weight())).sum::<u128>()
    };
    // Each turn bounds at least one more server by its limit.
    let (mut rest, mut weights) = (u128::from(whole), open(&limits));
    loop {
        let turn = |(at, seat): (usize, &Seat)| {
            let full = limits[at].is_none() && seat.limit() > 0 && seat.weight() > 0;
            let over = rest * u128::from(seat.weight()) > u128::from(seat.limit()) * weights;
            (full && over).then_some((at, seat.limit()))
        };
        let full: Vec<(usize, u32)> = seats.iter().enumerate().filter_map(turn).collect();
        if full.is_empty() {
            break;
        }
        for (at, limit) in full {
            limits[at] = Some(u64::from(limit));
            rest = rest.saturating_sub(u128::from(limit));
        }
        weights = open(&limits);
        if weights == 0 {
            limits.fill(None);
            (rest, weights) = (u128::from(whole), open(&limits));
            break;
        }
    }
    let allowed = |(seat, bound): (&Seat, &Option<u64>)| -> u128 {
        let percent = 100 + u128::from(tolerance);
        match (bound, seat.part) {
            (_, Part::Apart) => u128::MAX,
            _ if weights == 0 && limits.iter().all(Option::is_none) => u128::MAX,
            (Some(limit), _) => (u128::from(*limit) * percent).div_ceil(100),
            (None, _) => (rest * u128::from(seat.weight()) * percent).div_ceil((weights * 100).max(1)),
        }
    };
    let above =
        |pair: (&Seat, &Option<u64>)| u64::from(pair.0.load).saturating_sub(allowed(pair).min(u64::MAX.into()) as u64);
    seats.iter().zip(&limits).map(|pair| above(pair) as u32).collect()
}

impl Seat {
    fn weight(&self) -> u32 {
        if let Part::Serves { weight, .. } = self.part { weight } else { 0 }
    }

    fn limit(&self) -> u32 {
        if let Part::Serves { limit, .. } = self.part { limit } else { 0 }
    }
}

/// Which servers end how many of `count` sessions: each in proportion to what it has above its share.
pub(super) fn divided(above: &[u32], count: u64) -> Vec<(u32, u32)> {
    let surplus: u64 = above.iter().map(|above| u64::from(*above)).sum();
    let mut left = count.min(surplus);
    let mut order: Vec<(u32, u32)> = (0..).zip(above.iter().copied()).filter(|(_, above)| *above > 0).collect();
    order.sort_by_key(|(server, above)| (std::cmp::Reverse(*above), *server));
    let mut out = Vec::new();
    for (server, above) in order {
        let share = (u128::from(count.min(surplus)) * u128::from(above)).div_ceil(u128::from(surplus)) as u64;
        let ends = share.min(left);
        left -= ends;
        if ends > 0 {
            out.push((server, ends as u32));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serves(load: u32, weight: u32, limit: u32) -> Seat {
        Seat { load, part: Part::Serves { weight, limit } }
    }

    #[test]
    fn shares() {
        let other = |load, part| Seat { load, part };
        for (seats, tolerance, want) in [
            (vec![serves(400, 1, 0), serves(0, 1, 0)], 0, vec![200, 0]),
            (vec![serves(400, 1, 0), serves(0, 1, 0)], 10, vec![180, 0]),
            (vec![serves(400, 3, 0), serves(0, 1, 0)], 0, vec![100, 0]), // by weight
            (vec![serves(5, 1, 0), serves(4, 1, 0)], 0, vec![0, 0]),     // one more cannot be helped
            (vec![serves(400, 1, 0), serves(0, 1, 50)], 0, vec![50, 0]), // it may have no more
            (vec![serves(400, 1, 300), serves(0, 1, 50)], 0, vec![200, 0]), // no room for all: limits don't count
            (vec![serves(90, 1, 0), serves(0, 1, 10), serves(0, 1, 0)], 0, vec![50, 0, 0]), // others get what it cannot have
            (vec![serves(100, 1, 0), other(40, Part::Drained)], 0, vec![0, 40]),
            (vec![serves(100, 1, 0), other(40, Part::Idle)], 50, vec![0, 40]), // of nothing there is no percent
            (vec![serves(100, 1, 0), other(40, Part::Apart)], 0, vec![0, 0]),
            (vec![other(100, Part::Drained), other(40, Part::Apart)], 0, vec![0, 0]), // nobody would take them
            (vec![], 0, vec![]),
        ] {
            let whole = seats.iter().filter(|seat| seat.part != Part::Apart).map(|seat| u64::from(seat.load)).sum();
            assert_eq!(above(&seats, whole, tolerance), want, "{seats:?}, {tolerance} %");
        }
    }

    /// What some have too much, others can take: whatever the loads, weights and limits.
    #[test]
    fn there_is_room_for_all_that_is_above() {
        bolero::check!().with_type::<Vec<(u16, u8, u16, u8)>>().for_each(|servers| {
            let seat = |(load, weight, limit, part): &(u16, u8, u16, u8)| Seat {
                load: u32::from(*load),
                part: match part % 4 {
                    0 => Part::Apart,
                    1 => Part::Drained,
                    _ => Part::Serves { weight: u32::from(*weight) + 1, limit: u32::from(*limit) },
                },
            };
            let seats: Vec<Seat> = servers.iter().map(seat).collect();
            let whole: u64 = seats.iter().filter(|s| s.part != Part::Apart).map(|s| u64::from(s.load)).sum();
            let above = above(&seats, whole, 0);
            let surplus: u64 = above.iter().map(|above| u64::from(*above)).sum();
            assert!(seats.iter().zip(&above).all(|(seat, above)| *above <= seat.load));
            if !seats.iter().any(|seat| seat.weight() > 0) {
                assert_eq!(surplus, 0);
            }
            for count in [0, 1, surplus / 2, surplus, surplus + 5] {
                let parts = divided(&above, count);
                assert_eq!(parts.iter().map(|(_, ends)| u64::from(*ends)).sum::<u64>(), count.min(surplus));
                assert!(parts.iter().all(|(server, ends)| *ends <= above[*server as usize]));
            }
        });
    }
}
