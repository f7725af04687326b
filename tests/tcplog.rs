//! How sessions end: each scenario runs on haproxy and on the program under test, and their `option tcplog` lines
//! must be equal but for date, process id, ports, and timers within 20 ms.
//!
//! The scenarios' time limits are far apart, so a line cannot be right by luck; the oracle says what is right.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Most milliseconds by which a timer may differ between the programs.
const NOISE: i64 = 20;

/// A proxy with its log, and servers that live as long.
struct Stage {
    listen: SocketAddr,
    log: LogReceiver,
    proxy: Proxy,
    commands: tempfile::TempDir,
}

impl Stage {
    /// Starts `program` with one `listen` section that logs here and holds `lines`.
    fn new(program: &Program, lines: &str) -> Self {
        let (log, sink) = LogReceiver::udp();
        let listen = ports::free();
        let commands = tempfile::tempdir().expect("a folder for the stats socket");
        let socket = commands.path().join("stats");
        let config = format!(
            "global\n nbthread 1\n stats socket {}\n\
             defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
             listen front\n bind {listen}\n log {sink} local0\n option tcplog\n{lines}\n",
            socket.display()
        );
        Self { listen, log, proxy: Proxy::start(program, &config), commands }
    }

    fn connect(&self) -> TcpStream {
        client::connect(self.listen)
    }

    /// Waits until a number of `show stat` is `value`.
    fn wait_stat(&self, name: &str, column: &str, value: i64) {
        wait::until_true(&format!("{column} of {name} to be {value}"), || {
            Stats::from_socket(&self.commands.path().join("stats")).number("front", name, column) == value
        });
    }

    /// Lets a client act while the proxy is stopped: all of it has happened when the proxy accepts.
    fn behind_its_back(&self, act: impl FnOnce()) {
        let pid = Pid::from_raw(self.proxy.process.pid() as i32);
        kill(pid, Signal::SIGSTOP).expect("the proxy is stopped");
        act();
        kill(pid, Signal::SIGCONT).expect("the proxy goes on");
    }

    /// The only line of a session: it must come, and no other.
    fn line(&self) -> String {
        self.lines(1).remove(0)
    }

    fn lines(&self, count: usize) -> Vec<String> {
        let lines = self.log.wait_count(" front front/", count);
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines.iter().map(|line| plain(line)).collect()
    }
}

/// The line without priority, date, program, process id and port.
fn plain(line: &str) -> String {
    let (_, rest) = line.split_once("]: ").unwrap_or_else(|| panic!("no tag in {line:?}"));
    let (client, rest) = rest.split_once(" [").unwrap_or_else(|| panic!("no date in {line:?}"));
    let (_, rest) = rest.split_once("] ").unwrap_or_else(|| panic!("no end of date in {line:?}"));
    let address = client.rsplit_once(':').map_or(client, |(address, _)| address);
    format!("{} {rest}", if address.starts_with("127.") { "127.x" } else { address })
}

/// A line's fields with its timers taken out.
fn split(line: &str) -> (Vec<String>, Vec<i64>) {
    let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let timers = fields[3].split('/').map(|timer| timer.parse().expect("a timer")).collect();
    fields[3] = "timers".to_owned();
    (fields, timers)
}

/// Runs the scenario on both and compares.
fn same(play: impl Fn(&Program) -> Vec<String>) {
    let theirs = play(&Program::theirs());
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    theirs.iter().for_each(|line| println!("LINE {name} haproxy {line}"));
    let ours = play(&Program::under_test());
    ours.iter().for_each(|line| println!("LINE {name} tested {line}"));
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let (want, want_timers) = split(theirs);
        let (got, timers) = split(ours);
        assert_eq!(got, want, "haproxy said {theirs:?}");
        for (timer, want) in timers.iter().zip(&want_timers) {
            assert!((timer - want).abs() <= NOISE && (*timer == -1) == (*want == -1), "{ours:?} against {theirs:?}");
        }
    }
}

/// One session whose client does `act`; the proxy's time limits say how long it lasts.
fn one(lines: impl Fn() -> String, act: impl Fn(TcpStream)) {
    same(|program| {
        let stage = Stage::new(program, &lines());
        act(stage.connect());
        vec![stage.line()]
    });
}

