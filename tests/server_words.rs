//! Where connections to servers come from and where they go, as servers and clients see it, on both programs: `source`
//! with ranges and `usesrc`, ports that follow the client's, `dispatch`, `option transparent`, `server-template`.
//!
//! What one word does alone is `fixtures/probe/`'s; here is what needs several sessions, or a network of its own.

mod harness;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::network::in_a_network;
use harness::program::Program;
use harness::proxy::{self, Proxy};
use harness::stats::Stats;
use harness::{client, ports, wait};

/// Says who the client is, then echoes.
fn says_who() -> Backend {
    Backend::start(greet)
}

fn greet(mut stream: TcpStream) {
    if let Ok(peer) = stream.peer_addr() {
        let _ = stream.write_all(format!("{peer}\n").as_bytes());
        harness::backends::echo(stream);
    }
}

/// The line that the server said first; empty when the session ended without one.
fn first_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        if byte == *b"\n" {
            break;
        }
        line.extend(byte);
    }
    String::from_utf8(line).expect("text")
}

/// The address that the server of a new session sees.
fn seen(door: SocketAddr) -> (TcpStream, Option<SocketAddr>) {
    let mut stream = client::connect(door);
    let line = first_line(&mut stream);
    (stream, line.parse().ok())
}

/// What every configuration here begins with: one thread, so that a port is back when the session's line is there.
fn head(log: SocketAddr) -> String {
    format!(
        "global\n nbthread 1\n stats socket {{dir}}/stats\n log {log} local0\ndefaults\n mode tcp\n log global\n option tcplog\n \
         timeout client 20s\n timeout connect 20s\n timeout server 20s\n"
    )
}

/// Starts a configuration of which `{dir}` is a folder.
fn start(program: &Program, config: &str) -> (Proxy, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config.replace("{dir}", &folder.path().display().to_string());
    (Proxy::start(program, &config), folder)
}

/// The test's own address, with another second byte: nobody else uses it.
fn another(by: u8) -> Ipv4Addr {
    let [a, b, c, d] = ports::address().octets();
    Ipv4Addr::new(a, b + by, c, d)
}

#[test]
fn ports_of_a_range_are_dealt_out_one_each_and_rest_longest() {
    for (program, host) in [(Program::theirs(), another(64)), (Program::ours(), another(128))] {
        let (server, (log, sink), door) = (says_who(), LogReceiver::udp(), ports::free());
        let config =
            format!("{}listen l\n bind {door}\n server s {} source {host}:31000-31002\n", head(sink), server.address);
        let (_proxy, folder) = start(&program, &config);
        let port = |offset: u16| Some(SocketAddr::from((host, 31000 + offset)));
        let ended = |count: usize| log.wait_count(" l l/s ", count);

        let (one, first) = seen(door);
        let (two, second) = seen(door);
        let (three, third) = seen(door);
        assert_eq!([first, second, third], [port(0), port(1), port(2)]);

        // None is left: every retry at once, each with a line, then the session's own.
        assert_eq!(seen(door).1, None);
        let line = log.wait_for(" SC ");
        assert!(line.contains(" l l/s ") && line.contains("/-1/") && line.ends_with("/3/3 0/0"), "{line}");
        assert_eq!(log.lines().iter().filter(|line| line.starts_with("<128>")).count(), 4, "{:#?}", log.lines());
        let stats = Stats::from_socket(&folder.path().join("stats"));
        assert_eq!((stats.number("l", "s", "wretr"), stats.number("l", "s", "econ")), (3, 1));

        drop(two);
        ended(2);
        let (two, again) = seen(door);
        assert_eq!(again, port(1), "the only free one");
        drop(three);
        ended(3);
        drop(one);
        ended(4);
        let (four, fourth) = seen(door);
        let (five, fifth) = seen(door);
        assert_eq!([fourth, fifth], [port(2), port(0)], "in the order in which they were given back");
        drop((two, four, five));
        ended(7);
        let all: Vec<_> = (0..3).map(|_| seen(door)).collect();
        assert!(all.iter().all(|(_, port)| port.is_some()), "no port was lost");
    }
}

