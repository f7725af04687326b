//! A line of haproxy's server state file, version 1: what `show servers state` says of a server, and what is read back.
//!
//! Pure: text in, numbers out. What a file says is not trusted: numbers are bounded as haproxy bounds them, and a file
//! with a line that is none is refused whole. Source: management manual §9.3 "show servers state"; what is valid was
//! observed on 2.6.12 (docs/OBSERVED.md).

use std::fmt;
use std::net::IpAddr;

/// The version that is written and read.
pub const VERSION: u8 = 1;
/// The longest line, in bytes.
const LINE_MAX: usize = 1998;
/// The fewest fields of a line; those behind them came with later versions.
const FIELDS: usize = 20;

/// The names of the fields in order, as the second line of a file has them.
pub const HEADER: &str = "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
    bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
    srv_agent_port";

/// Bits of [`ServerState::admin`].
pub mod admin {
    /// In maintenance by order.
    pub const MAINT: u8 = 0x01;
    /// In maintenance because the server it tracks is.
    pub const INHERITED_MAINT: u8 = 0x02;
    /// `disabled` in the configuration.
    pub const CONFIGURED_MAINT: u8 = 0x04;
    /// Drained by order.
    pub const DRAIN: u8 = 0x08;
    /// Drained because the server it tracks is.
    pub const INHERITED_DRAIN: u8 = 0x10;
    /// In maintenance because its name does not resolve.
    pub const UNRESOLVED: u8 = 0x20;
    /// Its host name is not the configuration's.
    pub const OTHER_HOST: u8 = 0x40;
}

/// Bits of [`ServerState::check`] and [`ServerState::agent`].
pub mod check {
    /// One is under way.
    pub const RUNNING: u8 = 0x01;
    /// The configuration asks for it.
    pub const CONFIGURED: u8 = 0x02;
    /// It is not switched off by order.
    pub const ENABLED: u8 = 0x04;
    /// It rests while the server is in maintenance.
    pub const PAUSED: u8 = 0x08;
    /// It is an agent's.
    pub const AGENT: u8 = 0x10;
}

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operation {
    /// Nothing: it is down.
    Stopped,
    /// It is warming up.
    Starting,
    /// Everything.
    #[default]
    Running,
    /// The sessions that it has.
    Stopping,
}

/// The state of one server. Numbers are haproxy's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerState {
    /// Its address; `None`: unknown, or a path.
    pub address: Option<IpAddr>,
    /// What it is for.
    pub operation: Operation,
    /// Of [`admin`].
    pub admin: u8,
    /// Weight in force, 0 to 256.
    pub weight: u16,
    /// Weight of the configuration, 0 to 256.
    pub initial_weight: u16,
    /// Seconds since it last changed.
    pub since: u64,
    /// What its last check found: 0 to 20.
    pub check_status: u8,
    /// What that meant: 0 unknown, 1 nothing, 2 failed, 3 passed, 4 passed on condition.
    pub check_result: u8,
    /// The level of its health.
    pub check_health: u32,
    /// Of [`check`].
    pub check: u8,
    /// Of [`check`].
    pub agent: u8,
    /// Its host name, where it has one.
    pub host: Option<String>,
    /// The service whose records say its host and port.
    pub service: Option<String>,
    /// Its port; 0: none.
    pub port: u16,
    /// The port that is checked, if another; 0: not said.
    pub check_port: u16,
    /// The address that is checked, if another.
    pub check_address: Option<IpAddr>,
    /// The address of its agent, if another.
    pub agent_address: Option<IpAddr>,
    /// The port of its agent; 0: not said.
    pub agent_port: u16,
}

/// Whom a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The backend's id, its name, and whether the id is given by the configuration.
    pub backend: (u32, &'a str, bool),
    /// The same of the server.
    pub server: (u32, &'a str, bool),
}

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The backend's id as it is written; nothing is found by it.
    pub backend_id: String,
    /// The backend's name.
    pub backend: String,
    /// The server's name.
    pub server: String,
    /// What it says, or which fields are wrong.
    pub state: Result<ServerState, Invalid>,
}

/// Fields of a line that say nothing valid, each with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(Vec<(&'static str, String)>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, text)) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name} is '{text}'")?;
        }
        Ok(())
    }
}

/// Why a whole file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Its first line is not the version.
    #[error("its first line is not '{VERSION}', the version")]
    Version,
    /// A line is too long, too short, or does not end.
    #[error("line {line} is none of a server state file")]
    Line {
        /// Its number, counted from 1.
        line: usize,
    },
}