/// One session that lasts as long as its peers like.
fn brief(lines: impl Fn() -> String, act: impl Fn(TcpStream)) {
    same(|program| {
        let stage = Stage::new(program, &lines());
        act(stage.connect());
        vec![without_timers(&stage.line())]
    });
}

fn server(name: &str, backend: &Backend) -> String {
    format!(" server {name} {}\n", backend.address)
}

/// A server that neither reads nor closes.
fn silent() -> Backend {
    Backend::start(|stream| {
        wait::within(std::time::Duration::from_secs(60), "the test to end", || {
            matches!(stream.take_error(), Ok(Some(_)) | Err(_)).then_some(())
        });
    })
}

/// An address whose backlog is full: connections to it hang.
struct Deaf {
    address: SocketAddr,
    _listener: socket2::Socket,
    _fillers: Vec<socket2::Socket>,
}

impl Deaf {
    fn new() -> Self {
        let address = ports::free();
        let make = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let listener = make();
        listener.bind(&address.into()).expect("a free port");
        listener.listen(0).expect("a listener");
        let fillers = (0..4)
            .map(|_| {
                let filler = make();
                filler.set_nonblocking(true).expect("non-blocking");
                let _ = filler.connect(&address.into());
                filler
            })
            .collect();
        Self { address, _listener: listener, _fillers: fillers }
    }
}

