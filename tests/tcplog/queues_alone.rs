//! Sessions that wait for a full server, and how they leave the queue.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::backends::Backend;
use crate::harness::client;
use crate::stage::*;

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
