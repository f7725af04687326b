//! The way to one name server: a connected UDP socket, or one TCP connection that is made when it is needed.
//!
//! The system gives us only what comes from the address that was asked. Source: RFC 1035 §4.2, RFC 7766.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::SendFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{sleep, timeout};

use super::task::Heard;
use crate::engine::shared::Shared;
use crate::ir::{Nameserver, ResolversIx};

/// Questions that may wait for a connection.
const WAITING: usize = 256;
/// How long a connection may take to be made or to take a question.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long is waited after an error of a socket: it may be there to stay.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest message.
const LONGEST: usize = 65_535;

/// The way to one name server.
pub(super) enum Link {
    Udp { nth: usize, to: SocketAddr, tell: mpsc::Sender<Heard>, socket: Option<Listening> },
    Tcp(mpsc::Sender<Vec<u8>>),
}

/// A socket, and the task that reads from it.
pub(super) struct Listening {
    socket: Arc<UdpSocket>,
    reader: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Link {
    pub(super) fn new(
        nth: usize,
        server: &Nameserver,
        shared: &Arc<Shared>,
        ix: ResolversIx,
        tell: &mpsc::Sender<Heard>,
    ) -> Self {
        let (to, tell) = (server.address, tell.clone());
        if !server.tcp {
            return Self::Udp { nth, to, tell, socket: None };
        }
        let (ask, asked) = mpsc::channel(WAITING);
        let shared = Arc::clone(shared);
        drop(spawn_local(async move {
            let broken = || {
                if let Some(state) = shared.pool.resolution.nameservers(ix).get(nth) {
                    state.send_errors.add(1);
                }
            };
            converse(nth, to, asked, &tell, broken).await;
        }));
        Self::Tcp(ask)
    }

    /// Sends a question; `false`: it cannot be sent now.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Tcp(ask) => ask.try_send(bytes.to_vec()).is_ok(),
            Self::Udp { nth, to, tell, socket } => {
                if socket.is_none() {
                    *socket = listen(*nth, *to, tell.clone()).ok();
                }
                let send = |socket: &UdpSocket| rustix::net::send(socket, bytes, SendFlags::DONTWAIT);
                // What is told first may be about the question before: nobody listened.
                let sent = socket
                    .as_ref()
                    .is_some_and(|Listening { socket, .. }| send(socket).or_else(|_| send(socket)).is_ok());
                if !sent {
                    *socket = None;
                }
                sent
            }
        }
    }
}

/// A socket to a name server, and a task that passes on what comes.
fn listen(nth: usize, to: SocketAddr, tell: mpsc::Sender<Heard>) -> io::Result<Listening> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(to)?;
    let socket = Arc::new(UdpSocket::from_std(socket)?);
    let reading = Arc::clone(&socket);
    let reader = spawn_local(async move {
        let mut buffer = vec![0; LONGEST];
        loop {
            match reading.recv(&mut buffer).await {
                Ok(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                    if tell.send(Heard { server: nth, bytes }).await.is_err() {
                        return;
                    }
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    });
    Ok(Listening { socket, reader: reader.abort_handle() })
}

/// Asks over TCP as long as anybody does. `broken`: a question did not get through.
async fn converse(
    nth: usize,
    to: SocketAddr,
    mut asked: mpsc::Receiver<Vec<u8>>,
    tell: &mpsc::Sender<Heard>,
    broken: impl Fn(),
) {
    let mut waiting = None;
    loop {
        let question = match waiting.take() {
            Some(question) => question,
            None => match asked.recv().await {
                Some(question) => question,
                None => return,
            },
        };
        let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(to)).await else {
            broken();
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (read, mut write) = stream.into_split();
        let (over, mut ended) = mpsc::channel::<()>(1);
        let tell = tell.clone();
        let reader = spawn_local(async move {
            let _ = listen_to(nth, read, &tell).await;
            drop(over);
        });
        let mut next = Some(question);
        loop {
            let question = match next.take() {
                Some(question) => question,
                None => tokio::select! {
                    _ = ended.recv() => break,
                    question = asked.recv() => match question {
                        Some(question) => question,
                        None => return reader.abort(),
                    },
                },
            };
            let Ok(length) = u16::try_from(question.len()) else { continue };
            let frame = [&length.to_be_bytes()[..], &question].concat();
            if !matches!(timeout(PATIENCE, write.write_all(&frame)).await, Ok(Ok(()))) {
                broken();
                break;
            }
        }
        reader.abort();
    }
}

/// Passes on what comes on a connection until it ends.
async fn listen_to(nth: usize, mut from: OwnedReadHalf, tell: &mpsc::Sender<Heard>) -> io::Result<()> {
    loop {
        let mut bytes = vec![0; usize::from(from.read_u16().await?)];
        from.read_exact(&mut bytes).await?;
        tell.send(Heard { server: nth, bytes }).await.map_err(io::Error::other)?;
    }
}
