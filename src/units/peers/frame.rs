//! Messages: a class, a type, and from type 128 on a length and a body.

use super::{Body, Fault, varint};

/// The longest body: a message and its head fit into a buffer of haproxy (`tune.bufsize`, 16 kB).
pub const MOST_BODY: usize = 16_384 - 16;

/// Types from here on have a body.
const WITH_BODY: u8 = 128;

/// Messages that steer a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Everything is to be taught.
    ResyncRequest,
    /// Everything was taught, by one who knows everything.
    ResyncFinished,
    /// Everything was taught, by one who may not know everything.
    ResyncPartial,
    /// The end of the lesson was understood.
    ResyncConfirm,
    /// Nothing else was to be said.
    Heartbeat,
}

impl Control {
    const ALL: [Self; 5] =
        [Self::ResyncRequest, Self::ResyncFinished, Self::ResyncPartial, Self::ResyncConfirm, Self::Heartbeat];
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Class 0.
    Control(Control),
    /// Class 1: the other side ends the session.
    Fault(Fault),
    /// Entries of a table follow that is defined so.
    Define(&'a [u8]),
    /// Entries follow of a table that was defined before.
    Switch(&'a [u8]),
    /// A change of an entry. With `numbered` its number comes first, with `timed` the time it has left.
    Update {
        /// Its number is told; else it is the one after that of the change before.
        numbered: bool,
        /// How long the entry stays is told.
        timed: bool,
        /// Key and data.
        body: &'a [u8],
    },
    /// Changes were learned.
    Ack(&'a [u8]),
    /// What this version does not know is passed over.
    Other,
}

/// The first message of `bytes` and its length; `None`: it is not whole yet.
///
/// # Errors
/// What ends the session.
pub fn frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Fault> {
    let [class, kind, rest @ ..] = bytes else { return Ok(None) };
    if *class == 255 {
        return Err(Fault::Protocol);
    }
    if *kind < WITH_BODY {
        let frame = match (class, kind) {
            (0, kind) => Control::ALL.get(usize::from(*kind)).map_or(Frame::Other, |control| Frame::Control(*control)),
            (1, 0) => Frame::Fault(Fault::Protocol),
            (1, 1) => Frame::Fault(Fault::Size),
            _ => Frame::Other,
        };
        return Ok(Some((frame, 2)));
    }
    // the length of a body that may be has three bytes at most
    let mut length_at = Body(rest);
    let length = match length_at.number() {
        Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Err(_) if rest.len() >= 10 => return Err(Fault::Protocol),
        Err(_) => return Ok(None),
    };
    if length > MOST_BODY {
        return Err(Fault::Size);
    }
    let head = bytes.len() - length_at.0.len();
    let Some(body) = length_at.0.get(..length) else { return Ok(None) };
    let frame = match (class, kind) {
        (10, 0x80) => Frame::Update { numbered: true, timed: false, body },
        (10, 0x81) => Frame::Update { numbered: false, timed: false, body },
        (10, 0x82) => Frame::Define(body),
        (10, 0x83) => Frame::Switch(body),
        (10, 0x84) => Frame::Ack(body),
        (10, 0x85) => Frame::Update { numbered: true, timed: true, body },
        (10, 0x86) => Frame::Update { numbered: false, timed: true, body },
        _ => Frame::Other,
    };
    Ok(Some((frame, head + length)))
}

/// A message without a body.
pub const fn control(control: Control) -> [u8; 2] {
    [0, control as u8]
}

/// The message that says why a session ends.
pub const fn fault(fault: Fault) -> [u8; 2] {
    match fault {
        Fault::Protocol => [1, 0],
        Fault::Size => [1, 1],
    }
}

/// A message about tables: `kind` is its type byte.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.extend([10, kind]);
    varint::write(out, body.len() as u64);
    out.extend_from_slice(body);
}
