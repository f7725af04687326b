//! The demo from beginning to end.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::brokers::BrokerProcess;
use crate::clients::MqttClient;
use crate::fault::Fault;
use crate::interrupt::Interrupt;
use crate::log::LogSink;
use crate::newcomers::Newcomers;
use crate::page::Page;
use crate::proxy::{self, Addresses, Proxy};
use crate::tell::{Tell, wait};

/// For what normally takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Within this, clients of a stopped broker must be back.
const BACK_WITHIN: Duration = Duration::from_secs(3);
/// Reloads under traffic.
const RELOADS: u32 = 3;

/// A publisher and the watcher on the same broker.
struct Pair {
    broker: String,
    publisher: MqttClient,
    watcher: MqttClient,
}

/// Runs the demo; the number of wrong numbers.
///
/// # Errors
/// A [`Fault`] when it could not be set up.
pub(crate) fn run(haproxy: Option<&Path>, stay: bool) -> Result<u32, Fault> {
    let mut tell = Tell::new();
    let binary = match haproxy {
        Some(path) => path.to_owned(),
        None => {
            tell.say("building baton");
            proxy::build()?
        }
    };
    let folder = tempfile::tempdir().map_err(Fault::machine("temporary folder"))?;
    let log = LogSink::start()?;
    let at = addresses(log.address)?;
    let mut brokers =
        [BrokerProcess::start("broker_1", at.brokers[0])?, BrokerProcess::start("broker_2", at.brokers[1])?];
    for broker in &brokers {
        tell.say(format!("{} is up on {}", broker.name, broker.address));
    }
    let interrupt = Interrupt::watch(folder.path())?;
    let mut proxy = Proxy::start(&tell, folder.path(), &binary, &at)?;
    let page = Page { address: at.stats, auth: "demo:demo" };
    tell.say(format!("the proxy is up on {}, pid {}", at.mqtt, proxy.pid()));
    tell.say(format!("statistics: {}", page.url()));

    let mut pairs = pairs(&mut tell, &at, &page)?;
    reloads(&mut tell, &mut proxy, &mut pairs, &at, (&page, haproxy.is_none()))?;
    stop_a_broker(&mut tell, &mut brokers[0], &mut pairs, &page)?;

    for pair in &mut pairs {
        pair.publisher.leave();
        pair.watcher.leave();
    }
    let ended = proxy.wait_alone().is_ok();
    tell.judge(ended, format!("{} process(es) left", proxy.living()));
    let (count, last) = log.seen();
    tell.say(format!("{count} log lines, the last: {last}"));
    tell.say(format!("statistics: {}", page.url()));
    if stay {
        brokers[0] = BrokerProcess::start("broker_1", at.brokers[0])?;
        wait(PATIENCE, "broker_1 to be UP again", || {
            page.servers("mqtt").ok()?.get("broker_1").filter(|row| row.status == "UP").cloned()
        })?;
        let _traffic = self::pairs(&mut tell, &at, &page)?;
        tell.say(format!("staying, with traffic: MQTT on {}, statistics on {}; Ctrl-C ends", at.mqtt, page.url()));
        interrupt.wait();
    }
    Ok(tell.wrong())
}

