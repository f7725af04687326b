//! One connection to the master's socket: lines in, replies out, commands of workers passed on.
//!
//! Never waits: the master's single thread asks what it [`Terminal::wants`] and gives it what came. A worker's command goes
//! over a connection of its own, whose reply ends with it. Source: management guide §9.4; framing as observed on 2.6.12.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::commands::{Answer, House, Target};
use crate::ir::AdminLevel;

/// Longest line; a longer one ends the connection.
const LONGEST: usize = 16 * 1024;
/// Longest payload of a command, with its line.
const LONGEST_PAYLOAD: usize = 4 * 1024 * 1024;
/// A client that does not read its replies gets no more of them.
const UNREAD: usize = 256 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Terminal {
    socket: OwnedFd,
    level: AdminLevel,
    interactive: bool,
    /// Where commands without a prefix go.
    target: Target,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Commands of the line that is being answered.
    queue: VecDeque<Vec<u8>>,
    link: Option<Link>,
    /// Whether the client sends no more.
    ended: bool,
    /// Whether it is closed when everything is sent.
    closing: bool,
}

/// A connection to a worker.
#[derive(Debug)]
struct Link {
    socket: OwnedFd,
    sending: Vec<u8>,
    /// Whether all that the client sends is for the worker (`@@`).
    whole: bool,
    /// Whether it was told that nothing more comes.
    shut: bool,
}

/// What a terminal waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wants {
    pub(super) client: PollFlags,
    pub(super) worker: PollFlags,
}

/// What a client asks that only the master's loop can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A reload: the connection waits for its end. `hard`: old workers end at once.
    Reload { hard: bool },
}

impl Terminal {
    /// A terminal on a connection that does not block.
    pub(super) fn new(socket: OwnedFd, level: AdminLevel) -> Self {
        Self {
            socket,
            level,
            interactive: false,
            target: Target::Master,
            input: Vec::new(),
            output: Vec::new(),
            queue: VecDeque::new(),
            link: None,
            ended: false,
            closing: false,
        }
    }

    /// The connection.
    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The connection to a worker, if there is one.
    pub(super) fn worker(&self) -> Option<&OwnedFd> {
        self.link.as_ref().map(|link| &link.socket)
    }

    /// What it waits for.
    pub(super) fn wants(&self) -> Wants {
        let mut wants = Wants { client: PollFlags::empty(), worker: PollFlags::empty() };
        let whole = self.link.as_ref().is_some_and(|link| link.whole && link.sending.len() < UNREAD);
        if !self.ended && !self.closing && (whole || (self.link.is_none() && self.queue.is_empty())) {
            wants.client |= PollFlags::IN;
        }
        if !self.output.is_empty() {
            wants.client |= PollFlags::OUT;
        }
        if let Some(link) = &self.link {
            if self.output.len() < UNREAD {
                wants.worker |= PollFlags::IN;
            }
            if !link.sending.is_empty() {
                wants.worker |= PollFlags::OUT;
            }
        }
        wants
    }

    /// Does what can be done now; `None`: the connection is over.
    pub(super) fn turn(&mut self, house: &dyn House) -> Option<Option<Wish>> {
        self.exchange(house).ok()?;
        self.listen().ok()?;
        let wish = self.work(house).ok()?;
        if wish.is_some() {
            return Some(wish);
        }
        self.write().ok()?;
        let over = (self.closing || self.ended) && self.output.is_empty() && self.link.is_none();
        if over && self.queue.is_empty() { None } else { Some(None) }
    }

    /// Reads what the client sends.
    fn listen(&mut self) -> io::Result<()> {
        let whole = self.link.as_ref().is_some_and(|link| link.whole);
        if self.ended || self.closing || !(whole || (self.link.is_none() && self.queue.is_empty())) {
            return Ok(());
        }
        let mut buffer = [0; 4096];
        match receive(&self.socket, &mut buffer)? {
            Some(0) => self.ended = true,
            Some(count) => match &mut self.link {
                Some(link) => link.sending.extend_from_slice(&buffer[..count]),
                None => self.input.extend_from_slice(&buffer[..count]),
            },
            None => {}
        }
        Ok(())
    }

