//! MQTT as bytes: CONNECT packets, and a gate before a real broker that takes PROXY headers of version 2, which Debian's
//! mosquitto does not, and keeps who came. Source: OASIS MQTT 3.1.1 and 5.0 §3.1.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use super::backends::Backend;
use super::services::Service;
use super::{ports, wait};

/// A CONNECT of a clean session.
#[derive(Debug, Clone, Copy)]
pub struct Connect<'a> {
    /// 3, 4 or 5: versions 3.1, 3.1.1, 5.0.
    pub level: u8,
    /// The client's identifier.
    pub client: &'a str,
    /// The user's name.
    pub user: Option<&'a str>,
    /// Its password.
    pub password: Option<&'a str>,
    /// Topic and payload of the last will.
    pub will: Option<(&'a str, &'a [u8])>,
}

impl<'a> Connect<'a> {
    /// One of 3.1.1 that says who comes and nothing else.
    pub fn plain(client: &'a str) -> Self {
        Self { level: 4, client, user: None, password: None, will: None }
    }

    /// Its bytes.
    pub fn packet(self) -> Vec<u8> {
        let mut body = if self.level == 3 { b"\0\x06MQIsdp".to_vec() } else { b"\0\x04MQTT".to_vec() };
        let flag = |set, bit: u8| if set { bit } else { 0 };
        body.extend([
            self.level,
            2 | flag(self.will.is_some(), 4) | flag(self.user.is_some(), 0x80) | flag(self.password.is_some(), 0x40),
            0,
            60,
        ]);
        if self.level == 5 {
            body.extend(b"\x05\x11\0\0\0\x3c"); // the session ends 60 s after the connection
        }
        put(&mut body, self.client.as_bytes());
        if let Some((topic, payload)) = self.will {
            if self.level == 5 {
                body.push(0);
            }
            put(&mut body, topic.as_bytes());
            put(&mut body, payload);
        }
        if let Some(user) = self.user {
            put(&mut body, user.as_bytes());
        }
        if let Some(password) = self.password {
            put(&mut body, password.as_bytes());
        }
        let mut packet = vec![0x10];
        let mut left = body.len();
        while left > 0x7f {
            packet.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        packet.push(left as u8);
        packet.extend(body);
        packet
    }
}

fn put(body: &mut Vec<u8>, part: &[u8]) {
    body.extend((part.len() as u16).to_be_bytes());
    body.extend_from_slice(part);
}

/// Reads a CONNACK; its code, or `None` when the connection ends before.
pub fn connack(stream: &mut TcpStream) -> Option<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    assert_eq!(head[0], 0x20, "a CONNACK: {head:x?}");
    let mut rest = vec![0; usize::from(head[1]) - 2];
    stream.read_exact(&mut rest).ok()?;
    Some(head[3])
}

/// A client that came to a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Who it is, by its PROXY header.
    pub source: SocketAddr,
    /// Its identifier.
    pub client: String,
    /// Its whole CONNECT.
    pub connect: Vec<u8>,
}

/// A real broker behind a door that wants a PROXY header of version 2.
#[derive(Debug)]
pub struct Gate {
    /// The door.
    pub address: SocketAddr,
    /// The broker.
    pub broker: Service,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    door: Backend,
}

impl Gate {
    /// Starts a broker and its door on a free address.
    pub fn start() -> Self {
        Self::start_at(ports::free())
    }

    /// [`Gate::start`] on an address of the caller's.
    pub fn start_at(address: SocketAddr) -> Self {
        let broker = Service::mosquitto();
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let (behind, list) = (broker.address, Arc::clone(&arrivals));
        let door = Backend::start_at(address, move |stream| {
            // a check says that nobody comes, or nothing
            let _ = serve(stream, behind, &list);
        });
        Self { address, broker, arrivals, door }
    }

    /// All that came so far.
    ///
    /// # Panics
    /// When one of its threads died.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().expect("the arrivals").clone()
    }

    /// Closes the door; who is inside stays.
    pub fn close(&self) {
        self.door.stop();
    }

    /// How often that client came.
    pub fn came(&self, client: &str) -> usize {
        self.arrivals().iter().filter(|arrival| arrival.client == client).count()
    }

    /// Waits for a client; its last arrival.
    #[track_caller]
    pub fn wait_for(&self, client: &str) -> Arrival {
        wait::until(&format!("{client} to come"), || {
            self.arrivals().into_iter().rfind(|arrival| arrival.client == client)
        })
    }
}

fn serve(mut stream: TcpStream, broker: SocketAddr, arrivals: &Mutex<Vec<Arrival>>) -> std::io::Result<()> {
    let Some(source) = header(&mut stream)? else { return Ok(()) };
    let connect = packet(&mut stream)?;
    let client = identifier(&connect).expect("a CONNECT that is one");
    arrivals.lock().expect("the arrivals").push(Arrival { source, client, connect: connect.clone() });
    let mut behind = TcpStream::connect(broker)?;
    behind.write_all(&connect)?;
    let (mut from, mut to) = (stream.try_clone()?, behind.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let copied = std::io::copy(&mut behind, &mut stream);
    let _ = stream.shutdown(Shutdown::Both);
    copied.map(drop)
}

/// The source that a PROXY header of version 2 names; `None`: it speaks for nobody.
fn header(stream: &mut TcpStream) -> std::io::Result<Option<SocketAddr>> {
    let mut head = [0; 16];
    stream.read_exact(&mut head)?;
    assert_eq!(&head[..12], b"\r\n\r\n\0\r\nQUIT\n", "a header of version 2");
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[14], head[15]]))];
    stream.read_exact(&mut rest)?;
    match (head[12], head[13], rest.as_slice()) {
        (0x21, 0x11, [a, b, c, d, _, _, _, _, high, low, ..]) => {
            Ok(Some((Ipv4Addr::new(*a, *b, *c, *d), u16::from_be_bytes([*high, *low])).into()))
        }
        (0x20, ..) => Ok(None),
        other => panic!("another header: {other:x?}"),
    }
}

/// The first packet.
fn packet(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet)?;
    let mut length = usize::from(packet[1] & 0x7f);
    for shift in [7, 14, 21] {
        if packet.last().is_some_and(|byte| byte & 0x80 == 0) {
            break;
        }
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        packet.extend(byte);
    }
    let head = packet.len();
    packet.resize(head + length, 0);
    stream.read_exact(&mut packet[head..])?;
    Ok(packet)
}

/// The client identifier of a CONNECT.
fn identifier(packet: &[u8]) -> Option<String> {
    let body = &packet[1 + packet[1..].iter().position(|byte| byte & 0x80 == 0)? + 1..];
    let text = |at: usize| {
        let length = usize::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
        Some((at + 2, at + 2 + length))
    };
    let name = text(0)?;
    // level, flags, keepalive
    let mut at = name.1 + 4;
    if *body.get(name.1)? == 5 {
        at += 1 + usize::from(*body.get(at)?); // properties, which are short here
    }
    let (from, to) = text(at)?;
    Some(String::from_utf8_lossy(body.get(from..to)?).into_owned())
}
