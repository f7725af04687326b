//! Every `examples/*.cfg`: checked with `-c`, started, and used as its `# try:` comments say. On both programs.
//!
//! The files keep their ports; 127.0.0.1 becomes this process's own loopback address and /run/haproxy a temporary folder.

mod harness;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use harness::backends::Backend;
use harness::mqtt::Gate;
use harness::program::Program;
use harness::proxy::{Proxy, check};
use harness::services::{Service, publish};
use harness::{client, ports};

/// Something that answers in a running example.
#[derive(Debug)]
enum Attempt {
    Echo(SocketAddr),
    Page { address: SocketAddr, uri: String, auth: Option<String> },
    Unix(PathBuf),
    Mqtt(SocketAddr),
}

/// An example made to run here.
struct Example {
    name: String,
    config: String,
    attempts: Vec<Attempt>,
    only_baton: bool,
}

fn examples(folder: &Path) -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("the examples")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "cfg"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "only {} examples", paths.len());
    paths.iter().map(|path| example(path, folder)).collect()
}

fn example(path: &Path, folder: &Path) -> Example {
    let text = std::fs::read_to_string(path).expect("an example");
    let config =
        text.replace("127.0.0.1", &ports::address().to_string()).replace("/run/haproxy", &folder.display().to_string());
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let attempts: Vec<Attempt> = config.lines().filter_map(|line| line.strip_prefix("# try: ")).map(attempt).collect();
    assert!(!attempts.is_empty(), "{name}: no '# try:' comment");
    Example { name, attempts, only_baton: config.lines().any(|line| line == "# only baton"), config }
}

fn attempt(text: &str) -> Attempt {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["echo", address] => Attempt::Echo(address.parse().expect("an address")),
        ["mqtt", address] => Attempt::Mqtt(address.parse().expect("an address")),
        ["unix", path] => Attempt::Unix(path.into()),
        ["page", place, ..] => {
            let (address, uri) = place.split_once('/').expect("an address and a URI");
            let auth = words.get(2).map(|auth| (*auth).to_owned());
            Attempt::Page { address: address.parse().expect("an address"), uri: format!("/{uri}"), auth }
        }
        _ => panic!("'# try: {text}' means nothing"),
    }
}

/// The addresses of the configuration's `server` lines.
fn servers(config: &str) -> BTreeSet<SocketAddr> {
    config
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words[..], ["server", ..]).then(|| words[2].parse().expect("a server's address"))
        })
        .collect()
}

fn try_it(attempt: &Attempt) {
    match attempt {
        Attempt::Mqtt(address) => {
            let out = publish(*address, "example", "hello");
            assert!(out.status.success(), "{}", harness::daemon::text(&out));
        }
        Attempt::Echo(address) => client::echo(&mut client::connect(*address), b"hello"),
        Attempt::Unix(path) => {
            let mut stream = UnixStream::connect(path).expect("a unix socket");
            stream.write_all(b"hello").expect("bytes are sent");
            let mut back = [0; 5];
            stream.read_exact(&mut back).expect("bytes come back");
            assert_eq!(&back, b"hello");
        }
        Attempt::Page { address, uri, auth } => {
            let token = auth.as_ref().map(|auth| base64::engine::general_purpose::STANDARD.encode(auth));
            let header = token.map_or(String::new(), |token| format!("Authorization: Basic {token}\r\n"));
            let (head, body) = client::get(*address, uri, &header);
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert!(body.to_lowercase().contains("<html"), "a page: {body:.80}");
        }
    }
}

#[test]
fn every_example_is_valid_runs_and_answers() {
    let program = Program::under_test();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut tried = 0;
    for example in examples(folder.path()) {
        let out = check(&program, &example.config);
        let said = harness::daemon::text(&out);
        if example.only_baton && !program.is_ours() {
            // The claim is checked, too: the day that the original takes it, the comment is wrong.
            assert_eq!(out.status.code(), Some(1), "{} is said to be refused: {said}", example.name);
            continue;
        }
        assert_eq!(out.status.code(), Some(0), "{}: {said}", example.name);
        let quiet = !said.contains("[WARNING]") || example.only_baton;
        assert!(quiet, "{} is an example and warns: {said}", example.name);
        let servers = servers(&example.config).into_iter();
        let (mut brokers, mut gates, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
        let mqtt = example.attempts.iter().any(|attempt| matches!(attempt, Attempt::Mqtt(_)));
        match (mqtt, example.config.contains(" send-proxy-v2")) {
            (true, false) => brokers.extend(servers.map(Service::mosquitto_at)),
            (true, true) => gates.extend(servers.map(Gate::start_at)),
            _ => echoes.extend(servers.map(|address| Backend::start_at(address, harness::backends::echo))),
        }
        let proxy = Proxy::start(&program, &example.config);
        for attempt in &example.attempts {
            println!("{}: {attempt:?}", example.name);
            try_it(attempt);
            tried += 1;
        }
        drop((proxy, brokers, gates, echoes));
    }
    assert!(tried >= 15, "only {tried} attempts");
}
