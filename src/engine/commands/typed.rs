//! What a client of a stats socket has typed: commands between `;`, and the payloads that follow some of them.
//!
//! A line counts when it is whole. A command whose last word is `<<` goes on until an empty line, one that ends in
//! `<<WORD` (haproxy 3.x) until a line that is `WORD`; what follows its `;` belongs to the payload already. Bytes that
//! wait are bounded: [`LONGEST`]. Source: management manual §9.3; what a `;` does there observed on 2.6.12.

/// Longest line, and longest command with its payload; more ends the connection, as it does when haproxy's buffer is full.
pub(super) const LONGEST: usize = 16 * 1024;
/// Longest word behind `<<`; a longer one is no mark.
const LONGEST_MARK: usize = 7;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A command, with its escapes, and its whole payload, if it has one: lines, each with its end.
    Command(String, Option<String>),
    /// A line of a payload, or the command that begins one.
    More,
    /// Nothing until more is read.
    Nothing,
    /// Too much came without an end.
    TooLong,
}

/// A command that waits for the end of its payload.
#[derive(Debug)]
struct Open {
    command: String,
    payload: String,
    /// The line that ends it.
    end: String,
    size: usize,
}

/// The bytes that wait, and how far they are understood.
#[derive(Debug, Default)]
pub(super) struct Typed {
    /// What was read and not looked at yet.
    pub(super) pending: Vec<u8>,
    /// The rest of the line that is being worked on.
    rest: Option<String>,
    open: Option<Open>,
}

impl Typed {
    /// Takes out the next command.
    pub(super) fn next(&mut self) -> Event {
        let Some(line) = self.rest.take().or_else(|| line(&mut self.pending)) else {
            return if self.pending.len() >= LONGEST { Event::TooLong } else { Event::Nothing };
        };
        if let Some(open) = &mut self.open {
            open.size += line.len();
            if open.size > LONGEST {
                return Event::TooLong;
            }
            if line != open.end {
                open.payload.push_str(&line);
                open.payload.push('\n');
                return Event::More;
            }
            let (command, payload) = (std::mem::take(&mut open.command), std::mem::take(&mut open.payload));
            self.open = None;
            return Event::Command(command, Some(payload));
        }
        let (command, rest) = split(&line);
        self.rest = rest.map(str::to_owned);
        let Some((head, end)) = mark(command) else { return Event::Command(command.to_owned(), None) };
        self.open =
            Some(Open { command: head.to_owned(), payload: String::new(), end: end.to_owned(), size: head.len() });
        Event::More
    }

    /// Whether nothing of what came is left to be answered.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.rest.is_none() && self.open.is_none()
    }

    /// Forgets what came and was not answered.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The next whole line, without its end.
fn line(pending: &mut Vec<u8>) -> Option<String> {
    let end = memchr::memchr(b'\n', pending)?;
    let line: Vec<u8> = pending.drain(..=end).collect();
    Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned())
}

/// The first command of a line, and what follows the `;` behind it; a backslash takes from `;` its meaning.
fn split(line: &str) -> (&str, Option<&str>) {
    let mut bytes = line.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b';' => return (&line[..at], Some(&line[at + 1..])),
            _ => {}
        }
    }
    (line, None)
}

/// A command without the mark of a payload, and the line that ends the payload; `None`: it has none.
fn mark(command: &str) -> Option<(&str, &str)> {
    let command = command.trim_end();
    let at = command.rfind([' ', '\t']).map_or(0, |at| at + 1);
    let end = command[at..].strip_prefix("<<").filter(|end| end.len() <= LONGEST_MARK)?;
    Some((command[..at].trim_end(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Event> {
        let mut typed = Typed { pending: bytes.to_vec(), ..Typed::default() };
        let mut events = Vec::new();
        loop {
            match typed.next() {
                Event::Nothing => return events,
                Event::TooLong => {
                    events.push(Event::TooLong);
                    return events;
                }
                event => events.push(event),
            }
        }
    }

    #[test]
    fn lines_hold_commands_and_payloads() {
        let command = |text: &str| Event::Command(text.to_owned(), None);
        let with = |text: &str, payload: &str| Event::Command(text.to_owned(), Some(payload.to_owned()));
        for (bytes, want) in [
            ("show info\n", vec![command("show info")]),
            ("show info\r\n", vec![command("show info")]),
            ("show info;show stat\n", vec![command("show info"), command("show stat")]),
            ("show info;\n", vec![command("show info"), command("")]), // 2.6: an unknown command
            ("a\\;b;c\\\\;d\n", vec![command("a\\;b"), command("c\\\\"), command("d")]),
            ("half", vec![]),
            (
                "add map m <<\nk v\n\nnext\n",
                vec![Event::More, Event::More, with("add map m", "k v\n"), command("next")],
            ),
            ("add map m <<\n\n", vec![Event::More, with("add map m", "")]),
            ("add map m <<;x\ny\n\n", vec![Event::More, Event::More, Event::More, with("add map m", "x\ny\n")]),
            ("set <<%E%\n\nx\n%E%\n", vec![Event::More, Event::More, Event::More, with("set", "\nx\n")]),
            ("set <<12345678\n", vec![command("set <<12345678")]), // too long for a mark
            ("set a<<\n", vec![command("set a<<")]),               // glued to a word
            ("set <<\nno end\n", vec![Event::More, Event::More]),
        ] {
            assert_eq!(all(bytes.as_bytes()), want, "{bytes:?}");
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        assert_eq!(all(&vec![b'x'; LONGEST]), [Event::TooLong]);
        let mut payload = b"add map m <<\n".to_vec();
        payload.extend(b"k v\n".repeat(LONGEST / 3));
        assert_eq!(all(&payload).last(), Some(&Event::TooLong));
    }

    /// Whatever comes, it is taken apart and ends; no command is longer than what was typed.
    #[test]
    fn hostile_lines() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            for event in all(bytes) {
                if let Event::Command(command, payload) = event {
                    let size = command.len() + payload.map_or(0, |payload| payload.len());
                    assert!(size <= bytes.len() * 3, "a byte that is no text becomes three");
                }
            }
        });
    }
}
