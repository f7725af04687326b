//! What two haproxy 2.6 said to each other, and bytes that nobody should send.

use super::dictionary::{Heard, Told};
use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_ascii_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
}

/// All messages of a recording.
fn frames(mut rest: &[u8]) -> Vec<Frame<'_>> {
    let mut all = Vec::new();
    while let Some((frame, length)) = frame(rest).expect("messages") {
        all.push(frame);
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "{rest:?} left");
    all
}

#[test]
fn numbers_of_all_lengths_come_back() {
    for (number, hex) in [
        (0, "00"),
        (239, "ef"),
        (240, "f0 00"),
        (300, "fc 03"),                        // conn_cnt=300, recorded
        (0x1234, "f4 94 01"),                  // the manual's example
        (10_000, "f0 e2 03"),                  // a period of 10 s, recorded
        (99_999_999_999, "ff f0 db 9c a3 16"), // bytes_in_cnt, recorded
    ] {
        let mut out = Vec::new();
        varint::write(&mut out, number);
        assert_eq!(out, bytes(hex), "{number}");
        assert_eq!(varint::read(&mut &*out), Ok(number));
    }
    let mut out = Vec::new();
    varint::write(&mut out, u64::MAX);
    assert_eq!(varint::read(&mut &*out), Ok(u64::MAX));
    assert_eq!(varint::read(&mut &[0xff; 12][..]), Err(Fault::Protocol), "more than 64 bits");
    assert_eq!(varint::read(&mut &[0xf0, 0x80][..]), Err(Fault::Protocol), "cut off");
}

#[test]
fn hellos_are_judged_as_haproxy_judges_them() {
    let known = Hello { minor: 1, to: b"A".to_vec(), from: b"B".to_vec() };
    for (text, want) in [
        ("HAProxyS 2.1\nA\nB 1 0\n", Ok(Some((known.clone(), 21)))),
        ("HAProxyS 2.1\r\nA\r\nB 1 0\r\nx", Ok(Some((known.clone(), 24)))),
        ("HAProxyS 2.0\nA\nB 1 0\n", Ok(Some((Hello { minor: 0, ..known.clone() }, 21)))),
        ("HAP", Ok(None)),
        ("HAProxyS 2.1\nA\nB 1", Ok(None)),
        ("GET / HTTP/1.0\r\n", Err(Status::Protocol)),
        ("GET /", Err(Status::Protocol)),
        ("HAProxyS 2.2\n", Err(Status::Version)),
        ("HAProxyS 2\nA\nB\n", Err(Status::Version)),
        ("HAProxyS 2.1\nA\nB\n", Err(Status::Protocol)), // no process
    ] {
        assert_eq!(Hello::read(text.as_bytes()), want, "{text:?}");
    }
    assert_eq!(Hello::read(&[b'\n'; 3]), Err(Status::Protocol));
    assert_eq!(Hello::read(format!("HAProxyS 2.1\n{}", "n".repeat(2000)).as_bytes()), Err(Status::Protocol));
    assert_eq!(known.lines(7), b"HAProxyS 2.1\nA\nB 7 1\n");
    assert_eq!(Status::read(b"200\n\0\0"), Ok(Some((Status::Succeeded, 4))));
    assert_eq!(Status::read(b"20"), Ok(None));
    assert_eq!(Status::read(b"299\n"), Err(()));
    assert_eq!(Status::read(b"garbage"), Err(()));
}

/// A table of haproxy with `store server_id,server_key,gpc0` and two entries, one learned by `stick on`.
const STICKING: &str = "0a 82 0d 05 02 74 73 06 21 f5 f1 fe 00 f0 b5 12 \
    0a 80 0d 00 00 00 02 05 68 65 6c 6c 6f 00 01 00 \
    0a 80 15 00 00 00 05 09 31 32 37 2e 30 2e 30 2e 31 01 00 04 01 02 73 31 \
    0a 85 16 00 00 00 05 00 00 0a d5 09 31 32 37 2e 30 2e 30 2e 31 01 00 01 01";

