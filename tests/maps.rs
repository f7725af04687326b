//! Maps, lists of ACLs and variables of the process at run time, on both programs: what commands answer, and that sessions and
//! checks follow.

mod harness;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::command;
use harness::{ports, wait};

/// A proxy with lists of every kind.
struct Stage {
    proxy: Proxy,
    folder: tempfile::TempDir,
    door: SocketAddr,
    _echo: Backend,
}

impl Stage {
    fn start(program: &Program) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in [
            ("hosts", "a.com v1\nb.com v2\na.com v3\n"),
            ("nets", "10.0.0.0/8 ten\n10.1.0.0/16 ten-one\n"),
            ("numbers", "k 5\nj 6\n"),
            ("begins", "abc 1\nab 2\n"),
            ("deny", "192.0.2.1\n192.0.2.128/25\n"),
            ("names", "foo\nbar\n"),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a list");
        }
        let (door, echo) = (ports::free(), Backend::echo());
        let path = folder.path().display();
        let config = format!(
            "global\n stats socket {path}/stats level admin severity-output number\n\
             defaults\n mode tcp\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
             frontend f\n bind {door}\n\
             acl denied src -f {path}/deny\n\
             acl named str(x) -m str -f {path}/names zed\n\
             acl begins str(x) -m beg -i -f {path}/names\n\
             acl chosen src -u 3 192.0.2.7\n\
             acl long int(5) -m int gt 7\n\
             acl found src -m found\n\
             tcp-request connection reject if denied\n\
             tcp-request connection reject if chosen\n\
             tcp-request connection set-var(sess.host) str(a.com),map({path}/hosts)\n\
             tcp-request connection set-var(sess.net) src,map_ip({path}/nets,none)\n\
             tcp-request connection set-var(sess.number) str(k),map_str_int({path}/numbers)\n\
             tcp-request connection set-var(sess.begin) str(abcd),map_beg({path}/begins)\n\
             tcp-request connection reject if {{ src 192.0.2.9 192.0.2.10 }}\n\
             default_backend b\n\
             backend b\n server s {}\n",
            echo.address,
        );
        Self { proxy: Proxy::start(program, &config), folder, door, _echo: echo }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("stats")
    }

    fn said(&self, typed: &str) -> String {
        let typed = typed.replace("{dir}", &self.folder.path().display().to_string());
        command(&self.socket(), &typed)
    }

    /// An answer as both programs give it: errors without their words, references as numbers in the order in which they came, the
    /// configuration and the folder by names. haproxy has two lists for a client of its own.
    fn plain(&self, typed: &str, references: &mut HashMap<String, usize>) -> String {
        let (answer, list) = (self.said(typed), typed.rsplit(' ').next().unwrap_or_default());
        let mut out = String::new();
        for line in answer.lines().filter(|line| !line.contains("'httpclient'")) {
            if line.starts_with("[3]: ") {
                out.push_str("error\n");
                continue;
            }
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            if first.starts_with("0x") {
                let next = references.len();
                let number = references.entry(format!("{first} of {list}")).or_insert(next);
                out.push_str(&format!("#{number} {rest}\n"));
            } else {
                out.push_str(line);
                out.push('\n');
            }
        }
        let config = self.proxy.config.display().to_string();
        out.replace(&config, "CONFIG").replace(&self.folder.path().display().to_string(), "DIR")
    }

    fn serves(&self) -> bool {
        served(self.door)
    }
}

/// Whether a client is served; who is not sees its connection end.
fn served(door: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(door) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
    let sent = stream.write_all(b"x");
    let mut byte = [0];
    sent.is_ok() && matches!(stream.read(&mut byte), Ok(1))
}

