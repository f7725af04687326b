//! What signals do to a running process, in turn, on both programs: who is served, which session goes on, how it ends and
//! what it says.

mod harness;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports, stats, wait};
use nix::sys::signal::Signal::{self, *};

/// What is to be seen after a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// New connections are served, and the old one.
    Serves,
    /// New connections are refused; the old one goes on, and the stats socket answers.
    Pauses,
    /// New connections are refused for good; the old one goes on.
    Stops,
    /// The process has ended by this signal, and the old connection with it.
    Dies(i32),
}

/// Whether a connection made now is served.
fn serves(door: SocketAddr) -> bool {
    client::try_connect(door).is_ok_and(|mut stream| answers(&mut stream))
}

fn answers(stream: &mut TcpStream) -> bool {
    use std::io::{Read, Write};
    stream.write_all(b"?").is_ok() && matches!(stream.read(&mut [0]), Ok(1))
}

/// Plays signals on one program: what it said, without what differs by nature.
fn play(program: &Program, signals: &[(Signal, Then)]) -> Vec<String> {
    let server = Backend::echo();
    let doors = [ports::free(), ports::free(), ports::free()];
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let config = format!(
        "global\n  nbthread 2\n  stats socket {}\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  \
         timeout server 20s\nlisten l\n  bind {}\n  bind {}\n  server s {address}\nfrontend f\n  bind {}\n  \
         default_backend b\nbackend b\n  server s {address}\n",
        socket.display(),
        doors[0],
        doors[1],
        doors[2],
        address = server.address
    );
    let mut proxy = Proxy::start(program, &config);
    let mut session = client::connect(doors[0]);
    assert!(answers(&mut session));
    for (signal, then) in signals {
        let what = format!("{}: {signal} {then:?}", program.path.display());
        proxy.process.signal(*signal);
        match then {
            Then::Serves => {
                wait::until_true(&what, || doors.iter().all(|door| ports::listens(*door)));
                wait::until_true(&what, || doors.iter().all(|door| serves(*door)));
            }
            Then::Pauses => {
                wait::until_true(&what, || doors.iter().all(|door| !ports::listens(*door)));
                assert!(doors.iter().all(|door| client::try_connect(*door).is_err()), "{what}");
                assert!(stats::command(&socket, "show info").contains("Pid: "), "{what}");
            }
            Then::Stops => wait::until_true(&what, || doors.iter().all(|door| !ports::listens(*door))),
            Then::Dies(by) => {
                assert_eq!(proxy.process.wait().signal(), Some(*by), "{what}");
                assert!(!answers(&mut session), "{what}");
                continue;
            }
        }
        assert!(answers(&mut session), "{what}");
        assert!(proxy.process.ended().is_none(), "{what}");
    }
    drop(session);
    if signals.iter().any(|(_, then)| *then == Then::Stops) && proxy.process.ended().is_none() {
        assert_eq!(proxy.process.wait().code(), Some(0), "the last session ends it");
    }
    let output = proxy.output();
    // haproxy counts its stats sockets and its own client as proxies.
    let lines =
        output.lines().filter(|line| !["GLOBAL", "HTTPCLIENT", "NOTICE"].iter().any(|word| line.contains(word)));
    let said = lines.map(|line| line.split_once(") : ").map_or(line, |(_, rest)| rest).to_owned());
    // How many connections there were depends on how often the test looked.
    said.map(|line| line.split_once(" (cumulated").map_or(line.clone(), |(start, _)| start.to_owned())).collect()
}

#[test]
fn signals_do_what_they_do_to_haproxy() {
    use Then::{Dies, Pauses, Serves, Stops};
    let table: &[&[(Signal, Then)]] = &[
        &[(SIGUSR1, Stops)],
        &[(SIGUSR1, Stops), (SIGUSR1, Stops)],
        &[(SIGTTOU, Pauses), (SIGTTIN, Serves)],
        &[(SIGTTOU, Pauses), (SIGTTOU, Pauses), (SIGTTIN, Serves), (SIGTTIN, Serves), (SIGTTOU, Pauses)],
        &[(SIGTTIN, Serves)],
        &[(SIGTTOU, Pauses), (SIGUSR1, Stops)],
        &[(SIGUSR1, Stops), (SIGTTOU, Stops), (SIGTTIN, Stops)],
        &[(SIGUSR1, Stops), (SIGTERM, Dies(15))],
        &[(SIGTTOU, Pauses), (SIGTERM, Dies(15))],
        &[(SIGTERM, Dies(15))],
        &[(SIGINT, Dies(2))],
        &[(SIGUSR2, Serves)],
    ];
    for signals in table {
        let [ours, theirs] = [Program::ours(), Program::theirs()].map(|program| play(&program, signals));
        assert_eq!(ours, theirs, "{signals:?}");
    }
}
