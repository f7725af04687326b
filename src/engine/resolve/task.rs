//! One `resolvers` section at work: sends what is due, takes what comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::link::Link;
use super::message;
use crate::engine::clock;
use crate::engine::shared::Shared;
use crate::ir::ResolversIx;
use crate::pool::Control;
use crate::pool::resolution::{Section, Turn, Wanted};

/// Answers that may wait to be looked at; a socket that has more keeps or loses them itself.
const WAITING: usize = 256;
/// The longest pause; there is always a name with a time of its own unless there is none at all.
const LONGEST: Duration = Duration::from_secs(3600);

/// Something that a name server sent.
pub(super) struct Heard {
    /// Its number in the section.
    pub(super) server: usize,
    /// The message.
    pub(super) bytes: Vec<u8>,
}

pub(super) async fn run(
    shared: Arc<Shared>,
    ix: ResolversIx,
    section: Section,
    mut orders: mpsc::UnboundedReceiver<Wanted>,
) {
    let (tell, mut heard) = mpsc::channel(WAITING);
    let servers = section.resolvers().nameservers.iter().enumerate();
    let links = servers.map(|(nth, server)| Link::new(nth, server, &shared, ix, &tell)).collect();
    let mut task = Task { shared, ix, section, links };
    loop {
        let now = clock::now();
        let turn = task.section.turn(&task.shared.pool, &mut message::number, now);
        task.act(turn);
        let pause = task.section.due().map_or(LONGEST, |due| Duration::from_millis(due.since(clock::now())));
        tokio::select! {
            Some(heard) = heard.recv() => task.hear(&heard),
            Some(order) = orders.recv() => task.take(&order),
            () = tokio::time::sleep(pause.min(LONGEST)) => {}
        }
    }
}

struct Task {
    shared: Arc<Shared>,
    ix: ResolversIx,
    section: Section,
    links: Vec<Link>,
}

impl Task {
    /// Asks and tells.
    fn act(&mut self, turn: Turn) {
        let states = self.shared.pool.resolution.nameservers(self.ix);
        for ask in turn.asks {
            let bytes = message::question(&ask, self.section.resolvers().payload);
            let mut asked = 0;
            for (link, state) in self.links.iter_mut().zip(states) {
                match bytes.as_deref().is_some_and(|bytes| link.send(bytes)) {
                    true => {
                        state.sent.add(1);
                        asked += 1;
                    }
                    false => state.send_errors.add(1),
                }
            }
            self.section.put(ask.id, asked);
        }
        if !turn.events.is_empty() {
            let control: &dyn Control = &*self.shared;
            self.shared.pool.announce(&turn.events, &*self.shared.journal, control);
        }
    }

    /// Takes an order. A name that fits into no message has no address.
    fn take(&mut self, order: &Wanted) {
        if let Wanted::Name(inquiry) = order
            && let Some(inquiry) = inquiry.upgrade()
            && message::question(&inquiry.ask(), self.section.resolvers().payload).is_none()
        {
            return inquiry.answer(None);
        }
        self.section.take(order, clock::now());
    }

    /// Takes what a name server sent.
    fn hear(&mut self, heard: &Heard) {
        let pool = &self.shared.pool;
        let Some(state) = pool.resolution.nameservers(self.ix).get(heard.server) else { return };
        if heard.bytes.len() > usize::from(self.section.resolvers().payload) {
            return state.too_big.add(1);
        }
        let Some(id) = message::number_of(&heard.bytes) else { return state.invalid.add(1) };
        let Some(ask) = self.section.asked(id) else { return state.outdated.add(1) };
        let answer = message::answer(&heard.bytes, &ask);
        let turn = self.section.heard(pool, heard.server, id, answer, clock::now());
        self.act(turn);
    }
}
