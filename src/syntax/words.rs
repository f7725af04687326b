//! One line into words: quotes, escapes, comments and variables.
//!
//! ```text
//! line     = { blank } { word blank { blank } } [ word ] [ "#" anything ]
//! word     = piece { piece }
//! piece    = plain | escape | "'" { not "'" } "'" | '"' { not '"' | weak escape | variable } '"'
//! variable = "$" name | "${" name [ "[*]" ] [ "-" { not "}" } ] "}"
//! ```
//! Knows nothing of files and lines; columns are offsets from the beginning of the line.
//! Source: manual §2.2 and §2.3; that a backslash before a tab or an unquoted `$` stays, that a `[*]` list keeps empty
//! first and last words, and that a blank after the 64th word counts as the 65th was observed on 2.6.12.

use std::borrow::Cow;

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_till, take_while, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::{map, opt, recognize, value, verify};
use nom::error::{ErrorKind, ParseError};
use nom::multi::fold_many0;
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};
use smallvec::SmallVec;
use thiserror::Error;

use super::variable::Scope;

/// The most words of one line.
pub(super) const MOST_WORDS: usize = 64;

/// A word and where it stands in its line.
pub(super) struct Placed<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// A `\x00` ended the word early.
    pub(super) cut: bool,
}

/// What keeps a line from being words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum WordError {
    #[error("this single quote is never closed")]
    SingleQuote,
    #[error("this double quote is never closed")]
    DoubleQuote,
    #[error("'\\x' needs two hexadecimal digits")]
    Hex,
    #[error("this brace of an environment variable is never closed")]
    Brace,
    #[error("no name of an environment variable begins here")]
    Name,
    #[error("only '[*]' may follow the name of an environment variable")]
    List,
    #[error("a line has at most {MOST_WORDS} words")]
    TooMany,
}

/// A [`WordError`] and the part of the line it blames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) error: WordError,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A variable as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable<'a> {
    /// Letters, digits, underscores; or one of `.FILE`, `.LINE`, `.SECTION`.
    pub(super) name: &'a [u8],
    /// What follows a dash: used when the variable does not exist.
    pub(super) default: Option<&'a [u8]>,
    /// `[*]`: blanks in the value separate words.
    pub(super) list: bool,
}

/// Splits a line (without its end) into words.
///
/// # Errors
/// The first fault of the line; [`WordError::TooMany`] only when there is no other.
pub(super) fn split<'a>(line: &'a [u8], scope: &Scope<'_>, hash: Hash) -> Result<Vec<Placed<'a>>, Blame> {
    let mut words = Words { list: Vec::with_capacity(8), surplus: None };
    let mut rest = blanks(line);
    while rest.first().is_some_and(|byte| !hash.ends(*byte)) {
        let start = line.len() - rest.len();
        let (after, pieces) = word(rest, hash).map_err(|error| blame(line, error))?;
        let end = line.len() - after.len();
        match pieces.as_slice() {
            [Piece::Text(text)] => words.push(Cow::Borrowed(*text), start, end),
            pieces => words.push_pieces(pieces, scope, start, end),
        }
        rest = blanks(after);
        if rest.len() < after.len() && words.list.len() == MOST_WORDS {
            words.surplus.get_or_insert((end, line.len()));
        }
    }
    match words.surplus {
        Some((start, end)) => Err(Blame { error: WordError::TooMany, start, end }),
        None => Ok(words.list),
    }
}

/// What an unquoted `#` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// It begins a comment: in a file.
    Comment,
    /// Nothing: in an argument of the command line.
    Plain,
}

impl Hash {
    fn ends(self, byte: u8) -> bool {
        self == Self::Comment && byte == b'#'
    }
}

fn blanks(i: &[u8]) -> &[u8] {
    let blank = i.iter().take_while(|byte| is_blank(**byte)).count();
    &i[blank..]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

/// The words of a line so far.
struct Words<'a> {
    list: Vec<Placed<'a>>,
    /// Where the words begin that are too many.
    surplus: Option<(usize, usize)>,
}

