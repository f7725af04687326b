//! Goes through the steps of a check, one after the other, until one fails or all are done.
//!
//! Whether an answer fits is [`super::answer`]'s. The texts are haproxy's, which people search logs for: observed on
//! 2.6.12.

use tokio::time::{Instant, timeout_at};

use super::answer::{self, Verdict};
use super::link::{self, Link, Manner};
use super::probe::Target;
use crate::ir::check::{Act, CheckStatus, Connect, Expect, Finding, Pattern, Script, Step, Telling};

/// Runs the script of a target, or just connects.
pub(super) async fn run(target: &Target) -> Finding {
    let script = target.script.as_deref();
    let steps = script.map_or(&[][..], |script| &script.steps);
    let telling = script.map_or(Telling::BuiltIn, |script| script.telling);
    let mut talk =
        Talk { target, telling, link: None, heard: Vec::new(), over: false, deadline: target.limits.start() };
    let opens = matches!(steps.first(), Some(Step { act: Act::Connect(_), .. }));
    let told = if opens { Ok(()) } else { talk.connect(None, &Connect::default(), steps).await };
    let told = match told {
        Ok(()) => talk.go_through(steps).await,
        failed => failed,
    };
    told.err().unwrap_or_else(|| success(script, talk.code()))
}

/// What a check found that came to its end.
fn success(script: Option<&Script>, code: Option<u16>) -> Finding {
    let Some(script) = script else { return Finding { status: CheckStatus::L4Ok, code: None, info: None } };
    let mut found = Finding { status: CheckStatus::L7Ok, code, info: None };
    if script.telling == Telling::TcpCheck && !script.steps.is_empty() {
        found.info = Some("(tcp-check)".to_owned());
    }
    match script.steps.last().map(|step| &step.act) {
        Some(Act::Expect(expect)) => {
            found.status = expect.ok.unwrap_or(found.status);
            found.code = expect.code.or(code);
            found.info = expect.on_success.clone().or(found.info);
        }
        Some(Act::Connect(_)) | None => found.status = CheckStatus::L4Ok,
        Some(Act::Send(_) | Act::SendNow(_)) => {}
    }
    found
}

/// A check under way.
struct Talk<'t> {
    target: &'t Target,
    telling: Telling,
    link: Option<Link>,
    heard: Vec<u8>,
    /// Whether nothing more can be heard.
    over: bool,
    deadline: Instant,
}

/// A step that is done, or what the check found thereby.
type Done = Result<(), Finding>;

