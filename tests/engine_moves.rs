//! Sessions between two engines of one process: what is put back goes on, what is let go is forgotten, and whatever another
//! process may send instead of sessions is an error and no more.

mod engine;
mod harness;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use baton::engine::migrate::{ArriveError, FlowState, Lane, PeerState, Routes, SessionState, Size, Stage};
use engine::{Line, listen, server};
use harness::backends::Backend;
use harness::{client, wait};

const SIZE: Size = Size { sessions: 2, descriptors: 100, bytes: 100_000 };

fn line(backend: &Backend) -> Line {
    Line::start(listen(vec![server("s", backend.address)]), 1)
}

#[test]
fn a_batch_that_is_dropped_goes_on_and_one_that_is_released_is_gone() {
    let echo = Backend::echo();
    let old = line(&echo);
    let mut streams: Vec<_> = (0..5).map(|_| client::connect(old.listen)).collect();
    streams.iter_mut().for_each(|stream| client::echo(stream, b"before"));
    let sessions = old.sessions();
    let count = || old.pool.process.connections.get();
    let mut round = sessions.round();
    assert_eq!(round.lanes().len(), 1);
    let mut batches = 0;
    round.accept(&[true]);
    while let Some(batch) = round.next(SIZE) {
        assert!(batch.count() <= 2 && batch.descriptors().len() == 2 * batch.count());
        batches += 1;
        drop(batch);
        if batches == 3 {
            break;
        }
    }
    drop(round);
    streams.iter_mut().for_each(|stream| client::echo(stream, b"put back"));
    assert_eq!(count(), 5);
    // Nobody wants them.
    let mut round = sessions.round();
    round.accept(&[false]);
    assert!(round.next(SIZE).is_none());
    drop(round);
    let mut round = sessions.round();
    round.accept(&[true]);
    round.next(SIZE).expect("a batch").release();
    drop(round);
    wait::until_true("two sessions to be forgotten", || count() == 3);
    let alive = streams.iter_mut().map(|stream| {
        std::io::Write::write_all(stream, b"x").is_ok() && matches!(std::io::Read::read(stream, &mut [0]), Ok(1))
    });
    assert_eq!(alive.filter(|alive| *alive).count(), 3);
}

#[test]
fn sessions_move_from_one_engine_to_another() {
    let echo = Backend::echo();
    let (old, new) = (line(&echo), line(&echo));
    let mut streams: Vec<_> = (0..5).map(|_| client::connect(old.listen)).collect();
    streams.iter_mut().for_each(|stream| client::echo(stream, b"before"));
    let (from, to) = (old.sessions(), new.sessions());
    let mut round = from.round();
    let mut routes = Routes::default();
    let yes = to.add(&mut routes, round.lanes(), false);
    round.accept(&yes);
    while let Some(batch) = round.next(SIZE) {
        let copies: Vec<OwnedFd> = batch.descriptors().into_iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
        let states: Vec<SessionState> = batch.states().cloned().collect();
        let arrivals = to.check(&routes, states, copies, &batch.held()).expect("what one engine gives another takes");
        batch.release();
        to.take(arrivals);
    }
    drop(round);
    streams.iter_mut().for_each(|stream| client::echo(stream, b"after"));
    wait::until_true("the counters to follow", || {
        (old.pool.process.connections.get(), new.pool.process.connections.get()) == (0, 5)
    });
}

/// A session of the lane that both engines have.
fn state(stage: Stage) -> SessionState {
    SessionState {
        lane: 0,
        number: 1,
        frozen: 0,
        stage,
        up: FlowState::default(),
        down: FlowState::default(),
        peer: PeerState::Unix(1),
        announced: None,
        wall: 0,
        accepted: 0,
        since: 0,
        client_seen: 0,
        server_seen: 0,
        blame: None,
        counted: (0, 0),
        logged: false,
        redispatched: false,
        retries: 0,
        queue_time: None,
        connect_time: None,
        places: (0, 0),
        unique_id: None,
        kept: (false, false),
        hash: None,
        wants: None,
        due: None,
        left: None,
        answering: false,
    }
}

fn socket() -> OwnedFd {
    let (one, _) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    one.into()
}

