//! The steps of a probe: `do` something, `see` something. Places in braces are filled in when they are played.

use nix::sys::signal::Signal;

use crate::harness::sockets::Side;

/// One step.
#[derive(Debug)]
pub(crate) enum Step {
    Do(Deed),
    /// Waited for, or with `now` looked at once.
    See {
        now: bool,
        subject: Subject,
        want: Want,
    },
}

/// Something to do. Clients have names.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Connects to an address or path, and waits until that is possible.
    Open {
        client: String,
        to: String,
    },
    Send {
        client: String,
        text: String,
    },
    /// FIN; the other direction stays open.
    Half(String),
    Close(String),
    Reset(String),
    Signal(Signal),
    /// A server of the test stops listening; its connections go on.
    Stop(String),
    /// The server of a `late` place begins to listen.
    Serve(String),
    /// Lets a moment pass for what must not happen.
    Pause,
}

/// Something to look at; its value is text.
#[derive(Debug)]
pub(crate) enum Subject {
    /// All that a client has read.
    Heard(String),
    /// How a client's stream ended: `open`, `fin`, `rst`.
    End(String),
    /// Maximum segment size of a client's connection.
    Mss(String),
    /// A cell of `show stat`.
    Stat { proxy: String, server: String, column: String },
    /// A field of `show info`.
    Info(String),
    /// The answer to a command on a stats socket.
    Command { socket: String, text: String },
    /// What a log receiver got.
    Log(String),
    /// How many lines with this text the log receiver got.
    LogCount(String),
    /// What the program printed.
    Output,
    /// Its exit code, or `running`.
    Exit,
    /// Something of /proc.
    Process(String),
    /// `mode`, `uid`, `gid` or `content` of a path.
    File { path: String, field: String },
    /// Connections that a server of the test has accepted.
    Accepted(String),
    /// What the connections of a server of the test said.
    Got(String),
    /// Whether something listens there: `yes`, `no`.
    Listening(String),
    /// An option of a socket of the process.
    Socket { side: Side, address: String, option: String },
    /// Head and body of an HTTP answer.
    Page { address: String, path: String, auth: Option<String> },
}

/// What the value must be.
#[derive(Debug)]
pub(crate) struct Want {
    pub(crate) compare: Compare,
    pub(crate) value: String,
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Is,
    IsNot,
    Holds,
    HoldsNot,
    AtLeast,
    AtMost,
}

const COMPARISONS: [(&str, Compare); 6] = [
    ("=", Compare::Is),
    ("!=", Compare::IsNot),
    ("~", Compare::Holds),
    ("!~", Compare::HoldsNot),
    (">=", Compare::AtLeast),
    ("<=", Compare::AtMost),
];

impl Want {
    /// Whether `value` is what is wanted; `wanted` is the value with its places filled in.
    pub(crate) fn fits(&self, value: &str, wanted: &str) -> bool {
        let numbers = || Some((value.trim().parse::<i64>().ok()?, wanted.parse::<i64>().ok()?));
        match self.compare {
            Compare::Is => value.trim_end() == wanted,
            Compare::IsNot => value.trim_end() != wanted,
            Compare::Holds => value.contains(wanted),
            Compare::HoldsNot => !value.contains(wanted),
            Compare::AtLeast => numbers().is_some_and(|(value, wanted)| value >= wanted),
            Compare::AtMost => numbers().is_some_and(|(value, wanted)| value <= wanted),
        }
    }
}

impl Step {
    /// Whether it looks at something.
    pub(crate) fn sees(&self) -> bool {
        matches!(self, Self::See { .. })
    }

    /// Reads what follows `do` or `see`.
    pub(crate) fn parse(verb: &str, text: &str) -> Result<Self, String> {
        if verb == "do" {
            return deed(text).map(Self::Do);
        }
        let (now, text) = text.strip_prefix("now ").map_or((false, text), |rest| (true, rest));
        let found = COMPARISONS.iter().filter_map(|(sign, compare)| {
            let at =
                text.find(&format!(" {sign} ")).or_else(|| text.strip_suffix(&format!(" {sign}")).map(str::len))?;
            Some((at, *sign, *compare))
        });
        let (at, sign, compare) = found.min_by_key(|(at, ..)| *at).ok_or("=, !=, ~, !~, >= or <= is wanted")?;
        let value = unescape(text[at + 1 + sign.len()..].trim())?;
        Ok(Self::See { now, subject: subject(&text[..at])?, want: Want { compare, value } })
    }
}

