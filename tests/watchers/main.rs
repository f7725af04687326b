//! What monitoring programs make of both proxies in the same state: munin's and nagios' plugins from Debian, haproxyadmin,
//! prometheus' parser and a JSON-schema validator from PyPI.
//!
//! What they print must be the same, but for times.

#[path = "../harness/mod.rs"]
mod harness;

use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::{client, ports, wait};

/// A proxy with servers in several states, its stats socket and its page.
struct Scene {
    _proxy: Proxy,
    _server: Backend,
    folder: tempfile::TempDir,
    page: SocketAddr,
}

impl Scene {
    fn start(program: &Program) -> Self {
        let server = Backend::echo();
        let (door, page) = (ports::free(), ports::free());
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global\n  maxconn 300\n  stats socket {}/socket level admin\n\
             defaults\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n\
             listen mqtt\n  mode tcp\n  bind {door}\n  option socket-stats\n  server broker_1 {} check inter 300 weight 7\n\
             \x20 server broker_2 {} check inter 300\n  server broker_3 {} disabled\n\
             listen stats\n  mode http\n  bind {page}\n  stats enable\n  stats uri /\n  stats refresh 5s\n\
             \x20 http-request use-service prometheus-exporter if {{ path /metrics }}\n",
            folder.path().display(),
            server.address,
            ports::refused(),
            server.address,
        );
        let scene = Self { _proxy: Proxy::start(program, &config), _server: server, folder, page };
        wait::until("checks have judged", || {
            let stats = scene.stats();
            let word = |server| stats.text("mqtt", server, "status").to_owned();
            (word("broker_1") == "UP" && word("broker_2") == "DOWN").then_some(())
        });
        let mut stream = client::connect(door);
        client::echo(&mut stream, b"hello");
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(client::read_all(&mut stream).unwrap().is_empty());
        wait::until("the session has ended", || (scene.stats().number("mqtt", "FRONTEND", "scur") == 0).then_some(()));
        scene
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn stats(&self) -> Stats {
        Stats::from_socket(&self.socket())
    }

    /// A file with this text.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// The folder of the programs, installed if they are not there.
fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("watchers");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/watchers/install");
    let done = Command::new(script).arg(&tools).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    tools
}

/// What a command prints, and its exit code.
fn said(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.is_empty(), "{command:?} says nothing: {}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

fn python(tools: &Path, args: &[&Path]) -> String {
    let mut command = Command::new(tools.join("python/bin/python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/watchers/read.py")).args(args);
    let (code, text) = said(command);
    assert_eq!(code, Some(0), "{text}");
    text
}

/// A plugin of Debian's, with the Perl modules that it needs.
fn plugin(tools: &Path, scene: &Scene, path: &str, args: &[&str]) -> (Option<i32>, String) {
    let debian = tools.join("debian");
    let modules = format!("{0}/usr/share/perl5:{0}/usr/lib/x86_64-linux-gnu/perl5/5.36", debian.display());
    let mut command = Command::new("perl");
    command.arg(debian.join(path)).args(args).env("PERL5LIB", modules);
    command.env("url", format!("http://{}/;csv;norefresh", scene.page)).env("MUNIN_CAP_MULTIGRAPH", "1");
    command.env("MUNIN_PLUGSTATE", scene.folder.path());
    let (code, text) = said(command);
    // How long it took or has been so, and what bytes the page has had so far.
    let stable = |line: &&str| !["stats_b", "lastchg.value", ".value -"].iter().any(|word| line.contains(word));
    let cut = |line: &str| line.split(" | t=").next().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = text.lines().filter(stable).map(cut).collect();
    lines.sort_unstable();
    (code, lines.join("\n"))
}

/// The same of both programs.
fn both<T: PartialEq + std::fmt::Debug>(look: impl Fn(&Scene) -> T) -> T {
    let theirs = look(&Scene::start(&Program::theirs()));
    let ours = look(&Scene::start(&Program::ours()));
    let lines = |of: &T| format!("{of:?}").split("\\n").map(str::to_owned).collect::<Vec<_>>();
    let (their_lines, our_lines) = (lines(&theirs), lines(&ours));
    let only = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
    let (missing, new) = (only(&their_lines, &our_lines), only(&our_lines, &their_lines));
    assert!(theirs == ours, "haproxy alone:\n{}\nbaton alone:\n{}", missing.join("\n"), new.join("\n"));
    ours
}

#[test]
fn nagios_plugins_see_the_same() {
    let tools = tools();
    let (code, text) = both(|scene| {
        let url = format!("http://{}/;csv", scene.page);
        plugin(&tools, scene, "usr/lib/nagios/plugins/check_haproxy", &["-u", &url])
    });
    assert!(code == Some(2) && text.contains("broker_2' is DOWN on 'mqtt'"), "{text}");
    for over in ["-s", "-U"] {
        let (code, text) = both(|scene| {
            let place = match over {
                "-s" => scene.socket().display().to_string(),
                _ => format!("http://{}/;csv", scene.page),
            };
            plugin(&tools, scene, "usr/lib/nagios/plugins/check_haproxy_stats", &[over, &place])
        });
        assert!(code == Some(2) && text.contains("mqtt:broker_3 is MAINT"), "{text}");
    }
}

#[test]
fn munin_plugins_see_the_same() {
    let tools = tools();
    for args in [&[][..], &["config"]] {
        let (code, text) = both(|scene| plugin(&tools, scene, "usr/share/munin/plugins/haproxy_", args));
        assert!(code == Some(0) && text.contains("broker_1."), "{text}");
    }
    let (code, text) = both(|scene| plugin(&tools, scene, "usr/share/munin/plugins/haproxy_ng", &[]));
    assert!(code == Some(0) && text.contains("mqtt_act.value 1") && text.contains("multigraph"), "{text}");
}

#[test]
fn haproxyadmin_sees_and_orders_the_same() {
    let tools = tools();
    let text = both(|scene| python(&tools, &[Path::new("admin"), scene.folder.path()]));
    assert!(text.contains("setweight True 3") && text.contains("broker_2 DOWN 1 mqtt 0 2"), "{text}");
}

#[test]
fn prometheus_parser_reads_the_same() {
    let tools = tools();
    let text = both(|scene| {
        let (_, body) = client::get(scene.page, "/metrics", "");
        python(&tools, &[Path::new("metrics"), &scene.file("metrics", &body)])
    });
    assert!(text.contains("counter haproxy_server_bytes_in_total proxy=mqtt,server=broker_1"), "{text}");
    assert!(text.lines().count() > 400, "{text}");
}

#[test]
fn the_schema_describes_the_json() {
    let tools = tools();
    let scene = Scene::start(&Program::ours());
    let answer = |name: &str, words: &str| {
        let text = command(&scene.socket(), words);
        scene.file(name, text.trim())
    };
    let schema = answer("schema", "show schema json");
    let (_, page) = client::get(scene.page, "/;json", "");
    let answers = [
        answer("info", "show info json"),
        answer("float", "show info json float"),
        answer("stat", "show stat json"),
        scene.file("page", &page),
    ];
    let mut args = vec![Path::new("schema"), &schema];
    args.extend(answers.iter().map(PathBuf::as_path));
    let text = python(&tools, &args);
    let good = text.lines().filter(|line| line.ends_with("things, 0 errors")).count();
    let caught = text.lines().filter(|line| line.ends_with("a broken one") && !line.starts_with("0 ")).count();
    assert_eq!((good, caught), (4, 4), "{text}");
    let (_, over_http) = client::get(scene.page, "/;json-schema", "");
    assert_eq!(over_http.trim(), std::fs::read_to_string(schema).unwrap());
}
