//! CONNECT packets of every version and size, whole and in pieces: they arrive as they were sent, or the session is cut.

use std::io::Write;
use std::net::Shutdown;

use crate::harness::client;
use crate::harness::mqtt::{Connect, connack};
use crate::stage::{RULES, Stage, alike, send};

/// A buffer for the largest CONNECT of these tests.
const LARGE: &str = "  tune.bufsize 65536\n";

/// The code that a packet in these pieces is answered with, after it was seen to arrive as it is.
fn answered(stage: &Stage, client: &str, packet: &[u8], cuts: &[usize]) -> Option<u8> {
    let mut stream = stage.connect();
    let mut from = 0;
    let mut pieces: Vec<&[u8]> = Vec::new();
    for cut in cuts.iter().chain([&packet.len()]) {
        pieces.push(&packet[from..*cut]);
        from = *cut;
    }
    send(&mut stream, pieces);
    let code = connack(&mut stream);
    if code.is_some() {
        let arrival = stage.gate.wait_for(client);
        assert_eq!(arrival.source, stream.local_addr().expect("an address"), "the broker is told who came");
        assert!(arrival.connect == packet, "{client}: other bytes came");
    }
    code
}

/// A client identifier of that length, which begins with `name`.
fn identifier(name: &str, length: usize) -> String {
    format!("{name}-{}", "x".repeat(length - name.len() - 1))
}

#[test]
fn each_version_in_two_pieces_wherever_it_is_cut() {
    alike(|program| {
        let stage = Stage::new(program, "", RULES);
        let mut codes = Vec::new();
        for level in 3..=5 {
            let length = Connect { level, ..Connect::plain("aaaaaa") }.packet().len();
            for cut in 1..length {
                let client = format!("c{level}-{cut:03}");
                let packet = Connect { level, ..Connect::plain(&client) }.packet();
                codes.push(answered(&stage, &client, &packet, &[cut]));
            }
        }
        assert!(codes.iter().all(|code| *code == Some(0)), "{codes:?}");
        codes.len()
    });
}

#[test]
fn lengths_of_two_and_three_bytes_in_pieces() {
    alike(|program| {
        let stage = Stage::new(program, LARGE, RULES);
        let payload = vec![b'w'; 20_000];
        let mut codes = Vec::new();
        for (level, length) in [(3, 120), (4, 128), (4, 200), (5, 200), (4, 16_383), (5, 17_000), (4, 40_000)] {
            for cut in [0, 1, 2, 3, 4, 5, 60, 127, 128, 129, length / 2, length - 1, length + 11] {
                let client = identifier(&format!("c{level}-{length}-{cut}"), length);
                let packet = Connect { level, ..Connect::plain(&client) }.packet();
                codes.push(answered(&stage, &client, &packet, &[cut.max(1)]));
            }
        }
        for level in [4, 5] {
            let client = format!("will-{level}");
            let connect =
                Connect { level, user: Some("joe"), will: Some(("last/will", &payload)), ..Connect::plain(&client) };
            codes.push(answered(&stage, &client, &connect.packet(), &[100, 16_384, 16_400]));
        }
        assert!(codes.iter().all(|code| *code == Some(0)), "{codes:?}");
        codes.len()
    });
}

#[test]
fn one_byte_at_a_time() {
    alike(|program| {
        let stage = Stage::new(program, "", RULES);
        let codes: Vec<_> = [(3, 20), (4, 20), (5, 20), (4, 300), (5, 300)]
            .into_iter()
            .map(|(level, length)| {
                let client = identifier(&format!("c{level}"), length);
                let packet = Connect { level, ..Connect::plain(&client) }.packet();
                answered(&stage, &client, &packet, &(1..packet.len()).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(codes, [Some(0); 5]);
        codes
    });
}

/// What does not fit into the buffer cannot be looked at as a whole.
#[test]
fn a_packet_that_is_larger_than_the_buffer_is_cut() {
    alike(|program| {
        let stage = Stage::new(program, "", RULES);
        let client = identifier("large", 20_000);
        let packet = Connect::plain(&client).packet();
        let mut stream = stage.connect();
        let _ = stream.write_all(&packet);
        let end = client::read_all(&mut stream).map_or(0, |answer| answer.len());
        (end, stage.line())
    });
}

/// Each is cut at once, but for what may still become a packet when its client sends no more.
#[test]
fn what_is_no_packet_is_cut() {
    alike(|program| {
        let mut told = Vec::new();
        let whole = Connect::plain("me").packet();
        let mut wrong = whole.clone();
        wrong[9] = 3; // a flag that must be 0
        for (bytes, half) in [
            (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], false),
            (b"\x16\x03\x01\x02\x00\x01", false),
            (b"\x10\xff\xff\xff\xff", false),
            (wrong.as_slice(), false),
            (&whole[..9], true),
            (&whole[..1], true),
            (b"", true),
        ] {
            let stage = Stage::new(program, "", RULES);
            let mut stream = stage.connect();
            stream.write_all(bytes).expect("bytes are sent");
            if half {
                stream.shutdown(Shutdown::Write).expect("a half-close");
            }
            let end = client::read_all(&mut stream);
            assert!(!matches!(&end, Ok(answer) if !answer.is_empty()), "nobody answers: {end:?}");
            told.push((bytes.escape_ascii().to_string(), stage.line(), stage.gate.arrivals().len()));
        }
        told
    });
}