fn until_closed(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn client_half_closes_first() {
    let echo = Backend::echo();
    brief(
        || server("s1", &echo),
        |mut stream| {
            client::echo(&mut stream, &[7; 64]);
            client::half_close(&stream);
            until_closed(stream);
        },
    );
}

#[test]
fn client_closes_first() {
    let echo = Backend::echo();
    brief(|| server("s1", &echo), |mut stream| client::echo(&mut stream, &[7; 64]));
}

#[test]
fn server_closes_first() {
    let hasty = Backend::start(|mut stream| drop(stream.write_all(b"hello")));
    brief(|| server("s1", &hasty), until_closed);
}

#[test]
fn server_closes_and_client_keeps_its_side_open() {
    let hasty = Backend::start(|mut stream| drop(stream.write_all(b"hello")));
    held_open(&hasty, " timeout client 400\n timeout server 900\n");
}

#[test]
fn client_fin_limits_a_session_whose_server_has_closed() {
    let hasty = Backend::start(|mut stream| drop(stream.write_all(b"hello")));
    held_open(&hasty, " timeout client 900\n timeout client-fin 400\n timeout server 1300\n");
}

/// The client reads the server's end and does nothing more.
fn held_open(backend: &Backend, lines: &str) {
    same(|program| {
        let stage = Stage::new(program, &format!("{lines}{}", server("s1", backend)));
        let mut stream = stage.connect();
        stream.read_to_end(&mut Vec::new()).expect("the server's end");
        vec![stage.line()]
    });
}

#[test]
fn client_timeout() {
    let echo = Backend::echo();
    one(|| format!(" timeout client 400\n{}", server("s1", &echo)), until_closed);
}

#[test]
fn server_timeout() {
    let echo = Backend::echo();
    one(|| format!(" timeout server 400\n{}", server("s1", &echo)), until_closed);
}

#[test]
fn both_timeouts_equal() {
    let echo = Backend::echo();
    one(|| format!(" timeout server 400\n timeout client 400\n{}", server("s1", &echo)), until_closed);
}

#[test]
fn tunnel_timeout_replaces_both() {
    let echo = Backend::echo();
    one(
        || format!(" timeout server 200\n timeout client 300\n timeout tunnel 700\n{}", server("s1", &echo)),
        |mut stream| {
            client::echo(&mut stream, &[7; 64]);
            until_closed(stream);
        },
    );
}

#[test]
fn server_fin_limits_a_half_closed_session() {
    let silent = silent();
    one(
        || format!(" timeout server-fin 400\n timeout client-fin 900\n{}", server("s1", &silent)),
        |mut stream| {
            stream.write_all(b"bye").expect("sent");
            client::half_close(&stream);
            until_closed(stream);
        },
    );
}

#[test]
fn server_timeout_while_the_client_has_half_closed() {
    let silent = silent();
    one(
        || format!(" timeout client 400\n timeout server 900\n{}", server("s1", &silent)),
        |stream| {
            client::half_close(&stream);
            until_closed(stream);
        },
    );
}

#[test]
fn a_client_that_is_only_written_to_is_not_idle() {
    let ticking = Backend::start(|mut stream| {
        for _ in 0..6 {
            std::thread::park_timeout(std::time::Duration::from_millis(200));
            let _ = stream.write_all(b"tick");
        }
    });
    brief(|| format!(" timeout client 500\n{}", server("s1", &ticking)), until_closed);
}

#[test]
fn a_client_that_does_not_read_is_timed_out() {
    let flood = Backend::start(|mut stream| while stream.write_all(&[1; 65536]).is_ok() {});
    same(|program| {
        let stage = Stage::new(program, &format!(" timeout client 400\n timeout server 20s\n{}", server("s1", &flood)));
        let stream = stage.connect();
        let line = stage.line();
        drop(stream);
        // How much both kernels' buffers held is not the programs' business.
        let mut fields: Vec<&str> = line.split(' ').collect();
        fields[3] = "0/0/0";
        fields[4] = "bytes";
        vec![fields.join(" ")]
    });
}

#[test]
fn refused() {
    one(|| format!(" retries 0\n server s1 {}\n", ports::refused()), until_closed);
}

#[test]
fn refused_and_retried() {
    one(|| format!(" retries 1\n server s1 {}\n", ports::refused()), until_closed);
}

#[test]
fn retries_wait_no_longer_than_timeout_connect() {
    one(|| format!(" timeout connect 300\n retries 2\n server s1 {}\n", ports::refused()), until_closed);
}

#[test]
fn redispatched() {
    let echo = Backend::echo();
    brief(
        || format!(" retries 1\n option redispatch\n server s1 {}\n{}", ports::refused(), server("s2", &echo)),
        |mut stream| client::echo(&mut stream, &[7; 64]),
    );
}

#[test]
fn redispatched_at_every_retry() {
    let echo = Backend::echo();
    brief(
        || format!(" retries 3\n option redispatch 1\n server s1 {}\n{}", ports::refused(), server("s2", &echo)),
        |mut stream| client::echo(&mut stream, &[7; 64]),
    );
}

#[test]
fn connect_timeout() {
    let deaf = Deaf::new();
    one(|| format!(" timeout connect 300\n retries 0\n server s1 {}\n", deaf.address), until_closed);
}

#[test]
fn connect_timeout_and_retried() {
    let deaf = Deaf::new();
    one(|| format!(" timeout connect 300\n retries 1\n server s1 {}\n", deaf.address), until_closed);
}

/// A session whose connection hangs when its client does `act`.
fn hanging(lines: &str, act: impl Fn(TcpStream)) {
    let deaf = Deaf::new();
    same(|program| {
        let stage = Stage::new(program, &format!("{lines} retries 0\n server s1 {}\n", deaf.address));
        let stream = stage.connect();
        stage.wait_stat("s1", "scur", 1);
        act(stream);
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn client_resets_while_connecting() {
    hanging(" timeout connect 5s\n", client::reset);
}

#[test]
fn client_resets_while_connecting_with_abortonclose() {
    hanging(" option abortonclose\n timeout connect 5s\n", client::reset);
}

#[test]
fn client_closes_while_connecting() {
    hanging(" timeout connect 900\n", drop);
}

#[test]
fn client_closes_while_connecting_with_abortonclose() {
    hanging(" option abortonclose\n timeout connect 900\n", drop);
}

#[test]
fn client_closes_after_some_bytes_while_connecting() {
    hanging(" timeout connect 900\n", |mut stream| stream.write_all(b"bytes").expect("sent"));
}

#[test]
fn client_closes_after_some_bytes_while_connecting_with_abortonclose() {
    let act = |mut stream: TcpStream| stream.write_all(b"bytes").expect("sent");
    hanging(" option abortonclose\n timeout connect 900\n", act);
}

#[test]
fn no_server() {
    brief(String::new, until_closed);
}

#[test]
fn all_servers_disabled() {
    let echo = Backend::echo();
    brief(|| format!(" server s1 {} disabled\n", echo.address), until_closed);
}

/// A second session while the only server is full; it does `act` when it is in the queue.
fn queued(lines: &str, act: impl Fn(TcpStream)) {
    second(lines, |stage| {
        let stream = stage.connect();
        stage.wait_stat("BACKEND", "qcur", 1);
        act(stream);
    });
}

/// A second session while the only server is full.
fn second(lines: &str, act: impl Fn(&Stage)) {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &format!("{lines} server s1 {} maxconn 1\n", echo.address));
        let mut first = stage.connect();
        client::echo(&mut first, &[1; 8]);
        act(&stage);
        let second = stage.line();
        drop(first);
        vec![second, without_timers(&stage.lines(2)[1])]
    });
}

/// For scenarios whose length depends on the test's own steps: only whether a timer is there counts.
fn without_timers(line: &str) -> String {
    let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let timers = fields[3].split('/').map(|timer| if timer == "-1" { "-1" } else { "0" });
    fields[3] = timers.collect::<Vec<_>>().join("/");
    fields.join(" ")
}

#[test]
fn queue_timeout() {
    queued(" timeout queue 400\n", until_closed);
}

#[test]
fn queue_timeout_is_connect_timeout_by_default() {
    queued(" timeout connect 400\n", until_closed);
}

#[test]
fn reset_in_queue() {
    aborted_in_queue(" timeout queue 9s\n", client::reset);
}

#[test]
fn reset_in_queue_with_abortonclose() {
    aborted_in_queue(" option abortonclose\n timeout queue 9s\n", client::reset);
}

#[test]
fn closed_in_queue() {
    aborted_in_queue(" timeout queue 900\n", drop);
}

#[test]
fn half_closed_in_queue() {
    queued(" timeout queue 900\n", |stream| {
        client::half_close(&stream);
        until_closed(stream);
    });
}

#[test]
fn closed_in_queue_with_abortonclose() {
    aborted_in_queue(" option abortonclose\n timeout queue 9s\n", drop);
}

fn aborted_in_queue(lines: &str, act: impl Fn(TcpStream)) {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &format!("{lines} server s1 {} maxconn 1\n", echo.address));
        let mut first = stage.connect();
        client::echo(&mut first, &[1; 8]);
        let stream = stage.connect();
        stage.wait_stat("BACKEND", "qcur", 1);
        act(stream);
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn closed_before_it_was_queued() {
    second(" timeout queue 400\n", |stage| stage.behind_its_back(|| drop(stage.connect())));
}

#[test]
fn closed_before_it_was_queued_with_abortonclose() {
    second(" option abortonclose\n timeout queue 400\n", |stage| stage.behind_its_back(|| drop(stage.connect())));
}

#[test]
fn served_after_the_queue() {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &format!(" timeout queue 9s\n server s1 {} maxconn 1\n", echo.address));
        let mut first = stage.connect();
        client::echo(&mut first, &[1; 8]);
        let mut second = stage.connect();
        second.write_all(&[2; 9]).expect("sent");
        std::thread::park_timeout(std::time::Duration::from_millis(300));
        drop(first);
        let mut back = [0; 9];
        second.read_exact(&mut back).expect("served");
        drop(second);
        vec![without_timers(&stage.lines(2)[1])]
    });
}

