//! Agents beside servers: what their words do to a server, what statistics and logs tell of it.
//!
//! Runs on both programs. `fixtures/checks/agent-*.txt` hold what the original says; `BLESS=1 BATON_UNDER_TEST=theirs`
//! rewrites them.

mod harness;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use harness::backends::{self, Backend};
use harness::logs::LogReceiver;
use harness::pinned::{pinned, without_duration};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::site::Site;
use harness::stats::Stats;
use harness::{ports, wait};

/// What an agent does with the next question.
enum Answer {
    Say(Vec<u8>),
    Reset,
}

/// An agent that answers each question once it is told how, and says what it was asked.
struct Agent {
    address: SocketAddr,
    answers: Sender<Answer>,
    asked: Receiver<Vec<u8>>,
}

impl Agent {
    /// `asks`: how many bytes each question has.
    fn start(asks: usize) -> Self {
        let listener = TcpListener::bind(ports::free()).expect("a port");
        let address = listener.local_addr().expect("it");
        let ((answers, to_say), (told, asked)) = (channel(), channel());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut question = vec![0; asks];
                if stream.read_exact(&mut question).is_err() || told.send(question).is_err() {
                    return;
                }
                match to_say.recv() {
                    Ok(Answer::Say(bytes)) => _ = stream.write_all(&bytes),
                    Ok(Answer::Reset) => {
                        let _ = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
                    }
                    Err(_) => return,
                }
            }
        });
        Self { address, answers, asked }
    }

    /// Waits for a question: the answer before it was obeyed then.
    #[track_caller]
    fn question(&self) -> Vec<u8> {
        self.asked.recv_timeout(wait::PATIENCE).expect("a question")
    }

    fn answer(&self, bytes: &[u8]) {
        self.answers.send(Answer::Say(bytes.to_vec())).expect("the agent");
    }
}

/// The server `l/s1` with an agent, `l/s2` without one, and `t/t1` that tracks the first.
struct Stage {
    proxy: Proxy,
    socket: PathBuf,
    logs: LogReceiver,
    agent: Agent,
    _backend: Backend,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `section`: lines of `l`; `options`: of its first server, `AGENT` is the agent's port; `asks`: see [`Agent`].
    fn new(section: &str, options: &str, asks: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("stats");
        let (logs, to) = LogReceiver::udp();
        let (agent, backend) = (Agent::start(asks), Backend::start(backends::echo));
        let options = options.replace("AGENT", &agent.address.port().to_string());
        let options = options.replace("HOST", &agent.address.ip().to_string());
        let config = format!(
            "global\n  stats socket {} level admin\n  log {to} local0\n  max-spread-checks 20\ndefaults\n  log global\n  \
             mode tcp\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n  timeout check 60s\n\
             listen l\n  bind {}\n{section}  server s1 {} {options}\n  server s2 {}\nbackend t\n  server t1 {} track l/s1\n",
            socket.display(),
            ports::free(),
            backend.address,
            backend.address,
            backend.address,
        );
        let proxy = Proxy::start(&Program::under_test(), &config);
        Self { proxy, socket, logs, agent, _backend: backend, _folder: folder }
    }

    /// The columns that agents change, of the server and of its tracker.
    fn row(&self) -> String {
        let stats = Stats::from_socket(&self.socket);
        let mut row = format!("{} | {}", stats.text("l", "s1", "status"), stats.text("t", "t1", "status"));
        for column in ["weight", "slim", "chkdown", "check_health", "agent_status", "agent_code"] {
            let _ = write!(row, " | {}", stats.text("l", "s1", column).trim_start_matches("* "));
        }
        for column in ["agent_desc", "agent_rise", "agent_fall", "agent_health"] {
            let _ = write!(row, " | {}", stats.text("l", "s1", column));
        }
        // what was said is not shown while the agent is asked again
        assert_eq!(stats.text("l", "s1", "last_agt"), "");
        assert!(!stats.text("l", "s1", "agent_duration").is_empty());
        assert_eq!(stats.text("l", "s2", "agent_status"), "");
        row
    }

    /// Plays answers, each obeyed before the next; `reset` is a broken connection. The last must take the server down.
    fn play(&self, answers: &[&str]) -> String {
        let mut out = String::new();
        self.agent.question();
        let _ = writeln!(out, "at first\n  {}", self.row());
        for answer in answers {
            match *answer {
                "reset" => self.agent.answers.send(Answer::Reset).expect("the agent"),
                bytes => self.agent.answer(bytes.as_bytes()),
            }
            self.agent.question();
            let _ = writeln!(out, "{answer:.20?}\n  {}", self.row());
        }
        out + "log\n" + &self.told()
    }

