//! `hash-type consistent`: a ring of 2^32 places on which each server has points; the nearest point serves.
//!
//! Knows no load: who may not take a session now is said by the caller. Only the points of a server whose weight
//! changed move. Source: manual §4.2 "hash-type"; where the points lie and which one is nearest was measured on 2.6.12
//! by asking it for single places (docs/OBSERVED.md), with a mixing function of Bob Jenkins'.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Bound::{Excluded, Unbounded};

use twox_hash::XxHash32;

/// Points that a server's id is spread over: the most that a weight of 256 needs, 16 for each unit.
const SPAN: u32 = 4096;

/// A point and its server.
type Point = (u32, u32);

/// The ring.
#[derive(Debug)]
pub(super) struct Ring {
    /// The numbers that the first point of each server is made of.
    firsts: Vec<u32>,
    /// Points that each server has now.
    counts: Vec<u32>,
    points: BTreeSet<Point>,
    /// The point that served last, for sessions without a key.
    last: Option<Point>,
}

impl Ring {
    pub(super) fn new(firsts: &[u32]) -> Self {
        Self { firsts: firsts.to_vec(), counts: vec![0; firsts.len()], points: BTreeSet::new(), last: None }
    }

    /// One more server, of no weight yet.
    pub(super) fn add(&mut self, first: u32) {
        self.firsts.push(first);
        self.counts.push(0);
    }

    /// Puts a server's points where this number says.
    pub(super) fn move_points(&mut self, server: u32, first: u32) {
        let count = self.counts[server as usize];
        self.set_weight(server, 0);
        self.firsts[server as usize] = first;
        self.set_weight(server, count);
    }

    /// Gives a server one point for each unit of its scaled weight.
    pub(super) fn set_weight(&mut self, server: u32, scaled: u32) {
        let first = self.firsts[server as usize];
        let (old, new) = (self.counts[server as usize], scaled.min(SPAN));
        for number in old..new {
            self.points.insert((mix(first.wrapping_add(number)), server));
        }
        for number in new..old {
            self.points.remove(&(mix(first.wrapping_add(number)), server));
        }
        self.counts[server as usize] = new;
    }

    /// The server for a key: that of the nearest point, or of the first one behind it whose server `may` serve. If none
    /// may, that of the nearest after all.
    pub(super) fn pick(&self, key: u32, may: impl Fn(u32) -> bool) -> Option<u32> {
        let nearest = self.nearest(key)?;
        self.onward(nearest, &may).or(Some(nearest)).map(|(_, server)| server)
    }

    /// The server of the point behind the one that served last: sessions without a key take turns.
    pub(super) fn next(&mut self, may: impl Fn(u32) -> bool) -> Option<u32> {
        let start = match self.last {
            Some(last) => self.points.range((Excluded(last), Unbounded)).next().or_else(|| self.points.first()),
            None => self.points.first(),
        };
        let start = *start?;
        let point = self.onward(start, &may).unwrap_or(start);
        self.last = Some(point);
        Some(point.1)
    }

    /// The first point from `start` on, all around, whose server may serve.
    fn onward(&self, start: Point, may: &impl Fn(u32) -> bool) -> Option<Point> {
        let around = self.points.range(start..).chain(self.points.range(..start));
        let mut refused = None;
        for point in around {
            if refused == Some(point.1) {
                continue;
            }
            if may(point.1) {
                return Some(*point);
            }
            refused = Some(point.1);
        }
        None
    }

    /// The nearest point in either direction; at equal distance the one before.
    fn nearest(&self, key: u32) -> Option<Point> {
        let behind = *self.points.range((key, 0)..).next().or_else(|| self.points.first())?;
        let before = *self.points.range(..(key, 0)).next_back().or_else(|| self.points.last())?;
        let (up, down) = (behind.0.wrapping_sub(key), key.wrapping_sub(before.0));
        Some(if up < down { behind } else { before })
    }
}

/// The number of the first point of a server that goes by its id.
pub(super) fn of_id(id: u32) -> u32 {
    id.wrapping_mul(SPAN)
}

