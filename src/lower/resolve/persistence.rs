//! What balancing goes by and what servers are kept by, compiled when all is read.
//!
//! Source: manual §4.2 "balance"; that haproxy judges it when it has read everything, and blames the section, was asked of 2.6.

use super::called;
use crate::expr::pattern::Lists;
use crate::expr::{Context, Expr, Place, Wrong};
use crate::ir::Balance;
use crate::lower::draft::{ProxyDraft, is_backend};
use crate::lower::error::LowerError;
use crate::text::{Diagnostic, World};

/// The key of `balance hash` and `rdp-cookie`.
pub(super) fn key(proxy: &ProxyDraft, world: &dyn World, lists: &Lists, said: &mut Vec<Diagnostic>) -> Option<Expr> {
    let set = &proxy.set;
    let keyed = matches!(set.balance, Some(Balance::Hash | Balance::RdpCookie)) && is_backend(proxy.kind);
    let key = set.key.as_ref().filter(|_| keyed)?;
    if let Some(span) = set.wt6 {
        said.push(Diagnostic::alert(
            span,
            LowerError::NotYet { what: "the hash function 'wt6'".to_owned() }.to_string(),
        ));
    }
    let context = Context { place: Place::UseServer, strict: true, world, lists };
    match Expr::parse(&key.text, &context) {
        Ok(expr) => Some(expr),
        Err(why) => {
            let text = match &why.why {
                Wrong::NotBuilt { what } => LowerError::NotYet { what: what.clone() }.to_string(),
                _ => format!("{} balances by an expression that is none: {why}", called(proxy)),
            };
            said.push(Diagnostic::alert(key.span, text));
            None
        }
    }
}
