//! What stands on the page, and what must not.

use super::*;
use crate::ir::{Config, Mode, ProxyIx, ProxyKind, StatsAuth};
use crate::report::testing;
use crate::units::Tick;

/// A site whose proxies are `stats` (with the page at `/s?x`), `web` and `db`.
fn site(change: impl FnOnce(&mut Config)) -> Site {
    let mut stats = testing::proxy("stats", 2, ProxyKind::Listen);
    stats.mode = Mode::Http;
    stats.stats = Some(StatsPage { uri: "/s?x".into(), realm: "r".into(), ..StatsPage::default() });
    let mut web = testing::proxy("web", 3, ProxyKind::Listen);
    web.description = Some("the <web>".into());
    web.backend.as_mut().unwrap().servers = vec![testing::server("one", 1), testing::server("two", 2)];
    let db = testing::proxy("db", 4, ProxyKind::Backend);
    let mut config = testing::config(vec![stats, web, db]);
    config.global.node = Some("node<7>".into());
    config.global.description = Some("\"here\" & there".into());
    change(&mut config);
    let identity = Identity {
        version: "3.4.0-x".into(),
        released: "2026/11/22".into(),
        hostname: "vm".into(),
        clock: || Tick::from_millis(95_000),
    };
    Site::new(
        Arc::new(Pool::new(Arc::new(config), Tick::from_millis(1000))),
        Arc::new(testing::Quiet { lost: 0 }),
        identity,
    )
}

fn ask(site: &Site, target: &str) -> Option<PageReply> {
    let header = |_: &str| None;
    site.answer(&PageRequest { proxy: ProxyIx(0), method: "GET", target, header: &header, body: b"", client: None })
}

fn shown(target: &str, change: impl FnOnce(&mut StatsPage)) -> String {
    let site = site(|config| change(config.proxies[0].stats.as_mut().unwrap()));
    let reply = ask(&site, target).unwrap();
    assert_eq!(reply.status, 200);
    String::from_utf8(reply.body).unwrap()
}

#[test]
fn what_tools_look_for() {
    let text = shown("/s?x", |_| {});
    assert!(text.contains("HAProxy version 3.4.0-x, released 2026/11/22"));
    assert!(text.contains("uptime = 0d 0h01m34s")); // with the version, what Datadog looks for
    let text = shown("/s?x", |page| page.hide_version = true);
    assert!(!text.contains("version 3") && !text.contains("3.4.0") && text.contains("uptime = "));
}

#[test]
fn words_of_the_configuration_choose_what_is_shown() {
    let plain = shown("/s?x", |_| {});
    for absent in ["node", "here", "the &", "127.0.0.1:1", "http-equiv=\"refresh\"", "type=\"checkbox\""] {
        assert!(!plain.contains(absent), "{absent} in {plain}");
    }
    type Change = fn(&mut StatsPage);
    for (change, present) in [
        ((|page| page.show_node = Some(None)) as Change, "Statistics of <span class=\"node\">node&#60;7&#62;</span>"),
        (|page| page.show_node = Some(Some("own".into())), "<span class=\"node\">own</span>"),
        (|page| page.show_desc = Some(None), "&#34;here&#34; &#38; there"),
        (|page| page.show_desc = Some(Some("mine".into())), "<p class=\"description\">mine</p>"),
        (|page| page.show_desc = Some(None), "the &#60;web&#62;"),
        (|page| page.show_legends = true, "id 1, 127.0.0.1:1"),
        (|page| page.refresh = Some(7), "<noscript><meta http-equiv=\"refresh\" content=\"7\"></noscript>"),
        (|page| page.refresh = Some(7), "data-live=\"7\""),
        (|page| page.admin = StatsAdmin::Always, "<input type=\"checkbox\" name=\"s\" value=\"one\""),
        (|page| page.admin = StatsAdmin::Localhost, "<input type=\"hidden\" name=\"b\" value=\"#3\">"),
    ] {
        let text = shown("/s?x", change);
        assert!(text.contains(present), "no {present} in {text}");
    }
    let still = shown("/s?x;norefresh", |page| page.refresh = Some(7));
    assert!(!still.contains("http-equiv=\"refresh\"") && still.contains("data-live=\"0\""));
}

#[test]
fn scope_and_filter() {
    let sections = |text: &str| text.matches("<section").count();
    assert_eq!(sections(&shown("/s?x", |_| {})), 3);
    let own = shown("/s?x", |page| page.scope = vec![StatsScope::Own]);
    assert!(sections(&own) == 1 && own.contains("data-proxy=\"stats\""));
    let scope = |page: &mut StatsPage| page.scope = vec![StatsScope::Proxy("web".into())];
    assert!(!shown("/s?x;csv", scope).contains("\ndb,"));
    assert!(shown("/s?x;csv", scope).contains("\nweb,one,"));
    let text = shown("/s?x=&scope=two", |_| {});
    assert!(sections(&text) == 1 && text.contains("value=\"two\"") && !text.contains("data-name=\"one\""));
    let text = shown("/s?x=&scope=%22%3E%3Cb%3E", |_| {});
    assert!(text.contains("value=\"&#34;&#62;&#60;b&#62;\"") && !text.contains("<b>\""), "{text}");
}

