//! The files of one run and places in them.

use std::sync::Arc;

/// Number of a file in its [`SourceMap`], in the order in which files were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u16);

/// A stretch of one line of one file. Lines and columns count from 1 and 0, columns in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
}

/// One file as it was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The name as the user gave it; shown in messages.
    pub name: String,
    /// The bytes, which need not be UTF-8.
    pub bytes: Arc<[u8]>,
}

/// All files of one run.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its number.
    pub fn add(&mut self, name: String, bytes: impl Into<Arc<[u8]>>) -> FileId {
        self.files.push(SourceFile { name, bytes: bytes.into() });
        FileId(u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX))
    }

    /// The file of that number.
    pub fn get(&self, file: FileId) -> Option<&SourceFile> {
        self.files.get(usize::from(file.0))
    }

    /// The bytes of the line that `span` lies in, without its end of line.
    pub fn line(&self, span: Span) -> Option<&[u8]> {
        let bytes = &self.get(span.file)?.bytes;
        let skip = usize::try_from(span.line).ok()?.checked_sub(1)?;
        let start = match skip {
            0 => 0,
            n => memchr::memchr_iter(b'\n', bytes).nth(n - 1)? + 1,
        };
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let line = &bytes[start..end];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}
