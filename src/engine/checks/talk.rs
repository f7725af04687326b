//! Goes through the steps of a check, one after the other, until one fails or all are done.
//!
//! Whether an answer fits is [`super::answer`]'s, how an end is told [`super::telling`]'s. Variables live as long as
//! the check.

use tokio::time::{Instant, timeout_at};

use super::answer::{self, Heard, Verdict};
use super::facts::CheckFacts;
use super::http::{self, Parsed};
use super::link::{self, Link, Manner};
use super::probe::Target;
use super::telling;
use crate::expr::{Expr, Value};
use crate::ir::SendProxy;
use crate::ir::check::{Act, CheckStatus, Connect, Expect, Finding, Request, Step, Telling};

/// Runs the script of a target, or just connects.
pub(super) async fn run(target: &Target) -> Finding {
    let script = target.script.as_deref();
    let steps = script.map_or(&[][..], |script| &script.steps);
    let mut talk = Talk {
        target,
        telling: script.map_or(Telling::BuiltIn, |script| script.telling),
        facts: CheckFacts::new(target.checked.as_deref(), &target.variables),
        link: None,
        heard: Vec::new(),
        over: false,
        bodiless: false,
        code: None,
        deadline: target.limits.start(),
    };
    match talk.go_through(steps).await {
        Ok(()) => telling::success(script, talk.code, &talk.facts),
        Err(found) => found,
    }
}

/// A check under way.
struct Talk<'t> {
    target: &'t Target,
    telling: Telling,
    facts: CheckFacts<'t>,
    link: Option<Link>,
    heard: Vec<u8>,
    /// Whether nothing more can be heard.
    over: bool,
    /// Whether the last request gets an answer without a body.
    bodiless: bool,
    /// The status of the last HTTP answer.
    code: Option<u16>,
    deadline: Instant,
}

/// A step that is done, or what the check found thereby.
type Done = Result<(), Finding>;

