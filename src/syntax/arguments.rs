//! The arguments of a predicate: `(a,b)`, with a second level of quotes and escapes.
//!
//! As at the first level but for `\#`, `\$` and `\xNN`, which stay as they are. A comma or parenthesis that belongs to
//! an argument must be quoted: a backslash does not protect it. Source: manual §2.2.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_till, take_till1};
use nom::character::complete::{char, one_of};
use nom::combinator::{map, recognize, value};
use nom::error::Error;
use nom::multi::{fold_many_m_n, fold_many0};
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};

type Parsed<'a, T> = IResult<&'a [u8], T>;

/// Reads at most `most` arguments, up to but without the closing parenthesis or whatever cannot belong to one.
///
/// `i` begins behind the opening parenthesis. There is always at least one argument, if an empty one.
pub(super) fn arguments(i: &[u8], most: usize) -> (Vec<Vec<u8>>, &[u8]) {
    let further = fold_many_m_n(0, most.saturating_sub(1), preceded(char(','), argument), Vec::new, |mut all, one| {
        all.push(one);
        all
    });
    match pair(argument, further).parse(i) {
        Ok((rest, (first, mut list))) => {
            list.insert(0, first);
            (list, rest)
        }
        Err(_) => (vec![Vec::new()], i),
    }
}

fn argument(i: &[u8]) -> Parsed<'_, Vec<u8>> {
    let plain = take_till1(|byte| matches!(byte, b',' | b')' | b'\'' | b'"' | b'\\'));
    let piece = alt((map(alt((plain, escape, single)), <[u8]>::to_vec), double));
    fold_many0(piece, Vec::new, joined).parse(i)
}

fn double(i: &[u8]) -> Parsed<'_, Vec<u8>> {
    let piece = map(alt((is_not("\"\\"), escape)), <[u8]>::to_vec);
    delimited(char('"'), fold_many0(piece, Vec::new, joined), char('"')).parse(i)
}

fn joined(mut all: Vec<u8>, piece: Vec<u8>) -> Vec<u8> {
    all.extend(piece);
    all
}

fn single(i: &[u8]) -> Parsed<'_, &[u8]> {
    delimited(char('\''), take_till(|byte| byte == b'\''), char('\'')).parse(i)
}

fn escape(i: &[u8]) -> Parsed<'_, &[u8]> {
    let known = preceded(
        char::<_, Error<&[u8]>>('\\'),
        alt((
            value(&b"\n"[..], char('n')),
            value(&b"\r"[..], char('r')),
            value(&b"\t"[..], char('t')),
            recognize(one_of(" \\'\"")),
        )),
    );
    alt((known, tag("\\"))).parse(i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_protected_by_quotes_only() {
        for (text, want, rest) in [
            (&b"a,b)c"[..], &[&b"a"[..], b"b"][..], &b")c"[..]),
            (b")", &[b""], b")"),
            (b",)", &[b"", b""], b")"),
            (b" a, b )", &[b" a", b" b "], b")"),
            (b"\"a,b\",'c)d')", &[b"a,b", b"c)d"], b")"),
            (br"a\,b)", &[br"a\", b"b"], b")"),
            (br#""a\\b\"c"d)"#, &[br#"a\b"cd"#], b")"),
            (br"\t\n\r\ \'\q\#\$\x41)", &[b"\t\n\r '\\q\\#\\$\\x41"], b")"),
            (b"a(b,c)", &[b"a(b", b"c"], b")"),
            (b"a,b,c)", &[b"a", b"b"], b",c)"),
            (b"a,\"b", &[b"a", b""], b"\"b"), // never closed: what is left is to blame
            (b"a", &[b"a"], b""),
        ] {
            let (found, left) = arguments(text, 2);
            assert_eq!((found, left), (want.iter().map(|a| a.to_vec()).collect(), rest), "{}", text.escape_ascii());
        }
    }
}
