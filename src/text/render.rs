//! The only code that turns a [`Diagnostic`] into text.
//!
//! The first line is haproxy's shape, which people and scripts read: severity in a column of ten, process id, place.
//! Below an alert, a warning or a remark of `-dD` stand the source line, a caret under what is blamed, and hints:
//!
//! ```text
//! [ALERT]    (71) : config : parsing [haproxy.cfg:7] : unknown keyword 'blance'
//!     7 |   blance leastconn
//!       |   ^^^^^^
//!       hint: did you mean 'balance'?
//! ```

use std::fmt::Write;

use super::excerpt::Excerpt;
use super::lookalike::look_alike;
use super::show::write_character;
use super::{Diagnostic, Severity, SourceMap, Span};

/// What stands before a message besides its severity: the process id.
#[derive(Debug, Clone, Copy)]
pub struct Banner {
    /// Process id shown in parentheses.
    pub pid: u32,
}

/// Renders one diagnostic: haproxy's line, then the source line, a caret and the hints. Ends with a line feed.
pub fn render(banner: Banner, sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_diagnostic(&mut out, banner, sources, diagnostic);
    out
}

fn write_diagnostic(out: &mut String, banner: Banner, sources: &SourceMap, said: &Diagnostic) -> std::fmt::Result {
    let severity = match said.severity {
        Severity::Alert => "[ALERT]",
        Severity::Warning => "[WARNING]",
        Severity::Notice => "[NOTICE]",
        Severity::Diag => "[DIAG]",
    };
    write!(out, "{severity:<10} ({}) : config : ", banner.pid)?;
    let place = said.span.and_then(|span| Some((span, sources.get(span.file)?)));
    if let (true, Some((span, file))) = (said.parsing, place) {
        out.push_str("parsing [");
        write_safely(out, &file.name)?;
        write!(out, ":{}] : ", span.line)?;
    }
    write_safely(out, &said.message)?;
    out.push('\n');
    let to_blame = said.severity != Severity::Notice;
    if let Some((span, file)) = place.filter(|_| to_blame) {
        if !said.parsing {
            out.push_str("   --> ");
            write_safely(out, &file.name)?;
            writeln!(out, ":{}", span.line)?;
        }
        write_excerpt(out, sources, span)?;
    }
    if let Some(hint) = &said.hint {
        write_hint(out, hint)?;
    }
    if to_blame { write_look_alike(out, sources, said) } else { Ok(()) }
}

fn write_excerpt(out: &mut String, sources: &SourceMap, span: Span) -> std::fmt::Result {
    let line = sources.line(span).unwrap_or_default();
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let excerpt = Excerpt::new(line, span.start, span.end);
    writeln!(out, "{:>5} | {}", span.line, excerpt.text)?;
    match excerpt.carets {
        0 => Ok(()),
        carets => writeln!(out, "      | {:indent$}{:^<carets$}", "", "", indent = excerpt.indent),
    }
}

fn write_hint(out: &mut String, hint: &str) -> std::fmt::Result {
    out.push_str("      hint: ");
    write_safely(out, hint)?;
    out.push('\n');
    Ok(())
}

/// A character in the blamed words that looks like another is most often what is wrong with them.
fn write_look_alike(out: &mut String, sources: &SourceMap, said: &Diagnostic) -> std::fmt::Result {
    let Some(span) = said.span else { return Ok(()) };
    let line = sources.line(span).unwrap_or_default();
    let place = |column: u32| usize::try_from(column).map_or(line.len(), |column| column.min(line.len()));
    match line.get(place(span.start)..place(span.end)).and_then(look_alike) {
        Some(found) => write_hint(out, &found.to_string()),
        None => Ok(()),
    }
}

/// Writes text that may come from a file: no character may act on a terminal, a further line is marked as such.
fn write_safely(out: &mut String, text: &str) -> std::fmt::Result {
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\n   | "),
            other => write_character(out, other)?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
