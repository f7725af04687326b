//! Tiny TCP clients: what a peer can do to a proxy, one call each.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long one read waits before the test fails.
const READ_LIMIT: Duration = Duration::from_secs(15);

/// Connects; reads and writes fail after 15 s instead of hanging.
///
/// # Panics
/// When the connection is refused or takes 15 s.
#[track_caller]
pub fn connect(address: SocketAddr) -> TcpStream {
    try_connect(address).unwrap_or_else(|why| panic!("a connection to {address}: {why}"))
}

/// [`connect`] for a test that expects a refusal.
///
/// # Errors
/// The system's.
pub fn try_connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, READ_LIMIT)?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    stream.set_write_timeout(Some(READ_LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends `bytes` and reads as many back.
///
/// # Panics
/// When they do not come back as they were.
#[track_caller]
pub fn echo(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("bytes are sent");
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).expect("bytes come back");
    assert!(back == bytes, "other bytes came back");
}

/// Sends FIN and leaves the other direction open.
///
/// # Panics
/// When the socket is gone.
#[track_caller]
pub fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect("a half-close");
}

/// Closes by RST instead of FIN.
///
/// # Panics
/// When the option is refused.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER 0");
}

/// Reads to the end of the stream.
///
/// # Errors
/// The system's: `ConnectionReset` after a RST, `WouldBlock` after 15 s.
pub fn read_all(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).map(|_| all)
}

/// One HTTP/1.0-style request on a connection of its own; head and body of the answer.
///
/// # Panics
/// When no whole answer comes.
#[track_caller]
pub fn http(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("the request is sent");
    let answer = read_all(&mut stream).expect("an answer");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    (head.to_owned(), if chunked { unchunk(body) } else { body.to_owned() })
}

/// An HTTP answer with its chunks joined; what is none stays as it is.
pub fn unchunked(answer: &str) -> String {
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.to_lowercase().contains("transfer-encoding: chunked") => {
            format!("{head}\r\n\r\n{}", unchunk(body))
        }
        _ => answer.to_owned(),
    }
}

/// Joins the chunks of a chunked body; haproxy 2.6's pages come so, to HTTP/1.0 clients too.
fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// `GET path` with optional extra header lines (each ended by CRLF).
///
/// # Panics
/// When no whole answer comes.
#[track_caller]
pub fn get(address: SocketAddr, path: &str, headers: &str) -> (String, String) {
    http(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"))
}

/// How many of the connections have bytes that the proxy has not read yet, by the kernel's table.
///
/// # Panics
/// When the kernel shows no table.
pub fn unread(clients: &[TcpStream]) -> usize {
    let ours: HashSet<u16> = clients.iter().filter_map(|stream| Some(stream.local_addr().ok()?.port())).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let own = format!("{:08X}", u32::from_ne_bytes(super::ports::address().octets()));
    let mut read = 0;
    for line in table.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(local), Some(remote), Some(queues)) = (fields.get(1), fields.get(2), fields.get(4)) else { continue };
        let port = remote.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        let of_ours = local.starts_with(&own) && port.is_some_and(|port| ours.contains(&port));
        read += usize::from(of_ours && queues.ends_with(":00000000"));
    }
    clients.len() - read.min(clients.len())
}
