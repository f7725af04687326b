//! Who connects says who it is, and is answered.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use super::hub::{Hub, Turn};
use super::session::{self, Line, Session};
use crate::engine::clock;
use crate::pool::peers::Met;
use crate::units::peers::{Hello, Status};

/// How long a hello or a status is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Greets a connection, and has a session over it if it is a peer's.
pub(super) async fn run(hub: Rc<Hub>, socket: OwnedFd, turn: Turn) {
    let Ok(mut line) = Line::new(socket) else { return };
    let heard = tokio::time::timeout(PATIENCE, hello(&hub, &mut line)).await;
    let Ok(Ok(heard)) = heard else { return };
    let peer = heard.and_then(|hello| who(&hub, &hello).map(|peer| (peer, hello.minor)));
    let status = peer.map_or_else(|status| status, |_| Status::Succeeded);
    if tokio::time::timeout(PATIENCE, line.send(status.line().as_bytes())).await.is_err() {
        return;
    }
    drop(turn);
    let Ok((peer, minor)) = peer else { return };
    let number = hub.begin(peer);
    met(&hub, peer, Met::Answered(Status::Succeeded));
    tracing::debug!(peer, "a peer has connected");
    session::run(Session::new(&hub, peer, number, minor), line).await;
}

/// Reads a hello; the status that refuses it if it is none.
async fn hello(hub: &Hub, line: &mut Line) -> std::io::Result<Result<Hello, Status>> {
    loop {
        match Hello::read(&line.input) {
            Ok(Some((hello, length))) => {
                line.input.drain(..length);
                return Ok(Ok(hello));
            }
            Ok(None) => line.receive(&hub.scratch).await?,
            Err(status) => return Ok(Err(status)),
        }
    }
}

/// The peer that a hello is from.
fn who(hub: &Hub, hello: &Hello) -> Result<usize, Status> {
    if hello.to != hub.name().as_bytes() {
        return Err(Status::LocalName);
    }
    let from = |peer: &crate::ir::Peer| peer.name.as_bytes() == hello.from;
    hub.ir().peers.iter().position(from).ok_or(Status::RemoteName)
}

/// Notes how an attempt to talk to a peer went.
pub(super) fn met(hub: &Hub, peer: usize, how: Met) {
    if let Some(peer) = hub.lock().peers.get_mut(peer) {
        (peer.met, peer.met_at) = (how, Some(clock::now()));
    }
}
