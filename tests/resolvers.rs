//! Names at run time, with a real name server: what its records make of servers, and what is told of that.
//!
//! Runs on both programs. Which of several addresses a server takes first is each program's own affair (docs/OBSERVED.md):
//! where that matters, what is compared is sorted.

mod harness;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;

use harness::backends::{Backend, Deaf};
use harness::dns::Dnsmasq;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{self, Stats};
use harness::{client, ports, wait};

/// Lines of a section in which everything happens soon.
const SOON: &str =
    "  timeout resolve 50ms\n  timeout retry 100ms\n  hold nx 100ms\n  hold other 100ms\n  hold timeout 100ms\n";

/// A program whose backend `b` is resolved by a name server.
struct Stage {
    _proxy: Proxy,
    door: SocketAddr,
    socket: PathBuf,
    logs: LogReceiver,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `section`: what is said besides of `resolvers dns`; `{dns}` is the name server's address.
    fn new(dns: SocketAddr, section: &str, servers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("stats");
        let (logs, to) = LogReceiver::udp();
        let door = ports::free();
        let nameserver = if section.contains("nameserver") { "" } else { "  nameserver one {dns}\n" };
        let config = format!(
            "global\n  stats socket {} level admin\n  log {to} local0\ndefaults\n  log global\n  mode tcp\n  timeout client 30s\n  \
             timeout server 30s\n  timeout connect 5s\nresolvers dns\n{nameserver}{section}frontend f\n  bind {door}\n  \
             default_backend b\nbackend b\n{servers}",
            socket.display(),
        );
        let proxy = Proxy::start(&Program::under_test(), &config.replace("{dns}", &dns.to_string()));
        wait::until_true("the stats socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self { _proxy: proxy, door, socket, logs, _folder: folder }
    }

    /// Address and weight of each server of the backend, or its state where it has no address.
    fn servers(&self) -> Vec<String> {
        let stats = Stats::from_socket(&self.socket);
        let names = stats.names().into_iter().filter(|(proxy, server)| proxy == "b" && server != "BACKEND");
        names
            .map(|(_, server)| match stats.text("b", &server, "addr") {
                "" => stats.text("b", &server, "status").to_owned(),
                address => format!("{address}*{}", stats.text("b", &server, "weight")),
            })
            .collect()
    }

    /// Waits until the servers are so; `-` for one that is in maintenance for want of an address.
    #[track_caller]
    fn until(&self, want: &str) {
        let seen = || self.servers().join(" ").replace("MAINT (resolution)", "-");
        wait::until_or(&format!("servers to be {want}"), || seen() == want, || format!("they are {}", seen()));
    }

    /// The same in any order.
    #[track_caller]
    fn until_sorted(&self, want: &str) {
        let seen = || {
            let mut servers = self.servers();
            servers.sort();
            servers.join(" ").replace("MAINT (resolution)", "-")
        };
        wait::until_or(&format!("servers to be {want}"), || seen() == want, || format!("they are {}", seen()));
    }

    /// A counter of `show resolvers dns`.
    fn counter(&self, name: &str) -> u64 {
        let text = stats::command(&self.socket, "show resolvers dns");
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().expect("a number")
    }

    /// Waits for these lines of the log, in order, and nothing of them twice.
    #[track_caller]
    fn told(&self, want: &[&str]) {
        for part in want {
            self.logs.wait_for(part);
        }
        let lines = self.logs.lines();
        let places = want.iter().map(|part| lines.iter().position(|line| line.contains(part)));
        assert!(places.is_sorted(), "{want:?} in {lines:#?}");
    }
}

#[test]
fn an_address_follows_its_name() {
    let mut dns = Dnsmasq::start("a.test 127.0.0.21");
    let stage =
        Stage::new(dns.address, SOON, "  server s1 a.test:80 resolvers dns init-addr none resolve-prefer ipv4\n");
    stage.until("127.0.0.21:80*1");
    stage.told(&[
        "b/s1 changed its IP from (none) to 127.0.0.21 by dns/one.",
        "Server b/s1 ('a.test') is UP/READY (resolves again).",
        "Server b/s1 administratively READY thanks to valid DNS answer.",
    ]);
    dns.set("a.test 127.0.0.22");
    stage.until("127.0.0.22:80*1");
    stage.told(&["b/s1 changed its IP from 127.0.0.21 to 127.0.0.22 by dns/one."]);
    // No such name any more.
    dns.set("");
    stage.until("-");
    stage.told(&[
        "Server b/s1 is going DOWN for maintenance (DNS NX status). 0 active and 0 backup servers left. ",
        "backend b has no server available!",
    ]);
    dns.set("a.test 127.0.0.22");
    stage.until("127.0.0.22:80*1");
    stage.told(&["b/s1 changed its IP from (none) to 127.0.0.22 by dns/one."]);
    // The name is there, and has no address of either kind.
    dns.set("a.test b.test 1 1");
    stage.until("-");
    dns.set("a.test 127.0.0.23");
    stage.until("127.0.0.23:80*1");
    dns.mute();
    stage.until("-");
    stage.told(&["is going DOWN for maintenance (DNS timeout status). "]);
    dns.set("a.test 127.0.0.24");
    stage.until("127.0.0.24:80*1");
}

/// Three bytes of a server that says its name.
fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).expect("its name");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sessions stay where they are; new ones go where the name leads.
#[test]
fn sessions_stay_when_an_address_changes() {
    let old = Backend::named("old");
    let new = Backend::start_at((Ipv4Addr::LOCALHOST, old.address.port()).into(), |mut stream| {
        let _ = stream.write_all(b"new");
        let _ = stream.read(&mut [0]);
    });
    let mut dns = Dnsmasq::start(&format!("a.test {}", old.address.ip()));
    let port = old.address.port();
    let stage = Stage::new(dns.address, SOON, &format!("  server s1 a.test:{port} resolvers dns init-addr none\n"));
    stage.until(&format!("{}*1", old.address));
    let mut before = client::connect(stage.door);
    assert_eq!(heard(&mut before), "old");
    dns.set("a.test 127.0.0.1");
    stage.until(&format!("{}*1", new.address));
    let mut after = client::connect(stage.door);
    assert_eq!(heard(&mut after), "new");
    assert_eq!(Stats::from_socket(&stage.socket).number("b", "s1", "scur"), 2, "both live");
}

