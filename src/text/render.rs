//! The only code that turns a [`Diagnostic`] into text.

use super::{Diagnostic, Severity, SourceMap};

/// What stands before a message besides its severity: the process id.
#[derive(Debug, Clone, Copy)]
pub struct Banner {
    /// Process id shown in parentheses.
    pub pid: u32,
}

/// Renders one diagnostic: haproxy's line, then the source line, a caret and the hint.
pub fn render(banner: Banner, sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let word = match diagnostic.severity {
        Severity::Alert => "[ALERT]  ",
        Severity::Warning => "[WARNING]",
        Severity::Notice => "[NOTICE] ",
        Severity::Diag => "[DIAG]   ",
    };
    let place = match (diagnostic.parsing, diagnostic.span) {
        (true, Some(span)) => {
            let name = sources.get(span.file).map_or("", |file| file.name.as_str());
            format!("parsing [{name}:{}] : ", span.line)
        }
        _ => String::new(),
    };
    format!("{word} ({}) : config : {place}{}\n", banner.pid, diagnostic.message)
}
