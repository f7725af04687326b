//! `tcp-check expect` and `http-check expect`: one pattern and its options, in any order.
//!
//! Source: manual §4.2; what is an error asked of 2.6.12.

use std::ops::RangeInclusive;

use super::{Rule, expr, format, hex, regex, regex_any_case};
use crate::ir::check::{Act, CheckStatus, Expect, HeaderPattern, Matcher, Pattern};
use crate::lower::args::{Args, Given, MOST};
use crate::lower::error::{LowerError, Lowered};

/// Reads what may be expected of any protocol; `None`: the word is no pattern.
pub(super) fn tcp_pattern(word: &Given<'_>, args: &mut Args<'_>) -> Lowered<Option<Pattern>> {
    Ok(Some(match word.bytes {
        b"string" => Pattern::Text(args.word("a pattern")?.bytes.to_vec()),
        b"binary" => Pattern::Binary(hex(&args.word("a pattern")?)?),
        b"rstring" => Pattern::Regex(regex(&args.word("a pattern")?)?),
        b"rbinary" => Pattern::BinaryRegex(regex(&args.word("a pattern")?)?),
        b"string-lf" => Pattern::TextFormat(format(&args.word("a pattern")?, args)?),
        b"binary-lf" => Pattern::BinaryFormat(format(&args.word("a pattern")?, args)?),
        _ => return Ok(None),
    }))
}

/// Reads what may be expected of HTTP; `None`: the word is no pattern.
pub(super) fn http_pattern(word: &Given<'_>, args: &mut Args<'_>) -> Lowered<Option<Pattern>> {
    Ok(Some(match word.bytes {
        b"status" => Pattern::Status(statuses(&args.word("a pattern")?)?),
        b"rstatus" => Pattern::StatusRegex(regex(&args.word("a pattern")?)?),
        b"hdr" => Pattern::Header(Box::new(header(false, args)?)),
        b"fhdr" => Pattern::Header(Box::new(header(true, args)?)),
        b"string" => Pattern::Body(args.word("a pattern")?.bytes.to_vec()),
        b"rstring" => Pattern::BodyRegex(regex(&args.word("a pattern")?)?),
        b"string-lf" => Pattern::BodyFormat(format(&args.word("a pattern")?, args)?),
        _ => return Ok(None),
    }))
}

/// The words for an expectation.
pub(super) type Patterns = fn(&Given<'_>, &mut Args<'_>) -> Lowered<Option<Pattern>>;

/// Reads `[options] [!] <match> <pattern>`.
///
/// # Errors
/// The word to blame.
pub(super) fn read(patterns: Patterns, choices: &'static [&'static str], args: &mut Args<'_>) -> Lowered<Rule> {
    args.need("a pattern")?;
    let mut expect = Expect::new(Pattern::Text(Vec::new()));
    let (mut pattern, mut comment) = (None, None);
    while let Some(mut word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        while let (Some(rest), false) = (word.bytes.strip_prefix(b"!"), pattern.is_some()) {
            expect.negated = true;
            word = if rest.is_empty() { args.word("a pattern")? } else { Given { bytes: rest, ..word } };
        }
        if word.bytes == b"comment" {
            comment = Some(args.string("a comment")?);
        } else if !option(&mut expect, &word, args)? {
            let Some(found) = patterns(&word, args)? else {
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            };
            if pattern.replace(found).is_some() {
                return Err(word.blame(LowerError::Misplaced("a second pattern: an expectation has one")));
            }
        }
    }
    expect.pattern = pattern.ok_or_else(|| args.missing("a pattern"))?;
    Ok(Rule::Act(Act::Expect(Box::new(expect)), comment))
}

