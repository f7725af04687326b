//! Characters that look like one that a configuration is written with, and are another.
//!
//! They come from documents and chat programs: a configuration for MQTT brokers that was published with full-width
//! commas is refused by every haproxy, and nobody sees why.

use std::fmt;

/// A character that looks like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookAlike {
    /// What stands there.
    pub found: char,
    /// Offset of its first byte.
    pub at: usize,
    /// What it looks like.
    pub like: Like,
}

/// What a character looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Like {
    /// A character of ASCII.
    Ascii(char),
    /// Nothing at all: it cannot be seen.
    Nothing,
    /// A byte order mark, as some editors put it before the first line.
    ByteOrderMark,
}

/// The first character of `bytes` that looks like another; bytes that are not UTF-8 are passed over.
pub fn look_alike(bytes: &[u8]) -> Option<LookAlike> {
    if bytes.is_ascii() {
        return None;
    }
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for found in chunk.valid().chars() {
            if let Some(like) = like(found) {
                return Some(LookAlike { found, at, like });
            }
            at += found.len_utf8();
        }
        at += chunk.invalid().len();
    }
    None
}

fn like(found: char) -> Option<Like> {
    let ascii = match found {
        '\u{feff}' => return Some(Like::ByteOrderMark),
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' => {
            return Some(Like::Nothing);
        }
        // The whole of ASCII exists as wide characters, 0xfee0 above it.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(found) - 0xfee0)?,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => '-',
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{2b9}' | '\u{2bc}' | '\u{b4}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' | '\u{300c}' | '\u{300d}' => '"',
        '\u{3001}' | '\u{201a}' | '\u{60c}' | '\u{fe50}' => ',',
        '\u{3002}' | '\u{2024}' | '\u{fe52}' => '.',
        '\u{2236}' | '\u{a789}' | '\u{fe55}' => ':',
        '\u{37e}' | '\u{fe54}' => ';',
        '\u{2044}' | '\u{2215}' => '/',
        '\u{2217}' | '\u{d7}' => '*',
        '\u{3010}' | '\u{3014}' => '[',
        '\u{3011}' | '\u{3015}' => ']',
        _ => return letter(found).map(Like::Ascii),
    };
    Some(Like::Ascii(ascii))
}

/// Cyrillic and Greek letters that are drawn as Latin ones.
fn letter(found: char) -> Option<char> {
    const PAIRS: &[(&str, &str)] = &[
        ("авекмнорстухіјѕһ", "abekmhopctyxijsh"),
        ("АВЕКМНОРСТХІЈЅ", "ABEKMHOPCTXIJS"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo"),
    ];
    PAIRS.iter().find_map(|(from, to)| from.chars().zip(to.chars()).find(|pair| pair.0 == found).map(|pair| pair.1))
}

impl fmt::Display for LookAlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.found);
        match self.like {
            Like::Ascii(' ') => write!(f, "U+{code:04X} is not a space: it separates no words"),
            Like::Ascii(like) => match name(like) {
                Some(name) => write!(f, "U+{code:04X} is not {name}: write '{like}'"),
                None => write!(f, "U+{code:04X} is not the '{like}' it looks like"),
            },
            Like::Nothing => write!(f, "an invisible character, U+{code:04X}, stands here: remove it"),
            Like::ByteOrderMark => write!(f, "a byte order mark, U+{code:04X}, stands here: save the file without it"),
        }
    }
}

fn name(ascii: char) -> Option<&'static str> {
    Some(match ascii {
        ',' => "a comma",
        '.' => "a full stop",
        ':' => "a colon",
        ';' => "a semicolon",
        '\'' => "a single quote",
        '"' => "a double quote",
        '-' => "a hyphen",
        '(' | ')' => "a parenthesis",
        '[' | ']' => "a bracket",
        '{' | '}' => "a brace",
        '/' => "a slash",
        '*' => "an asterisk",
        '#' => "a hash",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_character() {
        for (text, want) in [
            ("req.payload(0,0)，mqtt", "U+FF0C is not a comma: write ','"),
            ("“a b”", "U+201C is not a double quote: write '\"'"),
            ("it’s", "U+2019 is not a single quote: write '''"),
            ("mode\u{a0}tcp", "U+00A0 is not a space: it separates no words"),
            ("log–format", "U+2013 is not a hyphen: write '-'"),
            ("１８８３", "U+FF11 is not the '1' it looks like"),
            ("с", "U+0441 is not the 'c' it looks like"),
            ("a\u{200b}b", "an invisible character, U+200B, stands here: remove it"),
            ("\u{feff}global", "a byte order mark, U+FEFF, stands here: save the file without it"),
        ] {
            assert_eq!(look_alike(text.as_bytes()).map(|found| found.to_string()).as_deref(), Some(want), "{text}");
        }
        for text in ["plain, 'ascii' - only", "größe", "日本", ""] {
            assert_eq!(look_alike(text.as_bytes()), None, "{text}");
        }
        assert_eq!(look_alike(b"\xff\xfe\xef\xbc\x8c").map(|found| found.at), Some(2));
    }
}