impl Talk<'_> {
    async fn go_through(&mut self, steps: &[Step]) -> Done {
        for (at, step) in steps.iter().enumerate() {
            let rest = &steps[at + 1..];
            match &step.act {
                Act::Connect(connect) => self.connect(Some(step), connect, rest).await?,
                Act::Send(bytes) => self.send(step, bytes).await?,
                Act::SendNow(make) => self.send(step, &make()).await?,
                Act::Expect(expect) => self.expect(step, expect).await?,
            }
        }
        Ok(())
    }

    async fn connect(&mut self, step: Option<&Step>, connect: &Connect, rest: &[Step]) -> Done {
        self.link = None;
        self.heard.clear();
        self.over = false;
        // A connection that a script asks for begins with no header.
        let header = self.target.header.filter(|_| step.is_none());
        let manner = match rest.first().map(|step| &step.act) {
            None if header.is_none() => Manner::Silent,
            _ if connect.linger => Manner::Polite,
            _ => Manner::Brusque,
        };
        let place = self.target.elsewhere(connect);
        let opened = timeout_at(self.deadline, Link::open(&place, self.target.source.as_ref(), manner)).await;
        match opened {
            Ok(Ok(mut link)) => {
                if let Some((options, never_local)) = header {
                    // What becomes of it is found by what follows, as with haproxy.
                    let _ = timeout_at(self.deadline, link.introduce(options, never_local)).await;
                }
                self.link = Some(link);
                self.deadline = self.target.limits.connected(self.deadline);
                Ok(())
            }
            Ok(Err(failure)) => {
                let mut found = failure.finding();
                found.info = self.told(found.info.as_deref().unwrap_or_default(), step);
                Err(found)
            }
            Err(_) => Err(Finding { status: CheckStatus::L4Tout, code: None, info: self.told("", step) }),
        }
    }

    async fn send(&mut self, step: &Step, bytes: &[u8]) -> Done {
        self.heard.clear();
        let Some(link) = &mut self.link else { return Ok(()) };
        match timeout_at(self.deadline, link.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(self.broken(&why, step)),
            Err(_) => Err(Finding { status: CheckStatus::L7Tout, code: None, info: self.told("", Some(step)) }),
        }
    }

    async fn expect(&mut self, step: &Step, expect: &Expect) -> Done {
        loop {
            if !self.heard.is_empty() || self.over {
                match answer::judge(expect, &self.heard, self.over) {
                    Verdict::Wait => {}
                    Verdict::Fits => return Ok(()),
                    Verdict::Ends(found) => return Err(found),
                    Verdict::Fails(what) => return Err(self.failed(step, expect, &what)),
                }
            }
            let Some(link) = &mut self.link else { return Ok(()) };
            match timeout_at(self.deadline, link.receive(&mut self.heard, self.target.most)).await {
                Ok(Ok(more)) => {
                    self.over = !more || self.heard.len() >= self.target.most;
                    if !more {
                        link.ends_in_order();
                    }
                }
                Ok(Err(_)) if !self.heard.is_empty() => self.over = true,
                Ok(Err(why)) => return Err(self.broken(&why, step)),
                Err(_) => {
                    let status = expect.timeout.unwrap_or(CheckStatus::L7Tout);
                    return Err(Finding { status, code: None, info: self.told("", Some(step)) });
                }
            }
        }
    }

    /// The connection broke.
    fn broken(&self, why: &std::io::Error, step: &Step) -> Finding {
        let info = self.told(link::text(link::errno(why)), Some(step));
        Finding { status: CheckStatus::SockErr, code: None, info }
    }

    /// The answer does not fit.
    fn failed(&self, step: &Step, expect: &Expect, what: &str) -> Finding {
        let status = expect.error.unwrap_or(CheckStatus::L7Rsp);
        let info = match (&expect.on_error, self.telling) {
            (Some(text), _) if !self.heard.is_empty() => Some(text.clone()),
            (_, Telling::BuiltIn) if self.heard.is_empty() && step.number > 0 => {
                Some(format!("{what} at step {}", step.number))
            }
            (_, Telling::BuiltIn) => None,
            (_, Telling::TcpCheck) => {
                // haproxy's quotes: here some, there none
                let comment = step.comment.as_ref().map(|comment| match self.heard.is_empty() {
                    true => format!(" comment: '{comment}'"),
                    false => format!(" comment: {comment}"),
                });
                Some(format!("{what} at step {}{}", step.number, comment.unwrap_or_default()))
            }
        };
        Finding { status, code: expect.code, info }
    }

    /// What happened, and at which step.
    fn told(&self, what: &str, step: Option<&Step>) -> Option<String> {
        let mut text = what.to_owned();
        if self.telling == Telling::TcpCheck {
            text.push(' ');
            text.push_str(&place(step));
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn code(&self) -> Option<u16> {
        None
    }
}

/// Where it happened.
fn place(step: Option<&Step>) -> String {
    let Some(step) = step.filter(|step| step.number > 0) else {
        return "at initial connection step of tcp-check".to_owned();
    };
    let act = match &step.act {
        Act::Connect(Connect { port: Some(port), .. }) => format!("connect port {port}"),
        Act::Connect(_) => "connect".to_owned(),
        Act::Send(_) | Act::SendNow(_) => "send".to_owned(),
        Act::Expect(expect) => match &expect.pattern {
            Pattern::Text(text) => format!("expect string '{}'", String::from_utf8_lossy(text)),
            Pattern::Binary(bytes) => {
                let shown = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                format!("expect binary '{}'", String::from_utf8_lossy(shown))
            }
            Pattern::Judge(_) => "expect".to_owned(),
        },
    };
    let comment = step.comment.as_ref().map(|comment| format!(" comment: '{comment}'"));
    format!("at step {} of tcp-check ({act}){}", step.number, comment.unwrap_or_default())
}
