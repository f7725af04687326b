//! HTTP as checks speak it: one request of version 1, and the answer to it as far as it has come.
//!
//! Field names go out in small letters, and `connection` as haproxy's own HTTP layer would set it. Header fields and
//! the sizes of chunks are read by the crate `httparse`; the first line is read here, for haproxy takes more versions
//! and statuses than there are. Observed on 2.6.12 (`fixtures/checks/rules/http.txt`).

use std::borrow::Cow;

use crate::expr::Facts;
use crate::ir::check::Request;

/// The most header fields of an answer, as haproxy's `tune.http.maxhdr` has it.
const MOST_HEADERS: usize = 101;

/// An answer as far as it has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// Its head is not whole.
    Partial,
    /// It is none.
    Broken,
    /// It has a head.
    Answer(Answer<'a>),
}

/// An answer whose head is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// Three digits, mostly.
    pub(super) status: u16,
    /// What stands behind them.
    pub(super) reason: &'a [u8],
    /// Names and values.
    pub(super) headers: Vec<(&'a [u8], &'a [u8])>,
    /// What has come of its body.
    pub(super) body: Cow<'a, [u8]>,
    /// Whether nothing more belongs to it.
    pub(super) complete: bool,
}

/// Reads an answer. `bodiless`: to `HEAD`, whose answers have no body.
pub(super) fn answer(bytes: &[u8], bodiless: bool) -> Parsed<'_> {
    // empty lines before an answer are passed over
    let bytes = match bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')) {
        Some(start) => &bytes[start..],
        None => return Parsed::Partial,
    };
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if begins_well(bytes) { Parsed::Partial } else { Parsed::Broken };
    };
    let (line, rest) = (bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]), &bytes[end + 1..]);
    let Some((status, reason)) = status_line(line) else { return Parsed::Broken };
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let (length, headers) = match httparse::parse_headers(rest, &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) => {
            (length, fields.iter().map(|field| (field.name.as_bytes(), field.value)).collect::<Vec<_>>())
        }
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Broken,
    };
    let rest = &rest[length..];
    let Some((body, complete)) = body(&headers, rest, bodiless || matches!(status, 100..=199 | 204 | 304)) else {
        return Parsed::Broken;
    };
    Parsed::Answer(Answer { status, reason, headers, body, complete })
}

/// Whether bytes may become a first line.
fn begins_well(bytes: &[u8]) -> bool {
    let shortest = bytes.len().min(5);
    bytes[..shortest] == b"HTTP/"[..shortest]
}

/// The status and the reason of `HTTP/x.y status reason`; any digits will do.
fn status_line(line: &[u8]) -> Option<(u16, &[u8])> {
    let rest = line.strip_prefix(b"HTTP/")?;
    let [major, b'.', minor, b' ', rest @ ..] = rest else { return None };
    if !major.is_ascii_digit() || !minor.is_ascii_digit() {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (status, reason) = rest.split_at(digits);
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    match reason {
        [] => Some((status, reason)),
        [b' ', ..] => Some((status, reason.trim_ascii_start())),
        _ => None,
    }
}

/// What has come of the body, and whether that is all; `None`: it is broken.
fn body<'a>(headers: &[(&[u8], &[u8])], rest: &'a [u8], none: bool) -> Option<(Cow<'a, [u8]>, bool)> {
    let of = |wanted: &'static str| {
        headers.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes())).map(|(_, value)| *value)
    };
    let mut length = None;
    for value in of("content-length") {
        let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
        let number: usize = digits.then(|| std::str::from_utf8(value).ok()?.parse().ok())??;
        if length.is_some_and(|known| known != number) {
            return None;
        }
        length = Some(number);
    }
    if none {
        return Some((Cow::Borrowed(&[]), true));
    }
    if of("transfer-encoding").any(|value| value.to_ascii_lowercase().ends_with(b"chunked")) {
        return chunks(rest);
    }
    Some(match length {
        Some(length) => (Cow::Borrowed(&rest[..rest.len().min(length)]), rest.len() >= length),
        None => (Cow::Borrowed(rest), false),
    })
}

/// What has come of a body in chunks.
fn chunks(mut rest: &[u8]) -> Option<(Cow<'static, [u8]>, bool)> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Some((body.into(), false)),
            Err(_) => return None,
        };
        if size == 0 {
            return Some((body.into(), true));
        }
        rest = &rest[start..];
        let whole = usize::try_from(size).ok().filter(|size| *size <= rest.len());
        body.extend_from_slice(&rest[..whole.unwrap_or(rest.len())]);
        let Some(whole) = whole else { return Some((body.into(), false)) };
        rest = match &rest[whole..] {
            [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Some((body.into(), false)),
            _ => return None,
        };
    }
}

/// Writes a request. `state`: what is said of the server's state, if anything.
pub(super) fn request(request: &Request, state: Option<&str>, facts: &dyn Facts) -> Vec<u8> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.evaluate(facts))).collect();
    let persistent = persists(&request.version);
    let version: &[u8] = if persistent { b"HTTP/1.1" } else { &request.version };
    let host = fields.iter().find(|(name, _)| name == b"host").map(|(_, value)| value.as_slice());
    let uri = with_authority(request.uri.evaluate(facts), host);
    let mut out = [&request.method, b" ".as_slice(), &uri, b" ", version, b"\r\n"].concat();
    let mut add = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    };
    let mut connection = persistent.then_some(b"close".as_slice());
    for (name, value) in &fields {
        match (name.as_slice(), value.to_ascii_lowercase().as_slice()) {
            (b"content-length" | b"transfer-encoding", _) => {}
            (b"connection", b"close") => connection = persistent.then_some(b"close"),
            (b"connection", b"keep-alive") => connection = (!persistent).then_some(b"keep-alive"),
            (b"connection", _) => {
                connection = None;
                add(name, value);
            }
            _ => add(name, value),
        }
    }
    if let Some(state) = state {
        add(b"x-haproxy-server-state", state.as_bytes());
    }
    let body = request.body.as_ref().map(|body| body.evaluate(facts)).unwrap_or_default();
    // haproxy tells of an empty body, too, where a method may well have one; methods are told apart by their letters
    let bodiless = matches!(request.method.as_slice(), b"GET" | b"HEAD" | b"OPTIONS" | b"DELETE");
    if !body.is_empty() || !bodiless {
        add(b"content-length", body.len().to_string().as_bytes());
    }
    if let Some(connection) = connection {
        add(b"connection", connection);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    out
}

/// Whether a version keeps connections: from 1.1 on. What is no version does not.
fn persists(version: &[u8]) -> bool {
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9']
        if (*major, *minor) > (b'1', b'0'))
}

/// A URI with a scheme names the host that the request is for.
fn with_authority(uri: Vec<u8>, host: Option<&[u8]>) -> Vec<u8> {
    let (Some(host), Some(scheme)) = (host, memchr::memmem::find(&uri, b"://")) else { return uri };
    if uri.starts_with(b"/") {
        return uri;
    }
    let (scheme, rest) = uri.split_at(scheme + 3);
    let path = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    [scheme, host, &rest[path..]].concat()
}
