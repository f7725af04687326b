//! Both sides against each other, in one process and over a socket pair.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::io::dup;

use super::client::{Answer, AskError, Conversation, talk};
use super::server::{Desk, converse};
use super::wire::{Count, ReceiveError};
use crate::sys::pidfd::PidFd;
use crate::sys::{passing, socket};

fn me() -> PidFd {
    PidFd::open(i32::try_from(std::process::id()).unwrap()).unwrap().unwrap()
}

fn desk(copies: usize) -> (Arc<Desk>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.try_clone().unwrap();
    let give = move || (0..copies).map(|_| own.try_clone().map(OwnedFd::from)).collect();
    (Desk::new(Box::new(give), Box::new(|_| {}), Box::new(Count::default), None), listener)
}

type Server = JoinHandle<Result<(), ReceiveError>>;

/// Starts a conversation: the client's end, and the server's thread.
fn visit(desk: &Arc<Desk>) -> (OwnedFd, Server) {
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    let desk = Arc::clone(desk);
    (client.into(), std::thread::spawn(move || converse(&server.into(), &desk)))
}

fn sockets(desk: &Arc<Desk>) -> (Conversation, Vec<OwnedFd>, Server) {
    let (client, server) = visit(desk);
    match talk(me(), client) {
        Ok(Answer::Sockets(conversation, sockets)) => (conversation, sockets, server),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sockets_pass_and_the_next_one_is_sent_on() {
    for copies in [0, 1, 252, 253, 600] {
        let (desk, listener) = desk(copies);
        let address = listener.local_addr().unwrap();
        let waiting = TcpStream::connect(address).unwrap(); // in the accept queue
        assert!(!desk.shared());
        let (conversation, taken, server) = sockets(&desk);
        assert_eq!(taken.len(), copies);
        assert!(desk.shared() && desk.successor().is_none());
        conversation.ready(1, false).unwrap();
        server.join().unwrap().unwrap();
        assert_eq!(desk.successor(), Some(1));
        drop((desk, listener));
        if let Some(first) = taken.first() {
            assert!(socket::listener(first).is_some());
            socket::accept(first).unwrap(); // what waited was not lost
        }
        drop(waiting);
    }
    let (desk, _listener) = desk(1);
    let (conversation, _, server) = sockets(&desk);
    conversation.ready(1, false).unwrap();
    server.join().unwrap().unwrap();
    let (client, server) = visit(&desk);
    assert!(matches!(talk(me(), client), Ok(Answer::GoTo(1))));
    server.join().unwrap().unwrap();
}

#[test]
fn a_newcomer_that_dies_changes_nothing() {
    let (desk, _listener) = desk(300);
    // At each step: after connecting, after hello, after the sockets.
    let (client, server) = visit(&desk);
    drop(client);
    assert!(server.join().unwrap().is_err());
    let (client, server) = visit(&desk);
    super::wire::send(&client, &super::wire::Message::Hello, &[]).unwrap();
    drop(client);
    assert!(server.join().unwrap().is_err());
    let (conversation, taken, server) = sockets(&desk);
    drop((conversation, taken));
    assert!(matches!(server.join().unwrap(), Err(ReceiveError::Closed)));
    assert_eq!(desk.successor(), None);
    let (conversation, _, server) = sockets(&desk);
    conversation.ready(5, false).unwrap();
    server.join().unwrap().unwrap();
    assert_eq!(desk.successor(), Some(5));
}

#[test]
fn ten_at_once_are_served_in_turn() {
    let (desk, _listener) = desk(2);
    let (first, _, server) = sockets(&desk);
    let later: Vec<_> = (0..9)
        .map(|_| {
            let (client, server) = visit(&desk);
            (std::thread::spawn(move || talk(me(), client)), server)
        })
        .collect();
    first.ready(1, false).unwrap();
    server.join().unwrap().unwrap();
    for (client, server) in later {
        assert!(matches!(client.join().unwrap(), Ok(Answer::GoTo(1))));
        server.join().unwrap().unwrap();
    }
}

#[test]
fn strangers_get_nothing() {
    let (desk, _listener) = desk(1);
    let (client, server) = visit(&desk);
    passing::send_all(&client, b"GET / HTTP/1.0\r\n\r\n", &[]).unwrap();
    assert!(matches!(server.join().unwrap(), Err(ReceiveError::Wire(_))));
    assert!(!desk.shared());
    // A server that talks nonsense, or gives other descriptors than it says.
    for bytes in [&b"HTTP/1.0 400 Bad"[..], &super::wire::Message::Noted.encode(0)] {
        let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
        passing::send_all(&server, bytes, &[]).unwrap();
        assert!(matches!(talk(me(), client.into()), Err(AskError::Talk(ReceiveError::Wire(_)))));
    }
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    super::wire::send(&server, &super::wire::Message::Welcome { pid: 1, sockets: 2 }, &[]).unwrap();
    let extra = [dup(&server).unwrap(), dup(&server).unwrap(), dup(&server).unwrap()];
    let borrowed: Vec<_> = extra.iter().map(std::os::fd::AsFd::as_fd).collect();
    super::wire::send(&server, &super::wire::Message::Sockets { count: 3 }, &borrowed).unwrap();
    assert!(talk(me(), client.into()).is_err());
}
