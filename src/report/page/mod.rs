//! The statistics page: who may see it, in which form, and the orders given on it.
//!
//! Its own design, HTML without a line of script needed; style sheet and script are addresses of their own
//! (`;style`, `;script`), so that the policy forbids everything inline. Knows no connection: the engine reads
//! requests and writes answers. Source: configuration manual §4.2 "stats …"; answers observed on 2.6.12.

mod admin;
mod auth;
mod request;
mod show;
mod view;

use std::sync::{Arc, OnceLock};

use askama::Template;

use super::Identity;
use super::figures::{Memory, Source};
use super::prometheus;
use super::stats::{self, Selection};
use crate::expr::{Arg, Facts, Fetched, Known, Truth, Value};
use crate::ir::{HttpRule, Proxy, Service, StatsAdmin, StatsPage, StatsRule, StatsScope, StatsVerdict, User};
use crate::pool::{Control, Journal, Page, PageReply, PageRequest, Pool};
use admin::Outcome;
use request::{Form, Wanted};
use stats::Form::{Csv, Json};

/// What the browser may do with the page: show it, load from here, post to here.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

/// Typed lines without what each means.
const TYPED: stats::Form = stats::Form::Typed { described: false };

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The statistics pages of a process.
pub struct Site {
    pool: Arc<Pool>,
    journal: Arc<dyn Journal>,
    identity: Identity,
    process: stats::Process,
    control: OnceLock<Arc<dyn Control>>,
    memory: OnceLock<Arc<Memory>>,
}

impl Site {
    /// The pages of the process that has this state; `journal` is told what orders changed.
    pub fn new(pool: Arc<Pool>, journal: Arc<dyn Journal>, identity: Identity) -> Self {
        let process = stats::Process::default();
        Self { pool, journal, identity, process, control: OnceLock::new(), memory: OnceLock::new() }
    }

    /// Gives it the running engine, which orders that end sessions need. Only the first call counts.
    pub fn attach(&self, control: Arc<dyn Control>) {
        let _ = self.control.set(control);
    }

    /// Gives it what tells the process's memory. Only the first call counts.
    pub fn measure(&self, memory: Arc<Memory>) {
        let _ = self.memory.set(memory);
    }

    /// Whether this client may give orders.
    fn obeys(&self, page: &StatsPage, request: &PageRequest<'_>) -> bool {
        match page.admin {
            StatsAdmin::Never => false,
            StatsAdmin::Always => true,
            StatsAdmin::Localhost => request.client.is_none_or(|client| client.ip().to_canonical().is_loopback()),
        }
    }

    /// What a rule's service answers; `None`: no rule's condition holds.
    fn service(&self, proxy: &Proxy, request: &PageRequest<'_>) -> Option<PageReply> {
        let asked = Asked { request, site: self, proxy };
        let holds = |rule: &&HttpRule| rule.when.as_ref().is_none_or(|when| when.evaluate(&asked) == Truth::True);
        match proxy.http_rules.iter().find(holds)?.service {
            Service::PrometheusExporter => {
                let now = (self.identity.clock)();
                let info = stats::Info {
                    pool: &self.pool,
                    identity: &self.identity,
                    lost_logs: self.journal.lost(),
                    now,
                    sample: self.process.sample(&self.pool, now),
                };
                let memory = self.memory.get().and_then(|memory| memory());
                let own = Source { pool: &self.pool, now, lost_logs: info.lost_logs, memory };
                Some(prometheus::answer(&self.pool, &info, &own, request.target))
            }
        }
    }

    fn post(&self, page: &StatsPage, request: &PageRequest<'_>, wanted: &Wanted<'_>) -> PageReply {
        let outcome = if !self.obeys(page, request) || !admin::from_here(request) {
            Outcome::Denied
        } else {
            let now = (self.identity.clock)();
            let control = self.control.get().map(AsRef::as_ref);
            admin::Hands { pool: &self.pool, journal: &*self.journal, control, now }.obey(request.body)
        };
        let hidden = match wanted.hide {
            stats::Hide::Nothing => "",
            stats::Hide::Maintenance => ";no-maint",
            stats::Hide::Down => ";up",
        };
        let mut reply = plain(303, "text/plain", String::new());
        reply.headers.push(("location", format!("{};st={}{hidden}", page.uri, outcome.code())));
        reply
    }

    fn html(
        &self,
        proxy: &Proxy,
        page: &StatsPage,
        request: &PageRequest<'_>,
        wanted: &Wanted<'_>,
        scope: Option<&[&str]>,
    ) -> PageReply {
        let selection = Selection { hide: wanted.hide, scope, ..Selection::default() };
        let now = (self.identity.clock)();
        let admin = self.obeys(page, request);
        let view = view::build(&self.pool, &self.identity, now, &view::Asked { proxy, page, wanted, selection, admin });
        match view.render() {
            Ok(text) => {
                let mut reply = plain(200, "text/html; charset=utf-8", text);
                reply.headers.push(("content-security-policy", POLICY.into()));
                reply.headers.push(("referrer-policy", "same-origin".into()));
                reply
            }
            Err(error) => plain(500, "text/plain", format!("The page cannot be shown: {error}\n")),
        }
    }
}

/// A request, as conditions of rules may ask about it (see `lower::rules::http`).
struct Asked<'a, 'r> {
    request: &'a PageRequest<'r>,
    site: &'a Site,
    proxy: &'a Proxy,
}

