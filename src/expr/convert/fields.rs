//! The n-th field or word of a text, from its beginning or its end, and the one of a name (`param`, of 2.8: by its manual alone).

use super::{Arg, Args, Context, ExprError, Row, STR, Value, int, part, row, text};

pub(super) const ROWS: &[Row] = &[
    row("field", "is|i", (STR, STR), check, |args, value, _| {
        let whole = value.into_text();
        let (from, to) = field(&whole, args)?;
        Some(Value::Str(part(whole, from, to)))
    }),
    row("param", "s|s", (STR, STR), parameter, |args, value, _| {
        let whole = value.into_text();
        let (from, to) = named(&whole, text(args, 0), text(args, 1).first().copied().unwrap_or(b'&'))?;
        Some(Value::Str(part(whole, from, to)))
    }),
    row("word", "is|i", (STR, STR), check, |args, value, _| {
        let whole = value.into_text();
        let (from, to) = word(&whole, args);
        Some(Value::Str(part(whole, from, to)))
    }),
];

fn check(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    if args.int(0) == Some(0) {
        return Err(
            args.blame(0, crate::expr::error::ArgError::Kind { text: "0".into(), want: "a number from 1 or from -1" })
        );
    }
    if args.text(1).is_empty() { Err(args.kind(1, "characters that divide")) } else { Ok(()) }
}

/// One character divides.
fn parameter(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    if args.text(1).len() > 1 { Err(args.kind(1, "one character that divides")) } else { Ok(()) }
}

/// The first `name=value` of that name; without a sign the value is empty.
fn named(text: &[u8], name: &[u8], divider: u8) -> Option<(usize, usize)> {
    let mut from = 0;
    for piece in text.split(|byte| *byte == divider) {
        let (start, end) = (from, from + piece.len());
        from = end + 1;
        match piece.strip_prefix(name) {
            Some([]) => return Some((end, end)),
            Some([b'=', ..]) => return Some((start + name.len() + 1, end)),
            _ => {}
        }
    }
    None
}

/// Index from 0, whether it counts from the end, and how many are wanted; `usize::MAX`: all.
fn wanted(args: &[Arg]) -> (usize, bool, usize) {
    let index = int(args, 0).unwrap_or(1);
    let at = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX).saturating_sub(1);
    let count = match int(args, 2).unwrap_or(1) {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    (at, index < 0, count)
}

fn field(text_: &[u8], args: &[Arg]) -> Option<(usize, usize)> {
    let (at, backwards, count) = wanted(args);
    let divides = |byte: &u8| text(args, 1).contains(byte);
    if backwards {
        let mut ends = text_.len();
        for _ in 0..at {
            ends = text_[..ends].iter().rposition(divides)?;
        }
        let mut start = ends;
        let mut seen = 0;
        while seen < count {
            match text_[..start].iter().rposition(divides) {
                Some(divider) if seen + 1 < count => start = divider,
                Some(divider) => return Some((divider + 1, ends)),
                None => return Some((0, ends)),
            }
            seen += 1;
        }
        return Some((start, ends));
    }
    let mut start = 0;
    for _ in 0..at {
        start += text_[start..].iter().position(divides)? + 1;
    }
    let mut end = start;
    for seen in 0..count {
        match text_[end..].iter().position(divides) {
            Some(length) if seen + 1 < count => end += length + 1,
            Some(length) => return Some((start, end + length)),
            None => return Some((start, text_.len())),
        }
    }
    Some((start, end))
}

/// Words have at least one byte; where there are fewer than wanted, all that follows belongs to the last one.
fn word(text_: &[u8], args: &[Arg]) -> (usize, usize) {
    let (at, backwards, count) = wanted(args);
    let divides = |byte: &u8| text(args, 1).contains(byte);
    let mut words = Vec::new();
    let mut start = None;
    for (ix, byte) in text_.iter().enumerate() {
        match (divides(byte), start) {
            (false, None) => start = Some(ix),
            (true, Some(from)) => {
                words.push((from, ix));
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|from| (from, text_.len())));
    if backwards {
        let Some(last) = words.len().checked_sub(at.saturating_add(1)) else { return (0, 0) };
        let first = (last + 1).checked_sub(count).map_or(0, |first| words[first].0);
        return (first, words[last].1);
    }
    let Some((first, _)) = words.get(at) else { return (0, 0) };
    let end = words.get(at.saturating_add(count - 1)).map_or(text_.len(), |(_, end)| *end);
    (*first, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of the manual.
    #[test]
    fn parameters_have_names() {
        for (whole, name, divider, want) in [
            ("a=b&c=d&a=r", "a", b'&', Some("b")),
            ("a&b=c", "a", b'&', Some("")),
            ("a=&b&c=a", "b", b'&', Some("")),
            ("a=1;b=2;c=4", "b", b';', Some("2")),
            ("ab=1", "a", b'&', None),
            ("", "a", b'&', None),
        ] {
            let found = named(whole.as_bytes(), name.as_bytes(), divider).map(|(from, to)| &whole[from..to]);
            assert_eq!(found, want, "{whole} {name}");
        }
    }
}
