//! `debug`: tells a sink of a value and lets it pass. Source: manual §7.3.1; the words asked of 2.6.12 (`tests/debugging.rs`).

use super::{ANY, Arg, Args, Context, ExprError, Row, Value, row, text};
use crate::expr::args::{BUFFER, SinkRef};

pub(super) const ROWS: &[Row] = &[row("debug", "|ss", (ANY, ANY), sink, |args, value, facts| {
    if let Some(Arg::Sink(sink)) = args.get(1) {
        let mut message = [b"[debug] ", text(args, 0), b": type=", kind(&value), b" <"].concat();
        let shown = value.borrowed().into_text();
        message.extend(shown.iter().map(|byte| if matches!(byte, b' '..=b'~') { *byte } else { b'.' }));
        message.push(b'>');
        facts.tell(&sink.name, &message);
    }
    Some(value)
})
.of_sessions()];

/// Without a sink it is the ring that is always there.
fn sink(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let name = match args.get(1) {
        None => BUFFER.into(),
        Some(_) => String::from_utf8_lossy(args.text(1)).into(),
    };
    if args.get(0).is_none() {
        args.set(0, Arg::Str(Box::default()));
    }
    args.set(1, Arg::Sink(SinkRef { name }));
    Ok(())
}

fn kind(value: &Value<'_>) -> &'static [u8] {
    match value {
        Value::Bool(_) => b"bool",
        Value::Int(_) => b"sint",
        Value::Ipv4(_) => b"ipv4",
        Value::Ipv6(_) => b"ipv6",
        Value::Str(_) => b"str",
        Value::Bin(_) => b"bin",
    }
}
