//! Where a line stands, and what stands for a variable there.

use super::pieces::Variable;
use crate::text::{FileId, Span, World};

/// Where a line stands: what variables and the pseudo-variables `.FILE`, `.LINE` and `.SECTION` are resolved from.
pub(super) struct Scope<'a> {
    pub(super) world: &'a dyn World,
    pub(super) file: FileId,
    pub(super) name: &'a str,
    pub(super) line: u32,
    pub(super) section: &'a [u8],
}

impl Scope<'_> {
    /// A part of the line. Columns beyond 4 GiB are shown as the last one: nobody sees them.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let column = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, line: self.line, start: column(start), end: column(end) }
    }

    /// The value: what is set (even empty), else the default, else nothing.
    pub(super) fn value(&self, variable: &Variable<'_>) -> Vec<u8> {
        let set = match variable.name {
            b".FILE" => Some(self.name.as_bytes().to_vec()),
            b".LINE" => Some(self.line.to_string().into_bytes()),
            b".SECTION" => Some(self.section.to_vec()),
            // The reader admits only ASCII letters, digits and underscores here.
            name => std::str::from_utf8(name).ok().and_then(|name| self.world.env(name)),
        };
        set.or_else(|| variable.default.map(<[u8]>::to_vec)).unwrap_or_default()
    }
}
