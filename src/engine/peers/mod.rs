//! Talks with peers: listens for them, connects to them, tells them which entries of tables changed, and learns from them.
//!
//! One thread for all sections, and none if there is no peer: nothing here runs on a thread that serves. A serving thread
//! that accepts a peer's connection sends it here; one that changes an entry rings a bell once, until somebody has
//! looked. What is told is made from the tables when the socket takes it, so there is no backlog. What a message is stands in
//! [`crate::units::peers`], who is told what in [`crate::pool::peers`]. Source: `peers.txt` of haproxy-doc; times were
//! taken on 2.6.

mod dial;
mod greet;
mod hub;
mod learn;
mod session;
mod tell;

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::LocalOptions;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::hub::Hub;
use super::shared::Shared;

/// How long an old process tries to tell a new one what it knows.
const LEGACY: Duration = Duration::from_secs(10);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// A connection to a section's local peer.
    Came(usize, OwnedFd),
    /// The process is stopping: other peers are left, and a process that listens here now is told everything.
    Leave,
    /// The thread ends.
    Stop,
}

/// The thread that talks with peers; it ends when this is dropped: at once, or after a soft stop when a new process knows
/// what this one does.
pub(super) struct Peers {
    shared: Arc<Shared>,
    door: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Peers {
    fn drop(&mut self) {
        let leaves = self.shared.stopping.load(Ordering::Acquire) && !self.shared.ended.load(Ordering::Acquire);
        if !leaves {
            let _ = self.door.send(Order::Stop);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts the thread; `None`: there are no peers.
///
/// # Errors
/// What the system says when no thread or runtime can be had.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Option<Peers>> {
    if !shared.pool.config.global.peers.iter().any(crate::ir::Peers::is_active) {
        return Ok(None);
    }
    let (door, orders) = mpsc::unbounded_channel();
    let _ = shared.peers.set(door.clone());
    let (shared, kept) = (Arc::clone(shared), Arc::clone(shared));
    let (tell, told) = std::sync::mpsc::channel();
    let body =
        move || match tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                let _ = tell.send(Ok(()));
                runtime.block_on(run(&shared, orders));
            }
            Err(why) => drop(tell.send(Err(why))),
        };
    let thread = std::thread::Builder::new().name("peers".to_owned()).spawn(body)?;
    told.recv().map_err(io::Error::other)??;
    Ok(Some(Peers { shared: kept, door, thread: Some(thread) }))
}

/// Talks until it is to stop.
async fn run(shared: &Arc<Shared>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let sections = 0..shared.pool.config.global.peers.len();
    let hubs: Vec<Option<Rc<Hub>>> = sections.map(|section| Hub::new(shared, section).map(Rc::new)).collect();
    let mut tasks = JoinSet::new();
    for hub in hubs.iter().flatten() {
        for peer in hub.remotes() {
            tasks.spawn_local(dial::run(Rc::clone(hub), peer));
        }
    }
    let stopped = loop {
        match orders.recv().await {
            Some(Order::Came(section, socket)) => {
                if let Some(hub) = hubs.get(section).and_then(Option::as_ref)
                    && let Some(turn) = hub.turn()
                {
                    tasks.spawn_local(greet::run(Rc::clone(hub), socket, turn));
                }
            }
            Some(Order::Leave) => break false,
            Some(Order::Stop) | None => break true,
        }
        // those that are over are forgotten
        while tasks.try_join_next().is_some() {}
    };
    tasks.shutdown().await;
    for hub in hubs.iter().flatten() {
        hub.leave();
    }
    if stopped {
        return;
    }
    let mut tasks = JoinSet::new();
    for hub in hubs.into_iter().flatten() {
        tasks.spawn_local(dial::bequeath(hub));
    }
    let told = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(LEGACY, told) => {}
        () = async { while !matches!(orders.recv().await, Some(Order::Stop) | None) {} } => {}
    }
}
