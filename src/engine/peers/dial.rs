//! Connects to a peer while there is no session with it.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;

use super::greet::{PATIENCE, met};
use super::hub::Hub;
use super::session::{self, Line, Session};
use crate::engine::clock;
use crate::engine::connect::{self, Way};
use crate::engine::relay::register;
use crate::ir::{KeepAlive, ServerAddress, SocketBuffers, StreamAddress};
use crate::pool::Peer;
use crate::pool::peers::Met;
use crate::units::Millis;
use crate::units::peers::{Hello, Status};

/// From one attempt to the next.
const AGAIN: Millis = Millis::seconds(5);
/// Attempts of an old process to reach a new one, and the time between them.
const ATTEMPTS: (u32, Duration) = (4, Duration::from_millis(200));

/// Keeps a session with a peer.
pub(super) async fn run(hub: Rc<Hub>, peer: usize) {
    let mut bell = hub.subscribe();
    let mut minor = 1;
    loop {
        if !due(&hub, peer, &mut bell).await {
            return;
        }
        let number = begin(&hub, peer);
        let met_now = tokio::select! {
            met = attempt(&hub, peer, minor) => met,
            () = replaced(&hub, peer, number, &mut bell) => continue,
        };
        match met_now {
            Ok(line) => {
                met(&hub, peer, Met::Answered(Status::Succeeded));
                let number = hub.begin(peer);
                tracing::debug!(peer, "connected to a peer");
                session::run(Session::new(&hub, peer, number, minor), line).await;
            }
            Err(how) => {
                // who speaks no 2.1 speaks 2.0
                minor = u8::from(how != Met::Answered(Status::Version) || minor == 0);
                met(&hub, peer, how);
                if let Some(state) = hub.lock().peers.get_mut(peer).filter(|state| state.sessions == number) {
                    state.active = false;
                }
            }
        }
    }
}

/// Waits until the peer is to be connected to; `false`: never again.
async fn due(hub: &Hub, peer: usize, bell: &mut watch::Receiver<()>) -> bool {
    loop {
        bell.mark_unchanged();
        let now = clock::now();
        let left = match hub.lock().peers.get(peer) {
            None => return false,
            Some(state) if state.talks => None,
            Some(state) => Some(state.reconnect.map_or(0, |at| at.since(now))),
        };
        match left {
            Some(0) => return true,
            Some(left) => tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                changed = bell.changed() => if changed.is_err() { return false },
            },
            None => {
                if bell.changed().await.is_err() {
                    return false;
                }
            }
        }
    }
}

/// An attempt begins; the number of sessions so far.
fn begin(hub: &Hub, peer: usize) -> u64 {
    let now = clock::now();
    let mut section = hub.lock();
    let Some(state) = section.peers.get_mut(peer) else { return 0 };
    state.connections += 1;
    (state.active, state.reconnect) = (true, Some(now.after(AGAIN)));
    state.sessions
}

/// Waits until the peer has connected to us.
async fn replaced(hub: &Hub, peer: usize, number: u64, bell: &mut watch::Receiver<()>) {
    while hub.is_last(peer, number) {
        if bell.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Connects and says hello.
async fn attempt(hub: &Hub, peer: usize, minor: u8) -> Result<Line, Met> {
    met(hub, peer, Met::Connecting);
    let mut line = match tokio::time::timeout(PATIENCE, open(hub, peer)).await {
        Ok(Ok(line)) => line,
        Ok(Err(_)) | Err(_) => return Err(Met::Connecting),
    };
    match tokio::time::timeout(PATIENCE, hello(hub, peer, minor, &mut line)).await {
        Ok(Ok(Status::Succeeded)) => Ok(line),
        Ok(Ok(status)) => Err(Met::Answered(status)),
        Ok(Err(_)) | Err(_) => Err(Met::Handshake),
    }
}

/// Opens a connection to a peer.
async fn open(hub: &Hub, peer: usize) -> io::Result<Line> {
    let peer = hub.ir().peers.get(peer).ok_or(io::ErrorKind::NotFound)?;
    let address = match peer.address.clone().ok_or(io::ErrorKind::AddrNotAvailable)? {
        StreamAddress::Inet(address) => ServerAddress::Inet(address),
        StreamAddress::Unix(path) => ServerAddress::Unix(path),
        StreamAddress::Abstract(name) => ServerAddress::Abstract(name),
    };
    let way = Way {
        address: &address,
        port_offset: None,
        source: peer.source.as_ref(),
        ports: None,
        keep_alive: KeepAlive::default(),
        user_timeout: peer.user_timeout,
        eager: false,
        packets: connect::Packets::default(),
    };
    let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
    let socket = connect::open(&way, SocketBuffers::default(), || None, Peer::Unix(0)).map_err(refused)?;
    let socket = register(socket)?;
    drop(socket.writable().await?);
    rustix::net::sockopt::socket_error(socket.get_ref())??;
    Ok(Line::of(socket))
}

/// Says hello and reads the status.
async fn hello(hub: &Hub, peer: usize, minor: u8, line: &mut Line) -> io::Result<Status> {
    let to = hub.ir().peers.get(peer).map(|peer| peer.name.clone().into_bytes()).unwrap_or_default();
    let hello = Hello { minor, to, from: hub.name().as_bytes().to_vec() };
    line.send(&hello.lines(std::process::id())).await?;
    loop {
        match Status::read(&line.input) {
            Ok(Some((status, length))) => {
                line.input.drain(..length);
                return Ok(status);
            }
            Ok(None) => line.receive(&hub.scratch).await?,
            Err(()) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Tells the process that listens in our place now all that this one knows.
pub(super) async fn bequeath(hub: Rc<Hub>) {
    let Some(local) = hub.local().filter(|_| !hub.state().tables.is_empty()) else { return };
    for attempt_number in 0..ATTEMPTS.0 {
        if attempt_number > 0 {
            tokio::time::sleep(ATTEMPTS.1).await;
        }
        if let Ok(line) = attempt(&hub, local, 1).await {
            let number = hub.begin(local);
            session::run(Session::new(&hub, local, number, 1).last_lesson(), line).await;
            return;
        }
    }
}