fn deed(text: &str) -> Result<Deed, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let own = |text: &str| text.to_owned();
    Ok(match words[..] {
        ["open", client, to] => Deed::Open { client: own(client), to: own(to) },
        ["send", client, ..] => {
            let text = text["send".len()..].trim_start()[client.len()..].trim_start();
            Deed::Send { client: own(client), text: unescape(text)? }
        }
        ["half", client] => Deed::Half(own(client)),
        ["close", client] => Deed::Close(own(client)),
        ["reset", client] => Deed::Reset(own(client)),
        ["signal", name] => Deed::Signal(format!("SIG{name}").parse().map_err(|_| "no such signal")?),
        ["stop", server] => Deed::Stop(own(server)),
        ["serve", late] => Deed::Serve(own(late)),
        ["pause"] => Deed::Pause,
        _ => return Err("open, send, half, close, reset, signal, stop, serve or pause is wanted".to_owned()),
    })
}

fn subject(text: &str) -> Result<Subject, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let own = |text: &str| text.to_owned();
    Ok(match words[..] {
        ["heard", client] => Subject::Heard(own(client)),
        ["end", client] => Subject::End(own(client)),
        ["mss", client] => Subject::Mss(own(client)),
        ["stat", proxy, server, column] => {
            Subject::Stat { proxy: own(proxy), server: own(server), column: own(column) }
        }
        ["info", field] => Subject::Info(own(field)),
        ["command", socket, _, ..] => Subject::Command { socket: own(socket), text: words[2..].join(" ") },
        [log, ref rest @ ..] if log.starts_with("log") && rest.is_empty() => Subject::Log(own(log)),
        ["lines", _, ..] => Subject::LogCount(words[1..].join(" ")),
        ["output"] => Subject::Output,
        ["exit"] => Subject::Exit,
        ["process", field] => Subject::Process(own(field)),
        ["file", path, field @ ("mode" | "uid" | "gid" | "content")] => {
            Subject::File { path: own(path), field: own(field) }
        }
        ["accepted", server] => Subject::Accepted(own(server)),
        ["got", server] => Subject::Got(own(server)),
        ["listening", address] => Subject::Listening(own(address)),
        ["socket", side, address, option] => {
            let side = match side {
                "listening" => Side::Listening,
                "accepted" => Side::Accepted,
                "to" => Side::To,
                _ => return Err("listening, accepted or to is wanted".to_owned()),
            };
            Subject::Socket { side, address: own(address), option: own(option) }
        }
        ["page", address, path] => Subject::Page { address: own(address), path: own(path), auth: None },
        ["page", address, path, "as", auth] => {
            Subject::Page { address: own(address), path: own(path), auth: Some(own(auth)) }
        }
        _ => return Err("nothing of this kind is to be seen".to_owned()),
    })
}

/// `\n`, `\r`, `\t`, `\\`, `\s` (a blank) and `\x41`, as in Rust's texts.
pub(crate) fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match rest.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('s') => ' ',
            Some('\\') => '\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                char::from(u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} is no byte"))?)
            }
            other => return Err(format!("\\{} means nothing", other.unwrap_or(' '))),
        });
    }
    Ok(out)
}

#[test]
fn a_wish_is_a_subject_a_sign_and_a_value() {
    let step = Step::parse("see", r"now command {dir}/stats show info ~ Nbthread: 2\n").expect("a step");
    let Step::See { now: true, subject: Subject::Command { socket, text }, want } = step else { panic!("{step:?}") };
    assert_eq!((socket.as_str(), text.as_str()), ("{dir}/stats", "show info"));
    assert_eq!((want.compare, want.value.as_str()), (Compare::Holds, "Nbthread: 2\n"));
    assert!(want.fits("Nbthread: 2\n", &want.value) && !want.fits("Nbthread: 20", &want.value));
    let empty = Step::parse("see", "heard a =").expect("nothing was heard");
    let Step::See { want, .. } = empty else { panic!("{empty:?}") };
    assert!(want.fits("", &want.value) && !want.fits("x", &want.value));
}

#[test]
fn numbers_are_compared_as_numbers() {
    for (sign, value, fits) in [(">=", "10", true), (">=", "9", false), ("<=", "9", true), (">=", "", false)] {
        let step = Step::parse("see", &format!("stat a b c {sign} {}", if sign == ">=" { 10 } else { 9 }));
        let Ok(Step::See { want, .. }) = step else { panic!("{step:?}") };
        assert_eq!(want.fits(value, &want.value), fits, "{value} {sign}");
    }
}
