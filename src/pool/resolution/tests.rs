//! Answers as they come, and what they make of servers: a section with a pool, and no socket.

use super::super::tests::{NOW, server};
use super::super::{Admin, Pool};
use super::*;
use crate::ir::{
    Backend, Balance, Config, Nameserver, ProxyIx, ProxyKind, Resolve, Resolvers, Server, ServerAddress, ServerIx,
};
use crate::units::{Millis, Tick};

const B: ProxyIx = ProxyIx(0);

/// A section with two name servers; times in seconds: resolve 10, retry 1, hold 30, obsolete 5.
fn section() -> Resolvers {
    let nameserver =
        |name: &str| Nameserver { name: name.to_owned(), address: ([127, 0, 0, 1], 53).into(), tcp: false };
    let mut section = Resolvers::named("dns".to_owned());
    section.nameservers = vec![nameserver("one"), nameserver("two")];
    section.timeout_resolve = Millis::seconds(10);
    section.hold.obsolete = Millis::seconds(5);
    section
}

fn named(id: u32, name: &str) -> Server {
    let service = name.starts_with('_').then(|| name.to_owned());
    Server {
        host: service.is_none().then(|| name.to_owned()),
        address: ServerAddress::Unresolved { host: name.to_owned(), port: 80 },
        port_offset: service.is_some().then_some(0),
        resolve: Some(Box::new(Resolve {
            section: ResolversIx(0),
            service,
            prefer: Family::V4,
            networks: Vec::new(),
            allow_duplicates: false,
            ignore_weight: false,
        })),
        ..server(id)
    }
}

/// A backend of servers with these names, at work.
struct Rig {
    pool: Pool,
    section: Section,
    now: Tick,
    next: u16,
    told: Vec<String>,
}

impl Rig {
    fn new(names: &[&str]) -> Self {
        let servers = (1..).zip(names).map(|(id, name)| named(id, name)).collect();
        let back = Backend { balance: Balance::RoundRobin, servers, ..Backend::default() };
        let pool = super::super::tests::pool(vec![("b", ProxyKind::Backend, back)]);
        let config = Config::clone(&pool.config);
        let global = Global { resolvers: vec![section()], ..Global::default() };
        Self::of(Config { global, ..config })
    }

    fn of(config: Config) -> Self {
        let pool = Pool::new(std::sync::Arc::new(config), NOW);
        let section = Section::new(&pool, ResolversIx(0), NOW);
        Self { pool, section, now: NOW, next: 0, told: Vec::new() }
    }

    /// What is asked after so many milliseconds, as `name Kind`.
    fn after(&mut self, millis: u64) -> Vec<String> {
        self.now = Tick::from_millis(self.now.millis() + millis);
        let next = &mut self.next;
        let mut number = || {
            *next += 1;
            *next
        };
        let turn = self.section.turn(&self.pool, &mut number, self.now);
        self.took(turn)
    }

    fn took(&mut self, turn: Turn) -> Vec<String> {
        for ask in &turn.asks {
            self.section.put(ask.id, 2);
        }
        self.told.extend(turn.events.into_iter().map(|(_, event)| event.message));
        turn.asks.iter().map(|ask| format!("{} {:?}", ask.name, ask.kind)).collect()
    }

    /// Answers the question about a name that is under way, from the first name server.
    fn answer(&mut self, name: &str, answer: Result<Answer, Fault>) -> Vec<String> {
        let asked = (0..=self.next).rev().filter_map(|id| self.section.asked(id)).find(|ask| &*ask.name == name);
        let id = asked.unwrap_or_else(|| panic!("{name} is not asked for")).id;
        let turn = self.section.heard(&self.pool, 0, id, answer, self.now);
        self.took(turn)
    }

