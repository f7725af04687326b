//! What expressions learn of sessions and connections: at each place of a session's life, in logs, in conditions; both
//! programs say the same. What haproxy has only since 3.x is held against the variables of log lines that say the same.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

mod harness;

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports, stats};

/// Those whose value is another at each run: only whether there is a number is compared.
const VOLATILE: [&str; 13] = [
    "src_port",
    "dst_port",
    "fc_src_port",
    "fc_dst_port",
    "bc_src_port",
    "bc_dst_port",
    "fc_rtt",
    "fc_rtt(us)",
    "fc_rttvar(us)",
    "unique-id",
    "fe_sess_rate(fq)",
    "be_sess_rate(b1)",
    "srv_sess_rate(b1/s0)",
];

const LIMITS: &str = " timeout connect 1s\n timeout client 5s\n timeout server 6s\n timeout queue 20s\n";

/// `name=value` for each fetch, as a log format has it.
fn shown(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name}=%[{name}]")).collect::<Vec<_>>().join(" ")
}

/// Fields of a line that may be compared.
fn comparable(line: &str, folder: &str) -> Vec<String> {
    let field = |field: &str| match field.split_once('=') {
        Some((name, value)) if VOLATILE.contains(&name.rsplit_once(':').map_or(name, |(_, name)| name)) => {
            let number = value.parse::<i64>().map_or(value, |_| "a number");
            format!("{name}={number}")
        }
        _ => field.replace(folder, "FOLDER"),
    };
    line.split(' ').map(field).collect()
}

/// Runs a scenario on both and compares.
#[track_caller]
fn same(play: impl Fn(&Program) -> Vec<String>) {
    let (theirs, ours) = (play(&Program::theirs()), play(&Program::under_test()));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "within {theirs:?}");
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 1, "nothing was compared: {ours:?}");
}

/// A session of five bytes and their echo, closed by the client.
fn talk(stream: &mut (impl Read + Write)) {
    let _ = stream.write_all(b"hello");
    let _ = stream.read_exact(&mut [0; 5]);
}

#[test]
fn each_place_knows_what_haproxy_knows_there() {
    const ALWAYS: &[&str] = &[
        "src",
        "src_port",
        "dst",
        "dst_port",
        "fc_src",
        "fc_dst",
        "fc_src_port",
        "fc_dst_port",
        "fe_name",
        "fe_id",
        "so_id",
        "so_name",
        "fc_err",
        "fc_err_str",
        "fe_client_timeout",
        "fc_rtt(us)",
        "fc_rttvar(us)",
        "fc_unacked",
        "fc_reordering",
        "fc_fackets",
        "fc_lost",
        "fc_sacked",
        "fc_retrans",
        "cpu_ns_tot",
        "cpu_ns_avg",
        "lat_ns_tot",
        "lat_ns_avg",
        "last_rule_line",
        "last_rule_file",
        "prio_class",
        "prio_offset",
        "dst_conn",
        "fe_defbe",
        "fc_rcvd_proxy",
        "fc_pp_authority",
        "thread",
        "dst_is_local",
        "src_is_local",
        "fc_src_is_local",
        "fc_dst_is_local",
        "unique-id",
        "stopping",
        "nbsrv(be)",
    ];
    const BACKEND: &[&str] =
        &["be_name", "be_id", "be_server_timeout", "be_tunnel_timeout", "cur_server_timeout", "cur_tunnel_timeout"];
    const SERVER: &[&str] =
        &["srv_id", "srv_name", "bc_src", "bc_src_port", "bc_dst", "bc_dst_port", "bc_err", "bc_err_str"];
    let places: [(&str, &str, &str, Vec<&str>); 5] = [
        ("fe", "tcp-request connection", "sess", ALWAYS.to_vec()),
        ("fe", "tcp-request session", "sess", ALWAYS.to_vec()),
        ("fe", "tcp-request content", "txn", ALWAYS.to_vec()),
        ("be", "tcp-request content", "txn", [ALWAYS, BACKEND].concat()),
        ("be", "tcp-response content", "txn", [ALWAYS, BACKEND, SERVER].concat()),
    ];
    let (mut front, mut back, mut format) = (String::new(), String::new(), Vec::new());
    for (place, (section, rule, scope, fetches)) in places.iter().enumerate() {
        for (number, fetch) in fetches.iter().enumerate() {
            let name = format!("{scope}.p{place}x{number}");
            let rules = if *section == "fe" { &mut front } else { &mut back };
            *rules += &format!(" {rule} set-var({name}) {fetch}\n");
            format.push(format!("{place}:{fetch}=%[var({name})]"));
        }
    }
    format.extend([ALWAYS, BACKEND].concat().iter().map(|fetch| format!("log:{fetch}=%[{fetch}]")));
    let format = format.join(" ");
    same(|program| {
        let (log, sink) = LogReceiver::udp();
        let (echo, door) = (Backend::echo(), ports::free());
        let proxy = Proxy::start(
            program,
            &format!(
                "global\n nbthread 1\ndefaults\n mode tcp\n{LIMITS} timeout tunnel 8s\n\
                 frontend fe\n bind {door} name door id 77\n log {sink} len 40000 format raw local0\n \
                 log-format \"line {format} %tsc\"\n unique-id-format %[rand]\n{front} \
                 tcp-request inspect-delay 5s\n tcp-request content accept if {{ req.len gt 0 }}\n default_backend be\n\
                 backend be\n id 9\n{back} tcp-response content accept\n server s1 {} id 44\n",
                echo.address
            ),
        );
        talk(&mut client::connect(door));
        let own = echo.address.ip().to_string();
        let fields = comparable(&log.wait_for("line "), &proxy.folder().display().to_string());
        fields.iter().map(|field| field.replace(&own, "HOST")).filter(|field| !field.is_empty()).collect()
    });
}

