//! What a peer says: entries of tables that are the same here, and where its lessons and ours end.

use crate::ir::table::{Datum, Key as TableKey, KeyKind, Shape};
use crate::pool::tables::{Data, RateParts, Table};
use crate::units::Tick;
use crate::units::peers::{
    Ack, Control, Definition, Fault, Frame, Key, KeyType, Numbered, Update, Value, frame, read_value,
};

use super::session::Session;
use super::tell::Lesson;

/// Tables that a peer may define; what it says of more is passed over.
const MOST_TABLES: usize = 4096;

/// What a datum of an entry is to be.
enum New {
    Number(i64),
    Rate(RateParts),
    Word(Option<String>),
}

/// Takes all whole messages from the front of `input`.
///
/// # Errors
/// What nobody may say.
pub(super) fn take(session: &mut Session, input: &mut Vec<u8>, now: Tick) -> Result<(), Fault> {
    let mut at = 0;
    while let Some((frame, length)) = frame(input.get(at..).unwrap_or_default())? {
        one(session, frame, now)?;
        at += length;
    }
    input.drain(..at);
    Ok(())
}

fn one(session: &mut Session, frame: Frame<'_>, now: Tick) -> Result<(), Fault> {
    match frame {
        Frame::Control(control) => steer(session, control, now),
        Frame::Fault(why) => return Err(why),
        Frame::Define(body) => define(session, Definition::read(body)?),
        Frame::Switch(body) => session.current = Some(Ack::switched(body)?),
        Frame::Update { numbered, timed, body } => update(session, numbered, timed, body, now)?,
        Frame::Ack(body) => {
            let ack = Ack::read(body)?;
            // our numbers of tables are their places, from 1
            if let Some(place) = (ack.table as usize).checked_sub(1)
                && let Some(peer) = session.hub.lock().peers.get_mut(session.peer)
            {
                peer.acknowledged(place, ack.number);
            }
        }
        Frame::Other => {}
    }
    Ok(())
}

fn steer(session: &mut Session, control: Control, now: Tick) {
    let (hub, peer) = (&session.hub, session.peer);
    match control {
        Control::ResyncRequest => session.lesson = Some(Lesson::default()),
        Control::ResyncFinished | Control::ResyncPartial => {
            session.to_confirm += 1;
            hub.lock().taught(peer, control == Control::ResyncFinished, now);
            hub.ring(); // others may be asked now, or told what waited
        }
        Control::ResyncConfirm => {
            session.confirmed = true;
            if let Some(peer) = hub.lock().peers.get_mut(peer) {
                peer.unconfirmed = peer.unconfirmed.saturating_sub(1);
            }
        }
        Control::Heartbeat => {
            if let Some(peer) = hub.lock().peers.get_mut(peer) {
                peer.heartbeats_heard = peer.heartbeats_heard.wrapping_add(1);
            }
        }
    }
}

/// A table of the peer: the one here that has its name, if its keys are the same.
fn define(session: &mut Session, definition: Definition) {
    let id = definition.id;
    session.current = Some(id);
    let place = session.hub.state().named(&definition.name);
    let same = |place: &usize| session.hub.table(*place).is_some_and(|table| is_same(table, &definition));
    let known = place.filter(same);
    let mut section = session.hub.lock();
    if let (Some(place), Some(peer)) = (known, section.peers.get_mut(session.peer)) {
        peer.hears = Some(place);
        if let Some(shared) = peer.tables.get_mut(place) {
            (shared.remote, shared.remote_data) = (id, definition.bits);
        }
    }
    drop(section);
    if session.defined.len() < MOST_TABLES || session.defined.contains_key(&id) {
        session.defined.insert(id, known.map(|place| (place, definition)));
    }
}

/// Whether a table has such keys.
fn is_same(table: &Table, definition: &Definition) -> bool {
    let (keys, width) = keys(table.ir.kind);
    definition.keys == Some(keys) && definition.width == width
}

/// What keys are called on the wire, and the most bytes they have there.
pub(super) fn keys(kind: KeyKind) -> (KeyType, u32) {
    match kind {
        KeyKind::Integer => (KeyType::Integer, 4),
        KeyKind::Ip => (KeyType::Ipv4, 4),
        KeyKind::Ipv6 => (KeyType::Ipv6, 16),
        KeyKind::String(width) => (KeyType::Text, width.saturating_add(1)),
        KeyKind::Binary(width) => (KeyType::Binary, width),
    }
}

