//! Runtime commands that give orders, on both programs: what kind of answer they get and what is shown then.
//!
//! The stories stand in `fixtures/commands/`; its README has their language.

mod harness;

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use harness::backends::{Backend, Deaf};
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::{client, ports, wait};

/// What a story is played on.
struct Stage {
    ours: bool,
    folder: tempfile::TempDir,
    log: LogReceiver,
    doors: HashMap<&'static str, SocketAddr>,
    clients: HashMap<String, TcpStream>,
    parts: (Proxy, Backend, Deaf),
}

/// Checks of `slow` never end, and its agent is asked once an hour: what is ordered stays as it is.
fn config(
    folder: &Path,
    log: SocketAddr,
    doors: &HashMap<&str, SocketAddr>,
    echo: SocketAddr,
    deaf: SocketAddr,
) -> String {
    let level =
        |level: &str| format!(" stats socket {} level {level} severity-output number\n", folder.join(level).display());
    let (refused, off) = (ports::refused(), ports::free());
    [
        format!("global\n log {log} local0\n maxconn 500\n{}{}{}", level("user"), level("operator"), level("admin")),
        "defaults\n mode tcp\n log global\n option tcplog\n timeout client 1m\n timeout connect 1m\n".into(),
        " timeout server 1m\n timeout check 1h\n".into(),
        format!("frontend f\n bind {}\n default_backend b\n", doors["f"]),
        format!("backend b\n server s {echo} weight 10 check inter 50\n server t {echo} track b/s\n server n {echo}\n"),
        format!("backend slow\n server s {echo} check inter 1h addr {} port {}\n", deaf.ip(), deaf.port()),
        format!(" server a {echo} agent-check agent-addr {} agent-port {}", refused.ip(), refused.port()),
        " agent-inter 1h\n".into(),
        format!("backend rr\n balance static-rr\n server s {echo} weight 10\n server t {echo} weight 10\n"),
        format!("backend map\n balance source\n server s {echo} weight 10\n server t {echo} weight 10\n"),
        format!("backend ring\n balance source\n hash-type consistent\n server s {echo} weight 10\n"),
        format!("listen l\n bind {}\n maxconn 100\n server s {echo}\n", doors["l"]),
        format!("backend u\n server s unix@{}\n", folder.join("nobody").display()),
        format!("listen m\n bind {}\n server s {echo}\n", doors["m"]),
        // A range of one port: nobody waits for it to open.
        format!("frontend off\n bind {off}-{}\n disabled\n", off.port()),
    ]
    .concat()
}

impl Stage {
    fn new(program: &Program) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (log, log_address) = LogReceiver::udp();
        let (echo, deaf) = (Backend::echo(), Deaf::new());
        let doors = HashMap::from(["f", "l", "m"].map(|name| (name, ports::free())));
        let config = config(folder.path(), log_address, &doors, echo.address, deaf.address);
        let proxy = Proxy::start(program, &config);

        Self { ours: program.is_ours(), folder, log, doors, clients: HashMap::new(), parts: (proxy, echo, deaf) }
    }

    fn socket(&self, level: &str) -> PathBuf {
        self.folder.path().join(level)
    }

    /// Types a command; `what` is `COMMAND => KIND [ours KIND REASON]`.
    fn command(&self, level: &str, what: &str) {
        let (typed, kind) = what.split_once(" => ").expect("a kind of answer");
        let (theirs, ours) = kind.split_once(" ours ").unwrap_or((kind, kind));
        let kind = if self.ours { ours } else { theirs };
        let answer = command(&self.socket(level), typed);
        let fits = match kind.split(' ').next().unwrap_or_default() {
            "done" => answer == "\n",
            "error" => answer.starts_with("[3]: ") && !answer.contains("Permission denied"),
            "warning" => answer.starts_with("[4]: "),
            "holds" => answer.contains(&kind["holds ".len()..]),
            "notice" => answer.starts_with("[5]: "),
            "info" => answer.starts_with("[6]: "),
            "denied" => answer == "[3]: Permission denied\n\n",
            "says" => kind.starts_with(&format!("says {}", answer.trim_end())) && !answer.trim_end().is_empty(),
            _ => panic!("no kind of answer: {kind:?}"),
        };
        assert!(fits, "{level} {typed:?} is to be {kind:?}, and is {answer:?}");
    }

    /// One line of a story.
    fn play(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').expect("a word and more");
        match word {
            "user" | "operator" | "admin" => self.command(word, rest),
            "see" => {
                let (place, value) = rest.split_once(" =").expect("a value");
                let [proxy, server, column] = place.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                self.comes_to_be(value.trim_start(), || {
                    Stats::from_socket(&self.socket("admin")).text(proxy, server, column).to_owned()
                });
            }
            "info" => {
                let (field, value) = rest.split_once(" = ").expect("a value");
                self.comes_to_be(value, || {
                    let info = command(&self.socket("admin"), "show info");
                    let mut lines = info.lines().filter_map(|line| line.strip_prefix(&format!("{field}: ")));
                    lines.next().expect("the field").to_owned()
                });
            }
            "log" => drop(self.log.wait_for(rest)),
            "open" => {
                let (name, door) = rest.split_once(' ').expect("a frontend");
                let mut client = client::connect(self.doors[door]);
                client::echo(&mut client, b"hello");
                self.clients.insert(name.to_owned(), client);
            }
            "gone" => {
                let mut client = self.clients.remove(rest).expect("an open client");
                let end = client.read(&mut [0]);
                let reset = end.as_ref().is_err_and(|why| why.kind() == ErrorKind::ConnectionReset);
                assert!(matches!(end, Ok(0)) || reset, "{rest}: {end:?}");
            }
            "stays" => client::echo(self.clients.get_mut(rest).expect("an open client"), b"still"),
            "refused" => wait::until_true("connections to be refused", || {
                client::try_connect(self.doors[rest]).is_err_and(|why| why.kind() == ErrorKind::ConnectionRefused)
            }),
            _ => panic!("no such word: {line}"),
        }
    }

    #[track_caller]
    fn comes_to_be(&self, value: &str, look: impl Fn() -> String) {
        let mut last = String::new();
        // What is counted down and what a check has begun belong to the moment.
        let same = |shown: &str| shown == value || shown.strip_prefix(value).is_some_and(|rest| rest.starts_with(' '));
        wait::until_true(&format!("{value:?}"), || {
            last = look();
            same(&last)
        });
    }
}

fn stories() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/commands");
    let entries = std::fs::read_dir(folder).expect("the stories").map(|entry| entry.expect("a story").path());
    let named = entries.filter(|path| path.extension().is_some_and(|ext| ext == "txt")).map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a story"))
    });
    let stories: Vec<_> = named.collect();
    assert!(stories.len() >= 8, "{} stories", stories.len());
    stories
}

/// Plays all stories, or those whose name holds `STORY`.
fn play(program: &Program) {
    let wanted = std::env::var("STORY").unwrap_or_default();
    for (name, story) in stories().into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let mut stage = Stage::new(program);
        for (number, line) in (1..).zip(story.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            println!("{name}:{number}: {line}"); // shown if it fails
            let line = line.replace("{echo}", &stage.parts.1.address.ip().to_string());
            stage.play(line.trim_end());
        }
    }
}

#[test]
fn orders_on_baton() {
    play(&Program::ours());
}

#[test]
fn orders_on_haproxy() {
    play(&Program::theirs());
}
