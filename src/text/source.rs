//! The files of one run and places in them.

use std::sync::{Arc, OnceLock};

/// Number of a file in its [`SourceMap`], in the order in which files were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u16);

/// A stretch of one line of one file. Lines and columns count from 1 and 0, columns in bytes.
/// The default (line 0) is no place: for values that no text stands behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The line, from 1.
    pub line: u32,
    /// First byte within the line, from 0.
    pub start: u32,
    /// Byte after the last one within the line.
    pub end: u32,
}

impl Span {
    /// A place that covers nothing: column 0 of a line.
    pub fn line(file: FileId, line: u32) -> Self {
        Self { file, line, start: 0, end: 0 }
    }

    /// From the beginning of `self` to the end of `other`, which stands on the same line; else `self`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        let same = self.file == other.file && self.line == other.line;
        Self { end: if same { self.end.max(other.end) } else { self.end }, ..self }
    }
}

/// One file as it was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The name as the user gave it; shown in messages.
    pub name: String,
    /// The bytes, which need not be UTF-8.
    pub bytes: Arc<[u8]>,
    /// Where every [`STRIDE`]th line begins: made when a message first needs a line of this file.
    index: OnceLock<Vec<usize>>,
}

/// Of how many lines the index keeps one: a file of 100,000 lines costs 12 kB, and a look-up walks over few lines.
const STRIDE: usize = 64;

impl SourceFile {
    /// A file of that name and content.
    pub fn new(name: String, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { name, bytes: bytes.into(), index: OnceLock::new() }
    }

    /// The bytes of a line (from 1), without its end of line.
    pub fn line(&self, line: u32) -> Option<&[u8]> {
        let line = usize::try_from(line).ok()?.checked_sub(1)?;
        let near = *self.index().get(line / STRIDE)?;
        let rest = &self.bytes[near..];
        let start = match line % STRIDE {
            0 => 0,
            skip => memchr::memchr_iter(b'\n', rest).nth(skip - 1)? + 1,
        };
        let rest = &rest[start..];
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn index(&self) -> &[usize] {
        self.index.get_or_init(|| {
            let begins = memchr::memchr_iter(b'\n', &self.bytes).map(|at| at + 1);
            std::iter::once(0).chain(begins).step_by(STRIDE).collect()
        })
    }
}

/// All files of one run.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its number.
    pub fn add(&mut self, name: String, bytes: impl Into<Arc<[u8]>>) -> FileId {
        self.files.push(SourceFile::new(name, bytes));
        FileId(u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX))
    }

    /// The file of that number.
    pub fn get(&self, file: FileId) -> Option<&SourceFile> {
        self.files.get(usize::from(file.0))
    }

    /// All files with their numbers, in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0..=u16::MAX).map(FileId).zip(&self.files)
    }

    /// The bytes of the line that `span` lies in, without its end of line.
    pub fn line(&self, span: Span) -> Option<&[u8]> {
        self.get(span.file)?.line(span.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_on_both_sides_of_an_index_entry() {
        let text: Vec<u8> = (1..=200).flat_map(|n| format!("line {n}\r\n").into_bytes()).collect();
        let file = SourceFile::new(String::from("a.cfg"), text);
        for line in [1, 2, 63, 64, 65, 66, 128, 129, 200] {
            assert_eq!(file.line(line), Some(format!("line {line}").as_bytes()), "line {line}");
        }
        assert_eq!(file.line(0), None);
        assert_eq!(file.line(201), Some(&b""[..]), "what follows the last end of line");
        assert_eq!(file.line(202), None);
        assert_eq!(file.line(u32::MAX), None);
    }
}