#[test]
fn loads_queues_and_servers() {
    let backends: [(&str, &[&str], &str); 7] = [
        ("b1", &["maxconn 1", "maxconn 1"], ""),
        ("b2", &["maxconn 3 maxqueue 4", "maxconn 5 maxqueue 6 disabled"], ""),
        ("b3", &["maxconn 3 maxqueue 4", "maxconn 5 maxqueue 6 backup", "maxconn 5"], ""),
        ("b4", &["maxconn 3 maxqueue 4 disabled", "maxconn 5 maxqueue 6 backup", "maxconn 6 maxqueue 3 backup"], ""),
        ("b5", &["maxconn 3 weight 10", "maxconn 5 weight 20"], ""),
        ("b6", &["maxconn 3 disabled", "maxconn 4 maxqueue 2 backup", "backup"], " option allbackups\n"),
        ("b7", &[], ""),
    ];
    let mut names: Vec<String> = [
        "fe_conn(fq)",
        "fe_conn",
        "fe_req_rate",
        "fe_sess_rate(fq)",
        "be_sess_rate(b1)",
        "srv_sess_rate(b1/s0)",
        "be_sess_rate(b7)",
    ]
    .map(str::to_owned)
    .to_vec();
    for (backend, servers, _) in backends {
        for fetch in ["nbsrv", "avg_queue", "queue", "be_conn", "be_conn_free", "connslots"] {
            names.push(format!("{fetch}({backend})"));
        }
        names.push(format!("str({backend}),nbsrv"));
        for (number, _) in servers.iter().enumerate() {
            for fetch in
                ["srv_conn", "srv_conn_free", "srv_is_up", "srv_queue", "srv_iweight", "srv_uweight", "srv_weight"]
            {
                names.push(format!("{fetch}({backend}/s{number})"));
            }
            names.push(format!("str({backend}/s{number}),srv_queue"));
        }
    }
    let format = shown(&names.iter().map(String::as_str).collect::<Vec<_>>());
    same(|program| {
        let (log, sink) = LogReceiver::udp();
        let (echo, door, queue) = (Backend::echo(), ports::free(), ports::free());
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("stats");
        let mut config = format!(
            "global\n nbthread 1\n stats socket {} level admin\ndefaults\n mode tcp\n{LIMITS}\
             frontend fe\n bind {door}\n log {sink} len 40000 format raw local0\n log-format \"line {format}\"\n \
             default_backend b5\nfrontend fq\n bind {queue}\n default_backend b1\n",
            socket.display()
        );
        for (backend, servers, options) in backends {
            config += &format!("backend {backend}\n{options}");
            for (number, words) in servers.iter().enumerate() {
                config += &format!(" server s{number} {} {words}\n", echo.address);
            }
        }
        let _proxy = Proxy::start(program, &config);
        let _waiting: Vec<TcpStream> = (0..7).map(|_| client::connect(queue)).collect();
        for order in [
            "set server b5/s0 weight 50%",
            "set server b5/s1 state drain",
            "set weight b2/s0 0",
            "set server b3/s2 state maint",
        ] {
            stats::command(&socket, order);
        }
        harness::wait::until_true("five that wait", || {
            stats::Stats::from_socket(&socket).number("b1", "BACKEND", "qcur") == 5
        });
        talk(&mut client::connect(door));
        comparable(&log.wait_for("line "), "\0")
    });
}

