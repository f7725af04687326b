//! One question on its way: to whom it was put, who has answered, what is asked next.
//!
//! A question about a host is put for the preferred type; when every name server has failed to answer that, for the other
//! type; and after `timeout retry` for the preferred one again, `resolve_retries` times in all. Source: manual §5.3.2; the
//! order observed on 2.6.12 (docs/OBSERVED.md).

use std::sync::Arc;

use super::{Fault, Kind, Status};

/// A message to all name servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its number.
    pub id: u16,
    /// The name that is asked for.
    pub name: Arc<str>,
    /// What is asked of it.
    pub kind: Kind,
}

/// A question that is being asked.
#[derive(Debug)]
pub(super) struct Question {
    /// Number of its messages.
    pub(super) id: u16,
    /// What is asked at the moment.
    pub(super) kind: Kind,
    /// What is asked first.
    preferred: Kind,
    /// How often it may be asked for the preferred type from now on, this time included.
    tries: u32,
    /// How many name servers were asked at last.
    asked: usize,
    /// How many of them have answered that they have no answer.
    failed: usize,
    /// The last of these answers.
    fault: Option<Fault>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for [`Question::kind`] now.
    Ask,
    /// Wait for answers.
    Wait,
    /// It has failed.
    Fail(Status),
}

impl Question {
    pub(super) fn new(id: u16, preferred: Kind, retries: u32) -> Self {
        Self { id, kind: preferred, preferred, tries: retries.max(1), asked: 0, failed: 0, fault: None }
    }

    /// So many name servers were asked.
    pub(super) fn put(&mut self, asked: usize) {
        (self.asked, self.failed, self.fault) = (asked, 0, None);
    }

    /// A name server has no answer.
    pub(super) fn failed(&mut self, fault: Fault) -> Next {
        self.failed += 1;
        self.fault = Some(fault);
        match self.preferred.other() {
            _ if self.failed < self.asked => Next::Wait,
            Some(other) if self.kind == self.preferred => {
                self.kind = other;
                Next::Ask
            }
            Some(_) if self.tries == 1 => Next::Fail(fault.status()),
            _ => Next::Wait,
        }
    }

    /// `timeout retry` is over.
    pub(super) fn timed_out(&mut self) -> Next {
        if self.tries == 1 {
            return Next::Fail(self.fault.map_or(Status::Timeout, Fault::status));
        }
        match self.preferred.other() {
            Some(other) if self.kind == self.preferred && self.failed > 0 => self.kind = other,
            _ => {
                self.tries -= 1;
                self.kind = self.preferred;
            }
        }
        Next::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters: `n`o such name, `r`efused, `t`ime is over. What was asked then, or how it ended.
    fn played(preferred: Kind, retries: u32, servers: usize, events: &str) -> String {
        let mut question = Question::new(7, preferred, retries);
        question.put(servers);
        let mut shown = String::new();
        for event in events.chars() {
            let next = match event {
                'n' => question.failed(Fault::NoName),
                'r' => question.failed(Fault::Refused),
                _ => question.timed_out(),
            };
            match next {
                Next::Ask => {
                    question.put(servers);
                    shown += match question.kind {
                        Kind::V4 => "4",
                        Kind::V6 => "6",
                        Kind::Service => "S",
                    };
                }
                Next::Wait => shown += "-",
                Next::Fail(status) => return format!("{shown} {status:?}"),
            }
        }
        shown
    }

    /// What 2.6.12 was seen to ask (docs/OBSERVED.md).
    #[test]
    fn what_is_asked_next() {
        use Kind::{Service, V4, V6};
        for (kind, retries, servers, events, want) in [
            (V6, 3, 1, "nntnntnn", "4-64-64 Nx"), // both types each time; the last answer ends it
            (V6, 3, 2, "nnnn", "-4--"),           // all must have failed
            (V6, 3, 2, "ntntnt", "-4-6-4"),       // one is silent: the other type after the time
            (V6, 3, 2, "ntntntntnt", "-4-6-4-6- Nx"),
            (V4, 3, 1, "ttt", "44 Timeout"), // silence: the same type
            (V4, 1, 1, "nr", "6 Refused"),   // the last status counts
            (V4, 1, 1, "t", " Timeout"),
            (V4, 1, 1, "nt", "6 Timeout"),
            (V4, 0, 1, "t", " Timeout"),           // once at least
            (Service, 3, 1, "ntntnt", "-S-S- Nx"), // no other type; the time is waited for
            (Service, 2, 0, "tt", "S Timeout"),    // nobody to be asked
        ] {
            assert_eq!(played(kind, retries, servers, events), want, "{kind:?} {retries} {servers} {events}");
        }
    }
}
