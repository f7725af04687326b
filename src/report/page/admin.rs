//! Orders given on the page: which form fields they are, whether they are allowed, what they come to.
//!
//! Field names, actions and outcome codes are haproxy's, so that scripts that post them keep working. A browser
//! that was sent here by another site is refused.

use crate::ir::{ProxyIx, ServerIx};
use crate::pool::{Admin, Cause, Closing, Control, HealthOrder, Journal, PageRequest, Pool};
use crate::units::Tick;

/// Longest form.
pub(super) const LONGEST: usize = 16 * 1024;

/// What an order came to; haproxy's code goes into the address that the browser is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Some of the servers do not exist.
    Part,
    /// There was nothing to do.
    None,
    /// Wrong fields.
    Wrong,
    TooLong,
    Denied,
}

impl Outcome {
    pub(super) const ALL: [Self; 6] = [Self::Done, Self::Part, Self::None, Self::Wrong, Self::TooLong, Self::Denied];

    /// haproxy's code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Part => "PART",
            Self::None => "NONE",
            Self::Wrong => "ERRP",
            Self::TooLong => "EXCD",
            Self::Denied => "DENY",
        }
    }

    /// What people are told.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Done => "Done.",
            Self::Part => "Done for some of the servers; the others do not exist.",
            Self::None => "Nothing was changed: choose servers and an action.",
            Self::Wrong => "Nothing was changed: no such backend, server or action.",
            Self::TooLong => "Nothing was changed: too many servers at once.",
            Self::Denied => "Nothing was changed: it is not allowed.",
        }
    }
}

/// One thing to do to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Set(Admin),
    /// End its sessions.
    Shutdown,
    /// Whether it is checked.
    Check(bool),
    /// What its check would say.
    Health(HealthOrder),
    /// Whether its agent is asked.
    Agent(bool),
    /// What its agent would say.
    AgentHealth(bool),
}

impl Action {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ready" | "start" => Self::Set(Admin::Ready),
            "drain" => Self::Set(Admin::Drain),
            "maint" | "stop" => Self::Set(Admin::Maint),
            "dhlth" => Self::Check(false),
            "ehlth" => Self::Check(true),
            "hdown" => Self::Health(HealthOrder::Down),
            "hrunn" => Self::Health(HealthOrder::Up),
            "dagent" => Self::Agent(false),
            "eagent" => Self::Agent(true),
            "adown" => Self::AgentHealth(false),
            "arunn" => Self::AgentHealth(true),
            "shutdown" => Self::Shutdown,
            _ => return None,
        })
    }
}

/// Whether a request comes from the page itself or from a program, and not from another site's page.
pub(super) fn from_here(request: &PageRequest<'_>) -> bool {
    let header = request.header;
    if let Some(site) = header("sec-fetch-site") {
        return site == b"same-origin" || site == b"none";
    }
    let Some(origin) = header("origin") else { return true };
    let origin = String::from_utf8_lossy(origin);
    let host = header("host").unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, name)| name.as_bytes().eq_ignore_ascii_case(host))
}

/// The fields of an urlencoded form.
fn fields(body: &[u8]) -> impl Iterator<Item = (String, String)> + '_ {
    body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        (decode(&pair[..at]), decode(pair.get(at + 1..).unwrap_or_default()))
    })
}

/// Undoes the encoding of a form's text: `+` and `%XX`.
pub(super) fn decode(text: &[u8]) -> String {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What carries an order out.
pub(super) struct Hands<'a> {
    pub(super) pool: &'a Pool,
    pub(super) journal: &'a dyn Journal,
    pub(super) control: Option<&'a dyn Control>,
    pub(super) now: Tick,
}

impl Hands<'_> {
    /// Obeys a form: `s` names servers (several), `b` their backend by name or `#id`, `action` what to do.
    pub(super) fn obey(&self, body: &[u8]) -> Outcome {
        if body.len() > LONGEST {
            return Outcome::TooLong;
        }
        let (mut backend, mut action, mut servers) = (None, None, Vec::new());
        for (name, value) in fields(body) {
            match name.as_str() {
                "b" => backend = Some(value),
                "action" if !value.is_empty() => action = Some(value),
                "s" => servers.push(value),
                _ => {}
            }
        }
        let (Some(backend), Some(action)) = (backend, action) else { return Outcome::None };
        if servers.is_empty() {
            return Outcome::None;
        }
        let Some(action) = Action::parse(&action) else { return Outcome::Wrong };
        let Some(ix) = self.backend(&backend) else { return Outcome::Wrong };
        let (mut known_names, mut done) = (0, 0);
        for name in &servers {
            if let Some((at, _)) = self.pool.servers(ix).find(|(_, server)| server.name == *name) {
                known_names += 1;
                done += usize::from(self.act(ix, at, action));
            }
        }
        match done {
            0 if known_names > 0 => Outcome::None,
            0 => Outcome::Wrong,
            n if n < servers.len() => Outcome::Part,
            _ => Outcome::Done,
        }
    }

    fn backend(&self, named: &str) -> Option<ProxyIx> {
        let id = named.strip_prefix('#').map(|id| id.parse::<u32>().ok());
        let mut proxies = self.pool.config.proxies.iter().enumerate();
        let (ix, _) = proxies.find(|(_, proxy)| {
            let meant = id.map_or(proxy.name == named, |id| id == Some(proxy.id));
            meant && !proxy.disabled && proxy.backend.is_some()
        })?;
        Some(ProxyIx(ix as u32))
    }

    /// Whether there was something to do it to.
    fn act(&self, proxy: ProxyIx, server: ServerIx, action: Action) -> bool {
        // Before the engine runs nobody can ask.
        let Some(control) = self.control else { return false };
        let events = match action {
            Action::Set(admin) => self.pool.set_admin(proxy, server, admin, self.now),
            Action::Health(order) => self.pool.set_health(proxy, server, order, self.now),
            Action::AgentHealth(up) => match self.pool.set_agent(proxy, server, up, self.now) {
                Some(events) => events,
                None => return false,
            },
            Action::Check(checked) => return self.pool.enable_check(proxy, server, checked),
            Action::Agent(asked) => return self.pool.enable_agent(proxy, server, asked),
            Action::Shutdown => {
                control.close(Closing::Server(proxy, server), Cause::Killed);
                return true;
            }
        };
        self.pool.announce(&events, self.journal, control);
        true
    }
}