impl Talk<'_> {
    async fn go_through(&mut self, steps: &[Step]) -> Done {
        let talks = |steps: &[Step]| steps.iter().any(|step| step.act.talks());
        if !matches!(steps.iter().find(|step| step.act.talks()), Some(Step { act: Act::Connect(_), .. })) {
            self.connect(None, &Connect::default(), !talks(steps)).await?;
        }
        for (at, step) in steps.iter().enumerate() {
            match &step.act {
                Act::Connect(connect) => self.connect(Some(step), connect, !talks(&steps[at + 1..])).await?,
                Act::Send(bytes) => self.send(step, bytes).await?,
                Act::SendNow(make) => self.send(step, &make()).await?,
                Act::SendFormat { format, hex } => match answer::rendered(format, *hex, &self.facts) {
                    Ok(bytes) => self.send(step, &bytes).await?,
                    Err(why) => return Err(telling::cannot_send(why, step)),
                },
                Act::Request(request) => self.request(step, request).await?,
                Act::Expect(expect) => self.expect(step, expect).await?,
                Act::SetVar(name, expr) => {
                    let value = expr.value(&self.facts).map(Value::into_owned);
                    if value.is_some() {
                        self.facts.set(name, value);
                    }
                }
                Act::SetVarFormat(name, format) => {
                    let text = format.evaluate(&self.facts);
                    self.facts.set(name, Some(Value::owned(text)));
                }
                Act::UnsetVar(name) => self.facts.set(name, None),
            }
        }
        Ok(())
    }

    /// `last`: nothing is said over the connection.
    async fn connect(&mut self, step: Option<&Step>, connect: &Connect, last: bool) -> Done {
        if let Some(link) = self.link.as_mut().filter(|_| self.telling == Telling::HttpCheck) {
            link.ends_in_order();
        }
        self.link = None;
        (self.facts.ends, self.facts.connected) = (None, false);
        self.heard.clear();
        self.over = false;
        let header = self.header(step, connect);
        let manner = match last && header.is_none() {
            true => Manner::Silent,
            false if connect.linger => Manner::Polite,
            false => Manner::Brusque,
        };
        // each connection has its time
        self.deadline = self.target.limits.start();
        let place = self.target.elsewhere(connect, &self.facts);
        let opened = timeout_at(self.deadline, Link::open(&place, self.target.source.as_ref(), manner)).await;
        match opened {
            Ok(Ok(mut link)) => {
                if let Some((options, never_local)) = header {
                    // What becomes of it is found by what follows, as with haproxy.
                    let _ = timeout_at(self.deadline, link.introduce(options, never_local)).await;
                }
                (self.facts.ends, self.facts.connected) = (link.ends(), true);
                self.link = Some(link);
                self.deadline = self.target.limits.connected(self.deadline);
                Ok(())
            }
            Ok(Err(failure)) => {
                let mut found = failure.finding();
                found.info = telling::at(self.telling, found.info.as_deref().unwrap_or_default(), step);
                Err(found)
            }
            Err(_) => Err(telling::late(self.telling, CheckStatus::L4Tout, step)),
        }
    }

    /// The PROXY header of a connection: `send-proxy`, or what the server's own connections begin with where a step
    /// asks for no other or for the default.
    fn header(&self, step: Option<&Step>, connect: &Connect) -> Option<(SendProxy, bool)> {
        let own = self.target.header.filter(|_| step.is_none() || connect.default);
        connect.send_proxy.then_some((SendProxy::V1, self.target.never_local)).or(own)
    }

    async fn request(&mut self, step: &Step, request: &Request) -> Done {
        let bytes = http::request(request, self.target.state.as_deref(), &self.facts);
        self.bodiless = request.method == b"HEAD";
        self.send(step, &bytes).await
    }

    async fn send(&mut self, step: &Step, bytes: &[u8]) -> Done {
        self.heard.clear();
        let Some(link) = &mut self.link else { return Ok(()) };
        match timeout_at(self.deadline, link.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(self.broken(&why, step)),
            Err(_) => Err(telling::late(self.telling, CheckStatus::L7Tout, Some(step))),
        }
    }

    async fn expect(&mut self, step: &Step, expect: &Expect) -> Done {
        loop {
            if !self.heard.is_empty() || self.over {
                let verdict = answer::judge(expect, self.heard(), &self.facts);
                if verdict != Verdict::Wait && self.telling == Telling::HttpCheck {
                    self.note_code();
                }
                match verdict {
                    Verdict::Wait => {}
                    Verdict::Fits => return Ok(()),
                    Verdict::Ends(found) => return Err(found),
                    Verdict::Broken(what) => {
                        return Err(telling::broken_answer(self.telling, step, expect, &what, &self.facts));
                    }
                    Verdict::Fails(status, what) => {
                        let mut found = telling::failure(self.telling, step, expect, (status, &what), &self.facts);
                        found.code = self.own_code(expect.code.as_ref()).or(self.code);
                        return Err(found);
                    }
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
                    return Err(telling::late(self.telling, status, Some(step)));
                }
            }
        }
    }

    fn heard(&self) -> Heard<'_> {
        let (over, bodiless, disable_on_404) = (self.over, self.bodiless, self.target.disable_on_404);
        Heard { bytes: &self.heard, over, bodiless, disable_on_404 }
    }

    /// The status of an answer is told with the check's result.
    fn note_code(&mut self) {
        if let Parsed::Answer(answer) = http::answer(&self.heard, self.bodiless) {
            self.code = Some(answer.status);
        }
    }

    fn own_code(&self, code: Option<&Expr>) -> Option<u16> {
        telling::code(code, &self.facts)
    }

    /// The connection broke.
    fn broken(&self, why: &std::io::Error, step: &Step) -> Finding {
        let info = telling::at(self.telling, link::text(link::errno(why)), Some(step));
        Finding { status: CheckStatus::SockErr, code: None, info }
    }
}
