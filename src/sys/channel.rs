//! `sockpair@N`: connections that come and go as descriptors over an inherited unix socket.
//!
//! Source: unix(7) "SCM_RIGHTS"; manual §4.2 bind and §5.2 server "sockpair@"; the two bytes of a message were seen on
//! 2.6.12.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::{fd, passing, socket};

/// What haproxy sends with a descriptor: a stream needs at least one byte.
const MESSAGE: [u8; 2] = [0; 2];

/// Bytes that are taken at once: what they say does not matter.
const SIP: usize = 64;

/// Copies of the inherited sockets that servers are reached by, open as long as the process lives.
static KEPT: OnceLock<Vec<(RawFd, OwnedFd)>> = OnceLock::new();

/// Keeps the inherited sockets of these numbers for [`connect`]. To be called once, at start.
///
/// # Errors
/// The first number that is no open socket, with EBADF or ENOTSOCK.
pub fn keep(numbers: &[RawFd]) -> Result<(), (RawFd, io::Error)> {
    let mut kept = Vec::new();
    for number in numbers {
        let copy = fd::copy(*number).ok_or_else(|| (*number, Errno::BADF.into()))?;
        if !is_socket(&copy) {
            return Err((*number, Errno::NOTSOCK.into()));
        }
        kept.push((*number, copy));
    }
    let _ = KEPT.set(kept);
    Ok(())
}

/// A new connection to whoever is behind the inherited socket of that number: one end of a pair is sent, the other, which
/// does not block, is ours.
///
/// # Errors
/// EBADF for a number that is not kept; EPIPE, ENOTCONN when nobody is there; EAGAIN when nobody takes what was sent.
pub fn connect(number: RawFd) -> Result<OwnedFd, Errno> {
    let channel = kept(number).ok_or(Errno::BADF)?;
    let flags = SocketFlags::CLOEXEC;
    let (near, far) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    socket::set_nonblocking(&near).map_err(|why| Errno::from_io_error(&why).unwrap_or(Errno::INVAL))?;
    match passing::send_now(channel, &MESSAGE, &[far.as_fd()]) {
        Ok(_) => Ok(near),
        Err(why) => Err(Errno::from_io_error(&why).unwrap_or(Errno::INVAL)),
    }
}

fn kept(number: RawFd) -> Option<BorrowedFd<'static>> {
    KEPT.get()?.iter().find(|(known, _)| *known == number).map(|(_, fd)| fd.as_fd())
}

/// Whether it is a socket at all; haproxy asks no more.
pub fn is_socket(fd: impl AsFd) -> bool {
    sockopt::socket_type(fd).is_ok()
}

/// What one message brought.
#[derive(Debug)]
pub enum Arrival {
    /// A connection, which does not block.
    Connection(OwnedFd),
    /// Bytes without a connection. What came with them is closed.
    Nothing,
    /// No byte: the end, or an empty datagram.
    Empty,
}

/// Takes the next message; of several descriptors the first one counts, and only a connected stream socket is one.
///
/// # Errors
/// EAGAIN when nothing waits; EMFILE when this process had no room for the descriptor, which is lost then.
pub fn receive(channel: impl AsFd) -> Result<Arrival, Errno> {
    let received =
        passing::receive(channel, &mut [0; SIP]).map_err(|why| Errno::from_io_error(&why).unwrap_or(Errno::INVAL))?;
    if received.truncated && received.descriptors.is_empty() {
        return Err(Errno::MFILE);
    }
    let empty = received.bytes == 0 && received.descriptors.is_empty();
    match received.descriptors.into_iter().next() {
        Some(fd) if is_connection(&fd) && socket::set_nonblocking(&fd).is_ok() => Ok(Arrival::Connection(fd)),
        _ if empty => Ok(Arrival::Empty),
        _ => Ok(Arrival::Nothing),
    }
}

fn is_connection(fd: &OwnedFd) -> bool {
    let stream = sockopt::socket_type(fd).is_ok_and(|kind| kind == SocketType::STREAM);
    stream && sockopt::socket_acceptconn(fd).is_ok_and(|listens| !listens)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn what(channel: &UnixStream) -> &'static str {
        match receive(channel) {
            Ok(Arrival::Connection(_)) => "connection",
            Ok(Arrival::Nothing) => "nothing",
            Ok(Arrival::Empty) => "empty",
            Err(Errno::AGAIN) => "again",
            Err(_) => "error",
        }
    }

    #[test]
    fn only_a_connected_stream_socket_is_a_connection() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (end, _kept) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (datagram, _other) = UnixDatagram::pair().unwrap();
        for (sent, want) in [
            (vec![end.as_fd()], "connection"),
            (vec![end.as_fd(), file.as_fd()], "connection"),
            (vec![file.as_fd(), end.as_fd()], "nothing"),
            (vec![listener.as_fd()], "nothing"),
            (vec![udp.as_fd()], "nothing"),
            (vec![datagram.as_fd()], "nothing"),
            (vec![], "nothing"),
        ] {
            passing::send_all(&theirs, b"x", &sent).unwrap();
            assert_eq!(what(&ours), want, "{sent:?}");
        }
        assert_eq!(what(&ours), "again");
        drop(theirs);
        assert_eq!(what(&ours), "empty");
    }

    #[test]
    fn messages_of_any_shape_are_taken_and_nothing_stays_open() {
        let (end, mut far) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        bolero::check!().with_type::<Vec<(u8, u8)>>().for_each(|messages| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let mut connections = 0;
            for (length, kinds) in messages.iter().take(8) {
                let sent: Vec<_> =
                    (0..kinds % 5).map(|bit| if kinds >> bit & 1 == 0 { end.as_fd() } else { file.as_fd() }).collect();
                connections += usize::from(!sent.is_empty() && kinds & 1 == 0);
                passing::send_all(&theirs, &vec![0; usize::from(*length) + 1], &sent).unwrap();
            }
            let mut found = 0;
            loop {
                match receive(&ours) {
                    Ok(Arrival::Connection(_)) => found += 1,
                    Ok(Arrival::Nothing) => {}
                    Ok(Arrival::Empty) => panic!("the other side is open"),
                    Err(errno) => break assert_eq!(errno, Errno::AGAIN),
                }
            }
            assert_eq!(found, connections, "{messages:?}");
        });
        // every copy that was received is closed: with ours gone the other side sees its end
        drop(end);
        assert_eq!(std::io::Read::read(&mut far, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn who_is_reached_gets_the_other_end() {
        assert_eq!(connect(1 << 20).unwrap_err(), Errno::BADF);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&ours);
        let (lost, why) = keep(&[number, 1 << 20]).unwrap_err();
        assert_eq!((lost, why.raw_os_error()), (1 << 20, Some(libc::EBADF)));
        keep(&[number]).unwrap();
        let near = connect(number).unwrap();
        let Arrival::Connection(far) = receive(&theirs).unwrap() else { panic!("no connection") };
        passing::send_all(&near, b"a", &[]).unwrap();
        assert_eq!(passing::receive(&far, &mut [0; 4]).unwrap().bytes, 1);
        drop(theirs);
        assert_eq!(connect(number).unwrap_err(), Errno::PIPE);
    }
}