#[test]
fn addresses_are_spread_over_a_template() {
    let mut dns = Dnsmasq::start("a.test 127.0.0.21\na.test 127.0.0.22");
    let template = "  server-template w 3 a.test:80 resolvers dns init-addr none resolve-prefer ipv4\n";
    let stage = Stage::new(dns.address, SOON, template);
    stage.until_sorted("127.0.0.21:80*1 127.0.0.22:80*1 -");
    stage.told(&["b/w1 changed its IP from (none) to ", "b/w2 changed its IP from (none) to "]);
    stage.logs.wait_for("by DNS cache.");
    let kept = stage.servers();
    dns.set("a.test 127.0.0.25\na.test 127.0.0.21\na.test 127.0.0.22");
    stage.until(&format!("{} {} 127.0.0.25:80*1", kept[0], kept[1]));
    dns.set("a.test 127.0.0.25");
    stage.until("- - 127.0.0.25:80*1");
    stage.told(&["Server b/w1 is going DOWN for maintenance (No IP for server"]);
    dns.set("a.test 127.0.0.25\na.test 127.0.0.31");
    stage.until_sorted("127.0.0.25:80*1 127.0.0.31:80*1 -");
}

#[test]
fn what_servers_want_of_addresses() {
    const DUAL: &str = "a.test ::5\na.test 127.0.0.21\na.test 127.0.1.22\na.test 127.0.2.23\n";
    let dns = Dnsmasq::start(&format!("{DUAL}one.test 127.0.0.9\n_m._tcp.test x.test 81 2560\nx.test 127.0.0.8"));
    for (servers, want) in [
        ("  server s a.test:80", "[::5]:80*1"),
        ("  server s a.test:80 resolve-prefer ipv6", "[::5]:80*1"),
        ("  server s a.test:80 resolve-prefer ipv4 resolve-net 127.0.2.0/24", "127.0.2.23:80*1"),
        ("  server s a.test:80 resolve-prefer ipv4 resolve-net 10.0.0.0/8,127.0.1.0/24", "127.0.1.22:80*1"),
        ("  server s one.test:80", "127.0.0.9:80*1"), // another family than nothing
        ("  server s one.test:80\n  server t one.test:81", "127.0.0.9:80*1 -"),
        (
            "  server s one.test:80 resolve-opts allow-dup-ip\n  server t one.test:81 resolve-opts allow-dup-ip",
            "127.0.0.9:80*1 127.0.0.9:81*1",
        ),
        (
            "  server s one.test:80 resolve-opts allow-dup-ip\n  server t one.test:81 resolve-opts \
             allow-dup-ip,prevent-dup-ip",
            "127.0.0.9:80*1 -",
        ),
        ("  server s _m._tcp.test", "127.0.0.8:81*10"),
        ("  server s _m._tcp.test resolve-opts ignore-weight weight 7", "127.0.0.8:81*7"),
        ("  default-server resolve-opts ignore-weight weight 8\n  server s _m._tcp.test", "127.0.0.8:81*8"),
    ] {
        let stage =
            Stage::new(dns.address, SOON, &format!("  default-server resolvers dns init-addr none\n{servers}\n"));
        stage.until(want);
    }
}