/// Three sessions for one place: the first keeps it, or leaves it to the second.
fn three(first_leaves: bool) {
    let echo = Backend::echo();
    same(|program| {
        let limit = if first_leaves { "9s" } else { "700" };
        let stage = Stage::new(program, &format!(" timeout queue {limit}\n server s1 {} maxconn 1\n", echo.address));
        let mut first = stage.connect();
        client::echo(&mut first, &[1; 8]);
        let mut second = stage.connect();
        stage.wait_stat("BACKEND", "qcur", 1);
        // So that their times do not run out at the same moment.
        std::thread::park_timeout(std::time::Duration::from_millis(300));
        let mut third = stage.connect();
        stage.wait_stat("BACKEND", "qcur", 2);
        if first_leaves {
            drop(first);
            client::echo(&mut second, &[1; 9]);
            drop(second);
            client::echo(&mut third, &[1; 10]);
            drop(third);
            return stage.lines(3).iter().map(|line| without_timers(line)).collect();
        }
        until_closed(third);
        until_closed(second);
        stage.lines(2)
    });
}

#[test]
fn all_served_one_after_the_other() {
    three(true);
}

#[test]
fn two_time_out_in_the_queue() {
    three(false);
}

#[test]
fn client_resets() {
    let echo = Backend::echo();
    brief(
        || server("s1", &echo),
        |mut stream| {
            client::echo(&mut stream, &[7; 64]);
            client::reset(stream);
        },
    );
}

