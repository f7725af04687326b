//! Stick tables at the runtime socket: baton and haproxy are asked the same and answer the same.
//!
//! What differs by chance (the address of an entry, milliseconds) is left out; an error is an error, its words are each
//! program's own. What sessions count is `tests/tracking.rs`'s.

mod harness;

use std::path::PathBuf;

use harness::program::Program;
use harness::proxy::Proxy;
use harness::{ports, stats};

const TABLES: &str = "\
backend ip
 stick-table type ip size 5 expire 30m store gpc0,gpc0_rate(10s),conn_cnt,conn_cur,conn_rate(10s),sess_cnt,sess_rate(20s),http_req_cnt,http_req_rate(10s),http_err_cnt,http_err_rate(10s),http_fail_cnt,http_fail_rate(10s),bytes_in_cnt,bytes_in_rate(10s),bytes_out_cnt,bytes_out_rate(10s),gpt0,gpc1,gpc1_rate(10s),server_id
backend six
 stick-table type ipv6 size 5 store gpc(3),gpc_rate(2,10s),gpt(2)
backend full
 stick-table type integer size 3 nopurge store gpc0
backend number
 stick-table type integer size 1000 expire 1h store gpc0
backend text
 stick-table type string len 10 size 10k expire 1m store gpc0,server_id,bytes_in_cnt,server_key
backend bytes
 stick-table type binary len 4 size 10k
backend short
 stick-table type string size 10 expire 1ms
backend plain
 stick-table type string size 300
backend none
";

/// A program with tables.
struct Run {
    _proxy: Proxy,
    folder: tempfile::TempDir,
}

impl Run {
    fn start(program: &Program) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sockets: String = ["admin", "operator", "user"]
            .iter()
            .map(|level| format!(" stats socket {}/{level} level {level}\n", folder.path().display()))
            .collect();
        let config = format!(
            "global\n{sockets}defaults\n mode tcp\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n{TABLES}\
             frontend f\n bind {}\n default_backend none\n",
            ports::free()
        );
        Self { _proxy: Proxy::start(program, &config), folder }
    }

    fn socket(&self, level: &str) -> PathBuf {
        self.folder.path().join(level)
    }

    /// The answer as far as both programs give it.
    fn ask(&self, level: &str, command: &str) -> String {
        let answer = stats::command(&self.socket(level), &format!("set severity-output number;{command}"));
        let mut said = String::new();
        for line in answer.lines().filter(|line| !line.is_empty()) {
            if line.starts_with("[3]: ") {
                said.push_str(if line.contains("Permission denied") { "denied\n" } else { "an error\n" });
            } else {
                let line = line.split_once(": key=").map_or(line.to_owned(), |(_, rest)| format!("key={rest}"));
                said.push_str(&timeless(&line));
                said.push('\n');
            }
        }
        said
    }
}

