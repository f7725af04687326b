//! Debian's `/etc/init.d/haproxy`, word for word.

use nix::sys::signal::Signal;

use crate::harness::client;
use crate::harness::process::send;
use crate::harness::throwaway::in_a_copy;
use crate::harness::wait;
use crate::stage::{CONFIG, Stage, ended, first, haproxies, ok, place, run};

const STATUS: &str = "/etc/init.d/haproxy status";

fn status() -> Option<i32> {
    run(STATUS).status.code()
}

#[test]
fn debians_init_script_works_as_it_is() {
    if !in_a_copy("initd::debians_init_script_works_as_it_is") {
        return;
    }
    let stage = Stage::set();
    place("default-haproxy", "/etc/default/haproxy");
    ok("rm -rf /run/haproxy"); // the script makes it
    assert_eq!(status(), Some(3), "not running");

    ok("/etc/init.d/haproxy start");
    assert_eq!(status(), Some(0));
    let mut session = stage.session();
    let one = first();
    assert!(ok(&format!("tr '\\0' ' ' < /proc/{one}/cmdline")).contains("-L lb1"), "the defaults file counts");
    ok("/etc/init.d/haproxy start"); // one that runs is left alone
    assert_eq!(haproxies(), [one]);

    ok("/etc/init.d/haproxy reload");
    wait::until_true("the new process", || haproxies() != [one]);
    client::echo(&mut session, b"still here");
    if stage.program.is_ours() {
        wait::until_true("the old process to end", || !haproxies().contains(&one));
        client::echo(&mut session, b"and there");
    } else {
        drop(session);
        wait::until_true("the old process to end", || !haproxies().contains(&one));
        session = stage.session();
    }
    assert_eq!((haproxies().len(), status()), (1, Some(0)));

    let good = std::fs::read_to_string(CONFIG).unwrap();
    std::fs::write(CONFIG, format!("{good}\nlisten bad\n\tbnid :1\n")).unwrap();
    let two = first();
    assert_eq!(run("/etc/init.d/haproxy reload").status.code(), Some(1), "a bad file");
    assert_eq!(run("/etc/init.d/haproxy start").status.code(), Some(1), "a bad file");
    client::echo(&mut session, b"nothing has happened");
    assert_eq!(haproxies(), [two]);
    std::fs::write(CONFIG, good).unwrap();

    ok("/etc/init.d/haproxy restart");
    ended(session);
    drop(stage.session());
    assert_ne!(haproxies(), [two]);
    assert_eq!((haproxies().len(), status()), (1, Some(0)));

    send(first(), Signal::SIGKILL);
    wait::until_true("its end", || haproxies().is_empty());
    assert_eq!(status(), Some(1), "dead, and a pidfile");
    ok("/etc/init.d/haproxy start");
    drop(stage.session());

    ok("/etc/init.d/haproxy stop");
    assert_eq!((haproxies(), status()), (vec![], Some(3)));
    assert!(client::try_connect(stage.door).is_err(), "nobody listens");
    ok("/etc/init.d/haproxy stop"); // a success, says the LSB
}
