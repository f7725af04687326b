//! MQTT packets: whether they are, and what their fields hold. Source: manual §7.3.1; the reader is `units::mqtt`.

use super::{Arg, Args, BIN, BOOL, Context, ExprError, Row, STR, Value, plain, row};
use crate::units::mqtt::{self, Field, Found, Packet, PacketType};

pub(super) const ROWS: &[Row] = &[
    row("mqtt_field_value", "ss", (BIN, STR), field, |args, value, _| {
        let Some(Arg::Mqtt(kind, field)) = args.first() else { return None };
        let bytes = value.into_bytes();
        Some(match mqtt::field(&bytes, *kind, *field)? {
            Found::Number(number) => Value::bytes(number.to_string().into_bytes()),
            Found::Bytes(from, to) => Value::Bin(super::part(bytes, from, to)),
        })
    })
    .settling(),
    row("mqtt_is_valid", "", (BIN, BOOL), plain, |_, value, _| match mqtt::packet(&value.into_bytes()) {
        Packet::Valid => Some(Value::Bool(true)),
        Packet::Invalid => Some(Value::Bool(false)),
        Packet::Incomplete => None,
    })
    .settling(),
];

/// Whether bytes that follow may make a packet of these.
pub(super) fn incomplete(bytes: &[u8]) -> bool {
    mqtt::packet(bytes) == Packet::Incomplete
}

fn field(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let kind = PacketType::named(args.text(0)).ok_or_else(|| args.kind(0, "'connect' or 'connack', or 1 or 2"))?;
    let field = Field::named(kind, args.text(1));
    let field =
        field.ok_or_else(|| args.kind(1, "a field of that packet, or the number of a property that it may have"))?;
    args.set(0, Arg::Mqtt(kind, field));
    Ok(())
}