/// A change of an entry.
fn update(session: &mut Session, numbered: bool, timed: bool, body: &[u8], now: Tick) -> Result<(), Fault> {
    let known = session.current.and_then(|id| session.defined.get(&id)?.as_ref());
    let Some((place, definition)) = known else { return Ok(()) };
    let (Some(table), Some(keys)) = (session.hub.table(*place), definition.keys) else { return Ok(()) };
    let update = Update::read(body, numbered, timed, keys, definition.width)?;
    let mut section = session.hub.lock();
    let Some(peer) = section.peers.get_mut(session.peer) else { return Ok(()) };
    if let Some(shared) = peer.tables.get_mut(*place) {
        shared.learned = match update.number {
            Numbered::As(number) => number,
            Numbered::Next => shared.learned.wrapping_add(1),
        };
    }
    let mut news: Vec<(Datum, u32, New)> = Vec::with_capacity(definition.data.len());
    let mut data = update.data;
    for described in &definition.data {
        for index in 0..described.elements {
            let value = read_value(&mut data, described, &mut peer.heard)?;
            let Some(datum) = Datum::numbered(described.kind) else { continue };
            let new = match value {
                // what goes on elsewhere is not what goes on here
                _ if datum == Datum::ConnCur && !table.ir.recv_only => continue,
                Value::Number(number) => New::Number(number as i64),
                Value::Rate { age, current, previous } => New::Rate(RateParts { age, current, previous }),
                Value::Word(word) => New::Word(word.map(|word| String::from_utf8_lossy(word).into_owned())),
            };
            news.push((datum, index, new));
        }
    }
    drop(section);
    let key = match update.key {
        Key::Integer(number) => Some(TableKey::integer(number)),
        Key::Bytes(bytes) => table.ir.key_of_bytes(bytes),
    };
    let Some(key) = key else { return Ok(()) };
    // what this host's old process did last was perhaps told to nobody else
    let local = session.hub.local() == Some(session.peer);
    let mut differs = local && table.look(&key, now, |_| ()).is_none();
    write_further(session, table, &key, &news, now);
    // there may be no room for it
    let Some(entry) = table.entry(&key, now) else { return Ok(()) };
    let expire = table.ir.expire.map(|expire| expire.get());
    let idle = update.left.zip(expire).map_or(0, |(left, expire)| expire.saturating_sub(left));
    entry.learn(now, idle, |data| {
        for (datum, index, new) in &news {
            differs |= set(data, *datum, *index, new);
        }
    });
    if local && differs {
        entry.change(now, |_| ());
    }
    Ok(())
}

/// `write-to` (3.0): what is learned goes to another table, too, and its entry's time starts again; but for what is counted
/// there.
fn write_further(session: &Session, table: &Table, key: &TableKey, news: &[(Datum, u32, New)], now: Tick) {
    let target = table.ir.write_to.and_then(|ix| session.hub.shared.pool.tables.get(ix));
    let Some(entry) = target.and_then(|target| target.entry(key, now)) else { return };
    entry.refresh(now, |data| {
        let kept = [Datum::ServerId, Datum::ServerKey, Datum::Gpt0, Datum::Gpt];
        for (datum, index, new) in news.iter().filter(|(datum, ..)| kept.contains(datum)) {
            set(data, *datum, *index, new);
        }
    });
}

/// Sets a datum; returns whether it said something else before.
fn set(data: &mut Data<'_>, datum: Datum, index: u32, new: &New) -> bool {
    match (datum, new) {
        (Datum::ServerId, New::Number(id)) => {
            let (key, before) = (data.view().server_key(), data.view().server_id().unwrap_or(0));
            data.set_server(*id as u32, key.as_deref());
            before != *id as u32
        }
        (Datum::ServerKey, New::Word(word)) => {
            let (id, before) = (data.view().server_id().unwrap_or(0), data.view().server_key());
            data.set_server(id, word.as_deref());
            before.as_deref() != word.as_deref()
        }
        (_, New::Number(number)) if datum.shape() != Shape::Rate => {
            data.set_exact(datum, index, *number).is_some_and(|before| before != *number)
        }
        (_, New::Rate(parts)) => {
            let events = |parts: RateParts| (parts.current, parts.previous);
            let before = data.view().rate(datum, index).map(events);
            data.set_rate(datum, index, *parts);
            before.is_some_and(|before| before != events(*parts))
        }
        _ => false,
    }
}
