//! The statistics page in a real browser: it is opened, looked at, sorted, filtered and clicked.
//!
//! `BATON_PICTURES=folder` keeps what it looked like.

mod rig;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use baton::ir::{Check, Proxy, ProxyIx, ProxyKind, ServerIx, StatsAdmin, StatsAuth};
use baton::units::{Millis, Tick};
use rig::browser::Browser;
use rig::{Rig, page, proxy, server};

/// A page with something on it: six brokers in several states, a second small proxy.
struct Scene {
    rig: Rig,
    /// What the brokers that are up are: it must not be closed.
    _broker: TcpListener,
}

impl std::ops::Deref for Scene {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

fn rig(change: impl FnOnce(&mut Proxy)) -> Scene {
    let mut stats = page("/haproxy?stats");
    stats.timeouts.http_request = Some(Millis::seconds(20));
    let settings = stats.stats.as_mut().unwrap();
    settings.show_node = Some(Some("edge-1".into()));
    settings.show_desc = Some(Some("MQTT for the north".into()));
    settings.refresh = Some(1);
    change(&mut stats);
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let up = broker.local_addr().unwrap().port();
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut mqtt = proxy("mqtt", 3, ProxyKind::Listen);
    let check = Check { inter: Millis::seconds(1), ..Check::default() };
    let back = mqtt.backend.as_mut().unwrap();
    back.servers = (1..=6).map(|id| server(&format!("broker_{id}"), id, if id == 2 { down } else { up })).collect();
    back.servers.iter_mut().take(4).for_each(|server| server.check = Some(check.clone()));
    // This one stops when its first check has passed, and takes its time to be down.
    let failing = TcpListener::bind("127.0.0.1:0").unwrap();
    back.servers[2] = server("broker_3", 3, failing.local_addr().unwrap().port());
    back.servers[2].check = Some(Check { fall: 1000, ..check });
    back.servers[4].backup = true;
    back.servers[5].disabled = true;
    let mut db = proxy("database", 4, ProxyKind::Backend);
    db.backend.as_mut().unwrap().servers = vec![server("primary", 1, 5432), server("<b>replica", 2, 5432)];
    let rig = Rig::start(vec![stats, mqtt, db]);
    let wait_for = |wanted: &[(u32, &str)]| {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let now = Tick::from_millis(rig::uptime());
            let mut states = wanted.iter().map(|(server, start)| {
                let view = rig.pool.server_view(ProxyIx(1), ServerIx(*server), now).unwrap();
                view.status_text.starts_with(start) && view.check.is_some_and(|check| check.duration.is_some())
            });
            if states.all(|one| one) {
                return;
            }
            let views =
                || (0..4).map(|server| rig.pool.server_view(ProxyIx(1), ServerIx(server), now)).collect::<Vec<_>>();
            assert!(Instant::now() < end, "never: {wanted:?} but {:#?}", views());
            #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait_for(&[(0, "UP"), (1, "DOWN"), (2, "UP"), (3, "UP")]);
    drop(failing);
    wait_for(&[(2, "UP 9")]);
    let back = rig.pool.back(ProxyIx(1)).unwrap();
    for (server, sessions) in [(0, 3), (2, 12), (3, 7)] {
        for _ in 0..sessions {
            back.servers[server].sessions.up();
            back.sessions.up();
        }
        back.servers[server].sessions_total.add(1000 * sessions);
        back.servers[server].bytes_out.add(123_456 * sessions);
    }
    back.servers[1].connect_errors.add(4);
    Scene { rig, _broker: broker }
}

fn names(browser: &Browser) -> String {
    browser.text(
        "return [...document.querySelectorAll('[data-proxy=mqtt] tbody tr')].filter(r => !r.hidden)
            .map(r => r.dataset.name.replace('broker_', '')).join(' ')",
    )
}

fn no_complaints(browser: &Browser) {
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn it_is_looked_at_sorted_and_filtered() {
    let rig = rig(|_| {});
    let browser = Browser::start();
    browser.look(1280, 1500, "light");
    browser.open(&format!("http://{}/haproxy?stats", rig.address));
    assert_eq!(browser.text("return document.title"), "Statistics: edge-1");
    browser.wait_for("return document.querySelectorAll('.spark svg').length > 5");
    browser.picture("light");

    // A state has a word and a colour of its own.
    let state = |name: &str| {
        browser.text(&format!(
            "const b = document.querySelector('[data-key=\"mqtt/{name}\"] .badge');
            return b.textContent + ' ' + b.classList[1] + ' ' + getComputedStyle(b).backgroundColor"
        ))
    };
    let states: Vec<String> = (1..=6).map(|n| state(&format!("broker_{n}"))).collect();
    for (state, want) in states.iter().zip(["UP up", "DOWN down", "UP 9", "UP up", "no check idle", "MAINT maint"]) {
        assert!(state.starts_with(want), "{state}: not {want}");
    }
    let colours: std::collections::BTreeSet<&str> =
        states.iter().filter_map(|state| state.split_once("rgb")).map(|(_, c)| c).collect();
    assert_eq!(colours.len(), 5, "{states:?}");
    assert!(browser.text("return document.querySelector('[data-proxy=database]').textContent").contains("<b>replica"));

    // Sorting moves servers only, down and up again.
    assert_eq!(names(&browser), "FRONTEND 1 2 3 4 5 6 BACKEND");
    browser.click("[data-proxy=mqtt] th[data-sort=scur] button");
    assert_eq!(names(&browser), "FRONTEND 2 5 6 1 4 3 BACKEND");
    browser.click("[data-proxy=mqtt] th[data-sort=scur] button");
    assert_eq!(names(&browser), "FRONTEND 3 4 1 2 5 6 BACKEND");
    assert_eq!(
        browser.text("return document.querySelector('[data-proxy=mqtt] th[data-sort=scur]').ariaSort"),
        "descending"
    );

    // Filtering shows what is meant, in all proxies.
    browser.type_into("[name=scope]", "BROKER_3");
    assert_eq!(names(&browser), "3");
    assert_eq!(browser.text("return [...document.querySelectorAll('section')].filter(s => !s.hidden).length"), "1");

    // Figures follow without a reload.
    rig.pool.back(ProxyIx(1)).unwrap().servers[2].sessions.up();
    browser.wait_for(
        "return document.querySelector('[data-key=\"mqtt/broker_3\"] [data-column=scur]').textContent.startsWith('13')",
    );
    no_complaints(&browser);
}

#[test]
fn it_is_readable_in_the_dark_and_on_a_phone() {
    let rig = rig(|stats| stats.stats.as_mut().unwrap().admin = StatsAdmin::Always);
    let browser = Browser::start();
    browser.look(1280, 1500, "dark");
    browser.open(&format!("http://{}/haproxy?stats", rig.address));
    browser.wait_for("return document.querySelectorAll('.spark svg').length > 5");
    browser.picture("dark");
    let luminance = "const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
        return r + g + b";
    assert!(browser.run(luminance).as_u64().unwrap() < 200);
    browser.look(390, 844, "light");
    browser.wait_for("return innerWidth === 390");
    assert!(browser.run(luminance).as_u64().unwrap() > 600);
    // Nothing is wider than the screen, and every number says what it is.
    browser.wait_for("return document.documentElement.scrollWidth <= 390");
    let wide = "return [...document.querySelectorAll('section')].filter(s => s.scrollWidth > s.clientWidth + 1).length";
    assert_eq!(browser.text(wide), "0");
    let label = "return getComputedStyle(document.querySelector('[data-column=scur]'), '::before').content";
    assert_eq!(browser.text(label), "\"Sessions\"");
    browser.picture("phone");
    browser.run("document.querySelector('[data-proxy=mqtt]').scrollIntoView()");
    browser.picture("phone-servers");
    no_complaints(&browser);
}

#[test]
fn orders_are_given_by_click() {
    let rig = rig(|stats| stats.stats.as_mut().unwrap().admin = StatsAdmin::Localhost);
    let browser = Browser::start();
    browser.look(1280, 1500, "light");
    browser.open(&format!("http://{}/haproxy?stats", rig.address));
    let order = |action: &str| {
        browser.click("[data-proxy=mqtt] [value=broker_1]");
        browser.click("[data-proxy=mqtt] [value=broker_4]");
        browser.click(&format!("[data-proxy=mqtt] option[value={action}]"));
        // The page before may say that an order was carried out, too: only the next one counts.
        browser.run("document.body.dataset.before = 'yes'");
        browser.click("[data-proxy=mqtt] .orders button");
        browser.wait_for(
            "return document.body && !document.body.dataset.before && document.querySelector('.message.good') !== null",
        );
    };
    let state = "return document.querySelector('[data-key=\"mqtt/broker_4\"] .badge').textContent";
    order("maint");
    assert_eq!(browser.text("return location.href").split(';').nth(1), Some("st=DONE"));
    assert_eq!(browser.text(state), "MAINT");
    browser.picture("maintenance");
    assert!(rig.said(b"show stat mqtt 4 4\n").contains(",MAINT,"));
    order("drain");
    assert!(browser.text(state).starts_with("DRAIN"), "{}", browser.text(state)); // 1/3 until it is checked
    order("ready");
    assert!(browser.text(state).starts_with("UP"), "{}", browser.text(state));
    no_complaints(&browser);
}

/// Another site's page cannot give orders through a visitor's browser.
#[test]
fn another_sites_form_is_refused() {
    let rig = rig(|stats| stats.stats.as_mut().unwrap().admin = StatsAdmin::Always);
    let browser = Browser::start();
    let form = format!(
        "data:text/html,<form method=post action='http://{}/haproxy?stats'><input name=s value=broker_1>\
         <input name=action value=maint><input name=b value=mqtt><button>x</button></form>",
        rig.address
    );
    browser.open(&form);
    browser.click("button");
    browser.wait_for("return location.href.endsWith(';st=DENY')");
    assert!(rig.said(b"show stat mqtt 4 1\n").contains(",UP,"));
}

#[test]
fn without_scripts_everything_is_there() {
    let rig = rig(|stats| stats.stats.as_mut().unwrap().admin = StatsAdmin::Always);
    let browser = Browser::start();
    browser.look(1280, 1500, "light");
    browser.scripts(false);
    browser.open(&format!("http://{}/haproxy?stats;norefresh", rig.address));
    browser.picture("without-script");
    // The filter is a form that the server answers; its uri has a query of its own.
    browser.type_into("[name=scope]", "database");
    browser.click(".filter button");
    browser.scripts(true);
    browser.wait_for("return location.search.includes('scope=database')");
    assert_eq!(browser.text("return document.querySelectorAll('section').length"), "1");
}

/// With a password, given in the address as people do, everything that the page loads comes.
#[test]
fn a_password_opens_everything() {
    let rig = rig(|stats| {
        stats.stats.as_mut().unwrap().auth = vec![StatsAuth { user: "ann".into(), password: "p@ss".into() }];
    });
    let browser = Browser::start();
    browser.open(&format!("http://ann:p%40ss@{}/haproxy?stats", rig.address));
    browser.wait_for("return document.querySelectorAll('.spark svg').length > 5");
    assert_eq!(browser.text("return getComputedStyle(document.querySelector('.badge')).borderRadius"), "16px");
    no_complaints(&browser);
}