/// Nothing on the page needs what the policy forbids.
#[test]
fn the_policy_is_strict_and_kept() {
    let site = site(|config| config.proxies[0].stats.as_mut().unwrap().admin = StatsAdmin::Always);
    let reply = ask(&site, "/s?x").unwrap();
    let policy = &reply.headers.iter().find(|(name, _)| *name == "content-security-policy").unwrap().1;
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let text = String::from_utf8(reply.body).unwrap();
    for forbidden in ["<style", " style=", "onclick", "onload", "javascript:", "http://", "https://"] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    assert_eq!(text.matches("<script").count(), 1);
    // Both files come from the addresses that the page names.
    for (name, kind) in [("style", "text/css"), ("script", "text/javascript")] {
        let at = text.find(&format!("/s?x;{name};v=")).unwrap();
        let address: String = text[at..].chars().take_while(|c| *c != '"').collect();
        let reply = ask(&site, &address).unwrap();
        assert!(reply.headers.iter().any(|(name, value)| *name == "content-type" && value.starts_with(kind)));
        assert!(!reply.body.is_empty());
    }
}

#[test]
fn outcomes_are_told() {
    assert!(shown("/s?x;st=DONE", |_| {}).contains("<p class=\"message good\" role=\"status\">Done.</p>"));
    assert!(shown("/s?x;st=DENY", |_| {}).contains("<p class=\"message bad\""));
    assert!(!shown("/s?x;st=%3Cb%3E", |_| {}).contains("class=\"message"));
}

#[test]
fn only_users_get_in() {
    let site = site(|config| {
        config.proxies[0].stats.as_mut().unwrap().auth = vec![StatsAuth { user: "u".into(), password: "p".into() }];
    });
    for target in ["/s?x", "/s?x;csv", "/s?x;json", "/s?x;style", "/s?x;script"] {
        assert_eq!(ask(&site, target).unwrap().status, 401, "{target}");
    }
    assert!(ask(&site, "/other").is_none());
}

/// Whatever is asked, there is an answer, and nothing of it gets out of its place.
#[test]
fn hostile_targets() {
    let site = std::panic::AssertUnwindSafe(site(|_| {}));
    bolero::check!().with_type::<String>().for_each(|tail| {
        let reply = ask(&site, &format!("/s?x=&scope=<script>{tail}")).unwrap();
        let text = String::from_utf8(reply.body).unwrap();
        if reply.headers.iter().any(|(_, value)| value.starts_with("text/html")) {
            assert_eq!(text.matches("<script").count(), 1);
        }
    });
}

struct NoEngine;

impl Control for NoEngine {
    fn yield_listeners(&self, _: bool) {}
    fn close(&self, _: crate::pool::Closing, _: crate::pool::Cause) {}
    fn pause(&self, _: Option<ProxyIx>) {}
    fn resume(&self, _: Option<ProxyIx>) {}
    fn soft_stop(&self) {}
    fn hard_stop(&self) {}
    fn stop(&self, _: ProxyIx) {}
    fn servers_changed(&self) {}
    fn make_room(&self) {}
    fn rebalance(&self) {}
    fn thin_out(&self, _: crate::units::Millis) {}
    fn cut(&self) {}
    fn listeners(&self) -> std::io::Result<Vec<std::os::fd::OwnedFd>> {
        Ok(Vec::new())
    }
}

/// Whatever is posted, the answer is one of the known ones.
#[test]
fn hostile_forms() {
    let site = site(|config| config.proxies[0].stats.as_mut().unwrap().admin = StatsAdmin::Always);
    site.attach(Arc::new(NoEngine));
    let site = std::panic::AssertUnwindSafe(site);
    bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(which, tail)| {
        let starts: [&[u8]; 4] = [b"", b"b=web&s=one&action=", b"action=maint&b=%23", b"action=drain&b=web&s="];
        let body = [starts[usize::from(*which) % 4], tail].concat();
        let header = |_: &str| None;
        let request = PageRequest {
            proxy: ProxyIx(0),
            method: "POST",
            target: "/s?x",
            header: &header,
            body: &body,
            client: None,
        };
        let reply = site.answer(&request).unwrap();
        let place = reply.headers.iter().find(|(name, _)| *name == "location").unwrap().1.clone();
        assert!(Outcome::ALL.iter().any(|outcome| place == format!("/s?x;st={}", outcome.code())), "{place}");
    });
}
