//! `close-spread-time`: sessions that are to be cut are cut one after the other, evenly over all threads.
//!
//! Counts at the clients when their sessions end. What haproxy does with sessions of mode tcp (all at once) is measured
//! by the bench `compare --shape closing`.

mod harness;

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use harness::backends::Backend;
use harness::crowd::Holder;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::site::Site;
use harness::stats::{Stats, command};
use harness::{client, crowd, ports, wait};
use nix::sys::signal::Signal;

/// One column of a histogram.
const SLICE: Duration = Duration::from_millis(500);

/// Sessions of a proxy, and what its tests look at.
struct Crowd {
    proxy: Proxy,
    socket: std::path::PathBuf,
    door: SocketAddr,
    clients: Vec<TcpStream>,
    _folder: tempfile::TempDir,
}

impl Crowd {
    /// `count` sessions on server `s` of the proxy `l`, which has these lines of `global` and behind its servers' address.
    fn start(count: usize, global: &str) -> Self {
        let holder = Holder::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("stats");
        let door = ports::free();
        let config = format!(
            "global\n stats socket {} level admin\n maxconn 6000\n{global}\
             defaults\n mode tcp\n timeout client 5m\n timeout connect 1m\n timeout server 5m\n\
             listen l\n bind {door}\n server s {}\n",
            socket.display(),
            holder.address,
        );
        let proxy = Proxy::start(&Program::ours(), &config);
        let clients = (0..count).map(|_| client::connect(door)).collect();
        wait::until_or(
            "all sessions to have their server",
            || holder.taken() == count,
            || format!("{} have", holder.taken()),
        );
        Self { proxy, socket, door, clients, _folder: folder }
    }

    /// How many sessions end in each [`SLICE`] from now on, after `order` was given.
    fn histogram(&mut self, order: impl FnOnce(&Self)) -> Vec<usize> {
        order(self);
        let begin = Instant::now();
        let ends = ends(&self.clients, begin + Duration::from_secs(30));
        let mut slices = Vec::new();
        for end in ends {
            let slice = (end.duration_since(begin).as_millis() / SLICE.as_millis()) as usize;
            slices.resize(slices.len().max(slice + 1), 0);
            slices[slice] += 1;
        }
        slices
    }

    fn command(&self, text: &str) -> String {
        command(&self.socket, text)
    }
}

/// When each of these connections ended, as far as they did before `until`.
fn ends(clients: &[TcpStream], until: Instant) -> Vec<Instant> {
    let watched = crowd::watch(clients);
    let mut ended = Vec::new();
    while ended.len() < clients.len() && Instant::now() < until {
        ended.extend(crowd::ended(&watched, Duration::from_secs(1)).iter().map(|_| Instant::now()));
    }
    ended
}

/// Whether `count` ends are spread evenly over `slices` columns, with nothing before `first`. The last ones may be seen
/// a moment late.
#[track_caller]
fn is_even(histogram: &[usize], first: usize, slices: usize, count: usize) {
    let share = count / slices;
    let within = &histogram[first..(first + slices).min(histogram.len())];
    let even = within.len() == slices && within.iter().all(|ends| (1..=2 * share).contains(ends));
    let (before, all) = (histogram[..first].iter().sum::<usize>(), histogram.iter().sum::<usize>());
    let late = histogram[first + within.len()..].iter().sum::<usize>();
    assert!(even && before == 0 && all == count && late <= share, "{histogram:?} for {count} over {slices}");
}

fn hard_stop(threads: usize) {
    let global = format!(" nbthread {threads}\n hard-stop-after 6s\n close-spread-time 5s\n");
    let mut crowd = Crowd::start(3_000, &global);
    let histogram = crowd.histogram(|crowd| crowd.proxy.process.signal(Signal::SIGUSR1));
    println!("{threads} threads: {histogram:?}");
    is_even(&histogram, 2, 10, 3_000);
    assert!(crowd.proxy.process.wait().success());
}

#[test]
fn a_hard_stop_is_spread_alone_on_one_thread() {
    hard_stop(1);
}

