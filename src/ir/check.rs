//! What a health check does beyond connecting: a list of steps, and what its end is called.
//!
//! `tcp-check` and `http-check` rules become such a list word for word; the checks that haproxy has built in
//! (`option redis-check` and its like) are lists that [`crate::lower`] writes. One prober runs them all.
//! Knows no socket. Source: manual §4.2 "tcp-check", "http-check"; numbers and texts observed on 2.6.12.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::expr::{Expr, Regex, Template, VarName};

/// What one check found, as statistics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the names are haproxy's")]
pub enum CheckStatus {
    Unknown,
    #[default]
    Ini,
    /// Something was said that changes no state.
    Checked,
    /// Found in the traffic.
    Hana,
    SockErr,
    L4Ok,
    L4Tout,
    L4Con,
    L6Ok,
    L6Tout,
    L6Rsp,
    L7Tout,
    L7Rsp,
    L7Ok,
    /// Passed, but the server is to get no new sessions.
    L7OkC,
    L7Sts,
    ProcErr,
    ProcTout,
    ProcOk,
}

impl CheckStatus {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Unknown,
        Self::Ini,
        Self::Checked,
        Self::Hana,
        Self::SockErr,
        Self::L4Ok,
        Self::L4Tout,
        Self::L4Con,
        Self::L6Ok,
        Self::L6Tout,
        Self::L6Rsp,
        Self::L7Tout,
        Self::L7Rsp,
        Self::L7Ok,
        Self::L7OkC,
        Self::L7Sts,
        Self::ProcErr,
        Self::ProcTout,
        Self::ProcOk,
    ];

    /// The number of the field `srv_check_status` of a server state file, as 2.6.12 has it.
    pub fn number(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Ini => 1,
            Self::Checked => 3,
            Self::Hana => 4,
            Self::SockErr => 5,
            Self::L4Ok => 6,
            Self::L4Tout => 7,
            Self::L4Con => 8,
            Self::L6Ok => 9,
            Self::L6Tout => 10,
            Self::L6Rsp => 11,
            Self::L7Tout => 12,
            Self::L7Rsp => 13,
            Self::L7Ok => 15,
            Self::L7OkC => 16,
            Self::L7Sts => 17,
            Self::ProcErr => 18,
            Self::ProcTout => 19,
            Self::ProcOk => 20,
        }
    }

    /// The one with that [`Self::number`]; [`Self::Unknown`] if there is none.
    pub fn numbered(number: u8) -> Self {
        Self::ALL.into_iter().find(|status| status.number() == number).unwrap_or(Self::Unknown)
    }

    /// The one that [`Self::word`] calls so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// The word in the column `check_status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "UNK",
            Self::Ini => "INI",
            Self::Checked => "CHECKED",
            Self::Hana => "HANA",
            Self::SockErr => "SOCKERR",
            Self::L4Ok => "L4OK",
            Self::L4Tout => "L4TOUT",
            Self::L4Con => "L4CON",
            Self::L6Ok => "L6OK",
            Self::L6Tout => "L6TOUT",
            Self::L6Rsp => "L6RSP",
            Self::L7Tout => "L7TOUT",
            Self::L7Rsp => "L7RSP",
            Self::L7Ok => "L7OK",
            Self::L7OkC => "L7OKC",
            Self::L7Sts => "L7STS",
            Self::ProcErr => "PROCERR",
            Self::ProcTout => "PROCTOUT",
            Self::ProcOk => "PROCOK",
        }
    }

    /// The reason in log lines and the column `check_desc`.
    pub fn description(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Ini => "Initializing",
            Self::Checked => "No status change",
            Self::Hana => "Health analyze",
            Self::SockErr => "Socket error",
            Self::L4Ok => "Layer4 check passed",
            Self::L4Tout => "Layer4 timeout",
            Self::L4Con => "Layer4 connection problem",
            Self::L6Ok => "Layer6 check passed",
            Self::L6Tout => "Layer6 timeout",
            Self::L6Rsp => "Layer6 invalid response",
            Self::L7Tout => "Layer7 timeout",
            Self::L7Rsp => "Layer7 invalid response",
            Self::L7Ok => "Layer7 check passed",
            Self::L7OkC => "Layer7 check conditionally passed",
            Self::L7Sts => "Layer7 wrong status",
            Self::ProcErr => "External check error",
            Self::ProcTout => "External check timeout",
            Self::ProcOk => "External check passed",
        }
    }

    /// Whether the server answered as it should.
    pub fn passed(self) -> bool {
        matches!(self, Self::L4Ok | Self::L6Ok | Self::L7Ok | Self::L7OkC | Self::ProcOk)
    }

    /// The code as it is shown: -1 for a program that a signal ended.
    pub fn shown_code(self, code: Option<u16>) -> i32 {
        code.map_or(if self == Self::ProcErr { -1 } else { 0 }, i32::from)
    }

    /// Whether the column `check_code` and the log show a code with it.
    pub fn has_code(self) -> bool {
        matches!(self, Self::L7Ok | Self::L7OkC | Self::L7Sts | Self::ProcErr | Self::ProcTout | Self::ProcOk)
    }
}

