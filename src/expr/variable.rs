//! The names of variables. Source: manual §7.3.2 "var", §2.8 of 3.x; what a name may hold was asked of 2.6.

use std::fmt;

/// How long a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// As long as the process.
    Process,
    /// As long as the session; a check is one.
    Session,
    /// As long as the transaction: request and response.
    Transaction,
    /// As long as the request is worked on.
    Request,
    /// As long as the response is worked on.
    Response,
    /// As long as the check.
    Check,
}

impl Scope {
    /// All, in the order of messages.
    pub const ALL: [Self; 6] =
        [Self::Process, Self::Session, Self::Transaction, Self::Request, Self::Response, Self::Check];

    /// What stands before the dot.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "proc",
            Self::Session => "sess",
            Self::Transaction => "txn",
            Self::Request => "req",
            Self::Response => "res",
            Self::Check => "check",
        }
    }
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VarName {
    scope: Scope,
    name: Box<str>,
}

impl VarName {
    /// Parses `scope.name`: letters, digits, dots and underscores; `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (scope, name) = std::str::from_utf8(text).ok()?.split_once('.')?;
        let scope = Scope::ALL.into_iter().find(|known| known.name() == scope)?;
        let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        (!name.is_empty() && name.chars().all(good)).then(|| Self { scope, name: name.into() })
    }

    /// How long it lives.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What stands behind the first dot.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for VarName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.scope.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["txn.a", "proc.A_b.9", "check.x", "sess.0", "req.a", "res.a"] {
            assert_eq!(VarName::parse(good.as_bytes()).map(|name| name.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "x", "txn.", ".a", "txn", "foo.a", "txn.a-b", "txn.a b", "TXN.a", "txn.é"] {
            assert_eq!(VarName::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
