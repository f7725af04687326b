//! Converters and fetches that haproxy has only since 2.8 or later: tests of ours alone, held against what the manual of 3.x says.
//! What 2.6 knows, too, is compared with it in `tests/expressions.rs`, `tests/session_facts.rs` and `tests/counters.rs`.

mod harness;

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::{self, Proxy};
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

#[test]
fn sessions_know_what_they_track_and_who_they_are() {
    let tables = "backend ip\n stick-table type ip size 9\nbackend six\n stick-table type ipv6 size 9\nbackend number\n stick-table type integer \
                  size 9\nbackend text\n stick-table type string len 4 size 9\nbackend bytes\n stick-table type binary len 3 size 9\n";
    let own = "127.0.0.1";
    let rules = " tcp-request connection track-sc0 src table ip\n tcp-request connection track-sc1 src table six\n tcp-request content track-sc2 \
                 int(77) table number\n tcp-request connection set-var(sess.early) sc0_key\n tcp-request content set-var(txn.next) sc2_key,add(1)\n";
    let six = format!("::ffff:{own}");
    are(
        tables,
        rules,
        &[
            ("sc0_key", own),
            ("sc1_key", &six),
            ("sc2_key", "77"),
            ("sc_key(0)", own),
            ("sc_key(2)", "77"),
            ("sc_key(3)", "-"),
            ("var(sess.early)", own),
            ("var(txn.next)", "78"),
            ("quic_enabled", "0"),
        ],
    );
    let rules = " tcp-request content track-sc0 str(abcdef) table text\n tcp-request content track-sc1 bin(0102) table bytes\n tcp-request content accept\n";
    let values = logged(
        tables,
        rules,
        &["sc0_key", "sc1_key,hex", "last_entity", "last_rule_file", "last_rule_line", "txn.id32"],
    );
    assert_eq!(values[..2], ["abcd", "010200"]);
    assert_eq!(values[2], format!("{}:{}", values[3], values[4]));
    assert!(values[4].parse::<u32>().is_ok_and(|line| line > 1), "{values:?}");
    assert_eq!(values[5].parse(), Ok(0_u32), "the first session of its process");
    assert_eq!(logged("", "", &["last_entity"]), ["-"]);
}

/// A PROXY header of version 2 over IPv4 that says these things besides.
fn announcing(tlvs: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 198, 51, 100, 9, 0x04, 0x57, 0x08, 0xae];
    let length = (addresses.len() + tlvs.len()) as u16;
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length.to_be_bytes()[..], &addresses, tlvs].concat()
}

#[test]
fn what_proxy_headers_say_is_kept_for_who_asks() {
    let (log, sink) = LogReceiver::udp();
    let (echo, door) = (Backend::echo(), ports::free());
    let config = format!(
        "defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten l\n bind {door} accept-proxy\n log {sink} len 9000 \
         format raw local0\n tcp-request session reject if {{ fc_pp_tlv(227) -m str no }}\n log-format 'line %B|%[fc_pp_tlv(AUTHORITY)]|%[fc_pp_tlv(2)]|%[fc_pp_tlv(SSL_CN)]|%[fc_pp_tlv(0)]|\
         %[fc_pp_tlv(224),hex]'\n server s {}\n",
        echo.address
    );
    let mut daemon = Daemon::start(&Program::ours(), &config);
    let tlvs = b"\x02\0\x07ex.test\x20\0\x0b\x01\0\0\0\0\x22\0\x03dev\xe0\0\x02\x01\xff";
    let mut stream = client::connect(door);
    stream.write_all(&announcing(tlvs)).expect("sent");
    stream.write_all(b"hello").expect("sent");
    stream.read_exact(&mut [0; 5]).expect("echoed");
    // it goes along to the next process
    daemon.reload_well();
    daemon.settle();
    drop(stream);
    assert_eq!(log.wait_for("line 5|"), "line 5|ex.test|ex.test|dev|-|01FF");
    let mut refused = client::connect(door);
    refused.write_all(&announcing(b"\xe3\0\x02no")).expect("sent");
    assert!(!matches!(refused.read(&mut [0; 1]), Ok(1..)), "a rule looks at it, too");
}

#[test]
fn the_first_packet_of_a_client_is_kept() {
    let (log, sink) = LogReceiver::udp();
    let (echo, doors) = (Backend::echo(), [ports::free(), ports::free()]);
    let _proxy = Proxy::start(
        &Program::ours(),
        &format!(
            "defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nfrontend f\n bind {} tcp-ss 1\n bind {}\n log {sink} \
             len 9000 format raw local0\n tcp-request connection set-var(sess.syn) fc_saved_syn\n log-format 'line %B|%fp|%cp|%[var(sess.syn),ip.ver]|\
             %[var(sess.syn),ip.src]|%[var(sess.syn),ip.proto]|%[var(sess.syn),ip.data,tcp.src]|%[var(sess.syn),ip.data,tcp.dst]|\
             %[var(sess.syn),ip.data,tcp.flags,and(18)]|%[var(sess.syn),ip.data,tcp.options.wsopt]|%[fc_saved_syn,hex]'\n default_backend b\n\
             backend b\n server s {}\n",
            doors[0], doors[1], echo.address
        ),
    );
    for (door, kept) in doors.iter().zip([true, false]) {
        let mut stream = client::connect(*door);
        stream.write_all(b"hello").expect("sent");
        stream.read_exact(&mut [0; 5]).expect("echoed");
        let own = stream.local_addr().expect("an address");
        let (ip, own) = (own.ip(), own.port());
        drop(stream);
        let line = log.wait_for(&format!("line 5|{}|", door.port()));
        let want = match kept {
            true => format!("line 5|{0}|{own}|4|{ip}|6|{own}|{0}|2|1|-", door.port()),
            false => format!("line 5|{}|{own}|-|-|-|-|-|-|-|-", door.port()),
        };
        assert_eq!(line, want);
    }
}

