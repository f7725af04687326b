//! What a connection begins with: three lines from who connected, and a line with a status from who was connected to.

use std::fmt::Write as _;

/// The name of the protocol.
const PROTOCOL: &[u8] = b"HAProxyS";
/// The most bytes of a hello; names of peers are host names.
pub const MOST_HELLO: usize = 1024;

/// The first lines of who connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Minor version: 0 or 1 of version 2.
    pub minor: u8,
    /// Whom it wants to talk to.
    pub to: Vec<u8>,
    /// Who it is.
    pub from: Vec<u8>,
}

/// How a hello is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The session goes on.
    Succeeded,
    /// Not now.
    TryAgain,
    /// No hello.
    Protocol,
    /// A version that is not spoken here.
    Version,
    /// The peer that was asked for is another.
    LocalName,
    /// The peer that asks is not known.
    RemoteName,
}

impl Status {
    const ALL: [Self; 6] =
        [Self::Succeeded, Self::TryAgain, Self::Protocol, Self::Version, Self::LocalName, Self::RemoteName];

    /// Its number.
    pub const fn code(self) -> u16 {
        match self {
            Self::Succeeded => 200,
            Self::TryAgain => 300,
            Self::Protocol => 501,
            Self::Version => 502,
            Self::LocalName => 503,
            Self::RemoteName => 504,
        }
    }

    /// Its line.
    pub fn line(self) -> String {
        format!("{}\n", self.code())
    }

    /// Reads a status line, once it is whole: the status and the length of the line.
    ///
    /// # Errors
    /// `Err(())`: it cannot become one.
    #[expect(clippy::result_unit_err, reason = "there is one way to be no status")]
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, ()> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            return if bytes.len() > 4 { Err(()) } else { Ok(None) };
        };
        let text = bytes.get(..end).unwrap_or_default();
        let code = text.strip_suffix(b"\r").unwrap_or(text);
        let found = Self::ALL.into_iter().find(|status| status.code().to_string().as_bytes() == code);
        found.map(|status| Some((status, end + 1))).ok_or(())
    }
}

impl Hello {
    /// The lines of a hello.
    pub fn lines(&self, pid: u32) -> Vec<u8> {
        let mut text = String::new();
        let _ = write!(text, "HAProxyS 2.{}\n{}\n", self.minor, String::from_utf8_lossy(&self.to));
        let _ = writeln!(text, "{} {pid} 1", String::from_utf8_lossy(&self.from));
        text.into_bytes()
    }

    /// Reads a hello as far as it has come; `None`: there is more to come. With it comes its length.
    ///
    /// # Errors
    /// The status that refuses it, as soon as it can be known; names are not judged here.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Status> {
        let (mut at, mut lines) = (0, [&b""[..]; 3]);
        for (number, slot) in lines.iter_mut().enumerate() {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                let first = number > 0 || rest.starts_with(PROTOCOL) || PROTOCOL.starts_with(rest);
                return if first && bytes.len() < MOST_HELLO { Ok(None) } else { Err(Status::Protocol) };
            };
            let line = rest.get(..end).unwrap_or_default();
            *slot = line.strip_suffix(b"\r").unwrap_or(line);
            at += end + 1;
            if number == 0 {
                version(slot)?;
            }
        }
        let minor = version(lines[0])?;
        let mut words = lines[2].split(|byte| *byte == b' ');
        let from = words.next().unwrap_or_default();
        let numbers: Vec<&[u8]> = words.collect();
        let whole =
            numbers.len() >= 2 && numbers.iter().all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_digit));
        match whole {
            true => Ok(Some((Self { minor, to: lines[1].to_vec(), from: from.to_vec() }, at))),
            false => Err(Status::Protocol),
        }
    }
}

/// The minor version of a first line.
fn version(line: &[u8]) -> Result<u8, Status> {
    let rest = line.strip_prefix(PROTOCOL).and_then(|rest| rest.strip_prefix(b" ")).ok_or(Status::Protocol)?;
    match rest {
        b"2.0" => Ok(0),
        b"2.1" => Ok(1),
        _ => Err(Status::Version),
    }
}
