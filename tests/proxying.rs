//! The main job on real input: mosquitto brokers behind the three files that started this project.
//!
//! (a) the two `listen` blocks alone, (b) Debian's `/etc/haproxy/haproxy.cfg` followed by (a), (c) (a) with `global`,
//! `defaults` and `stats auth`. Addresses and paths are the test's, nothing else is changed; each is started with
//! `-D -p`, used by `mosquitto_pub` and `mosquitto_sub`, watched on its statistics page and reloaded with `-sf`.
//! Runs on both programs; for the original the address on `listen stats` becomes a `bind` line: 2.6 refuses the old form.

mod harness;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use harness::daemon::{Daemon, text};
use harness::logs::LogReceiver;
use harness::process::{Running, alive, comm};
use harness::program::Program;
use harness::services::{Service, publish, subscribe};
use harness::stats::Stats;
use harness::{client, ports, wait};

/// `user:password` of file (c), as the header a browser sends.
const AUTH: &str = "Authorization: Basic YWRtaW46c2VjcmV0\r\n";

/// What a file is run with.
struct Stage {
    program: Program,
    brokers: [Service; 2],
    mqtt: SocketAddr,
    stats: SocketAddr,
}

impl Stage {
    fn new() -> Self {
        // `*:port` as in the file: the port must be free on every address.
        let door = || SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_on(Ipv4Addr::UNSPECIFIED).port()));
        Self {
            program: Program::under_test(),
            brokers: [Service::mosquitto(), Service::mosquitto()],
            mqtt: door(),
            stats: door(),
        }
    }

    /// File (a).
    fn blocks(&self, realm: &str, auth: &str) -> String {
        let [one, two] = [self.brokers[0].address, self.brokers[1].address];
        let (mqtt, stats) = (self.mqtt.port(), self.stats.port());
        let listen = if self.program.is_ours() {
            format!("listen stats :{stats}")
        } else {
            format!("listen stats\n  bind :{stats}")
        };
        format!(
            "listen mqtt\n  bind *:{mqtt}\n  mode tcp\n  option tcplog\n  balance leastconn\n  \
             server broker_1 {one} check\n  server broker_2 {two} check\n\
             {listen}\n  mode http\n  stats enable\n  stats hide-version\n  stats realm {realm}\n{auth}  stats uri /\n"
        )
    }

    fn plain_blocks(&self) -> String {
        self.blocks(r"Haproxy\ Statistics", "")
    }

    fn broker_of(&self, name: &str) -> &Service {
        if name == "broker_1" { &self.brokers[0] } else { &self.brokers[1] }
    }
}

/// A watcher on each broker through the proxy; what is published through the proxy is heard by exactly one.
struct Watchers {
    folder: tempfile::TempDir,
    both: Vec<Running>,
    published: usize,
}

impl Watchers {
    fn start(stage: &Stage) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let both = vec![
            subscribe(stage.mqtt, "job/#", "watcher_1", folder.path()),
            subscribe(stage.mqtt, "job/#", "watcher_2", folder.path()),
        ];
        Self { folder, both, published: 0 }
    }

    /// How often each watcher heard `message`.
    fn heard(&self, message: &str) -> Vec<usize> {
        self.both.iter().map(|watcher| watcher.output().lines().filter(|line| *line == message).count()).collect()
    }

    /// Publishes `count` messages and waits until each was heard once.
    #[track_caller]
    fn publish(&mut self, stage: &Stage, count: usize) {
        for _ in 0..count {
            self.published += 1;
            let message = format!("message-{}", self.published);
            let out = publish(stage.mqtt, "job/one", &message);
            assert!(out.status.success(), "mosquitto_pub: {}", text(&out));
            wait::until_true(&format!("{message} to be heard"), || self.heard(&message).iter().sum::<usize>() > 0);
            assert_eq!(self.heard(&message).iter().sum::<usize>(), 1, "{message} is heard once");
        }
        assert!(self.folder.path().exists());
    }
}

/// What holds for every file: started, used, watched, reloaded. `header` is what the page wants to be let in.
fn do_the_job(stage: &Stage, config: &str, folder: tempfile::TempDir, header: &str) -> Daemon {
    let mut daemon = Daemon::start_in(&stage.program, config, folder);
    let first = daemon.pid();
    assert_eq!(comm(first), "haproxy", "the process is found by pidof and killall");

    let mut watchers = Watchers::start(stage);
    watchers.publish(stage, 4);
    let stats = Stats::from_page(stage.stats, "/", header);
    assert_page(&stats, stage);
    // leastconn: a watcher on each. Publishers may still be leaving.
    for broker in ["broker_1", "broker_2"] {
        assert!(stats.number("mqtt", broker, "scur") >= 1, "{broker} has a watcher");
    }
    assert!(stats.number("mqtt", "FRONTEND", "stot") >= 6, "two watchers and four publishers");

    let out = daemon.reload();
    assert!(out.status.success(), "-sf returned {}: {}", out.status, text(&out));
    let second = daemon.pid();
    assert_ne!(first, second, "another process serves");
    if stage.program.is_ours() {
        wait::until_true("the sessions to move and the old process to end", || !alive(first));
    } else {
        assert!(alive(first), "the old process keeps its sessions");
    }
    watchers.publish(stage, 4);
    assert_page(&Stats::from_page(stage.stats, "/", header), stage);

    // The old process ends with its last session.
    drop(watchers);
    wait::until_true("the old process to end", || !alive(first));
    assert_eq!(daemon.living(), [second]);
    daemon
}

