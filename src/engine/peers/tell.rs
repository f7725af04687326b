//! What a peer is told: what was learned, what changed, and everything if it asks.
//!
//! Made from the tables whenever the socket has taken what was made before: a place in each table is all that is kept.

use super::learn::keys;
use super::session::{HEARTBEAT, Session};
use crate::ir::table::Shape;
use crate::pool::peers::{PeerState, Resync};
use crate::pool::tables::{Cursor, Table, View};
use crate::units::Tick;
use crate::units::peers::dictionary::Told;
use crate::units::peers::{
    Ack, Control, DATA_KINDS, Definition, Described, Form, Key, KeyType, Numbered, Update, Value, control, write_value,
};

/// Bytes after which what was made is sent.
const FULL: usize = 16 * 1024;
/// Entries that are looked at in a row.
const ENTRIES: u32 = 64;

/// A lesson of everything: where it is.
#[derive(Debug, Default)]
pub(super) struct Lesson {
    table: usize,
    cursor: Cursor,
    defined: bool,
}

/// Adds to `out` what is to be said now: about as much as [`FULL`].
pub(super) fn fill(session: &mut Session, out: &mut Vec<u8>, now: Tick) {
    let hub = std::rc::Rc::clone(&session.hub);
    let local = hub.local() == Some(session.peer);
    let mut section = hub.lock();
    section.look(now);
    if let Some(peer) = section.peers.get_mut(session.peer) {
        for shared in peer.tables.iter_mut().filter(|shared| shared.learned != shared.confirmed) {
            Ack { table: shared.remote, number: shared.learned }.write(out);
            shared.confirmed = shared.learned;
        }
    }
    for _ in 0..std::mem::take(&mut session.to_confirm) {
        out.extend(control(Control::ResyncConfirm));
    }
    if !local && section.asks(session.peer, now) {
        out.extend(control(Control::ResyncRequest));
    }
    let resync = section.resync;
    if let Some(peer) = section.peers.get_mut(session.peer) {
        if session.lesson.is_some() {
            teach(session, peer, resync.is_over(), out, now);
        } else if !local && !matches!(resync, Resync::Asked { .. }) {
            push(session, peer, out, now);
        }
        if out.is_empty() && now >= session.said_at.after(HEARTBEAT) {
            out.extend(control(Control::Heartbeat));
            peer.heartbeats_sent = peer.heartbeats_sent.wrapping_add(1);
        }
        peer.heartbeat = Some(session.said_at.after(HEARTBEAT));
    }
}

/// The next part of a lesson.
fn teach(session: &mut Session, peer: &mut PeerState, whole: bool, out: &mut Vec<u8>, now: Tick) {
    let timed = session.minor > 0;
    while let Some(lesson) = session.lesson.as_mut().filter(|_| out.len() < FULL) {
        let place = lesson.table;
        let (Some(table), Some(name)) = (session.hub.table(place), session.hub.state().tables.get(place)) else {
            out.extend(control(if whole { Control::ResyncFinished } else { Control::ResyncPartial }));
            session.lesson = None;
            peer.unconfirmed += 1;
            // what was told in it needs not be told again
            for shared in &mut peer.tables {
                shared.pushed = shared.pushed.max(shared.lesson_from);
            }
            return;
        };
        let Some(shared) = peer.tables.get_mut(place) else { return };
        if lesson.cursor == Cursor::default() && !lesson.defined {
            shared.lesson_from = table.last_change();
        }
        if !lesson.defined {
            definition(table, place, &name.0).write(out);
            (lesson.defined, peer.tells) = (true, Some(place));
        }
        let number = Numbered::As(shared.lesson_from as u32);
        let next = table.walk(lesson.cursor, ENTRIES, now, |view| {
            let left = timed.then(|| view.expires().unwrap_or(0));
            entry(table, view, number, left, &mut peer.told, out);
        });
        match next {
            Some(cursor) => lesson.cursor = cursor,
            None => *lesson = Lesson { table: place + 1, ..Lesson::default() },
        }
        // the next part says again which table it is of: other tables may be told of meanwhile
        if out.len() >= FULL
            && let Some(lesson) = &mut session.lesson
        {
            lesson.defined &= lesson.table == place && lesson.cursor != Cursor::default();
        }
    }
}

/// What changed since the peer was told.
fn push(session: &Session, peer: &mut PeerState, out: &mut Vec<u8>, now: Tick) {
    for (place, (name, _)) in session.hub.state().tables.iter().enumerate() {
        let Some(table) = session.hub.table(place) else { continue };
        table.listen_again();
        let (mut defined, mut before) = (false, None);
        while out.len() < FULL {
            let Some(after) = peer.tables.get(place).map(|shared| shared.pushed) else { break };
            let last = table.changes(after, ENTRIES as usize, now, |view| {
                if !defined {
                    definition(table, place, name).write(out);
                    defined = true;
                }
                let number = view.change().unwrap_or(0) as u32;
                let follows = before == Some(number.wrapping_sub(1));
                let told = if follows { Numbered::Next } else { Numbered::As(number) };
                if entry(table, view, told, None, &mut peer.told, out) {
                    before = Some(number);
                }
            });
            if last == after {
                break;
            }
            peer.tells = Some(place);
            if let Some(shared) = peer.tables.get_mut(place) {
                shared.pushed = last;
            }
        }
    }
}

/// A table as it is told; its number is its place in the section, from 1.
fn definition(table: &Table, place: usize, name: &str) -> Definition {
    let (keys, width) = keys(table.ir.kind);
    let described = |stored: &crate::ir::table::Stored| {
        let kind = stored.datum as u8;
        let form = DATA_KINDS.get(usize::from(kind)).map_or(Form::Number, |(form, _)| *form);
        let period = stored.period.map_or(0, |period| period.get());
        Described { kind, form, elements: stored.elements, period }
    };
    Definition {
        id: place as u32 + 1,
        name: name.as_bytes().to_vec(),
        keys: Some(keys),
        width,
        data: table.ir.store.iter().map(described).collect(),
        bits: 0,
        expire: table.ir.expire.map_or(0, |expire| expire.get()),
    }
}

/// Adds an entry; `false`: it is too long for a message.
fn entry(
    table: &Table,
    view: View<'_>,
    number: Numbered,
    left: Option<u32>,
    told: &mut Told,
    out: &mut Vec<u8>,
) -> bool {
    let mut data = Vec::with_capacity(64);
    for stored in &table.ir.store {
        for index in 0..stored.elements {
            let datum = stored.datum;
            let word = if datum.shape() == Shape::Word { view.server_key() } else { None };
            let value = match datum.shape() {
                Shape::Count | Shape::Long => Value::Number(view.exact(datum, index).unwrap_or(0) as u64),
                Shape::Rate => {
                    view.rate(datum, index).map_or(Value::Rate { age: 0, current: 0, previous: 0 }, |parts| {
                        Value::Rate { age: parts.age, current: parts.current, previous: parts.previous }
                    })
                }
                Shape::Word => Value::Word(word.as_ref().map(|word| word.as_bytes())),
            };
            write_value(&mut data, value, told);
        }
    }
    let (keys, _) = keys(table.ir.kind);
    let key = match keys {
        KeyType::Integer => Key::Integer(view.key().first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))),
        _ => Key::Bytes(view.key()),
    };
    Update { number, left, key, data: &data }.write(out, keys == KeyType::Text)
}
