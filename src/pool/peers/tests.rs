//! Who is asked, and what is told again.

use super::*;

fn section(peers: usize) -> Section {
    let peers = (0..peers).map(|_| PeerState { tables: vec![Shared::default()], ..PeerState::default() }).collect();
    Section { resync: Resync::at_start(Tick::default()), peers, started: Tick::default() }
}

fn at(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

#[test]
fn one_after_the_other_is_asked() {
    let mut section = section(3);
    assert!(section.asks(1, at(10)), "the first who is there");
    assert!(!section.asks(2, at(20)), "one at a time");
    section.taught(1, false, at(30));
    assert!(!section.asks(1, at(40)), "it does not know everything");
    assert!(section.asks(2, at(4_000)), "another one does perhaps");
    section.lost(2, at(4_100));
    assert!(section.asks(2, at(9_000)), "the same one when it is there again");
    assert!(!section.resync.is_over());
    section.taught(2, true, at(60_000));
    assert_eq!(section.resync, Resync::Taught);
    assert!(!section.asks(0, at(60_001)));
}

#[test]
fn nobody_is_waited_for_longer_than_five_seconds() {
    let mut lonely = section(2);
    lonely.look(at(4_999));
    assert!(!lonely.resync.is_over());
    lonely.look(at(5_000));
    assert_eq!(lonely.resync, Resync::Alone);
    assert!(!lonely.asks(0, at(5_001)), "haproxy asks nobody then");
    let mut old = section(2);
    old.look(at(6_000));
    old.taught(0, true, at(7_000));
    assert_eq!(old.resync, Resync::Taught, "who tells unasked is believed: an old process");
}

#[test]
fn what_was_not_confirmed_is_told_again() {
    let mut peer = section(1).peers.remove(0);
    for (pushed, number, acked) in [
        (5, 3, 3),
        (5, 5, 5),
        (5, 4, 5),  // an older one comes late
        (9, 10, 5), // one that was never told
        (0x1_0000_0005, 0xffff_fffe, 0xffff_fffe),
        (0x1_0000_0005, 2, 0x1_0000_0002),
    ] {
        peer.tables[0].pushed = pushed;
        peer.acknowledged(0, number);
        assert_eq!(peer.tables[0].acked, acked, "{pushed} {number}");
    }
    peer.acknowledged(7, 1);
    peer.begin();
    assert_eq!(peer.tables[0].pushed, 0x1_0000_0002);
}