/// A PROXY header of version 2 from 192.0.2.7:1111 to 198.51.100.9:2222 with a host name and a name.
fn header() -> Vec<u8> {
    let tlvs: &[u8] = b"\x02\0\x07ex.test\x05\0\x03abc";
    let addresses = [192, 0, 2, 7, 198, 51, 100, 9, 0x04, 0x57, 0x08, 0xae];
    let length = (addresses.len() + tlvs.len()) as u16;
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length.to_be_bytes()[..], &addresses, tlvs].concat()
}

#[test]
fn clients_and_servers_of_all_kinds() {
    const FETCHES: &[&str] = &[
        "src",
        "src_port",
        "dst",
        "dst_port",
        "fc_src",
        "fc_src_port",
        "fc_dst",
        "fc_dst_port",
        "fc_rcvd_proxy",
        "fc_pp_authority",
        "fc_pp_unique_id",
        "src_is_local",
        "dst_is_local",
        "fc_src_is_local",
        "fc_dst_is_local",
        "fc_err",
        "fc_err_str",
        "bc_err",
        "bc_err_str",
        "bc_dst",
        "bc_dst_port",
        "be_id",
        "be_name",
        "srv_id",
        "srv_name",
        "be_server_timeout",
        "be_tunnel_timeout",
        "cur_server_timeout",
        "cur_tunnel_timeout",
        "fe_client_timeout",
        "fe_defbe",
        "so_id",
        "so_name",
        "last_rule_line",
        "fc_rtt",
        "fc_retrans",
        "prio_class",
        "unique-id",
        "dst_conn",
        "fe_name",
    ];
    let format = shown(FETCHES);
    same(|program| {
        let (log, sink) = LogReceiver::udp();
        let (echo, dead) = (Backend::echo(), ports::refused());
        let folder = tempfile::tempdir().expect("a folder");
        let unix = folder.path().join("door");
        let alive = format!(" server s1 {}\n", echo.address);
        let sections: [(&str, String); 6] = [
            (" accept-proxy", alive.clone()),
            ("", format!(" server s1 {dead}\n retries 0\n")),
            ("", String::new()),
            ("", format!("{alive} tcp-request content reject\n")),
            ("", format!(" server s1 {} disabled\n", echo.address)),
            (" accept-proxy", alive.clone()),
        ];
        let doors: Vec<SocketAddr> = sections.iter().map(|_| ports::free()).collect();
        let mut config = format!(
            "global\n nbthread 1\ndefaults\n mode tcp\n log {sink} len 20000 format raw local0\n \
             log-format \"line-%ts {format} %B\"\n error-log-format \"line-%ts {format}\"\n unique-id-format u%rt\n"
        );
        for (number, ((words, section), door)) in sections.iter().zip(&doors).enumerate() {
            config += &format!("listen l{number}\n bind {door}{words}\n{section}");
        }
        config += &format!("listen unix\n bind {}\n{alive}", unix.display());
        let _proxy = Proxy::start(program, &config);
        for (number, door) in doors.iter().enumerate() {
            let mut stream = client::connect(*door);
            match number {
                0 => stream.write_all(&header()).expect("a header is sent"),
                5 => stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("another is sent"),
                _ => {}
            }
            talk(&mut stream);
            drop(stream);
            log.wait_count("line-", number + 1);
        }
        talk(&mut UnixStream::connect(&unix).expect("a connection"));
        let (dead, host) = (dead.to_string(), echo.address.ip().to_string());
        let lines = log.wait_count("line-", 7);
        let plain = |field: String| field.replace(&dead, "DEAD").replace(&host, "HOST");
        lines.iter().flat_map(|line| comparable(line, "\0")).map(plain).collect()
    });
}

