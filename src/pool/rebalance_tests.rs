//! Runs replayed: sessions end when a step says so, and their clients come back after a while.

use std::collections::BTreeMap;
use std::task::Waker;

use super::*;
use crate::ir::{Backend, ProxyKind, Server};
use crate::pool::tests::{NOW, backend, pool};
use crate::pool::{Admin, Assignment, Demand, HealthOrder};

const BACK: ProxyIx = ProxyIx(0);

fn at(millis: u64) -> Tick {
    Tick::from_millis(NOW.millis() + millis)
}

fn rule(rate: u32) -> RebalanceRule {
    RebalanceRule { rate, tolerance: 0, on_up: false }
}

struct Replay {
    pool: Pool,
    now: u64,
    /// How long a client takes to come back; `None`: it does not.
    back_after: Option<u64>,
    /// Clients on their way, by the moment at which they come.
    under_way: BTreeMap<u64, u32>,
    /// Moments of all ends, and the servers.
    ends: Vec<(u64, u32)>,
    told: Vec<String>,
}

impl Replay {
    fn new(back: Backend) -> Self {
        let pool = pool(vec![("b", ProxyKind::Backend, back)]);
        Self { pool, now: 0, back_after: Some(30), under_way: BTreeMap::new(), ends: vec![], told: vec![] }
    }

    fn of(count: u32, change: impl Fn(&mut Server)) -> Self {
        Self::new(backend(Balance::LeastConn, count, change))
    }

    fn back(&self) -> &BackState {
        self.pool.back(BACK).unwrap()
    }

    fn arrive(&self, count: u32) {
        for _ in 0..count {
            let demand = Demand::any(Waker::noop());
            assert!(matches!(self.back().assign(&demand, at(self.now)), Assignment::Server(_)));
            self.back().sessions.up();
        }
    }

    fn health(&self, server: u32, order: HealthOrder) -> Events {
        self.pool.set_health(BACK, ServerIx(server), order, at(self.now))
    }

    fn loads(&self) -> Vec<u32> {
        self.back().lock().members.iter().map(|member| member.load).collect()
    }

    fn order(&self, rule: Option<RebalanceRule>) -> Events {
        self.pool.set_rebalance(BACK, rule, at(self.now)).unwrap()
    }

    /// Steps until the run is over or this moment; the engine is `lag` ms late each time.
    fn run(&mut self, until: u64, lag: u64) {
        while self.now < until && !self.pool.rebalancing().is_empty() {
            while let Some(entry) = self.under_way.first_entry()
                && *entry.key() <= self.now
            {
                let count = entry.remove();
                self.arrive(count);
            }
            self.pool.warm_up(at(self.now));
            let step = self.pool.rebalance_step(BACK, at(self.now));
            self.told.extend(step.events.into_iter().map(|(_, event)| event.message));
            for (server, count) in step.ends {
                for _ in 0..count {
                    self.back().sessions.down();
                    self.back().release(server, at(self.now));
                    self.ends.push((self.now, server.0));
                }
                if let Some(after) = self.back_after {
                    *self.under_way.entry(self.now + after).or_default() += count;
                }
                self.pool.note_rebalanced(BACK, count.into(), at(self.now));
            }
            self.now = step.next.map_or(self.now, |next| next.since(NOW)).max(self.now + 1) + lag;
        }
        for (_, count) in std::mem::take(&mut self.under_way) {
            self.arrive(count);
        }
    }

    /// No stretch of time has more ends than the rate allows, but for what a late look may catch up.
    fn keeps(&self, rate: u64) {
        for (first, (begin, _)) in self.ends.iter().enumerate() {
            for (count, (end, _)) in (1..).zip(&self.ends[first..]) {
                let allowed = rate * (end - begin) / 1000 + rate * LATE / SECOND + 2;
                assert!(count <= allowed, "{count} ends from {begin} to {end}, at {rate} a second");
            }
        }
    }
}

/// One server has everything; the other returns.
#[test]
fn sessions_go_to_the_server_that_returned() {
    for (rate, lag, after) in [(100, 0, 30), (100, 0, 3_000), (100, 45, 30), (1_000_000, 0, 30), (7, 0, 30)] {
        let mut replay = Replay::of(2, |_| ());
        replay.back_after = Some(after);
        replay.health(1, HealthOrder::Down);
        replay.arrive(400);
        replay.health(1, HealthOrder::Up);
        assert_eq!(replay.loads(), [400, 0]);
        replay.order(Some(rule(rate)));
        replay.run(100_000, lag);
        assert_eq!(replay.loads(), [200, 200], "{rate}, {lag}, {after}");
        assert_eq!(replay.ends.len(), 200, "{rate}, {lag}, {after}");
        replay.keeps(rate.into());
        assert!(replay.ends.iter().all(|(_, server)| *server == 0));
        if (rate, lag) == (100, 0) {
            let last = replay.ends.last().unwrap().0;
            assert!((1_900..2_100).contains(&last), "200 sessions took {last} ms");
        }
        let [begin, end] = &replay.told[..] else { panic!("{:?}", replay.told) };
        assert!(begin.contains("b begins: 200 of 400 sessions"), "{begin}");
        assert!(end.ends_with("balanced; 200 sessions were ended."), "{end}");
        assert_eq!(replay.pool.rebalance_view(BACK), None);
    }
}

