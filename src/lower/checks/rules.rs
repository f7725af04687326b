//! The rules of one section in order, and their way into a [`Script`].
//!
//! haproxy counts rules from 1, comments too, and a comment is that of the rule behind it, or of a row of rules of one
//! kind behind it. Observed on 2.6.12.

use std::mem::discriminant;

use crate::ir::check::{Act, Script, Step, Telling};
use crate::text::Span;

/// One rule.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Says something of the rule behind it.
    Comment(String),
    /// Does something; with the comment that stands on its own line.
    Act(Act, Option<String>),
}

/// The rules of a section, or those it has of its defaults.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    list: Vec<Rule>,
    /// Where the first of them stands.
    pub span: Option<Span>,
    /// Whether they stand in this section.
    own: bool,
}

impl Rules {
    /// Adds a rule of this section; the first one replaces what stands in its defaults.
    pub fn add(&mut self, rule: Rule, span: Span) {
        self.begin();
        self.span.get_or_insert(span);
        self.list.push(rule);
    }

    /// What stands in the defaults is forgotten.
    fn begin(&mut self) {
        if !self.own {
            *self = Self { own: true, ..Self::default() };
        }
    }

    /// The same for a section that takes them from its defaults.
    pub fn inherited(&mut self) {
        self.own = false;
    }

    /// Whether a `connect` may not be added: something was to be said before it, and no connection was opened for that.
    pub fn forbid_connect(&self) -> bool {
        let acts = self.list.iter().filter(|_| self.own).filter_map(|rule| match rule {
            Rule::Act(act, _) => Some(act),
            Rule::Comment(_) => None,
        });
        let mut acts = acts.filter(|act| matches!(act, Act::Connect(_) | Act::Send(_) | Act::Expect(_)));
        acts.next().is_some_and(|first| !matches!(first, Act::Connect(_)))
    }

    /// The script of `option tcp-check`.
    pub fn tcp_script(&self) -> Script {
        Script { telling: Telling::TcpCheck, steps: self.steps() }
    }

    /// The rules that do something, numbered and with their comments.
    fn steps(&self) -> Vec<Step> {
        let numbered = (1..).zip(&self.list);
        let steps = numbered.enumerate().filter_map(|(at, (number, rule))| match rule {
            Rule::Comment(_) => None,
            Rule::Act(act, own) => {
                let comment = own.clone().or_else(|| self.comment_before(at, act));
                Some(Step { number, comment, act: act.clone() })
            }
        });
        steps.collect()
    }

    /// The comment before a rule, or before the row of rules of its kind that it ends.
    fn comment_before(&self, at: usize, act: &Act) -> Option<String> {
        for rule in self.list[..at].iter().rev() {
            match rule {
                Rule::Comment(text) => return Some(text.clone()),
                Rule::Act(other, _) if discriminant(other) == discriminant(act) => {}
                Rule::Act(..) => return None,
            }
        }
        None
    }
}