#[test]
fn each_server_has_a_range_of_its_own_and_passes_over_what_others_hold() {
    for (program, host) in [(Program::theirs(), another(64)), (Program::ours(), another(128))] {
        let (one, two, (_log, sink), door) = (says_who(), says_who(), LogReceiver::udp(), ports::free());
        let config = format!(
            "{}listen l\n bind {door}\n default-server source {host}:31010-31012\n server s {}\n server t {}\n",
            head(sink),
            one.address,
            two.address
        );
        let _held = TcpListener::bind((host, 31010)).expect("a port to sit on");
        let (_proxy, _folder) = start(&program, &config);
        let (_first, first) = seen(door);
        let (_second, second) = seen(door);
        let wanted = Some(SocketAddr::from((host, 31011)));
        assert_eq!([first, second], [wanted, wanted], "31010 is somebody's");
    }
}

#[test]
fn checks_take_ports_of_the_range_and_give_them_back() {
    for (program, host) in [(Program::theirs(), another(64)), (Program::ours(), another(128))] {
        let (server, (_log, sink), door) = (says_who(), LogReceiver::udp(), ports::free());
        let config = format!(
            "{}listen l\n bind {door}\n option tcp-check\n tcp-check connect\n tcp-check expect string :\n \
             server s {} source {host}:31020-31021 check inter 300ms fall 1000\n",
            head(sink),
            server.address
        );
        let (_proxy, folder) = start(&program, &config);
        let (mut held, seen) = seen(door);
        assert!(seen.is_some_and(|seen| (31020..=31021).contains(&seen.port())), "{seen:?}");
        // One port is the session's: all these go through the other.
        let before = server.accepted();
        wait::until_true("checks", || server.accepted() >= before + 5);
        assert!(Stats::from_socket(&folder.path().join("stats")).text("l", "s", "status").starts_with("UP"));
        client::echo(&mut held, b"still there");
    }
}

#[test]
fn the_client_shows_through() {
    for program in [Program::theirs(), Program::ours()] {
        let (server, (_log, sink)) = (says_who(), LogReceiver::udp());
        let (same, ip, unix, own) = (ports::free(), ports::free(), ports::free(), another(64));
        let config = format!(
            "{}listen same\n bind {same}\n source {own} usesrc client\n server s {to}\n\
             listen ip\n bind {ip}\n server s {to} source {own} usesrc clientip\n\
             listen unix\n bind {unix}\n bind {{dir}}/unix\n server s {to} source {own} usesrc clientip\n",
            head(sink),
            to = server.address
        );
        let (_proxy, folder) = start(&program, &config);
        let from = |door: SocketAddr| {
            // Whoever binds the same address beside us needs this of both.
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.set_reuse_address(true).expect("SO_REUSEADDR");
            socket.bind(&SocketAddr::from((another(128), 0)).into()).expect("an address");
            socket.connect(&door.into()).expect("a connection");
            let mut stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(wait::PATIENCE)).expect("a time limit");
            let line = first_line(&mut stream);
            (line.parse::<SocketAddr>().ok(), stream.local_addr().expect("its address"))
        };
        let (seen, client) = from(same);
        assert_eq!(seen, Some(client), "address and port");
        let (seen, client) = from(ip);
        let seen = seen.expect("a server");
        assert_eq!(seen.ip(), client.ip());
        assert_ne!(seen.port(), client.port(), "a port of the system's");
        // A client without an address: that of 'source'.
        let mut stream = std::os::unix::net::UnixStream::connect(folder.path().join("unix")).expect("the unix socket");
        let mut line = [0; 64];
        let count = stream.read(&mut line).expect("a server");
        let text = String::from_utf8_lossy(&line[..count]).into_owned();
        assert!(text.starts_with(&format!("{own}:")), "{text}");
    }
}

#[test]
fn ports_follow_the_clients() {
    for (program, there) in [(Program::theirs(), another(64)), (Program::ours(), another(128))] {
        let says_port = |port: u16| {
            Backend::start_at((there, port).into(), move |mut stream| {
                let _ = writeln!(stream, "{port}");
                let _ = stream.read(&mut [0]);
            })
        };
        let servers: Vec<_> = [31030, 31031, 32030, 32031, 30130, 30131].into_iter().map(says_port).collect();
        let (here, (_log, sink)) = (ports::address(), LogReceiver::udp());
        let config = format!(
            "{}listen same\n bind {here}:31030-31031\n server s {there}\n\
             listen more\n bind {here}:31032-31033\n server s {there}:+998\n\
             listen less\n bind {here}:31034-31035\n server s {there}:-904\n\
             listen fixed\n bind {here}:31036-31037\n server s {there}:31030\n\
             listen anywhere\n bind {there}:31038\n server s *:31031\n",
            head(sink)
        );
        let (_proxy, _folder) = start(&program, &config);
        for (ip, port, want) in [
            (here, 31030, "31030"),
            (here, 31031, "31031"),
            (here, 31032, "32030"),
            (here, 31033, "32031"),
            (here, 31034, "30130"),
            (here, 31035, "30131"),
            (here, 31036, "31030"),
            (here, 31037, "31030"),
            (there, 31038, "31031"), // the client's destination address, and a port
        ] {
            let door = SocketAddr::from((ip, port));
            wait::until_true("the ports to listen", || ports::listens(door));
            assert_eq!(first_line(&mut client::connect(door)), want, "through {door}");
        }
        drop(servers);
    }
}

