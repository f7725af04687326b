//! Moves bytes: listens, accepts, connects, relays, runs checks, serves the statistics page and the commands.
//!
//! Thread per core, each with a current-thread runtime and its own slab of sessions; a session is a struct with
//! a hand-written `poll`. Knows no configuration text and no log format. Entry point: [`Engine::start`].

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::ir::ProxyIx;
use crate::pool::{Commands, Control, Journal, Page, Pool};

/// What a listening socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A `bind` of a proxy: its place in [`crate::ir::Frontend::binds`].
    Frontend(ProxyIx, usize),
    /// A `stats socket`: its place in [`crate::ir::Global::stats_sockets`].
    Commands(usize),
}

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
    control: Arc<dyn Control>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads; returns when all of them accept.
    ///
    /// # Errors
    /// What the system says when a thread, a runtime or a registration cannot be had.
    pub fn start(_input: Input) -> io::Result<Self> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// What can be done to it while it runs.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.control)
    }

    /// Blocks until it has ended: after a soft stop and the last session, or a hard stop.
    pub fn wait(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}
