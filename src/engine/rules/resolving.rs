//! `do-resolve`: a session waits, within its inspect delay, until a name was looked up.
//!
//! The rules before it are not looked at again. Source: manual §4.2 "http-request do-resolve"; asked of 2.6.12.

use std::sync::Arc;
use std::task::Poll;

use super::View;
use crate::expr::{Expr, Facts as _, Value};
use crate::ir::{NameLookup, ResolversIx};
use crate::pool::resolution::Inquiry;

/// Looks a name up for the rule at that place; whether the session is to wait for the answer.
pub(super) fn resolve(at: usize, lookup: &NameLookup, view: &View<'_>) -> bool {
    let asked = view.memory.borrow_mut().as_mut().and_then(|memory| memory.awaited.take());
    let inquiry = match asked {
        Some((_, Some(inquiry))) => inquiry,
        // nobody was asked yet, or it was another process
        _ if !view.patient => return false,
        _ => match inquire(lookup, view) {
            Some(inquiry) => inquiry,
            None => return false,
        },
    };
    match inquiry.reply() {
        Poll::Ready(address) => {
            if let (Some(variable), Some(address)) = (&lookup.variable, address) {
                view.set_variable(variable, Some(Value::ip(address)));
            }
            false
        }
        Poll::Pending => {
            if view.patient {
                view.remember(|memory| memory.awaited = Some((at, Some(inquiry))));
            }
            view.patient
        }
    }
}

fn inquire(lookup: &NameLookup, view: &View<'_>) -> Option<Arc<Inquiry>> {
    let name = text(&lookup.name, view)?;
    let waker = view.waker()?;
    let inquiry = Inquiry::new(ResolversIx(lookup.section.id?), &name, lookup.prefer, waker);
    view.shard.shared.pool.inquire(&inquiry);
    Some(inquiry)
}

fn text(expr: &Expr, view: &View<'_>) -> Option<String> {
    let text = expr.value(view)?.into_text();
    Some(std::str::from_utf8(&text).ok()?.to_owned())
}
