//! Answers that the page does not give: what haproxy says when a request is bad, late, or not for the page.
//!
//! An `errorfile` takes their place. Source: configuration manual §4.2 "errorfile"; statuses observed on 2.6.12.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{HeaderName, HeaderValue};

use super::body::Content;
use crate::ir::Proxy;

/// What a status of ours is called, and our sentence about it.
fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("Bad Request", "The request could not be understood."),
        408 => ("Request Timeout", "The request did not come in time."),
        503 => ("Service Unavailable", "Nothing here answers this request."),
        _ => ("Error", "The request was not answered."),
    }
}

fn body(status: u16) -> String {
    let (reason, sentence) = words(status);
    format!("<html><body><h1>{status} {reason}</h1>\n{sentence}\n</body></html>\n")
}

fn file(proxy: &Proxy, status: u16) -> Option<&[u8]> {
    proxy.error_files.iter().find(|file| file.status == status).map(|file| &*file.answer)
}

/// The bytes of an answer after which the connection ends.
pub(super) fn last_words(proxy: &Proxy, status: u16) -> Vec<u8> {
    if let Some(file) = file(proxy, status) {
        return file.to_vec();
    }
    let body = body(status);
    let head = format!(
        "HTTP/1.1 {status} {}\r\ncontent-length: {}\r\ncache-control: no-cache\r\nconnection: close\r\n\
         content-type: text/html\r\n\r\n",
        words(status).0,
        body.len()
    );
    (head + &body).into_bytes()
}

/// The same for a connection that goes on.
pub(super) fn response(proxy: &Proxy, status: u16) -> Response<Content> {
    if let Some(response) = file(proxy, status).and_then(parse) {
        return response;
    }
    let mut response = Response::new(Content::whole(body(status)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// An error file as an answer of its own: its status, headers (but those about the connection) and body.
fn parse(file: &[u8]) -> Option<Response<Content>> {
    let (head, body) = match memchr::memmem::find(file, b"\r\n\r\n") {
        Some(at) => (&file[..at], &file[at + 4..]),
        None => {
            let at = memchr::memmem::find(file, b"\n\n")?;
            (&file[..at], &file[at + 2..])
        }
    };
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let status = std::str::from_utf8(lines.next()?).ok()?.split(' ').nth(1)?.parse::<u16>().ok()?;
    let mut response = Response::new(Content::whole(Bytes::copy_from_slice(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).ok()?;
    for line in lines {
        let Some(at) = memchr::memchr(b':', line) else { continue };
        let name = HeaderName::from_bytes(line[..at].trim_ascii()).ok()?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        if !matches!(name.as_str(), "content-length" | "connection" | "transfer-encoding") {
            response.headers_mut().append(name, value);
        }
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn error_files() {
        let file = b"HTTP/1.0 503 Gone Fishing\r\nCache-Control: no-cache\r\nConnection: close\r\nX-A: b\r\n\r\n<b>later</b>\n";
        let response = parse(file).unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["x-a"], "b");
        assert!(!response.headers().contains_key("connection"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(&body[..], b"<b>later</b>\n");
        assert!(parse(b"").is_none() && parse(b"no head").is_none() && parse(b"HTTP/1.0 x\r\n\r\n").is_none());
    }

    /// Error files come from outside.
    #[test]
    fn hostile_error_files() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let _ = parse(bytes);
        });
    }
}
