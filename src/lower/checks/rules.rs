//! The rules of one section in order, and their way into a [`Script`].
//!
//! haproxy counts rules from 1, comments too, and a comment is that of the rule behind it, or of a row of
//! expectations behind it. Observed on 2.6.12.

use super::{ChecksDraft, RequestDraft};
use crate::ir::check::{Act, Expect, Pattern, Script, Step, Telling};
use crate::text::Span;

/// One rule.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Says something of the rule behind it.
    Comment(String),
    /// Does something; with the comment that stands on its own line.
    Act(Act, Option<String>),
    /// `http-check send`, of which `option httpchk` may say a part.
    Request(Box<RequestDraft>, Option<String>),
}

/// What a rule does to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Talk {
    Connect,
    Send,
    Expect,
}

/// The rules of a section, or those it has of its defaults.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    list: Vec<Rule>,
    /// Where the first of them stands.
    pub span: Option<Span>,
    /// Whether they stand in this section.
    own: bool,
    /// Whether an option of another kind stands behind them: nothing is said of them then.
    set_aside: bool,
}

impl Rules {
    /// Adds a rule of this section; the first one replaces what stands in its defaults.
    pub fn add(&mut self, rule: Rule, span: Span) {
        self.begin();
        self.span.get_or_insert(span);
        self.set_aside = false;
        self.list.push(rule);
    }

    /// The section says something of its own: what stands in its defaults is forgotten. Returns whether it was not yet.
    pub(super) fn begin(&mut self) -> bool {
        let first = !self.own;
        if first {
            *self = Self { own: true, ..Self::default() };
        }
        first
    }

    /// The same for a section that takes them from its defaults.
    pub fn inherited(&mut self) {
        self.own = false;
    }

    /// An option of another kind was chosen behind them. They are kept: their own option may come later.
    pub(super) fn set_aside(&mut self) {
        self.set_aside = true;
    }

    /// Where the first of them stands, if they stand in this section and behind every option of another kind.
    pub(super) fn idle(&self) -> Option<Span> {
        self.span.filter(|_| self.own && !self.set_aside)
    }

    /// What the rules of this section do to the connection, in order.
    pub(super) fn talks(&self) -> impl DoubleEndedIterator<Item = Talk> {
        self.list.iter().filter(|_| self.own).filter_map(|rule| match rule {
            Rule::Act(Act::Connect(_), _) => Some(Talk::Connect),
            Rule::Act(Act::Expect(_), _) => Some(Talk::Expect),
            Rule::Act(act, _) if act.talks() => Some(Talk::Send),
            Rule::Request(..) => Some(Talk::Send),
            Rule::Act(..) | Rule::Comment(_) => None,
        })
    }

    /// The script of `option tcp-check`.
    pub fn tcp_script(&self) -> Script {
        let steps = self.steps(&RequestDraft::default());
        Script { telling: Telling::TcpCheck, steps, ..Script::default() }
    }

    /// The script of `option httpchk`: a request is sent, and 2xx or 3xx expected, where no rule says so.
    pub fn http_script(&self, checks: &ChecksDraft) -> Script {
        let base = checks.request.clone().unwrap_or_default();
        let mut steps = self.steps(&base);
        let has = |steps: &[Step], what: fn(&Act) -> bool| steps.iter().any(|step| what(&step.act));
        if !has(&steps, |act| matches!(act, Act::Request(_))) {
            let base = match &checks.request {
                Some(_) => &base,
                // haproxy 2.6 asks for nothing then, and waits in vain; those before it ask
                None if has(&steps, |act| matches!(act, Act::Expect(_))) => &checks.inherited_request,
                // haproxy only connects then, and tells it so
                None => return Script { telling: Telling::TcpCheck, steps, ..Script::default() },
            };
            let request = RequestDraft::default().request(base);
            let first = steps.iter().position(|step| matches!(step.act, Act::Expect(_))).unwrap_or(steps.len());
            steps.insert(first, Step::plain(Act::Request(Box::new(request))));
        }
        if matches!(steps.iter().rev().find(|step| step.act.talks()), Some(Step { act: Act::Request(_), .. })) {
            let fine = Expect::new(Pattern::Status(vec![200..=399]));
            steps.push(Step::plain(Act::Expect(Box::new(fine))));
        }
        let (disable_on_404, send_state) = (checks.disable_on_404, checks.send_state);
        Script { telling: Telling::HttpCheck, steps, disable_on_404, send_state }
    }

    /// The rules that do something, numbered and with their comments. `base`: what the first request is made of besides.
    fn steps(&self, base: &RequestDraft) -> Vec<Step> {
        let (mut steps, none) = (Vec::new(), RequestDraft::default());
        let mut base = Some(base);
        let mut before = None;
        for (number, rule) in (1..).zip(&self.list) {
            let (act, own) = match rule {
                Rule::Comment(text) => {
                    before = Some(text);
                    continue;
                }
                Rule::Act(act, own) => (act.clone(), own),
                Rule::Request(request, own) => {
                    (Act::Request(Box::new(request.request(base.take().unwrap_or(&none)))), own)
                }
            };
            let comment = own.clone().or_else(|| before.cloned());
            before = before.filter(|_| matches!(act, Act::Expect(_)));
            steps.push(Step { number, comment, act });
        }
        steps
    }
}