#[test]
fn entries_of_texts_are_read_and_written() {
    let recorded = bytes(STICKING);
    let found = frames(&recorded);
    let Frame::Define(body) = found[0] else { panic!("{found:?}") };
    let definition = Definition::read(body).expect("a definition");
    assert_eq!((definition.id, &*definition.name, definition.expire), (5, &b"ts"[..], 40_000));
    assert_eq!((definition.keys, definition.width), (Some(KeyType::Text), 33));
    assert_eq!(definition.data.iter().map(|datum| datum.kind).collect::<Vec<_>>(), [0, 2, 19]);
    let (mut heard, mut told, mut out) = (Heard::default(), Told::default(), Vec::new());
    definition.write(&mut out);
    for frame in &found[1..] {
        let Frame::Update { numbered, timed, body } = *frame else { panic!("{frame:?}") };
        let update = Update::read(body, numbered, timed, KeyType::Text, 33).expect("an update");
        let mut data = update.data;
        let mut copy = Vec::new();
        for datum in &definition.data {
            write_value(&mut copy, read_value(&mut data, datum, &mut heard).expect("a datum"), &mut told);
        }
        assert!(data.is_empty());
        assert!(Update { data: &copy, ..update }.write(&mut out, true));
    }
    assert_eq!(out, recorded, "what was read is written as it was");
    assert_eq!(heard.texts().flatten().collect::<Vec<_>>(), [b"s1"]);
}

