//! `show old`: what stays in processes that were replaced. Only baton has it.

mod harness;

use harness::process::send;
use harness::program::Program;
use harness::yard::Yard;
use harness::{client, stats, wait};
use nix::sys::signal::Signal;

/// The lines below the heading, without the seconds: pid, connections, successor. Until the new process serves alone, the
/// one before it may answer: then there is no heading, if that is haproxy.
fn left(yard: &Yard) -> Vec<[String; 3]> {
    let answer = wait::until("an answer", || {
        let answer = stats::command(&yard.path("sock"), "show old");
        answer.starts_with("# pid seconds connections successor\n").then_some(answer)
    });
    let lines = answer.lines().skip(1).filter(|line| !line.is_empty());
    let row = |line: &str| {
        let [pid, seconds, connections, successor] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(seconds == "-" || seconds.parse::<u32>().is_ok(), "{line}");
        [pid, connections, successor].map(str::to_owned)
    };
    lines.map(row).collect()
}

/// Waits until these of the yard's processes are told; those of other tests may be too.
#[track_caller]
fn wait_for(yard: &Yard, want: &[(u32, &str, Option<u32>)]) {
    let text = |(pid, connections, successor): &(u32, &str, Option<u32>)| {
        [pid.to_string(), (*connections).to_owned(), successor.map_or_else(|| "-".to_owned(), |pid| pid.to_string())]
    };
    let want: Vec<[String; 3]> = want.iter().map(text).collect();
    let ours = || {
        let all: Vec<String> = yard.all().iter().map(u32::to_string).collect();
        left(yard).into_iter().filter(|[pid, ..]| all.contains(pid)).collect::<Vec<_>>()
    };
    wait::until_or("the old processes to be told", || ours() == want, || format!("{:?}", left(yard)));
}

#[test]
fn sessions_that_stay() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    wait_for(&yard, &[]);
    let first = yard.pid();
    let mut sessions: Vec<_> = (0..3).map(|_| client::connect(yard.door)).collect();
    sessions.iter_mut().for_each(|stream| client::echo(stream, &[1; 64]));
    yard.start(&ours, &format!("--leave-sessions -sf {first}"));
    let second = yard.pid();
    wait_for(&yard, &[(first, "3", Some(second))]);
    drop(sessions.pop());
    wait_for(&yard, &[(first, "2", Some(second))]);
    sessions.push(client::connect(yard.door));
    client::echo(&mut sessions[2], &[2; 64]);
    yard.start(&ours, &format!("--leave-sessions -sf {second}"));
    let third = yard.pid();
    let mut want = [(first, "2", Some(second)), (second, "1", Some(third))];
    want.sort_unstable();
    wait_for(&yard, &want);
    drop(sessions);
    wait_for(&yard, &[]);
}

#[test]
fn sessions_that_have_moved() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let mut session = client::connect(yard.door);
    yard.start(&ours, &format!("-sf {}", yard.pid()));
    wait_for(&yard, &[]);
    client::echo(&mut session, &[2; 64]);
}

/// Of one that is no baton, or that is stopped, it is told that it is there.
#[test]
fn processes_that_say_nothing() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&Program::theirs(), "");
    let first = yard.pid();
    let mut session = client::connect(yard.door);
    client::echo(&mut session, &[1; 64]);
    yard.start(&ours, &format!("-sf {first}"));
    wait_for(&yard, &[(first, "-", None)]);
    drop(session);
    wait_for(&yard, &[]);

    let second = yard.pid();
    let mut session = client::connect(yard.door);
    client::echo(&mut session, &[1; 64]);
    yard.start(&ours, &format!("--leave-sessions -sf {second}"));
    send(second, Signal::SIGSTOP);
    wait_for(&yard, &[(second, "-", None)]);
    send(second, Signal::SIGCONT);
    wait_for(&yard, &[(second, "1", Some(yard.pid()))]);
}

/// A process of somebody else's that serves is not told.
#[test]
fn others_that_serve() {
    let (yard, other, ours) = (Yard::new(), Yard::new(), Program::ours());
    yard.start(&ours, "");
    other.start(&ours, "");
    let told = left(&yard);
    assert!(
        !told.iter().any(|[pid, ..]| [yard.pid(), other.pid()].map(|pid| pid.to_string()).contains(pid)),
        "{told:?}"
    );
}