/// What is typed one after the other. The number of the list of each file is the same in both programs.
const TYPED: &[&str] = &[
    "show acl",
    "show map",
    "show map {dir}/hosts",
    "show map #8",
    "show acl #8",
    "show acl {dir}/names",
    "show acl #3",
    "show map nope",
    "show map #99",
    "show map #x",
    "show map @0 {dir}/hosts",
    "show map @1 {dir}/hosts",
    "show map @x {dir}/hosts",
    "show acl {dir}/hosts",
    "get map {dir}/hosts a.com",
    "get map {dir}/hosts A.com",
    "get map {dir}/nets 10.1.2.3",
    "get map {dir}/nets 10.2.2.3",
    "get map {dir}/nets 11.1.2.3",
    "get map {dir}/nets nonsense",
    "get map {dir}/numbers k",
    "get map {dir}/begins abcd",
    "get map {dir}/begins x",
    "get map {dir}/hosts",
    "get map",
    "get map nope x",
    "get acl {dir}/names foo",
    "get acl {dir}/names FOObar",
    "get acl {dir}/deny 192.0.2.200",
    "get acl {dir}/deny 192.0.2.2",
    "get acl #3 192.0.2.7",
    "get acl",
    "add map {dir}/hosts c.com v4",
    "add map {dir}/hosts d.com v and more",
    "add map {dir}/hosts e.com a\\ blank",
    "add map {dir}/hosts f.com",
    "add map {dir}/hosts",
    "add map",
    "add map nope k v",
    "add map {dir}/nets 192.168.0.0/16 home",
    "add map {dir}/nets nonsense x",
    "add map {dir}/numbers l word",
    "add map {dir}/numbers l 8",
    "add acl {dir}/deny 198.51.100.1",
    "add acl {dir}/deny nonsense",
    "add acl {dir}/deny",
    "add acl {dir}/hosts x",
    "add acl nope x",
    "add acl",
    "add map {dir}/hosts <<\nh.com w1\ni.com w2 with blanks\n\tj.com\tw3\n",
    "add map {dir}/hosts <<\nnoval\n",
    "add map {dir}/hosts ignored <<\nl.com w5\n",
    "add acl {dir}/names <<\nx\n",
    "add acl {dir}/names ignored <<\nquux and more\n",
    "add map @1 {dir}/hosts k v",
    "show map {dir}/hosts",
    "show acl {dir}/names",
    "show map {dir}/nets",
    "get map {dir}/nets 192.168.5.5",
    "get map {dir}/hosts d.com",
    "set map {dir}/hosts a.com new",
    "set map {dir}/hosts a.com new value",
    "set map {dir}/hosts nokey new",
    "set map {dir}/hosts #0x1fffffffffffffff new",
    "set map {dir}/hosts a.com",
    "set map nope k v",
    "set map {dir}/numbers k 77",
    "get map {dir}/numbers k",
    "show map {dir}/hosts",
    "del map {dir}/hosts a.com",
    "del map {dir}/hosts a.com",
    "del map {dir}/hosts",
    "del map {dir}/hosts #0x1fffffffffffffff",
    "del map nope x",
    "del acl {dir}/deny 192.0.2.1",
    "del acl {dir}/deny 192.0.2.1",
    "show map {dir}/hosts",
    "show acl {dir}/deny",
    "prepare map {dir}/begins",
    "prepare map {dir}/begins",
    "prepare map nope",
    "prepare map",
    "add map @1 {dir}/begins k1 v1",
    "add map @2 {dir}/begins k2 v2",
    "add map @3 {dir}/begins k3 v3",
    "add map @2 {dir}/begins <<\nkp vp\n",
    "show map {dir}/begins",
    "show map @1 {dir}/begins",
    "show map @2 {dir}/begins",
    "show map @3 {dir}/begins",
    "get map {dir}/begins k2",
    "set map {dir}/begins k2 zz",
    "show map @2 {dir}/begins",
    "del map {dir}/begins k2",
    "show map @2 {dir}/begins",
    "commit map {dir}/begins",
    "commit map @2",
    "commit map @7 {dir}/begins",
    "commit map @0 {dir}/begins",
    "commit map @2 nope",
    "commit map @2 {dir}/begins",
    "commit map @2 {dir}/begins",
    "commit map @1 {dir}/begins",
    "show map {dir}/begins",
    "show map @1 {dir}/begins",
    "get map {dir}/begins kpx",
    "prepare acl {dir}/names",
    "add acl @1 {dir}/names one",
    "clear acl @1 {dir}/names",
    "show acl @1 {dir}/names",
    "add acl @1 {dir}/names two",
    "commit acl @1 {dir}/names",
    "show acl {dir}/names",
    "get acl {dir}/names two",
    "get acl {dir}/names foo",
    "clear map {dir}/hosts",
    "show map {dir}/hosts",
    "get map {dir}/hosts b.com",
    "clear map",
    "clear map nope",
    "clear acl",
    "clear map @5 {dir}/numbers",
    "show map {dir}/numbers",
];