impl Asked<'_, '_> {
    /// The user of the list that an argument names, if the request gives the right password.
    fn user(&self, args: &[Arg]) -> Option<&User> {
        let Some(Arg::Str(name)) = args.first() else { return None };
        let list = self.site.pool.config.global.userlists.iter().find(|list| list.name.as_bytes() == &**name)?;
        let (user, password) = auth::login((self.request.header)("authorization")?)?;
        list.verify(&user, &password)
    }
}

impl Facts for Asked<'_, '_> {
    fn known(&self, fetch: Known, args: &[Arg]) -> Fetched<'_> {
        Fetched::known(match fetch {
            Known::HttpAuth => Some(Value::Bool(self.user(args).is_some())),
            Known::HttpAuthGroup => self.user(args).map(|user| Value::owned(user.groups.join("/").into_bytes())),
            Known::Path => request::path_of(self.request.target).map(Value::text),
            Known::Src => self.request.client.map(|client| Value::ip(client.ip())),
            Known::SrcPort => self.request.client.map(|client| Value::Int(client.port().into())),
            Known::FeName => Some(Value::text(self.proxy.name.as_bytes())),
            Known::FeId => Some(Value::Int(self.proxy.id.into())),
            _ => self.site.pool.fact(fetch, args, (self.site.identity.clock)()),
        })
    }
}

impl Page for Site {
    fn answer(&self, request: &PageRequest<'_>) -> Option<PageReply> {
        let proxy = self.pool.config.proxies.get(request.proxy.0 as usize)?;
        if let Some(service) = self.service(proxy, request) {
            return Some(service);
        }
        let page = proxy.stats.as_ref()?;
        if !matches!(request.method, "GET" | "HEAD" | "POST") {
            return None;
        }
        let wanted = Wanted::parse(request.target, &page.uri)?;
        if !auth::allowed(&page.auth, (request.header)("authorization")) {
            return Some(login_needed(&page.realm));
        }
        let asked = Asked { request, site: self, proxy };
        let holds = |rule: &&StatsRule| rule.when.as_ref().is_none_or(|when| when.evaluate(&asked) == Truth::True);
        match page.rules.iter().find(holds).map(|rule| &rule.verdict) {
            None | Some(StatsVerdict::Allow) => {}
            Some(StatsVerdict::Deny) => return Some(plain(403, "text/html", denied())),
            Some(StatsVerdict::Auth(realm)) => return Some(login_needed(realm.as_deref().unwrap_or(&page.realm))),
        }
        if request.method == "POST" {
            return Some(self.post(page, request, &wanted));
        }
        let names: Vec<&str> = page
            .scope
            .iter()
            .map(|scope| match scope {
                StatsScope::Own => proxy.name.as_str(),
                StatsScope::Proxy(name) => name.as_str(),
            })
            .collect();
        let scope = (!names.is_empty()).then_some(names.as_slice());
        let selection = Selection {
            hide: wanted.hide,
            legends: page.show_legends,
            holding: wanted.filter,
            scope,
            ..Selection::default()
        };
        let now = (self.identity.clock)();
        let mut reply = match wanted.form {
            Form::Html => self.html(proxy, page, request, &wanted, scope),
            Form::Csv => plain(200, "text/plain", stats::whole(Csv, &self.pool, now, &selection)),
            Form::Json => plain(200, "application/json", stats::whole(Json, &self.pool, now, &selection)),
            Form::Typed => plain(200, "text/plain", stats::whole(TYPED, &self.pool, now, &selection)),
            Form::Schema => plain(200, "application/json", stats::SCHEMA.into()),
            Form::Style => asset("text/css; charset=utf-8", STYLE),
            Form::Script => asset("text/javascript; charset=utf-8", SCRIPT),
        };
        // The page itself says it in a way that its script can do without.
        if let (Form::Csv | Form::Typed | Form::Json | Form::Schema, Some(seconds), false) =
            (wanted.form, page.refresh, wanted.still)
        {
            reply.headers.push(("refresh", seconds.to_string()));
        }
        Some(reply)
    }
}

/// The answer to who is to give a name and a password.
fn login_needed(realm: &str) -> PageReply {
    let mut reply = plain(401, "text/html", unauthorized());
    reply.headers.push(("www-authenticate", format!("Basic realm=\"{}\"", auth::realm(realm))));
    reply
}

fn plain(status: u16, kind: &str, body: String) -> PageReply {
    PageReply {
        status,
        headers: vec![
            ("cache-control", "no-cache".into()),
            ("content-type", kind.into()),
            ("x-content-type-options", "nosniff".into()),
        ],
        body: body.into_bytes(),
        report: None,
    }
}

/// Style sheet or script: the address names the version, so it may be kept.
fn asset(kind: &str, text: &str) -> PageReply {
    let mut reply = plain(200, kind, text.into());
    reply.headers[0].1 = "private, max-age=86400".into();
    reply
}

fn denied() -> String {
    "<html><body><h1>403 Forbidden</h1>\nThis page is not for everybody.\n</body></html>\n".into()
}

fn unauthorized() -> String {
    "<html><body><h1>401 Unauthorized</h1>\nThis page asks for a user name and a password.\n</body></html>\n".into()
}

#[cfg(test)]
mod tests;
