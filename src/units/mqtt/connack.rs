//! CONNACK. Source: MQTT 3.1.1 §3.2, 5.0 §3.2.

use super::properties::{self, Set};
use super::{Cursor, Fault, Field, Found, Read};

pub(super) fn read(cursor: &mut Cursor<'_>, wanted: Option<Field>) -> Read<Option<Found>> {
    let flags = cursor.number(1)?;
    if flags > 1 {
        return Err(Fault::Invalid);
    }
    let code = cursor.number(1)?;
    // Only from 5.0 on there is more: the version is said nowhere.
    let newest = cursor.at < cursor.bytes.len();
    let property = if newest { properties::read(cursor, Set::Connack, wanted)? } else { None };
    Ok(match wanted {
        Some(Field::Flags) => Some(Found::Number(flags)),
        Some(Field::ReasonCode) => Some(Found::Number(code)),
        Some(Field::ProtocolVersion) => Some(Found::Number(if newest { 5 } else { 4 })),
        _ => property,
    })
}
