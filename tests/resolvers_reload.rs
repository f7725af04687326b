//! Names over a reload, a restart with a state file, and what nobody asked for.

mod harness;

use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::dns::Dnsmasq;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{self, Stats};
use harness::{client, ports, wait};

const SECTION: &str = "  timeout resolve 50ms\n  timeout retry 100ms\n  hold nx 100ms\n  hold other 100ms\n";

fn config(folder: &Path, dns: SocketAddr, door: SocketAddr, global: &str, servers: &str) -> String {
    format!(
        "global\n  stats socket {}/stats level admin\n{global}defaults\n  mode tcp\n  timeout client 30s\n  timeout server 30s\n  \
         timeout connect 5s\nresolvers dns\n  nameserver one {dns}\n{SECTION}frontend f\n  bind {door}\n  default_backend b\n\
         backend b\n{servers}",
        folder.display()
    )
}

/// Address of each server of the backend, `-` where it has none.
fn addresses(folder: &Path) -> String {
    let stats = Stats::from_socket(&folder.join("stats"));
    let names = stats.names().into_iter().filter(|(proxy, server)| proxy == "b" && server != "BACKEND");
    let shown = names.map(|(_, server)| match stats.text("b", &server, "addr") {
        "" => "-".to_owned(),
        address => address.to_owned(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn said(door: SocketAddr) -> String {
    let mut stream = client::connect(door);
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).expect("a server");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The new process serves at once, though no name server answers it, and goes on from there when one does.
#[test]
fn addresses_go_on_over_a_reload() {
    let (one, two) = (Backend::named("one"), Backend::named("two"));
    let records = |port: u16| format!("a.test {0}\nx.test {0}\n_m._tcp.test x.test {port} 300", one.address.ip());
    let mut dns = Dnsmasq::start(&records(two.address.port()));
    let folder = tempfile::tempdir().expect("a folder");
    let (at, door) = (folder.path().to_owned(), ports::free());
    let servers = format!(
        "  server s a.test:{} resolvers dns init-addr none\n  server-template m 2 _m._tcp.test resolvers dns\n",
        one.address.port()
    );
    let config = config(&at, dns.address, door, "", &servers).replace("hold", "hold timeout 1h\n  hold");
    let mut daemon = Daemon::start_in(&Program::ours(), &config, folder);
    let want = format!("{} {} -", one.address, two.address);
    wait::until_true("addresses", || addresses(&at) == want);
    dns.mute();
    for _ in 0..2 {
        daemon.reload_well();
        daemon.settle();
        assert_eq!(addresses(&at), want);
        let weight = Stats::from_socket(&at.join("stats")).number("b", "m1", "weight");
        assert_eq!(weight, 2, "the record's");
        let mut heard = [said(door), said(door), said(door)];
        heard.sort();
        assert!(heard.contains(&"one".to_owned()) && heard.contains(&"two".to_owned()), "{heard:?}");
    }
    // The record of m1 is the same, that of the server before it is not: no server changes its place.
    dns.set(
        &format!("{}\n_m._tcp.test x.test 9 1", records(two.address.port()))
            .replace("a.test ", "a.test 127.0.0.1\nb.test "),
    );
    let want = format!("127.0.0.1:{} {} {}:9", one.address.port(), two.address, one.address.ip());
    wait::until_or("new addresses", || addresses(&at) == want, || format!("{} for {want}", addresses(&at)));
}

/// What a server state file says of names and services, on both programs.
#[test]
fn state_files_know_names_and_services() {
    for program in [Program::theirs(), Program::ours()] {
        let dns = Dnsmasq::start("");
        let folder = tempfile::tempdir().expect("a folder");
        let (states, at) = (folder.path().join("states"), folder.path());
        std::fs::write(
            &states,
            "1\n2 b 1 s 127.0.0.9 2 0 1 1 5 1 0 2 0 0 0 0 a.test 80 - 0 0 - - 0\n\
             2 b 2 m1 127.0.0.8 2 64 3 1 5 1 0 2 0 0 0 0 x.test 1883 _m._tcp.test 0 0 - - 0\n",
        )
        .expect("a file");
        let global = format!("  server-state-file {}\n", states.display());
        let servers = "  load-server-state-from-file global\n  server s a.test:80 resolvers dns init-addr last,none\n  \
                       server-template m 2 _m._tcp.test resolvers dns init-addr last,none\n";
        let config =
            config(at, dns.address, ports::free(), &global, servers).replace("hold", "hold nx 1h\n  hold other 1h\n#");
        let _proxy = Proxy::start(&program, &config);
        wait::until_true("the stats socket", || std::os::unix::net::UnixStream::connect(at.join("stats")).is_ok());
        let ours = program.is_ours();
        assert_eq!(addresses(at), "127.0.0.9:80 127.0.0.8:1883 -", "ours: {ours}");
        let shown = stats::command(&at.join("stats"), "show servers state b");
        assert!(shown.contains(" x.test 1883 _m._tcp.test "), "{shown}, ours: {ours}");
    }
}

/// A name server that is asked, and says what `answer` makes of the question.
fn liar(answer: impl Fn(&UdpSocket, &[u8], SocketAddr) + Send + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((ports::address(), 0)).expect("a port");
    let (address, asked) = (socket.local_addr().expect("its address"), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            answer(&socket, &buffer[..length], from);
            count.fetch_add(1, Ordering::AcqRel);
        }
    });
    (address, asked)
}

/// A valid answer to a question about addresses: 127.0.0.66.
fn valid(question: &[u8]) -> Vec<u8> {
    // without what is said of payloads behind the question
    let end = question.len().saturating_sub(11);
    let mut answer = question[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 66]);
    answer
}

/// How an answer is bent, by what is counted of it.
type Bend = (&'static str, fn(&mut Vec<u8>));

#[test]
fn only_answers_count() {
    const BENDS: [Bend; 7] = [
        ("outdated", |answer| answer[0] ^= 1),     // another number
        ("invalid", |answer| answer[13] = b'b'),   // another name
        ("invalid", |answer| answer.truncate(20)), // cut off, and does not say so
        ("truncated", |answer| answer[2] |= 2),
        ("refused", |answer| answer[3] = 0x85),
        ("other", |answer| answer[3] = 0x82),
        ("too_big", |answer| answer.resize(1500, 0)),
    ];
    for program in [Program::theirs(), Program::ours()] {
        // 2.6 does not look whether a message is an answer at all
        let question: Bend = ("invalid", |answer| answer[2] = 1);
        for (counter, bend) in BENDS.into_iter().chain(Some(question).filter(|_| program.is_ours())) {
            let honest = Arc::new(AtomicBool::new(false));
            let tells = Arc::clone(&honest);
            let (address, asked) = liar(move |socket, question, from| {
                let mut answer = valid(question);
                if !tells.load(Ordering::Acquire) {
                    bend(&mut answer);
                    // and the truth, from somebody who was not asked
                    let other = UdpSocket::bind((ports::address(), 0)).expect("a port");
                    let _ = other.send_to(&valid(question), from);
                }
                let _ = socket.send_to(&answer, from);
            });
            let folder = tempfile::tempdir().expect("a folder");
            let servers = "  server s a.test:80 resolvers dns init-addr none resolve-prefer ipv4\n";
            let _proxy = Proxy::start(&program, &config(folder.path(), address, ports::free(), "", servers));
            let count = || {
                let text = stats::command(&folder.path().join("stats"), "show resolvers dns");
                let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{counter}:")));
                line.and_then(|line| line.trim().parse::<u64>().ok()).unwrap_or(0)
            };
            wait::until_true("questions", || asked.load(Ordering::Acquire) > 4);
            let what = format!("{counter}, ours: {}", program.is_ours());
            wait::until_true(&format!("answers that count as {what}"), || count() > 1);
            assert_eq!(addresses(folder.path()), "-", "{what}");
            honest.store(true, Ordering::Release);
            wait::until_true(&format!("the truth after {what}"), || addresses(folder.path()) == "127.0.0.66:80");
        }
    }
}