#[test]
fn flags_and_kinds_of_values_in_log_formats() {
    let fields = [
        "%[src]",
        "%{+Q}[src]",
        "%{+X}[src]",
        "%{+X}[int(255)]",
        "%{+Q}[int(5)]",
        "%{+Q}[var(txn.none)]",
        "%[var(txn.none)]",
        "%{+E}[str(a\\\"b]c)]",
        "%{+Q,+E}[str(a\\\"b]c)]",
        "%[bool(true)]",
        "%[bin(610062)]",
        "%[bin(6162),hex]",
        "%[str()]",
        "%{+Q}[str()]",
        "%[ipv6(2001:db8::1)]",
        "%{+Q}o%[fe_name]",
        "%[src,lower]",
        "%{-Q}[fe_name]",
        "%[str(two words)]",
        "%[bin(0a22)]",
        "%[str(a),add(1)]",
        "%{-Q}o%[int(-7)]",
        "%[fe_id,mul(10)]",
        "%{+X}[bin(ff)]",
    ];
    same(|program| {
        let (log, sink) = LogReceiver::udp();
        let (echo, door) = (Backend::echo(), ports::free());
        let format = fields.join("|").replace('"', "\\\"");
        let _proxy = Proxy::start(
            program,
            &format!(
                "global\n nbthread 1\ndefaults\n mode tcp\n{LIMITS}listen l\n bind {door}\n log {sink} format raw local0\n \
                 log {sink} format rfc5424 local0\n log-format \"line|{format}\"\n \
                 log-format-sd \"[data@1 src=\\\"%{{+E}}[src]\\\"\\ name=%{{+Q,+E}}[fe_name]]\"\n server s {}\n",
                echo.address
            ),
        );
        talk(&mut client::connect(door));
        let own = ports::address().to_string();
        let lines = log.wait_count("line|", 2);
        let structured = lines.iter().find_map(|line| line.split_once("[data@1").map(|(_, rest)| rest.to_owned()));
        let plain = lines.iter().find(|line| line.starts_with("line|")).expect("the raw line");
        let fields = plain.split('|').map(|field| field.replace(&own, "HOST"));
        fields.chain(structured.map(|text| text.split(']').next().unwrap_or_default().replace(&own, "HOST"))).collect()
    });
}