#[test]
fn what_is_not_balanced_is_told_as_nobodys() {
    for program in [Program::theirs(), Program::ours()] {
        let (server, (log, sink)) = (says_who(), LogReceiver::udp());
        let (refused, passed, kept) = (ports::free(), ports::free(), ports::free());
        let config = format!(
            "{}listen refused\n bind {refused}\n retries 1\n option redispatch\n timeout connect 50ms\n dispatch {dead}\n\
             frontend front\n bind {passed}\n default_backend passed\nbackend passed\n source {own}\n dispatch {to}\n \
             server idle {dead}\n\
             listen kept\n bind {kept}\n balance roundrobin\n dispatch {dead}\n server s {to}\n",
            head(sink),
            dead = ports::refused(),
            own = another(64),
            to = server.address
        );
        let (_proxy, folder) = start(&program, &config);
        assert_eq!(seen(refused).1, None);
        let line = log.wait_for(" refused refused/");
        assert!(line.contains("refused/<NOSRV> ") && line.contains(" SC ") && line.ends_with("/1 0/0"), "{line}");
        let (stream, from) = seen(passed);
        assert_eq!(from.map(|from| from.ip()), Some(IpAddr::V4(another(64))), "the proxy's 'source'");
        drop(stream);
        assert!(log.wait_for(" front passed/").contains(" front passed/<NOSRV> "));
        assert!(seen(kept).1.is_some(), "with 'balance' it is ignored");
        let stats = Stats::from_socket(&folder.path().join("stats"));
        assert_eq!((stats.number("refused", "BACKEND", "wretr"), stats.number("refused", "BACKEND", "econ")), (1, 1));
        assert_eq!(stats.text("refused", "BACKEND", "status"), "UP");
        assert_eq!((stats.number("passed", "BACKEND", "stot"), stats.number("passed", "idle", "stot")), (1, 0));
    }
}

#[test]
fn a_transparent_proxy_goes_where_its_client_went() {
    for program in [Program::theirs(), Program::ours()] {
        let (server, (log, sink), door) = (says_who(), LogReceiver::udp(), ports::free());
        // Two listeners on one address: who comes to the transparent one is sent there again, until the other has it.
        let config = format!(
            "{}listen through\n bind {door}\n option transparent\nlisten end\n bind {door}\n server s {}\n",
            head(sink),
            server.address
        );
        let (_proxy, folder) = start(&program, &config);
        let mut clients: Vec<_> = (0..24).map(|_| seen(door)).collect();
        for (stream, seen) in &mut clients {
            assert!(seen.is_some());
            client::echo(stream, b"through");
        }
        let stats = Stats::from_socket(&folder.path().join("stats"));
        assert_eq!(stats.number("end", "FRONTEND", "stot"), 24);
        assert!(stats.number("through", "FRONTEND", "stot") > 0, "one in 16 million runs has none");
        drop(clients);
        log.wait_for(" through through/<NOSRV> ");
    }
}

#[test]
fn a_template_is_so_many_servers() {
    let mut both = Vec::new();
    for program in [Program::theirs(), Program::ours()] {
        let ((_log, sink), door) = (LogReceiver::udp(), ports::free());
        let config = format!(
            "{}listen l\n bind {door}\n default-server weight 50 maxconn 7\n server-template a 2 127.0.0.1:80 id 5\n \
             server t 127.0.0.1:81 weight 3\n server-template u 0-2 127.0.0.1:82 backup disabled\n \
             server-template x 3x-4 localhost:+5 id 7 maxconn 8\n server-template y - unix@/nowhere\n \
             server-template z 2 127.0.0.1:84 track n\n server n 127.0.0.1:85 check\n \
             server-template w 2 nothing.invalid:80 init-addr none\n",
            head(sink)
        );
        let (_proxy, folder) = start(&program, &config);
        let stats = Stats::from_socket(&folder.path().join("stats"));
        let rows: Vec<String> = stats
            .names()
            .iter()
            .filter(|(_, server)| !["FRONTEND", "BACKEND"].contains(&server.as_str()))
            .map(|(_, server)| {
                let columns = ["sid", "weight", "act", "bck", "slim", "tracked"];
                let values: Vec<_> = columns.iter().map(|column| stats.text("l", server, column)).collect();
                let up = stats.text("l", server, "status").starts_with("MAINT");
                format!("{server} {} {up}", values.join(" "))
            })
            .collect();
        assert_eq!(rows.len(), 14, "{rows:#?}");
        both.push(rows);
    }
    assert_eq!(both[0], both[1]);
}

