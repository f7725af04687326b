//! `rebalance backend`: long sessions find a server that has returned, so many a second, counted at the clients that are cut.
//!
//! Only baton has it.

mod harness;

use std::time::{Duration, Instant};

use harness::crowd::{Holder, Regulars};
use harness::program::Program;
use harness::services::{self, Service};
use harness::site::Site;
use harness::{ports, wait};

const BEGINS: &str = "Rebalancing of backend l begins";
const ENDS: &str = "Rebalancing of backend l ends";
/// What a late look may catch up, and what is shown while it goes on.
const SLACK: f64 = 0.05;

/// Two servers, all sessions on `a`, and `b` has just returned.
struct Scene {
    site: Site,
    regulars: Regulars,
    _servers: [Holder; 2],
}

impl Scene {
    fn new(count: usize, threads: usize, words: &str) -> Self {
        let (servers, door) = ([Holder::start(), Holder::start()], ports::free());
        let [a, b] = [servers[0].address, servers[1].address];
        let global = format!("  maxconn 3000\n  nbthread {threads}\n{words}");
        let sections = format!("listen l\n  bind {door}\n  balance leastconn\n  server a {a}\n  server b {b}\n");
        let site = Site::start_with(&Program::ours(), &global, &sections);
        site.order("disable server l/b");
        let regulars = Regulars::come(count, door);
        site.wait_for("l", "a", "scur", count);
        Self { site, regulars, _servers: servers }
    }

    fn loads(&self) -> (i64, i64) {
        let stats = self.site.stats();
        (stats.number("l", "a", "scur"), stats.number("l", "b", "scur"))
    }

    fn wait_for(&self, loads: (i64, i64)) {
        wait::until_or("the servers to have their shares", || self.loads() == loads, || format!("{:?}", self.loads()));
    }

    /// What the line of the end says: how many sessions were ended.
    fn ended(&self) -> usize {
        let line = self.site.log.wait_for(ENDS);
        let count = line.rsplit("; ").next().and_then(|rest| rest.split(' ').next()?.parse().ok());
        count.unwrap_or_else(|| panic!("no number in {line:?}"))
    }

    /// No more were cut since `begin`, at any moment, than the rate allows. Cuts are seen late, and never early.
    #[track_caller]
    fn keeps(&self, rate: f64, begin: Instant) {
        for (count, cut) in (1..).zip(self.regulars.cuts()) {
            let passed = cut.duration_since(begin).as_secs_f64();
            let allowed = rate * (passed + SLACK) + 2.0;
            assert!(f64::from(count) <= allowed, "{count} were cut in {passed} s, at {rate} a second");
        }
    }
}

fn half_of_them_move(threads: usize) {
    let scene = Scene::new(400, threads, "");
    scene.site.order("enable server l/b");
    let begin = Instant::now();
    assert_eq!(scene.site.order("rebalance backend l rate 100 tolerance 0"), "\n");
    assert!(scene.site.order("show rebalance").contains("\nl 100 0 now running "), "it runs");
    let ended = scene.ended();
    let took = begin.elapsed();
    scene.wait_for((200, 200));
    println!("{threads} threads: {ended} of 400 sessions in {took:?}");
    // A client that has just been cut is on its way when it is looked: it counts, but where it will be is not known.
    assert!((200..=202).contains(&ended), "{ended}");
    assert_eq!(scene.regulars.cuts().len(), ended);
    scene.keeps(100.0, begin);
    assert!(took >= Duration::from_millis(1_900), "{took:?}");
    assert_eq!(scene.site.log.wait_count(" K- ", ended).len(), ended);
    assert!(scene.site.log.wait_for(BEGINS).contains("200 of 400 sessions"));
    assert_eq!(scene.site.order("show rebalance").lines().count(), 2); // its heading, and the line that ends a reply
}

#[test]
fn half_of_them_move_on_one_thread() {
    half_of_them_move(1);
}

#[test]
fn half_of_them_move_on_two_threads() {
    half_of_them_move(2);
}

/// Armed, it begins when the server returns; taken back, it stops at once.
#[test]
fn a_return_begins_it_and_an_order_ends_it() {
    let scene = Scene::new(200, 2, "");
    assert_eq!(scene.site.order("rebalance backend l rate 40 on-up"), "\n");
    assert!(scene.site.order("show rebalance").contains("\nl 40 5 on-up armed 0 0 200 0\n"));
    let begin = Instant::now();
    scene.site.order("enable server l/b");
    scene.site.log.wait_for(BEGINS);
    wait::until_true("some to move", || scene.loads().1 >= 20);
    assert_eq!(scene.site.order("rebalance backend l off"), "\n");
    let ended = scene.ended();
    assert!(scene.site.log.wait_for(ENDS).contains("by order"));
    assert_eq!(scene.site.order("show rebalance").lines().count(), 2);
    scene.keeps(40.0, begin);
    wait::until_true("all to be back", || scene.loads().0 + scene.loads().1 == 200);
    assert_eq!(scene.regulars.cuts().len(), ended);
    assert!(ended < 100, "{ended} of 100 had moved when it was taken back");
}