    /// Address and state of each server.
    fn servers(&self) -> String {
        let shown = self.pool.servers(B).map(|(ix, _)| {
            let line = self.pool.server_now(B, ix).unwrap();
            let view = self.pool.server_view(B, ix, self.now).unwrap();
            match line.ip() {
                Some(_) => format!("{}*{}", line.address, self.pool.server_state(B, ix, self.now).unwrap().weight),
                None => view.status_text,
            }
        });
        shown.collect::<Vec<_>>().join(" ").replace("MAINT (resolution)", "-")
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn hosts(lasts: &[u8]) -> Result<Answer, Fault> {
    Ok(Answer::Hosts(lasts.iter().map(|last| IpAddr::from([10, 0, 0, *last])).collect()))
}

/// Records as host, port, weight and last byte of the address that came with it, 0 for none.
fn services(records: &[(&str, u16, u16, u8)]) -> Result<Answer, Fault> {
    let service = |(target, port, weight, last): &(&str, u16, u16, u8)| Service {
        target: (*target).to_owned(),
        port: *port,
        weight: *weight,
        addresses: Some(IpAddr::from([10, 0, 0, *last])).filter(|_| *last > 0).into_iter().collect(),
    };
    Ok(Answer::Services(records.iter().map(service).collect()))
}

#[test]
fn a_server_gets_its_address_and_loses_it() {
    let mut rig = Rig::new(&["a.test"]);
    assert_eq!(rig.after(0), ["a.test V4"]);
    assert_eq!(rig.answer("a.test", hosts(&[1])), [""; 0]);
    assert_eq!(
        rig.told(),
        [
            "b/s1 changed its IP from (none) to 10.0.0.1 by dns/one.",
            "Server b/s1 ('a.test') is UP/READY (resolves again).",
            "Server b/s1 administratively READY thanks to valid DNS answer.",
        ]
    );
    assert_eq!(rig.servers(), "10.0.0.1:80*1");
    assert_eq!((rig.after(9_999), rig.after(1)), (vec![], vec!["a.test V4".to_owned()]));
    // Two servers, both without an answer: the other type, at once.
    assert_eq!(rig.answer("a.test", Err(Fault::NoName)), [""; 0]);
    assert_eq!(rig.answer("a.test", Err(Fault::NoName)), ["a.test V6"]);
    for _ in 0..3 {
        rig.after(1000);
    }
    assert_eq!(rig.servers(), "10.0.0.1:80*1", "held");
    assert_eq!(rig.told(), [""; 0]);
    // The end of each attempt, without any answer, until nothing is held any more.
    for _ in 0..40 {
        rig.after(1000);
    }
    assert_eq!(rig.servers(), "-");
    assert!(rig.told()[0].starts_with("Server b/s1 is going DOWN for maintenance (DNS timeout status). "));
    let state = &rig.pool.resolution.nameservers(ResolversIx(0))[0];
    assert_eq!((state.valid.get(), state.updates.get(), state.nx.get()), (1, 1, 2));
}

#[test]
fn what_was_asked_before_is_forgotten() {
    let mut rig = Rig::new(&["a.test"]);
    rig.after(0);
    assert!(rig.section.asked(1).is_some() && rig.section.asked(2).is_none());
    rig.answer("a.test", hosts(&[1]));
    assert!(rig.section.asked(1).is_none(), "the second answer comes too late");
    let turn = rig.section.heard(&rig.pool, 1, 1, hosts(&[2]), rig.now);
    assert!(turn.events.is_empty() && turn.asks.is_empty());
    assert_eq!(rig.servers(), "10.0.0.1:80*1");
}

#[test]
fn addresses_are_spread_over_servers_of_a_name() {
    let mut rig = Rig::new(&["a.test", "A.test", "a.test", "b.test"]);
    assert_eq!(rig.after(0), ["a.test V4", "b.test V4"], "one question for all of them");
    rig.answer("a.test", hosts(&[2, 1]));
    rig.answer("b.test", hosts(&[1])); // another name: the same address will do
    assert_eq!(rig.servers(), "10.0.0.1:80*1 10.0.0.2:80*1 - 10.0.0.1:80*1");
    let told = rig.told();
    let by: Vec<_> = told.iter().filter(|line| line.contains("changed")).map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(by, [Some("dns/one."), Some("cache."), Some("dns/one.")]);
    rig.after(10_000);
    rig.answer("a.test", hosts(&[3])); // 1 and 2 are obsolete by now
    assert_eq!(rig.servers(), "10.0.0.3:80*1 - - 10.0.0.1:80*1");
    assert!(rig.told()[1].contains("s2 is going DOWN for maintenance (No IP for server)"));
}

#[test]
fn an_order_prevails_over_an_answer() {
    let mut rig = Rig::new(&["a.test"]);
    rig.after(0);
    rig.answer("a.test", hosts(&[1]));
    let ip = Some(IpAddr::from([10, 0, 0, 77]));
    rig.pool.set_server_address(B, ServerIx(0), ip, None, super::super::By::Command, rig.now).unwrap();
    rig.after(10_000);
    rig.answer("a.test", hosts(&[1]));
    assert_eq!(rig.servers(), "10.0.0.77:80*1", "as long as the answer stays");
    rig.pool.set_admin(B, ServerIx(0), Admin::Maint, rig.now);
    rig.after(10_000);
    rig.answer("a.test", hosts(&[2]));
    assert_eq!(rig.servers(), "10.0.0.2:80*1");
    assert_eq!(rig.pool.server_view(B, ServerIx(0), rig.now).unwrap().status_text, "MAINT");
}

#[test]
fn another_name_is_asked_for_at_once() {
    let mut rig = Rig::new(&["a.test", "a.test"]);
    rig.after(0);
    rig.answer("a.test", hosts(&[1, 2]));
    let at = TrackRef { proxy: B, server: ServerIx(1) };
    assert!(rig.pool.resolve_by(at, "C.test"));
    rig.section.take(&Wanted::Host(at, "C.test".to_owned()), rig.now);
    assert_eq!(rig.after(0), ["c.test V4"]);
    rig.answer("c.test", hosts(&[3]));
    assert_eq!(rig.servers(), "10.0.0.1:80*1 10.0.0.3:80*1");
    rig.section.take(&Wanted::Soon(at), rig.now);
    assert_eq!((rig.after(0), rig.after(0)), (vec!["c.test V4".to_owned()], vec![]), "soon, and once");
    assert!(!Rig::new(&["_m._tcp.test"]).pool.resolve_by(TrackRef { proxy: B, server: ServerIx(0) }, "x.test"));
}

#[test]
fn services_fill_and_free_servers() {
    const NAME: &str = "_m._tcp.test";
    let mut rig = Rig::new(&[NAME; 3]);
    assert_eq!(rig.after(0), ["_m._tcp.test Service"]);
    rig.answer(NAME, services(&[("x.test", 1, 300, 1), ("y.test", 2, 0, 2)]));
    assert_eq!(
        rig.told(),
        [
            "b/s1 changed its IP from (none) to 10.0.0.1 by DNS additional record.",
            "b/s1 changed its FQDN from (null) to x.test by 'SRV record'",
            "Server b/s1 ('x.test') is UP/READY (resolves again).",
            "b/s2 changed its IP from (none) to 10.0.0.2 by DNS additional record.",
            "b/s2 changed its FQDN from (null) to y.test by 'SRV record'",
            "Server b/s2 ('y.test') is UP/READY (resolves again).",
        ]
    );
    assert_eq!(rig.servers(), "10.0.0.1:1*2 10.0.0.2:2*0 -");
    // Another port is another record; weights and addresses follow; what is gone is gone.
    rig.after(10_000);
    rig.answer(NAME, services(&[("x.test", 1, 65_535, 9), ("y.test", 3, 1, 2)]));
    assert_eq!(rig.servers(), "10.0.0.9:1*256 - 10.0.0.2:3*1");
    let told = rig.told().join("\n");
    assert!(told.contains("s2 is going DOWN for maintenance (entry removed from SRV record)"), "{told}");
    assert!(told.contains("b/s1 changed its IP from 10.0.0.1 to 10.0.0.9 by DNS additional record."), "{told}");
    // Who has been free for longest is next; there are no more servers than that.
    rig.after(10_000);
    rig.answer(NAME, services(&[("x.test", 1, 1, 9), ("y.test", 3, 1, 2), ("z.test", 4, 1, 4), ("z.test", 5, 1, 5)]));
    assert_eq!(rig.servers(), "10.0.0.9:1*1 10.0.0.4:4*1 10.0.0.2:3*1");
    for _ in 0..60 {
        rig.after(1000);
    }
    assert_eq!(rig.servers(), "- - -");
}

#[test]
fn a_host_without_an_address_in_the_answer_is_looked_up() {
    const NAME: &str = "_m._tcp.test";
    let mut rig = Rig::new(&[NAME]);
    rig.after(0);
    rig.answer(NAME, services(&[("x.test", 7, 1, 0)]));
    assert_eq!(rig.told(), ["b/s1 changed its FQDN from (null) to x.test by 'SRV record'"]);
    assert_eq!((rig.servers().as_str(), rig.after(0)), ("-", vec!["x.test V4".to_owned()]));
    rig.answer("x.test", hosts(&[1]));
    assert_eq!(rig.servers(), "10.0.0.1:7*1");
    assert_eq!(rig.after(10_000).len(), 2, "both are looked up again");
    rig.answer(NAME, services(&[("x.test", 7, 1, 2)]));
    assert_eq!(rig.servers(), "10.0.0.2:7*1");
    assert_eq!(rig.after(10_000), ["_m._tcp.test Service"], "the address comes with the record now");
}

/// What another process knew counts until answers say otherwise.
#[test]
fn a_service_goes_on() {
    const NAME: &str = "_m._tcp.test";
    for (answer, want) in [
        (services(&[("y.test", 2, 1, 2), ("x.test", 1, 1, 1)]), "10.0.0.2:2*1 10.0.0.1:1*1"),
        (services(&[("x.test", 1, 1, 1), ("a.test", 3, 1, 3)]), "10.0.0.3:3*1 10.0.0.1:1*1"),
        (services(&[("a.test", 3, 1, 3)]), "10.0.0.3:3*1 -"),
    ] {
        let mut rig = Rig::new(&[NAME; 2]);
        let at = TrackRef { proxy: B, server: ServerIx(1) };
        let record = Service { target: "x.test".to_owned(), port: 1, weight: 1, addresses: Vec::new() };
        rig.pool.give_service(at, &record, Some(IpAddr::from([10, 0, 0, 1])), NOW, &mut Vec::new());
        rig.section = Section::new(&rig.pool, ResolversIx(0), NOW);
        assert_eq!(rig.servers(), "- 10.0.0.1:1*1");
        rig.after(6_000); // obsolete is what was not answered since
        rig.answer(NAME, answer);
        assert_eq!(rig.servers(), want);
    }
}

/// Any answers in any order: never a panic, and whoever is not in maintenance has an address.
#[test]
fn hostile_answers() {
    type Step = (u8, u8, Vec<(u8, u8)>);
    bolero::check!().with_type::<Vec<Step>>().for_each(|steps| {
        let mut rig = Rig::new(&["a.test", "a.test", "_m._tcp.test", "_m._tcp.test", "_n._tcp.test"]);
        for (what, pause, records) in steps {
            rig.after(u64::from(*pause) * 100);
            let id = u16::from(*what >> 2) % (rig.next + 1);
            let answer = match (what & 3, rig.section.asked(id).map(|ask| ask.kind)) {
                (0, _) => Err(Fault::NoName),
                (1, _) => Err(Fault::Truncated),
                (_, Some(Kind::Service)) => {
                    let names = ["x.test", "y.test", "a.test", ""];
                    let of = |(name, last): &(u8, u8)| (names[usize::from(name & 3)], u16::from(*name), 7, *last);
                    services(&records.iter().map(of).collect::<Vec<_>>())
                }
                _ => hosts(&records.iter().map(|(_, last)| *last).collect::<Vec<_>>()),
            };
            let turn = rig.section.heard(&rig.pool, usize::from(*what), id, answer, rig.now);
            rig.took(turn);
            for (ix, _) in rig.pool.servers(B) {
                let line = rig.pool.server_now(B, ix).unwrap();
                assert_eq!(rig.pool.is_unresolved(B, ix), line.has_no_address(), "{steps:?}");
            }
        }
    });
}

/// What sessions ask: when, how often, and until when an answer counts.
#[test]
fn sessions_ask_for_names() {
    use std::task::{Poll, Waker};
    let ask = |rig: &mut Rig, name: &str, prefer| {
        let inquiry = Inquiry::new(ResolversIx(0), name, prefer, Waker::noop().clone());
        rig.section.take(&Wanted::Name(Arc::downgrade(&inquiry)), rig.now);
        inquiry
    };
    let found = |last: u8| Poll::Ready(Some(IpAddr::from([10, 0, 0, last])));
    let mut rig = Rig::new(&[]);
    let both = [ask(&mut rig, "A.test.", Family::V4), ask(&mut rig, "a.test", Family::V4)];
    assert_eq!(rig.after(0), ["a.test V4"], "once for both");
    assert_eq!(both[0].reply(), Poll::Pending);
    rig.answer("a.test", hosts(&[1]));
    assert_eq!(both.map(|inquiry| inquiry.reply()), [found(1); 2]);
    assert!(rig.section.is_idle(), "it is forgotten with its answer");
    // A name that does not exist is asked for again at once by the next session.
    for _ in 0..2 {
        let inquiry = ask(&mut rig, "b.test", Family::Any);
        let asked: Vec<_> = (0..4).flat_map(|second| rig.after(second.min(1) * 1000)).collect();
        assert_eq!(asked, ["b.test V6"; 3], "as often as others");
        assert_eq!(inquiry.reply(), Poll::Ready(None));
        assert!(rig.section.is_idle());
    }
    // Whom nobody waits for is asked for no more.
    let inquiry = ask(&mut rig, "c.test", Family::V6);
    assert_eq!(rig.after(0), ["c.test V6"]);
    drop(inquiry);
    assert_eq!(rig.after(1000), [""; 0]);
    assert!(rig.section.is_idle());
    // A server's name: for `hold valid`, which is 10 s, and then with the server's next question.
    let mut rig = Rig::new(&["a.test"]);
    assert_eq!(rig.after(0), ["a.test V4"]);
    rig.answer("a.test", hosts(&[1]));
    rig.after(9_999);
    assert_eq!(ask(&mut rig, "a.test", Family::V4).reply(), found(1));
    assert_eq!(rig.after(1), ["a.test V4"]);
    let inquiry = ask(&mut rig, "a.test", Family::V4);
    assert_eq!(inquiry.reply(), Poll::Pending);
    rig.answer("a.test", hosts(&[2]));
    assert_eq!(inquiry.reply(), found(2));
    assert!(!rig.section.is_idle(), "the server wants it");
}
