//! `use_backend`: where a frontend's sessions go. Source: configuration manual §4.2; asked of 2.6.12.

use crate::expr::{Condition, Place, Template};
use crate::lower::args::Args;
use crate::lower::conditions;
use crate::lower::draft::{Named, ProxyDraft};
use crate::lower::error::Lowered;
use crate::text::Span;

/// One `use_backend` line.
#[derive(Debug, Clone)]
pub struct SwitchDraft {
    /// Where sessions go.
    pub to: DestinationDraft,
    /// When; `None`: always.
    pub when: Option<Condition>,
    /// The line.
    pub span: Span,
}

/// Where sessions go, by name.
#[derive(Debug, Clone)]
pub enum DestinationDraft {
    /// A backend.
    Backend(Named),
    /// A text that names one when it is asked for.
    Named(Template),
}

/// `use_backend <name> [if|unless <condition>]`.
pub fn use_backend(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let lowered = read(proxy, args).map(|switch| proxy.set.rules.switching.push(switch));
    conditions::unbuilt(proxy, lowered)
}

fn read(proxy: &ProxyDraft, args: &mut Args<'_>) -> Lowered<SwitchDraft> {
    let span = args.span();
    let text = args.peek().is_some_and(|word| word.contains(&b'%'));
    let to = if text {
        DestinationDraft::Named(conditions::template(args, Place::UseBackend)?)
    } else {
        let word = args.word("the name of a backend")?;
        DestinationDraft::Backend(Named { name: word.text(), span: word.span })
    };
    let when = conditions::rest(proxy, args, Place::UseBackend)?;
    Ok(SwitchDraft { to, when, span })
}
