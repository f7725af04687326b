//! The EMQX way whole, by its example: a client that comes back lands on its broker, whatever happens to the proxy meanwhile.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::harness::daemon::{Daemon, text};
use crate::harness::logs::LogReceiver;
use crate::harness::mqtt::{Connect, Gate, connack};
use crate::harness::program::Program;
use crate::harness::stats::Stats;
use crate::harness::{client, ports, wait};
use crate::stage::alike;

/// Clients that come again and again.
const CLIENTS: usize = 12;

/// The example's configuration with the test's addresses.
struct Site {
    door: SocketAddr,
    gates: Vec<Gate>,
    _log: LogReceiver,
    sink: SocketAddr,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(gates: usize) -> Self {
        let (log, sink) = LogReceiver::udp();
        let gates = (0..gates).map(|_| Gate::start()).collect();
        Self { door: ports::free(), gates, _log: log, sink, folder: tempfile::tempdir().expect("a folder") }
    }

    /// The example with these brokers, and lines of `global` and of the backend besides.
    fn config(&self, brokers: &[usize]) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/12-emqx.cfg");
        let text = std::fs::read_to_string(path).expect("the example");
        let text = text
            .replace("127.0.0.1:1883", &self.door.to_string())
            .replace("127.0.0.1:5140", &self.sink.to_string())
            .replace("\nglobal\n", &format!("\nglobal\n    stats socket {} level admin\n", self.socket().display()));
        let (head, servers) = text.split_once("    server emqx1").expect("its servers");
        let words = servers.lines().next().and_then(|line| line.split_once(" check")).expect("their words").1;
        let lines = brokers.iter().map(|broker| {
            format!("    server emqx{broker} {} check inter 100ms{words}\n", self.gates[*broker].address)
        });
        head.to_owned() + &lines.collect::<String>()
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("stats")
    }

    /// A client comes and leaves: the number of its broker.
    #[track_caller]
    fn visit(&self, client: &str) -> usize {
        let came = |gate: &Gate| gate.came(client);
        let before: Vec<usize> = self.gates.iter().map(came).collect();
        let mut stream = client::connect(self.door);
        stream.write_all(&Connect::plain(client).packet()).expect("bytes are sent");
        assert_eq!(connack(&mut stream), Some(0), "{client}");
        stream.write_all(b"\xe0\0").expect("a goodbye");
        let _ = client::read_all(&mut stream);
        let after: Vec<usize> = self.gates.iter().map(came).collect();
        let at: Vec<usize> = (0..self.gates.len()).filter(|at| after[*at] > before[*at]).collect();
        assert_eq!(at.len(), 1, "{client} came to one broker");
        at[0]
    }

    /// All clients come once: where each landed.
    fn round(&self) -> Vec<usize> {
        self.round_from(0)
    }

    /// The same, beginning with that client: who only takes turns has them land elsewhere.
    fn round_from(&self, first: usize) -> Vec<usize> {
        let mut landed = vec![usize::MAX; CLIENTS];
        for number in (first..CLIENTS).chain(0..first) {
            landed[number] = self.visit(&format!("device-{number}"));
        }
        landed
    }
}

#[test]
fn a_client_comes_back_to_its_broker() {
    alike(|program| {
        let site = Site::new(2);
        let _daemon = Daemon::start(program, &site.config(&[0, 1]));
        let first = site.round();
        assert!(first.contains(&0) && first.contains(&1), "all went to one: {first:?}");
        for client in (0..CLIENTS).rev() {
            assert_eq!(site.visit(&format!("device-{client}")), first[client], "device-{client}");
        }
        assert_eq!(site.round_from(1), first);
    });
}

/// What the test above would see if nothing kept clients and brokers together.
#[test]
fn without_the_lines_clients_wander() {
    let site = Site::new(2);
    let config = site.config(&[0, 1]);
    let config: Vec<&str> = config.lines().filter(|line| !line.trim_start().starts_with("stick")).collect();
    let _daemon = Daemon::start(&Program::under_test(), &(config.join("\n") + "\n"));
    let first = site.round();
    wait::until_true("a client to land elsewhere", || site.visit("device-0") != first[0]);
}

