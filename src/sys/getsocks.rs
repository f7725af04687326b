//! The wire format of haproxy's `_getsocks`: listening sockets over a stats socket.
//!
//! One native-endian count, then messages of up to 252 descriptors whose bytes name, for each one, a network name
//! space and a network device; the client answers each message with four bytes. 2.6 may close before it has read
//! the last answer. Source: observed on 2.6.12 and 3.4.0.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::SocketAddrUnix;
use socket2::{Domain, Socket, Type};

use super::passing::{self, MAX_DESCRIPTORS};
use super::socket;

/// Neither side waits longer for the other.
const LIMIT: Duration = Duration::from_secs(1);
/// More sockets than any process can hold: a count above it is no count.
const MOST: usize = 1 << 20;
/// Longest description of a descriptor: two names of at most 255 bytes with their lengths, and four zero bytes.
const LONGEST: usize = 2 * 256 + 4;

/// Asks the process behind a stats socket for its listening sockets; none when it does not expose them.
///
/// # Errors
/// ENOENT, ECONNREFUSED, EACCES of the path; `WouldBlock` when it does not answer; `InvalidData` when it answers
/// something else, or this process had no room for all descriptors.
pub fn fetch(path: &Path) -> io::Result<Vec<OwnedFd>> {
    let socket: OwnedFd = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?.into();
    socket::set_time_limits(&socket, LIMIT)?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &SocketAddrUnix::new(path)?))?;
    passing::send_all(&socket, b"_getsocks\n", &[])?;
    receive(&socket)
}

/// The client's part after the command was sent.
///
/// # Errors
/// As [`fetch`].
pub fn receive(socket: impl AsFd) -> io::Result<Vec<OwnedFd>> {
    let mut count = [0; 4];
    if !read_exact(&socket, &mut count)? {
        return Ok(Vec::new());
    }
    let count = usize::try_from(i32::from_ne_bytes(count)).map_err(|_| io::ErrorKind::InvalidData)?;
    if count > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut found: Vec<OwnedFd> = Vec::new();
    let mut buffer = vec![0; MAX_DESCRIPTORS * LONGEST];
    while found.len() < count {
        let got = passing::receive(&socket, &mut buffer)?;
        if got.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if got.truncated || got.descriptors.len() > count - found.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let news = !got.descriptors.is_empty();
        found.extend(got.descriptors);
        // A peer that is done may have closed already.
        if news && passing::send_all(&socket, &[0; 4], &[]).is_err() && found.len() < count {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
    Ok(found)
}

/// Answers `_getsocks` on a connection: the server's part, blocking, at most a second per message.
///
/// # Errors
/// `WouldBlock` when the client does not answer, EPIPE when it is gone, ETOOMANYREFS.
pub fn answer(connection: impl AsFd, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    if sockets.is_empty() {
        return Ok(());
    }
    socket::set_time_limits(&connection, LIMIT)?;
    let count = i32::try_from(sockets.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    passing::send_all(&connection, &count.to_ne_bytes(), &[])?;
    for batch in sockets.chunks(MAX_DESCRIPTORS) {
        let mut names = Vec::with_capacity(batch.len() * 6);
        for fd in batch {
            let device = socket::listener(fd).and_then(|seen| seen.device).unwrap_or_default();
            names.push(0); // no network name space of its own
            names.push(u8::try_from(device.len()).unwrap_or(0));
            names.extend_from_slice(device.as_bytes());
            names.extend_from_slice(&[0; 4]);
        }
        passing::send_all(&connection, &names, batch)?;
        if !read_exact(&connection, &mut [0; 4])? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Fills `buffer`; `false` when the stream ends before its first byte.
fn read_exact(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match passing::receive(&socket, &mut buffer[filled..])?.bytes {
            0 if filled == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn sockets_pass_in_batches() {
        for count in [1, 252, 253, 505] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let (client, server) = UnixStream::pair().unwrap();
            let sender = std::thread::spawn(move || answer(&server, &vec![listener.as_fd(); count]));
            let got = receive(&client).unwrap();
            assert_eq!(got.len(), count);
            assert!(got.iter().all(|fd| socket::listener(fd).is_some()));
            sender.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_server_that_exposes_nothing_closes() {
        let (client, server) = UnixStream::pair().unwrap();
        answer(&server, &[]).unwrap();
        drop(server);
        assert!(receive(&client).unwrap().is_empty());
    }

    #[test]
    fn no_bytes_make_the_client_panic() {
        bolero::check!().with_iterations(2_000).for_each(|bytes: &[u8]| {
            let (client, server) = UnixStream::pair().unwrap();
            if !bytes.is_empty() {
                passing::send_all(&server, bytes, &[]).unwrap();
            }
            drop(server);
            if let Ok(found) = receive(&client) {
                assert!(found.is_empty(), "no descriptor was sent");
            }
        });
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [&[0xff; 4][..], &[1, 0][..], &[3, 0, 0, 0, 9, 9][..], &[0, 0, 0, 0x7f][..]] {
            let (client, server) = UnixStream::pair().unwrap();
            passing::send_all(&server, bytes, &[]).unwrap();
            drop(server);
            assert!(receive(&client).is_err(), "{bytes:?}");
        }
    }
}
