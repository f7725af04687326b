//! After a reload every column of statistics reads as the old process's: states and counters continue.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::columns::COLUMNS;
use super::tests::config;
use super::*;
use crate::ir::{Agent, Bind, BindOptions, Endpoint, Observe, OnError, ProxyIx, ServerIx};
use crate::pool::counters::{Counter, Gauge};
use crate::pool::{Admin, AgentAnswer, AgentReport, CheckResult, CheckStatus, Pool, Rate, Times};
use crate::units::{Millis, Tick, Weight};

const THEN: Tick = Tick::from_millis(61_500);
const NOW: Tick = Tick::from_millis(61_900);
/// Sessions that are there are counted by who has them.
const GAUGES: [&str; 2] = ["qcur", "scur"];

/// Columns that no event can move from zero, or that only say what the configuration says.
const STILL: &str = "pid iid sid type act bck slim qlimit rate_lim mode algo addr pxname svname tracked cookie agent_rise \
    check_rise check_fall agent_fall src_ilim dreq dresp comp_in comp_out comp_byp comp_rsp rtime rtime_max dcon dses wrew \
    reuse cache_lookups cache_hits srv_icur eint idle_conn_cur safe_conn_cur used_conn_cur need_conn_est \
    agg_server_status agg_server_check_status agg_check_status srid h2sess h3sess req_other h2req h3req proto \
    priv_idle_cur throttle check_code qcur scur";

/// Gives every counter another number.
struct Filler(u64);

impl Filler {
    fn counters(&mut self, counters: &[&Counter]) {
        for counter in counters {
            self.0 += 7;
            counter.set(self.0);
        }
    }

    fn gauges(&mut self, gauges: &[&Gauge]) {
        for gauge in gauges {
            self.0 += 1;
            (0..self.0 % 50 + 2).for_each(|_| _ = gauge.up());
            gauge.down();
        }
    }

    fn rates(&mut self, rates: &[&Rate]) {
        for rate in rates {
            self.0 += 1;
            for ms in [-1_000, -900, 0] {
                (0..self.0 % 40 + 2)
                    .for_each(|_| _ = rate.hit(Tick::from_millis(THEN.millis().saturating_add_signed(ms))));
            }
        }
    }

    fn times(&mut self, times: &Times) {
        times.picked.add(3);
        times.note(Some(self.0 as u32), Some(self.0 as u32 + 5), self.0 as u32 + 9);
    }
}

/// One of everything, and everything moved.
fn configuration() -> crate::ir::Config {
    let mut config = config();
    let server = &mut config.proxies[0].backend.as_mut().unwrap().servers[4];
    server.observe = Some(Observe { limit: 1, on_error: OnError::FailCheck });
    server.agent = Some(Box::new(Agent { inter: Millis::seconds(1), addr: None, port: 9, send: Vec::new() }));
    let front = config.proxies[0].frontend.as_mut().unwrap();
    front.socket_stats = true;
    front.binds = (1..3_u16)
        .map(|id| Bind {
            endpoint: Endpoint::Inet(([127, 0, 0, 1], id).into()),
            name: format!("sock-{id}"),
            id: id.into(),
            options: BindOptions::default(),
            span: Default::default(),
        })
        .collect();
    config
}

fn process(now: Tick) -> Pool {
    let pool = Pool::new(Arc::new(configuration()), now);
    pool.set_maxconn(500);
    pool
}

fn busy() -> Pool {
    let pool = process(Tick::from_millis(5_000));
    let mut fill = Filler(100);
    for proxy in &pool.proxies {
        if let Some(f) = &proxy.front {
            fill.counters(&[&f.sessions_total, &f.connections_total, &f.bytes_in, &f.bytes_out, &f.request_errors]);
            fill.counters(&f.answers.each_ref());
            fill.counters(&[&f.requests_total]);
            f.requests_total.add(100_000);
            fill.gauges(&[&f.sessions]);
            fill.rates(&[&f.session_rate, &f.connection_rate, &f.request_rate]);
            for l in &f.listeners {
                fill.counters(&[&l.sessions_total, &l.bytes_in, &l.bytes_out]);
                fill.gauges(&[&l.sessions]);
            }
        }
        let Some(b) = &proxy.back else { continue };
        for s in &b.servers {
            fill.counters(&[&s.sessions_total, &s.picked_total, &s.bytes_in, &s.bytes_out, &s.connect_errors]);
            fill.counters(&[&s.response_errors, &s.retries, &s.redispatches, &s.client_aborts, &s.server_aborts]);
            fill.gauges(&[&s.sessions, &s.queue]);
            fill.rates(&[&s.session_rate]);
            fill.times(&s.times);
            s.last_session.set(THEN.millis() - fill.0);
        }
        fill.counters(&[&b.sessions_total, &b.picked_total, &b.bytes_in, &b.bytes_out, &b.connect_errors]);
        fill.counters(&[&b.response_errors, &b.retries, &b.redispatches, &b.client_aborts, &b.server_aborts]);
        fill.counters(&[&b.requests_total]);
        fill.counters(&b.answers.each_ref());
        fill.gauges(&[&b.sessions, &b.queue]);
        fill.rates(&[&b.session_rate]);
        fill.times(&b.times);
        b.last_session.set(THEN.millis() - fill.0);
    }
    changes(&pool);
    pool
}

