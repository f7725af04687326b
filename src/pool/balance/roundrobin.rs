//! `balance roundrobin`: each server in turn by weight, smoothly; weights may change at any time.
//!
//! Each pick moves a common position on by one, and a server's next turn comes total ÷ weight positions after its
//! last. Servers that were there from the start wait, heaviest first, for a position that is nobody's turn.
//! A full server whose turn comes is passed over: its turn moves on as if it had been taken.
//! Source: manual §4.2 "balance roundrobin"; all orders observed on 2.6.12.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Balancer, Standing, Who, Wish};

/// The turns.
#[derive(Debug)]
pub(super) struct RoundRobin {
    nodes: Vec<Node>,
    /// Servers by their next turn.
    turns: BTreeSet<(Turn, u32)>,
    /// Servers that have had none, heaviest first.
    fresh: BTreeSet<(Reverse<u32>, u64, u32)>,
    position: u64,
    total: u64,
    /// Usable servers with room.
    roomy: u32,
    /// Counts placements: who was placed first is chosen first.
    clock: u64,
}

/// Earlier turns are less. At the same position the one with the greater share of it left goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    position: u64,
    left: Reverse<u64>,
    since: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    weight: u32,
    full: bool,
    /// Next turn: position, and the part of a position left over by the division, in units of 1/weight.
    position: u64,
    rest: u64,
    since: u64,
    /// Where it stands.
    place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Nowhere: not usable.
    #[default]
    Out,
    Fresh,
    Turns,
}

impl Node {
    fn turn(&self) -> Turn {
        Turn { position: self.position, left: Reverse(u64::from(self.weight) - self.rest), since: self.since }
    }

    /// Moves the turn on by one stride.
    fn advance(&mut self, total: u64) {
        let weight = u64::from(self.weight);
        self.position += total / weight;
        self.rest += total % weight;
        if self.rest >= weight {
            self.rest -= weight;
            self.position += 1;
        }
    }

    fn roomy(&self) -> bool {
        self.weight > 0 && !self.full
    }
}

impl RoundRobin {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            nodes: vec![Node::default(); servers],
            turns: BTreeSet::new(),
            fresh: BTreeSet::new(),
            position: 0,
            total: 0,
            roomy: 0,
            clock: 0,
        }
    }

    fn lift(&mut self, server: u32) {
        let node = &mut self.nodes[server as usize];
        match node.place {
            Place::Out => {}
            Place::Fresh => {
                self.fresh.remove(&(Reverse(node.weight), node.since, server));
            }
            Place::Turns => {
                self.turns.remove(&(node.turn(), server));
            }
        }
        node.place = Place::Out;
    }

    fn put(&mut self, server: u32, place: Place) {
        self.clock += 1;
        let node = &mut self.nodes[server as usize];
        (node.since, node.place) = (self.clock, place);
        match place {
            Place::Out => {}
            Place::Fresh => {
                self.fresh.insert((Reverse(node.weight), node.since, server));
            }
            Place::Turns => {
                self.turns.insert((node.turn(), server));
            }
        }
    }

    /// Takes the server whose turn it is out of the order.
    fn take_next(&mut self) -> Option<u32> {
        let due = self.turns.first().map(|(turn, server)| (turn.position, *server));
        let fresh = self.fresh.first().map(|(_, _, server)| *server);
        let server = match (due, fresh) {
            (Some((position, _)), Some(fresh)) if position > self.position => fresh,
            (Some((_, server)), _) | (None, Some(server)) => server,
            (None, None) => return None,
        };
        let start = self.position;
        let node = &mut self.nodes[server as usize];
        if node.place == Place::Fresh {
            self.fresh.remove(&(Reverse(node.weight), node.since, server));
            (node.position, node.rest) = (start, 0);
        } else {
            self.turns.remove(&(node.turn(), server));
        }
        node.place = Place::Out;
        Some(server)
    }
}

impl Balancer for RoundRobin {
    fn add(&mut self, _: Who) {
        self.nodes.push(Node::default());
    }

    fn update(&mut self, server: u32, standing: Standing) {
        let old = self.nodes[server as usize];
        self.roomy -= u32::from(old.roomy());
        if old.weight != standing.weight {
            self.lift(server);
            self.total = self.total + u64::from(standing.weight) - u64::from(old.weight);
            let node = &mut self.nodes[server as usize];
            node.weight = standing.weight;
            if node.weight > 0 {
                let new = old.since == 0 && self.position == 0;
                let place = if new || old.place == Place::Fresh { Place::Fresh } else { Place::Turns };
                // One that comes back, or weighs something else now, waits for a whole stride: it gets no burst.
                let comes_back = old.place == Place::Out && self.position > 0;
                node.position = self.position + (self.total - u64::from(comes_back)) / u64::from(node.weight);
                node.rest = 0;
                self.put(server, place);
            }
        }
        let node = &mut self.nodes[server as usize];
        node.full = standing.full;
        self.roomy += u32::from(node.roomy());
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        if self.roomy == 0 {
            return None;
        }
        let (mut passed, mut avoided, mut picked) = (Vec::new(), None, None);
        while let Some(server) = self.take_next() {
            if !self.nodes[server as usize].full {
                if wish.avoid != Some(server) {
                    picked = Some(server);
                    break;
                }
                avoided = Some(server);
            }
            self.nodes[server as usize].advance(self.total);
            self.position += 1;
            passed.push(server);
        }
        if let Some(server) = picked {
            self.nodes[server as usize].advance(self.total);
            self.position += 1;
            self.put(server, Place::Turns);
        }
        for server in passed {
            self.put(server, Place::Turns);
        }
        picked.or(avoided)
    }
}