impl<'a> Words<'a> {
    fn push(&mut self, mut bytes: Cow<'a, [u8]>, start: usize, end: usize) {
        if self.list.len() == MOST_WORDS {
            self.surplus.get_or_insert((start, end));
            return;
        }
        let nul = memchr::memchr(0, &bytes);
        if let Some(nul) = nul {
            bytes.to_mut().truncate(nul);
        }
        self.list.push(Placed { bytes, start, end, cut: nul.is_some() });
    }

    fn push_pieces(&mut self, pieces: &[Piece<'a>], scope: &Scope<'_>, start: usize, end: usize) {
        let mut word = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => word.extend_from_slice(text),
                Piece::Byte(byte) => word.push(*byte),
                Piece::Variable(variable) if variable.list => {
                    let value = scope.value(variable);
                    let mut parts = ListParts(Some(&value));
                    word.extend_from_slice(parts.next().unwrap_or_default());
                    for part in parts {
                        self.push(Cow::Owned(std::mem::replace(&mut word, part.to_vec())), start, end);
                    }
                }
                Piece::Variable(variable) => word.extend(scope.value(variable)),
            }
        }
        self.push(Cow::Owned(word), start, end);
    }
}

/// The parts of a list between runs of white space; the first and the last may be empty.
struct ListParts<'v>(Option<&'v [u8]>);

impl<'v> Iterator for ListParts<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        let is_space = |byte: &u8| is_blank(*byte) || matches!(byte, b'\n' | b'\r');
        let value = self.0?;
        let end = value.iter().position(is_space);
        self.0 = end.map(|end| {
            let space = value[end..].iter().take_while(|byte| is_space(byte)).count();
            &value[end + space..]
        });
        Some(&value[..end.unwrap_or(value.len())])
    }
}

/// What a word is made of.
#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Text(&'a [u8]),
    Byte(u8),
    Variable(Variable<'a>),
}

/// Most words are one piece.
type Pieces<'a> = SmallVec<[Piece<'a>; 1]>;

/// nom's error, reduced to what a user can fix and where it begins and ends.
#[derive(Debug)]
struct Fault<'a> {
    error: Option<WordError>,
    from: &'a [u8],
    upto: &'a [u8],
}

impl<'a> ParseError<&'a [u8]> for Fault<'a> {
    fn from_error_kind(input: &'a [u8], _: ErrorKind) -> Self {
        Self { error: None, from: input, upto: input }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, Fault<'a>>;

/// Makes a failure of `parser` final and names it; what is blamed begins at `from`.
fn demand<'a, T>(
    error: WordError,
    from: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = Fault<'a>>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, T> {
    move |i| {
        parser.parse(i).map_err(|found| match found {
            nom::Err::Error(fault) => nom::Err::Failure(Fault { error: Some(error), from, upto: fault.upto }),
            already_final => already_final,
        })
    }
}

fn blame(line: &[u8], error: nom::Err<Fault<'_>>) -> Blame {
    let (nom::Err::Error(fault) | nom::Err::Failure(fault)) = error else {
        // The complete parsers never ask for more input.
        return Blame { error: WordError::DoubleQuote, start: 0, end: line.len() };
    };
    let start = line.len() - fault.from.len();
    let end = (line.len() - fault.upto.len()).clamp((start + 1).min(line.len()), line.len());
    Blame { error: fault.error.unwrap_or(WordError::DoubleQuote), start, end }
}

fn word(i: &[u8], hash: Hash) -> Parsed<'_, Pieces<'_>> {
    let (mut i, mut pieces) = some_pieces(i)?;
    while i.first().is_some_and(|byte| !is_blank(*byte) && !hash.ends(*byte)) {
        let (after, more) = some_pieces(i)?;
        pieces.extend(more);
        i = after;
    }
    Ok((i, pieces))
}