/// Port and weight come with the record; servers are filled and freed as records come and go.
#[test]
fn services_fill_servers() {
    const HOSTS: &str = "x.test 127.0.0.21\ny.test 127.0.0.22\nz.test 127.0.0.23\n";
    let mut dns = Dnsmasq::start(&format!("{HOSTS}_mqtt._tcp.test x.test 1883 10\n_mqtt._tcp.test y.test 1884 300"));
    let template = "  server-template m 1-3 _mqtt._tcp.test resolvers dns resolve-prefer ipv4 check inter 1h\n";
    let stage = Stage::new(dns.address, SOON, template);
    stage.until_sorted("127.0.0.21:1883*1 127.0.0.22:1884*2 -");
    stage.logs.wait_for("changed its IP from (none) to 127.0.0.21 by DNS additional record.");
    stage.logs.wait_for("changed its FQDN from (null) to x.test by 'SRV record'");
    stage.logs.wait_for("('x.test') is UP/READY (resolves again).");
    let states = stats::command(&stage.socket, "show servers state b");
    assert_eq!(states.matches(" _mqtt._tcp.test 0 ").count(), 3, "{states}");
    assert!(states.contains(" x.test 1883 _mqtt._tcp.test 0 "), "{states}");
    // A target more, another weight.
    dns.set(&format!(
        "{HOSTS}_mqtt._tcp.test x.test 1883 65535\n_mqtt._tcp.test y.test 1884 300\n_mqtt._tcp.test z.test 1885 0"
    ));
    stage.until_sorted("127.0.0.21:1883*256 127.0.0.22:1884*2 127.0.0.23:1885*0");
    let all = stage.servers();
    // A target less.
    dns.set(&format!("{HOSTS}_mqtt._tcp.test x.test 1883 65535\n_mqtt._tcp.test z.test 1885 0"));
    stage.until_sorted("127.0.0.21:1883*256 127.0.0.23:1885*0 -");
    stage.logs.wait_for("for maintenance (entry removed from SRV record). ");
    let left = stage.servers();
    for (before, after) in all.iter().zip(&left) {
        assert!(after == before || after.starts_with("MAINT"), "{all:?} became {left:?}");
    }
    // The name of a target leads elsewhere, or nowhere.
    dns.set("x.test 127.0.0.31\n_mqtt._tcp.test x.test 1883 65535\n_mqtt._tcp.test z.test 1885 0");
    stage.until_sorted("127.0.0.31:1883*256 - -");
    dns.set("");
    stage.until("- - -");
}

