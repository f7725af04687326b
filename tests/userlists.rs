//! Who sees the statistics page by `stats http-request` and a user list, on both programs.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::ports;
use harness::program::Program;
use harness::proxy::Proxy;

/// Pages with rules of their own. Hashes: of `password`, by openssl and libcrypt.
fn pages(doors: &[SocketAddr; 4]) -> String {
    let [all, login, group, none] = doors;
    format!(
        "userlist L\n group admins users md5\n group ops\n\
         user md5 password $1$abcdefgh$G//4keteveJp0qb8z2DxG/\n\
         user sha256 password $5$saltstring$OH4IDuTlsuTYPdED1gsuiRMyTAwNlRWyA6Xr3I4/dQ5 groups ops\n\
         user sha512 password $6$a.b/c$rU5AaLAcDy5mF7pukkSQ16Wc/KcaHBD/FVVcO15kxBu4PJdBU6X2.Kof5NGmz.Vh9CGaBD7uZ.NDXA08Hty931\n\
         user yescrypt password $y$j75$abcdefghijklmnop$N9VtQBnMZBfUGPXsEdXe5UwVLyMe6bKcaAgKzaddXZ9 groups admins,ops\n\
         user clear insecure-password se:cret\n\
         defaults\n mode http\n timeout client 1m\n timeout server 1m\n timeout connect 1m\n\
         listen all\n bind {all}\n stats enable\n acl known http_auth(L)\n\
         stats http-request allow if {{ http_auth_group(L) admins }}\n\
         stats http-request auth realm \"the page\" unless known\n\
         stats http-request deny\n\
         listen login\n bind {login}\n stats enable\n stats http-request auth unless {{ http_auth(L) }}\n\
         listen group\n bind {group}\n stats enable\n stats http-request deny unless {{ http_auth_group(L) ops }}\n\
         listen none\n bind {none}\n stats enable\n stats http-request deny if FALSE\n"
    )
}

/// The status and the realm that is asked for.
fn ask(door: SocketAddr, user: Option<&str>) -> (u16, Option<String>) {
    let mut stream = TcpStream::connect(door).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
    let login = user.map_or_else(String::new, |user| format!("Authorization: Basic {}\r\n", STANDARD.encode(user)));
    write!(stream, "GET /haproxy?stats;csv HTTP/1.1\r\nHost: x\r\n{login}Connection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let realm = answer.split_once("Basic realm=\"").and_then(|(_, rest)| rest.split_once('"'));
    (status, realm.map(|(realm, _)| realm.to_owned()))
}

#[test]
fn users_of_a_list_see_the_page() {
    for program in [Program::theirs(), Program::ours()] {
        let doors = [(); 4].map(|()| ports::free());
        let _proxy = Proxy::start(&program, &pages(&doors));
        let page = || (401, Some("the page".to_owned()));
        let own = || (401, Some("HAProxy Statistics".to_owned()));
        for (user, want) in [
            (None, [page(), own(), (403, None), (200, None)]),
            (Some("md5:password"), [(200, None), (200, None), (403, None), (200, None)]),
            (Some("md5:passwor"), [page(), own(), (403, None), (200, None)]),
            (Some("sha256:password"), [(403, None), (200, None), (200, None), (200, None)]),
            (Some("sha512:password"), [(403, None), (200, None), (403, None), (200, None)]),
            (Some("yescrypt:password"), [(200, None), (200, None), (200, None), (200, None)]),
            (Some("yescrypt:Password"), [page(), own(), (403, None), (200, None)]),
            (Some("clear:se:cret"), [(403, None), (200, None), (403, None), (200, None)]),
            (Some("clear:se"), [page(), own(), (403, None), (200, None)]),
            (Some("nobody:x"), [page(), own(), (403, None), (200, None)]),
            (Some("clear"), [page(), own(), (403, None), (200, None)]),
            (Some(":"), [page(), own(), (403, None), (200, None)]),
        ] {
            for (door, want) in doors.iter().zip(want) {
                assert_eq!(ask(*door, user), want, "{user:?} at {door} of {:?}", program.kind);
            }
        }
    }
}

/// A user without a password, and one whose hash is not built, are nobody. (haproxy ends at such a request.)
#[test]
fn users_without_a_password_are_nobody() {
    let door = ports::free();
    let config = format!(
        "userlist L\n user eve\n user old password $2b$10$abcdefghijklmnopqrstuv\n\
         defaults\n mode http\n timeout client 1m\n timeout server 1m\n timeout connect 1m\n\
         listen l\n bind {door}\n stats enable\n stats http-request auth unless {{ http_auth(L) }}\n"
    );
    let _proxy = Proxy::start(&Program::ours(), &config);
    for user in ["eve:", "eve", "old:", "old:x"] {
        assert_eq!(ask(door, Some(user)).0, 401, "{user}");
    }
}