#[test]
fn server_resets() {
    let rude = Backend::start(|mut stream| {
        let _ = stream.read(&mut [0; 8]);
        client::reset(stream);
    });
    brief(
        || server("s1", &rude),
        |mut stream| {
            stream.write_all(b"go").expect("sent");
            until_closed(stream);
        },
    );
}

#[test]
fn server_resets_after_the_client_half_closed() {
    let rude = Backend::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        client::reset(stream);
    });
    brief(
        || server("s1", &rude),
        |mut stream| {
            stream.write_all(b"go").expect("sent");
            client::half_close(&stream);
            until_closed(stream);
        },
    );
}

#[test]
fn gone_before_a_byte() {
    early(drop);
}

#[test]
fn reset_before_a_byte() {
    early(client::reset);
}

/// The client acts when its server is connected and it has sent no byte.
fn early(act: impl Fn(TcpStream)) {
    let polite = Backend::named("x");
    same(|program| {
        let stage = Stage::new(program, &server("s1", &polite));
        let mut stream = stage.connect();
        stream.read_exact(&mut [0]).expect("the server is connected");
        act(stream);
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn gone_before_accept() {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &server("s1", &echo));
        stage.behind_its_back(|| drop(stage.connect()));
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn gone_before_accept_with_bytes() {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &server("s1", &echo));
        stage.behind_its_back(|| stage.connect().write_all(b"bytes").expect("sent"));
        // The echo's answer meets a client that has gone: how far it gets is the kernel's affair.
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn the_answer_meets_a_client_that_has_gone() {
    let slow = Backend::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        let _ = stream.write_all(b"answer");
        std::thread::park_timeout(std::time::Duration::from_millis(500));
    });
    one(
        || format!(" timeout client 9s\n timeout server 9s\n{}", server("s1", &slow)),
        |mut stream| {
            stream.write_all(b"bytes").expect("sent");
        },
    );
}

#[test]
fn the_answer_goes_on_for_a_client_that_has_gone() {
    let slow = Backend::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        for _ in 0..4 {
            let _ = stream.write_all(b"answer");
            std::thread::park_timeout(std::time::Duration::from_millis(300));
        }
    });
    one(
        || format!(" timeout client 9s\n timeout server 9s\n{}", server("s1", &slow)),
        |mut stream| {
            stream.write_all(b"bytes").expect("sent");
        },
    );
}

#[test]
fn gone_before_accept_and_no_server_answers() {
    let deaf = Deaf::new();
    same(|program| {
        let stage = Stage::new(program, &format!(" timeout connect 400\n retries 0\n server s1 {}\n", deaf.address));
        stage.behind_its_back(|| drop(stage.connect()));
        vec![stage.line()]
    });
}

#[test]
fn reset_before_accept() {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &server("s1", &echo));
        stage.behind_its_back(|| client::reset(stage.connect()));
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn others_are_counted_and_the_session_itself_only_on_the_client_side() {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &server("s1", &echo));
        let mut others = [stage.connect(), stage.connect()];
        others.iter_mut().for_each(|stream| client::echo(stream, &[1; 8]));
        let mut stream = stage.connect();
        client::echo(&mut stream, &[1; 9]);
        drop(stream);
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn cut_by_on_marked_down() {
    same(|program| {
        let echo = Backend::echo();
        let lines = format!(
            " server s1 {} check inter 100 fall 1 on-marked-down shutdown-sessions\n timeout check 1s\n",
            echo.address
        );
        let stage = Stage::new(program, &lines);
        let mut stream = stage.connect();
        client::echo(&mut stream, &[7; 64]);
        echo.stop();
        until_closed(stream);
        let line = wait::until("its line", || {
            stage.log.lines().iter().find(|line| line.contains(" front front/s1 ")).cloned()
        });
        vec![without_timers(&plain(&line))]
    });
}

#[test]
fn dontlognull_keeps_silent_about_probes_only() {
    let echo = Backend::echo();
    same(|program| {
        let stage = Stage::new(program, &format!(" option dontlognull\n{}", server("s1", &echo)));
        let probe = stage.connect();
        client::half_close(&probe);
        until_closed(probe);
        client::echo(&mut stage.connect(), &[7; 64]);
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn a_backlog_is_really_full() {
    let deaf = Deaf::new();
    let listener = TcpListener::bind(ports::free()).expect("a port");
    drop(listener);
    let limit = std::time::Duration::from_millis(200);
    assert!(TcpStream::connect_timeout(&deaf.address, limit).is_err(), "a connection got through");
}
