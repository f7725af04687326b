//! baton and a real haproxy take over from each other, again and again, with sessions open and connections coming: nobody is
//! refused or reset, and who was there stays there. Sessions stay in the process that has them: haproxy gives and takes none.

mod harness;

use harness::client;
use harness::program::Program;
use harness::storm::Storm;
use harness::wait;
use harness::yard::Yard;

/// Sessions that are opened before each change.
const SESSIONS: usize = 20;
/// Connections per second meanwhile.
const RATE: u64 = 1000;

#[test]
fn both_directions_five_times_with_sessions_open() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    yard.start(&theirs, "");
    let storm = Storm::start(yard.door, RATE);
    let mut sessions = Vec::new();
    for round in 0..5 {
        for (program, line, sign) in [
            (&ours, "", "copied from process"), // no -x: its sockets are copied
            (&theirs, "-x sock ", ""),
            (&ours, "-x sock ", " came from sock"),
            (&theirs, "-x sock ", ""),
        ] {
            sessions.extend((0..SESSIONS).map(|_| client::connect(yard.door)));
            storm.wait_served(50);
            let said = yard.start(program, &format!("{line}-sf {}", yard.pid()));
            assert!(said.contains(sign), "round {round}: {said}");
            storm.wait_served(50);
        }
    }
    let (tally, rate) = storm.finish();
    println!("{} changes, {rate:.0} connections/s, {tally:?}", 5 * 4);
    assert_eq!(tally.failures(), 0, "{tally:?}");
    assert_eq!(sessions.len(), 5 * 4 * SESSIONS);
    for (number, stream) in sessions.iter_mut().enumerate() {
        client::echo(stream, &[number as u8; 64]);
    }
    drop(sessions);
    wait::until("the old ones to end with their sessions", || (yard.all() == [yard.pid()]).then_some(()));
}
