//! Whether bytes are the head of an HTTP/1 request: `req.proto_http`, which TCP rules ask.
//!
//! Knows the shape of a head and the few fields that can spoil it, and keeps nothing of it; it is no parser for serving HTTP.
//! Source: manual §7.3.5 "req.proto_http"; RFC 9112 §2 to §6, RFC 9110 §5.6.2; what is taken and what is not was asked of
//! 2.6 (`fixtures/expr/buffers.txt`).

use super::Found;
use crate::expr::Value;

/// The most fields of a head (2.6 with its default of `tune.http.maxhdr`).
const MOST_FIELDS: usize = 98;

/// What the bytes say so far: yes once the head is whole.
pub(super) fn look(bytes: &[u8]) -> Found<'static> {
    match (Head { bytes, at: 0 }).request() {
        Ok(()) => Found::Value(Value::Bool(true)),
        Err(Lack::More) => Found::More,
        Err(Lack::Wrong) => Found::No,
    }
}

/// Why it is no head.
enum Lack {
    /// It may become one.
    More,
    /// It will not.
    Wrong,
}

/// A head that is being read.
struct Head<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What of the fields can contradict.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    /// Whether the last coding is `chunked`.
    chunked: Option<bool>,
}

fn check(good: bool) -> Result<(), Lack> {
    if good { Ok(()) } else { Err(Lack::Wrong) }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl<'a> Head<'a> {
    fn next(&self) -> Result<u8, Lack> {
        self.bytes.get(self.at).copied().ok_or(Lack::More)
    }

    /// Takes the bytes that fit; there must be one behind them.
    fn all(&mut self, fits: impl Fn(u8) -> bool) -> Result<&'a [u8], Lack> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| !fits(*byte)).ok_or(Lack::More)?;
        self.at += length;
        Ok(&rest[..length])
    }

    /// Takes the end of a line, if it is there.
    fn line_ends(&mut self) -> Result<bool, Lack> {
        match self.next()? {
            b'\n' => self.at += 1,
            b'\r' => {
                check(self.bytes.get(self.at + 1).ok_or(Lack::More)? == &b'\n')?;
                self.at += 2;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn request(&mut self) -> Result<(), Lack> {
        while self.line_ends()? {}
        let method = self.all(is_token)?;
        check(!method.is_empty() && is_blank(self.next()?))?;
        self.all(is_blank)?;
        let target = self.all(|byte| byte.is_ascii_graphic())?;
        check(!target.is_empty())?;
        self.all(is_blank)?;
        let version = self.all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'.'..=b'9'))?;
        check(self.line_ends()?)?;
        if version.is_empty() {
            // HTTP/0.9: nothing follows.
            return Ok(());
        }
        let mut fields = Fields::default();
        let mut count = 0;
        while !self.line_ends()? {
            let name = self.all(is_token)?;
            check(!name.is_empty() && self.next()? == b':')?;
            self.at += 1;
            let value = self.value()?;
            count += 1;
            check(count <= MOST_FIELDS)?;
            fields.add(name, value.trim_ascii())?;
        }
        fields.agree(method, target)
    }

    /// The value of a field: lines that begin with a blank go on.
    fn value(&mut self) -> Result<&'a [u8], Lack> {
        let from = self.at;
        loop {
            self.all(|byte| !matches!(byte, b'\r' | b'\n'))?;
            let to = self.at;
            check(self.line_ends()?)?;
            if !is_blank(self.next()?) {
                return Ok(&self.bytes[from..to]);
            }
        }
    }
}

impl<'a> Fields<'a> {
    fn add(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Lack> {
        if name.eq_ignore_ascii_case(b"host") {
            check(self.host.replace(value).is_none_or(|host| host == value))?;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            for number in value.split(|byte| *byte == b',') {
                let text = std::str::from_utf8(number.trim_ascii()).map_err(|_| Lack::Wrong)?;
                check(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))?;
                let number = text.parse::<u64>().ok().filter(|number| *number <= i64::MAX as u64).ok_or(Lack::Wrong)?;
                check(self.length.replace(number).is_none_or(|length| length == number))?;
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
            self.chunked.get_or_insert(false);
            for coding in codings {
                // Nothing may come behind 'chunked'.
                check(self.chunked != Some(true))?;
                self.chunked = Some(coding.eq_ignore_ascii_case(b"chunked"));
            }
        }
        Ok(())
    }

    /// Whether they fit to one another and to the first line.
    fn agree(&self, method: &[u8], target: &[u8]) -> Result<(), Lack> {
        check(self.chunked != Some(false))?;
        let scheme = target.windows(3).position(|three| three == b"://");
        let rest = scheme.map_or(target, |scheme| &target[scheme + 3..]);
        let authority = match rest.first() {
            Some(b'/' | b'*') if scheme.is_none() => return check(method != b"CONNECT"),
            _ => rest.split(|byte| *byte == b'/').next().unwrap_or_default(),
        };
        let authority = authority.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
        let ports: &[&[u8]] = match scheme.map(|scheme| &target[..scheme]) {
            _ if method == b"CONNECT" => &[b":80", b":443"],
            Some(scheme) if scheme.eq_ignore_ascii_case(b"http") => &[b":80"],
            Some(scheme) if scheme.eq_ignore_ascii_case(b"https") => &[b":443"],
            _ => &[],
        };
        check(method != b"CONNECT" || authority.contains(&b':'))?;
        let Some(host) = self.host else { return Ok(()) };
        check(bare(authority, ports).eq_ignore_ascii_case(bare(host, ports)))
    }
}

/// A host without a port that goes without saying.
fn bare<'a>(host: &'a [u8], ports: &[&[u8]]) -> &'a [u8] {
    ports.iter().find_map(|port| host.strip_suffix(*port)).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_too_strange() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let whole = look(bytes);
            // What is decided stays so.
            let half = look(&bytes[..bytes.len() / 2]);
            assert!(half == Found::More || half == whole, "{half:?} became {whole:?}");
        });
    }
}