/// The order, and the run, go on in the process that takes over; each session is counted once.
#[test]
fn it_goes_on_over_a_reload() {
    let mut scene = Scene::new(400, 2, "");
    scene.site.order("enable server l/b");
    let begin = Instant::now();
    scene.site.order("rebalance backend l rate 50 tolerance 0");
    for moved in [30, 90] {
        wait::until_true("some to move", || scene.loads().1 >= moved);
        scene.site.reload();
        assert!(scene.site.order("show rebalance").contains("\nl 50 0 now running "), "it runs still");
    }
    let ended = scene.ended();
    scene.wait_for((200, 200));
    assert_eq!(scene.site.log.wait_count(BEGINS, 1).len(), 1, "it begins once");
    // Between the order of states and the last session of the old process some are ended that the new one does not know of.
    let cuts = scene.regulars.cuts().len();
    println!("{cuts} cuts, {ended} told");
    assert!((200..=215).contains(&cuts) && ended <= cuts, "{cuts} cuts, {ended} told");
    scene.keeps(50.0, begin);
}

/// Sessions that are to be cut anyway are left to that order.
#[test]
fn an_order_to_cut_goes_on_beside_it() {
    let scene = Scene::new(200, 2, "  close-spread-time 3s\n");
    scene.site.order("enable server l/b");
    scene.site.order("shutdown sessions server l/a");
    assert_eq!(scene.site.order("rebalance backend l rate 1000 tolerance 0"), "\n");
    wait::until_true("each to be cut once", || scene.regulars.cuts().len() >= 200);
    scene.ended();
    wait::until_true("all to be back", || scene.loads().0 + scene.loads().1 == 200);
    // Those that the order has cut came to the emptier server; a few may be one too many there and cut once more.
    let cuts = scene.regulars.cuts().len();
    assert!(cuts <= 320, "{cuts} cuts");
}

/// A drained server is emptied at that pace.
#[test]
fn a_drained_server_is_emptied() {
    let scene = Scene::new(60, 2, "");
    scene.site.order("enable server l/b");
    scene.site.order("set server l/a state drain");
    let begin = Instant::now();
    scene.site.order("rebalance backend l rate 30");
    assert_eq!(scene.ended(), 60);
    scene.wait_for((0, 60));
    scene.keeps(30.0, begin);
}

/// What is over costs nothing: no thread wakes for it.
#[test]
fn it_costs_nothing_when_it_is_over_alone() {
    let scene = Scene::new(40, 2, "");
    scene.site.order("enable server l/b");
    scene.site.order("rebalance backend l rate 1000");
    scene.ended();
    scene.site.order("rebalance backend l rate 10 on-up");
    let pid = scene.site.daemon.pid();
    let wakes = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads").flatten();
        let texts = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
        let count = |text: String| -> Option<u64> {
            text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok())
        };
        texts.filter_map(count).sum()
    };
    // What came before may have an end still: the least of some seconds counts.
    let least = (0..5).map(|_| {
        let before = wakes();
        wait::moment(Duration::from_secs(1));
        wakes() - before
    });
    let least = least.min().expect("five");
    assert!(least <= 10, "{least} wake-ups in a second");
}

/// Two brokers and their clients: one broker dies, comes back, and gets its part of the clients again.
#[test]
fn clients_of_two_brokers() {
    const CLIENTS: usize = 12;
    let (a, second, door) = (Service::mosquitto(), ports::free(), ports::free());
    let b = Service::mosquitto_at(second);
    let site = Site::start(
        &Program::ours(),
        &format!(
            "listen l\n  bind {door}\n  balance leastconn\n  default-server check inter 100ms rise 1 fall 1 \
             on-marked-down shutdown-sessions\n  server a {}\n  server b {second}\n",
            a.address
        ),
    );
    site.order("rebalance backend l rate 20 tolerance 0 on-up");
    let folder = tempfile::tempdir().expect("a folder");
    let clients: Vec<_> =
        (0..CLIENTS).map(|n| services::subscribe(door, "t", &format!("client{n}"), folder.path())).collect();
    let loads = || {
        let stats = site.stats();
        (stats.number("l", "a", "scur"), stats.number("l", "b", "scur"))
    };
    assert_eq!(loads(), (CLIENTS as i64 / 2, CLIENTS as i64 / 2));
    drop(b);
    wait::until_or("all to be on one broker", || loads() == (CLIENTS as i64, 0), || format!("{:?}", loads()));
    let _b = Service::mosquitto_at(second);
    wait::until_or(
        "half of them to go back",
        || loads() == (CLIENTS as i64 / 2, CLIENTS as i64 / 2),
        || format!("{:?}: {:#?}", loads(), site.log.lines()),
    );
    site.log.wait_for("balanced; 6 sessions were ended");
    for (broker, clients) in [(a.address, &clients), (second, &clients)] {
        let word = format!("to {broker}");
        services::publish(broker, "t", &word);
        let heard = || clients.iter().filter(|client| client.output().contains(&word)).count();
        wait::until_or("its clients to hear it", || heard() == CLIENTS / 2, || format!("{} heard it", heard()));
    }
}
