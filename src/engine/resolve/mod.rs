//! Asks name servers: sockets, messages and times for what [`crate::pool::resolution`] decides.
//!
//! One thread for all sections, and none if neither servers nor sessions have names looked up at run time: nothing here runs on a thread that serves.
//! One task per section; one per name server that only reads. Source: manual §5.3.

mod link;
mod message;
mod task;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::clock;
use super::shared::Shared;
use crate::ir::ResolversIx;
use crate::pool::resolution::{Section, Wanted};

/// The thread that resolves names; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Resolver {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Resolver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts the thread; `None`: there is nothing to resolve.
///
/// # Errors
/// What the system says when no thread or runtime can be had.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Option<Resolver>> {
    let now = clock::now();
    let count = u32::try_from(shared.pool.config.global.resolvers.len()).unwrap_or(u32::MAX);
    let sections: Vec<_> = (0..count).map(|ix| Section::new(&shared.pool, ResolversIx(ix), now)).collect();
    let asked = shared.pool.config.proxies.iter().any(|proxy| proxy.rules.resolve());
    if !asked && sections.iter().all(Section::is_idle) {
        return Ok(None);
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let (order, orders) = mpsc::unbounded_channel();
    shared.pool.resolution.listen(Box::new(move |new| drop(order.send(new))));
    let shared = Arc::clone(shared);
    let (tell, told) = std::sync::mpsc::channel();
    let body =
        move || match tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                let _ = tell.send(Ok(()));
                runtime.block_on(async move {
                    tokio::select! {
                        _ = stopped => {}
                        () = run(&shared, sections, orders) => {}
                    }
                });
            }
            Err(why) => drop(tell.send(Err(why))),
        };
    let thread = std::thread::Builder::new().name("resolve".to_owned()).spawn(body)?;
    told.recv().map_err(io::Error::other)??;
    Ok(Some(Resolver { stop: Some(stop), thread: Some(thread) }))
}

/// Runs all sections, and hands orders to those that they are for.
async fn run(shared: &Arc<Shared>, sections: Vec<Section>, mut orders: mpsc::UnboundedReceiver<Wanted>) {
    let mut tasks = JoinSet::new();
    let mut senders = Vec::new();
    for (ix, section) in (0..).map(ResolversIx).zip(sections) {
        let (sender, own) = mpsc::unbounded_channel();
        senders.push((ix, sender));
        tasks.spawn_local(task::run(Arc::clone(shared), ix, section, own));
    }
    while let Some(order) = orders.recv().await {
        let section = order.section(&shared.pool);
        if let Some((_, sender)) = senders.iter().find(|(ix, _)| Some(*ix) == section) {
            let _ = sender.send(order);
        }
    }
}
