//! The two sides of a verdict test: what a fixture marks, what a program said.

pub(crate) mod fixture;
pub(crate) mod observed;

use std::fmt;

/// How badly a place is blamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It does not run.
    Alert,
    /// It runs, but.
    Warning,
}

/// A place that is blamed; ordered by line, the ones without a line last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Blame {
    /// 1-based; `None` for a message that names no line.
    pub(crate) line: Option<usize>,
    /// How badly.
    pub(crate) severity: Severity,
}

impl fmt::Display for Blame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Alert => "an alert",
            Severity::Warning => "a warning",
        };
        match self.line {
            Some(line) => write!(out, "{severity} at line {line}"),
            None => write!(out, "{severity} without a line"),
        }
    }
}