#[test]
fn conditions_decide_by_the_facts_of_a_session() {
    let (echo, log) = (Backend::echo(), LogReceiver::udp());
    for program in [Program::theirs(), Program::under_test()] {
        for (condition, passes) in [
            ("{ src 127.0.0.0/8 } { dst_port gt 1 } { fe_name f }", true),
            ("{ src 192.0.2.0/24 }", false),
            ("{ so_id 77 } { so_name door } { fe_defbe b }", true),
            ("{ nbsrv(b) 1 } { srv_is_up(b/s) } { be_conn(b) 0 }", true),
            ("{ nbsrv(b) gt 1 }", false),
            ("{ fe_conn 1 } { dst_conn 1 } { fe_sess_rate(f) ge 0 }", true),
            ("{ fc_rtt(us) gt 0 } { fc_retrans 0 }", true),
            ("{ src_is_local } { dst_is_local }", true),
            ("{ unique-id -m beg id- }", true),
            ("{ fc_rcvd_proxy }", false),
        ] {
            let door = ports::free();
            let _proxy = Proxy::start(
                &program,
                &format!(
                    "global\n nbthread 1\ndefaults\n mode tcp\n{LIMITS}frontend f\n bind {door} id 77 name door\n \
                     log {} format raw local0\n option tcplog\n unique-id-format id-%[src]\n \
                     tcp-request content reject unless {condition}\n default_backend b\nbackend b\n server s {}\n",
                    log.1, echo.address
                ),
            );
            let mut stream = client::connect(door);
            let _ = stream.write_all(b"hello");
            let passed = stream.read_exact(&mut [0; 5]).is_ok();
            assert_eq!(passed, passes, "{condition} on {}", program.path.display());
        }
    }
}

/// The fetches of 3.x that are the same facts as variables of log lines.
#[test]
fn fetches_of_later_versions_are_the_variables_of_lines() {
    const PAIRS: &[(&str, &str)] = &[
        ("act_conn", "%ac"),
        ("pid", "%pid"),
        ("txn.conn_retries", "%rc"),
        ("bc_srv_queue", "%sq"),
        ("bc_be_queue", "%bq"),
        ("bc.timer.connect", "%Tc"),
        ("req.timer.queue", "%Tw"),
        ("res.timer.data", "%Td"),
        ("fc.timer.handshake", "%Th"),
        ("fc.timer.total", "%Tt"),
        ("txn.timer.user", "%Tu"),
        ("txn.timer.total", "%Tt"),
        ("bytes_in", "%U"),
        ("req.bytes_in", "%U"),
        ("req.bytes_out", "%U"),
        ("bytes_out", "%B"),
        ("res.bytes_in", "%B"),
        ("res.bytes_out", "%B"),
        ("txn.sess_term_state", "%ts"),
        ("accept_date", "%Ts"),
        ("accept_date(ms),mod(1000)", "%ms"),
        ("be_connect_timeout", "1000"),
        ("be_queue_timeout", "20000"),
        ("cur_client_timeout", "5000"),
        ("cur_connect_timeout", "1000"),
        ("cur_queue_timeout", "20000"),
        ("bc_reused", "0"),
        ("txn.redispatched", "0"),
        ("tgroup", "1"),
    ];
    let program = Program::under_test();
    if !program.is_ours() {
        return; // 2.6 knows none of them
    }
    let (log, sink) = LogReceiver::udp();
    let (echo, door) = (Backend::echo(), ports::free());
    let format: Vec<String> = PAIRS.iter().map(|(fetch, same)| format!("{fetch}=%[{fetch}]={same}")).collect();
    let _proxy = Proxy::start(
        &program,
        &format!(
            "global\n nbthread 1\ndefaults\n mode tcp\n{LIMITS}listen l\n bind {door}\n log {sink} len 9000 format raw local0\n \
             log-format \"line|{}|%[uptime]|%[bc_rtt(us)]|%[bc_rttvar]\"\n server s {}\n",
            format.join("|"),
            echo.address
        ),
    );
    talk(&mut client::connect(door));
    let line = log.wait_for("line|");
    for field in line.split('|').skip(1).take(PAIRS.len()) {
        let mut parts = field.split('=');
        let (name, value, want) = (parts.next(), parts.next(), parts.next());
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        let close = match (number(value), number(want)) {
            (Some(value), Some(want)) => {
                (value - want).abs() <= i64::from(name.is_some_and(|name| name.contains("timer")))
            }
            _ => value == want,
        };
        assert!(close, "{field}");
        let _ = name.expect("a name");
    }
    let rest: Vec<i64> = line.split('|').skip(1 + PAIRS.len()).map(|text| text.parse().expect("a number")).collect();
    assert!((0..60).contains(&rest[0]) && rest[1] > 0 && rest[2] >= 0, "{rest:?}");
}