#[test]
fn commands_answer_alike() {
    let stages = [Stage::start(&Program::theirs()), Stage::start(&Program::ours())];
    let mut references = [HashMap::new(), HashMap::new()];
    for typed in TYPED {
        let mut answers = stages.iter().zip(&mut references).map(|(stage, references)| {
            let mut answer = stage.plain(typed, references);
            // haproxy counts the entries of a file anew for each condition that names it.
            if *typed == "show acl" || *typed == "show map" {
                answer = answer.replace("entry_cnt=4", "entry_cnt=2");
            }
            answer
        });
        let (theirs, ours) = (answers.next().expect("theirs"), answers.next().expect("ours"));
        drop(answers);
        assert_eq!(ours, theirs, "{typed}");
    }
}

/// Rules see what commands change, at once, and a new version when it is committed.
#[test]
fn rules_follow() {
    for program in [Program::theirs(), Program::ours()] {
        let stage = Stage::start(&program);
        let me = "127.0.0.1";
        let order = |typed: &str| assert_eq!(stage.said(&typed.replace("{me}", me)), "\n", "{typed}");
        assert!(stage.serves());
        order("add acl {dir}/deny {me}");
        assert!(!stage.serves(), "{:?}", program.kind);
        order("del acl {dir}/deny {me}");
        assert!(stage.serves());
        order("add acl #3 {me}");
        assert!(!stage.serves(), "a list that stands in the configuration");
        order("clear acl #3");
        assert!(stage.serves());
        assert_eq!(stage.said("prepare acl {dir}/deny"), "[6]: New version created: 1\n\n");
        order("add acl @1 {dir}/deny {me}");
        assert!(stage.serves());
        order("commit acl @1 {dir}/deny");
        assert!(!stage.serves());
        order("clear acl {dir}/deny");
        assert!(stage.serves());
    }
}

/// An entry is named by the reference that `show` gives.
#[test]
fn entries_by_reference() {
    for program in [Program::theirs(), Program::ours()] {
        let stage = Stage::start(&program);
        let reference = |line: usize| {
            let shown = stage.said("show map {dir}/hosts");
            shown.lines().nth(line).and_then(|line| line.split(' ').next()).expect("a reference").to_owned()
        };
        assert_eq!(stage.said(&format!("set map {{dir}}/hosts #{} changed", reference(2))), "\n");
        assert_eq!(stage.said(&format!("del map {{dir}}/hosts #{}", reference(0))), "\n");
        let shown = stage.plain("show map {dir}/hosts", &mut HashMap::new());
        assert_eq!(shown, "#0 b.com v2\n#1 a.com changed\n\n");
    }
}

/// What is wrong in a payload leaves nothing behind here; haproxy keeps what stands before it. And a value that is no number is
/// refused here where haproxy says nothing and keeps the old one.
#[test]
fn all_or_nothing() {
    let stage = Stage::start(&Program::ours());
    assert!(stage.said("add map {dir}/numbers <<\nx 1\ny word\n").starts_with("[3]: 'word' is not a number"));
    assert!(stage.said("set map {dir}/numbers k word").starts_with("[3]: 'word' is not a number"));
    let shown = stage.plain("show map {dir}/numbers", &mut HashMap::new());
    assert_eq!(shown, "#0 k 5\n#1 j 6\n\n");
}

