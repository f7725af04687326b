//! `dump stats-file` and `stats-file`: counters that are kept in a file over a restart, by their guids.

mod harness;

use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::path::Path;

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::{client, ports, wait};

/// Two servers of which one has a guid, and a page.
fn config(folder: &Path, door: SocketAddr, page: SocketAddr, server: SocketAddr, file: &str) -> String {
    format!(
        "global\n  stats socket {0}/socket level admin\n  {file}\n\
         defaults\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n\
         frontend front\n  mode tcp\n  guid front:1\n  bind {door} guid-prefix door\n  option socket-stats\n  default_backend back\n\
         backend back\n  mode tcp\n  guid back-1\n  server known {server} guid s.1\n  server second {server} backup\n\
         listen page\n  mode http\n  guid page\n  bind {page}\n  stats enable\n  stats uri /\n\
         backend nameless\n  mode tcp\n  server-template t 2 {server} guid tmpl\n",
        folder.display(),
    )
}

fn talk(door: SocketAddr, socket: &Path, bytes: &[u8]) {
    let before = Stats::from_socket(socket).number("back", "BACKEND", "bout");
    let mut stream = client::connect(door);
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client::read_all(&mut stream).unwrap(), bytes);
    wait::until("the session is counted", || {
        let now = Stats::from_socket(socket).number("back", "BACKEND", "bout");
        (now == before + bytes.len() as i64).then_some(())
    });
}

/// The counters that are looked at here.
fn counters(socket: &Path) -> Vec<(&'static str, i64)> {
    let stats = Stats::from_socket(socket);
    vec![
        ("front stot", stats.number("front", "FRONTEND", "stot")),
        ("front bin", stats.number("front", "FRONTEND", "bin")),
        ("front conn_tot", stats.number("front", "FRONTEND", "conn_tot")),
        ("door stot", stats.number("front", "sock-1", "stot")),
        ("back lbtot", stats.number("back", "BACKEND", "lbtot")),
        ("back bout", stats.number("back", "BACKEND", "bout")),
        ("known stot", stats.number("back", "known", "stot")),
        ("page hrsp_4xx", stats.number("page", "FRONTEND", "hrsp_4xx")),
    ]
}

#[test]
fn counters_come_back_and_are_not_counted_twice() {
    let echo = Backend::echo();
    let (door, page) = (ports::free(), ports::free());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let kept = folder.path().join("kept");
    let first = Proxy::start(&Program::ours(), &config(folder.path(), door, page, echo.address, ""));
    for size in [5, 50, 500] {
        talk(door, &socket, &vec![b'x'; size]);
    }
    client::http(page, "NONSENSE\r\n\r\n");
    let before = counters(&socket);
    assert!(before.iter().all(|(_, n)| *n > 0), "{before:?}");
    let dump = command(&socket, "dump stats-file");
    for line in [
        "#fe guid,stot,bin,bout,dcon,dses,dreq,dresp,ereq,req_tot,conn_tot,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other",
        "front:1,3,555,555,0,0,0,0,0,0,3,0,0,0,0,0,0",
        "#li guid,stot,bin,bout,dcon,dses,dreq,dresp",
        "door-0,3,555,555,0,0,0,0",
        "#srv guid,stot,bin,bout,dresp,econ,eresp,wretr,wredis,lbtot,cli_abrt,srv_abrt",
        "s.1,3,555,555,0,0,0,0,0,3,0,0",
        "tmpl-2,0,0,0,0,0,0,0,0,0,0,0",
    ] {
        assert!(dump.lines().any(|is| is == line), "no {line} in {dump}");
    }
    // What has no guid is not in it.
    assert!(!dump.contains("second") && !dump.contains("nameless"), "{dump}");
    drop(first);

    std::fs::write(&kept, format!("{dump}\n#fe guid,stot\nnobody,7\n#new guid,x\ny,z\n")).unwrap();
    let text = config(folder.path(), door, page, echo.address, &format!("stats-file {}", kept.display()));
    let mut daemon = Daemon::start(&Program::ours(), &text);
    assert_eq!(counters(&socket), before);
    talk(door, &socket, b"more");
    let more = counters(&socket);
    assert_eq!((more[0].1, more[1].1), (before[0].1 + 1, before[1].1 + 4));
    // The old process tells the new one its counters: the file does not count once more.
    daemon.reload_well();
    daemon.settle();
    wait::until("the counters have come", || (counters(&socket) == more).then_some(()));
    talk(door, &socket, b"and more");
    assert_eq!(counters(&socket)[0].1, more[0].1 + 1);
}

#[test]
fn a_file_that_says_nothing_is_told() {
    let echo = Backend::echo();
    let (door, page) = (ports::free(), ports::free());
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let text = config(folder.path(), door, page, echo.address, &format!("stats-file {}", kept.display()));
    for (file, said) in [
        (None, "cannot be read"),
        (Some("front:1,2\n"), "1 line(s) that say nothing, the first is line 1"),
        (Some("#fe guid,stot\nfront:1,x\nfront:1,-2\n\n#be guid,stot\nback-1,9\n"), "2 line(s)"),
    ] {
        if let Some(file) = file {
            std::fs::write(&kept, file).unwrap();
        }
        let proxy = Proxy::start(&Program::ours(), &text);
        assert!(proxy.output().contains("stats-file") && proxy.output().contains(said), "{}", proxy.output());
        let stats = Stats::from_socket(&folder.path().join("socket"));
        assert_eq!(stats.number("front", "FRONTEND", "stot"), 0);
        assert_eq!(stats.number("back", "BACKEND", "stot"), if said.starts_with('2') { 9 } else { 0 });
    }
}
