//! The messages of a handover.
//!
//! Every message is a header of 16 bytes and a body of the length that the header says; descriptors travel with the
//! header's first byte. Numbers are little-endian.
//!
//! ```text
//! 0 "btn!"   4 version   6 kind   8 length of the body   12 descriptors   14 zero
//! ```
//!
//! Kinds below 16 keep their meaning in every version, so sockets always move. Kinds from 16 on are for states and
//! sessions and hold only between processes of the same version: between others sockets move and sessions stay.
//! Bytes come from another process and are read as hostile input.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use thiserror::Error;

use crate::sys::fault;
use crate::sys::passing::{self, MAX_DESCRIPTORS};

/// The version that this build speaks.
pub(crate) const VERSION: u16 = 3;
/// Length of a header.
pub(crate) const HEADER: usize = 16;
/// Longest body that is read: a batch of sessions, each with what it has read and not written.
pub(crate) const LONGEST: usize = 1024 * 1024;
/// The first kind that holds only between processes of one version.
const SESSIONS: u16 = 16;
const MAGIC: [u8; 4] = *b"btn!";

/// What one side says to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// Newcomer: I want your sockets.
    Hello,
    /// Old process: somebody is before you; ask no more, I answer when it is your turn.
    Wait,
    /// Old process: I am this process and give you that many sockets.
    Welcome {
        /// Its pid, as it sees itself.
        pid: i32,
        /// Sockets that follow.
        sockets: u32,
    },
    /// Old process: this many descriptors come with this message.
    Sockets {
        /// How many.
        count: u32,
    },
    /// Newcomer: I have that many in all.
    Taken {
        /// How many.
        count: u32,
    },
    /// Newcomer: the process of this pid accepts on them.
    Ready {
        /// The serving process.
        pid: i32,
        /// Whether the old one is to end at once, and not to finish its sessions.
        at_once: bool,
    },
    /// Old process: noted; whoever asks me is sent to you.
    Noted,
    /// Old process: another one serves already.
    GoTo {
        /// Its pid.
        pid: i32,
    },
    /// Newcomer: tell me what you know of your servers and proxies.
    Tell,
    /// Old process: states, or counters; a list of lines as JSON. The last one of a list is empty.
    Told(Vec<u8>),
    /// Newcomer: tell me the entries of your stick tables.
    TellEntries,
    /// Old process: these; empty: that was all.
    Entries(Vec<u8>),
    /// Newcomer: I serve; give me your sessions.
    Move {
        /// Its pid, and those of the processes that it has taken over from.
        askers: Vec<i32>,
    },
    /// Old process: these lanes have sessions (JSON). `new`: those that were named before count no more.
    Lanes {
        /// Whether they begin a round.
        new: bool,
        /// The lanes.
        lanes: Vec<u8>,
    },
    /// Newcomer: these of them I have too; a byte each, 1 or 0.
    Accept(Vec<u8>),
    /// Old process: these sessions, frozen. Their descriptors come with the message; what they are and the bytes that they
    /// hold are its body ([`super::offer`]).
    Offer(Vec<u8>),
    /// Newcomer: I have no room for them now: fewer, or later.
    Refuse,
    /// Old process: they are yours; I touch them no more and close my copies.
    Release,
    /// Old process: I keep them, and all others: forget what came.
    Withdraw,
    /// Old process: that was all that moves now.
    Finished {
        /// Connections that stay here.
        left: u32,
    },
    /// Anybody whom we may trust: how many connections do you serve?
    Count,
    /// A process that serves: this many.
    Counted(Count),
}

/// What a process says of itself to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    /// Connections that it serves.
    pub(crate) connections: u32,
    /// Seconds since its start.
    pub(crate) seconds: u32,
    /// Whether it accepts no more.
    pub(crate) stopping: bool,
    /// The process that has taken over from it; 0: none.
    pub(crate) successor: u32,
}

/// A message with the descriptors that came with it.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// The message.
    pub(crate) message: Message,
    /// Its descriptors.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// The version that the other side speaks.
    pub(crate) version: u16,
}