/// What is asked when, and what is counted of it.
#[test]
fn sections_say_how_and_when() {
    const MANY: usize = 60;
    let many: String = (1..=MANY).map(|last| format!("a.test 127.0.1.{last}\n")).collect();
    let dns = Dnsmasq::start(&many);
    let server = "  server s a.test:80 resolvers dns init-addr none resolve-prefer ipv4\n";
    let held = "  server s nothere.test:80 resolvers dns init-addr 127.0.0.1\n";
    // Longer answers than usual: otherwise they are cut short, or not taken.
    let stage = Stage::new(dns.address, "  timeout resolve 50ms\n  accepted_payload_size 4096\n", server);
    wait::until_true("an answer", || stage.counter("valid") > 0 && stage.servers()[0].starts_with("127.0.1."));
    assert_eq!((stage.counter("truncated"), stage.counter("update")), (0, 1));
    let stage = Stage::new(dns.address, "  timeout resolve 50ms\n", server);
    wait::until_true("an answer cut short", || stage.counter("truncated") > 0);
    stage.until("-");
    // The last of `resolve_retries` attempts is over with its last answer, any other after `timeout retry`.
    let stage = Stage::new(dns.address, "  resolve_retries 1\n  timeout retry 1h\n  hold nx 0\n", held);
    stage.until("-");
    assert_eq!((stage.counter("sent"), stage.counter("nx")), (2, 2), "both types");
    let stage = Stage::new(dns.address, "  resolve_retries 40\n  timeout retry 50ms\n  hold nx 0\n", held);
    stage.until("-");
    assert!(stage.counter("nx") >= 80, "each time both types");
    // Over TCP.
    let tcp = "  nameserver one tcp@{dns} maxconn 4\n  accepted_payload_size 65535\n  timeout resolve 50ms\n";
    let stage = Stage::new(dns.address, tcp, server);
    wait::until_true("answers", || stage.counter("valid") > 2 && stage.servers()[0].starts_with("127.0.1."));
    // The first of several that knows; the others do not matter.
    let three = format!("  nameserver mute {}\n  nameserver one {{dns}}\n{SOON}", ports::refused());
    let stage = Stage::new(dns.address, &format!("{three}  accepted_payload_size 4096\n"), server);
    wait::until_true("an address", || stage.servers()[0].starts_with("127.0.1."));
    stage.logs.wait_for("by dns/one.");
}