    /// Passes bytes to and from the worker.
    fn exchange(&mut self, house: &dyn House) -> io::Result<()> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let sent = send(&link.socket, &link.sending).unwrap_or(link.sending.len());
        link.sending.drain(..sent);
        // A worker that began to prompt would wait for more.
        if link.sending.is_empty() && (!link.whole || self.ended) && !std::mem::replace(&mut link.shut, true) {
            let _ = rustix::net::shutdown(&link.socket, Shutdown::Write);
        }
        let mut buffer = [0; 16 * 1024];
        while self.output.len() < UNREAD {
            match receive(&link.socket, &mut buffer) {
                Ok(Some(0)) | Err(_) => {
                    let whole = link.whole;
                    self.link = None;
                    self.closing |= whole;
                    self.prompt(house);
                    return Ok(());
                }
                Ok(Some(count)) => self.output.extend_from_slice(&buffer[..count]),
                Ok(None) => return Ok(()),
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let sent = send(&self.socket, &self.output)?;
        self.output.drain(..sent);
        Ok(())
    }

    /// Runs commands as long as no reply of a worker is waited for.
    fn work(&mut self, house: &dyn House) -> io::Result<Option<Wish>> {
        while self.link.is_none() && !self.closing {
            match self.queue.pop_front() {
                Some(command) => {
                    if let Some(wish) = self.run(&command, house) {
                        return Ok(Some(wish));
                    }
                }
                None => match self.line()? {
                    Some(line) => self.queue.extend(split(&line)),
                    None => break,
                },
            }
            if self.queue.is_empty() && self.input.is_empty() && !self.interactive && self.link.is_none() {
                self.closing = true;
            }
        }
        Ok(None)
    }

    /// The next line, with its payload if it has one.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(end) = memchr::memchr(b'\n', &self.input) else {
            return if self.input.len() > LONGEST { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
        };
        let first = self.input.get(..end).unwrap_or_default().trim_ascii_end();
        let mut length = end + 1;
        if first.ends_with(b"<<") {
            let rest = self.input.get(length..).unwrap_or_default();
            match memchr::memmem::find(rest, b"\n\n") {
                Some(at) => length += at + 2,
                None if self.ended => length = self.input.len(),
                None if self.input.len() > LONGEST_PAYLOAD => return Err(io::ErrorKind::InvalidData.into()),
                None => return Ok(None),
            }
        }
        Ok(Some(self.input.drain(..length).collect()))
    }

    /// Runs one command, or sends it on its way.
    fn run(&mut self, command: &[u8], house: &dyn House) -> Option<Wish> {
        let text = String::from_utf8_lossy(command).into_owned();
        let mut rest = text.trim_start();
        let mut target = self.target;
        if let Some(prefixed) = rest.strip_prefix('@') {
            let (name, command) = prefixed.split_once([' ', '\t', '\n']).unwrap_or((prefixed.trim_end(), ""));
            let (name, whole) = name.strip_prefix('@').map_or((name, false), |name| (name, true));
            rest = command.trim_start();
            match house.find(name) {
                Some(found) if whole => {
                    self.connect(found, command, true, house);
                    return None;
                }
                Some(found) => target = found,
                None => {
                    self.say(&format!("There is no process '@{name}' here.\n"), house);
                    return None;
                }
            }
            if rest.is_empty() {
                self.target = target;
                self.prompt(house);
                return None;
            }
        }
        match target {
            Target::Worker(_) => self.connect(target, rest, false, house),
            Target::Master => match house.answer(rest.trim_end(), self.level) {
                Answer::Text(text) => self.say(&text, house),
                Answer::Lower(level) => {
                    self.level = self.level.min(level);
                    self.prompt(house);
                }
                Answer::Prompt => {
                    self.interactive = !self.interactive;
                    self.prompt(house);
                }
                Answer::Quit => self.closing = true,
                Answer::Reload { hard } => return Some(Wish::Reload { hard }),
            },
        }
        None
    }

    fn connect(&mut self, target: Target, command: &str, whole: bool, house: &dyn House) {
        let Target::Worker(pid) = target else {
            return self.say("The master is here: commands need no prefix.\n", house);
        };
        match house.connect(pid, self.level) {
            Ok(socket) => {
                let mut sending = command.as_bytes().to_vec();
                if !command.is_empty() && !command.ends_with('\n') {
                    sending.push(b'\n');
                }
                if whole {
                    sending.append(&mut self.input);
                }
                self.link = Some(Link { socket, sending, whole, shut: false });
            }
            Err(why) => self.say(&format!("Process {pid} cannot be asked: {why}.\n"), house),
        }
    }