#[test]
fn what_makes_no_sense_is_not_taken() {
    let echo = Backend::echo();
    let new = line(&echo);
    let to = new.sessions();
    let mut routes = Routes::default();
    let known = Lane {
        frontend: "front".into(),
        listener: "127.0.0.1:0".into(), // as its configuration has it
        backend: "front".into(),
        server: Some("s".into()),
        address: Some(echo.address.to_string()),
    };
    let waiting = Lane { server: None, address: None, ..known.clone() };
    let unknown = Lane { backend: "other".into(), ..known.clone() };
    let moved = Lane { address: Some("127.0.0.1:1".into()), ..known.clone() };
    let elsewhere = Lane { listener: "127.0.0.1:1".into(), ..known.clone() };
    assert_eq!(to.add(&mut Routes::default(), std::slice::from_ref(&elsewhere), true), [false], "strict");
    assert_eq!(to.add(&mut Routes::default(), &[elsewhere], false), [true]);
    let nameless = Lane { server: Some("t".into()), ..known.clone() };
    assert_eq!(
        to.add(&mut routes, &[known, unknown, waiting, moved, nameless], true),
        [true, false, true, false, false]
    );
    let check = |state: SessionState, descriptors: Vec<OwnedFd>, held: &[u8]| {
        to.check(&routes, vec![state], descriptors, held).map(|arrivals| arrivals.count())
    };
    let on = |lane, stage| SessionState { lane, ..state(stage) };
    let with = |up: FlowState| SessionState { up, ..state(Stage::Relaying) };
    let two = || vec![socket(), socket()];
    assert_eq!(check(state(Stage::Relaying), two(), b""), Ok(1));
    assert_eq!(check(on(2, Stage::Queued), vec![socket()], b""), Ok(1));
    for (state, descriptors, held, want) in [
        (on(1, Stage::Relaying), two(), &b""[..], ArriveError::Lane(1)),
        (on(9, Stage::Relaying), two(), b"", ArriveError::Lane(9)),
        (on(2, Stage::Relaying), two(), b"", ArriveError::Stage),
        (on(0, Stage::Queued), vec![socket()], b"", ArriveError::Stage),
        (state(Stage::Relaying), vec![socket()], b"", ArriveError::Count),
        (state(Stage::Relaying), vec![socket(), socket(), socket()], b"", ArriveError::Count),
        (state(Stage::Relaying), two(), b"x", ArriveError::Count),
        (with(FlowState { held: 2, ..FlowState::default() }), two(), b"x", ArriveError::Count),
        (with(FlowState { held: u32::MAX, ..FlowState::default() }), two(), b"x", ArriveError::Count),
        (with(FlowState { pipe: true, ..FlowState::default() }), two(), b"", ArriveError::Count),
        // Two sockets where a pipe should be, a file, a socket that blocks.
        (
            with(FlowState { pipe: true, ..FlowState::default() }),
            vec![socket(), socket(), socket(), socket()],
            b"",
            ArriveError::Descriptor,
        ),
        (
            state(Stage::Relaying),
            vec![socket(), std::fs::File::open("/dev/null").unwrap().into()],
            b"",
            ArriveError::Descriptor,
        ),
        (state(Stage::Relaying), vec![socket(), UnixStream::pair().unwrap().0.into()], b"", ArriveError::Descriptor),
    ] {
        let told = format!("{state:?}");
        assert_eq!(check(state, descriptors, held), Err(want), "{told}");
    }
}

/// Sessions with any numbers in them live as long as their sockets, and the engine serves on.
#[test]
fn hostile_numbers_hurt_nobody() {
    let echo = Backend::echo();
    let new = line(&echo);
    let to = new.sessions();
    let mut routes = Routes::default();
    let lane = Lane {
        frontend: "front".into(),
        listener: String::new(),
        backend: "front".into(),
        server: Some("s".into()),
        address: Some(echo.address.to_string()),
    };
    let lanes = [lane.clone(), Lane { server: None, address: None, ..lane }];
    assert_eq!(to.add(&mut routes, &lanes, false), [true, true]);
    let (to, routes) = (std::panic::AssertUnwindSafe(to), std::panic::AssertUnwindSafe(routes));
    bolero::check!().with_iterations(300).with_type::<([u64; 8], [u32; 6], [bool; 6], u8, Vec<u8>)>().for_each(
        |(long, short, flags, stage, held)| {
            let stage = match stage % 4 {
                0 => Stage::Relaying,
                1 => Stage::Connecting,
                2 => Stage::Pausing(short[0]),
                _ => Stage::Queued,
            };
            let flow = |bytes: u64, held: usize, ended: bool, told: bool| FlowState {
                bytes,
                held: held as u32,
                pipe: false,
                ended,
                told,
            };
            let state = SessionState {
                lane: u32::from(stage == Stage::Queued),
                number: long[0],
                frozen: long[1],
                wall: long[2],
                accepted: long[3],
                since: long[4],
                client_seen: long[5],
                server_seen: long[6],
                counted: (long[7], long[0]),
                blame: Some(short[1] as u8),
                retries: short[2],
                queue_time: flags[0].then_some(short[3]),
                connect_time: flags[1].then_some(short[4]),
                places: (short[5], short[0]),
                logged: flags[2],
                up: flow(long[1], held.len(), flags[3], flags[4]),
                down: flow(long[2], 0, flags[4], flags[5]),
                ..state(stage)
            };
            let descriptors = (0..state.descriptors()).map(|_| socket()).collect();
            let arrivals = to.check(&routes, vec![state], descriptors, held).expect("it is well formed");
            to.take(arrivals);
        },
    );
    wait::until_true("all to end: their peers are gone", || new.pool.process.connections.get() == 0);
    client::echo(&mut client::connect(new.listen), b"served on");
}
