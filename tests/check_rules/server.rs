//! A server that plays the acts of a scenario and notes what it heard.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::backends::Backend;
use crate::harness::wait;
use crate::scenario::{Act, shown};

/// A server under way.
#[derive(Debug)]
pub(crate) struct Scripted {
    backend: Backend,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Plays `acts` with every connection.
    pub(crate) fn start(acts: &[Act]) -> Self {
        let acts = acts.to_vec();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        let backend = Backend::start(move |stream| {
            let at = {
                let mut notes = notes.lock().expect("no panic");
                notes.push(String::new());
                notes.len() - 1
            };
            let note = play(stream, &acts);
            notes.lock().expect("no panic")[at] = note;
        });
        Self { backend, heard }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.backend.address
    }

    /// What each connection said, and how it ended, when all have ended: `count` of them, or as many as come.
    pub(crate) fn heard(&self, count: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let notes = self.heard.lock().expect("no panic").clone();
            let ended = notes.len() >= count && notes.iter().all(|note| !note.is_empty());
            if ended || started.elapsed() > Duration::from_secs(12) {
                return notes;
            }
            wait::moment(Duration::from_millis(4));
        }
    }
}

fn play(mut stream: TcpStream, acts: &[Act]) -> String {
    let mut heard = Vec::new();
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut chunk = [0; 4096];
    for act in acts {
        match act {
            Act::Send(bytes) => drop(stream.write_all(bytes)),
            Act::Until(text) => {
                while !heard.windows(text.len()).any(|window| window == text) {
                    match stream.read(&mut chunk) {
                        Ok(count @ 1..) => heard.extend_from_slice(&chunk[..count]),
                        _ => break,
                    }
                }
            }
            Act::Pause => wait::moment(Duration::from_millis(60)),
            Act::Half => drop(stream.shutdown(Shutdown::Write)),
            Act::Close => return format!("{} (closed here)", shown(&heard)),
            Act::Reset => {
                let socket = socket2::SockRef::from(&stream);
                let _ = socket.set_linger(Some(Duration::ZERO));
                return format!("{} (reset here)", shown(&heard));
            }
        }
    }
    let end = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break "closed",
            Ok(count) => heard.extend_from_slice(&chunk[..count]),
            Err(why) if why.kind() == ErrorKind::ConnectionReset => break "reset",
            Err(_) => break "open",
        }
    };
    format!("{} ({end})", shown(&heard))
}
