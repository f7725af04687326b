//! The words of one statement, read one after the other with their meaning checked.
//!
//! A lowering function sees nothing of a line but this. Every reader blames the word it read.

use std::rc::Rc;

use super::error::{Blame, LowerError, Lowered};
use crate::expr::pattern::Lists;
use crate::grammar::Prefix;
use crate::syntax::Word;
use crate::text::{Diagnostic, Span, World};
use crate::units::{Millis, NumberError, Seconds, TimeError, parse_i64};

/// The largest number that haproxy counts with.
pub(super) const MOST: u32 = i32::MAX as u32;

/// Entries of stick tables that a session can track unless `tune.stick-counters` says another number.
const STICK_COUNTERS: u32 = 3;

/// The words of one statement behind its keyword, and what reading them may ask and say.
pub struct Args<'a> {
    words: &'a [Word<'a>],
    keyword: usize,
    keyword_words: usize,
    at: usize,
    /// What stood before the keyword.
    pub prefix: Prefix,
    /// The outside.
    pub world: &'a mut dyn World,
    /// Whether an option of the line is being read.
    in_option: bool,
    /// Whether `global` has a description so far.
    pub described: bool,
    /// The lists of patterns and maps of the configuration.
    pub lists: Rc<Lists>,
    /// `tune.stick-counters`: how many entries a session can track.
    pub stick_counters: u32,
    said: &'a mut Vec<Diagnostic>,
}