/// What is wrong with the bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum WireError {
    /// Not the beginning of a message.
    #[error("it does not speak the handover protocol")]
    Magic,
    /// A kind that this version does not know.
    #[error("it sent a message of unknown kind {0}")]
    Kind(u16),
    /// A kind that holds between processes of one version only.
    #[error("it speaks version {0} of the handover protocol")]
    Version(u16),
    /// A body longer than any of ours.
    #[error("it sent a message of {0} bytes")]
    Length(u32),
    /// A body that is too short for its kind.
    #[error("it sent a message that is too short")]
    Short,
    /// A body that is not the JSON it should be.
    #[error("it sent sessions or states that make no sense")]
    Json,
    /// A number that cannot be.
    #[error("it sent a process id or count that cannot be")]
    Number,
    /// More or fewer descriptors than the header says.
    #[error("{got} descriptors came instead of {said}")]
    Descriptors {
        /// What the header says.
        said: usize,
        /// What came.
        got: usize,
    },
}

/// Why a message could not be received.
#[derive(Debug, Error)]
pub(crate) enum ReceiveError {
    /// The other side closed.
    #[error("it closed the connection")]
    Closed,
    /// What the system says; `WouldBlock` when the time limit ended.
    #[error(transparent)]
    System(#[from] io::Error),
    /// What the other side sent makes no sense.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// A header, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    version: u16,
    kind: u16,
    length: usize,
    descriptors: usize,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`WireError::Magic`], [`WireError::Length`].
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Self, WireError> {
        if bytes[..4] != MAGIC {
            return Err(WireError::Magic);
        }
        let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let length = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let fits = usize::try_from(length).ok().filter(|length| *length <= LONGEST);
        let length = fits.ok_or(WireError::Length(length))?;
        Ok(Self { version: short(4), kind: short(6), length, descriptors: usize::from(short(12)) })
    }
}