#[test]
fn name_servers_are_listed() {
    let dns = Dnsmasq::start("a.test 127.0.0.21");
    let section = format!("{SOON}  nameserver one {{dns}}\n  nameserver two {{dns}}\n");
    let sections = "resolvers of-system\n  parse-resolv-conf\n";
    let stage =
        Stage::new(dns.address, &format!("{section}{sections}"), "  server s a.test:80 resolvers dns init-addr none\n");
    stage.until("127.0.0.21:80*1");
    let text = stats::command(&stage.socket, "show resolvers dns");
    let names =
        |part: &str| part.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect::<Vec<_>>();
    let want = [
        "  sent",
        "  snd_error",
        "  valid",
        "  update",
        "  cname",
        "  cname_error",
        "  any_err",
        "  nx",
        "  timeout",
        "  refused",
        "  other",
        "  invalid",
        "  too_big",
        "  truncated",
        "  outdated",
    ];
    let of =
        |server: &str| [format!(" nameserver {server}")].into_iter().chain(want.map(String::from)).collect::<Vec<_>>();
    assert!(text.starts_with("Resolvers section dns\n nameserver one:\n  sent:        "), "{text}");
    assert_eq!(names(&text), [of("one"), of("two")].concat());
    // The same as statistics, whatever is selected.
    let csv = stats::command(&stage.socket, "show stat domain resolvers");
    let head = "# id,pid,sent,send_error,valid,update,cname,cname_error,any_err,nx,timeout,refused,other,invalid,too_big,truncated,\
                outdated,\n";
    assert!(csv.starts_with(&format!("{head}one,dns,")), "{csv}");
    assert!(csv.lines().all(|line| line.is_empty() || line.matches(',').count() == 17), "{csv}");
    let typed = stats::command(&stage.socket, "show stat domain resolvers dns 1 -1 typed");
    assert!(typed.starts_with("N.0.id:CGP:str:one\nN.1.pid:CGP:str:dns\nN.2.sent:MGP:u64:"), "{typed}");
    // 2.6 leaves commas out
    if Program::under_test().is_ours() {
        let json: serde_json::Value =
            serde_json::from_str(&stats::command(&stage.socket, "show stat domain resolvers json")).expect("JSON");
        let first = &json[0][0];
        assert_eq!(first["value"], serde_json::json!({"type": "str", "value": "one"}));
        assert_eq!(first["tags"], serde_json::json!({"origin": "Config", "nature": "Gauge", "scope": "Process"}));
        assert_eq!(json[0][16]["field"], serde_json::json!({"pos": 16, "name": "outdated"}));
        assert_eq!(json[1][2]["value"]["type"], "u64");
    }
    // All servers are asked at once; who answers second is late.
    wait::until_true("late answers", || stage.counter("sent") > 3);
    // What the system uses, by its own file; the section `default` is made of the same.
    let conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let own = conf
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver "))
        .map(|name| format!(" nameserver {}", name.trim()));
    let own: Vec<_> = own.collect();
    for section in ["of-system", "default"].iter().filter(|_| !own.is_empty()) {
        let text = stats::command(&stage.socket, &format!("show resolvers {section}"));
        let shown: Vec<_> = names(&text).into_iter().filter(|name| name.starts_with(" nameserver")).collect();
        assert_eq!(shown, own, "{section}");
    }
    assert_eq!(stats::command(&stage.socket, "show resolvers nothere").trim(), "Can't find that resolvers section");
}

#[test]
fn a_server_is_looked_up_by_another_name() {
    let dns = Dnsmasq::start("a.test 127.0.0.21\nb.test 127.0.0.22");
    let servers = "  server s a.test:80 resolvers dns init-addr none\n  server t 127.0.0.1:81\n";
    let stage = Stage::new(dns.address, SOON, servers);
    stage.until("127.0.0.21:80*1 127.0.0.1:81*1");
    let said = stats::command(&stage.socket, "set server b/s fqdn b.test");
    assert_eq!(said.trim(), "b/s changed its FQDN from a.test to b.test by 'stats socket command'");
    stage.until("127.0.0.22:80*1 127.0.0.1:81*1");
    assert!(!stats::command(&stage.socket, "set server b/t fqdn b.test").trim().is_empty(), "it has no name");
    // An address that is set stays as long as the answer does.
    stats::command(&stage.socket, "set server b/s addr 127.0.0.77");
    let sent = stage.counter("sent");
    wait::until_true("more answers", || stage.counter("sent") > sent + 3);
    stage.until("127.0.0.77:80*1 127.0.0.1:81*1");
    stats::command(&stage.socket, "set server b/s fqdn nothere.test");
    stage.until("- 127.0.0.1:81*1");
}

/// Who is not reached by a check may be elsewhere: its name is looked up before it is due.
#[test]
fn a_check_that_takes_too_long_has_the_name_looked_up() {
    let deaf = Deaf::new();
    let mut dns = Dnsmasq::start(&format!("a.test {}", deaf.address.ip()));
    let server = format!("  server s a.test:{} resolvers dns init-addr none check inter 200ms\n", deaf.address.port());
    let section = "  timeout resolve 1h\n  timeout retry 100ms\n";
    let stage = Stage::new(dns.address, section, &format!("  timeout connect 100ms\n{server}"));
    stage.until(&format!("{}*1", deaf.address));
    dns.set("a.test 127.0.0.1");
    stage.until(&format!("127.0.0.1:{}*1", deaf.address.port()));
}