/// The steps of a check. Without any, it only connects.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How its end is told.
    pub telling: Telling,
    /// In order. One that does not begin with [`Act::Connect`] (variables aside) connects first by the server's options.
    pub steps: Vec<Step>,
    /// `http-check disable-on-404`: an answer of 404 lets the server be used no more by new sessions, and nothing else.
    pub disable_on_404: bool,
    /// `http-check send-state`: requests say what is known of their server.
    pub send_state: bool,
}

/// How the end of a script is told in logs and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Telling {
    /// As a check that is built in: nothing of its steps.
    #[default]
    BuiltIn,
    /// As `tcp-check` rules: `(tcp-check)`, and at which step it failed.
    TcpCheck,
    /// As `http-check` rules: the comment of a step that failed.
    HttpCheck,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its number as people count the rules of a section, from 1; 0 for a connection that no rule asked for.
    pub number: u32,
    /// What people are told when it fails, if anything.
    pub comment: Option<String>,
    /// What is done.
    pub act: Act,
}

impl Step {
    /// A step of a built-in check.
    pub fn plain(act: Act) -> Self {
        Self { number: 0, comment: None, act }
    }
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Opens a connection; one that is open is closed.
    Connect(Connect),
    /// Sends bytes; what came so far is forgotten.
    Send(Vec<u8>),
    /// Sends what a built-in check makes at that moment; what came so far is forgotten.
    SendNow(fn() -> Vec<u8>),
    /// Sends a text with expressions.
    SendFormat {
        /// The text.
        format: Template,
        /// Whether it is bytes in hexadecimal digits.
        hex: bool,
    },
    /// Sends a request; what came so far is forgotten.
    Request(Box<Request>),
    /// Waits for an answer.
    Expect(Box<Expect>),
    /// Sets a variable to what an expression gives.
    SetVar(VarName, Expr),
    /// Sets a variable to a text.
    SetVarFormat(VarName, Template),
    /// Forgets a variable.
    UnsetVar(VarName),
}