impl Message {
    /// Header and body. `descriptors` go with it.
    pub(crate) fn encode(&self, descriptors: usize) -> Vec<u8> {
        let (kind, body): (u16, Vec<u8>) = match self {
            Self::Hello => (1, Vec::new()),
            Self::Wait => (2, Vec::new()),
            Self::Welcome { pid, sockets } => (3, [pid.to_le_bytes(), sockets.to_le_bytes()].concat()),
            Self::Sockets { count } => (4, count.to_le_bytes().to_vec()),
            Self::Taken { count } => (5, count.to_le_bytes().to_vec()),
            Self::Ready { pid, at_once } => (6, [pid.to_le_bytes(), u32::from(*at_once).to_le_bytes()].concat()),
            Self::Noted => (7, Vec::new()),
            Self::GoTo { pid } => (8, pid.to_le_bytes().to_vec()),
            Self::Tell => (16, Vec::new()),
            Self::Told(lines) => (17, lines.clone()),
            Self::Move { askers } => (18, askers.iter().flat_map(|pid| pid.to_le_bytes()).collect()),
            Self::Lanes { new, lanes } => (19, [&[u8::from(*new)], &lanes[..]].concat()),
            Self::Accept(yes) => (20, yes.clone()),
            Self::Offer(sessions) => (21, sessions.clone()),
            Self::Refuse => (22, Vec::new()),
            Self::Release => (23, Vec::new()),
            Self::Withdraw => (24, Vec::new()),
            Self::Finished { left } => (25, left.to_le_bytes().to_vec()),
            Self::Count => (26, Vec::new()),
            Self::Counted(count) => {
                let words = [count.connections, count.seconds, u32::from(count.stopping), count.successor];
                (27, words.iter().flat_map(|word| word.to_le_bytes()).collect())
            }
            Self::TellEntries => (28, Vec::new()),
            Self::Entries(entries) => (29, entries.clone()),
        };
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(&MAGIC);
        let version = if fault::is("other-version") { 99 } else { VERSION };
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(descriptors as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads a body. One that is longer than its kind needs is a later version's: the rest is left unread.
    ///
    /// # Errors
    /// [`WireError`].
    pub(crate) fn decode(header: Header, body: &[u8]) -> Result<Self, WireError> {
        let word = |at: usize| -> Result<[u8; 4], WireError> {
            body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).ok_or(WireError::Short)
        };
        let count = |at: usize| word(at).map(u32::from_le_bytes);
        let pid = |at: usize| match i32::from_le_bytes(word(at)?) {
            pid @ 1.. => Ok(pid),
            _ => Err(WireError::Number),
        };
        if header.kind >= SESSIONS && header.version != VERSION {
            return Err(WireError::Version(header.version));
        }
        Ok(match header.kind {
            1 => Self::Hello,
            2 => Self::Wait,
            3 => Self::Welcome { pid: pid(0)?, sockets: count(4)? },
            4 => Self::Sockets { count: count(0)? },
            5 => Self::Taken { count: count(0)? },
            6 => Self::Ready { pid: pid(0)?, at_once: count(4)? != 0 },
            7 => Self::Noted,
            8 => Self::GoTo { pid: pid(0)? },
            16 => Self::Tell,
            17 => Self::Told(body.to_vec()),
            18 => Self::Move { askers: (0..body.len()).step_by(4).map(pid).collect::<Result<_, _>>()? },
            19 => {
                let (new, lanes) = body.split_first().ok_or(WireError::Short)?;
                Self::Lanes { new: *new != 0, lanes: lanes.to_vec() }
            }
            20 => Self::Accept(body.to_vec()),
            21 => Self::Offer(body.to_vec()),
            22 => Self::Refuse,
            23 => Self::Release,
            24 => Self::Withdraw,
            25 => Self::Finished { left: count(0)? },
            26 => Self::Count,
            27 => {
                let stopping = count(8)? != 0;
                let (connections, seconds) = (count(0)?, count(4)?);
                Self::Counted(Count { connections, seconds, stopping, successor: count(12)? })
            }
            28 => Self::TellEntries,
            29 => Self::Entries(body.to_vec()),
            unknown => return Err(WireError::Kind(unknown)),
        })
    }
}

/// Sends a message; blocks at most as long as the socket's time limit.
///
/// # Errors
/// EPIPE, `WouldBlock`, ETOOMANYREFS.
pub(crate) fn send(socket: impl AsFd, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    debug_assert!(descriptors.len() <= MAX_DESCRIPTORS);
    passing::send_all(socket, &message.encode(descriptors.len()), descriptors)
}

/// Receives a message; blocks at most as long as the socket's time limit.
///
/// # Errors
/// [`ReceiveError`].
pub(crate) fn receive(socket: impl AsFd) -> Result<Parcel, ReceiveError> {
    let mut head = [0; HEADER];
    let descriptors = fill(&socket, &mut head)?;
    let header = Header::parse(&head)?;
    let mut body = vec![0; header.length];
    fill(&socket, &mut body)?;
    // Said only now: the next message can be read.
    if descriptors.len() != header.descriptors {
        return Err(WireError::Descriptors { said: header.descriptors, got: descriptors.len() }.into());
    }
    Ok(Parcel { message: Message::decode(header, &body)?, descriptors, version: header.version })
}

fn fill(socket: impl AsFd, buffer: &mut [u8]) -> Result<Vec<OwnedFd>, ReceiveError> {
    let mut descriptors = Vec::new();
    let mut filled = 0;
    while filled < buffer.len() {
        let got = passing::receive(&socket, &mut buffer[filled..])?;
        if got.bytes == 0 {
            return Err(ReceiveError::Closed);
        }
        filled += got.bytes;
        descriptors.extend(got.descriptors);
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(WireError::Descriptors { said: MAX_DESCRIPTORS, got: descriptors.len() }.into());
        }
    }
    Ok(descriptors)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn all() -> Vec<Message> {
        vec![
            Message::Hello,
            Message::Wait,
            Message::Welcome { pid: 7, sockets: 300 },
            Message::Sockets { count: 2 },
            Message::Taken { count: 252 },
            Message::Ready { pid: i32::MAX, at_once: true },
            Message::Noted,
            Message::GoTo { pid: 1 },
            Message::Tell,
            Message::Told(b"[]".to_vec()),
            Message::Told(Vec::new()),
            Message::Move { askers: vec![1, i32::MAX] },
            Message::Lanes { new: true, lanes: b"[]".to_vec() },
            Message::Accept(vec![1, 0]),
            Message::Offer(vec![0; LONGEST]),
            Message::Refuse,
            Message::Release,
            Message::Withdraw,
            Message::Finished { left: 3 },
            Message::Count,
            Message::Counted(Count { connections: 3, seconds: 99, stopping: true, successor: 7 }),
        ]
    }

