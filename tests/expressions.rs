//! Expressions, patterns and conditions: each line of fixtures/expr is asked of haproxy and of the engine.
//!
//! `EXPRESSION ⇒ =TEXT` (its value as text, `\x..` for other bytes), `⇒ none` (no value) or `⇒ error` (it is refused);
//! in conditions.txt `⇒ yes` or `⇒ no`. What differs on purpose stands in differences.txt with both answers and a reason.

mod harness;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use baton::expr::pattern::Lists;
use baton::expr::{Acls, Condition, Context, Expr, Facts, Place, Scope, Truth, Value, VarName};
use baton::text::{Span, World};
use harness::program::Program;
use harness::proxy::{self, Proxy};
use harness::{client, ports};

const FILES: [&str; 13] = [
    "arguments",
    "casts",
    "integers",
    "hashes",
    "encodings",
    "strings",
    "dates",
    "structured",
    "fix",
    "mqtt",
    "maps",
    "ciphers",
    "signatures",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expr")
}

/// The lines of a fixture: what is asked, and the answers.
fn rows(file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder().join(format!("{file}.txt"))).expect("a fixture");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let rows: Vec<Vec<String>> = lines.map(|line| line.split(" ⇒ ").map(str::to_owned).collect()).collect();
    assert!(rows.iter().all(|row| row.len() >= 2) && !rows.is_empty(), "{file}");
    rows
}

/// All expressions with one of their answers: 1 is haproxy's, the last one ours.
fn expressions(ours: bool) -> Vec<(String, String)> {
    let differ: HashMap<String, Vec<String>> =
        rows("differences").into_iter().map(|row| (row[0].clone(), row)).collect();
    let mut all: Vec<(String, String)> = FILES
        .iter()
        .flat_map(|file| rows(file))
        .filter(|row| !differ.contains_key(&row[0]))
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    all.extend(differ.into_values().map(|row| (row[0].clone(), row[if ours { 2 } else { 1 }].clone())));
    let mut seen = HashSet::new();
    all.retain(|(expression, _)| seen.insert(expression.clone()));
    all
}

fn shown(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'\\' => "\\\\".to_owned(),
            b' '..=b'~' => char::from(*byte).to_string(),
            byte => format!("\\x{byte:02x}"),
        })
        .collect()
}

struct Here;

impl World for Here {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(|value| value.into_encoded_bytes())
    }
    fn set_env(&mut self, _: &str, _: Option<&[u8]>) {}
    fn keep_env(&mut self, _: &[String]) {}
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(folder().join("files").join(path))
    }
    fn list(&self, _: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        Ok(None)
    }
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if host == "localhost" { Ok(vec![[127, 0, 0, 1].into()]) } else { Err(io::ErrorKind::NotFound.into()) }
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn group(&self, _: &str) -> Option<u32> {
        None
    }
    fn feature(&self, _: &str) -> bool {
        false
    }
    fn hostname(&self) -> String {
        "host".to_owned()
    }
    fn processors(&self) -> usize {
        1
    }
}