/// Orders, checks, an agent and failed connections.
fn changes(pool: &Pool) {
    let at = |seconds: u64| Tick::from_millis(seconds * 1000);
    let (a, ix) = (ProxyIx(0), ServerIx);
    for (server, status, detail) in [(0, CheckStatus::L4Con, Some("Connection refused")), (4, CheckStatus::L7Ok, None)]
    {
        let result = CheckResult { status, duration: 3, code: Some(200), detail: detail.map(Into::into) };
        pool.report_check(a, ix(server), &result, at(8));
    }
    pool.observe_failure(a, ix(4), at(20));
    let answer = AgentAnswer { health: Some((false, "down".into())), ..AgentAnswer::default() };
    pool.report_agent(a, ix(4), AgentReport::Answer(Box::new(answer)), 12, at(30));
    pool.set_weight(a, ix(1), Weight::new(9).unwrap(), at(31));
    pool.set_admin(a, ix(1), Admin::Drain, at(32));
    pool.set_admin(a, ix(2), Admin::Ready, at(33));
    pool.set_admin(ProxyIx(2), ix(0), Admin::Maint, at(34));
    pool.set_admin(ProxyIx(2), ix(0), Admin::Ready, at(35));
    pool.front(ProxyIx(1)).unwrap().paused.store(true, Relaxed);
}

fn rows(pool: &Pool) -> Vec<Vec<String>> {
    let text = output::whole(Form::Csv, pool, NOW, &Selection::default());
    let fields = |line: &str| {
        let mut quoted = false;
        let split = line.split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        split.map(str::to_owned).collect()
    };
    text.lines().skip(1).map(fields).collect()
}

#[test]
fn every_column_reads_as_before() {
    let old = busy();
    let new = process(THEN);
    assert_eq!(new.import_states(&old.export_states(THEN), THEN), []);
    assert_eq!(new.import_counters(&old.export_counters(), THEN), []);
    let (was, is, fresh) = (rows(&old), rows(&new), rows(&process(THEN)));
    assert_eq!(was.len(), is.len());
    let mut moved = std::collections::BTreeSet::new();
    for ((was, is), fresh) in was.iter().zip(&is).zip(&fresh) {
        for (at, column) in COLUMNS.iter().enumerate().filter(|(_, column)| !GAUGES.contains(&column.name)) {
            assert_eq!(is[at], was[at], "column {} of {},{}", column.name, is[0], is[1]);
            if is[at] != fresh[at] {
                moved.insert(column.name);
            }
        }
    }
    // A column that reads the same in a process that knows nothing shows nothing here.
    let still: Vec<&str> = STILL.split_ascii_whitespace().collect();
    let names: std::collections::BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let unmoved: Vec<&&str> = names.difference(&moved).filter(|name| !still.contains(*name)).collect();
    assert!(unmoved.is_empty(), "no event moved {unmoved:?}");
}

#[test]
fn figures_of_the_process_are_added() {
    let (old, new) = (process(Tick::from_millis(5_000)), process(THEN));
    for (pool, n) in [(&old, 5), (&new, 2)] {
        let p = &pool.process;
        let counters = [&p.connections_total, &p.requests_total, &p.bytes_out, &p.bytes_spliced];
        counters.iter().for_each(|counter| counter.add(n));
        (0..n).for_each(|_| _ = p.connections.up());
        (0..n).for_each(|_| _ = p.connection_rate.hit(THEN));
        (0..n).for_each(|_| _ = p.session_rate.hit(THEN));
    }
    new.import_counters(&old.export_counters(), THEN);
    let p = &new.process;
    let totals = [&p.connections_total, &p.requests_total, &p.bytes_out, &p.bytes_spliced].map(Counter::get);
    assert_eq!(totals, [7; 4]);
    assert_eq!((p.connections.get(), p.connections.max()), (2, 5));
    assert_eq!([&p.connection_rate, &p.session_rate].map(|rate| (rate.get(THEN), rate.max())), [(7, 5); 2]);
}
