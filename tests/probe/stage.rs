//! What the braces of a probe stand for: addresses, servers of every temper, log receivers, a folder.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::harness::backends::{Backend, Deaf};
use crate::harness::logs::LogReceiver;
use crate::harness::ports;

/// A server of the test.
#[derive(Debug)]
struct Server {
    backend: Backend,
    got: Arc<Mutex<String>>,
}

/// What one run of a probe has around it. A name stands for the same thing as long as it lives.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    addresses: HashMap<String, SocketAddr>,
    servers: HashMap<String, Server>,
    logs: HashMap<String, (LogReceiver, SocketAddr)>,
    deaf: Vec<Deaf>,
}

/// The kinds of names; a number may follow.
const KINDS: [&str; 13] =
    ["door", "refused", "late", "echo", "peer", "say", "silent", "flood", "web", "hang", "deaf", "log", "any"];

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            addresses: HashMap::new(),
            servers: HashMap::new(),
            logs: HashMap::new(),
            deaf: Vec::new(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The text with its places filled in. What is no place stays as it is.
    pub(crate) fn fill(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let place = rest.find('}').and_then(|end| Some((end, self.place(&rest[1..end])?)));
            match place {
                Some((end, value)) => {
                    out.push_str(&value);
                    rest = &rest[end + 1..];
                }
                None => {
                    out.push('{');
                    rest = &rest[1..];
                }
            }
        }
        out + rest
    }

    fn place(&mut self, place: &str) -> Option<String> {
        match place {
            "dir" => return Some(self.folder().display().to_string()),
            "host" => return Some(ports::address().to_string()),
            _ => {}
        }
        if let Some(count) = place.strip_prefix('x').and_then(|count| count.parse().ok()) {
            return Some("x".repeat(count));
        }
        let (name, port_only) = place.strip_suffix(":port").map_or((place, false), |name| (name, true));
        let kind = KINDS.into_iter().find(|kind| *kind == name.trim_end_matches(|c: char| c.is_ascii_digit()))?;
        let address = self.address(kind, name);
        Some(if port_only { address.port().to_string() } else { address.to_string() })
    }

    fn address(&mut self, kind: &str, name: &str) -> SocketAddr {
        if let Some(address) = self.addresses.get(name) {
            return *address;
        }
        let address = match kind {
            "door" | "refused" | "late" => ports::free(),
            // Free on every address, for what binds them all.
            "any" => ports::free_on(std::net::Ipv4Addr::UNSPECIFIED),
            "deaf" => {
                let deaf = Deaf::new();
                let address = deaf.address;
                self.deaf.push(deaf);
                address
            }
            "log" => {
                let (receiver, address) = LogReceiver::udp();
                self.logs.insert(name.to_owned(), (receiver, address));
                address
            }
            _ => {
                let got = Arc::new(Mutex::new(String::new()));
                let backend = serve(ports::listener(), kind, name, Arc::clone(&got));
                let address = backend.address;
                self.servers.insert(name.to_owned(), Server { backend, got });
                address
            }
        };
        self.addresses.insert(name.to_owned(), address);
        address
    }

    /// A server stops listening.
    pub(crate) fn stop(&self, server: &str) -> Result<(), String> {
        self.servers.get(server).ok_or_else(|| format!("there is no server {server}"))?.backend.stop();
        Ok(())
    }

    /// The server of a `late` place begins to listen: it says its name.
    pub(crate) fn serve(&mut self, late: &str) -> Result<(), String> {
        let address = *self.addresses.get(late).ok_or_else(|| format!("there is no place {late}"))?;
        let got = Arc::new(Mutex::new(String::new()));
        let listener = TcpListener::bind(address).map_err(|why| format!("{address}: {why}"))?;
        let backend = serve(listener, "say", late, Arc::clone(&got));
        self.servers.insert(late.to_owned(), Server { backend, got });
        Ok(())
    }

    /// Connections that a server has accepted.
    pub(crate) fn accepted(&self, server: &str) -> Result<String, String> {
        let server = self.servers.get(server).ok_or_else(|| format!("there is no server {server}"))?;
        Ok(server.backend.accepted().to_string())
    }

    /// What its connections said, with `<fin>` or `<rst>` where one ended.
    pub(crate) fn got(&self, server: &str) -> Result<String, String> {
        let server = self.servers.get(server).ok_or_else(|| format!("there is no server {server}"))?;
        Ok(server.got.lock().expect("no thread panics").clone())
    }

    /// The lines of a log receiver.
    pub(crate) fn log(&self, name: &str) -> Result<Vec<String>, String> {
        let (receiver, _) = self.logs.get(name).ok_or_else(|| format!("there is no receiver {name}"))?;
        Ok(receiver.lines())
    }
}

/// Starts a server of this kind.
fn serve(at: TcpListener, kind: &str, name: &str, got: Arc<Mutex<String>>) -> Backend {
    let name = name.to_owned();
    let status: String = name.chars().filter(char::is_ascii_digit).collect();
    let status = if status.len() == 3 { status } else { "200".to_owned() };
    match kind {
        "echo" => Backend::start_on(at, move |stream| converse(stream, "", true, &got)),
        "say" => Backend::start_on(at, move |stream| converse(stream, &name, false, &got)),
        "peer" => Backend::start_on(at, move |stream| {
            let peer = stream.peer_addr().map_or_else(|why| why.to_string(), |peer| peer.to_string());
            converse(stream, &format!("{peer}\n"), true, &got);
        }),
        "silent" => Backend::start_on(at, move |stream| converse(stream, "", false, &got)),
        "flood" => Backend::start_on(at, |mut stream| while stream.write_all(&[b'.'; 65_536]).is_ok() {}),
        "web" => Backend::start_on(at, move |stream| answer(stream, &status, &got)),
        // Neither reads nor closes; the descriptor ends with the test.
        _ => Backend::start_on(at, std::mem::forget),
    }
}

/// Says something, then reads to the end and notes it.
fn converse(mut stream: TcpStream, greeting: &str, echo: bool, got: &Mutex<String>) {
    let note = |text: &str| got.lock().expect("no thread panics").push_str(text);
    let _ = stream.set_nodelay(true);
    let _ = stream.write_all(greeting.as_bytes());
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return note("<fin>"),
            Err(_) => return note("<rst>"),
            Ok(count) => {
                note(&String::from_utf8_lossy(&buffer[..count]));
                if echo && stream.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        }
    }
}

/// Answers one HTTP request.
fn answer(mut stream: TcpStream, status: &str, got: &Mutex<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    got.lock().expect("no thread panics").push_str(&String::from_utf8_lossy(&request));
    let body = "the body\n";
    let head = format!("HTTP/1.0 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut request);
}