/// Reads a whole file. Empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// [`FileError`]: nothing of the file counts then.
pub fn read(bytes: &[u8]) -> Result<Vec<Line>, FileError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let version = lines.next().and_then(|line| number_alone(line.strip_suffix(b"\n").unwrap_or(line)));
    if version != Some(VERSION.into()) {
        return Err(FileError::Version);
    }
    let mut found = Vec::new();
    for (at, line) in lines.enumerate() {
        let wrong = FileError::Line { line: at + 2 };
        let line = line.strip_suffix(b"\n").filter(|line| line.len() <= LINE_MAX && !line.contains(&0)).ok_or(wrong)?;
        let fields: Vec<&[u8]> =
            line.split(|byte| byte.is_ascii_whitespace() && *byte != b'\r').filter(|field| !field.is_empty()).collect();
        if fields.first().is_none_or(|field| field.starts_with(b"#")) {
            continue;
        }
        if fields.len() < FIELDS {
            return Err(wrong);
        }
        let text = |at: usize| String::from_utf8_lossy(fields.get(at).copied().unwrap_or_default()).into_owned();
        found.push(Line {
            backend_id: text(0),
            backend: text(1),
            server: text(3),
            state: Reader { fields: &fields, wrong: vec![] }.state(),
        });
    }
    Ok(found)
}

/// A number as C's `strtol` reads it: blanks, a sign, digits; what follows does not count. `None`: no digit.
fn number(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let digits = &digits[..digits.iter().take_while(|byte| byte.is_ascii_digit()).count()];
    let digit = |sum: i64, byte: &u8| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    (!digits.is_empty()).then(|| sign * digits.iter().fold(0, digit))
}

/// The same, where nothing may follow.
fn number_alone(text: &[u8]) -> Option<i64> {
    text.last().filter(|byte| byte.is_ascii_digit()).and_then(|_| {
        let digits = text.trim_ascii_start();
        let digits = digits.strip_prefix(b"+").unwrap_or(digits);
        if digits.iter().all(u8::is_ascii_digit) { number(digits) } else { None }
    })
}

/// The fields of a line, and those that were wrong so far.
struct Reader<'a> {
    fields: &'a [&'a [u8]],
    wrong: Vec<(&'static str, String)>,
}

impl Reader<'_> {
    fn text(&self, at: usize) -> &[u8] {
        self.fields.get(at).copied().unwrap_or_default()
    }

    /// A number of this range; anything else is noted.
    fn number(&mut self, at: usize, name: &'static str, valid: impl Fn(i64) -> bool) -> i64 {
        match number(self.text(at)).filter(|number| valid(*number)) {
            Some(number) => number,
            None => {
                self.wrong.push((name, String::from_utf8_lossy(self.text(at)).into_owned()));
                0
            }
        }
    }

    /// A number that lies in its type; the fallback is for what [`Self::number`] has noted already.
    fn small<T: TryFrom<i64> + Default>(&mut self, at: usize, name: &'static str, most: i64) -> T {
        T::try_from(self.number(at, name, |n| (0..=most).contains(&n))).unwrap_or_default()
    }

    /// An address, if it is one.
    fn address(&self, at: usize) -> Option<IpAddr> {
        std::str::from_utf8(self.text(at)).ok()?.parse().ok()
    }

    /// The name of a service, which begins with an underscore.
    fn service(&self) -> Option<String> {
        let text = std::str::from_utf8(self.text(19)).ok().filter(|text| text.starts_with('_'))?;
        text.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_:".contains(&c)).then(|| text.to_owned())
    }

    /// A port behind the required fields: what is none counts as not said.
    fn port(&self, at: usize) -> u16 {
        number(self.text(at)).and_then(|port| u16::try_from(port).ok()).unwrap_or(0)
    }

    fn state(mut self) -> Result<ServerState, Invalid> {
        let both = i64::from(admin::MAINT | admin::DRAIN);
        let operation = match self.small::<u8>(5, "srv_op_state", 3) {
            0 => Operation::Stopped,
            1 => Operation::Starting,
            3 => Operation::Stopping,
            _ => Operation::Running,
        };
        let admin = self.number(6, "srv_admin_state", |n| (0..=0x7f).contains(&n) && n & both != both);
        let weight = self.small(7, "srv_uweight", 256);
        let initial_weight = self.small(8, "srv_iweight", 256);
        let since = self.number(9, "srv_time_since_last_change", |_| true);
        let check_status = self.number(10, "srv_check_status", |n| n <= 20);
        let check_result = self.number(11, "srv_check_result", |n| n <= 4);
        let check_health = self.number(12, "srv_check_health", |_| true);
        let check = self.small(13, "srv_check_state", 0x1f);
        let agent = self.small(14, "srv_agent_state", 0x1f);
        self.small::<u8>(15, "bk_f_forced_id", 1);
        self.small::<u8>(16, "srv_f_forced_id", 1);
        let host = match self.text(17) {
            b"-" => None,
            name if name.iter().all(|c| c.is_ascii_alphanumeric() || b".-_:".contains(c)) => {
                Some(String::from_utf8_lossy(name).into_owned())
            }
            name => {
                let text = String::from_utf8_lossy(name).into_owned();
                self.wrong.push(("srv_fqdn", text));
                None
            }
        };
        // A port that is no number is 0 for haproxy, and one below it too.
        let port = number(self.text(18)).unwrap_or(0);
        if port > i64::from(u16::MAX) {
            self.wrong.push(("srv_port", port.to_string()));
        }
        let state = ServerState {
            address: self.address(4),
            operation,
            admin: u8::try_from(admin).unwrap_or(0),
            weight,
            initial_weight,
            since: u64::try_from(since).unwrap_or(0),
            check_status: u8::try_from(check_status).unwrap_or(0),
            check_result: u8::try_from(check_result).unwrap_or(0),
            check_health: u32::try_from(check_health).unwrap_or(0),
            check,
            agent,
            host,
            service: self.service(),
            port: u16::try_from(port).unwrap_or(0),
            check_port: self.port(21),
            check_address: self.address(22),
            agent_address: self.address(23),
            agent_port: self.port(24),
        };
        if self.wrong.is_empty() { Ok(state) } else { Err(Invalid(self.wrong)) }
    }
}