    /// What is told of an answer, until the next question: if that came before anybody looked, it is answered again.
    fn text_of(&self, answer: &[u8]) -> String {
        let mut asked = true;
        wait::until("the answer to be told", || {
            if std::mem::take(&mut asked) || self.agent.asked.try_recv().is_ok() {
                self.agent.answer(answer);
            }
            let stats = Stats::from_socket(&self.socket);
            let running = stats.text("l", "s1", "agent_status").starts_with("* ");
            (!running).then(|| stats.text("l", "s1", "last_agt").to_owned())
        })
    }

    /// The lines about servers, by level, without what differs from run to run.
    fn told(&self) -> String {
        wait::until_true("the last line", || self.logs.lines().iter().any(|line| line.contains("the end")));
        let mut out = String::new();
        for line in self.logs.lines() {
            let (head, message) = line.split_once("]: ").unwrap_or_else(|| panic!("no syslog line: {line:?}"));
            let priority: u32 = head[1..].split('>').next().and_then(|n| n.parse().ok()).expect("a priority");
            if message.contains("erver") {
                let _ = writeln!(out, "  {} {}", priority & 7, without_duration(message.trim_end()));
            }
            if message.contains("the end") {
                break;
            }
        }
        out
    }
}

/// A row in which baton's own words for a fault are haproxy's.
fn shown(row: &str) -> String {
    const FAULTS: [&str; 6] = [
        "the weight is no whole number of percent",
        "Trailing garbage in weight string",
        "the value of maxconn is no whole number",
        "Trailing garbage in maxconn string",
        "the backend's weights are fixed: only 0% and 100% are taken",
        "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.",
    ];
    FAULTS.iter().fold(row.to_owned(), |row, fault| row.replace(fault, "FAULT"))
}

const CHECKED: &str = "check inter 1h agent-check agent-port AGENT agent-inter 50 weight 10";

#[test]
fn words_of_state() {
    let stage = Stage::new("", CHECKED, 0);
    pinned(
        "checks/agent-states.txt",
        &stage.play(&[
            "up\n",
            "down\n",
            "up\n",
            "Down # why not\n",
            "fail,#again\n",
            "stopped\n",
            "UP\r\n",
            "drain\n",
            "up\n",
            "down\n",
            "ready\n",
            "up\n",
            "down drain\n",
            "up ready\n",
            "maint\n",
            "down\n",
            "ready\n",
            "up\n",
            "maint\n",
            "drain\n",
            "READY\n",
            "down maint\n",
            "up ready\n",
            "drain ready\n",
            "up down\n",
            "down up\n",
            "down #the end\n",
        ]),
    );
}

#[test]
fn numbers_and_odd_words() {
    let stage = Stage::new("", CHECKED, 0);
    pinned(
        "checks/agent-numbers.txt",
        &stage.play(&[
            "50%\n",
            "150%\n",
            "3000%\n",
            "15%\n",
            "0%\n",
            "100%\n",
            "up 50% 70%\n",
            "5.5%\n",
            "100% 60x%\n",
            "-5%\n",
            "50\n",
            "%\n",
            "maxconn:7\n",
            "Maxconn:8 up\n",
            "maxconn:30x\n",
            "up 5x% maxconn:9x\n",
            "maxconn:-1\n",
            "maxconn:0\n",
            "foo\n",
            "foo bar\n",
            "up foo bar #c\n",
            "foo 60%\n",
            "up # a, b \n",
            "up #\n",
            "#x\n",
            "up;ready\n",
            "stop\n",
            "down#x\n",
            "\n",
            "\ndown\n",
            "down\nup\n",
            "up\n",
            "",
            "reset",
            "drain 40%\n",
            "75% up drain maxconn:30\n",
            "up ready 30%\n",
            "down #the end\n",
        ]),
    );
}

#[test]
fn what_is_told_of_odd_words() {
    let stage = Stage::new("", &CHECKED.replace("agent-inter 50", "agent-inter 300"), 0);
    let mut out = String::new();
    for answer in [
        "Up # a, b \n",
        "up ##x\n",
        "foo bar\n",
        "up foo bar #c\n",
        "50% -5%\n",
        "5.5%\n",
        "up 60x% #c\n",
        "maxconn:30x\n",
        "maxconn:x 5x%\n",
        "ready #x\n",
        "up;ready\n",
        "",
        &format!("up #{}\n", "y".repeat(300)),
    ] {
        stage.agent.question();
        let _ = writeln!(out, "{answer:.20?}: {}", shown(&stage.text_of(answer.as_bytes())));
    }
    pinned("checks/agent-texts.txt", &out);
}

