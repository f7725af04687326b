//! The text form of a scenario.
//!
//! ```text
//! == name
//! line of the backend (`server:` before options of its server, `defaults:` before a line of its defaults)
//! -- what the server does
//! send text | until text | pause | half | close | reset
//! -- found
//! what the program made of it
//! ```
//! Text has `\r \n \\ \xHH`; `*N text` is N times the text.

/// One scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Lines of its backend.
    pub(crate) lines: Vec<String>,
    /// What the server does with each connection.
    pub(crate) acts: Vec<Act>,
    /// The lines of `acts` as written.
    acts_text: Vec<String>,
    /// What was found.
    pub(crate) found: String,
}

/// One act of the server; after the last it waits for the other side's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// Reads until it has heard this.
    Until(Vec<u8>),
    /// Lets a packet of its own go.
    Pause,
    Half,
    Close,
    Reset,
}

/// Reads a file.
pub(crate) fn read(text: &str) -> (String, Vec<Scenario>) {
    let mut head = String::new();
    let mut all: Vec<Scenario> = Vec::new();
    let mut part = 0;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            all.push(Scenario { name: name.to_owned(), ..Scenario::default() });
            part = 0;
        } else if line.starts_with("-- ") {
            part += 1;
        } else if let Some(last) = all.last_mut() {
            match part {
                0 => last.lines.push(line.to_owned()),
                1 => {
                    last.acts.push(act(line));
                    last.acts_text.push(line.to_owned());
                }
                _ => {
                    last.found.push_str(line);
                    last.found.push('\n');
                }
            }
        } else {
            head.push_str(line);
            head.push('\n');
        }
    }
    assert!(!all.is_empty(), "no scenario");
    (head, all)
}

impl Scenario {
    /// The text of it, with what was found now.
    pub(crate) fn write(&self, found: &str) -> String {
        let block = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let Self { name, lines, acts_text, .. } = self;
        format!("== {name}\n{}-- server\n{}-- found\n{found}", block(lines), block(acts_text))
    }
}

fn act(line: &str) -> Act {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "send" => Act::Send(bytes(rest)),
        "until" => Act::Until(bytes(rest)),
        "pause" => Act::Pause,
        "half" => Act::Half,
        "close" => Act::Close,
        "reset" => Act::Reset,
        _ => panic!("no act of a server: {line:?}"),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    if let Some((count, text)) = text.strip_prefix('*').and_then(|rest| rest.split_once(' ')) {
        return bytes(text).repeat(count.parse().expect("a number of times"));
    }
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match (byte, if byte == b'\\' { rest.next() } else { None }) {
            (b'\\', Some(b'r')) => out.push(b'\r'),
            (b'\\', Some(b'n')) => out.push(b'\n'),
            (b'\\', Some(b'\\')) => out.push(b'\\'),
            (b'\\', Some(b'x')) => {
                let pair = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let pair = std::str::from_utf8(&pair).expect("digits");
                out.push(u8::from_str_radix(pair, 16).expect("two hexadecimal digits"));
            }
            (byte, None) => out.push(byte),
            other => panic!("no escape: {other:?} in {text:?}"),
        }
    }
    out
}

/// Bytes as text that [`bytes`] reads.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}
