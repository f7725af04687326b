//! What the scenarios share: a configuration is played on haproxy and on the program under test, and what a client, the log and
//! the counters show must be equal.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::backends::Backend;
use crate::harness::logs::LogReceiver;
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::stats::Stats;
use crate::harness::{client, ports, wait};

/// A time is told in units of this: time limits of the scenarios are multiples of it, so half of it may be noise.
pub(crate) const UNIT: u64 = 600;

/// The columns of `show stat` that are compared.
const COLUMNS: [&str; 20] = [
    "stot",
    "bin",
    "bout",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "wredis",
    "cli_abrt",
    "srv_abrt",
    "lbtot",
    "rate_max",
    "conn_rate_max",
    "conn_tot",
    "dcon",
    "dses",
    "smax",
    "qmax",
];

/// A running proxy.
pub(crate) struct Stage {
    pub(crate) door: SocketAddr,
    sentinel: SocketAddr,
    pub(crate) log: LogReceiver,
    pub(crate) proxy: Proxy,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Starts `program` with sections in which `DOOR` stands for an address.
    pub(crate) fn new(program: &Program, sections: &str) -> Self {
        let (log, sink) = LogReceiver::udp();
        let (door, sentinel) = (ports::free(), ports::free());
        let folder = tempfile::tempdir().expect("a folder for the stats socket");
        let text = sections.replace("DOOR", &door.to_string());
        let config = format!(
            "global\n nbthread 1\n stats socket {}/stats\n\
             defaults usual\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n log {sink} local0\n option tcplog\n\
             {text}\n\
             frontend sentinel\n bind {sentinel}\n log-format sentinel\n",
            folder.path().display(),
        );
        let proxy = Proxy::start(program, &config);
        Self { door, sentinel, log, proxy, folder }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        // Not with a time limit: a connection that is refused at once would be an error then.
        let stream = TcpStream::connect(self.door).expect("the kernel accepts");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
        stream.set_nodelay(true).expect("an option");
        stream
    }

    /// Lets a client act while the proxy is stopped: all of it has happened when the proxy accepts.
    pub(crate) fn behind_its_back<R>(&self, act: impl FnOnce() -> R) -> R {
        let pid = Pid::from_raw(self.proxy.process.pid() as i32);
        kill(pid, Signal::SIGSTOP).expect("the proxy is stopped");
        wait::until_true("the proxy to stop", || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        });
        let done = act();
        kill(pid, Signal::SIGCONT).expect("the proxy goes on");
        done
    }

    /// A client whose bytes and FIN are there when it is accepted.
    pub(crate) fn connect_saying(&self, bytes: &[u8]) -> TcpStream {
        self.behind_its_back(|| {
            let mut stream = self.connect();
            stream.write_all(bytes).expect("the kernel takes it");
            stream.shutdown(std::net::Shutdown::Write).expect("a half-close");
            stream
        })
    }

    /// Waits until a number of `l` in `show stat` is `value`.
    pub(crate) fn wait(&self, name: &str, column: &str, value: i64) {
        wait::until_true(&format!("{column} of {name} to be {value}"), || {
            self.stats().number("l", name, column) == value
        });
    }

    /// Waits until no session is left.
    fn wait_idle(&self) {
        wait::until_true("the sessions to end", || {
            let stats = self.stats();
            stats.names().iter().all(|(proxy, name)| stats.number(proxy, name, "scur") == 0)
        });
    }

    /// The lines that were logged before now, without date, process and port; times in units.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.wait_idle();
        let before = self.log.lines().iter().filter(|line| line.ends_with("sentinel")).count();
        until_closed(client::connect(self.sentinel));
        self.log.wait_count("sentinel", before + 1);
        let lines = self.log.lines();
        lines.iter().filter(|line| !line.ends_with("sentinel")).map(|line| plain(line)).collect()
    }

    /// Every counter that is not 0.
    pub(crate) fn counters(&self) -> Vec<String> {
        let stats = self.stats();
        let rows = stats.names().into_iter().filter(|(proxy, _)| proxy != "sentinel");
        rows.map(|(proxy, name)| {
            let value = |column| match stats.number(&proxy, &name, column) {
                // how many within a second is the machine's business
                rate if column.ends_with("rate_max") => rate.min(1),
                value => value,
            };
            let moved = COLUMNS.into_iter().map(|column| (column, value(column)));
            let moved = moved.filter(|(_, value)| *value != 0).map(|(column, value)| format!(" {column}={value}"));
            format!("{proxy}/{name}:{}", moved.collect::<String>())
        })
        .collect()
    }

    /// `show stat`.
    pub(crate) fn stats(&self) -> Stats {
        Stats::from_socket(&self.socket())
    }

    /// The path of its stats socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("stats")
    }
}

