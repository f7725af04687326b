//! Any bytes that a server may answer: each expectation has a verdict, and one that is over is for good.

use super::answer::{Heard, Verdict, judge};
use super::http::{self, Parsed};
use crate::expr::{Nothing, Regex};
use crate::ir::check::{Expect, HeaderPattern, Matcher, Pattern};

fn patterns() -> Vec<Pattern> {
    let regex = |text: &str| Regex::new(text.as_bytes()).expect(text);
    let header = |name, value, full| Pattern::Header(Box::new(HeaderPattern { name, value, full }));
    vec![
        Pattern::Text(b"OK".to_vec()),
        Pattern::Binary(vec![0, 255]),
        Pattern::TextFormat("a".into()),
        Pattern::BinaryFormat("4".into()),
        Pattern::Regex(regex("^.{2}$")),
        Pattern::BinaryRegex(regex("00FF")),
        Pattern::Status(vec![200..=399]),
        Pattern::StatusRegex(regex("^2")),
        header(Matcher::Holds("a".into()), Some(Matcher::Ends("b".into())), false),
        header(Matcher::Begins("a".into()), None, true),
        Pattern::Body(b"ab".to_vec()),
        Pattern::BodyFormat("b".into()),
        Pattern::BodyRegex(regex("a$")),
    ]
}

#[test]
fn any_answer_has_a_verdict() {
    /// What answers are made of, so that more than one in a million is one.
    const PARTS: [&[u8]; 16] = [
        b"HTTP/1.1 ",
        b"200 OK",
        b"404",
        b"\r\n",
        b"\n",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked",
        b"a: b",
        b"5",
        b"0",
        b"ffffffffffffffff",
        b"ab",
        b"\0",
        b"\xff",
        b",",
        b"\"",
    ];
    let patterns = patterns();
    bolero::check!().for_each(|bytes| {
        let likely: Vec<u8> = bytes.iter().flat_map(|byte| PARTS[usize::from(*byte) % PARTS.len()]).copied().collect();
        for bytes in [bytes, likely.as_slice()] {
            if let Parsed::Answer(answer) = http::answer(bytes, false) {
                assert!(answer.body.len() <= bytes.len());
            }
            for pattern in &patterns {
                for (negated, min_recv) in [(false, None), (true, None), (false, Some(3))] {
                    let expect = Expect { negated, min_recv, ..Expect::new(pattern.clone()) };
                    let heard = |over| Heard { bytes, over, bodiless: false, disable_on_404: true };
                    assert_ne!(judge(&expect, heard(true), &Nothing), Verdict::Wait);
                    let _ = judge(&expect, heard(false), &Nothing);
                }
            }
        }
    });
}
