//! The words behind an expression: flags, files, operators, patterns.

use std::sync::Arc;

use super::entry::Written;
use super::set::{Look, View};
use super::{Flags, Method, Op};
use crate::expr::context::Context;
use crate::expr::error::{ExprError, FileError, PatternError, Wrong, shown};
use crate::expr::{Type, Value};

/// How a value is compared, and with what.
#[derive(Debug, Clone)]
pub struct Patterns {
    method: Method,
    views: Vec<Arc<View>>,
    /// Whether nothing stands behind the expression.
    bare: bool,
}

impl Patterns {
    /// The way to compare.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The lists that it looks at.
    pub fn views(&self) -> &[Arc<View>] {
        &self.views
    }

    /// Whether a line says not even by a flag what its values are compared with, so that none fits.
    pub fn unsaid(&self) -> bool {
        self.bare && !self.method.needs_none()
    }

    /// Whether a value fits.
    pub fn fit(&self, value: &Value<'_>) -> bool {
        match self.method {
            Method::Found => true,
            Method::Bool => value.int().is_some_and(|number| number != 0),
            _ => self.views.iter().any(|view| view.set().find(value).is_some()),
        }
    }
}

/// Reads the words from `at` on, up to an empty one or the end. `of`: what is compared, and its type; `default`: how it is compared
/// if no `-m` says so.
///
/// # Errors
/// [`ExprError`] that blames a word.
pub(in crate::expr) fn read(
    words: &[&[u8]],
    at: usize,
    (fetch, of): (&'static str, Type),
    default: Option<Method>,
    context: &Context<'_>,
) -> Result<Patterns, ExprError> {
    let end = words.iter().skip(at).position(|word| word.is_empty()).map_or(words.len(), |length| at + length);
    let blame = |ix: usize, why: PatternError| {
        let length = words.get(ix).map_or(0, |word| word.len());
        ExprError::new(ix.min(words.len().saturating_sub(1)), 0..length, Wrong::Pattern(why))
    };
    let word = |ix: usize| words[..end].get(ix).copied().unwrap_or_default();
    let mut here = at;
    let (mut method, mut flags, mut map, mut id) = (None, Flags::default(), false, None);
    let mut files: Vec<(usize, Flags, bool)> = Vec::new();
    while here < end && word(here).first() == Some(&b'-') {
        match word(here) {
            b"-i" => flags.any_case = true,
            b"-n" => flags.no_names = true,
            b"-M" => map = true,
            b"-f" => {
                here += 1;
                files.push((here, flags, map));
            }
            b"-m" => {
                if !files.is_empty() {
                    return Err(blame(here, PatternError::MethodLate));
                }
                here += 1;
                let named = Method::named(word(here));
                let wrong = || blame(here, PatternError::Method { text: shown(word(here)) });
                let chosen = named.ok_or_else(wrong)?;
                if !chosen.takes(of) {
                    return Err(blame(here, PatternError::MethodType { method: chosen.name(), of }));
                }
                method = Some(chosen);
            }
            b"-u" => {
                here += 1;
                let number = std::str::from_utf8(word(here)).ok().and_then(|text| text.parse().ok());
                id = Some(number.ok_or_else(|| blame(here, PatternError::Id))?);
            }
            b"--" => {
                here += 1;
                break;
            }
            text => return Err(blame(here, PatternError::Flag { text: shown(text) })),
        }
        here += 1;
    }
    let chosen = method.or(default).or_else(|| Method::default_of(of));
    let method = chosen.ok_or_else(|| blame(at.saturating_sub(1), PatternError::MethodMissing { of }))?;
    let look = |flags| Look { method, flags, gives: None };
    let mut views = Vec::new();
    for (ix, flags, map) in files {
        let path = String::from_utf8_lossy(word(ix)).into_owned();
        let list = context.lists.open(&path, map, fetch, context.world);
        let list = list.map_err(|why| blame(ix, PatternError::File(why)))?;
        let view = list
            .view(look(flags), context.world)
            .map_err(|(line, why)| blame(ix, PatternError::File(FileError::Line { path, line, why: Box::new(why) })))?;
        views.push(view);
    }
    let mut entries = Vec::new();
    let mut op = Op::Eq;
    for ix in here..end {
        match Op::named(word(ix)).filter(|_| method.numeric()) {
            Some(other) => op = other,
            // `line` counts words here, so that the wrong one can be blamed.
            None => entries.push(Written { key: word(ix).into(), op, line: ix, value: None }),
        }
    }
    // Even an empty one has its number, and may be filled at run time.
    let list = context.lists.inline(id, fetch, entries).map_err(|why| blame(at, why))?;
    views.push(list.view(look(flags), context.world).map_err(|(ix, why)| blame(ix, why))?);
    Ok(Patterns { method, views, bare: at >= end })
}
