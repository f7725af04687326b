//! Monitoring programs from Debian read a running proxy: prometheus' exporter over HTTP and over the socket, hatop.
//!
//! Holds for the original too (`BATON_UNDER_TEST=theirs`).

mod harness;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use harness::backends::Backend;
use harness::process::Running;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports, wait};

/// A proxy with a server that is up and one that is down, its stats socket and its page.
struct Scene {
    _proxy: Proxy,
    _server: Backend,
    folder: tempfile::TempDir,
    page: SocketAddr,
}

impl Scene {
    fn start() -> Self {
        let server = Backend::echo();
        let (door, page) = (ports::free(), ports::free());
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global\n  stats socket {}/socket level admin\n\
             defaults\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n\
             listen mqtt\n  mode tcp\n  bind {door}\n  server broker_1 {} check inter 300 weight 7\n\
             \x20 server broker_2 {} check inter 300\n\
             listen stats\n  mode http\n  bind {page}\n  stats enable\n  stats uri /haproxy?stats\n  stats auth a:b\n",
            folder.path().display(),
            server.address,
            ports::refused(),
        );
        let proxy = Proxy::start(&Program::under_test(), &config);
        client::echo(&mut client::connect(door), b"hello");
        Self { _proxy: proxy, _server: server, folder, page }
    }

    /// What the exporter makes of a source, once it has seen the server go down.
    fn exported(&self, source: &str) -> String {
        let address = ports::free();
        let mut command = Command::new("prometheus-haproxy-exporter");
        command.arg(format!("--haproxy.scrape-uri={source}")).arg(format!("--web.listen-address={address}"));
        let mut exporter = Running::start("exporter", self.folder.path(), command);
        exporter.wait_ready(|| ports::listens(address));
        wait::until("the exporter shows the states", || {
            let (_, metrics) = client::get(address, "/metrics", "");
            metrics.contains("haproxy_server_up{backend=\"mqtt\",server=\"broker_2\"} 0").then_some(metrics)
        })
    }
}

fn holds_figures(metrics: &str) {
    for line in [
        "haproxy_up 1",
        "haproxy_exporter_csv_parse_failures_total 0",
        "haproxy_server_up{backend=\"mqtt\",server=\"broker_1\"} 1",
        "haproxy_server_weight{backend=\"mqtt\",server=\"broker_1\"} 7",
        "haproxy_server_sessions_total{backend=\"mqtt\",server=\"broker_1\"} 1",
        "haproxy_server_bytes_in_total{backend=\"mqtt\",server=\"broker_1\"} 5",
        "haproxy_backend_up{backend=\"mqtt\"} 1",
        "haproxy_frontend_sessions_total{frontend=\"mqtt\"} 1",
    ] {
        assert!(metrics.lines().any(|is| is == line), "no {line} in {metrics}");
    }
}

#[test]
fn prometheus_reads_the_page() {
    let scene = Scene::start();
    holds_figures(&scene.exported(&format!("http://a:b@{}/haproxy?stats;csv", scene.page)));
}

#[test]
fn prometheus_reads_the_socket() {
    let scene = Scene::start();
    let metrics = scene.exported(&format!("unix:{}/socket", scene.folder.path().display()));
    holds_figures(&metrics);
    assert!(metrics.contains("haproxy_version_info{release_date=\""), "{metrics}");
}

#[test]
fn hatop_shows_the_servers() {
    let scene = Scene::start();
    let socket = scene.folder.path().join("socket");
    let screen = scene.folder.path().join("screen");
    let watch = format!("stty rows 40 cols 160; TERM=xterm exec hatop -s {}", socket.display());
    // A program that draws on a terminal needs one: script gives it one and keeps what it drew.
    let mut command = Command::new("script");
    command.args(["-q", "-f", "-c", &watch]).arg(&screen);
    let _hatop = Running::start("hatop", scene.folder.path(), command);
    wait::until("hatop has drawn", || {
        let drawn = drawn(&screen);
        ["HAProxy Version", "broker_1", "broker_2", "L4CON"].iter().all(|word| drawn.contains(word)).then_some(())
    });
}

fn drawn(screen: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(screen).unwrap_or_default()).into_owned()
}