#[test]
fn rates_and_arrays_are_read_and_written() {
    // `type integer … store gpt(3),gpc(2),gpc_rate(2,10s)`, and one with every other type
    let recorded = bytes(
        "0a 82 16 04 02 74 6e 02 04 f0 f1 fe 6e f0 b5 12 16 03 17 02 18 02 f0 e2 03 \
         0a 80 1b 00 00 00 02 12 34 56 78 00 00 00 00 00 fa ba 9f bd 13 00 00 fa ba 9f bd 13 00 00 \
         0a 82 31 02 02 74 69 04 04 ff f0 fe 0c f0 c4 0d 03 f0 e2 03 05 f8 a9 01 08 f8 a6 02 0a f0 eb 00 0c f0 e8 01 \
         0e f0 97 1c 10 f0 97 1c 12 f8 ac 00 15 f0 e5 02 \
         0a 80 51 00 00 00 02 0a 01 02 03 00 03 06 a2 09 00 fc 03 a2 11 00 00 00 fa ba 9f bd 13 00 00 00 fa ba 9f bd 13 \
         00 00 00 fa ba 9f bd 13 00 00 ff f0 db 9c a3 16 fa ba 9f bd 13 00 00 00 fa ba 9f bd 13 00 00 00 fa ba 9f bd 13 \
         00 00 00 fa ba 9f bd 13 00 00",
    );
    let mut out = Vec::new();
    let (mut heard, mut told) = (Heard::default(), Told::default());
    let mut current: Option<Definition> = None;
    let mut seen = Vec::new();
    for frame in frames(&recorded) {
        match frame {
            Frame::Define(body) => {
                let definition = Definition::read(body).expect("a definition");
                definition.write(&mut out);
                current = Some(definition);
            }
            Frame::Update { numbered, timed, body } => {
                let of = current.as_ref().expect("a definition before");
                let keys = of.keys.expect("a known type");
                let update = Update::read(body, numbered, timed, keys, of.width).expect("an update");
                let (mut data, mut copy) = (update.data, Vec::new());
                for datum in &of.data {
                    for _ in 0..datum.elements {
                        let value = read_value(&mut data, datum, &mut heard).expect("a datum");
                        seen.push(format!("{} {value:?}", datum.kind));
                        write_value(&mut copy, value, &mut told);
                    }
                }
                assert!(data.is_empty(), "{data:?} left");
                Update { data: &copy, ..update }.write(&mut out, keys == KeyType::Text);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(out, recorded);
    for want in ["5 Rate { age: 162, current: 17, previous: 0 }", "13 Number(99999999999)"] {
        assert!(seen.iter().any(|value| value == want), "{want} is not in {seen:?}");
    }
}

#[test]
fn what_is_not_known_is_passed_over_and_what_cannot_be_ends_the_session() {
    for (hex, want) in [
        ("0a", Ok(None)),
        ("0a 80", Ok(None)),
        ("0a 80 f0", Ok(None)),
        ("00 09", Ok(Some((Frame::Other, 2)))),
        ("47 47", Ok(Some((Frame::Other, 2)))),
        ("0a 90 01 00", Ok(Some((Frame::Other, 4)))),
        ("00 04", Ok(Some((Frame::Control(Control::Heartbeat), 2)))),
        ("01 01", Ok(Some((Frame::Fault(Fault::Size), 2)))),
        ("ff 00", Err(Fault::Protocol)),
        ("0a 80 ff ff ff ff ff ff ff ff ff ff ff", Err(Fault::Protocol)),
        ("0a 80 ff ff ff 7f", Err(Fault::Size)),
        ("0a 84 05 09 00 00 00 0a", Ok(Some((Frame::Ack(&[9, 0, 0, 0, 10]), 8)))), // recorded
    ] {
        assert_eq!(frame(&bytes(hex)), want, "{hex}");
    }
    assert_eq!(Ack::read(&[9, 0, 0, 0, 10]), Ok(Ack { table: 9, number: 10 }));
    // a type of the future: what stands before it is read
    let future = Definition::read(&[1, 1, b't', 6, 33, 0xf5, 0xf1, 0xfe, 0xfe, 0x1f, 0]).expect("a definition");
    assert!(future.bits > 1 << 27 && future.data.iter().all(|datum| datum.kind < 27), "{future:?}");
}

#[test]
fn numbers_of_texts_stay_within_the_dictionary() {
    let word = Described { kind: 19, form: Form::Word, elements: 1, period: 0 };
    let mut heard = Heard::default();
    for (hex, want) in [
        ("00", Ok(Value::Word(None))),
        ("01 05", Ok(Value::Word(None))), // a number that was never told
        ("02 00 00", Err(Fault::Protocol)),
        ("03 80 01 61", Ok(Value::Word(Some(b"a")))), // 128, the last
        ("03 81 01 61", Err(Fault::Protocol)),
        ("03 05 09 61", Err(Fault::Protocol)), // shorter than it says
    ] {
        assert_eq!(read_value(&mut &*bytes(hex), &word, &mut heard), want, "{hex}");
    }
    let (mut told, mut out) = (Told::default(), Vec::new());
    for round in 0..2 {
        for number in 0..300_u32 {
            out.clear();
            write_value(&mut out, Value::Word(Some(number.to_string().as_bytes())), &mut told);
            let read = read_value(&mut &*out, &word, &mut heard);
            assert_eq!(read, Ok(Value::Word(Some(number.to_string().as_bytes()))), "round {round}");
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    bolero::check!().with_iterations(20_000).for_each(|input: &[u8]| {
        let _ = Hello::read(input);
        let _ = Status::read(input);
        let mut heard = Heard::default();
        let mut current: Option<Definition> = None;
        let mut rest = input;
        while let Ok(Some((frame, length))) = frame(rest) {
            rest = &rest[length..];
            match frame {
                Frame::Define(body) => current = Definition::read(body).ok().or(current),
                Frame::Update { numbered, timed, body } => {
                    let Some(of) = &current else { continue };
                    let keys = of.keys.unwrap_or(KeyType::Text);
                    let Ok(update) = Update::read(body, numbered, timed, keys, of.width) else { continue };
                    let mut data = update.data;
                    for datum in &of.data {
                        if read_value(&mut data, datum, &mut heard).is_err() {
                            break;
                        }
                    }
                }
                Frame::Ack(body) => drop(Ack::read(body)),
                Frame::Switch(body) => drop(Ack::switched(body)),
                Frame::Control(_) | Frame::Fault(_) | Frame::Other => {}
            }
        }
    });
}

#[test]
fn definitions_bent_anywhere_are_read_or_refused() {
    bolero::check!().with_iterations(5_000).with_type::<(Vec<(u8, u8)>, u8)>().for_each(|(bends, cut)| {
        let mut recorded = bytes(STICKING);
        for (at, byte) in bends {
            let at = usize::from(*at) % recorded.len();
            recorded[at] = *byte;
        }
        recorded.truncate(recorded.len().saturating_sub(usize::from(*cut) % 8));
        let mut rest = &*recorded;
        while let Ok(Some((found, length))) = frame(rest) {
            if let Frame::Define(body) = found
                && let Ok(definition) = Definition::read(body)
            {
                let mut out = Vec::new();
                definition.write(&mut out);
                assert!(out.len() < 2 * MOST_BODY);
            }
            rest = &rest[length..];
        }
    });
}