impl<'a> Args<'a> {
    /// The words of a line whose keyword stands at `words[keyword]` and is `keyword_words` words long.
    pub fn new(
        words: &'a [Word<'a>],
        keyword: usize,
        keyword_words: usize,
        prefix: Prefix,
        world: &'a mut dyn World,
        said: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            words,
            keyword,
            keyword_words,
            at: keyword + keyword_words,
            prefix,
            world,
            in_option: false,
            described: false,
            lists: Rc::default(),
            stick_counters: STICK_COUNTERS,
            said,
        }
    }

    /// The keyword's place: all its words.
    pub fn span(&self) -> Span {
        let first = self.words[self.keyword].span;
        let last = self.words[self.keyword + self.keyword_words - 1].span;
        if first.line == last.line { Span { end: last.end, ..first } } else { first }
    }

    /// The keyword as written, its words joined by a space.
    pub fn keyword(&self) -> String {
        self.text(self.keyword, self.keyword + self.keyword_words)
    }

    fn text(&self, from: usize, to: usize) -> String {
        let words = self.words.get(from..to).unwrap_or_default();
        words.iter().map(|word| String::from_utf8_lossy(&word.bytes)).collect::<Vec<_>>().join(" ")
    }

    /// Whether `no` stands before the keyword: the usual question of a switch. `default` answers `default`.
    pub fn on(&self, default: bool) -> bool {
        match self.prefix {
            Prefix::Plain => true,
            Prefix::No => false,
            Prefix::Default => default,
        }
    }

    /// The next word, if there is one, without taking it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        let words: &'a [Word<'a>] = self.words;
        words.get(self.at).map(|word| &*word.bytes)
    }

    /// The next word, if there is one.
    pub fn next_word(&mut self) -> Option<Given<'a>> {
        let words: &'a [Word<'a>] = self.words;
        let word = words.get(self.at)?;
        self.at += 1;
        Some(Given { bytes: &word.bytes, span: word.span })
    }

    /// Takes the next word if it is `word`.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word.as_bytes());
        self.at += usize::from(found);
        found
    }

    /// The next word. `what` names what is needed, with its article.
    ///
    /// # Errors
    /// [`LowerError::Missing`], blamed on the keyword; an empty word counts as missing, as with haproxy.
    pub fn word(&mut self, what: &'static str) -> Lowered<Given<'a>> {
        match self.next_word() {
            Some(given) if !given.bytes.is_empty() => Ok(given),
            _ => Err(self.missing(what)),
        }
    }

    /// The next word as text: bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As [`Self::word`].
    pub fn string(&mut self, what: &'static str) -> Lowered<String> {
        Ok(self.word(what)?.text())
    }

    /// The error that says that `what` is missing here.
    pub fn missing(&self, what: &'static str) -> Blame {
        self.blame_keyword(LowerError::Missing { keyword: self.keyword(), what })
    }

    /// An error that blames the keyword.
    pub fn blame_keyword(&self, error: LowerError) -> Blame {
        Blame { span: self.span(), error, hint: None }
    }

    /// A time; a bare number counts in milliseconds.
    ///
    /// # Errors
    /// [`LowerError::Missing`], [`LowerError::Time`].
    pub fn time(&mut self) -> Lowered<Millis> {
        let word = self.word("a time")?;
        self.time_of(&word)
    }

    /// The time that a word, or a part of one, says.
    ///
    /// # Errors
    /// [`LowerError::Time`].
    pub fn time_of(&mut self, word: &Given<'_>) -> Lowered<Millis> {
        match Millis::parse(word.bytes) {
            Ok(time) => Ok(time),
            Err(TimeError::Garbage { value, .. }) => {
                self.garbage(word);
                Millis::new(value)
                    .ok_or_else(|| word.blame(LowerError::Time { text: word.text(), why: Millis::OVERFLOW }))
            }
            Err(why) => Err(word.blame(LowerError::Time { text: word.text(), why })),
        }
    }

    /// haproxy 2.6 warns of what stands behind a unit and goes on; it names the line only for options of a line.
    fn garbage(&mut self, word: &Given<'_>) {
        let message = format!("'{}' does not end with its unit: what follows the unit is ignored", word.text());
        let warning = Diagnostic::warning(word.span, message);
        self.say(if self.in_option { warning } else { warning.resolved() });
    }

    /// A time of which a bare number counts in seconds; the answer is in whole seconds, rounded up.
    ///
    /// # Errors
    /// As [`Self::time`].
    pub fn seconds(&mut self) -> Lowered<u32> {
        let word = self.word("a time")?;
        match Seconds::parse(word.bytes) {
            Ok(time) => Ok(time.get()),
            Err(TimeError::Garbage { value, .. }) => {
                self.garbage(&word);
                Ok(value)
            }
            Err(why) => Err(word.blame(LowerError::Time { text: word.text(), why })),
        }
    }

    /// A whole number of `min` to `max`.
    ///
    /// # Errors
    /// [`LowerError::Missing`], [`LowerError::Number`], [`LowerError::Range`].
    pub fn int(&mut self, min: i64, max: i64) -> Lowered<i64> {
        self.word("a number")?.int(min, max)
    }

    /// A count as haproxy reads many of them: what is no number is 0, with a warning of ours. `None` for 0.
    ///
    /// # Errors
    /// [`LowerError::Missing`].
    pub fn lenient_count(&mut self) -> Lowered<Option<u32>> {
        let word = self.word("a number")?;
        let number = word.lenient(i64::MIN, i64::MAX, self)?;
        Ok(u32::try_from(number.clamp(0, i64::from(i32::MAX))).ok().filter(|number| *number > 0))
    }

    /// A whole number in C's notation (`010` is 8, `0x10` 16), of which haproxy keeps the lower 32 bits: what the few
    /// keywords take that refuse a number with something behind it.
    ///
    /// # Errors
    /// [`LowerError::Missing`], [`LowerError::Number`].
    pub fn c_number(&mut self) -> Lowered<u32> {
        let word = self.word("a number")?;
        let number = c_number(word.bytes).ok_or_else(|| word.blame(LowerError::Number { text: word.text() }))?;
        // as haproxy: only the lower half counts
        Ok(u32::try_from(number & i64::from(u32::MAX)).unwrap_or(u32::MAX))
    }

    /// At least one word must be left.
    ///
    /// # Errors
    /// [`LowerError::Missing`].
    pub fn need(&self, what: &'static str) -> Lowered {
        if self.peek().is_some_and(|word| !word.is_empty()) { Ok(()) } else { Err(self.missing(what)) }
    }

    /// Index of the next word among the words of the line.
    pub fn position(&self) -> usize {
        self.at
    }

    /// All words of the line.
    pub fn words(&self) -> &'a [Word<'a>] {
        self.words
    }

    /// Takes the next word as the keyword of an option of this line: errors about it name it.
    pub fn enter_option(&mut self) {
        self.keyword = self.at;
        self.keyword_words = 1;
        self.in_option = true;
        self.at += 1;
    }

    /// Passes over that many words.
    pub fn skip(&mut self, words: usize) {
        self.at = (self.at + words).min(self.words.len());
    }

    /// All words that are left, as text.
    pub fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(word) = self.next_word() {
            rest.push(word.text());
        }
        rest
    }

    /// Nothing may be left; an empty word ends a line's arguments, whatever stands behind it.
    ///
    /// # Errors
    /// [`LowerError::Extra`] for the first word that is.
    pub fn end(&mut self) -> Lowered {
        match self.next_word() {
            None | Some(Given { bytes: [], .. }) => Ok(()),
            Some(word) => Err(word.blame(LowerError::Extra { keyword: self.keyword(), text: word.text() })),
        }
    }

    /// Says something that does not stop the statement.
    pub fn say(&mut self, diagnostic: Diagnostic) {
        self.said.push(diagnostic);
    }

    /// A remark that only `-dD` shows: the keyword is accepted, and nothing is done.
    pub fn without_effect(&mut self, reason: &str) {
        let message = format!("'{}' has no effect here: {reason}", self.keyword());
        self.say(Diagnostic::diag(self.span(), message));
    }

    /// A warning of baton's own, with the line that says the same today.
    pub fn modern(&mut self, line: &str) {
        let message = format!("'{}' is an old form: it is read as '{line}'", self.keyword());
        self.say(Diagnostic::our_warning(self.span(), message).hint(format!("write '{line}'")));
    }
}

