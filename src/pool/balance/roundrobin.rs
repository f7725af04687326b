//! `balance roundrobin`: each server in turn by weight, smoothly; weights may change at any time.
//!
//! Each pick moves a common position on by one. A server's next turn comes total ÷ weight positions after its last;
//! one that has not had a turn yet starts, heaviest first, at a position where nobody else's turn has come.
//! Source: manual §4.2 "balance roundrobin"; the order observed on 2.6.12.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Balancer, Standing, Wish};

/// Positions are counted in fractions, so that strides need no rounding that would add up.
const ONE: u64 = 1 << 20;

/// The turns.
#[derive(Debug)]
pub(super) struct RoundRobin {
    nodes: Vec<Node>,
    /// Servers that have had a turn, by their next position; equals in the order in which they were placed.
    turns: BTreeSet<(u64, u64, u32)>,
    /// Servers that have had none, heaviest first.
    fresh: BTreeSet<(Reverse<u32>, u64, u32)>,
    position: u64,
    total: u64,
    clock: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    weight: u32,
    /// Position of the next turn in units of 1/[`ONE`]; `None`: no turn yet.
    next: Option<u64>,
    since: u64,
    full: bool,
}

impl RoundRobin {
    pub(super) fn new(servers: usize) -> Self {
        Self {
            nodes: vec![Node::default(); servers],
            turns: BTreeSet::new(),
            fresh: BTreeSet::new(),
            position: 0,
            total: 0,
            clock: 0,
        }
    }

    fn lift(&mut self, server: u32) {
        let node = self.nodes[server as usize];
        match node.next {
            Some(next) => self.turns.remove(&(next / ONE, node.since, server)),
            None => self.fresh.remove(&(Reverse(node.weight), node.since, server)),
        };
    }

    fn place(&mut self, server: u32) {
        let node = self.nodes[server as usize];
        if node.weight == 0 || node.full {
            return;
        }
        match node.next {
            Some(next) => self.turns.insert((next / ONE, node.since, server)),
            None => self.fresh.insert((Reverse(node.weight), node.since, server)),
        };
    }

    /// Whose turn it is, leaving one server out.
    fn turn(&self, avoid: Option<u32>) -> Option<u32> {
        let due = self.turns.iter().find(|(_, _, server)| Some(*server) != avoid);
        let fresh = self.fresh.iter().map(|(_, _, server)| *server).find(|server| Some(*server) != avoid);
        match (due, fresh) {
            (Some((at, _, server)), Some(fresh)) => Some(if *at <= self.position { *server } else { fresh }),
            (Some((_, _, server)), None) => Some(*server),
            (None, fresh) => fresh,
        }
    }
}

impl Balancer for RoundRobin {
    fn update(&mut self, server: u32, standing: Standing) {
        let node = self.nodes[server as usize];
        if node.weight == standing.weight && node.full == standing.full {
            return;
        }
        self.lift(server);
        self.total = self.total + u64::from(standing.weight) - u64::from(node.weight);
        let node = &mut self.nodes[server as usize];
        if standing.weight != node.weight {
            self.clock += 1;
            node.since = self.clock;
            node.next = None;
        }
        (node.weight, node.full) = (standing.weight, standing.full);
        self.place(server);
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let server = self.turn(wish.avoid).or_else(|| self.turn(None))?;
        self.lift(server);
        let stride = self.total * ONE / u64::from(self.nodes[server as usize].weight);
        self.clock += 1;
        let node = &mut self.nodes[server as usize];
        let at = node.next.unwrap_or(0).max(self.position * ONE);
        node.next = Some(at + stride);
        node.since = self.clock;
        self.position += 1;
        self.place(server);
        Some(server)
    }
}
