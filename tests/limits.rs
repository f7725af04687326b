//! Limits of a frontend that neither lose nor refuse a connection, on both programs.

mod harness;

use harness::backends::Backend;
use harness::process::{alive, send};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::tracer::Tracer;
use harness::{client, ports, wait};
use nix::sys::signal::Signal;

#[test]
fn no_more_sessions_a_second_than_the_rate_limit() {
    for program in [Program::ours(), Program::theirs()] {
        let backend = Backend::echo();
        let (door, page) = (ports::free(), ports::free());
        let config = format!(
            "defaults\n\ttimeout client 20s\n\ttimeout server 20s\n\ttimeout connect 5s\n\
             listen limited\n\tmode tcp\n\tbind {door}\n\trate-limit sessions 5\n\tserver s {}\n\
             listen stats\n\tmode http\n\tbind {page}\n\tstats enable\n\tstats uri /\n",
            backend.address
        );
        let _proxy = Proxy::start(&program, &config);
        let mut clients: Vec<_> = (0..12).map(|_| client::connect(door)).collect();
        for stream in &mut clients {
            client::echo(stream, b"served in the end");
        }
        let stats = Stats::from_page(page, "/;csv", "");
        assert_eq!(stats.number("limited", "FRONTEND", "rate_lim"), 5);
        assert!(stats.number("limited", "FRONTEND", "stot") >= 12);
        let highest = stats.number("limited", "FRONTEND", "rate_max");
        // haproxy's threads may each let one more in; without the limit all 12 come in the first second.
        let most = if program.is_ours() { 5 } else { 10 };
        assert!((1..=most).contains(&highest), "{}: {highest} sessions in a second", program.path.display());
    }
}

/// `maxconnrate` and `maxsessrate`, and the orders that set the same, count all frontends together and hold clients back;
/// nobody is refused.
#[test]
fn no_more_sessions_a_second_than_the_process_may_have() {
    for program in [Program::ours(), Program::theirs()] {
        for (word, order) in [
            ("maxconnrate 6", ""),
            ("maxsessrate 6", ""),
            ("", "set rate-limit connections global 6"),
            ("", "set rate-limit sessions global 6"),
        ] {
            let backend = Backend::echo();
            let (doors, page) = ([ports::free(), ports::free()], tempfile::tempdir().unwrap());
            let config = format!(
                "global\n  stats socket {}/stats level admin\n  nbthread 1\n  {word}\ndefaults\n  mode tcp\n  timeout client 20s\n  \
                 timeout server 20s\n  timeout connect 5s\nlisten a\n  bind {}\n  server s {}\n\
                 listen b\n  bind {}\n  server s {}\n",
                page.path().display(),
                doors[0],
                backend.address,
                doors[1],
                backend.address
            );
            let _proxy = Proxy::start(&program, &config);
            if !order.is_empty() {
                assert_eq!(command(&page.path().join("stats"), order).trim(), "", "{order}");
            }
            let mut clients: Vec<_> = (0..14).map(|number| client::connect(doors[number % 2])).collect();
            for stream in &mut clients {
                client::echo(stream, b"served in the end");
            }
            let stats = Stats::from_socket(&page.path().join("stats"));
            let highest = ["a", "b"].map(|proxy| stats.number(proxy, "FRONTEND", "rate_max"));
            // Each frontend alone stays below it, and without it each has 7 in the first second.
            assert!(highest.iter().all(|most| (1..=6).contains(most)), "{}: {highest:?}", program.path.display());
        }
    }
}

#[test]
fn a_daemon_that_has_too_little_memory_says_so() {
    let backend = Backend::echo();
    let mut served = 0;
    // how much is enough is the binary's affair, and one for tests is large
    for megabytes in (2..=100).step_by(2) {
        if served == 8 {
            break;
        }
        let (folder, door) = (tempfile::tempdir().unwrap(), ports::free());
        let (config, pidfile) = (folder.path().join("cfg"), folder.path().join("pid"));
        let text = format!(
            "global\n  nbthread 2\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  \
             timeout server 20s\nlisten l\n  bind {door}\n  server s {}\n",
            backend.address
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Program::ours().command();
        command.args(["-q", "-D", "-m", &megabytes.to_string(), "-p"]).arg(&pidfile).arg("-f").arg(&config);
        // Its output is no pipe: a daemon that kept one open would keep us waiting.
        let silence = || std::process::Stdio::from(std::fs::File::create(folder.path().join("out")).unwrap());
        let status = command.stdout(silence()).stderr(silence()).status().unwrap();
        let pid = std::fs::read_to_string(&pidfile).ok().and_then(|text| text.trim().parse::<u32>().ok());
        if !status.success() {
            assert_eq!(pid, None, "{megabytes} MB: the pidfile names nobody");
            assert!(!ports::listens(door), "{megabytes} MB: nobody listens");
            continue;
        }
        served += 1;
        let pid = pid.expect("a pid");
        for _ in 0..20 {
            client::echo(&mut client::connect(door), b"it said that it serves, and it does");
        }
        assert!(alive(pid), "{megabytes} MB");
        send(pid, Signal::SIGTERM);
        wait::until_true("its end", || !alive(pid));
    }
    assert!(served > 0, "100 MB is enough for two threads");
}

/// Connects 20 clients to a process that stands still, lets it go on, and tells how many connections it accepted in a
/// row before it turned to the servers of any.
fn accepted_in_a_row(program: &Program, global: &str) -> usize {
    let backend = Backend::echo();
    let door = ports::free();
    let config = format!(
        "global\n  nbthread 1\n{global}\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  \
         timeout server 20s\nlisten l\n  bind {door}\n  server s {}\n",
        backend.address
    );
    let proxy = Proxy::start(program, &config);
    let tracer = Tracer::attach(&proxy, "accept4,connect");
    let mut clients: Vec<_> = tracer.while_it_stands_still(&proxy, || (0..20).map(|_| client::connect(door)).collect());
    clients.iter_mut().for_each(|stream| client::echo(stream, b"served"));
    let (mut most, mut row) = (0, 0);
    for line in tracer.calls() {
        row = match (line.contains("connect("), line.contains("accept4(") && !line.contains("EAGAIN")) {
            (true, _) => 0,
            (_, accepted) => row + usize::from(accepted),
        };
        most = most.max(row);
    }
    most
}

#[test]
fn as_many_are_accepted_in_a_row_as_maxaccept_says() {
    for program in [Program::ours(), Program::theirs()] {
        let name = program.path.display();
        assert_eq!(accepted_in_a_row(&program, "  tune.maxaccept 1"), 1, "{name}");
        assert_eq!(accepted_in_a_row(&program, "  tune.maxaccept 7"), 7, "{name}");
        let usual = accepted_in_a_row(&program, "");
        assert!(![1, 7].contains(&usual), "{name}: {usual}"); // 4 of 2.6, up to 64 of ours
    }
}