/// The variables that the rules below set, and those that expressions set.
struct Session(RefCell<HashMap<String, Value<'static>>>);

impl Session {
    fn new() -> Self {
        let text = |text: &[u8]| Value::owned(text.to_vec());
        let known = [
            ("txn.s", text(b"abc")),
            ("txn.i", Value::Int(42)),
            ("txn.b", Value::Bool(true)),
            ("txn.a", Value::ip([10, 1, 2, 3].into())),
            ("txn.x", Value::bytes(vec![0, 255, 0x41])),
            ("txn.six", Value::ip("2001:db8::1".parse().expect("an address"))),
            ("txn.e", text(b"")),
            ("proc.g", Value::Int(7)),
        ];
        Self(RefCell::new(known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }
}

impl Facts for Session {
    fn variable(&self, name: &VarName) -> Option<Value<'_>> {
        self.0.borrow().get(&name.to_string()).cloned()
    }

    fn set_variable(&self, name: &VarName, value: Option<Value<'_>>) {
        match value {
            Some(value) => drop(self.0.borrow_mut().insert(name.to_string(), value.into_owned())),
            None => drop(self.0.borrow_mut().remove(&name.to_string())),
        }
    }

    fn variables(&self, scope: Scope, see: &mut dyn FnMut(&str, &Value<'_>)) {
        for (name, value) in self.0.borrow().iter() {
            if let Some((_, name)) = name.split_once('.').filter(|(of, _)| *of == scope.name()) {
                see(name, value);
            }
        }
    }

    /// Those of the process are there from the start.
    fn variable_exists(&self, name: &VarName) -> bool {
        name.to_string().starts_with("proc.") || self.variable(name).is_some()
    }
}

/// What the rules of a proxy know before an expression.
const RULES: &str = "
    http-request set-var(txn.s) str(abc)
    http-request set-var(txn.i) int(42)
    http-request set-var(txn.b) bool(true)
    http-request set-var(txn.a) ipv4(10.1.2.3)
    http-request set-var(txn.x) bin(00ff41)
    http-request set-var(txn.six) ipv6(2001:db8::1)
    http-request set-var(txn.e) str()
";

/// What is answered of the value.
const ANSWERS: &str = "
    http-request return status 200 content-type text/plain lf-string =%[var(txn.r)] if { var(txn.r) -m found }
    http-request return status 404
";

/// With the names of files as paths.
fn with_paths(text: &str) -> String {
    let mut out = text.to_owned();
    let names = std::fs::read_dir(folder().join("files")).expect("the files");
    let mut names: Vec<String> =
        names.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for before in ["(", " ", ","] {
        for name in &names {
            let path = folder().join("files").join(name);
            out = out.replace(&format!("{before}{name}"), &format!("{before}{}", path.display()));
        }
    }
    out
}

fn configuration(rules: &str) -> (String, std::net::SocketAddr) {
    let address = ports::free();
    let text = format!(
        "global\n    set-var proc.g int(7)\ndefaults\n    mode http\n    timeout client 10s\n    timeout server 10s\n    \
         timeout connect 10s\nbackend tb\n    stick-table type string size 10 store gpc0,conn_cnt\n    server s1 127.0.0.1:1\n\
         frontend f\n    bind {address}\n{RULES}{rules}"
    );
    (text, address)
}

#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn expressions_of_ours() {
    let lists = Lists::default();
    let context = Context { place: Place::FrontendHttpRequest, strict: true, world: &Here, lists: &lists };
    let mut problems = Vec::new();
    for (expression, want) in expressions(true) {
        let session = Session::new();
        let got = match Expr::parse(expression.as_bytes(), &context) {
            Err(why) if why.not_built() => format!("not built ({why})"),
            Err(_) => "error".to_owned(),
            Ok(expr) => match expr.value(&session) {
                Some(value) => format!("={}", shown(&value.to_text())),
                None => "none".to_owned(),
            },
        };
        let same = got == want || want == "not built" && got.starts_with("not built");
        if !same {
            problems.push(format!("{expression}\n    want {want}\n    got  {got}"));
        }
    }
    none(problems);
}

#[test]
fn expressions_of_theirs() {
    let program = Program::theirs();
    let all = expressions(false);
    let quoted = |expression: &str| with_paths(expression).replace('\'', "'\\''");
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, want)| want != "error");
    let mut problems = Vec::new();
    // Not all in one process: what 2.6 makes of missing arguments depends on what it read before.
    for good in good.chunks(100) {
        let mut rules = String::new();
        for (ix, (expression, _)) in good.iter().enumerate() {
            rules.push_str(&format!("    http-request set-var(txn.r) '{}' if {{ path /{ix} }}\n", quoted(expression)));
        }
        rules.push_str(ANSWERS);
        let (config, address) = configuration(&rules);
        let proxy = Proxy::start(&program, &config);
        for (ix, (expression, want)) in good.iter().enumerate() {
            let mut stream = client::connect(address);
            let request = format!("GET /{ix} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            io::Write::write_all(&mut stream, request.as_bytes()).expect("a request");
            let answer = client::read_all(&mut stream).expect("an answer");
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
            let got = match answer.starts_with(b"HTTP/1.1 200") {
                true => shown(&answer[head + 4..]),
                false => "none".to_owned(),
            };
            if got != *want {
                problems.push(format!("{expression}\n    want {want}\n    got  {got}"));
            }
        }
        drop(proxy);
    }
    for (expression, _) in bad {
        let (config, _) = configuration(&format!("    http-request set-var(txn.r) '{}'\n", quoted(&expression)));
        if proxy::check(&program, &config).status.success() {
            problems.push(format!("{expression}\n    is accepted"));
        }
    }
    none(problems);
}

/// The words of a line: quotes and backslashes as in a configuration.
fn words(line: &str) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), Vec::new(), false, false);
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => (quoted, begun) = (!quoted, true),
            b'\\' => word.extend(bytes.next()),
            b' ' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            byte => word.push(byte),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