/// Reads an option that all expectations have; `false`: it is none.
fn option(expect: &mut Expect, word: &Given<'_>, args: &mut Args<'_>) -> Lowered<bool> {
    use CheckStatus::{L4Con, L4Ok, L4Tout, L6Ok, L6Rsp, L6Tout, L7Ok, L7OkC, L7Rsp, L7Sts, L7Tout};
    match word.bytes {
        b"min-recv" => {
            let number = args.word("a number of bytes")?.lenient(-1, i64::from(MOST), args)?;
            expect.min_recv = u32::try_from(number).ok();
        }
        b"on-success" => expect.on_success = Some(format(&args.word("a text")?, args)?),
        b"on-error" => expect.on_error = Some(format(&args.word("a text")?, args)?),
        b"ok-status" => {
            expect.ok = Some(status(args, &["L4OK", "L6OK", "L7OK", "L7OKC"], &[L4Ok, L6Ok, L7Ok, L7OkC])?);
        }
        b"error-status" => {
            let words = &["L7OKC", "L7RSP", "L7STS", "L6RSP", "L4CON"];
            expect.error = Some(status(args, words, &[L7OkC, L7Rsp, L7Sts, L6Rsp, L4Con])?);
        }
        b"tout-status" => {
            expect.timeout = Some(status(args, &["L7TOUT", "L6TOUT", "L4TOUT"], &[L7Tout, L6Tout, L4Tout])?);
        }
        b"status-code" => expect.code = Some(expr(&args.word("an expression")?, args)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn status(args: &mut Args<'_>, choices: &'static [&'static str], all: &[CheckStatus]) -> Lowered<CheckStatus> {
    let word = args.word("a status")?;
    let found = all.iter().find(|status| status.word().as_bytes() == word.bytes && choices.contains(&status.word()));
    found.copied().ok_or_else(|| word.blame(LowerError::Choice { text: word.text(), choices }))
}

/// Reads `200,300-399`.
fn statuses(word: &Given<'_>) -> Lowered<Vec<RangeInclusive<u16>>> {
    let wrong = || word.blame(LowerError::Statuses { text: word.text() });
    let text = std::str::from_utf8(word.bytes).map_err(|_| wrong())?;
    let number = |text: &str| -> Lowered<u16> {
        let number: u32 = text.parse().map_err(|_| wrong())?;
        Ok(u16::try_from(number).unwrap_or(u16::MAX))
    };
    let ranges = text.split(',').filter(|part| !part.is_empty()).map(|part| {
        let (from, to) = match part.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(part)?, number(part)?),
        };
        if from > to { Err(wrong()) } else { Ok(from..=to) }
    });
    ranges.collect()
}

/// Reads `name|name-lf [-m <how>] <name> [value|value-lf [-m <how>] <value>]`.
fn header(full: bool, args: &mut Args<'_>) -> Lowered<HeaderPattern> {
    let word = args.word("'name' and a name")?;
    let name = match word.bytes {
        b"name" => matcher(Kind::Name, args)?,
        b"name-lf" => matcher(Kind::Expressions, args)?,
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["name", "name-lf"] })),
    };
    let value = if args.take("value") {
        Some(matcher(Kind::Value, args)?)
    } else if args.take("value-lf") {
        Some(matcher(Kind::Expressions, args)?)
    } else {
        None
    };
    Ok(HeaderPattern { name, value, full })
}

/// What a matcher is written for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Value,
    /// A name or a value with expressions.
    Expressions,
}

fn matcher(kind: Kind, args: &mut Args<'_>) -> Lowered<Matcher> {
    let how = if args.take("-m") { Some(args.word("a way to compare")?) } else { None };
    let word = args.word("a pattern")?;
    let text = || match kind {
        Kind::Expressions => format(&word, args),
        _ => Ok(word.text().into()),
    };
    Ok(match how.map_or(&b"str"[..], |how| how.bytes) {
        b"str" => Matcher::Is(text()?),
        b"beg" => Matcher::Begins(text()?),
        b"end" => Matcher::Ends(text()?),
        b"sub" => Matcher::Holds(text()?),
        b"reg" if kind == Kind::Expressions => {
            return Err(word.blame(LowerError::Misplaced("a text with expressions is no regular expression")));
        }
        b"reg" if kind == Kind::Name => Matcher::Regex(regex_any_case(&word)?),
        b"reg" => Matcher::Regex(regex(&word)?),
        _ => {
            let how = how.unwrap_or(word);
            let choices = &["str", "beg", "end", "sub", "reg"];
            return Err(how.blame(LowerError::Choice { text: how.text(), choices }));
        }
    })
}