#[test]
fn after_reloads_and_with_other_brokers_too() {
    let program = Program::ours(); // haproxy's table would be empty
    let site = Site::new(3);
    let mut daemon = Daemon::start(&program, &site.config(&[0, 1]));
    let first = site.round();
    for number in [1, 2, 5] {
        daemon.reload_well();
        daemon.settle();
        assert_eq!(site.round_from(number), first, "after a reload");
    }
    // one more, in another order
    daemon.write(&site.config(&[2, 1, 0]));
    daemon.reload_well();
    daemon.settle();
    assert_eq!(site.round_from(1), first, "with one more broker");
    assert!((0..20).any(|number| site.visit(&format!("new-{number}")) == 2), "the new one is used");
    // one less: its clients find another one and stay there
    daemon.write(&site.config(&[2, 1]));
    daemon.reload_well();
    daemon.settle();
    let then = site.round();
    for (client, (before, after)) in first.iter().zip(&then).enumerate() {
        assert!(*before == 0 || before == after, "device-{client} was at {before} and is at {after}");
        assert_ne!(*after, 0, "device-{client}");
    }
    assert_eq!(site.round_from(1), then);
}

/// Clients of a broker that is down go to another one, and stay there when it is back.
#[test]
fn a_broker_that_goes_and_comes() {
    alike(|program| {
        let mut site = Site::new(2);
        let _daemon = Daemon::start(program, &site.config(&[0, 1]));
        let first = site.round();
        let status = |site: &Site| Stats::from_socket(&site.socket()).text("brokers", "emqx0", "status").to_owned();
        let address = site.gates[0].address;
        let gone = std::mem::replace(&mut site.gates[0], Gate::start());
        gone.close();
        wait::until_true("the broker to be down", || status(&site) == "DOWN");
        let then = site.round();
        assert!(then.iter().all(|at| *at == 1), "{then:?}");
        site.gates[0] = Gate::start_at(address);
        wait::until_true("the broker to be up", || status(&site) == "UP");
        assert!(first.contains(&0), "nobody had been there: {first:?}");
        (then, site.round_from(1))
    });
}

/// An empty identifier is nobody's: such clients are balanced.
#[test]
fn clients_without_a_name_are_balanced() {
    alike(|program| {
        let site = Site::new(2);
        let _daemon = Daemon::start(program, &site.config(&[0, 1]));
        let landed: Vec<usize> = (0..6).map(|_| site.visit("")).collect();
        assert!(landed.contains(&0) && landed.contains(&1), "{landed:?}");
    });
}

/// Of a long identifier `len` bytes count.
#[test]
fn identifiers_that_begin_alike_share_a_broker() {
    alike(|program| {
        let site = Site::new(2);
        let _daemon = Daemon::start(program, &site.config(&[0, 1]));
        let mut told = Vec::new();
        for length in [30, 31, 32, 33] {
            let name = |end: &str| format!("{}-{}{end}", length, "x".repeat(length - 3));
            told.push((length, site.visit(&name("a")) == site.visit(&name("b"))));
        }
        let table = std::os::unix::net::UnixStream::connect(site.socket()).map(|mut socket| {
            socket.write_all(b"show table brokers\n").expect("a command");
            let mut answer = String::new();
            std::io::Read::read_to_string(&mut socket, &mut answer).expect("an answer");
            answer
        });
        let table = table.expect("the socket");
        let mut keys: Vec<String> =
            table.split_whitespace().filter(|word| word.starts_with("key=")).map(str::to_owned).collect();
        keys.sort();
        (told, keys)
    });
}

#[test]
fn real_clients_of_each_version() {
    alike(|program| {
        let site = Site::new(2);
        let _daemon = Daemon::start(program, &site.config(&[0, 1]));
        let (host, port) = (site.door.ip().to_string(), site.door.port().to_string());
        let mut told = Vec::new();
        for version in ["3.1", "3.1.1", "5.0"] {
            let name = format!("paho-{version}");
            for size in ["10", "20000", "300000"] {
                // Debian's own interpreter: it has Debian's modules
                let mut command = Command::new("/usr/bin/python3");
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mqtt/client.py"));
                let out = command.args([&host, &port, version, &name, size]).output().expect("python runs");
                assert!(out.status.success(), "{version}: {}", text(&out));
                told.push(text(&out));
            }
            let came: Vec<usize> = site.gates.iter().map(|gate| gate.came(&name)).collect();
            assert!(came.contains(&3) && came.contains(&0), "{name} came to {came:?}");
        }
        for version in ["mqttv31", "mqttv311", "mqttv5"] {
            let name = format!("mosquitto-{version}");
            for _ in 0..3 {
                let mut command = Command::new("mosquitto_pub");
                let out = command
                    .args(["-h", &host, "-p", &port, "-V", version, "-i", &name, "-q", "1", "-t", "t", "-m", "m"]);
                let out = out.output().expect("mosquitto_pub is installed");
                assert!(out.status.success(), "{version}: {}", text(&out));
            }
            let came: Vec<usize> = site.gates.iter().map(|gate| gate.came(&name)).collect();
            assert!(came.contains(&3) && came.contains(&0), "{name} came to {came:?}");
        }
        told
    });
}