/// Clients that stay away leave less to share; nobody is ended for their sake twice.
#[test]
fn clients_that_do_not_come_back() {
    let mut replay = Replay::of(2, |_| ());
    replay.back_after = None;
    replay.health(1, HealthOrder::Down);
    replay.arrive(100);
    replay.health(1, HealthOrder::Up);
    replay.order(Some(rule(1_000)));
    replay.run(100_000, 0);
    // Each time it seems that they are lost for good, half of the rest is above its share: 50, 25, …
    assert!(replay.ends.len() <= 100 && replay.pool.rebalancing().is_empty(), "{} ends", replay.ends.len());
    replay.keeps(1_000);
}

/// Clients that always get the same server again: the run gives up.
#[test]
fn what_does_not_help_ends() {
    let mut replay = Replay::of(2, |_| ());
    replay.health(1, HealthOrder::Down);
    replay.arrive(50);
    replay.health(1, HealthOrder::Up);
    replay.order(Some(rule(1_000)));
    while !replay.pool.rebalancing().is_empty() {
        let step = replay.pool.rebalance_step(BACK, at(replay.now));
        replay.told.extend(step.events.into_iter().map(|(_, event)| event.message));
        let count: u32 = step.ends.iter().map(|(_, count)| count).sum();
        replay.pool.note_rebalanced(BACK, count.into(), at(replay.now)); // and they are there again
        replay.now += 10;
    }
    assert!(replay.told.last().unwrap().contains("every session has had its turn"), "{:?}", replay.told);
    assert!(replay.told.last().unwrap().ends_with(" 50 sessions were ended."), "{:?}", replay.told);
}

#[test]
fn a_server_that_returns_begins_an_armed_run() {
    let mut replay = Replay::of(2, |_| ());
    replay.health(1, HealthOrder::Down);
    replay.arrive(40);
    replay.order(Some(RebalanceRule { on_up: true, ..rule(100) }));
    assert!(replay.pool.rebalancing().is_empty());
    let events = replay.health(1, HealthOrder::Up);
    assert!(events.iter().any(|(_, event)| event.returns));
    replay.run(100_000, 0);
    assert_eq!((replay.loads(), replay.told.len()), (vec![20, 20], 2));
    // Balanced: the next one has nothing to do, and nothing to say.
    for admin in [Admin::Maint, Admin::Ready] {
        replay.pool.set_admin(BACK, ServerIx(1), admin, at(replay.now));
    }
    assert_eq!(replay.pool.rebalancing(), [BACK]);
    replay.run(200_000, 0);
    assert_eq!((replay.told.len(), replay.ends.len()), (2, 20));
    assert!(replay.pool.rebalance_view(BACK).is_some_and(|view| view.run.is_none()));
    assert_eq!(replay.order(None), Vec::new());
    replay.health(1, HealthOrder::Down);
    replay.health(1, HealthOrder::Up);
    assert!(replay.pool.rebalancing().is_empty(), "it was taken back");
}

/// Who asks for it moves sessions off a drained server; a return alone does not.
#[test]
fn drained_servers() {
    for (on_up, want) in [(false, vec![0, 15, 15]), (true, vec![10, 10, 10])] {
        let mut replay = Replay::of(3, |_| ());
        replay.arrive(30);
        replay.pool.set_admin(BACK, ServerIx(0), Admin::Drain, NOW);
        replay.order(Some(RebalanceRule { on_up, ..rule(100) }));
        replay.health(1, HealthOrder::Down);
        replay.health(1, HealthOrder::Up);
        replay.run(100_000, 0);
        assert_eq!(replay.loads(), want, "on_up: {on_up}");
    }
}

