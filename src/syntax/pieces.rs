//! One word as written: quotes, escapes and variables.
//!
//! ```text
//! word     = piece { piece }
//! piece    = plain | escape | "'" { not "'" } "'" | '"' { not '"' | weak escape | variable } '"'
//! variable = "$" name | "${" name [ "[*]" ] [ "-" { not "}" } ] "}"
//! ```
//! Knows no environment and no line: it takes bytes and gives [`Piece`]s. nom's types stay here.
//! Source: manual §2.2 and §2.3; that a backslash before a tab or an unquoted `$` stays was observed on 2.6.12.

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
    #[error("a line has at most {} words", super::words::MOST_WORDS)]
    TooMany,
}

/// What a word is made of.
#[derive(Debug, Clone)]
pub(super) enum Piece<'a> {
    /// Bytes as they stand.
    Text(&'a [u8]),
    /// What an escape stands for.
    Byte(u8),
    /// A variable; they are rare, and a long word of escapes must not pay for their size.
    Variable(Box<Variable<'a>>),
}

/// Most words are one piece.
pub(super) type Pieces<'a> = SmallVec<[Piece<'a>; 1]>;

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

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file: blanks part words, `#` begins a comment.
    File,
    /// An argument of the command line: it is one word.
    CommandLine,
}

impl Origin {
    /// Whether a word ends before `byte`.
    pub(super) fn ends_word(self, byte: u8) -> bool {
        self == Self::File && (is_blank(byte) || byte == b'#')
    }

    /// Whether all words end before `byte`.
    pub(super) fn ends_line(self, byte: u8) -> bool {
        self == Self::File && byte == b'#'
    }
}

/// What stands between words.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

/// Whether a byte stands for itself outside quotes.
pub(super) fn is_plain(byte: u8) -> bool {
    /// Asked for every byte of a configuration.
    const PLAIN: [bool; 256] = {
        let mut table = [true; 256];
        let others = b" \t\x0b\x0c'\"\\#";
        let mut at = 0;
        while at < others.len() {
            table[others[at] as usize] = false;
            at += 1;
        }
        table
    };
    PLAIN[usize::from(byte)]
}

/// Why no word could be read, and the bytes to blame: what lies between the beginnings of `from` and `upto`.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    error: Option<WordError>,
    pub(super) from: &'a [u8],
    pub(super) upto: &'a [u8],
}

impl Fault<'_> {
    /// What the user can fix.
    pub(super) fn error(&self) -> WordError {
        // Only a parser that is not final leaves it open, and a word always has an alternative that is.
        self.error.unwrap_or(WordError::DoubleQuote)
    }
}

/// Reads one word; `i` begins with a byte that belongs to one. Gives what follows it and its pieces, at least one.
pub(super) fn word(i: &[u8], origin: Origin) -> Result<(&[u8], Pieces<'_>), Fault<'_>> {
    let mut pieces = Pieces::new();
    let mut rest = i;
    while rest.first().is_some_and(|byte| !origin.ends_word(*byte)) {
        let (after, group) = group(rest).map_err(|error| match error {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => fault,
            // The complete parsers never ask for more input.
            nom::Err::Incomplete(_) => Fault { error: None, from: rest, upto: rest },
        })?;
        match group {
            Group::One(piece) => pieces.push(piece),
            Group::Many(many) => pieces.extend(many),
        }
        rest = after;
    }
    Ok((rest, pieces))
}

/// What one alternative of a word gives.
enum Group<'a> {
    One(Piece<'a>),
    Many(Pieces<'a>),
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

fn group(i: &[u8]) -> Parsed<'_, Group<'_>> {
    alt((
        // A blank or a hash gets here only where it ends no word.
        map(alt((take_while1(is_plain), take_while1(is_blank), tag("#"))), |text| Group::One(Piece::Text(text))),
        map(escape(b" #\\'\""), Group::One),
        map(single_quoted, |text| Group::One(Piece::Text(text))),
        map(double_quoted, Group::Many),
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
    let piece = alt((
        map(is_not("\"\\$"), Piece::Text),
        escape(b" #\\'\"$"),
        map(variable, |variable| Piece::Variable(Box::new(variable))),
    ));
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