/// A proxy with variables of the process, which a check says.
fn variables(program: &Program) -> (Proxy, tempfile::TempDir, TcpListener) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = TcpListener::bind(ports::free()).expect("a server");
    let config = format!(
        "global\n stats socket {path}/stats level admin severity-output number\n\
         stats socket {path}/user level user severity-output number\n\
         set-var proc.word str(hello),upper\n set-var proc.number int(5)\n set-var proc.sum int(1),add(proc.number)\n\
         set-var proc.same var(proc.nobody)\n set-var-fmt proc.text \"a %[var(proc.sum)] b\"\n\
         set-var-fmt proc.boot \"%H|%[str(%pid)]|%%|%t|%T|%Ts|%ms|%Tl\"\n tune.vars.proc-max-size 1000\n\
         defaults\n mode tcp\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
         listen l\n bind {}\n option tcp-check\n tcp-check connect\n tcp-check send-lf \"%[var(proc.text)]\\n\"\n\
         tcp-check expect string never\n server s {} check inter 50 fall 1000\n",
        ports::free(),
        server.local_addr().expect("its address"),
        path = folder.path().display(),
    );
    (Proxy::start(program, &config), folder, server)
}

#[test]
fn variables_of_the_process() {
    for program in [Program::theirs(), Program::ours()] {
        let (_proxy, folder, server) = variables(&program);
        let said = |typed: &str| command(&folder.path().join("stats"), typed);
        let get = |name: &str| said(&format!("get var {name}"));
        for (name, want) in [
            ("proc.word", "[6]: proc.word: type=str value=<HELLO>\n"),
            ("proc.number", "[6]: proc.number: type=sint value=<5>\n"),
            ("proc.sum", "[6]: proc.sum: type=sint value=<6>\n"),
            ("proc.text", "[6]: proc.text: type=str value=<a 6 b>\n"),
            ("proc.text and more", "[6]: proc.text: type=str value=<a 6 b>\n"),
        ] {
            assert_eq!(get(name), want, "{name} on {:?}", program.kind);
        }
        for name in ["proc.same", "proc.nobody", "txn.x", "word", "proc.a-b", "proc", ""] {
            assert!(get(name).starts_with("[3]: "), "{name}: {}", get(name));
        }
        let dates = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
        let (boot, host) = (get("proc.boot"), nix::unistd::gethostname().expect("a name"));
        let boot = boot.replace(&*host.to_string_lossy(), "HOST");
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let boot = months.iter().fold(dates(&boot), |text, month| text.replace(month, "Mon")).replace(" -", " +");
        let date = "00/Mon/0000:00:00:00";
        let want = format!("HOST|%pid|%|{date}.000|{date} +0000|0000000000|000|{date} +0000");
        assert_eq!(boot, format!("[0]: proc.boot: type=str value=<{want}>\n"), "{:?}", program.kind);
        assert_eq!(command(&folder.path().join("user"), "get var proc.word"), "[3]: Permission denied\n\n");
        assert!(said("set var proc.new int(1)").starts_with("[3]: "), "not without the mode");
        let set = |typed: &str| said(&format!("experimental-mode on;set var {typed}"));
        for (typed, name, want) in [
            ("proc.new int(1)", "proc.new", "type=sint value=<1>"),
            ("proc.new expr int(2),add(proc.number) add(1)", "proc.new", "type=sint value=<7>"), // one word
            ("proc.new fmt a%[int(2)]b c", "proc.new", "type=str value=<a2b>"),
            ("proc.new fmt %%%[str(a)]", "proc.new", "type=str value=<%a>"),
            ("proc.new bool(1)", "proc.new", "type=bool value=<1>"),
            ("proc.new ipv4(192.0.2.1)", "proc.new", "type=ipv4 value=<192.0.2.1>"),
            ("proc.new ipv6(::1)", "proc.new", "type=ipv6 value=<::1>"),
            ("proc.new bin(414200)", "proc.new", "type=bin value=<AB>"),
            ("proc.new var(proc.nobody)", "proc.new", "type=bin value=<AB>"), // no value: nothing is done
        ] {
            assert_eq!(set(typed), "\n\n", "{typed} on {:?}", program.kind);
            assert_eq!(get(name), format!("[6]: {name}: {want}\n"), "{typed} on {:?}", program.kind);
        }
        for typed in [
            "",
            "proc.new",
            "proc.new int(1) add(1)",
            "proc.new expr",
            "txn.x int(1)",
            "x int(1)",
            "proc.new nope",
            "proc.new src",
            "proc.new fmt %[nope]",
        ] {
            assert!(set(typed).starts_with("\n[3]: "), "{typed}: {}", set(typed));
        }
        // A check says what it is now.
        let heard = |text: &str| {
            wait::until_true(text, || {
                let (mut stream, _) = server.accept().expect("a check");
                stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
                let mut said = vec![0; text.len()];
                stream.read_exact(&mut said).is_ok() && said == text.as_bytes()
            });
        };
        heard("a 6 b\n");
        set("proc.text str(other)");
        heard("other\n");
    }
}