#[test]
fn rights_that_are_given_up_are_missed_at_once() {
    let (door, to) = (ports::free(), ports::refused());
    for program in [Program::theirs(), Program::ours()] {
        for word in ["usesrc clientip", "interface lo"] {
            let config = format!(
                "global\n user daemon\ndefaults\n mode tcp\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n\
                 listen l\n bind {door}\n server s {to} source 127.0.0.1 {word}\n"
            );
            assert!(proxy::check(&program, &config).status.success(), "-c says nothing");
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("haproxy.cfg");
            std::fs::write(&file, &config).expect("the configuration");
            let out = program.command().arg("-db").arg("-f").arg(&file).output().expect("the program runs");
            assert_eq!(out.status.code(), Some(1), "{word}: {}", String::from_utf8_lossy(&out.stderr));
            assert!(String::from_utf8_lossy(&out.stderr).contains("[ALERT]"));
        }
    }
}

#[test]
fn a_system_without_ports_is_told() {
    let preparation = "echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range";
    if !in_a_network("a_system_without_ports_is_told", preparation) {
        return;
    }
    for (program, own) in [(Program::theirs(), another(64)), (Program::ours(), another(128))] {
        let (server, (log, sink), door) = (says_who(), LogReceiver::udp(), ports::free());
        let config =
            format!("{}listen l\n bind {door}\n retries 2\n server s {} source {own}\n", head(sink), server.address);
        let (_proxy, _folder) = start(&program, &config);
        // Our own clients need ports too.
        let go = |port: u16| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.bind(&SocketAddr::from((another(32), port)).into()).expect("an address");
            socket.connect(&door.into()).expect("a connection");
            let mut stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(wait::PATIENCE)).expect("a time limit");
            let line = first_line(&mut stream);
            (stream, line)
        };
        let base = if program.is_ours() { 20_000 } else { 20_100 };
        let served: Vec<_> = (0..4).map(|offset| go(base + offset)).collect();
        assert!(served.iter().all(|(_, line)| !line.is_empty()), "four ports, four sessions");
        assert_eq!(go(base + 4).1, "");
        let line = log.wait_for(" SC ");
        assert!(line.contains(" l l/s ") && line.ends_with("/2 0/0"), "{line}");
        assert_eq!(log.lines().iter().filter(|line| line.starts_with("<131>")).count(), 3, "{:#?}", log.lines());
    }
}

#[test]
fn an_address_that_is_not_ours_is_shown() {
    // 10.55.0.0/16 comes back here, and is nobody's: only a transparent socket may have it.
    let preparation = "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter\necho 0 > /proc/sys/net/ipv4/conf/lo/rp_filter\n\
                       ip address add 10.56.0.1/32 dev lo\nip rule add to 10.55.0.0/16 lookup 100\n\
                       ip route add local 10.55.0.0/16 dev lo table 100";
    if !in_a_network("an_address_that_is_not_ours_is_shown", preparation) {
        return;
    }
    assert!(TcpListener::bind("10.55.0.9:0").is_err(), "it is not ours");
    for program in [Program::theirs(), Program::ours()] {
        let there = Backend::start_at("10.56.0.1:7001".parse().expect("an address"), greet);
        let ((_log, sink), door, with_port) = (LogReceiver::udp(), ports::free(), ports::free());
        let config = format!(
            "{}listen l\n bind {door}\n server s {to} source 10.56.0.1 usesrc 10.55.0.9\n\
             listen p\n bind {with_port}\n source 10.56.0.1 usesrc 10.55.0.9:777\n server s {to}\n",
            head(sink),
            to = there.address
        );
        let (_proxy, _folder) = start(&program, &config);
        assert_eq!(seen(door).1.map(|seen| seen.ip()), Some(IpAddr::from([10, 55, 0, 9])));
        assert_eq!(seen(with_port).1, Some(SocketAddr::from(([10, 55, 0, 9], 777))));
        there.stop();
    }
}