const ACLS: [&str; 4] = ["one int(1) 1", "zero int(0) 1", "multi str(a) x", "multi str(a) a"];

#[test]
fn conditions_of_ours() {
    let lists = Lists::default();
    let context = Context { place: Place::FrontendHttpRequest, strict: true, world: &Here, lists: &lists };
    let mut acls = Acls::default();
    for acl in ACLS {
        let words = words(acl);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        acls.define(&words, Span::default(), &context).expect(acl);
    }
    let mut problems = Vec::new();
    for row in rows("conditions") {
        let words = words(&format!("if {}", row[0]));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let got = match Condition::compile(&words, &acls, &context) {
            Err(why) => format!("error ({why})"),
            Ok(condition) => match condition.evaluate(&Session::new()) {
                Truth::True => "yes".to_owned(),
                Truth::False => "no".to_owned(),
                Truth::NotYet => "not yet".to_owned(),
            },
        };
        if !got.starts_with(&row[1]) {
            problems.push(format!("{}\n    want {}\n    got  {got}", row[0], row[1]));
        }
    }
    none(problems);
}

#[test]
fn conditions_of_theirs() {
    let program = Program::theirs();
    let acls: String = ACLS.iter().map(|acl| format!("    acl {acl}\n")).collect();
    let rows = rows("conditions");
    let (good, bad): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row[1] != "error");
    // Each adds an x if it holds, and then a dash comes: one request asks all.
    let mut rules = format!("{acls}    http-request set-var(txn.r) str()\n");
    for row in &good {
        rules.push_str(&format!("    http-request set-var(txn.r) var(txn.r),concat(x) if {}\n", with_paths(&row[0])));
        rules.push_str("    http-request set-var(txn.r) var(txn.r),concat(-)\n");
    }
    rules.push_str("    http-request return status 200 content-type text/plain lf-string %[var(txn.r)]\n");
    let (config, address) = configuration(&rules);
    let proxy = Proxy::start(&program, &config);
    let (_, body) = client::get(address, "/", "");
    drop(proxy);
    let said: Vec<&str> = body.trim_end_matches('-').split('-').collect();
    let mut problems = Vec::new();
    for (ix, row) in good.iter().enumerate() {
        let got = if said.get(ix) == Some(&"x") { "yes" } else { "no" };
        if got != row[1] {
            problems.push(format!("{}\n    want {}\n    got  {got}", row[0], row[1]));
        }
    }
    for row in bad {
        let (config, _) =
            configuration(&format!("{acls}    http-request return status 200 if {}\n", with_paths(&row[0])));
        if proxy::check(&program, &config).status.success() {
            problems.push(format!("{}\n    is accepted", row[0]));
        }
    }
    none(problems);
}