fn some_pieces(i: &[u8]) -> Parsed<'_, Pieces<'_>> {
    let one = |piece| SmallVec::from_buf([piece]);
    let plain = take_while1(|byte| !is_blank(byte) && !matches!(byte, b'\'' | b'"' | b'\\' | b'#'));
    alt((
        // A hash gets here only where it begins no comment.
        map(alt((plain, tag("#"))), move |text| one(Piece::Text(text))),
        map(escape(b" #\\'\""), one),
        map(single_quoted, move |text| one(Piece::Text(text))),
        double_quoted,
    ))
    .parse(i)
}

/// A backslash and what it makes of the character behind it: one of `plain` stands for itself, `n r t` and `xNN` for
/// what they stand for in C; before anything else the backslash stays.
fn escape<'a>(plain: &'static [u8]) -> impl Parser<&'a [u8], Output = Piece<'a>, Error = Fault<'a>> {
    move |i: &'a [u8]| {
        let (after, backslash) = tag("\\").parse(i)?;
        match after.split_first() {
            Some((byte, rest)) if plain.contains(byte) => Ok((rest, Piece::Byte(*byte))),
            Some((b'n', rest)) => Ok((rest, Piece::Byte(b'\n'))),
            Some((b'r', rest)) => Ok((rest, Piece::Byte(b'\r'))),
            Some((b't', rest)) => Ok((rest, Piece::Byte(b'\t'))),
            Some((b'x', rest)) => {
                let two = take_while_m_n(2, 2, |byte: u8| byte.is_ascii_hexdigit());
                map(demand(WordError::Hex, i, two), |digits: &[u8]| Piece::Byte(hex(digits))).parse(rest)
            }
            _ => Ok((after, Piece::Text(backslash))),
        }
    }
}

fn hex(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |byte, digit| byte << 4 | char::from(*digit).to_digit(16).map_or(0, |value| value as u8))
}

fn single_quoted(i: &[u8]) -> Parsed<'_, &[u8]> {
    let body = take_till(|byte| byte == b'\'');
    delimited(char('\''), body, demand(WordError::SingleQuote, i, char('\''))).parse(i)
}

fn double_quoted(i: &[u8]) -> Parsed<'_, Pieces<'_>> {
    let piece = alt((map(is_not("\"\\$"), Piece::Text), escape(b" #\\'\"$"), map(variable, Piece::Variable)));
    let body = fold_many0(piece, Pieces::new, |mut pieces, piece| {
        pieces.push(piece);
        pieces
    });
    // An empty string is a word too.
    let body = map(body, |pieces| if pieces.is_empty() { SmallVec::from_buf([Piece::Text(b"")]) } else { pieces });
    delimited(char('"'), body, demand(WordError::DoubleQuote, i, char('"'))).parse(i)
}

fn variable(i: &[u8]) -> Parsed<'_, Variable<'_>> {
    let bare = map(name, |name| Variable { name, default: None, list: false });
    preceded(char('$'), alt((braced(i), demand(WordError::Name, i, bare)))).parse(i)
}

/// What stands in braces behind the `dollar`.
fn braced<'a>(dollar: &'a [u8]) -> impl Parser<&'a [u8], Output = Variable<'a>, Error = Fault<'a>> {
    let default = preceded(char('-'), take_till(|byte| byte == b'}'));
    let inside = (demand(WordError::Name, dollar, name), list_mark, opt(default));
    let inside = map(inside, |(name, list, default)| Variable { name, default, list });
    delimited(char('{'), inside, demand(WordError::Brace, dollar, char('}')))
}

fn list_mark(i: &[u8]) -> Parsed<'_, bool> {
    match i.first() {
        Some(b'[') => demand(WordError::List, i, value(true, tag("[*]"))).parse(i),
        _ => Ok((i, false)),
    }
}

fn name(i: &[u8]) -> Parsed<'_, &[u8]> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let pseudo = recognize(preceded(char('.'), take_while(letter)));
    let pseudo = verify(pseudo, |name: &[u8]| matches!(name, b".FILE" | b".LINE" | b".SECTION"));
    let first = take_while_m_n(1, 1, move |byte: u8| letter(byte) && !byte.is_ascii_digit());
    alt((pseudo, recognize(pair(first, take_while(letter))))).parse(i)
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