    /// A reply of the master: an empty line ends it.
    fn say(&mut self, text: &str, house: &dyn House) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.push(b'\n');
        self.prompt(house);
    }

    fn prompt(&mut self, house: &dyn House) {
        if self.interactive {
            let prompt = house.prompt(self.target);
            self.output.extend_from_slice(prompt.as_bytes());
        }
    }
}

/// Sends what the other side takes now.
fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match rustix::net::send(socket, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => sent += count,
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(sent)
}

/// What has come; `None`: nothing now.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match rustix::net::recv(socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((count, _)) => return Ok(Some(count)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
}

/// The commands of a line: what stands between `;` that no backslash precedes. A payload stays with the last one.
fn split(line: &[u8]) -> Vec<Vec<u8>> {
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    let (first, payload) = line.split_at(end);
    let mut all = vec![Vec::new()];
    let mut escaped = false;
    for byte in first.trim_ascii_end() {
        match byte {
            b';' if !escaped => all.push(Vec::new()),
            _ => {
                if let Some(last) = all.last_mut() {
                    last.push(*byte);
                }
            }
        }
        escaped = *byte == b'\\' && !escaped;
    }
    if payload.len() > 1
        && let Some(last) = all.last_mut()
    {
        last.extend_from_slice(payload);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A house whose worker 7 answers nothing and keeps what it is sent.
    struct Empty;

    impl House for Empty {
        fn answer(&self, command: &str, _: AdminLevel) -> Answer {
            match command {
                "quit" => Answer::Quit,
                "prompt" => Answer::Prompt,
                "user" => Answer::Lower(AdminLevel::User),
                "reload" => Answer::Reload { hard: false },
                _ => Answer::Text(format!("<{command}>\n")),
            }
        }

        fn find(&self, name: &str) -> Option<Target> {
            match name {
                "" => Some(Target::Master),
                "1" => Some(Target::Worker(7)),
                _ => None,
            }
        }

        fn connect(&self, _: i32, _: AdminLevel) -> io::Result<OwnedFd> {
            let (near, mut far) = UnixStream::pair()?;
            far.write_all(b"worker\n")?;
            Ok(near.into())
        }

        fn prompt(&self, _: Target) -> String {
            "> ".to_owned()
        }
    }

    /// All that a terminal answers to bytes and their end.
    fn played(bytes: &[u8]) -> String {
        let (mut client, socket) = UnixStream::pair().unwrap();
        let mut terminal = Terminal::new(socket.into(), AdminLevel::Admin);
        client.set_nonblocking(true).unwrap();
        let mut rest = bytes;
        let mut answer = Vec::new();
        for _ in 0..10_000 {
            if let Ok(count) = client.write(rest) {
                rest = &rest[count..];
            }
            if rest.is_empty() {
                let _ = client.shutdown(std::net::Shutdown::Write);
            }
            let next = terminal.turn(&Empty);
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                answer.extend_from_slice(&buffer[..count]);
            }
            if !matches!(next, Some(None)) {
                return String::from_utf8_lossy(&answer).into_owned();
            }
        }
        panic!("it never ends: {bytes:?}");
    }

    #[test]
    fn lines_and_their_answers() {
        for (line, want) in [
            ("a\n", "<a>\n\n"),
            ("a; b c \r\n", "<a>\n\n<b c>\n\n"),
            ("a\\;b\n", "<a\\;b>\n\n"),
            ("a", ""), // half a line is none
            ("@1 x\n", "worker\n"),
            ("@1\n", ""),
            ("@1; x; @; y\n", "worker\n<y>\n\n"),
            ("@2 x\n", "There is no process '@2' here.\n\n"),
            ("@@1\nanything", "worker\n"),
            ("prompt\na\nquit\nb\n", "> <a>\n\n> "),
            ("prompt\n@1 a\n", "> worker\n> "),
            ("x <<\nmany\nlines\n\n", "<x <<\nmany\nlines>\n\n"),
            ("reload\na\n", ""),
            ("\n", "<>\n\n"),
        ] {
            assert_eq!(played(line.as_bytes()), want, "{line:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_stay() {
        bolero::check!().with_iterations(2_000).with_type::<Vec<u8>>().for_each(|bytes| {
            let _ = played(bytes);
        });
        let long = vec![b'a'; 3 * LONGEST];
        assert_eq!(played(&long), "");
    }
}
