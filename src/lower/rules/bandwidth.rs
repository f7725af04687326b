//! `filter bwlim-in`, `filter bwlim-out` and the action `set-bandwidth-limit`.
//!
//! Source: manual of 3.2 §9.7 and §4.4; haproxy has them since 2.7, so nothing was asked of 2.6. What a line of its own can tell is
//! judged here, names and tables in `lower::resolve::bandwidth`.

use super::Ruleset;
use crate::expr::{Expr, NameRef, Place, Side};
use crate::grammar::SectionKind;
use crate::ir::{Action, Amount, BandwidthLimit, BandwidthRate, Rule, SetBandwidth};
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::draft::{ProxyDraft, is_frontend};
use crate::lower::error::{LowerError, Lowered};
use crate::units::{Millis, Size};

/// The words of a line, as far as they were said.
#[derive(Default)]
struct Words {
    default_limit: Option<u32>,
    default_period: Option<Millis>,
    limit: Option<u32>,
    key: Option<Expr>,
    table: Option<NameRef>,
    min_size: u32,
}

/// `filter bwlim-in <name> …`: what clients send.
pub fn incoming(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    declare(proxy, args, Side::Request)
}

/// `filter bwlim-out <name> …`: what servers send.
pub fn outgoing(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    declare(proxy, args, Side::Response)
}

/// `<name> default-limit <size> default-period <time>`, or `<name> limit <size> key <expression> [table <table>]`, and
/// `[min-size <size>]` for both, in any order.
fn declare(proxy: &mut ProxyDraft, args: &mut Args<'_>, side: Side) -> Lowered {
    let name = args.word("the name of the limit")?;
    if proxy.set.rules.limits.iter().any(|known| known.name.as_bytes() == name.bytes) {
        return Err(name.blame(LowerError::Misplaced("a limit of this section has that name already")));
    }
    let keyword = if side == Side::Request { "filter bwlim-in" } else { "filter bwlim-out" };
    let said = words(proxy, args, keyword)?;
    let min_size = said.min_size;
    let rate = rate(said, args)?;
    let limit = BandwidthLimit {
        name: name.text().into(),
        section: proxy.name.as_str().into(),
        side,
        min_size,
        rate,
        span: args.span(),
    };
    proxy.set.rules.limits.push(limit);
    Ok(())
}

fn words(proxy: &ProxyDraft, args: &mut Args<'_>, keyword: &'static str) -> Lowered<Words> {
    let mut said = Words::default();
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"default-limit" => said.default_limit = Some(size(args)?),
            b"default-period" => said.default_period = Some(period(args)?),
            b"limit" => said.limit = Some(size(args)?),
            b"min-size" => said.min_size = bytes(args, 0)?,
            b"key" => {
                // it is evaluated where a rule sets the limit; a section with clients has requests first
                let place = if is_frontend(proxy.kind) { Place::FrontendContent } else { Place::BackendContent };
                said.key = Some(conditions::expr(args, place)?);
            }
            b"table" => {
                let name = args.string("the name of a proxy with a stick table")?.into();
                said.table = Some(NameRef { name, id: None });
            }
            _ => return Err(word.blame(LowerError::Option { keyword, text: word.text() })),
        }
    }
    Ok(said)
}

/// One kind of limit, whole.
fn rate(said: Words, args: &Args<'_>) -> Lowered<BandwidthRate> {
    let Words { default_limit, default_period, limit, key, table, .. } = said;
    let own = default_limit.is_some() || default_period.is_some();
    let shared = limit.is_some() || key.is_some() || table.is_some();
    if own && shared {
        let wrong =
            "a limit is of each session ('default-limit', 'default-period') or of a key ('limit', 'key', 'table')";
        return Err(args.blame_keyword(LowerError::Misplaced(wrong)));
    }
    if shared {
        let limit = limit.ok_or_else(|| args.missing("'limit' with a number of bytes"))?;
        let key = key.ok_or_else(|| args.missing("'key' with an expression"))?;
        return Ok(BandwidthRate::Shared { limit, key, table: table.unwrap_or_default() });
    }
    let limit = default_limit.ok_or_else(|| args.missing("'default-limit' with a number of bytes"))?;
    let period = default_period.ok_or_else(|| args.missing("'default-period' with a time"))?;
    Ok(BandwidthRate::Own { limit, period })
}

/// `set-bandwidth-limit <name> [limit <size>|<expression>] [period <time>|<expression>]`; where it may stand is [`belongs`]'s.
pub fn set(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let name = args.string("the name of a 'filter bwlim-in' or 'bwlim-out'")?.into();
    let mut set = SetBandwidth { name, filter: None, limit: None, period: None };
    loop {
        if args.take("limit") {
            set.limit = Some(match starts_with_digit(args) {
                true => Amount::Number(size(args)?),
                false => Amount::Expr(conditions::expr(args, ruleset.place)?),
            });
        } else if args.take("period") {
            set.period = Some(match starts_with_digit(args) {
                true => Amount::Number(period(args)?.get()),
                false => Amount::Expr(conditions::expr(args, ruleset.place)?),
            });
        } else {
            return Ok(Action::LimitBandwidth(Box::new(set)));
        }
    }
}

/// Whether a rule may stand in its section.
///
/// # Errors
/// Limits are set in "defaults", which declare none.
pub(super) fn belongs(proxy: &ProxyDraft, rule: &Rule, args: &Args<'_>) -> Lowered {
    if matches!(rule.action, Action::LimitBandwidth(_)) && proxy.kind == SectionKind::Defaults {
        let error = LowerError::Misplaced("limits are set where a 'filter' line declares them, and not in 'defaults'");
        return Err(args.blame_keyword(error));
    }
    Ok(())
}

fn starts_with_digit(args: &Args<'_>) -> bool {
    args.peek().and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
}

/// A number of bytes that lets something pass.
fn size(args: &mut Args<'_>) -> Lowered<u32> {
    bytes(args, 1)
}

fn bytes(args: &mut Args<'_>, min: u32) -> Lowered<u32> {
    let given = args.word("a number of bytes")?;
    let size = Size::parse(given.bytes).map_err(|why| given.blame(LowerError::Size { text: given.text(), why }))?;
    if size.get() < min {
        return Err(given.range(min.into(), u32::MAX.into()));
    }
    Ok(size.get())
}

/// A time that is not zero.
fn period(args: &mut Args<'_>) -> Lowered<Millis> {
    let given = args.word("a time")?;
    let time = args.time_of(&given)?;
    if time == Millis::ZERO {
        return Err(given.range(1, i64::from(i32::MAX)));
    }
    Ok(time)
}
