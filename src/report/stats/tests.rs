//! Rows as haproxy 2.6.12 writes them for the same configuration and the same events, up to 2.6's last own column.

use std::sync::Arc;

use super::columns::COLUMNS;
use super::info::LINES;
use super::output::whole;
use super::*;
use crate::ir::*;
use crate::pool::{CheckResult, CheckStatus, Pool};
use crate::report::{Identity, testing};
use crate::units::{Millis, Tick, Weight};

const HEADER: &str = "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,\
    status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,\
    rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,\
    hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,\
    lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,\
    agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,\
    conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,\
    src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,\
    need_conn_est,uweight,agg_server_status,agg_server_check_status,agg_check_status";

/// Written by the original 2 s after its start.
const ROWS: &str = "\
a,FRONTEND,,,0,0,500,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,2,0,,,,0,0,0,0,,,,,,,,,,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,tcp,,0,0,0,,0,0,0,,,,,,,,,,,0,,,,,,,,
a,s1,0,0,0,0,,0,0,0,,0,,0,0,0,0,DOWN,1,1,0,1,1,2,2,,1,2,1,,0,,2,0,,0,L4CON,,0,,,,,,,,,,,0,0,,,,,-1,Connection refused,,0,0,0,0,,,,Layer4 connection problem,,2,3,0,,,,127.0.0.1:21099,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,1,1,,,
a,s2,0,0,0,0,10,0,0,0,,0,,0,0,0,0,no check,5,0,1,,,2,,4,1,2,2,,0,,2,0,,0,,,,,,,,,,,,,,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,127.0.0.1:21098,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,5,,,
a,s3,0,0,0,0,,0,0,0,,0,,0,0,0,0,MAINT,1,1,0,,,2,,,1,2,3,,0,,2,0,,0,,,,,,,,,,,,,,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,127.0.0.1:21097,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,,,
a,s4,0,0,0,0,,0,0,0,,0,,0,0,0,0,DOWN,1,1,0,,,2,,,1,2,4,,0,a/s1,2,0,,0,,,,,,,,,,,,,,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,127.0.0.1:21096,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,,,
a,s5,0,0,0,0,,0,0,0,,0,,0,0,0,0,UP,1,1,0,0,0,2,0,,1,2,5,,0,,2,0,,0,L4OK,,0,,,,,,,,,,,0,0,,,,,-1,,,0,0,0,0,,,,Layer4 check passed,,2,3,4,,,,127.0.0.1:21110,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,1,1,,,
a,BACKEND,0,0,0,0,50,0,0,0,0,0,,0,0,0,0,UP,1,1,1,,0,2,0,,1,2,0,,0,,1,0,,0,,,,,,,,,,,,,,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,tcp,leastconn,,,,,,,0,0,0,,,,,0,0,0,0,0,,,,,1,0,0,0
b,FRONTEND,,,0,0,50,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,3,0,,,,0,0,100,0,,,,,,,,,,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,tcp,,0,0,0,,0,0,0,,,,,,,,,,,0,,,,,,,,
bb,s1,0,0,0,0,,0,0,0,,0,,0,0,0,0,no check,10,1,0,,,2,,,1,4,1,,0,,2,0,,0,,,,,,,,,,,,,,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,127.0.0.1:21110,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,10,,,
bb,BACKEND,0,0,0,0,40,0,0,0,0,0,,0,0,0,0,UP,10,1,0,,0,2,0,,1,4,0,,0,,1,0,,0,,,,,,,,,,,,,,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,tcp,roundrobin,,,,,,,0,0,0,,,,,0,0,0,0,0,,,,,10,0,0,0
empty,BACKEND,0,0,0,0,1,0,0,0,0,0,,0,0,0,0,UP,0,0,0,,0,2,,,1,5,0,,0,,1,0,,0,,,,,,,,,,,,,,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,tcp,roundrobin,,,,,,,0,0,0,,,,,0,0,0,0,0,,,,,0,0,0,0
stats,FRONTEND,,,0,0,500,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,7,0,,,,0,0,0,0,,,,0,0,0,0,0,0,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,http,,0,0,0,0,0,0,0,,,0,0,,,,,,,0,,,,,,,,
stats,BACKEND,0,0,0,0,50,0,0,0,0,0,,0,0,0,0,UP,0,0,0,,0,2,,,1,7,0,,0,,1,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,http,roundrobin,,,,,,,0,0,0,0,0,,,0,0,0,0,0,,,,,0,0,0,0
";

fn weight(weight: u16) -> Weight {
    Weight::new(weight).unwrap()
}

