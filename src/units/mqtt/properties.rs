//! The properties of 5.0: which packet may have which, of what form, and what they may say. Source: MQTT 5.0 §2.2.2.

use super::{Cursor, Fault, Field, Found, PacketType, Read};

/// How a property is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One byte that is 0 or 1.
    Flag,
    /// A number of that many bytes.
    Number(usize),
    /// The same, and 0 is an error.
    Positive(usize),
    /// Text or bytes.
    Text,
    /// Two texts; it may come more than once.
    Pair,
}

/// Where a property stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// In a CONNECT.
    Connect,
    /// In the will of a CONNECT.
    Will,
    /// In a CONNACK.
    Connack,
}

fn form(set: Set, number: u8) -> Option<Form> {
    Some(match (set, number) {
        (Set::Connect | Set::Connack, 17) => Form::Number(4),
        (Set::Connect | Set::Connack, 33) => Form::Positive(2),
        (Set::Connect | Set::Connack, 39) => Form::Positive(4),
        (Set::Connect | Set::Connack, 34) => Form::Number(2),
        (Set::Connect, 25 | 23) => Form::Flag,
        (Set::Connect | Set::Connack, 21 | 22) => Form::Text,
        (Set::Will, 24 | 2) => Form::Number(4),
        (Set::Will, 1) => Form::Flag,
        (Set::Will, 3 | 8 | 9) => Form::Text,
        (Set::Connack, 36 | 37 | 40 | 41 | 42) => Form::Flag,
        (Set::Connack, 18 | 31 | 26 | 28) => Form::Text,
        (Set::Connack, 19) => Form::Number(2),
        (_, 38) => Form::Pair,
        _ => return None,
    })
}

/// Whether a packet may have this property.
pub(super) fn known(kind: PacketType, number: u8) -> bool {
    let sets: &[Set] = if kind == PacketType::Connect { &[Set::Connect, Set::Will] } else { &[Set::Connack] };
    sets.iter().any(|set| form(*set, number).is_some())
}

/// Reads the properties that follow, with their length. A number that is not there counts as 0.
pub(super) fn read(cursor: &mut Cursor<'_>, set: Set, wanted: Option<Field>) -> Read<Option<Found>> {
    let number = match wanted {
        Some(Field::Property(number)) => Some(number),
        _ => None,
    };
    let mut found = number.and_then(|number| form(set, number)).and_then(|form| match form {
        Form::Flag | Form::Number(_) | Form::Positive(_) => Some(Found::Number(0)),
        Form::Text | Form::Pair => None,
    });
    let length = cursor.varint()? as usize;
    let end = cursor.at.checked_add(length).filter(|end| *end <= cursor.bytes.len()).ok_or(Fault::Invalid)?;
    let mut seen = 0_u64;
    while cursor.at < end {
        let id = u8::try_from(cursor.number(1)?).map_err(|_| Fault::Invalid)?;
        let form = form(set, id).ok_or(Fault::Invalid)?;
        let bit = 1_u64 << id;
        if seen & bit != 0 && form != Form::Pair {
            return Err(Fault::Invalid);
        }
        seen |= bit;
        let value = match form {
            Form::Flag => Found::Number(cursor.number(1)?),
            Form::Number(size) | Form::Positive(size) => Found::Number(cursor.number(size)?),
            Form::Text => {
                let (from, to) = cursor.string()?;
                Found::Bytes(from, to)
            }
            Form::Pair => {
                cursor.string()?;
                cursor.string()?;
                continue;
            }
        };
        match (form, value) {
            (Form::Flag, Found::Number(2..)) | (Form::Positive(_), Found::Number(0)) => return Err(Fault::Invalid),
            _ => {}
        }
        if number == Some(id) {
            found = Some(value);
        }
    }
    // Data to prove who one is, without saying how.
    let alone = seen & (1 << 22) != 0 && seen & (1 << 21) == 0;
    if cursor.at == end && !alone { Ok(found) } else { Err(Fault::Invalid) }
}