/// Sessions on a backup go back; with `allbackups` several backups share them.
#[test]
fn backups() {
    let mut replay = Replay::of(3, |server| server.backup = server.id > 1);
    replay.health(0, HealthOrder::Down);
    replay.arrive(30);
    assert_eq!(replay.loads(), [0, 30, 0]);
    replay.order(Some(rule(100)));
    replay.run(1_000, 0);
    assert_eq!(replay.loads(), [0, 30, 0], "the first backup alone serves");
    replay.health(0, HealthOrder::Up);
    replay.order(Some(rule(100)));
    replay.run(100_000, 0);
    assert_eq!(replay.loads(), [30, 0, 0]);
}

/// A share grows with a slow start, and the run waits for its end.
#[test]
fn slow_starts() {
    let mut replay = Replay::of(2, |server| server.slowstart = Millis::new(16_000));
    replay.health(1, HealthOrder::Down);
    replay.arrive(160);
    replay.health(1, HealthOrder::Up);
    replay.order(Some(rule(1_000)));
    replay.run(4_000, 0);
    let [few, _] = replay.loads()[..] else { panic!() };
    assert!((100..140).contains(&few), "after a quarter of the time {few} of 160 stay");
    replay.run(100_000, 0);
    let loads = replay.loads();
    assert!(loads.iter().all(|load| (78..=82).contains(load)), "{loads:?}");
}

#[test]
fn orders() {
    let replay = Replay::of(2, |_| ());
    assert_eq!(replay.pool.set_rebalance(ProxyIx(7), Some(rule(1)), NOW), Err(RebalanceError::NoBackend));
    for balance in [Balance::Source, Balance::First] {
        let fixed = Replay::new(backend(balance, 2, |_| ()));
        assert_eq!(fixed.pool.set_rebalance(BACK, Some(rule(1)), NOW), Err(RebalanceError::Fixed));
        assert_eq!(fixed.pool.set_rebalance(BACK, None, NOW), Ok(Vec::new()));
    }
    // Taken back while it runs.
    let mut replay = Replay::of(2, |_| ());
    replay.health(1, HealthOrder::Down);
    replay.arrive(400);
    replay.health(1, HealthOrder::Up);
    replay.order(Some(rule(100)));
    replay.run(500, 0);
    let events = replay.order(None);
    assert!(events[0].1.message.contains("by order; 50 sessions were ended"), "{events:?}");
    // Nothing to do is said at once.
    let mut replay = Replay::of(2, |_| ());
    replay.order(Some(rule(100)));
    replay.run(500, 0);
    assert_eq!(replay.told, ["Rebalancing of backend b ends after 0 ms: balanced; 0 sessions were ended."]);
}

/// A run goes on in another process, whose sessions come bit by bit; numbers that cannot be are bounded.
#[test]
fn a_run_goes_on_elsewhere() {
    let mut before = Replay::of(2, |_| ());
    before.health(1, HealthOrder::Down);
    before.arrive(400);
    before.health(1, HealthOrder::Up);
    before.order(Some(rule(100)));
    before.run(1_000, 0);
    let loads = before.loads();
    let ended = before.ends.len();
    assert!((90..=110).contains(&ended), "{ended}");
    let mut after = Replay::of(2, |_| ());
    after.now = before.now;
    let notices = after.pool.import_states(&before.pool.export_states(at(before.now)), at(after.now));
    assert_eq!(notices, []);
    // Those on the second server come first.
    for (server, load) in [(1, loads[1]), (0, loads[0])] {
        after.run(after.now + 50, 0);
        assert_eq!(after.ends, [], "nobody is ended because others are not there yet");
        for _ in 0..load {
            after.back().sessions.up();
            after.back().adopt(ServerIx(server));
        }
    }
    after.run(100_000, 0);
    assert_eq!(after.loads(), [200, 200]);
    assert_eq!(ended + after.ends.len(), 200);
    assert!(after.told[0].ends_with("balanced; 200 sessions were ended."), "{:?}", after.told);

    for (what, text) in [
        ("fixed", r#""rebalance":{"rule":{"rate":5,"tolerance":1,"on_up":true}}"#),
        (
            "wild",
            r#""rebalance":{"rule":{"rate":0,"tolerance":4000000000,"on_up":true},"run":{"since":18446744073709551615,"told":true,"most":18446744073709551615,"asked":18446744073709551615,"ended":0}}"#,
        ),
    ] {
        let line = format!(r#"{{"back":{{"proxy":"b","up":true,"changed":1,{text}}}}}"#);
        let balance = if what == "fixed" { Balance::Source } else { Balance::LeastConn };
        let mut other = Replay::new(backend(balance, 2, |_| ()));
        let notices = other.pool.import_states(&[line], NOW);
        assert_eq!(notices.len(), usize::from(what == "fixed"), "{notices:?}");
        other.arrive(3);
        other.run(60_000, 0);
        assert!(other.pool.rebalancing().is_empty(), "{what}");
    }
}
