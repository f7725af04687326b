//! Real programs that speak the protocol: nginx behind, haproxy before and behind.

use crate::harness::program::Program;
use crate::harness::services::Service;
use crate::harness::{client, ports};
use crate::stage::*;

/// nginx tells the client that the header named.
#[test]
fn nginx_behind_it() {
    let nginx = Service::nginx_behind_proxy("$proxy_protocol_addr:$proxy_protocol_port\\n");
    for words in ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl proxy-v2-options crc32c,unique-id"] {
        alike(|program| {
            let lines = format!("listen l\n bind DOOR accept-proxy\n server n {} {words} check\n", nginx.address);
            let stage = Stage::new(program, &lines);
            let request = [V1, b"GET / HTTP/1.0\r\n\r\n"].concat();
            let mut stream = client::connect(stage.door);
            std::io::Write::write_all(&mut stream, &request).expect("sent");
            let answer = client::read_all(&mut stream).expect("an answer");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
            assert_eq!(body.trim(), "1.2.3.4:1111");
            vec![body.to_owned()]
        });
    }
}

/// Three in a row: the last one logs the first one's client, whichever program stands where.
#[test]
fn in_a_row_with_haproxy() {
    let (ours, theirs) = (Program::under_test(), Program::theirs());
    for (first, middle, last) in [(&theirs, &ours, &theirs), (&ours, &theirs, &ours), (&ours, &ours, &ours)] {
        let end = Stage::new(last, "listen l\n bind DOOR accept-proxy\n option tcplog\n server s SERVER\n");
        let second = format!(
            "listen l\n bind DOOR accept-proxy\n server s {} send-proxy-v2 proxy-v2-options crc32c\n",
            end.door
        );
        let second = Stage::new(middle, &second);
        let front = ports::free();
        let begin = format!("listen l\n bind {front}\n bind DOOR\n server s {} send-proxy\n", second.door);
        let begin = Stage::new(first, &begin);
        let mut stream = client::connect(begin.door);
        let own = stream.local_addr().expect("its address").to_string();
        assert_eq!(say(&mut stream, b"through three"), "fin after \"bye\"");
        assert_eq!(end.next(), b"through three");
        let line = end.log.wait_for(" l/s ");
        assert!(line.contains(&format!("]: {own} [")), "{own} is the client of {line}");
    }
}