#[track_caller]
fn assert_page(stats: &Stats, stage: &Stage) {
    let names: Vec<String> = stats.names().iter().map(|(proxy, server)| format!("{proxy}/{server}")).collect();
    let wanted = ["mqtt/FRONTEND", "mqtt/broker_1", "mqtt/broker_2", "mqtt/BACKEND", "stats/FRONTEND", "stats/BACKEND"];
    // 2.6 shows a BACKEND row for a listen without servers too.
    assert_eq!(names, wanted);
    for broker in ["broker_1", "broker_2"] {
        assert!(stats.text("mqtt", broker, "status").starts_with("UP"), "{broker} is checked and up");
        assert!(ports::listens(stage.broker_of(broker).address));
    }
    assert_eq!(stats.text("mqtt", "FRONTEND", "status"), "OPEN");
}

#[test]
fn file_a_alone() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let daemon = do_the_job(&stage, &stage.plain_blocks(), folder, "");
    // No timeouts: a warning, and it runs.
    assert!(text(&daemon.started).contains("[WARNING]"), "{}", text(&daemon.started));
}

#[test]
fn file_b_after_debians_own() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    // After chroot, /dev/log is looked up in there: Debian's package puts a socket of syslog's there too.
    let jail = path.join("jail");
    std::fs::create_dir_all(jail.join("dev")).expect("a root directory");
    open_to_all(path);
    open_to_all(&jail.join("dev"));
    let log = LogReceiver::unix(&jail.join("dev/log"));
    open_to_all(&jail.join("dev/log"));
    let socket = path.join("admin.sock");
    let debian = std::fs::read_to_string("/etc/haproxy/haproxy.cfg").expect("haproxy's package is installed");
    for part in ["chroot /var/lib/haproxy", "/run/haproxy/admin.sock", "log /dev/log"] {
        assert!(debian.contains(part), "Debian's file has {part}");
    }
    let debian = debian
        .replace("/var/lib/haproxy", &jail.display().to_string())
        .replace("/run/haproxy/admin.sock", &socket.display().to_string());
    let config = format!("{debian}\n{}", stage.plain_blocks());
    let daemon = do_the_job(&stage, &config, folder, "");
    assert!(!text(&daemon.started).contains("[ALERT]"), "{}", text(&daemon.started));

    let user =
        std::fs::metadata(format!("/proc/{}", daemon.pid())).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    let haproxy = nix::unistd::User::from_name("haproxy").expect("users").expect("the package's user").uid.as_raw();
    assert_eq!(user.expect("the process"), haproxy, "it runs as the user of the file");
    let line = log.wait_for(" mqtt mqtt/broker_");
    assert!(line.starts_with("<134>"), "facility local0, level info: {line}");
    let info = harness::stats::command(&socket, "show info");
    assert!(info.starts_with("Name: HAProxy\n"), "{info}");
    assert!(info.contains(&format!("\nPid: {}\n", daemon.pid())), "{info}");
    assert_page(&Stats::from_socket(&socket), &stage);
}

#[test]
fn file_c_with_passwords() {
    let stage = Stage::new();
    let (log, log_address) = LogReceiver::udp();
    let blocks = stage.blocks(r"Strictly\ Private", "  stats auth admin:secret\n  stats auth guest:guest\n");
    let config = format!(
        "global\n  log {log_address} local0\n  daemon\n  maxconn 2000\n\
         defaults\n  log global\n  timeout connect 5000\n  timeout client 50000\n  timeout server 50000\n{blocks}"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let daemon = do_the_job(&stage, &config, folder, AUTH);

    let (head, _) = client::get(stage.stats, "/", "");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let realm = head.lines().find(|line| line.to_lowercase().starts_with("www-authenticate:")).expect("a challenge");
    assert!(realm.ends_with(r#"Basic realm="Strictly Private""#), "{realm}");
    let (head, _) = client::get(stage.stats, "/", "Authorization: Basic Z3Vlc3Q6d3Jvbmc=\r\n"); // guest:wrong
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let (head, body) = client::get(stage.stats, "/", AUTH);
    assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("broker_1"), "{head}");

    let line = log.wait_for(" mqtt mqtt/broker_");
    let (_, rest) = line.split_once("haproxy[").expect("the tag and a process id");
    let pid: u32 = rest.split_once("]: ").and_then(|(pid, _)| pid.parse().ok()).expect("a process id");
    assert!(pid != 0 && line.ends_with(" 0/0"), "queues stand last: {line}");
    drop(daemon);
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("permissions");
}
