//! What stands for a variable inside double quotes.

use super::words::Variable;
use crate::text::World;

/// Where a line stands: what variables and the pseudo-variables `.FILE`, `.LINE` and `.SECTION` are resolved from.
pub(super) struct Scope<'a> {
    pub(super) world: &'a dyn World,
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) section: &'a [u8],
}

impl Scope<'_> {
    /// The value: what is set (even empty), else the default, else nothing.
    pub(super) fn value(&self, variable: &Variable<'_>) -> Vec<u8> {
        let set = match variable.name {
            b".FILE" => Some(self.file.as_bytes().to_vec()),
            b".LINE" => Some(self.line.to_string().into_bytes()),
            b".SECTION" => Some(self.section.to_vec()),
            // The reader admits only ASCII letters, digits and underscores here.
            name => std::str::from_utf8(name).ok().and_then(|name| self.world.env(name)),
        };
        set.or_else(|| variable.default.map(<[u8]>::to_vec)).unwrap_or_default()
    }
}
