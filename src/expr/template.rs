//! A text with expressions in it: `ping %[int(5)]`.
//!
//! Source: manual §8.2.4 (log-format); the log's own variables are not built here.

use thiserror::Error;

use super::{Expr, ExprError, Lookup};

/// A text with expressions in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Expr(Expr),
}

/// Why a text with expressions is none.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// A `%[` without its `]`.
    #[error("'%[' without ']'")]
    Open,
    /// An expression.
    #[error(transparent)]
    Expr(#[from] ExprError),
}

impl From<&str> for Template {
    /// The text as it is.
    fn from(text: &str) -> Self {
        Self { pieces: vec![Piece::Text(text.as_bytes().to_vec())] }
    }
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Template {
    /// Parses a text; `%%` is a `%`.
    ///
    /// # Errors
    /// See [`TemplateError`]; flags and variables of logs are [`ExprError::NotYet`].
    pub fn parse(text: &[u8]) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
            plain.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            match rest.first() {
                Some(b'%') => {
                    plain.push(b'%');
                    rest = &rest[1..];
                }
                Some(b'[') => {
                    let end = rest.iter().position(|byte| *byte == b']').ok_or(TemplateError::Open)?;
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Expr(Expr::parse(&rest[1..end])?));
                    rest = &rest[end + 1..];
                }
                _ => {
                    let shown = String::from_utf8_lossy(rest).into_owned();
                    return Err(ExprError::NotYet { what: format!("variables of logs in a rule ('%{shown}')") }.into());
                }
            }
        }
        plain.extend_from_slice(rest);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self { pieces })
    }

    /// The text now; an expression that gives nothing leaves no trace.
    pub fn evaluate(&self, facts: &dyn Lookup) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Expr(expr) => out.extend(expr.evaluate(facts).map(|value| value.text()).unwrap_or_default()),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Value, VarName};

    struct Known;

    impl Lookup for Known {
        fn variable(&self, name: &VarName) -> Option<Value> {
            (*name == VarName::parse(b"check.a").ok()?).then(|| Value::Text(b"hello".to_vec()))
        }
    }

    #[test]
    fn expressions_are_put_into_their_text() {
        for (text, want) in [
            ("plain", "plain"),
            ("", ""),
            ("100%%", "100%"),
            ("a%[int(5)]b%[bool(yes)]", "a5b1"),
            ("%[var(check.a)] %[var(check.b)]!", "hello !"),
        ] {
            let format = Template::parse(text.as_bytes()).expect(text);
            assert_eq!(String::from_utf8_lossy(&format.evaluate(&Known)), want, "{text:?}");
        }
        assert_eq!(Template::parse(b"a%[int(5)"), Err(TemplateError::Open));
        for wrong in [&b"%ci"[..], b"100%", b"%{+Q}o", b"%[src]"] {
            assert!(matches!(Template::parse(wrong), Err(TemplateError::Expr(ExprError::NotYet { .. }))), "{wrong:?}");
        }
    }
}