/// A line with its time to expire in minutes, rounded up.
fn timeless(line: &str) -> String {
    let Some((before, rest)) = line.split_once(" exp=") else { return line.to_owned() };
    let (time, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let minutes = time.parse::<u64>().expect("milliseconds").div_ceil(60_000);
    format!("{before} exp={minutes}m {after}").trim_end().to_owned()
}

/// Commands that are typed one after the other, by administrators.
const COMMANDS: &str = r#"show table
show table ip
set table ip key 10.0.0.1 data.gpc0 5 data.conn_rate 7
set table ip key 10.0.0.2
show table ip
show table ip key 10.0.0.1
show table ip key 10.0.0.9
show table ip key foo
show table ip key
show table ip foo
show table ip data
show table ip data.
show table ip data.foo
show table ip data.gpc0
show table ip data.gpc0 gt
show table ip data.gpc0 gt x
show table ip data.gpc0 xx 1
show table ip data.gpc0 gt 1
show table ip data.gpc0 gt 1 data.conn_rate gt 1
show table ip data.gpc0 gt 1 data.conn_rate gt 7
show table ip data.gpc0 gt 1 data.gpc0 gt 1 data.gpc0 gt 1 data.gpc0 gt 1 data.gpc0 gt 1
show table ip data.gpc0 gt 1 foo
show table plain data.gpc0 gt 1
set table ip key 10.0.0.3
set table ip key 10.0.0.4
set table ip key 10.0.0.5
set table ip key 10.0.0.1 data.bytes_in_rate 99
set table ip key 10.0.0.6
show table ip
set table ip key 10.0.0.7
set table ip key 10.0.0.8
show table ip
clear table ip data.gpc0 gt 1
show table ip
clear table ip key 10.0.0.9
clear table ip key 10.0.0.8
show table ip
clear table ip data.gpc0 eq 0 data.conn_cnt eq 1
clear table ip data.gpc0 eq 0 data.conn_cnt eq 0
show table ip
set table six key ::1 data.gpc0 3
set table six key ::1 data.gpc 3
set table six key ::1 data.gpc[1] 3
set table six key 2001:db8::00:1 data.gpt 4 data.gpc_rate 9
set table six key 10.0.0.1
set table six key ::ffff:1.2.3.4
show table six
show table six data.gpc gt 1
show table six data.gpc_rate eq 9
set table full key 1 data.gpc0 1
set table full key 256
set table full key 2
set table full key 3
show table full
set table number key 5 data.gpc0 3
set table number key -5 data.gpc0 3
set table number key x data.gpc0 3
set table number key 99999999999
set table number key 4294967295
set table number key 007
set table number key 1x
set table number key 0x10
set table number key +9
set table number key 65536
show table number
show table number key 7x
clear table number key x
set table text key abcdefghijklmnop data.server_id 2 data.gpc0 4
show table text key abcdefghijXXX
set table text key a\ b
set table text key a\\b
set table text key x=y;set table text key "q
set table text key 10.0.0.1
set table text key q data.foo 9
set table text key q data.gpc0
set table text key q data.gpc0 x
set table text key q data.gpc0 0x10
set table text key r data.gpc0 -1
set table text key s data.gpc0 99999999999
set table text key t data.bytes_in_cnt 99999999999
set table text key u data.bytes_in_cnt -1
set table text key v data.server_key x
set table text key w data.conn_cnt 3
set table text key x foo 3
set table text key y data.gpc0 5 data.gpc0 6 data.server_id zz
set table text key é
set table text key
set table text foo
set table
set table nothere
set table none key x
show table text
show table text data.bytes_in_cnt lt 0
show table text data.bytes_in_cnt gt 0
show table text data.server_key eq 0
show table text data.server_id ne 0
show table text data.gpc0 le -9
show table text data.gpc0 eq 99999999999999999999
show table text data.gpc0 ge 4294967295
set table bytes key abc
show table bytes key abc
clear table bytes key abc
show table bytes
clear table
clear table text foo
clear table text data
clear table text data.gpc0
clear table text data.foo eq 1
clear table text data.gpc0 eq x
clear table text key
clear table nothere
clear table nothere key x
clear table text key nothere
clear table text
show table text
show table none
show table nothere
show table nothere data.x
show table
"#;

/// What administrators, operators and users are answered.
fn conversation(program: &Program) -> Vec<String> {
    let run = Run::start(program);
    let mut said: Vec<String> =
        COMMANDS.lines().map(|command| format!("{command}\n{}", run.ask("admin", command))).collect();
    for level in ["operator", "user"] {
        for command in ["set table plain key a", "show table", "show table plain", "show table plain key a"] {
            said.push(format!("{level} {command}\n{}", run.ask(level, command)));
        }
        for command in ["clear table plain key a", "show table nothere"] {
            said.push(format!("{level} {command}\n{}", run.ask(level, command)));
        }
    }
    said
}

#[test]
fn commands_say_the_same_on_both_programs() {
    let theirs = conversation(&Program::theirs());
    assert!(
        theirs.iter().any(|said| said.contains("key=10.0.0.1 use=0 exp=30m server_id=0 gpt0=0 gpc0=5")),
        "{theirs:#?}"
    );
    for (ours, theirs) in conversation(&Program::ours()).iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

/// A full table makes room for more than one at once, and forgets who was not touched for longest.
#[test]
fn full_tables_purge_alike() {
    let [ours, theirs] = [Program::ours(), Program::theirs()].map(|program| {
        let run = Run::start(&program);
        let orders: Vec<String> = (0..1000).map(|number| format!("set table number key {number}")).collect();
        for orders in orders.chunks(50) {
            run.ask("admin", &orders.join(";"));
        }
        run.ask("admin", "set table number key 0");
        let before = run.ask("admin", "show table number").lines().count();
        run.ask("admin", "set table number key 5000");
        (before, run.ask("admin", "show table number"))
    });
    assert_eq!(ours, theirs);
    assert_eq!(ours.0, 1001);
}

/// Who is not touched is gone after `expire`, and the table says so by itself.
#[test]
fn entries_expire_alike() {
    for program in [Program::ours(), Program::theirs()] {
        let run = Run::start(&program);
        run.ask("admin", "set table short key a");
        harness::wait::until_true("the entry to go", || {
            run.ask("admin", "show table short") == "# table: short, type: string, size:10, used:0\n"
        });
    }
}
