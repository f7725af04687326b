//! `balance first`: the server with the lowest id that has room.

use std::collections::BTreeSet;

use super::{Balancer, Standing, Wish};

/// The servers with room, by id.
#[derive(Debug)]
pub(super) struct First {
    ids: Vec<u32>,
    roomy: BTreeSet<(u32, u32)>,
}

impl First {
    pub(super) fn new(ids: &[u32]) -> Self {
        Self { ids: ids.to_vec(), roomy: BTreeSet::new() }
    }
}

impl Balancer for First {
    fn add(&mut self, id: u32) {
        self.ids.push(id);
    }

    fn update(&mut self, server: u32, standing: Standing) {
        let key = (self.ids[server as usize], server);
        if standing.weight > 0 && !standing.full {
            self.roomy.insert(key);
        } else {
            self.roomy.remove(&key);
        }
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let other = self.roomy.iter().map(|(_, server)| *server).find(|server| Some(*server) != wish.avoid);
        other.or_else(|| self.roomy.first().map(|(_, server)| *server))
    }
}
