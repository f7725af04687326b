//! Converters and fetches that haproxy has only since 2.8 or later: tests of ours alone, held against what the manual of 3.x says.
//! What 2.6 knows, too, is compared with it in `tests/expressions.rs`, `tests/session_facts.rs` and `tests/counters.rs`.

mod harness;

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports};

use std::io::{Read, Write};

/// What each expression is in the line of a session of five bytes and their echo. `sections`: what else the configuration has;
/// `rules`: what its listener has.
fn logged(sections: &str, rules: &str, expressions: &[&str]) -> Vec<String> {
    let (log, sink) = LogReceiver::udp();
    let (echo, door) = (Backend::echo(), ports::free());
    let format: String = expressions.iter().map(|expression| format!("|%[{expression}]")).collect();
    let _proxy = Proxy::start(
        &Program::ours(),
        &format!(
            "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n{sections}\
             listen l\n bind {door}\n log {sink} len 20000 format raw local0\n log-format 'line %B{format}'\n{rules} server s {}\n",
            echo.address
        ),
    );
    let mut stream = client::connect(door);
    stream.write_all(b"hello").expect("sent");
    stream.read_exact(&mut [0; 5]).expect("echoed");
    drop(stream);
    log.wait_for("line 5|").split('|').skip(1).map(str::to_owned).collect()
}

/// Each expression with what it must be, in the order of the line.
#[track_caller]
fn are(sections: &str, rules: &str, pairs: &[(&str, &str)]) {
    let expressions: Vec<&str> = pairs.iter().map(|(expression, _)| *expression).collect();
    let values = logged(sections, rules, &expressions);
    assert_eq!(values.len(), pairs.len(), "{values:?}");
    for (value, (expression, want)) in values.iter().zip(pairs) {
        assert_eq!(value, want, "{expression}");
    }
}

#[test]
fn converters_count_in_tables() {
    let tables = "backend single\n stick-table type string size 10 expire 1m store gpc0,gpc0_rate(1m),gpc1\n\
                  backend array\n stick-table type string size 10 store gpc(2),gpc_rate(2,1m)\n\
                  backend empty\n stick-table type string size 10\n";
    are(
        tables,
        "",
        &[
            ("str(a),table_inc_gpc0(single)", "1"),
            ("str(a),table_inc_gpc0(single)", "2"),
            ("str(a),table_gpc0_rate(single)", "2"), // a rate is counted with it
            ("str(b),table_inc_gpc0(single)", "1"),
            ("str(a),table_inc_gpc1(single)", "1"),
            ("str(a),table_clr_gpc0(single)", "2"), // what it was
            ("str(a),table_gpc0(single)", "0"),
            ("str(a),table_clr_gpc1(single)", "1"),
            ("str(new),table_clr_gpc0(single)", "0"), // makes an entry
            ("str(new),in_table(single)", "1"),
            ("str(a),table_inc_gpc(1,array)", "1"),
            ("str(a),table_inc_gpc(1,array)", "2"),
            ("str(a),table_inc_gpc(0,array)", "1"),
            ("str(a),table_gpc_rate(1,array)", "2"),
            ("str(a),table_clr_gpc(1,array)", "2"),
            ("str(a),table_gpc(1,array)", "0"),
            ("str(a),table_inc_gpc(9,array)", "0"), // no such counter
            ("str(a),table_inc_gpc0(empty)", "0"),
        ],
    );
}

#[test]
fn converters_say_how_old_entries_are() {
    let table = "backend t\n stick-table type string size 10 expire 1m store gpc0\nbackend forever\n stick-table type string size 9\n";
    let values = logged(
        table,
        " tcp-request content track-sc0 str(a) table t\n tcp-request content track-sc1 str(a) table forever\n",
        &[
            "str(a),table_expire(t)",
            "str(a),table_idle(t)",
            "str(no),table_expire(t)",
            "str(no),table_expire(t,77)",
            "str(no),table_idle(t)",
            "str(no),table_idle(t,78)",
            "str(a),table_idle(forever,79)",
            "str(a),table_expire(forever,80)",
        ],
    );
    let number = |ix: usize| values[ix].parse::<u32>().expect("milliseconds");
    assert!((1..=60_000).contains(&number(0)) && number(1) < 60_000, "{values:?}");
    assert_eq!(values[2..6], ["-", "77", "-", "78"]);
    assert!(number(6) < 60_000, "{values:?}");
    assert_eq!(values[7], "80", "an entry that stays has no time");
}

#[test]
fn names_of_servers_and_frontends_are_looked_up() {
    let sections = format!(
        "backend b\n server up 127.0.0.1:9\n server out 127.0.0.1:9 disabled\nfrontend f\n bind {}\n default_backend b\n",
        ports::free()
    );
    are(
        &sections,
        "",
        &[
            ("str(b/up),srv_is_up", "1"),
            ("str(b/out),srv_is_up", "0"),
            ("str(s),srv_is_up", "1"), // one of the own backend
            ("str(up),srv_is_up", "-"),
            ("str(x/up),srv_is_up", "-"),
            ("str(f),fe_exists", "1"),
            ("str(l),fe_exists", "1"),
            ("str(b),fe_exists", "0"),
            ("str(),fe_exists", "0"),
        ],
    );
}
