//! `balance first`: the server with the lowest id that has room.

use std::collections::BTreeSet;

use super::{Balancer, Standing, Who, Wish};

/// The servers with room, by id.
#[derive(Debug)]
pub(super) struct First {
    ids: Vec<u32>,
    roomy: BTreeSet<(u32, u32)>,
}

impl First {
    pub(super) fn new(servers: &[Who]) -> Self {
        Self { ids: servers.iter().map(|who| who.id).collect(), roomy: BTreeSet::new() }
    }
}

impl Balancer for First {
    fn add(&mut self, who: Who) {
        self.ids.push(who.id);
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
