//! `option tcp-check`, its rules, and the checks that are built in: from words to [`Script`].
//!
//! A proxy has at most one kind of check: the last `option` wins. Rules of the kind that was not chosen are kept and
//! warned of, as haproxy does. A section's own rules replace those of its defaults. Source: manual §4.2 "option
//! tcp-check", "tcp-check"; asked of 2.6.12 (`fixtures/verdict/checks/`).

pub mod protocols;
mod rules;
pub mod tcp;

use std::sync::Arc;

use super::args::{Args, Given};
use super::error::{LowerError, Lowered};
use crate::ir::check::Script;

pub use rules::{Rule, Rules};

/// What was said of the checks of a proxy's servers.
#[derive(Debug, Clone, Default)]
pub struct ChecksDraft {
    /// What the last `option` chose.
    pub kind: CheckKind,
    /// `tcp-check …`.
    pub tcp: Rules,
}

/// Which kind of check a proxy's servers get.
#[derive(Debug, Clone, Default)]
pub enum CheckKind {
    /// None was chosen: checks connect.
    #[default]
    Connect,
    /// `option tcp-check`.
    Tcp,
    /// One that is built in: what it does.
    BuiltIn(Arc<Script>),
}

impl ChecksDraft {
    /// What the checks do; `None`: they only connect, and nothing is told of it.
    pub fn script(&self) -> Option<Arc<Script>> {
        match &self.kind {
            CheckKind::Connect => None,
            CheckKind::Tcp => Some(Arc::new(self.tcp.tcp_script())),
            CheckKind::BuiltIn(script) => Some(script.clone()),
        }
    }
}

/// Bytes in hexadecimal digits, two each.
fn hex(word: &Given<'_>) -> Lowered<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let wrong = || word.blame(LowerError::Hex { text: word.text() });
    if !word.bytes.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    word.bytes.chunks(2).map(|bytes| pair(bytes).ok_or_else(wrong)).collect()
}

/// A text that is told or sent as it is. One with variables or expressions is not built yet; `%%` is a `%`.
fn format(word: &Given<'_>) -> Lowered<String> {
    let text = word.text();
    if text.replace("%%", "").contains('%') {
        return Err(word.blame(LowerError::NotYet { what: format!("variables and expressions in '{text}'") }));
    }
    Ok(text.replace("%%", "%"))
}

/// The comment that may end a rule.
fn comment(args: &mut Args<'_>) -> Lowered<Option<String>> {
    let mut comment = None;
    while args.peek().is_some_and(|word| !word.is_empty()) {
        if !args.take("comment") {
            args.end()?;
        }
        comment = Some(args.string("a comment")?);
    }
    Ok(comment)
}
