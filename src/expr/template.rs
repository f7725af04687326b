//! A text with expressions and variables of logs in it: `ping %[int(5)] of %ci`.
//!
//! It is a log format (manual §8.2.4) that is no line: spaces stand as they are, and what is not known leaves no trace (asked of
//! 2.6.12, tests/rules/formats.rs).

use thiserror::Error;

use super::context::Context;
use super::error::Wrong;
use super::format::{Fact, Facts as LogFacts, Format, FormatError, Variable};
use super::place::Place;
use super::{Expr, ExprError, Facts, Resolve};

/// A text with expressions and variables of logs in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Format);

/// Why such a text is none.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// An expression or a variable; the places that it blames are those of the text.
    #[error(transparent)]
    Expr(Box<ExprError>),
    /// Something else.
    #[error(transparent)]
    Format(FormatError),
    /// A variable that there is in HTTP only.
    #[error("the variable '%{name}' is known in 'mode http' only")]
    Http {
        /// Its name.
        name: &'static str,
    },
}

impl From<&str> for Template {
    /// The text as it is.
    fn from(text: &str) -> Self {
        Self(Format::of_text(text.as_bytes()))
    }
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// How long the expression is that a text begins with: up to a `]` outside of parentheses.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_u32;
    text.iter().position(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b']' && depth == 0
    })
}

impl Template {
    /// Parses a text; `%%` is a `%`. Variables of logs are known where there is a session.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn parse(text: &[u8], context: &Context<'_>) -> Result<Self, TemplateError> {
        let format = Format::verbatim(text, context).map_err(|why| match why {
            FormatError::Expr { why, .. } => TemplateError::Expr(why),
            why => TemplateError::Format(why),
        })?;
        if let Some(variable) = format.http_variable() {
            return Err(TemplateError::Http { name: variable.name() });
        }
        let first = format.variables().next().filter(|_| matches!(context.place, Place::Config | Place::Check));
        if let Some(variable) = first {
            let what = format!("variables of logs where there is no session ('%{}')", variable.name());
            return Err(TemplateError::Expr(Box::new(ExprError::new(0, 0..text.len(), Wrong::NotBuilt { what }))));
        }
        Ok(Self(format))
    }

    /// Looks up the names among the arguments of its expressions.
    ///
    /// # Errors
    /// [`Wrong::Unresolved`].
    pub fn resolve(&mut self, names: &dyn Resolve) -> Result<(), ExprError> {
        self.0.resolve(names)
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.0.expressions()
    }

    /// Whether it has variables of logs: only [`Self::write`] knows them.
    pub fn has_variables(&self) -> bool {
        self.0.variables().next().is_some()
    }

    /// The text now; an expression that gives nothing leaves no trace, and a variable neither.
    pub fn evaluate(&self, facts: &dyn Facts) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&Samples(facts), &mut out);
        out
    }

    /// Appends the text that a session makes now.
    pub fn write(&self, facts: &impl LogFacts, out: &mut Vec<u8>) {
        self.0.write_verbatim(facts, out);
    }
}

/// Facts without variables of logs.
struct Samples<'a>(&'a dyn Facts);

impl LogFacts for Samples<'_> {
    fn fact(&self, _: Variable) -> Fact<'_> {
        Fact::Absent
    }

    fn date(&self, _: super::format::Date, _: &mut Vec<u8>) {}

    fn samples(&self) -> &dyn Facts {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::tests::{context, hello};

    #[test]
    fn expressions_are_put_into_their_text() {
        context(|context| {
            for (text, want) in [
                ("plain", "plain"),
                ("", ""),
                ("100%%", "100%"),
                ("a%[int(5)]b%[bool(true)]", "a5b1"),
                ("%[var(check.a)] %[var(check.b)]!", "hello !"),
                ("%[str(a]b),upper]", "A]B"),
            ] {
                let format = Template::parse(text.as_bytes(), context).expect(text);
                assert_eq!(String::from_utf8_lossy(&format.evaluate(&hello())), want, "{text:?}");
            }
            for wrong in [&b"a%[int(5)"[..], b"100%", b"%nothing"] {
                assert!(matches!(Template::parse(wrong, context), Err(TemplateError::Format(_))), "{wrong:?}");
            }
            assert_eq!(Template::parse(b"%HM", context), Err(TemplateError::Http { name: "HM" }));
            assert!(Template::parse(b"%ci", context).is_ok_and(|format| format.has_variables()));
            let check = Context { place: Place::Check, ..*context };
            let Err(TemplateError::Expr(why)) = Template::parse(b"%ci", &check) else { panic!("read") };
            assert!(why.not_built(), "{why}");
            let Err(TemplateError::Expr(why)) = Template::parse(b"ab%[str(c),nope]", context) else { panic!("read") };
            assert_eq!(why.at, 11..15);
        });
    }
}
