//! The other two ends: a server and clients on one current-thread runtime, so that they take one core and no more.
//!
//! The server's first byte decides: `e` echoes messages of the size that was asked for, `c` echoes 64 bytes and closes
//! (the server first, so that no client port is left in TIME-WAIT), `b` sends one GiB, that of a CONNECT is a broker's: CONNACK and end.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a `connect` exchange.
pub(crate) const SMALL: usize = 64;
/// Bytes of a message.
pub(crate) const MESSAGE: usize = 128;
/// A client is welcome.
const CONNACK: &[u8] = b"\x20\x02\0\0";
/// Bytes of a bulk transfer.
pub(crate) const GIB: usize = 1 << 30;

/// Runs `work` with a server on the same thread; `work` gets the server's address.
///
/// # Panics
/// When the machine gives no runtime or port.
pub(crate) fn with_server<T>(work: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        tokio::task::spawn_local(serve(listener));
        work(address).await
    })
}

async fn serve(listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let _ = answer(stream).await;
            });
        }
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; MESSAGE];
    let count = stream.read(&mut buffer).await?;
    match buffer.first() {
        _ if count == 0 => Ok(()),
        Some(0x10) => stream.write_all(CONNACK).await,
        Some(b'c') => stream.write_all(&buffer[..SMALL]).await,
        Some(b'b') => {
            let block = vec![b'x'; 256 * 1024];
            for _ in 0..GIB / block.len() {
                stream.write_all(&block).await?;
            }
            Ok(())
        }
        _ => {
            stream.write_all(&buffer[..count]).await?;
            loop {
                let count = stream.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(());
                }
                stream.write_all(&buffer[..count]).await?;
            }
        }
    }
}

/// A client connection.
///
/// # Panics
/// When it is refused: a figure with failures in it is none.
pub(crate) async fn connect(door: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(door).await.unwrap_or_else(|why| panic!("a connection to {door}: {why}"));
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream
}

/// Sends `size` bytes that start with `kind` and reads as many back.
///
/// # Panics
/// When they do not come back.
pub(crate) async fn exchange(stream: &mut TcpStream, kind: u8, size: usize) {
    let mut bytes = [0; MESSAGE];
    bytes[0] = kind;
    stream.write_all(&bytes[..size]).await.expect("bytes are sent");
    stream.read_exact(&mut bytes[..size]).await.expect("bytes come back");
    assert_eq!(bytes[0], kind, "the same bytes come back");
}

/// An MQTT client: CONNECT, CONNACK, then the server closes, then this side.
///
/// # Panics
/// When it is not welcome.
pub(crate) async fn client(door: SocketAddr, packet: &[u8]) {
    let mut stream = connect(door).await;
    stream.write_all(packet).await.expect("bytes are sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an end");
    assert_eq!(answer, CONNACK, "a welcome");
}

/// `connect` and one exchange of [`SMALL`] bytes, then the server closes, then this side.
pub(crate) async fn visit(door: SocketAddr) {
    let mut stream = connect(door).await;
    exchange(&mut stream, b'c', SMALL).await;
    let rest = stream.read(&mut [0]).await.expect("an end");
    assert_eq!(rest, 0, "the server closes");
}
