//! Moves bytes: listens, accepts, connects, relays, runs checks, serves the statistics page and the commands.
//!
//! Thread per core, each with a current-thread runtime and its own slab of sessions; a session is a struct with
//! a hand-written `poll`. Knows no configuration text and no log format. Entry point: [`Engine::start`].

mod accept;
mod aging;
mod bandwidth;
mod checks;
mod clock;
mod closing;
mod commands;
mod connect;
mod control;
mod dispatch;
mod ending;
mod facts;
mod listing;
pub mod migrate;
mod pace;
mod page;
mod pausing;
mod peers;
mod persist;
mod placing;
mod proxy_header;
mod rebalance;
mod relay;
mod resolve;
mod rules;
mod session;
mod shard;
mod shared;
mod splice;
mod stick;
mod timers;

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::runtime::LocalOptions;

use self::shard::Shard;
use self::shared::Shared;
pub use crate::plan::Purpose;
use crate::pool::{Commands, Control, Journal, Page, Pool};
use crate::sys::affinity;

/// One socket that is bound and listens.
#[derive(Debug)]
pub struct Listening {
    /// What it is for.
    pub purpose: Purpose,
    /// The socket, non-blocking.
    pub socket: OwnedFd,
}

/// All that an engine needs.
pub struct Input {
    /// Configuration and state.
    pub pool: Arc<Pool>,
    /// Log lines.
    pub journal: Arc<dyn Journal>,
    /// The statistics page.
    pub page: Arc<dyn Page>,
    /// The runtime commands.
    pub commands: Arc<dyn Commands>,
    /// The sockets.
    pub listeners: Vec<Listening>,
    /// Serving threads, at least 1.
    pub threads: usize,
}

/// A running engine.
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    resolver: Option<resolve::Resolver>,
    peers: Option<peers::Peers>,
}

impl Engine {
    /// Starts the threads; returns when all of them accept.
    ///
    /// # Errors
    /// What the system says when a thread, a runtime or a registration cannot be had.
    pub fn start(input: Input) -> io::Result<Self> {
        Self::start_with(input, |_| {})
    }

    /// [`Engine::start`]; `before` is given the engine before it accepts anything, so that nobody is told that it is too early.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_with(input: Input, before: impl FnOnce(&Self)) -> io::Result<Self> {
        let (shared, sockets) = Shared::new(input);
        let threads = shared.mailboxes.len();
        // One accepting thread per listening socket.
        let mut shares: Vec<Vec<(u32, OwnedFd)>> = (0..threads).map(|_| Vec::new()).collect();
        for (place, socket) in sockets.iter().enumerate() {
            connect::listener_options(socket, shared.accepts_smartly(place));
            shares[place % threads].push((place as u32, socket.try_clone()?));
        }
        *shared.sockets() = (0..).zip(sockets).collect();
        let mut engine = Self { shared, threads: Vec::new(), resolver: None, peers: None };
        before(&engine);
        let started = engine.start_threads(shares).and_then(|()| resolve::start(&engine.shared));
        match started.and_then(|resolver| Ok((resolver, peers::start(&engine.shared)?))) {
            Ok((resolver, peers)) => {
                (engine.resolver, engine.peers) = (resolver, peers);
                Ok(engine)
            }
            Err(why) => {
                engine.shared.hard_stop();
                engine.wait();
                Err(why)
            }
        }
    }

    fn start_threads(&mut self, shares: Vec<Vec<(u32, OwnedFd)>>) -> io::Result<()> {
        let (tell, told) = mpsc::channel();
        for (thread, share) in shares.into_iter().enumerate() {
            let (shared, tell) = (Arc::clone(&self.shared), tell.clone());
            let body = move || serve(shared, thread as u32, share, &tell);
            self.threads.push(std::thread::Builder::new().name(format!("serve-{thread}")).spawn(body)?);
        }
        drop(tell);
        told.iter().take(self.threads.len()).collect()
    }

    /// What can be done to it while it runs.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.shared) as Arc<dyn Control>
    }

    /// Asks `others` from now on whether another process may hold copies of the listening sockets. Until then it is taken
    /// for granted: such a socket is never shut down, for that acts on all copies.
    pub fn shares_sockets(&self, others: Box<dyn Fn() -> bool + Send + Sync>) {
        let _ = self.shared.others.set(others);
    }

    /// Its sessions, as another process may give or take them.
    pub fn sessions(&self) -> migrate::Sessions {
        migrate::Sessions(Arc::clone(&self.shared))
    }

    /// Blocks until it has ended: after a soft stop and the last session, or a hard stop.
    pub fn wait(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
        drop((self.resolver, self.peers));
    }
}

/// The body of a serving thread.
fn serve(shared: Arc<Shared>, thread: u32, share: Vec<(u32, OwnedFd)>, tell: &mpsc::Sender<io::Result<()>>) {
    if let Some(processors) = shared.pool.config.global.cpu_map.get(&(thread as u16)) {
        // As haproxy: where none of them is there, the system goes on placing the thread.
        let _ = affinity::bind_thread(processors);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => {
            let shard = Rc::new(Shard::new(shared, thread));
            runtime.block_on(shard.run(share, |started| drop(tell.send(started))));
        }
        Err(why) => drop(tell.send(Err(why))),
    }
}