    #[test]
    fn messages_survive_the_way() {
        let (a, b) = UnixStream::pair().unwrap();
        for message in all() {
            let got = std::thread::scope(|scope| {
                scope.spawn(|| send(&a, &message, &[a.as_fd()]).unwrap());
                receive(&b).unwrap()
            });
            assert_eq!((got.message, got.descriptors.len(), got.version), (message, 1, VERSION));
        }
        drop(a);
        assert!(matches!(receive(&b), Err(ReceiveError::Closed)));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let good = Message::GoTo { pid: 5 }.encode(0);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        for (bytes, want) in [
            (changed(0, b'x'), WireError::Magic),
            (changed(6, 15), WireError::Kind(15)),
            (changed(6, 99), WireError::Kind(99)),
            (changed(10, 0xff), WireError::Length(0x00ff_0004)),
            (changed(12, 3), WireError::Descriptors { said: 3, got: 0 }),
            (changed(8, 0), WireError::Short),
            (changed(19, 0xff), WireError::Number), // a negative pid
        ] {
            let (a, b) = UnixStream::pair().unwrap();
            passing::send_all(&a, &bytes, &[]).unwrap();
            match receive(&b) {
                Err(ReceiveError::Wire(got)) => assert_eq!(got, want),
                other => panic!("{want}: {other:?}"),
            }
        }
        let (a, b) = UnixStream::pair().unwrap();
        passing::send_all(&a, &good[..good.len() - 1], &[]).unwrap();
        drop(a);
        assert!(matches!(receive(&b), Err(ReceiveError::Closed)));
    }

    #[test]
    fn sessions_move_between_processes_of_one_version_only() {
        for message in all() {
            let mut bytes = message.encode(0);
            bytes[4] = 9; // its version
            let (head, body) = bytes.split_first_chunk::<HEADER>().unwrap();
            let header = Header::parse(head).unwrap();
            match Message::decode(header, body) {
                Err(WireError::Version(9)) => assert!(header.kind >= SESSIONS, "{message:?}"),
                Ok(same) => assert!(header.kind < SESSIONS && same == message, "{message:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        let mut bytes = Message::GoTo { pid: 5 }.encode(0);
        bytes[4] = 9; // its version
        bytes[8] += 2;
        bytes.extend_from_slice(b"??");
        let (a, b) = UnixStream::pair().unwrap();
        passing::send_all(&a, &bytes, &[]).unwrap();
        assert_eq!(receive(&b).unwrap().message, Message::GoTo { pid: 5 });
    }

    #[test]
    fn no_bytes_make_it_panic() {
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            if let Some((head, body)) = bytes.split_first_chunk::<HEADER>()
                && let Ok(header) = Header::parse(head)
                && let Ok(message) = Message::decode(header, body)
            {
                let again = message.encode(header.descriptors);
                let (head, body) = again.split_first_chunk::<HEADER>().unwrap();
                assert_eq!(Message::decode(Header::parse(head).unwrap(), body), Ok(message));
            }
        });
        // The same with a header that is right, so that the bodies are reached.
        bolero::check!().with_iterations(20_000).with_type::<(u8, Vec<u8>)>().for_each(|(kind, body)| {
            let header = Header { version: VERSION, kind: u16::from(*kind % 30), length: body.len(), descriptors: 0 };
            let _ = Message::decode(header, body);
        });
    }
}
