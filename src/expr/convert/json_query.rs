//! One value out of a JSON text.
//!
//! Reads no more than it needs and so answers from texts that are cut off, too, as haproxy does. A path is `$`, then
//! `.key` and `[index]`; `[*]` is the first one. Source: manual §7.3.1; what each kind of value becomes was asked of 2.6:
//! numbers have six digits, as C's `%g` writes them, and escapes above `\u00ff` spoil a text.

use super::{ANY, Args, Context, ExprError, Row, STR, Value, row, text};

pub(super) const ROWS: &[Row] = &[row("json_query", "s|s", (STR, ANY), check, |args, value, _| {
    let json = value.into_text();
    query(&json, text(args, 0), !text(args, 1).is_empty())
})];

pub(super) fn check(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    if args.text(0).is_empty() {
        return Err(args.kind(0, "a path, like '$.key'"));
    }
    match args.text(1) {
        b"" | b"int" => Ok(()),
        _ => Err(args.kind(1, "'int'")),
    }
}

/// One step of a path.
enum Step {
    Key(Vec<u8>),
    Index(usize),
}

/// What stands at a path.
pub(super) fn query(json: &[u8], path: &[u8], as_int: bool) -> Option<Value<'static>> {
    let mut reader = Reader { json, at: 0 };
    for step in steps(path)? {
        match step {
            Step::Key(key) => reader.enter_key(&key)?,
            Step::Index(index) => reader.enter_index(index)?,
        }
    }
    reader.blanks();
    match *json.get(reader.at)? {
        b'"' => unescaped(reader.string()?).map(Value::owned),
        b't' => reader.word(b"true").then_some(Value::Bool(true)),
        b'f' => reader.word(b"false").then_some(Value::Bool(false)),
        b'-' | b'0'..=b'9' => {
            let number: f64 = std::str::from_utf8(reader.number()).ok()?.parse().ok()?;
            match as_int {
                false => Some(Value::owned(short(number).into_bytes())),
                true if number.abs() < 9_223_372_036_854_775_808.0 => Some(Value::Int(number as i64)),
                true => None,
            }
        }
        _ => None,
    }
}

fn steps(path: &[u8]) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix(b"$")?;
    let mut steps = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        match first {
            b'.' => {
                let mut key = Vec::new();
                let mut bytes = behind.iter().enumerate();
                let mut end = behind.len();
                while let Some((ix, byte)) = bytes.next() {
                    match byte {
                        b'\\' => key.push(*bytes.next()?.1),
                        b'.' | b'[' => {
                            end = ix;
                            break;
                        }
                        byte => key.push(*byte),
                    }
                }
                steps.push(Step::Key(key));
                rest = &behind[end..];
            }
            b'[' => {
                let end = behind.iter().position(|byte| *byte == b']')?;
                let index = match &behind[..end] {
                    b"*" => 0,
                    digits => std::str::from_utf8(digits).ok()?.parse().ok()?,
                };
                steps.push(Step::Index(index));
                rest = &behind[end + 1..];
            }
            _ => return None,
        }
    }
    Some(steps)
}

struct Reader<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Reader<'j> {
    fn blanks(&mut self) {
        while self.json.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Whether this byte follows; it is passed then.
    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.json.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.json.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn number(&mut self) -> &'j [u8] {
        let rest = &self.json[self.at..];
        let end = rest.iter().position(|byte| !b"+-.eE0123456789".contains(byte)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// What stands between quotes, escapes and all.
    fn string(&mut self) -> Option<&'j [u8]> {
        if !self.take(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            match self.json.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(&self.json[start..self.at - 1]);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    fn enter_key(&mut self, key: &[u8]) -> Option<()> {
        if !self.take(b'{') {
            return None;
        }
        loop {
            let found = self.string()?;
            if !self.take(b':') {
                return None;
            }
            if found == key {
                return Some(());
            }
            self.skip()?;
            if !self.take(b',') {
                return None;
            }
        }
    }

    fn enter_index(&mut self, index: usize) -> Option<()> {
        if !self.take(b'[') {
            return None;
        }
        for _ in 0..index {
            self.skip()?;
            if !self.take(b',') {
                return None;
            }
        }
        Some(())
    }

    /// Passes over one value, however deep.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.blanks();
            match *self.json.get(self.at)? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    self.at += 1;
                    depth += 1;
                    continue;
                }
                b'}' | b']' => {
                    self.at += 1;
                    depth = depth.checked_sub(1)?;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                b't' if self.word(b"true") => {}
                b'f' if self.word(b"false") => {}
                b'n' if self.word(b"null") => {}
                b'-' | b'0'..=b'9' => drop(self.number()),
                _ => return None,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// `None`: an escape that is none, or one for more than a byte.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (kind, behind) = rest.split_first()?;
        rest = behind;
        out.push(match kind {
            b'"' | b'\\' => *kind,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let digits = rest.get(..4)?;
                rest = &rest[4..];
                u8::try_from(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}

/// A number as C's `%g` writes it: six digits that count, no zeroes at the end.
fn short(number: f64) -> String {
    const DIGITS: i32 = 6;
    if number == 0.0 || !number.is_finite() {
        return match number {
            _ if number.is_nan() => "nan".to_owned(),
            _ if number.is_infinite() => if number > 0.0 { "inf" } else { "-inf" }.to_owned(),
            _ if number.is_sign_negative() => "-0".to_owned(),
            _ => "0".to_owned(),
        };
    }
    let scientific = format!("{number:.*e}", (DIGITS - 1) as usize);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let places = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{number:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}
