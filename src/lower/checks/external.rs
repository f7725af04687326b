//! Checks by a program: `option external-check`, `external-check …`, and the words of `global` that allow it.
//!
//! Source: manual §3.1 "external-check", "insecure-fork-wanted", §4.2; what is an error asked of 2.6.12.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use super::CheckKind;
use crate::grammar::Prefix;
use crate::ir::{External, Global};
use crate::lower::args::Args;
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};
use crate::lower::global::GlobalDraft;
use crate::text::{Diagnostic, Span};

/// `external-check command`, `external-check path`.
#[derive(Debug, Clone, Default)]
pub struct ExternalDraft {
    command: Option<(OsString, Span)>,
    path: Option<(OsString, Span)>,
}

/// `option external-check`.
pub fn option(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    proxy.set.checks.choose(CheckKind::External);
    Ok(())
}

fn word(args: &mut Args<'_>) -> Lowered<Option<(OsString, Span)>> {
    let word = args.word("a path")?;
    args.end()?;
    Ok(Some((OsString::from_vec(word.bytes.to_vec()), word.span)))
}

/// `external-check command <command>`: a name without a `/` is looked up in `external-check path`.
pub fn command(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.checks.external.command = word(args)?;
    Ok(())
}

/// `external-check path <path>`: the variable `PATH` of the program.
pub fn path(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.checks.external.path = word(args)?;
    Ok(())
}

/// `external-check [preserve-env]` of `global`: programs may check; they get the variables of the process, too.
pub fn allowed(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let preserve = match args.next_word() {
        None => false,
        Some(word) if word.bytes.is_empty() => false,
        Some(word) if word.bytes == b"preserve-env" => true,
        Some(word) => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["preserve-env"] })),
    };
    args.end()?;
    global.ir.external_checks = Some(preserve);
    Ok(())
}

/// `insecure-fork-wanted`: without it haproxy may not be able to start programs; baton is, and warns as haproxy does.
pub fn fork_wanted(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    global.ir.fork_wanted = args.prefix == Prefix::Plain;
    Ok(())
}

impl ExternalDraft {
    /// The program that checks.
    pub fn program(&self) -> Option<Arc<External>> {
        let (command, _) = self.command.clone()?;
        Some(Arc::new(External { command, path: self.path.clone().map(|(path, _)| path) }))
    }
}

/// What the whole says of a proxy's program.
pub(in crate::lower) fn judge(proxy: &ProxyDraft, global: &Global, said: &mut Vec<Diagnostic>) {
    let external = &proxy.set.checks.external;
    if let (Some((command, span)), None) = (&external.command, &external.path)
        && !command.as_bytes().starts_with(b"/")
    {
        let message = format!("proxy '{}' has an 'external-check command' that is no whole path", proxy.name);
        said.push(Diagnostic::alert(*span, message).resolved().hint("begin it with '/', or add 'external-check path'"));
    }
    if !matches!(proxy.set.checks.kind, CheckKind::External) {
        for (name, given) in [("command", &external.command), ("path", &external.path)] {
            if let Some((_, span)) = given {
                let message = format!(
                    "proxy '{}' has 'external-check {name}' and no 'option external-check': nothing is done",
                    proxy.name
                );
                said.push(Diagnostic::warning(*span, message).resolved().hint("add 'option external-check'"));
            }
        }
        return;
    }
    let mut alert = |message: String, hint: &str| {
        said.push(Diagnostic::alert(proxy.span, message).resolved().hint(hint.to_owned()));
    };
    if global.external_checks.is_none() {
        alert(
            format!("proxy '{}' is checked by a program, which 'global' does not allow", proxy.name),
            "add 'external-check' to 'global'",
        );
    }
    if external.command.is_none() {
        alert(
            format!("proxy '{}' is checked by a program, and none is named", proxy.name),
            "add 'external-check command <path>'",
        );
    }
    if !global.fork_wanted {
        let message = format!("proxy '{}' is checked by a program, which haproxy may not start", proxy.name);
        said.push(Diagnostic::warning(proxy.span, message).resolved().hint("add 'insecure-fork-wanted' to 'global'"));
    }
}