impl Act {
    /// Whether the server has part in it.
    pub fn talks(&self) -> bool {
        !matches!(self, Self::SetVar(..) | Self::SetVarFormat(..) | Self::UnsetVar(_))
    }
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`…
    pub method: Vec<u8>,
    /// What is asked for.
    pub uri: Template,
    /// `HTTP/1.1`… as written.
    pub version: Vec<u8>,
    /// Header fields in order.
    pub headers: Vec<(Vec<u8>, Template)>,
    /// What is sent with it.
    pub body: Option<Template>,
}

/// How a connection is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connect {
    /// Instead of the server's address.
    pub addr: Option<IpAddr>,
    /// Instead of the server's port.
    pub port: Option<Port>,
    /// The port that stands with `addr`: used where `port` says none, and not told.
    pub addr_port: Option<u16>,
    /// Whether the connection is closed in order, and not by a reset.
    pub linger: bool,
    /// `default`: what is not said here is as the server's own connections have it.
    pub default: bool,
    /// Whether it begins with a PROXY header.
    pub send_proxy: bool,
}

/// The port of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Fixed(u16),
    /// What an expression gives.
    Expr(Expr),
}

/// What is waited for, and what it means.
#[derive(Debug, Clone)]
pub struct Expect {
    /// What the answer is held against.
    pub pattern: Pattern,
    /// `!`: an answer that matches is the wrong one.
    pub negated: bool,
    /// Bytes that must have come before the answer is judged, and with which it is judged for good.
    pub min_recv: Option<u32>,
    /// Said of an answer that fits, when no expectation follows; [`CheckStatus::L7Ok`] if `None`.
    pub ok: Option<CheckStatus>,
    /// Said of an answer that does not fit; [`CheckStatus::L7Rsp`] if `None`.
    pub error: Option<CheckStatus>,
    /// Said when time is over; [`CheckStatus::L7Tout`] if `None`.
    pub timeout: Option<CheckStatus>,
    /// Told of an answer that fits instead of what the script tells.
    pub on_success: Option<Template>,
    /// Told of an answer that does not fit instead of what the step tells.
    pub on_error: Option<Template>,
    /// Gives the code that is told with the status; without it, that of the answer.
    pub code: Option<Expr>,
}

impl Expect {
    /// An expectation with nothing said besides.
    pub fn new(pattern: Pattern) -> Self {
        let (ok, error, timeout, on_success, on_error, code) = (None, None, None, None, None, None);
        Self { pattern, negated: false, min_recv: None, ok, error, timeout, on_success, on_error, code }
    }
}

/// What an answer is held against.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Holds these bytes; people are shown them as text.
    Text(Vec<u8>),
    /// Holds these bytes; people are told that they are binary.
    Binary(Vec<u8>),
    /// Holds the text that this gives.
    TextFormat(Template),
    /// Holds the bytes that this gives in hexadecimal digits.
    BinaryFormat(Template),
    /// Matches.
    Regex(Regex),
    /// Matches when written in hexadecimal digits, capitals.
    BinaryRegex(Regex),
    /// The answer's status is one of these.
    Status(Vec<RangeInclusive<u16>>),
    /// The answer's status matches.
    StatusRegex(Regex),
    /// A header field of the answer.
    Header(Box<HeaderPattern>),
    /// The answer's body holds these bytes.
    Body(Vec<u8>),
    /// The answer's body holds the text that this gives.
    BodyFormat(Template),
    /// The answer's body matches.
    BodyRegex(Regex),
    /// A function of a built-in check says.
    Judge(Judge),
}

/// Which header field is looked for.
#[derive(Debug, Clone)]
pub struct HeaderPattern {
    /// Its name; case does not count.
    pub name: Matcher,
    /// Its value; `None`: any.
    pub value: Option<Matcher>,
    /// `fhdr`: the whole value counts, not each of the parts between its commas.
    pub full: bool,
}

/// How a name or value is compared.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// `-m str`, and without `-m`: equal.
    Is(Template),
    /// `-m beg`: begins with it.
    Begins(Template),
    /// `-m end`: ends with it.
    Ends(Template),
    /// `-m sub`: holds it.
    Holds(Template),
    /// `-m reg`: matches.
    Regex(Regex),
}

/// Judges what came so far; `over`: nothing more can come. The answer is never empty.
pub type Judge = fn(answer: &[u8], over: bool) -> Opinion;

/// What a [`Judge`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// More must come. Said when nothing more can come, the check failed with [`Expect::error`].
    Wait,
    /// As it should be: the next step.
    Fits,
    /// The check is over, and this is what it found.
    Ends(Finding),
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is called.
    pub status: CheckStatus,
    /// The code to be shown, where [`CheckStatus::has_code`]; `None` counts as 0 there.
    pub code: Option<u16>,
    /// What is told besides.
    pub info: Option<String>,
}