fn on(port: u16, mut server: Server) -> Server {
    server.address = ServerAddress::Inet(([127, 0, 0, 1], port).into());
    server
}

fn check() -> Option<Check> {
    Some(Check { inter: Millis::seconds(1), ..Check::default() })
}

/// The configuration that the original ran when it wrote [`ROWS`].
pub(super) fn config() -> Config {
    let mut a = testing::proxy("a", 2, ProxyKind::Listen);
    let back = a.backend.as_mut().unwrap();
    back.balance = Balance::LeastConn;
    back.servers = vec![
        Server { check: check(), ..on(21099, testing::server("s1", 1)) },
        Server { weight: weight(5), backup: true, maxconn: 10, maxqueue: 4, ..on(21098, testing::server("s2", 2)) },
        Server { disabled: true, ..on(21097, testing::server("s3", 3)) },
        Server {
            track: Some(TrackRef { proxy: ProxyIx(0), server: ServerIx(0) }),
            ..on(21096, testing::server("s4", 4))
        },
        Server { check: check(), ..on(21110, testing::server("s5", 5)) },
    ];
    let mut b = testing::proxy("b", 3, ProxyKind::Frontend);
    let front = b.frontend.as_mut().unwrap();
    (front.rate_limit, front.maxconn, front.default_backend) = (100, Some(50), Some(ProxyIx(2)));
    let mut bb = testing::proxy("bb", 4, ProxyKind::Backend);
    let back = bb.backend.as_mut().unwrap();
    back.fullconn = Some(40);
    back.servers = vec![Server { weight: weight(10), ..on(21110, testing::server("s1", 1)) }];
    let empty = testing::proxy("empty", 5, ProxyKind::Backend);
    let mut off = testing::proxy("off", 6, ProxyKind::Frontend);
    off.disabled = true;
    let mut stats = testing::proxy("stats", 7, ProxyKind::Listen);
    stats.mode = Mode::Http;
    let mut config = testing::config(vec![a, b, bb, empty, off, stats]);
    config.global.maxconn = Some(500);
    config
}

const START: Tick = Tick::from_millis(5_000);
const NOW: Tick = Tick::from_millis(7_500);

/// The state after the same events: `s1` refused, `s5` answered.
fn pool() -> Pool {
    let pool = Pool::new(Arc::new(config()), START);
    pool.set_maxconn(500);
    for (server, status, detail) in [(0, CheckStatus::L4Con, Some("Connection refused")), (4, CheckStatus::L4Ok, None)]
    {
        let result = CheckResult { status, detail: detail.map(Into::into), ..CheckResult::default() };
        pool.report_check(ProxyIx(0), ServerIx(server), &result, START);
    }
    pool
}

#[test]
fn the_header_is_haproxys() {
    let names: Vec<&str> = COLUMNS[..103].iter().map(|column| column.name).collect();
    assert_eq!(names.join(","), HEADER);
}

#[test]
fn rows_are_haproxys() {
    let text = whole(Form::Csv, &pool(), NOW, &Selection::default());
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    assert!(header.starts_with("# pxname,svname,") && header.ends_with(",resbin,resbout,-,"), "{header}");
    let fields = header.split(',').count();
    let mut got = 0;
    for want in ROWS.lines() {
        let line = lines.next().unwrap_or_else(|| panic!("no row for {want}"));
        assert_eq!(line.split(',').count(), fields, "{line}");
        let want: Vec<&str> = want.split(',').collect();
        let row: Vec<&str> = line.split(',').take(103).collect();
        for ((column, want), is) in COLUMNS.iter().zip(&want).zip(&row) {
            // An estimate over idle connections, which baton does not keep for TCP.
            if column.name != "need_conn_est" {
                assert_eq!(is, want, "column {} of {},{}", column.name, row[0], row[1]);
            }
        }
        got += 1;
    }
    assert_eq!((got, lines.next()), (13, None));
}

/// What prometheus' haproxy_exporter does with each row.
#[test]
fn numbers_are_numbers() {
    let text = whole(Form::Csv, &pool(), NOW, &Selection::default());
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        for at in [4, 18, 32, 33, 38, 39, 40, 41, 42, 43, 44, 48] {
            assert!(fields[at].is_empty() || fields[at].parse::<i64>().is_ok(), "{} of {line}", COLUMNS[at].name);
        }
    }
}

fn names(selection: Selection<'_>) -> Vec<String> {
    let mut out = Vec::new();
    subjects(&pool(), NOW, &selection, |s| out.push(format!("{}/{} {}", s.proxy.name, s.name(), s.status())));
    out
}