#[test]
fn connections_go_out_by_the_device_they_are_bound_to() {
    let preparation = "ip link add d0 type veth peer name d1\nip address add 10.7.0.1/24 dev d0\nip link set d0 up";
    if !in_a_network("connections_go_out_by_the_device_they_are_bound_to", preparation) {
        return;
    }
    for program in [Program::theirs(), Program::ours()] {
        let (server, (log, sink)) = (says_who(), LogReceiver::udp());
        let (lo, dummy, absent, inward) = (ports::free(), ports::free(), ports::free(), 31040);
        let config = format!(
            "{}listen lo\n bind {lo}\n server s {to} source 0.0.0.0 interface lo\n\
             listen dummy\n bind {dummy}\n retries 0\n timeout connect 300ms\n server s {to} source 0.0.0.0 interface d0\n\
             listen absent\n bind {absent}\n server s {to} source 0.0.0.0 interface absent0\n\
             listen inward\n bind 0.0.0.0:{inward} interface d0\n server s {to}\n",
            head(sink),
            to = server.address
        );
        let (_proxy, _folder) = start(&program, &config);
        assert!(seen(lo).1.is_some());
        assert!(seen(absent).1.is_some(), "a device that is not there is passed over");
        assert!(seen(dummy).1.is_none(), "nobody is behind that one");
        let line = log.wait_for(" dummy dummy/s ");
        assert!(line.contains(" sC ") || line.contains(" SC "), "{line}");
        let inward = SocketAddr::from((ports::address(), inward));
        assert!(client::try_connect(inward).is_err(), "loopback is another device");
    }
}

#[test]
fn a_redirected_client_reaches_what_it_asked_for() {
    let preparation = "ip address add 10.56.0.1/32 dev lo\nip address add 10.56.0.3/32 dev lo\nnft add table ip nat\n\
                       nft 'add chain ip nat out { type nat hook output priority -100; }'\n\
                       nft add rule ip nat out ip saddr 10.56.0.3 tcp dport 7001-7002 redirect to :9001";
    if !in_a_network("a_redirected_client_reaches_what_it_asked_for", preparation) {
        return;
    }
    for program in [Program::theirs(), Program::ours()] {
        let wanted: [SocketAddr; 2] = [7001, 7002].map(|port| SocketAddr::from(([10, 56, 0, 1], port)));
        let servers = [Backend::start_at(wanted[0], greet), Backend::start_at(wanted[1], greet)];
        let (log, sink) = LogReceiver::udp();
        let config = format!("{}listen l\n bind 0.0.0.0:9001\n source 10.56.0.1\n option transparent\n", head(sink));
        let (_proxy, _folder) = start(&program, &config);
        for (to, server) in wanted.iter().zip(&servers) {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.bind(&SocketAddr::from(([10, 56, 0, 3], 0)).into()).expect("an address");
            socket.connect(&(*to).into()).expect("a connection");
            let mut stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(wait::PATIENCE)).expect("a time limit");
            assert!(first_line(&mut stream).starts_with("10.56.0.1:"), "through the proxy");
            assert_eq!(server.accepted(), 1, "to the port that was asked for");
        }
        log.wait_count(" l l/<NOSRV> ", 2);
        servers.iter().for_each(Backend::stop);
    }
}

#[test]
fn a_client_on_a_unix_socket_chose_no_address() {
    for program in [Program::theirs(), Program::ours()] {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, ports::free_on(Ipv4Addr::UNSPECIFIED).port()));
        let (_server, (log, sink)) = (Backend::start_at(any, greet), LogReceiver::udp());
        let config = format!(
            "{}listen anywhere\n bind {{dir}}/anywhere\n server s *:{}\n\
             listen through\n bind {{dir}}/through\n option transparent\n",
            head(sink),
            any.port()
        );
        let (_proxy, folder) = start(&program, &config);
        let mut stream =
            wait::until("the socket", || std::os::unix::net::UnixStream::connect(folder.path().join("anywhere")).ok());
        let mut line = [0; 64];
        let count = stream.read(&mut line).expect("a server");
        assert!(count > 0, "this host is meant");
        let mut stream =
            wait::until("the socket", || std::os::unix::net::UnixStream::connect(folder.path().join("through")).ok());
        assert_eq!(stream.read(&mut line).expect("an end"), 0);
        assert!(log.wait_for(" through through/<NOSRV> ").contains(" IC "));
    }
}
