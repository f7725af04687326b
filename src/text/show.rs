//! Bytes from a configuration inside a sentence.

use std::fmt::{self, Display, Write};

/// How many characters of a word a message repeats.
const LONGEST: usize = 80;

/// Shows bytes of a configuration in a message: what is UTF-8 and printable as it is, all else as `\xNN`,
/// and of a very long word only the beginning.
///
/// A message goes to a terminal: a word of a file must not be able to move its cursor.
pub fn show(bytes: &[u8]) -> impl Display + '_ {
    Shown(bytes)
}

struct Shown<'a>(&'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = LONGEST;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if left == 0 {
                    return f.write_char('…');
                }
                left -= 1;
                write_character(f, character)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
                left = left.saturating_sub(1);
            }
        }
        Ok(())
    }
}

/// Writes one character; controls and characters that turn the text around as `\xNN` or `\u{NNNN}`.
pub(super) fn write_character(out: &mut impl Write, character: char) -> fmt::Result {
    match character {
        c if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)),
        c if is_unsafe(c) => write!(out, "\\u{{{:04x}}}", u32::from(c)),
        c => out.write_char(c),
    }
}

/// Whether a terminal would act on a character instead of showing it: C1 controls, bidirectional marks,
/// line separators, the byte order mark.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(u32::from(c), 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_cannot_act_on_a_terminal() {
        for (bytes, want) in [
            (&b"bind"[..], "bind"),
            (b"a\tb\x1b[2J", "a\\x09b\\x1b[2J"),
            ("é，".as_bytes(), "é，"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("\u{202e}a\u{feff}".as_bytes(), "\\u{202e}a\\u{feff}"),
            ("\u{85}".as_bytes(), "\\u{0085}"),
        ] {
            assert_eq!(show(bytes).to_string(), want);
        }
        assert_eq!(show(&[b'x'; 10_000_000]).to_string().chars().count(), LONGEST + 1);
    }
}
