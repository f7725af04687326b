//! What was said of an HTTP request, and what it becomes.

use crate::expr::Template;
use crate::ir::check::Request;

/// What `option httpchk` or `http-check send` says; `None`: nothing.
#[derive(Debug, Clone, Default)]
pub struct RequestDraft {
    /// `meth`.
    pub method: Option<Vec<u8>>,
    /// `uri`, `uri-lf`.
    pub uri: Option<Template>,
    /// `ver`.
    pub version: Option<Vec<u8>>,
    /// `hdr`.
    pub headers: Vec<(Vec<u8>, Template)>,
    /// `body`, `body-lf`.
    pub body: Option<Template>,
}

impl RequestDraft {
    /// The request; what is not said is taken of `base`, and then what haproxy assumes. Fields are all taken of one of
    /// the two.
    pub fn request(&self, base: &Self) -> Request {
        let pick = |own: &Option<Vec<u8>>, base: &Option<Vec<u8>>, default: &str| {
            own.as_ref().or(base.as_ref()).map_or_else(|| default.as_bytes().to_vec(), Clone::clone)
        };
        Request {
            method: pick(&self.method, &base.method, "OPTIONS"),
            uri: self.uri.as_ref().or(base.uri.as_ref()).map_or_else(|| "/".into(), Clone::clone),
            version: pick(&self.version, &base.version, "HTTP/1.0"),
            headers: if self.headers.is_empty() { base.headers.clone() } else { self.headers.clone() },
            body: self.body.as_ref().or(base.body.as_ref()).cloned(),
        }
    }
}
