//! The options of a `bind`, `stats socket`, `server` or `default-server` line: each has a row and a function.

use super::args::Args;
use super::bind::BindDraft;
use super::draft::RefusedWord;
use super::error::{Blame, LowerError, Lowered};
use super::server::ServerDraft;
use super::{table, threads};
use crate::grammar::{self, Acts, GrammarError, OptionLine, Row, Support};

/// Options of servers that haproxy takes without their value at the end of a line.
const MAY_LACK: [&str; 7] = ["weight", "maxconn", "minconn", "maxqueue", "init-addr", "resolve-opts", "resolvers"];

/// Reads the options that are left of a `bind` or `stats socket` line.
pub(super) fn bind(draft: &mut BindDraft, line: OptionLine, args: &mut Args<'_>) -> Lowered {
    while args.peek().is_some_and(|word| !word.is_empty()) {
        let Some(row) = option(line, args)? else { continue };
        args.enter_option();
        match (row.support, table::BIND.get(usize::from(row.index)).copied().flatten()) {
            (Support::Full, Some(function)) => function(draft, args)?,
            (Support::Refused { acts: Acts::Always | Acts::InHttp, .. }, _) => return Err(refused(row, args)),
            (Support::Noop { reason }, _) => {
                args.without_effect(reason);
                match row.keyword {
                    "nice" | "process" | "shards" | "thread" => {
                        threads::value(row.keyword, &mut draft.threads, args)?;
                    }
                    _ => args.skip(usize::from(row.arity.min)),
                }
            }
            _ => args.skip(usize::from(row.arity.min)),
        }
    }
    Ok(())
}

/// Reads the options that are left of a `server` or `default-server` line.
pub(super) fn server(draft: &mut ServerDraft, line: OptionLine, args: &mut Args<'_>) -> Lowered {
    while args.peek().is_some_and(|word| !word.is_empty()) {
        let Some(row) = option(line, args)? else { continue };
        args.enter_option();
        match (row.support, table::SERVER.get(usize::from(row.index)).copied().flatten()) {
            (Support::Full, Some(function)) => function(draft, args)?,
            (Support::Refused { acts: Acts::Always, .. }, _) if line != OptionLine::DefaultServer => {
                return Err(refused(row, args));
            }
            (Support::Refused { acts: Acts::Always | Acts::InHttp, .. }, _) => {
                draft.refused.push(RefusedWord { row, span: args.span() });
                args.skip(usize::from(row.arity.min));
            }
            (Support::Noop { reason }, _) => {
                // nothing acts on it, but haproxy has a warning for it
                match row.keyword {
                    "tfo" => draft.tfo = true,
                    "no-tfo" => draft.tfo = false,
                    _ => {}
                }
                args.without_effect(reason);
                args.skip(usize::from(row.arity.min));
            }
            _ => args.skip(usize::from(row.arity.min)),
        }
    }
    Ok(())
}

/// The row of the next option; `None` for one that has no effect on this line and was passed over.
fn option(line: OptionLine, args: &mut Args<'_>) -> Lowered<Option<&'static Row>> {
    match grammar::option(line, args.words(), args.position()) {
        Ok(row) => Ok(Some(row)),
        Err(GrammarError::TooFew { row, .. }) if MAY_LACK.contains(&row.keyword) => Ok(Some(row)),
        Err(error) => {
            let GrammarError::Ignored { row, .. } = &error else { return Err(grammar_blame(error, args)) };
            let words = 1 + usize::from(row.arity.min);
            args.say(error.diagnostic(args.words()));
            args.skip(words);
            Ok(None)
        }
    }
}

/// The error of an option that this version does not build.
fn refused(row: &'static Row, args: &Args<'_>) -> Blame {
    args.blame_keyword(LowerError::NotYet { what: what(row) })
}

/// What a refused row lacks, as the subject of a sentence.
pub(super) fn what(row: &Row) -> String {
    match row.support {
        Support::Refused { missing, .. } if !missing.is_empty() => format!("{missing} ('{}')", row.keyword),
        _ => format!("'{}'", row.keyword),
    }
}

fn grammar_blame(error: GrammarError, args: &Args<'_>) -> Blame {
    let words = args.words();
    let span = words.get(error.at()).map_or(args.span(), |word| word.span);
    let hint = error.hint();
    Blame { span, error: LowerError::Grammar(Box::new(error)), hint }
}
