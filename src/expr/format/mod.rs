//! Log formats: text with `%variables`, compiled to pieces.
//!
//! Entry points: [`Format::parse`] and [`Format::write`]. Source: configuration manual §8.2.6; what it does not say was
//! asked of 2.6 (docs/OBSERVED.md).

mod parse;
mod variable;
mod write;

pub use parse::FormatError;
pub use variable::{Stage, Variable};
pub use write::{Date, Fact, Facts};

/// How a variable is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// `Q`: text in double quotes.
    pub quoted: bool,
    /// `X`: addresses and some numbers in hexadecimal.
    pub hex: bool,
    /// `E`: `"`, `\` and `]` get a backslash.
    pub escaped: bool,
}

/// One piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands, without spaces.
    Text(Box<[u8]>),
    /// One space, written only if something stands before it that is no space.
    Space,
    /// A variable.
    Variable(Variable, Flags),
    /// A sample expression.
    Sample(Box<super::Expr>, Flags),
}

/// A compiled format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Format {
    pieces: Box<[Piece]>,
}

impl Format {
    /// That text and nothing else.
    pub(super) fn of_text(text: &[u8]) -> Self {
        Self { pieces: Box::new([Piece::Text(text.into())]) }
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its variables.
    pub fn variables(&self) -> impl Iterator<Item = Variable> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable, _) => Some(*variable),
            Piece::Text(_) | Piece::Space | Piece::Sample(..) => None,
        })
    }

    /// Its sample expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &super::Expr> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Sample(expr, _) => Some(&**expr),
            _ => None,
        })
    }

    /// Looks up the names among the arguments of its expressions.
    ///
    /// # Errors
    /// [`super::Wrong::Unresolved`].
    pub fn resolve(&mut self, names: &dyn super::Resolve) -> Result<(), super::ExprError> {
        self.pieces.iter_mut().try_for_each(|piece| match piece {
            Piece::Sample(expr, _) => expr.resolve(names),
            Piece::Text(_) | Piece::Space | Piece::Variable(..) => Ok(()),
        })
    }

    /// Whether it shows the session's unique id as a variable.
    pub fn shows_id(&self) -> bool {
        self.variables().any(|variable| variable == Variable::Id)
    }

    /// The moment of a session from which all its variables are known.
    pub fn stage(&self) -> Stage {
        self.variables().map(Variable::stage).max().unwrap_or(Stage::Connected)
    }

    /// A variable that only a proxy in `mode http` may use.
    pub fn http_variable(&self) -> Option<Variable> {
        self.variables().find(|variable| variable.http_only())
    }
}

#[cfg(test)]
mod tests;