#[test]
fn a_hard_stop_is_spread_alone_on_two_threads() {
    hard_stop(2);
}

/// An order that comes again while it is obeyed changes nothing, and sessions that begin after it stay.
fn shutdown(threads: usize) {
    const ORDER: &str = "shutdown sessions server l/s";
    let mut crowd = Crowd::start(3_000, &format!(" nbthread {threads}\n close-spread-time 5s\n"));
    let (socket, door) = (crowd.socket.clone(), crowd.door);
    let later = std::thread::spawn(move || {
        let left = || Stats::from_socket(&socket).number("l", "s", "scur");
        wait::until_true("a part of the sessions to end", || left() < 2_500);
        assert_eq!(command(&socket, ORDER), "\n");
        assert!(left() > 500, "the first order is done already");
        let fresh = client::connect(door);
        fresh.set_nonblocking(true).expect("non-blocking");
        fresh
    });
    let histogram = crowd.histogram(|crowd| assert_eq!(crowd.command(ORDER), "\n"));
    println!("{threads} threads: {histogram:?}");
    is_even(&histogram, 0, 10, 3_000);
    let read = later.join().expect("the second order").read(&mut [0]);
    assert!(read.is_err_and(|why| why.kind() == ErrorKind::WouldBlock), "a new session was cut");
}

#[test]
fn sessions_of_a_server_are_spread_alone_on_one_thread() {
    shutdown(1);
}

#[test]
fn sessions_of_a_server_are_spread_alone_on_two_threads() {
    shutdown(2);
}

/// A few sessions on many threads: no thread has a share of its own.
#[test]
fn few_sessions_are_spread_alone_on_many_threads() {
    let mut crowd = Crowd::start(16, " nbthread 16\n close-spread-time 4s\n");
    let histogram = crowd.histogram(|crowd| drop(crowd.command("shutdown sessions server l/s")));
    is_even(&histogram, 0, 8, 16);
}

/// There is no more time than `hard-stop-after` gives.
#[test]
fn a_time_beyond_the_hard_stop_ends_with_it_alone() {
    let mut crowd = Crowd::start(300, " hard-stop-after 2s\n close-spread-time 1h\n");
    let histogram = crowd.histogram(|crowd| crowd.proxy.process.signal(Signal::SIGUSR1));
    is_even(&histogram, 0, 4, 300);
    assert!(crowd.proxy.process.wait().success());
}

/// Sessions that wait for their turn when the last time begins share it with the others.
#[test]
fn an_order_that_is_under_way_ends_with_the_hard_stop_alone() {
    let mut crowd = Crowd::start(300, " hard-stop-after 3s\n close-spread-time 1m\n");
    let histogram = crowd.histogram(|crowd| {
        assert_eq!(crowd.command("shutdown sessions server l/s"), "\n");
        crowd.proxy.process.signal(Signal::SIGUSR1);
    });
    is_even(&histogram, 0, 6, 300);
}

#[test]
fn infinite_is_at_once_when_there_is_no_time_left_alone() {
    for (global, order, first) in [
        (" hard-stop-after 1200ms\n close-spread-time infinite\n", None, 2),
        (" close-spread-time infinite\n", Some("shutdown sessions server l/s"), 0),
        ("", Some("shutdown sessions server l/s"), 0),
    ] {
        let mut crowd = Crowd::start(300, global);
        let histogram = crowd.histogram(|crowd| match order {
            None => crowd.proxy.process.signal(Signal::SIGUSR1),
            Some(order) => drop(crowd.command(order)),
        });
        assert_eq!(histogram.iter().sum::<usize>(), 300);
        assert_eq!(histogram[..first].iter().sum::<usize>(), 0, "{histogram:?} of {global:?}");
        assert!(histogram.len() <= first + 2, "{histogram:?} of {global:?}");
    }
}