/// Writes a line, without its end.
pub fn write(subject: &Subject<'_>, state: &ServerState, out: &mut impl fmt::Write) -> fmt::Result {
    let address = |address: Option<IpAddr>| address.map_or("-".to_owned(), |address| address.to_string());
    let (backend, server, s) = (subject.backend, subject.server, state);
    write!(out, "{} {} {} {} {} ", backend.0, backend.1, server.0, server.1, address(s.address))?;
    write!(out, "{} {} {} {} {} ", s.operation as u8, s.admin, s.weight, s.initial_weight, s.since)?;
    write!(out, "{} {} {} {} {} ", s.check_status, s.check_result, s.check_health, s.check, s.agent)?;
    let host = s.host.as_deref().unwrap_or("-");
    let service = s.service.as_deref().unwrap_or("-");
    // No TLS in this version.
    write!(out, "{} {} {host} {} {service} 0 ", u8::from(backend.2), u8::from(server.2), s.port)?;
    write!(out, "{} {} {} {}", s.check_port, address(s.check_address), address(s.agent_address), s.agent_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "3 b 2 s2 127.0.0.1 2 8 5 10 500 6 3 4 6 0 0 1 some.host 28811 - 0 77 ::1 127.0.0.6 88";

    fn one(line: &str) -> Result<ServerState, String> {
        let lines = read(format!("1\n# head\n\n{line}\n").as_bytes()).map_err(|why| why.to_string())?;
        lines.into_iter().next().map_or(Err("no line".into()), |line| line.state.map_err(|why| why.to_string()))
    }

    /// The line with another text in one place.
    fn with(at: usize, text: &str) -> String {
        let mut fields: Vec<&str> = GOOD.split(' ').collect();
        fields[at] = text;
        fields.join(" ")
    }

    #[test]
    fn what_is_written_is_read_and_written_again() {
        let state = one(GOOD).unwrap();
        assert_eq!((state.operation, state.admin, state.weight, state.since), (Operation::Running, 8, 5, 500));
        assert_eq!((state.port, state.check_port, state.agent_port), (28811, 77, 88));
        assert_eq!(state.host.as_deref(), Some("some.host"));
        let mut text = String::new();
        write(&Subject { backend: (3, "b", false), server: (2, "s2", true) }, &state, &mut text).unwrap();
        assert_eq!(text, GOOD);
        assert_eq!(HEADER.split_ascii_whitespace().count(), GOOD.split(' ').count());
    }

    #[test]
    fn fields_are_bounded_as_haproxys() {
        for (at, text, want) in [
            (5, "4", Err("srv_op_state is '4'")),
            (5, "x", Err("srv_op_state is 'x'")),
            (5, "2x", Ok(())), // what follows a number does not count
            (5, "+02", Ok(())),
            (6, "9", Err("srv_admin_state is '9'")), // both maintenance and drain
            (6, "128", Err("srv_admin_state is '128'")),
            (6, "-1", Err("srv_admin_state is '-1'")),
            (6, "64", Ok(())),
            (7, "257", Err("srv_uweight is '257'")),
            (8, "-1", Err("srv_iweight is '-1'")),
            (9, "-5", Ok(())),
            (9, "99999999999999999999999", Ok(())),
            (10, "21", Err("srv_check_status is '21'")),
            (10, "-1", Ok(())),
            (11, "5", Err("srv_check_result is '5'")),
            (12, "x", Err("srv_check_health is 'x'")),
            (13, "32", Err("srv_check_state is '32'")),
            (14, "32", Err("srv_agent_state is '32'")),
            (15, "2", Err("bk_f_forced_id is '2'")),
            (16, "-", Err("srv_f_forced_id is '-'")),
            (17, "b\u{e4}d", Err("srv_fqdn is 'b\u{e4}d'")),
            (18, "65536", Err("srv_port is '65536'")),
            (18, "x", Ok(())),
            (0, "x", Ok(())), // ids are not looked at
            (24, "99999", Ok(())),
        ] {
            let got = one(&with(at, text)).map(|_| ());
            assert_eq!(got, want.map_err(str::to_owned), "field {at} '{text}'");
        }
        let two = with(5, "4").replace(" 8 5 10 ", " 9 5 10 ");
        assert_eq!(one(&two), Err("srv_op_state is '4', srv_admin_state is '9'".into()));
    }

    #[test]
    fn a_file_with_a_wrong_line_is_refused_whole() {
        let fields = |n: usize| GOOD.split(' ').take(n).collect::<Vec<_>>().join(" ");
        let corrupt = |line| Err(FileError::Line { line });
        for (text, want) in [
            (String::new(), Err(FileError::Version)),
            ("2\n".into(), Err(FileError::Version)),
            ("1x\n".into(), Err(FileError::Version)),
            ("1 \n".into(), Err(FileError::Version)),
            ("\n1\n".into(), Err(FileError::Version)),
            (" 01\n".into(), Ok(0)),
            ("1\n".into(), Ok(0)),
            (format!("1\n{GOOD}\n"), Ok(1)),
            (format!("1\n  {}\n", GOOD.replace(' ', "\t")), Ok(1)),
            (format!("1\n{GOOD}"), corrupt(2)), // the end is missing
            (format!("1\n{GOOD}\na b\n"), corrupt(3)),
            (format!("1\n#\n\n{}\n", fields(19)), corrupt(4)),
            (format!("1\n{}\n", fields(20)), Ok(1)),
            (format!("1\n{GOOD} {}\n", "y".repeat(1500)), Ok(1)),
            (format!("1\n{GOOD} {}\n", "y".repeat(2000)), corrupt(2)),
            (format!("1\n{GOOD}\0\n"), corrupt(2)),
        ] {
            assert_eq!(read(text.as_bytes()).map(|lines| lines.len()), want, "{text:?}");
        }
    }

    #[test]
    fn hostile_files() {
        bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(at, bytes)| {
            let mut spliced = format!("1\n{GOOD}\n").into_bytes();
            let at = usize::from(*at) % spliced.len();
            spliced.splice(at..(at + bytes.len() / 2).min(spliced.len()), bytes.iter().copied());
            for text in [bytes.as_slice(), &[b"1\n".as_slice(), bytes].concat(), &spliced] {
                for line in read(text).into_iter().flatten() {
                    let Ok(state) = line.state else { continue };
                    assert!(state.weight <= 256 && state.initial_weight <= 256);
                    let mut again = String::from("1\n");
                    let subject = Subject { backend: (0, "b", false), server: (0, "s", false) };
                    write(&subject, &state, &mut again).unwrap();
                    let read = read(format!("{again}\n").as_bytes()).unwrap();
                    assert_eq!(read[0].state.as_ref(), Ok(&state), "{again}");
                }
            }
        });
    }
}