/// The number of the first point of a server that goes by its address, and its port.
pub(super) fn of_address(ip: IpAddr, port: Option<u16>) -> u32 {
    let mut bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend(port.into_iter().flat_map(u16::to_be_bytes));
    XxHash32::oneshot(0, &bytes)
}

/// The avalanche of `hash-type`, which places the points as well: a full avalanche of 4-byte integers that Bob Jenkins
/// published ("Integer Hash Functions"), and a multiplication that carries its low bits up. The multiplier was measured.
pub(super) fn mix(key: u32) -> u32 {
    let a = key.wrapping_add(0x7ed5_5d16).wrapping_add(key << 12);
    let a = a ^ 0xc761_c23c ^ (a >> 19);
    let a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    let a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    let a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    let a = a ^ 0xb55a_4f09 ^ (a >> 16);
    a.wrapping_mul(0xc000_0001)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ring of servers with these (id, weight).
    fn ring(servers: &[(u32, u32)]) -> Ring {
        let mut ring = Ring::new(&servers.iter().map(|(id, _)| of_id(*id)).collect::<Vec<_>>());
        (0..).zip(servers).for_each(|(server, (_, weight))| ring.set_weight(server, weight * 16));
        ring
    }

    #[test]
    fn places_change_hands_where_haproxys_do() {
        // Found on 2.6.12 by bisection between two servers with the ids 1 and 2: the first place of the second named.
        let ring = ring(&[(1, 1), (2, 1)]);
        let all = |_| true;
        for (place, left, right) in [
            (0x1b1b_59f6, 1, 0),
            (0x3030_9fdc, 0, 1),
            (0x33b5_ab91, 1, 0),
            (0x4004_78df, 0, 1),
            (0x9d1c_eb10, 1, 0),
            (0xefa7_c975, 0, 1),
        ] {
            assert_eq!((ring.pick(place - 1, all), ring.pick(place, all)), (Some(left), Some(right)), "{place:#x}");
        }
    }

    #[test]
    fn a_server_that_leaves_takes_only_its_own_keys_along() {
        let mut ring = ring(&[(1, 1), (2, 5), (3, 1)]);
        let keys: Vec<u32> = (0..5_000_u32).map(|n| n.wrapping_mul(0x9e37_79b9)).collect();
        let before: Vec<_> = keys.iter().map(|key| ring.pick(*key, |_| true)).collect();
        ring.set_weight(1, 0);
        for (key, old) in keys.iter().zip(&before) {
            let new = ring.pick(*key, |_| true);
            assert!(new == *old || *old == Some(1) && new != Some(1), "{key:#x}: {old:?} {new:?}");
        }
        ring.set_weight(1, 80);
        assert!(keys.iter().zip(before).all(|(key, old)| ring.pick(*key, |_| true) == old), "it comes back whole");
    }

    #[test]
    fn a_server_takes_its_points_along_and_back() {
        let mut ring = ring(&[(1, 1), (2, 3)]);
        let before = ring.points.clone();
        let address = |text: &str| text.parse().expect("an address");
        let (four, six) = (of_address(address("10.0.0.1"), None), of_address(address("2001:db8::1"), Some(80)));
        assert!(four != six && four != of_address(address("10.0.0.1"), Some(80)));
        for first in [four, six, of_id(2)] {
            ring.move_points(1, first);
            assert_eq!(ring.points.iter().filter(|point| point.1 == 1).count(), 48);
            assert_eq!(ring.points == before, first == of_id(2));
            assert!(ring.points.contains(&(mix(first.wrapping_add(47)), 1)));
        }
    }

    #[test]
    fn nobody_who_may_is_the_nearest_after_all_and_no_points_are_nobody() {
        let mut ring = ring(&[(1, 1), (2, 1)]);
        assert_eq!(ring.pick(7, |_| false), ring.pick(7, |_| true));
        assert_eq!(ring.next(|server| server == 1), Some(1));
        assert_eq!(Ring::new(&[]).pick(7, |_| true), None);
    }
}