/// A server's sessions end with it though it comes back meanwhile, and are put down to its going; those on a backup end
/// when it comes.
#[test]
fn sessions_end_with_their_server_and_when_it_comes_back_alone() {
    const COUNT: usize = 100;
    let (log, log_address) = LogReceiver::udp();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (socket, door) = (folder.path().join("stats"), ports::free());
    let check = ports::free();
    let listens = || Backend::start_at(check, drop);
    let (server, backup) = (Backend::echo(), Backend::echo());
    let checked = Mutex::new(Some(listens()));
    let config = format!(
        "global\n stats socket {}\n log {log_address} local0\n close-spread-time 3s\n\
         defaults\n mode tcp\n log global\n option tcplog\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
         listen l\n bind {door}\n server s {} check port {} inter 20ms rise 1 fall 1 on-marked-down shutdown-sessions \
         on-marked-up shutdown-backup-sessions\n server b {} backup\n",
        socket.display(),
        server.address,
        check.port(),
        backup.address,
    );
    let _proxy = Proxy::start(&Program::ours(), &config);
    let status = |wanted: &str| {
        wait::until_true(&format!("s to be {wanted}"), || {
            Stats::from_socket(&socket).text("l", "s", "status").starts_with(wanted)
        });
    };
    let crowd = || -> Vec<TcpStream> {
        let open = |_| {
            let mut stream = client::connect(door);
            client::echo(&mut stream, b"hello");
            stream
        };
        (0..COUNT).map(open).collect()
    };
    status("UP");
    let on_server = crowd();
    checked.lock().expect("the server").take().expect("a server").stop();
    status("DOWN");
    let on_backup = crowd();
    *checked.lock().expect("the server") = Some(listens());
    status("UP");
    let begin = Instant::now();
    let both: Vec<TcpStream> = on_server.into_iter().chain(on_backup).collect();
    let ends = ends(&both, begin + Duration::from_secs(15));
    assert_eq!(ends.len(), 2 * COUNT);
    for slice in 0..4 {
        let within = ends.iter().filter(|end| (end.duration_since(begin).as_millis() / 500) == slice).count();
        assert!((1..=4 * COUNT / 6).contains(&within), "{within} in slice {slice}");
    }
    assert_eq!(log.wait_count(" D- ", COUNT).len(), COUNT);
    assert_eq!(log.wait_count(" U- ", COUNT).len(), COUNT);
}

/// Sessions that go on in another process meanwhile take their turns along, and nobody else's.
#[test]
fn an_order_goes_on_over_reloads_alone() {
    const COUNT: usize = 200;
    let (holder, door) = (Holder::start(), ports::free());
    let sections = format!("listen l\n bind {door}\n server s {}\n", holder.address);
    let mut site = Site::start_with(&Program::ours(), " nbthread 2\n close-spread-time 8s\n", &sections);
    let clients: Vec<TcpStream> = (0..COUNT).map(|_| client::connect(door)).collect();
    site.wait_for("l", "s", "scur", COUNT);
    assert_eq!(site.order("shutdown sessions server l/s"), "\n");
    let begin = Instant::now();
    let watcher = std::thread::spawn(move || ends(&clients, begin + Duration::from_secs(20)));
    let fresh = client::connect(door);
    fresh.set_nonblocking(true).expect("non-blocking");
    for left in [170, 120] {
        wait::until_true("some to end", || site.number("l", "s", "scur") <= left);
        site.reload();
    }
    let ends = watcher.join().expect("the ends");
    assert_eq!(ends.len(), COUNT);
    for slice in 0..8 {
        let within = ends.iter().filter(|end| end.duration_since(begin).as_secs() == slice).count();
        println!("{within} in second {slice}");
        assert!((5..=60).contains(&within), "{within} of {COUNT} in second {slice} of 8");
    }
    let last = ends.last().expect("ends").duration_since(begin);
    assert!(last >= Duration::from_secs(7), "all had ended after {last:?}");
    assert_eq!(site.log.wait_count(" K- ", COUNT).len(), COUNT);
    assert!((&fresh).read(&mut [0]).is_err_and(|why| why.kind() == ErrorKind::WouldBlock), "a new session was cut");
}
