//! Real clients of TLS: what openssl's `s_client` says first, and whom it talks to.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use super::ports;

/// The ClientHello of a client that asks for that name, or for none: one record.
///
/// # Panics
/// When openssl is not installed, or says something else.
pub fn hello(name: Option<&str>) -> Vec<u8> {
    let listener = TcpListener::bind(ports::free()).expect("a free address");
    let mut client = client(listener.local_addr().expect("its address"), name);
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut record = vec![0; 5];
    stream.read_exact(&mut record).expect("the head of a record");
    assert_eq!(record[0], 22, "a handshake: {record:?}");
    record.resize(5 + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
    stream.read_exact(&mut record[5..]).expect("a record");
    drop(stream);
    client.wait().expect("the client ends");
    record
}

/// The name in the certificate of the server that a client reaches there; none if it ends without one.
///
/// # Panics
/// When openssl is not installed.
pub fn reached(address: SocketAddr, name: Option<&str>) -> Option<String> {
    let out = client(address, name).wait_with_output().expect("the client ends");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let subject = said.lines().find_map(|line| line.trim().strip_prefix("subject="))?;
    subject.rsplit_once('=').map(|(_, name)| name.trim().to_owned())
}

/// `openssl s_client`, which has nothing to say inside.
fn client(address: SocketAddr, name: Option<&str>) -> Child {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string()]);
    match name {
        Some(name) => command.args(["-servername", name]),
        None => command.arg("-noservername"),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("openssl is installed")
}
