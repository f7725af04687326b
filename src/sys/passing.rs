//! Descriptors sent over unix sockets.
//!
//! Source: unix(7) "SCM_RIGHTS".

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

/// The most descriptors that one message carries: the kernel's limit is 253, haproxy uses 252.
pub const MAX_DESCRIPTORS: usize = 252;

/// What one receive gave.
#[derive(Debug)]
pub struct Received {
    /// Bytes; 0 is the end of the stream.
    pub bytes: usize,
    /// Descriptors in the order in which they were sent, closed on exec.
    pub descriptors: Vec<OwnedFd>,
    /// Whether the kernel left descriptors out: this process had no room for them.
    pub truncated: bool,
}

/// Sends `bytes` (at least one) with up to [`MAX_DESCRIPTORS`] descriptors; returns how many bytes were taken.
/// Never raises SIGPIPE.
///
/// # Errors
/// `InvalidInput` for too many descriptors or no byte; ETOOMANYREFS when too many are in flight; EPIPE.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    send_with(socket, bytes, descriptors, SendFlags::NOSIGNAL)
}

/// [`send`] that never waits, whether the socket blocks or not.
///
/// # Errors
/// Those of [`send`]; `WouldBlock` when there is no room.
pub fn send_now(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    send_with(socket, bytes, descriptors, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

fn send_with(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>], flags: SendFlags) -> io::Result<usize> {
    if bytes.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(rustix::io::retry_on_intr(|| rustix::net::sendmsg(&socket, &[io::IoSlice::new(bytes)], &mut control, flags))?)
}

/// [`send`] until every byte is taken; the descriptors go with the first one.
///
/// # Errors
/// Those of [`send`]; `WouldBlock` when the socket's send time limit ends.
pub fn send_all(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut sent = send(&socket, bytes, descriptors)?;
    while sent < bytes.len() {
        sent += send(&socket, &bytes[sent..], &[])?;
    }
    Ok(())
}

/// Receives at most `buffer.len()` bytes and up to [`MAX_DESCRIPTORS`] descriptors.
///
/// # Errors
/// `WouldBlock` when the socket's receive time limit ends.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    loop {
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [io::IoSliceMut::new(buffer)];
        match rustix::net::recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(got) => {
                let mut descriptors = Vec::new();
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(sent) = message {
                        descriptors.extend(sent);
                    }
                }
                let truncated = got.flags.contains(ReturnFlags::CTRUNC);
                return Ok(Received { bytes: got.bytes, descriptors, truncated });
            }
            Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn descriptors_arrive_in_order() {
        let (a, b) = UnixStream::pair().unwrap();
        let pairs: Vec<_> = (0..MAX_DESCRIPTORS).map(|_| UnixStream::pair().unwrap()).collect();
        let fds: Vec<_> = pairs.iter().map(|(near, _)| near.as_fd()).collect();
        send_all(&a, b"x", &fds).unwrap();
        let got = receive(&b, &mut [0; 8]).unwrap();
        assert_eq!((got.bytes, got.descriptors.len(), got.truncated), (1, MAX_DESCRIPTORS, false));
        for (ix, fd) in got.descriptors.iter().enumerate() {
            send_all(fd, &[ix as u8], &[]).unwrap();
        }
        for (ix, (_, far)) in pairs.iter().enumerate() {
            let mut byte = [0];
            (&mut &*far).read_exact(&mut byte).unwrap();
            assert_eq!(byte[0], ix as u8);
        }
        let more = vec![a.as_fd(); MAX_DESCRIPTORS + 1];
        assert_eq!(send(&a, b"x", &more).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
