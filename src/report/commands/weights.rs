//! `get weight`, `set weight`, and how a weight is said: a number, or percents of the configured one.

use thiserror::Error;

use super::{Command, Console};
use crate::ir::AdminLevel;
use crate::pool::Reply;
use crate::units::Weight;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["get", "weight"],
        usage: "<backend>/<server>",
        help: "weight of a server now and at the start",
        level: AdminLevel::User,
        run: |console, args| console.get_weight(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["set", "weight"],
        usage: "<backend>/<server> <number>|<percent>%",
        help: "weight of a server",
        level: AdminLevel::Admin,
        run: |console, args| console.set_weight(args).unwrap_or_else(|reply| reply),
    },
];

/// Why a word is no weight.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum WeightError {
    #[error("A weight is needed: a number, or percents of the configured weight.")]
    Missing,
    #[error("'{0}' is no weight: a number, or percents of the configured weight.")]
    Garbage(String),
    #[error("A weight is at least 0 and at most 256.")]
    Range,
    #[error("A percentage of a weight is not negative.")]
    Negative,
    #[error("Balancing cannot follow other weights here: 0 or the configured one, 0% or 100%.")]
    Fixed,
}

/// The weight that a word says. Percents count from `initial` and are cut at 256; `fixed`: balancing knows a server's
/// configured weight and 0 only.
///
/// # Errors
/// [`WeightError`].
pub(super) fn parse(word: Option<&str>, initial: Weight, fixed: bool) -> Result<Weight, WeightError> {
    let word = word.ok_or(WeightError::Missing)?;
    let (digits, percent) = word.strip_suffix('%').map_or((word, false), |digits| (digits, true));
    let (negative, plain) = match digits.strip_prefix('-') {
        Some(plain) => (true, plain),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WeightError::Garbage(word.to_owned()));
    }
    let number = plain.parse::<u64>().unwrap_or(u64::MAX); // digits only: too many of them
    if negative && number > 0 {
        return Err(if percent { WeightError::Negative } else { WeightError::Range });
    }
    let most = u64::from(Weight::MAX.get());
    let wanted = if percent { (u64::from(initial.get()).saturating_mul(number) / 100).min(most) } else { number };
    let weight = u16::try_from(wanted).ok().and_then(Weight::new).ok_or(WeightError::Range)?;
    if fixed && weight.get() != 0 && weight != initial {
        return Err(WeightError::Fixed);
    }
    Ok(weight)
}

impl Console {
    fn get_weight(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        let view = self.pool.server_view(server.proxy, server.ix, self.now());
        let weight = view.map_or(0, |view| view.user_weight);
        Ok(Reply::Text(format!("{weight} (initial {})\n", server.line.weight.get())))
    }

    fn set_weight(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        self.weigh(&server, args.get(1).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        let garbage = |word: &str| Err(WeightError::Garbage(word.to_owned()));
        for (word, fixed, want) in [
            ("5", false, Ok(5)),
            ("+5", false, Ok(5)), // all of these as 2.6 reads them
            ("05", false, Ok(5)),
            ("-0", false, Ok(0)),
            ("256", false, Ok(256)),
            ("257", false, Err(WeightError::Range)),
            ("-1", false, Err(WeightError::Range)),
            ("99999999999999999999", false, Err(WeightError::Range)),
            ("0%", false, Ok(0)),
            ("50%", false, Ok(5)),
            ("55%", false, Ok(5)),
            ("300%", false, Ok(30)),
            ("99999999999999999999%", false, Ok(256)),
            ("-1%", false, Err(WeightError::Negative)),
            ("x", false, garbage("x")),
            ("", false, garbage("")),
            ("%", false, garbage("%")),
            ("5x", false, garbage("5x")),
            ("5%x", false, garbage("5%x")),
            ("0x5", false, garbage("0x5")),
            ("0", true, Ok(0)),
            ("10", true, Ok(10)),
            ("100%", true, Ok(10)),
            ("5", true, Err(WeightError::Fixed)),
            ("50%", true, Err(WeightError::Fixed)),
        ] {
            let got = parse(Some(word), Weight::new(10).unwrap(), fixed).map(Weight::get);
            assert_eq!(got, want, "{word:?}");
        }
        assert_eq!(parse(None, Weight::DEFAULT, false), Err(WeightError::Missing));
    }
}