/// A number in C's notation, as large as can be counted at most.
fn c_number(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None if digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let mut number = (!digits.is_empty()).then_some(0_i64)?;
    for digit in digits.chars() {
        number = number.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit.to_digit(radix)?));
    }
    Some(if negative { -number } else { number })
}

/// One word that was read.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What it says.
    pub bytes: &'a [u8],
    /// Where.
    pub span: Span,
}

impl<'a> Given<'a> {
    /// As text: bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    /// An error that blames this word.
    pub fn blame(&self, error: LowerError) -> Blame {
        Blame { span: self.span, error, hint: None }
    }

    /// The number at the beginning of the word, 0 if there is none: how haproxy reads many numbers. What is not a
    /// whole number gets a warning of ours that shows what was read.
    ///
    /// # Errors
    /// [`LowerError::Range`]: what was read is not between `min` and `max`.
    pub fn lenient(&self, min: i64, max: i64, args: &mut Args<'_>) -> Lowered<i64> {
        let (number, odd) = match parse_i64(self.bytes, i64::MIN..=i64::MAX) {
            Ok(number) => (number, false),
            Err(
                NumberError::Garbage { value, .. }
                | NumberError::Small { value, .. }
                | NumberError::Large { value, .. },
            ) => (value, true),
            Err(NumberError::NoDigits) => (0, true),
        };
        if number < min || number > max {
            return Err(self.range(min, max));
        }
        if odd {
            let message =
                format!("'{}' is not a whole number: it is read as {number}, as haproxy reads it", self.text());
            args.say(Diagnostic::our_warning(self.span, message));
        }
        Ok(number)
    }

    /// The same for a number that a `u32` holds.
    ///
    /// # Errors
    /// As [`Self::lenient`].
    pub fn lenient_u32(&self, min: u32, max: u32, args: &mut Args<'_>) -> Lowered<u32> {
        let number = self.lenient(i64::from(min), i64::from(max), args)?;
        u32::try_from(number).map_err(|_| self.range(i64::from(min), i64::from(max)))
    }

    /// The error of a number out of its range.
    pub fn range(&self, min: i64, max: i64) -> Blame {
        self.blame(LowerError::Range { text: self.text(), min, max })
    }

    /// A whole number of `min` to `max`.
    ///
    /// # Errors
    /// [`LowerError::Number`], [`LowerError::Range`].
    pub fn int(&self, min: i64, max: i64) -> Lowered<i64> {
        let text = || self.text();
        let number: i64 = std::str::from_utf8(self.bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.blame(LowerError::Number { text: text() }))?;
        if number < min || number > max {
            return Err(self.blame(LowerError::Range { text: text(), min, max }));
        }
        Ok(number)
    }
}
