//! The part of a source line that is shown, and where the caret goes under it.
//!
//! Knows no diagnostic. Takes bytes that may be anything and gives text that is safe on a terminal.

use super::show::write_character;

/// How many bytes of a longer line are shown, and how many of them before what is blamed.
const WINDOW: usize = 100;
const BEFORE: usize = 40;
/// Where tabs end, as terminals have them.
const TAB: usize = 8;

/// A line, or the part of it around what is blamed.
pub(super) struct Excerpt {
    /// One line, without controls.
    pub(super) text: String,
    /// Columns before the first caret.
    pub(super) indent: usize,
    /// Carets; none when the whole line is blamed.
    pub(super) carets: usize,
}

impl Excerpt {
    /// Shows `line` for a blame of its bytes `start..end`; `0..0` blames the whole line. Costs the same for any length.
    pub(super) fn new(line: &[u8], start: u32, end: u32) -> Self {
        let whole = start == 0 && end == 0;
        let place = |column: u32| usize::try_from(column).map_or(line.len(), |column| column.min(line.len()));
        let (start, end) = (place(start), place(end));
        let (from, to) = window(line, start);
        let mut pen = Pen { text: String::new(), column: 0 };
        let (mut first, mut last) = (None, 0);
        if from > 0 {
            pen.put('…');
        }
        let mut at = from;
        for chunk in line[from..to].utf8_chunks() {
            for character in chunk.valid().chars() {
                if at >= start {
                    first.get_or_insert(pen.column);
                }
                pen.put(character);
                at += character.len_utf8();
                if at <= end.max(start + 1) {
                    last = pen.column;
                }
            }
            for byte in chunk.invalid() {
                if at >= start {
                    first.get_or_insert(pen.column);
                }
                pen.put_byte(*byte);
                at += 1;
                if at <= end.max(start + 1) {
                    last = pen.column;
                }
            }
        }
        let indent = first.unwrap_or(pen.column);
        let carets = last.saturating_sub(indent).max(1);
        if to < line.len() {
            pen.put('…');
        }
        Self { text: pen.text, indent, carets: if whole { 0 } else { carets } }
    }
}

/// Which bytes are shown; no character is cut.
fn window(line: &[u8], start: usize) -> (usize, usize) {
    if line.len() <= WINDOW {
        return (0, line.len());
    }
    let from = start.saturating_sub(BEFORE).min(line.len() - WINDOW);
    (boundary(line, from), boundary(line, (from + WINDOW).min(line.len())))
}

/// The beginning of the character that the byte at `at` belongs to, if it belongs to one.
fn boundary(line: &[u8], at: usize) -> usize {
    let is_inside = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (at.saturating_sub(3)..=at).rev().find(|at| !is_inside(*at)).unwrap_or(at)
}

/// Text and the column behind it.
struct Pen {
    text: String,
    column: usize,
}

impl Pen {
    fn put(&mut self, character: char) {
        if character == '\t' {
            let blanks = TAB - self.column % TAB;
            self.text.extend(std::iter::repeat_n(' ', blanks));
            self.column += blanks;
            return;
        }
        let before = self.text.len();
        // Writing to a string cannot fail.
        let _ = write_character(&mut self.text, character);
        let written = &self.text[before..];
        self.column += if written.len() == character.len_utf8() { width(character) } else { written.len() };
    }

    fn put_byte(&mut self, byte: u8) {
        let shown = format!("\\x{byte:02x}");
        self.column += shown.len();
        self.text.push_str(&shown);
    }
}

/// Columns of a character on a terminal: 2 for the wide ones of East Asia and emoji, 0 for marks that combine.
fn width(character: char) -> usize {
    match u32::from(character) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
