//! How sessions end that their peers end: closes and resets from either side, before and after the first byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::backends::Backend;
use crate::harness::{client, ports, wait};
use crate::stage::*;

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
fn no_server() {
    brief(String::new, until_closed);
}

#[test]
fn all_servers_disabled() {
    let echo = Backend::echo();
    brief(|| format!(" server s1 {} disabled\n", echo.address), until_closed);
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