/// Ports that were free a moment ago.
fn addresses(log: SocketAddr) -> Result<Addresses, Fault> {
    let fault = || Fault::machine("free port");
    // All are held until all are found, so that they differ.
    let held: Vec<TcpListener> =
        (0..4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().map_err(fault())?;
    let ports: Vec<SocketAddr> = held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>().map_err(fault())?;
    Ok(Addresses { mqtt: ports[0], stats: ports[1], brokers: [ports[2], ports[3]], log })
}

/// Connects two publishers and two watchers one after another and reads from the page who is where.
fn pairs(tell: &mut Tell, at: &Addresses, page: &Page) -> Result<Vec<Pair>, Fault> {
    let mut publishers = Vec::new();
    for name in ["sensor_1", "sensor_2"] {
        publishers.push(place(page, || MqttClient::publisher(name, at.mqtt))?);
    }
    let mut pairs = Vec::new();
    for name in ["watcher_1", "watcher_2"] {
        let (broker, watcher) = place(page, || MqttClient::watcher(name, at.mqtt))?;
        if let Some(ix) = publishers.iter().position(|(other, _)| *other == broker) {
            let (_, publisher) = publishers.swap_remove(ix);
            tell.say(format!("{broker}: {} publishes, {} watches", publisher.name, watcher.name));
            pairs.push(Pair { broker, publisher, watcher });
        }
    }
    pairs.sort_by(|a, b| a.broker.cmp(&b.broker));
    tell.judge(pairs.len() == 2, "leastconn gave each broker a publisher and a watcher (read from the page)");
    for pair in &mut pairs {
        pair.publisher.talk();
    }
    for pair in &pairs {
        wait(PATIENCE, "the first messages", || (pair.watcher.heard(pair.publisher.name, 5)).then_some(()))?;
    }
    Ok(pairs)
}

/// Connects one client and finds the server whose session count rose.
fn place(page: &Page, connect: impl FnOnce() -> MqttClient) -> Result<(String, MqttClient), Fault> {
    let before = page.servers("mqtt")?;
    let client = connect();
    let what = format!("{} to appear on the statistics page", client.name);
    let broker = wait(PATIENCE, &what, || {
        let now = page.servers("mqtt").ok()?;
        let risen = now.iter().filter(|(name, _)| name.starts_with("broker_"));
        let mut risen = risen.filter(|(name, row)| before.get(*name).is_some_and(|old| row.sessions > old.sessions));
        let (name, _) = risen.next()?;
        (client.connects() == 1).then(|| name.clone())
    })?;
    Ok((broker, client))
}

/// Reloads under traffic: nothing lost, nobody refused, nobody cut; and where sessions move, one process has them all.
fn reloads(
    tell: &mut Tell,
    proxy: &mut Proxy,
    pairs: &mut [Pair],
    at: &Addresses,
    (page, moves): (&Page, bool),
) -> Result<(), Fault> {
    for round in 1..=RELOADS {
        let newcomers = Newcomers::start(at.mqtt);
        wait(PATIENCE, "newcomers before the reload", || (newcomers.served() >= 100).then_some(()))?;
        let old = proxy.pid();
        let start = Instant::now();
        let new = proxy.reload()?;
        let took = start.elapsed().as_millis();
        let then = newcomers.served();
        wait(PATIENCE, "newcomers after the reload", || (newcomers.served() >= then + 100).then_some(()))?;
        let tally = newcomers.finish();
        let sessions = || {
            let rows = page.servers("mqtt").unwrap_or_default();
            rows.iter().filter(|(name, _)| name.starts_with("broker_")).map(|(_, row)| row.sessions).sum::<u64>()
        };
        let all = 2 * pairs.len() as u64;
        if moves {
            let there =
                wait(PATIENCE, "the sessions", || (proxy.living() == 1 && sessions() == all).then_some(())).is_ok();
            tell.judge(there, format!("{} of {all} MQTT sessions are in pid {new}, and no other is left", sessions()));
        }
        let (mut lost, mut messages) = (0, 0);
        for pair in &*pairs {
            let last = pair.publisher.sent();
            let _ = wait(PATIENCE, "the last message", || pair.watcher.heard(pair.publisher.name, last).then_some(()));
            lost += pair.watcher.missing(pair.publisher.name, last).len();
            messages += last;
        }
        let clients = || pairs.iter().flat_map(|pair| [&pair.publisher, &pair.watcher]);
        let refused = tally.refused + clients().map(|client| u64::from(client.refused())).sum::<u64>();
        let cut: u32 = clients().map(MqttClient::disconnects).sum();
        tell.judge(
            lost == 0 && refused == 0 && cut == 0,
            format!(
                "reload {round}: pid {old} -> {new} in {took} ms; {messages} messages so far, {lost} lost; {} newcomers, \
                 {refused} refused; {cut} disconnects; {} process(es)",
                tally.served,
                proxy.living()
            ),
        );
    }
    Ok(())
}

/// Stops a broker: its clients must be back on the other in time; what was lost meanwhile is told apart.
fn stop_a_broker(tell: &mut Tell, broker: &mut BrokerProcess, pairs: &mut [Pair], page: &Page) -> Result<(), Fault> {
    let Some(other) = pairs.iter().find(|pair| pair.broker != broker.name).map(|pair| pair.broker.clone()) else {
        return Ok(());
    };
    let before: Vec<u64> = pairs.iter().map(|pair| pair.publisher.sent()).collect();
    tell.say(format!("stopping {}", broker.name));
    broker.stop();
    for (pair, before) in pairs.iter_mut().zip(before) {
        let stopped = pair.broker == broker.name;
        if stopped {
            for client in [&pair.publisher, &pair.watcher] {
                let back = wait(PATIENCE, "a client to come back", || client.back_after()).ok();
                let text = back.map_or("never".to_owned(), |time| format!("after {:.2} s", time.as_secs_f64()));
                let in_time = back.is_some_and(|time| time <= BACK_WITHIN);
                tell.judge(in_time, format!("{} is back on {other} {text} (limit {BACK_WITHIN:?})", client.name));
            }
        }
        // A message that is sent and heard after all this proves that the pair works again.
        let mark = pair.publisher.sent() + 5;
        let _ = wait(PATIENCE, "messages afterwards", || pair.watcher.heard(pair.publisher.name, mark).then_some(()));
        let last = pair.publisher.hush();
        let _ = wait(PATIENCE, "the last message", || pair.watcher.heard(pair.publisher.name, last).then_some(()));
        let missing = pair.watcher.missing(pair.publisher.name, last);
        let early = missing.iter().filter(|number| **number <= before.saturating_sub(1)).count();
        let outage = missing.len() - early;
        if stopped {
            tell.judge(
                early == 0,
                format!(
                    "{}: {early} lost before the stop, {outage} during it (its broker was dead)",
                    pair.publisher.name
                ),
            );
        } else {
            let cut = pair.publisher.disconnects() + pair.watcher.disconnects();
            tell.judge(
                missing.is_empty() && cut == 0,
                format!("{}: {} lost, {cut} disconnects (its broker lived)", pair.publisher.name, missing.len()),
            );
        }
    }
    let down = wait(PATIENCE, "the page to show the stopped broker", || {
        page.servers("mqtt").ok()?.get(broker.name).filter(|row| row.status.starts_with("DOWN")).cloned()
    });
    tell.judge(down.is_ok(), format!("the page shows {} as DOWN", broker.name));
    Ok(())
}
