//! `acl` lines, and the conditions of rules: `if`, `unless`, named ACLs and those between braces.
//!
//! What they mean is [`crate::expr`]'s; here are the words of the line, and whom to blame. Source: configuration manual
//! §7.1, §7.2, §7.4; what is an error was asked of 2.6.12.

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::{Blame, LowerError, Lowered};
use crate::expr::{Condition, Context, Expr, ExprError, Fetch, Known, Place, Template, TemplateError, Wrong};
use crate::grammar::SectionKind;
use crate::syntax::Word;
use crate::text::{Diagnostic, Span};

/// `acl <name> <criterion> [flags] [patterns]`: several lines of a name are alternatives.
pub fn acl(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    in_named_defaults(proxy, args)?;
    args.need("the name of an ACL")?;
    let (first, words) = left(args);
    if words.first() == Some(&&b"or"[..]) {
        let word = args.word("the name of an ACL")?;
        return Err(word.blame(LowerError::Misplaced("'or' divides alternatives: an ACL of that name never matches")));
    }
    if words.get(1).is_none_or(|word| word.is_empty()) {
        return Err(args.missing("a criterion, such as 'src'"));
    }
    // haproxy judges the line where the rules of a frontend's requests stand
    let context = context(args, Place::FrontendContent, false);
    let named = args.words().get(first).map_or(args.span(), |word| word.span);
    match proxy.set.acls.define(&words, named, &context) {
        Ok(unsaid) => {
            if unsaid {
                warn_of_no_pattern(first + 1, args);
            }
            Ok(())
        }
        Err(why) => {
            let blame = blame(args.words(), first, why);
            // Nothing acts in a disabled proxy: told when that is known.
            unbuilt(proxy, Err(blame))?;
            let name = words.first().copied().unwrap_or_default();
            proxy
                .set
                .acls
                .define(&[name, b"always_false"], named, &context)
                .map(drop)
                .map_err(|why| self::blame(args.words(), first, why))
        }
    }
}

/// Rules and ACLs may stand in defaults that have a name.
///
/// # Errors
/// These have none.
pub(super) fn in_named_defaults(proxy: &ProxyDraft, args: &Args<'_>) -> Lowered {
    if proxy.kind == SectionKind::Defaults && proxy.name.is_empty() {
        return Err(args.blame_keyword(LowerError::Misplaced("needs a 'defaults' section with a name")));
    }
    Ok(())
}

/// Puts aside that something is not built, to be told where it would act.
///
/// # Errors
/// Every other one.
pub(super) fn unbuilt(proxy: &mut ProxyDraft, lowered: Lowered) -> Lowered {
    match lowered {
        Err(blame) if matches!(blame.error, LowerError::NotYet { .. }) => {
            proxy.set.unbuilt.push(blame);
            Ok(())
        }
        lowered => lowered,
    }
}

/// What is left of a rule: nothing, or `if` or `unless` and a condition.
///
/// # Errors
/// Another word, an unknown ACL, what `expr` refuses.
pub(super) fn rest(proxy: &ProxyDraft, args: &mut Args<'_>, place: Place) -> Lowered<Option<Condition>> {
    match args.peek() {
        None | Some(b"") => return Ok(None),
        Some(b"if" | b"unless") => {}
        Some(_) => {
            let word = args.word("'if' or 'unless'")?;
            return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["if", "unless"] }));
        }
    }
    let (first, words) = left(args);
    let condition = Condition::compile(&words, &proxy.set.acls, &context(args, place, false));
    let condition = condition.map_err(|why| blame(args.words(), first, why))?;
    condition.unsaid().for_each(|word| warn_of_no_pattern(first + word, args));
    if let Some(misplaced) = condition.misplaced(place) {
        let span = args.words().get(first + misplaced.word).map_or(args.span(), |word| word.span);
        args.say(Diagnostic::warning(span, misplaced.to_string()));
    }
    let login = |fetch: &Fetch| matches!(fetch, Fetch::Known(Known::HttpAuth | Known::HttpAuthGroup, _));
    if place != Place::FrontendHttpRequest && condition.tests().any(|test| login(test.expr.fetch())) {
        let what = "passwords of HTTP requests outside of pages".to_owned();
        return Err(args.blame_keyword(LowerError::NotYet { what }));
    }
    args.skip(words.len());
    Ok(Some(condition))
}

/// Warns of an expression, which begins with that word, behind which not even a flag stands.
fn warn_of_no_pattern(word: usize, args: &mut Args<'_>) {
    let span = args.words().get(word).map_or(args.span(), |word| word.span);
    let message = "an ACL without a pattern never matches";
    args.say(Diagnostic::warning(span, message).resolved().hint("say what it is to match, or '-m found'"));
}

/// The expression that stands next.
///
/// # Errors
/// What `expr` refuses; one that knows nothing at its place.
pub(super) fn expr(args: &mut Args<'_>, place: Place) -> Lowered<Expr> {
    args.need("an expression")?;
    let (first, words) = left(args);
    let mut at = 0;
    let compiled = Expr::compile(&words, &mut at, &context(args, place, true));
    let compiled = compiled.map_err(|why| blame(args.words(), first, why))?;
    args.skip(at);
    Ok(compiled)
}

/// The text with expressions that stands next.
///
/// # Errors
/// As [`expr`].
pub(super) fn template(args: &mut Args<'_>, place: Place) -> Lowered<Template> {
    let at = args.position();
    let word = args.word("a text")?;
    Template::parse(word.bytes, &context(args, place, true)).map_err(|why| match why {
        TemplateError::Expr(why) => blame(args.words(), at, *why),
        why => word.blame(LowerError::Template { text: word.text(), why }),
    })
}

/// The words that are left, and the place of the first.
fn left<'a>(args: &Args<'a>) -> (usize, Vec<&'a [u8]>) {
    let words: &'a [Word<'a>] = args.words();
    let first = args.position();
    (first, words.get(first..).unwrap_or_default().iter().map(|word| &*word.bytes).collect())
}

fn context<'c>(args: &'c Args<'_>, place: Place, strict: bool) -> Context<'c> {
    Context { place, strict, world: &*args.world, lists: &args.lists }
}

/// Blames the part of a word; the whole where quotes or escapes stand in it. `first`: the word that errors count from.
fn blame(words: &[Word<'_>], first: usize, why: ExprError) -> Blame {
    let word = words.get(first + why.word).or(words.last());
    let span = word.map_or_else(Span::default, |word| part(word, &why.at));
    let hint = why.hint.clone();
    let error = match why.why {
        Wrong::NotBuilt { what } => LowerError::NotYet { what },
        _ => LowerError::Wrong(Box::new(why)),
    };
    Blame { span, error, hint }
}

fn part(word: &Word<'_>, at: &std::ops::Range<usize>) -> Span {
    let plain = (word.span.end - word.span.start) as usize == word.bytes.len();
    match (plain, u32::try_from(at.start), u32::try_from(at.end)) {
        (true, Ok(start), Ok(end)) if start < end => {
            Span { start: word.span.start + start, end: word.span.start + end, ..word.span }
        }
        _ => word.span,
    }
}