#[test]
fn without_a_check_and_with_fixed_weights() {
    let options = "agent-check agent-addr HOST agent-port AGENT agent-inter 50 weight 10 agent-send hello\\n disabled";
    let stage = Stage::new("  balance source\n  option log-health-checks\n", options, 6);
    let told = stage.play(&[
        "up\n",
        "ready\n",
        "50%\n",
        "0%\n",
        "100%\n",
        "down\n",
        "up\n",
        "foo\n",
        "reset",
        "down #the end\n",
    ]);
    pinned("checks/agent-alone.txt", &told);
}

#[test]
fn what_is_said_to_an_agent() {
    let stage = Stage::new("", "agent-check agent-port AGENT agent-inter 50 agent-send hello\\ l/s1\\n", 11);
    assert_eq!(stage.agent.question(), b"hello l/s1\n");
    stage.agent.answer(b"down\n");
    assert_eq!(stage.agent.question(), b"hello l/s1\n");
    assert_eq!(Stats::from_socket(&stage.socket).text("l", "s1", "status"), "DOWN (agent)");
    assert!(
        stage.proxy.output().contains("Server l/s1 is DOWN, reason: Layer7 wrong status, code: 0, info: \"via agent")
    );
}

/// An agent that is silent or gone changes nothing; `no-agent-check` undoes what default-server says.
#[test]
fn agents_that_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let silent = TcpListener::bind(ports::free()).expect("a port");
    let mute = silent.local_addr().expect("it");
    // nobody listens on that port of another address that only this process has; on the server's own the silent one does
    let [_, second, third, fourth] = ports::address().octets();
    let elsewhere = Ipv4Addr::new(127, second + 64, third, fourth);
    let config = format!(
        "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\n\
         listen l\n  bind {}\n  default-server agent-check\n  server s1 {mute} agent-inter 3s agent-port {}\n  \
         server s2 {mute} agent-addr {} agent-port {}\n  server s3 {mute} no-agent-check\n",
        socket.display(),
        ports::free(),
        mute.port(),
        elsewhere,
        mute.port()
    );
    let proxy = Proxy::start(&Program::under_test(), &config);
    let cell = |server: &str, column: &str| Stats::from_socket(&socket).text("l", server, column).to_owned();
    wait::until_true("a silent agent", || cell("s1", "agent_status").ends_with("L7TOUT"));
    let took: u32 = cell("s1", "agent_duration").parse().expect("milliseconds");
    assert!(took >= 2900, "its interval is its time limit: {took} ms");
    wait::until_true("a dead agent", || cell("s2", "agent_status").ends_with("L4CON"));
    assert_eq!(
        (cell("s2", "last_agt"), cell("s2", "agent_desc")),
        ("Connection refused".into(), "Layer4 connection problem".into())
    );
    for server in ["s1", "s2", "s3"] {
        assert_eq!(cell(server, "status"), "no check");
    }
    assert_eq!((cell("s1", "agent_health"), cell("s3", "agent_health")), ("1".into(), String::new()));
    assert!(!proxy.output().contains("DOWN"), "{}", proxy.output());
}

/// What an agent has said holds in the process that takes over, before it speaks again.
#[test]
fn what_was_said_goes_on_over_a_reload() {
    let (agent, backend) = (Agent::start(0), Backend::start(backends::echo));
    let sections = format!(
        "listen l\n  bind {}\n  timeout check 60s\n  server s1 {} weight 40 agent-check agent-addr {} agent-port {} agent-inter 50\n",
        ports::free(),
        backend.address,
        agent.address.ip(),
        agent.address.port()
    );
    let mut site = Site::start(&Program::ours(), &sections);
    agent.question();
    agent.answer(b"75% up drain maxconn:30 # enough\n");
    agent.question(); // it was obeyed, and nothing is said any more
    let figures = |site: &Site| {
        let stats = site.stats();
        ["status", "weight", "slim", "agent_health"].map(|column| stats.text("l", "s1", column).to_owned())
    };
    let want = ["DRAIN (agent)", "30", "30", "1"].map(str::to_owned);
    assert_eq!(figures(&site), want);
    for _ in 0..2 {
        site.reload();
        assert_eq!(figures(&site), want);
    }
    // Questions of processes that are gone are answered too.
    agent.answer(b"down\n");
    wait::until_true("the new process to hear it", || {
        if agent.asked.try_recv().is_ok() {
            agent.answer(b"down\n");
        }
        site.stats().text("l", "s1", "status") == "DOWN (agent)"
    });
    site.reload();
    assert_eq!(figures(&site)[..3], ["DOWN (agent)", "30", "30"]);
}