/// A line without what may differ.
fn plain(line: &str) -> String {
    let (head, rest) = line.split_once("]: ").unwrap_or_else(|| panic!("no tag in {line:?}"));
    let priority = head.split('>').next().unwrap_or_default();
    let words = rest.split(' ').map(|word| {
        // the connections of the process are the test's own, too
        if word.matches('/').count() == 4 {
            return word.split_once('/').map_or(word, |(_, rest)| rest).to_owned();
        }
        let timers: Vec<&str> = word.trim_start_matches('+').split('/').collect();
        if let Some((address, port)) = word.rsplit_once(':')
            && port.parse::<u16>().is_ok_and(|port| port > 9_999)
        {
            return if address.starts_with("127.") { "client".to_owned() } else { format!("{address}:port") };
        }
        if word.starts_with('[') {
            return "[date]".to_owned();
        }
        if timers.len() == 3 && timers.iter().all(|timer| timer.parse::<i64>().is_ok()) {
            let units = |timer: &&str| match timer.parse::<u64>() {
                Ok(millis) => in_units(millis).to_string(),
                Err(_) => "-1".to_owned(),
            };
            return timers.iter().map(units).collect::<Vec<_>>().join("/");
        }
        word.to_owned()
    });
    format!("{priority}> {}", words.collect::<Vec<_>>().join(" "))
}

/// The line without the length of its times.
fn without_times(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.split('/').collect::<Vec<_>>().as_slice() {
        timers @ [_, _, _] if timers.iter().all(|timer| timer.parse::<i64>().is_ok()) => {
            timers.iter().map(|timer| if *timer == "-1" { "-1" } else { "0" }).collect::<Vec<_>>().join("/")
        }
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn in_units(millis: u64) -> u64 {
    (millis + UNIT / 2) / UNIT
}

/// What a client hears until its connection ends, and how that ends.
pub(crate) fn outcome(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    let end = match stream.read_to_end(&mut heard) {
        Ok(_) => "fin",
        Err(why) if why.kind() == ErrorKind::ConnectionReset => "rst",
        Err(_) => "silence",
    };
    let heard = String::from_utf8_lossy(&heard[..heard.len().min(60)]).into_owned();
    format!("heard {heard:?} {end}")
}

/// As [`outcome`], of a client that gives up after two units.
pub(crate) fn impatient(stream: TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(2 * UNIT))).expect("a time limit");
    outcome(stream)
}

/// A server that says `name` and listens to the end.
pub(crate) fn speaker(name: &str) -> Backend {
    let name = name.to_owned();
    Backend::start(move |mut stream| {
        let _ = stream.write_all(name.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

pub(crate) fn until_closed(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// What is done with a running proxy, and what was seen of it.
type Act<'a> = Box<dyn Fn(&Stage) -> Vec<String> + Send + Sync + 'a>;

/// Cases at once: they mostly wait.
const AT_ONCE: usize = 4;

/// Scenarios that are played on both programs.
#[derive(Default)]
pub(crate) struct Compared<'a> {
    cases: Vec<(String, Act<'a>)>,
    timed: bool,
}

impl<'a> Compared<'a> {
    /// One that compares the times of log lines, too.
    pub(crate) fn timed() -> Self {
        Self { timed: true, ..Self::default() }
    }

    /// A case: what `act` sees, the log and the counters are to be equal.
    pub(crate) fn same(&mut self, sections: &str, act: impl Fn(&Stage) -> Vec<String> + Send + Sync + 'a) {
        self.cases.push((sections.to_owned(), Box::new(act)));
    }

    /// [`Compared::same`] for one client of the first door.
    pub(crate) fn one(&mut self, sections: &str, act: impl Fn(TcpStream) -> String + Send + Sync + 'a) {
        self.same(sections, move |stage| vec![act(stage.connect())]);
    }

    /// Plays all cases.
    ///
    /// # Panics
    /// When something differs, or there is nothing to compare.
    #[track_caller]
    pub(crate) fn end(self) {
        assert!(!self.cases.is_empty(), "nothing was compared");
        let mut differences = Vec::new();
        for (at, cases) in self.cases.chunks(AT_ONCE).enumerate() {
            let found: Vec<Option<String>> = std::thread::scope(|scope| {
                let playing: Vec<_> = cases.iter().map(|case| scope.spawn(|| self.differs(case))).collect();
                playing.into_iter().map(|playing| playing.join().expect("the case is played")).collect()
            });
            let numbered = found.into_iter().zip(at * AT_ONCE + 1..);
            differences.extend(numbered.filter_map(|(found, at)| Some(format!("case {at}:\n{}", found?))));
        }
        let (count, all) = (differences.len(), self.cases.len());
        assert!(count == 0, "{count} of {all} cases differ (- haproxy, + the other):\n{}", differences.join("\n"));
    }

    fn differs(&self, (sections, act): &(String, Act<'a>)) -> Option<String> {
        let play = |program: &Program| {
            let stage = Stage::new(program, sections);
            let mut seen = act(&stage);
            let lines = stage.lines();
            seen.extend(lines.into_iter().map(|line| if self.timed { line } else { without_times(&line) }));
            seen.extend(stage.counters());
            seen
        };
        let (theirs, ours) = (play(&Program::theirs()), play(&Program::under_test()));
        println!("{sections}\nhaproxy saw {theirs:#?}");
        let alone = |these: &[String], those: &[String], sign: char| -> String {
            let alone = these.iter().filter(|line| !those.contains(line));
            alone.map(|line| format!("\n{sign} {line}")).collect()
        };
        let (wanted, got) = (alone(&theirs, &ours, '-'), alone(&ours, &theirs, '+'));
        (ours != theirs).then(|| format!("{sections}{wanted}{got}"))
    }
}