#[test]
fn expressions_name_acls() {
    let rules = " acl loud req.payload(0,5) -m str HELLO\n acl loud str(b) b\n acl local src 127.0.0.0/8\n acl away src 192.0.2.0/24\n acl many \
                 nbsrv(l) gt 5\n tcp-request inspect-delay 5s\n tcp-request content set-var(txn.early) acl(late)\n tcp-request content reject unless \
                 { acl(REQ_CONTENT,local) }\n acl late int(1) 1\n tcp-request content set-var(txn.both) acl(local,!away)\n";
    are(
        "",
        rules,
        &[
            ("acl(local)", "1"),
            ("acl(!local)", "0"),
            ("acl(away)", "0"),
            ("acl(local,!away)", "1"),
            ("acl(local,away)", "0"),
            ("acl(loud)", "1"), // one of two tests
            ("acl(many)", "0"),
            ("acl(TRUE)", "1"),
            ("acl(TRUE,FALSE)", "0"),
            ("var(txn.early)", "1"), // written below the rule
            ("var(txn.both)", "1"),
            ("str(a),when(acl,local)", "a"),
            ("str(a),when(!acl,local)", "-"),
            ("str(a),when(acl,away)", "-"),
            ("str(a),when(acl,many),upper", "-"),
        ],
    );
    for (rule, good) in [
        ("tcp-request content set-var(txn.a) acl(nobody)", false),
        ("tcp-request content set-var(txn.a) str(a),when(acl,nobody)", false),
        ("tcp-request content set-var(txn.a) acl()", false),
        ("acl a acl(TRUE)", false), // refused: it could name itself
        ("acl a str(x),when(acl,a) -m found", false),
        ("tcp-request content set-var(txn.a) acl(LOCALHOST)", true),
        ("tcp-request content set-var(txn.a) str(a),when(nothing)", false),
        ("tcp-request content set-var(txn.a) str(a),when(error,x)", false),
        ("tcp-request content set-var(txn.a) str(a),when(acl)", false),
    ] {
        let config = format!(
            "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nlisten l\n bind {}\n {rule}\n server s 127.0.0.1:9\n",
            ports::free()
        );
        let said = proxy::check(&Program::ours(), &config);
        assert_eq!(said.status.success(), good, "{rule}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn values_pass_on_occasions() {
    let occasions = [
        "error",
        "!error",
        "normal",
        "!normal",
        "forwarded",
        "!forwarded",
        "processed",
        "toapplet",
        "!toapplet",
        "stopping",
    ];
    let expressions: Vec<String> = occasions.iter().map(|occasion| format!("str(x),when({occasion})")).collect();
    let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
    assert_eq!(logged("", "", &expressions), ["-", "x", "x", "-", "x", "-", "x", "-", "x", "-"]);
    // one that no server takes
    let (log, sink) = LogReceiver::udp();
    let door = ports::free();
    let _proxy = Proxy::start(
        &Program::ours(),
        &format!(
            "defaults\n mode tcp\n retries 0\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten l\n bind {door}\n log {sink} format \
             raw local0\n log-format 'line %ts|%[str(x),when(error)]|%[str(x),when(normal)]|%[str(x),when(forwarded)]'\n server s {}\n",
            ports::refused()
        ),
    );
    let _client = client::connect(door);
    assert_eq!(log.wait_for("line SC"), "line SC|x|-|-");
}

/// The lines of pages pass where applets do; those of requests that no page answers do not.
#[test]
fn values_pass_for_pages() {
    let (log, sink) = LogReceiver::udp();
    let door = ports::free();
    let _proxy = Proxy::start(
        &Program::ours(),
        &format!(
            "defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten l\n bind {door}\n log {sink} format \
             raw local0\n log-format 'line %ST|%[str(x),when(toapplet)]|%[str(x),when(processed)]|%[str(x),when(forwarded)]|%[str(x),when(error)]'\n \
             stats uri /page\n"
        ),
    );
    for (path, line) in [("/page", "line 200|x|x|-|-"), ("/other", "line 503|-|-|-|x")] {
        let mut stream = client::connect(door);
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("sent");
        client::read_all(&mut stream).expect("an answer");
        assert_eq!(log.wait_for(&line[..8]), line);
    }
}
