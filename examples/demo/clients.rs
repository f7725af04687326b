//! Long-lived MQTT clients: publishers that number their messages, watchers that write the numbers down.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS};

/// One message every so often from each publisher.
const PERIOD: Duration = Duration::from_millis(20);

/// What a client has seen.
#[derive(Debug, Default)]
struct Seen {
    connects: u32,
    refused: u32,
    disconnects: u32,
    /// When the connection was lost that is not back yet.
    lost_at: Option<Instant>,
    /// How long the last loss took.
    back_after: Option<Duration>,
    /// Publisher: the last number given to the client library. 0: none yet.
    sent: u64,
    /// Watcher: numbers heard, by publisher.
    heard: HashMap<String, BTreeSet<u64>>,
}

/// A client and the threads that drive it.
pub(crate) struct MqttClient {
    /// Its MQTT client identifier.
    pub(crate) name: &'static str,
    client: Client,
    seen: Arc<Mutex<Seen>>,
    stop: Option<Sender<()>>,
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MqttClient {
    fn connect(name: &'static str, proxy: SocketAddr, on_connect: impl Fn(&Client) + Send + 'static) -> Self {
        let mut options = MqttOptions::new(name, proxy.ip().to_string(), proxy.port());
        options.set_keep_alive(Duration::from_secs(5));
        let (client, connection) = Client::new(options, 64);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (notes, own) = (Arc::clone(&seen), client.clone());
        std::thread::spawn(move || drive(connection, &notes, || on_connect(&own)));
        Self { name, client, seen, stop: None }
    }

    /// A publisher; it says nothing before [`MqttClient::talk`].
    pub(crate) fn publisher(name: &'static str, proxy: SocketAddr) -> Self {
        Self::connect(name, proxy, |_| ())
    }

    /// A watcher of everything under `demo/`, again after each reconnection.
    pub(crate) fn watcher(name: &'static str, proxy: SocketAddr) -> Self {
        Self::connect(name, proxy, |client| {
            let _ = client.try_subscribe("demo/#", QoS::AtLeastOnce);
        })
    }

    /// Starts a publisher's numbered messages.
    pub(crate) fn talk(&mut self) {
        let (stop, stopped) = channel();
        let (client, seen, topic) = (self.client.clone(), Arc::clone(&self.seen), format!("demo/{}", self.name));
        std::thread::spawn(move || publish(&client, &seen, &topic, &stopped));
        self.stop = Some(stop);
    }

    /// Ends a publisher's messages; the connection stays. The last number given out.
    pub(crate) fn hush(&mut self) -> u64 {
        self.stop = None;
        self.sent()
    }

    /// The last number given out.
    pub(crate) fn sent(&self) -> u64 {
        lock(&self.seen).sent
    }

    /// Successful connections so far.
    pub(crate) fn connects(&self) -> u32 {
        lock(&self.seen).connects
    }

    /// Connections that were refused or not answered.
    pub(crate) fn refused(&self) -> u32 {
        lock(&self.seen).refused
    }

    /// Connections that were cut.
    pub(crate) fn disconnects(&self) -> u32 {
        lock(&self.seen).disconnects
    }

    /// How long the last cut lasted; `None` while it lasts or when there was none.
    pub(crate) fn back_after(&self) -> Option<Duration> {
        let seen = lock(&self.seen);
        seen.back_after.filter(|_| seen.lost_at.is_none())
    }

    /// The numbers of `1..=last` that this watcher has not heard from `publisher`.
    pub(crate) fn missing(&self, publisher: &str, last: u64) -> Vec<u64> {
        let seen = lock(&self.seen);
        let heard = seen.heard.get(publisher);
        (1..=last).filter(|number| !heard.is_some_and(|heard| heard.contains(number))).collect()
    }

    /// Whether `number` of `publisher` was heard.
    pub(crate) fn heard(&self, publisher: &str, number: u64) -> bool {
        lock(&self.seen).heard.get(publisher).is_some_and(|heard| heard.contains(&number))
    }

    /// Leaves politely.
    pub(crate) fn leave(&mut self) {
        self.stop = None;
        let _ = self.client.try_disconnect();
    }
}

/// Runs the client library's event loop for as long as the client lives; it reconnects by itself.
fn drive(mut connection: Connection, seen: &Mutex<Seen>, on_connect: impl Fn()) {
    let mut connected = false;
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                connected = true;
                {
                    let mut seen = lock(seen);
                    seen.connects += 1;
                    if let Some(at) = seen.lost_at.take() {
                        seen.back_after = Some(at.elapsed());
                    }
                }
                on_connect();
            }
            Ok(Event::Incoming(Packet::Publish(message))) => {
                let number = std::str::from_utf8(&message.payload).ok().and_then(|text| text.parse().ok());
                if let (Some(name), Some(number)) = (message.topic.strip_prefix("demo/"), number) {
                    lock(seen).heard.entry(name.to_owned()).or_default().insert(number);
                }
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) => {
                let mut seen = lock(seen);
                if connected {
                    seen.disconnects += 1;
                    seen.lost_at = Some(Instant::now());
                } else {
                    seen.refused += 1;
                }
                connected = false;
                drop(seen);
                pause();
            }
        }
    }
}

/// A breath before the next attempt: as real devices take one.
fn pause() {
    #[expect(clippy::disallowed_methods, reason = "back-off of a client")]
    std::thread::sleep(Duration::from_millis(100));
}

/// Numbers messages until told to stop; QoS 1, so that the library repeats what was not acknowledged.
fn publish(client: &Client, seen: &Mutex<Seen>, topic: &str, stopped: &Receiver<()>) {
    while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let number = lock(seen).sent + 1;
        // A full queue means that the connection is away: the number is given out when there is room again.
        if client.try_publish(topic, QoS::AtLeastOnce, false, number.to_string()).is_ok() {
            lock(seen).sent = number;
        }
    }
}