#[test]
fn selections() {
    let all = Selection::default();
    for (selection, want) in [
        (Selection { proxy: Some(3), ..all }, vec!["b/FRONTEND OPEN"]),
        (Selection { proxy: Some(2), kinds: 2, ..all }, vec!["a/BACKEND UP"]),
        (Selection { kinds: 4, server: Some(1), ..all }, vec!["a/s1 DOWN", "bb/s1 no check"]),
        (Selection { proxy: Some(6), ..all }, vec![]), // disabled
        (Selection { scope: Some(&["b", "empty"]), ..all }, vec!["b/FRONTEND OPEN", "empty/BACKEND UP"]),
        (
            Selection { proxy: Some(2), hide: Hide::Down, ..all },
            vec!["a/FRONTEND OPEN", "a/s2 no check", "a/s5 UP", "a/BACKEND UP (2/5)"],
        ),
        (
            Selection { proxy: Some(2), kinds: 4, hide: Hide::Maintenance, ..all },
            vec!["a/s1 DOWN", "a/s2 no check", "a/s4 DOWN", "a/s5 UP"],
        ),
    ] {
        assert_eq!(names(selection), want, "{selection:?}");
    }
}

#[test]
fn typed_lines_and_json() {
    let typed = whole(Form::Typed { described: false }, &pool(), NOW, &Selection::default());
    for line in [
        "F.2.0.0.pxname.1:KNS:str:a",
        "F.2.0.6.slim.1:CLP:u32:500",
        "S.2.1.19.act.1:SGP:u32:1",
        "S.2.1.23.lastchg.1:MAP:u32:2",
        "S.2.1.55.lastsess.1:MAP:s32:-1",
        "S.2.1.58.qtime.1:MaP:u32:0",
        "B.2.0.19.act.1:MGP:u32:1",
        "B.4.0.76.algo.1:CGS:str:roundrobin",
    ] {
        assert!(typed.lines().any(|is| is == line), "no {line}");
    }
    let json = whole(Form::Json, &pool(), NOW, &Selection::default());
    assert!(json.starts_with(concat!(
        r#"[[{"objType":"Frontend","proxyId":2,"id":0,"field":{"pos":0,"name":"pxname"},"processNum":1,"#,
        r#""tags":{"origin":"Key","nature":"Name","scope":"Service"},"value":{"type":"str","value":"a"}},"#,
    )));
    let objects: Vec<Vec<serde_json::Value>> = serde_json::from_str(&json).unwrap();
    assert_eq!(objects.len(), 13);
    assert!(objects[1].iter().any(|item| item["field"]["name"] == "lastsess" && item["value"]["value"] == -1));
}

fn identity() -> Identity {
    Identity { version: "3.4.0-baton0".into(), released: "2026/11/22".into(), hostname: "vm".into(), clock: || NOW }
}

#[test]
fn info_lines() {
    let pool = pool();
    let identity = identity();
    let sample = Process::default().sample(&pool, NOW);
    let info = Info { pool: &pool, identity: &identity, lost_logs: 3, now: NOW, sample };
    let text = info.lines(Style::default());
    assert!(
        text.starts_with("Name: HAProxy\nVersion: 3.4.0-baton0\nRelease_date: 2026/11/22\nNbthread: 0\n"),
        "{text}"
    );
    for line in ["Uptime: 0d 0h00m02s", "Uptime_sec: 2", "Maxconn: 500", "node: vm", "DroppedLogs: 3", "Tainted: 0"] {
        assert!(text.lines().any(|is| is == line), "no {line}");
    }
    // Datadog splits at the first colon and gives up at a second one, up to the uptime.
    assert!(text.lines().take(8).all(|line| line.matches(": ").count() == 1));
    assert!(!text.contains("description"));
    let typed = info.lines(Style { typed: true, float: true, described: true });
    assert!(typed.contains("8.Uptime_sec.1:MDP:flt:2.5:\"Seconds since the start\"\n"), "{typed}");
    assert!(typed.contains("\n47.Tasks.1:MGP:u32:0:"));
    let json: Vec<serde_json::Value> = serde_json::from_str(&info.json(false)).unwrap();
    assert_eq!(json.len(), LINES.len() - 1); // no description was given
    assert_eq!(json[0]["value"]["value"], "HAProxy");
}

#[test]
fn uptimes() {
    for (seconds, want) in [(0, "0d 0h00m00s"), (94, "0d 0h01m34s"), (93_784, "1d 2h03m04s")] {
        assert_eq!(uptime(seconds), want);
    }
}
