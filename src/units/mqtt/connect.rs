//! CONNECT. Source: MQTT 3.1.1 §3.1, 5.0 §3.1.

use super::properties::{self, Set};
use super::{Cursor, Fault, Field, Found, Read};

const WILL: u32 = 0x04;
const PASSWORD: u32 = 0x40;
const USER: u32 = 0x80;

pub(super) fn read(cursor: &mut Cursor<'_>, wanted: Option<Field>) -> Read<Option<Found>> {
    let mut found = None;
    // A text that is empty is none, as with haproxy: an empty identifier is nobody's, whom no broker is kept for.
    let mut note = |field, what| {
        if wanted == Some(field) && !matches!(what, Found::Bytes(from, to) if from == to) {
            found = Some(what);
        }
    };
    let bytes = |(from, to)| Found::Bytes(from, to);
    let name = cursor.string()?;
    let text = &cursor.bytes[name.0..name.1];
    if !text.eq_ignore_ascii_case(b"MQTT") && !text.eq_ignore_ascii_case(b"MQIsdp") {
        return Err(Fault::Invalid);
    }
    note(Field::ProtocolName, bytes(name));
    let version = cursor.number(1)?;
    if !matches!(version, 3..=5) {
        return Err(Fault::Invalid);
    }
    note(Field::ProtocolVersion, Found::Number(version));
    let flags = cursor.number(1)?;
    if flags & 1 != 0 {
        return Err(Fault::Invalid);
    }
    note(Field::Flags, Found::Number(flags));
    note(Field::Keepalive, Found::Number(cursor.number(2)?));
    let mut property = None;
    if version == 5 {
        property = properties::read(cursor, Set::Connect, wanted)?;
    }
    note(Field::ClientIdentifier, bytes(cursor.string()?));
    if flags & WILL != 0 {
        if version == 5 {
            property = property.or(properties::read(cursor, Set::Will, wanted)?);
        }
        note(Field::WillTopic, bytes(cursor.string()?));
        note(Field::WillPayload, bytes(cursor.string()?));
    }
    if flags & USER != 0 {
        note(Field::Username, bytes(cursor.string()?));
    }
    if flags & PASSWORD != 0 {
        note(Field::Password, bytes(cursor.string()?));
    }
    Ok(found.or(property))
}
