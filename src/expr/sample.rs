//! One expression: a fetch, and what it gives.
//!
//! Source: manual §7.3.1 (`str`, `int`, `bool`, `var`), §2.8 of variables' names under `tcp-check set-var`.

use thiserror::Error;

/// What an expression may look at.
pub trait Lookup {
    /// The value of a variable; `None` if it is not set.
    fn variable(&self, name: &VarName) -> Option<Value>;
}

/// What an expression gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Bytes, mostly text.
    Text(Vec<u8>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

impl Value {
    /// As text: what is put into a message. Yes is `1`.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string().into_bytes(),
            Self::Bool(truth) => vec![b'0' + u8::from(*truth)],
        }
    }

    /// As a number; a text that is none gives nothing.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            Self::Int(number) => Some(*number),
            Self::Bool(truth) => Some(i64::from(*truth)),
        }
    }
}

/// How long a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// As long as the check.
    Check,
    /// As long as the session; a check is one.
    Session,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VarName {
    scope: Scope,
    name: String,
}

impl VarName {
    /// Parses `scope.name`.
    ///
    /// # Errors
    /// [`ExprError::Variable`] without a scope or with other characters; [`ExprError::NotYet`] for scopes that live
    /// longer or shorter than a check.
    pub fn parse(text: &[u8]) -> Result<Self, ExprError> {
        let shown = || String::from_utf8_lossy(text).into_owned();
        let wrong = || ExprError::Variable { text: shown() };
        let (scope, name) = std::str::from_utf8(text).ok().and_then(|text| text.split_once('.')).ok_or_else(wrong)?;
        let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(good) {
            return Err(wrong());
        }
        let scope = match scope {
            "check" => Scope::Check,
            "sess" => Scope::Session,
            "proc" | "txn" | "req" | "res" => {
                return Err(ExprError::NotYet { what: format!("variables of the scope '{scope}'") });
            }
            _ => return Err(wrong()),
        };
        Ok(Self { scope, name: name.to_owned() })
    }
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// `str(…)`, `int(…)`, `bool(…)`.
    Constant(Value),
    /// `var(…)`.
    Var(VarName),
}

/// Why an expression is none.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ExprError {
    /// Nothing was written.
    #[error("an expression is missing")]
    Missing,
    /// A parenthesis that is not closed, or words behind it.
    #[error("'{text}' has no closing parenthesis, or something behind it")]
    Parentheses {
        /// The expression.
        text: String,
    },
    /// An argument of the wrong kind.
    #[error("'{text}' is not {kind}")]
    Argument {
        /// The argument.
        text: String,
        /// What it should be, with its article.
        kind: &'static str,
    },
    /// Not a variable's name.
    #[error("'{text}' is not the name of a variable: a scope ('check', 'sess' …), a dot, letters and digits")]
    Variable {
        /// The name.
        text: String,
    },
    /// What this version does not know.
    #[error("not built into this version of baton yet: {what}")]
    NotYet {
        /// What it is.
        what: String,
    },
}

impl Expr {
    /// Parses an expression that is the whole of `text`.
    ///
    /// # Errors
    /// See [`ExprError`]; everything but constants and variables is [`ExprError::NotYet`].
    pub fn parse(text: &[u8]) -> Result<Self, ExprError> {
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let open = text.iter().position(|byte| *byte == b'(').unwrap_or(text.len());
        let (name, rest) = text.split_at(open);
        if name.is_empty() {
            return Err(ExprError::Missing);
        }
        let close = rest.iter().position(|byte| *byte == b')');
        let argument = match (rest, close) {
            ([], _) => &[][..],
            (_, Some(close)) if close + 1 == rest.len() => &rest[1..close],
            (_, Some(close)) if rest[close + 1] == b',' => {
                return Err(ExprError::NotYet { what: format!("converters ('{}')", shown(&rest[close + 2..])) });
            }
            _ => return Err(ExprError::Parentheses { text: shown(text) }),
        };
        let plain = std::str::from_utf8(argument).unwrap_or_default();
        Ok(match name {
            b"str" => match argument.iter().any(|byte| b"'\"\\,".contains(byte)) {
                true => return Err(ExprError::NotYet { what: format!("quotes and commas in '{}'", shown(text)) }),
                false => Self::Constant(Value::Text(argument.to_vec())),
            },
            b"int" => {
                let wrong = || ExprError::Argument { text: shown(argument), kind: "a whole number" };
                Self::Constant(Value::Int(plain.parse().map_err(|_| wrong())?))
            }
            b"bool" => {
                let truth = match plain.to_ascii_lowercase().as_str() {
                    "1" | "true" | "yes" | "on" => true,
                    "0" | "false" | "no" | "off" => false,
                    _ => return Err(ExprError::Argument { text: shown(argument), kind: "'true' or 'false'" }),
                };
                Self::Constant(Value::Bool(truth))
            }
            b"var" => Self::Var(VarName::parse(argument)?),
            _ => return Err(ExprError::NotYet { what: format!("the expression '{}'", shown(text)) }),
        })
    }

    /// What it gives now; `None`: nothing.
    pub fn evaluate(&self, facts: &dyn Lookup) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Var(name) => facts.variable(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_variables_are_read_and_the_rest_is_named() {
        let text = |text: &str| Ok(Expr::Constant(Value::Text(text.as_bytes().to_vec())));
        for (written, want) in [
            ("str(abc)", text("abc")),
            ("str()", text("")),
            ("int(-5)", Ok(Expr::Constant(Value::Int(-5)))),
            ("bool(true)", Ok(Expr::Constant(Value::Bool(true)))),
            ("int(x)", Err(ExprError::Argument { text: "x".into(), kind: "a whole number" })),
            ("str(abc", Err(ExprError::Parentheses { text: "str(abc".into() })),
            ("str(a)b", Err(ExprError::Parentheses { text: "str(a)b".into() })),
            ("str(a),upper", Err(ExprError::NotYet { what: "converters ('upper')".into() })),
            ("src", Err(ExprError::NotYet { what: "the expression 'src'".into() })),
            ("var(x)", Err(ExprError::Variable { text: "x".into() })),
            ("var(txn.x)", Err(ExprError::NotYet { what: "variables of the scope 'txn'".into() })),
            ("", Err(ExprError::Missing)),
        ] {
            assert_eq!(Expr::parse(written.as_bytes()), want, "{written:?}");
        }
        let name = VarName::parse(b"check.a").expect("a name");
        assert_eq!(Expr::parse(b"var(check.a)"), Ok(Expr::Var(name)));
    }
}