/// Variables for which there is no room stay as they were. (haproxy goes down.)
#[test]
fn variables_have_their_limits() {
    let (proxy, folder, _server) = variables(&Program::ours());
    let said = |typed: &str| command(&folder.path().join("stats"), typed);
    let long = |letters: usize| said(&format!("experimental-mode on;set var proc.word str({})", "x".repeat(letters)));
    assert!(long(700).starts_with("\n[3]: "));
    assert_eq!(said("get var proc.word"), "[6]: proc.word: type=str value=<HELLO>\n");
    assert_eq!(long(300), "\n\n");
    for number in 0..20 {
        said(&format!("experimental-mode on;set var proc.v{number} int(1)"));
    }
    assert!(said("get var proc.v0").starts_with("[6]: ") && said("get var proc.v19").starts_with("[3]: "));
    drop(proxy);
}

/// A variable of each scope for which there is room is found by the rule behind it, and one for which there is none is not.
#[test]
fn variables_of_each_scope_have_their_limits() {
    let long = "x".repeat(100);
    for (tune, name, when) in [
        ("sess", "sess.a", "connection"),
        ("txn", "txn.a", "content"),
        ("reqres", "req.a", "content"),
        ("global", "sess.a", "connection"),
        ("proc", "txn.a", "content"),
    ] {
        for (limit, fits) in [(179, false), (180, true)] {
            let (door, echo) = (ports::free(), Backend::echo());
            let config = format!(
                "global\n tune.vars.{tune}-max-size {limit}\n\
                 defaults\n mode tcp\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
                 listen l\n bind {door}\n tcp-request {when} set-var({name}) str({long})\n\
                 tcp-request {when} reject if {{ var({name}) -m found }}\n server s {}\n",
                echo.address
            );
            let _proxy = Proxy::start(&Program::ours(), &config);
            // What a session takes it gives back: the second one fits as well.
            for _ in 0..2 {
                assert_eq!(served(door), !fits, "tune.vars.{tune}-max-size {limit}, {name}");
            }
        }
    }
}

#[test]
fn variables_of_checks_have_their_limit() {
    for (limit, want) in [(179, "|"), (180, "xxxxxxxxxx|")] {
        let server = TcpListener::bind(ports::free()).expect("a server");
        let config = format!(
            "global\n tune.vars.check-max-size {limit}\n\
             defaults\n mode tcp\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
             listen l\n bind {}\n option tcp-check\n tcp-check set-var(check.a) str({})\n tcp-check connect\n\
             tcp-check send-lf \"%[var(check.a),bytes(0,10)]|\"\n tcp-check expect string never\n server s {} check inter 50\n",
            ports::free(),
            "x".repeat(100),
            server.local_addr().expect("its address"),
        );
        let _proxy = Proxy::start(&Program::ours(), &config);
        let (mut stream, _) = server.accept().expect("a check");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
        let mut said = vec![0; want.len()];
        stream.read_exact(&mut said).expect("what the check says");
        assert_eq!(String::from_utf8_lossy(&said), want, "tune.vars.check-max-size {limit}");
    }
}
