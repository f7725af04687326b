//! What an agent says in its line.
//!
//! Pure: bytes in, meaning out. Words stand in any order, divided by blanks, tabs and commas, in capitals or not; the
//! last of a kind holds, but of words that say nothing the first is told. Source: manual §5.2 "agent-check"; what
//! becomes of odd words observed on 2.6.12 (`tests/agents.rs`).

use crate::pool::{Admin, AgentAnswer};

/// The longest text that is told of an answer, in bytes.
const LONGEST: usize = 127;

/// The first line of what was heard: the bytes before a CR or LF. `None`: none is whole, and a NUL ends all.
pub(super) fn line(heard: &[u8]) -> Option<&[u8]> {
    let text = heard.split(|byte| *byte == 0).next().unwrap_or_default();
    let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    Some(&text[..end])
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> AgentAnswer {
    let mut answer = AgentAnswer::default();
    let (mut weight_fault, mut limit_fault) = (None, None);
    let mut rest = line;
    loop {
        let start = rest.iter().position(|byte| !is_blank(*byte)).unwrap_or(rest.len());
        rest = &rest[start..];
        if rest.is_empty() {
            break;
        }
        if let Some(comment) = rest.strip_prefix(b"#") {
            answer.comment = Some(shown(comment.trim_ascii_start()));
            break;
        }
        let end = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        match &*word.to_ascii_lowercase() {
            b"up" => answer.health = Some((true, shown(word))),
            b"down" | b"fail" | b"stopped" => answer.health = Some((false, shown(word))),
            b"ready" => answer.admin = Some(Admin::Ready),
            b"drain" => answer.admin = Some(Admin::Drain),
            b"maint" => answer.admin = Some(Admin::Maint),
            small if small.starts_with(b"maxconn:") => {
                (answer.maxconn, limit_fault) = split(limit(&word[b"maxconn:".len()..]));
            }
            small if small[0].is_ascii_digit() && small.contains(&b'%') => {
                (answer.weight, weight_fault) = split(percent(word));
            }
            _ => drop(answer.unknown.get_or_insert_with(|| shown(word))),
        }
    }
    answer.fault = weight_fault.or(limit_fault);
    answer
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b',')
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned()
}

fn split<T>(read: Result<T, &'static str>) -> (Option<T>, Option<&'static str>) {
    match read {
        Ok(value) => (Some(value), None),
        Err(fault) => (None, Some(fault)),
    }
}

/// The digits at the beginning as a number, as large as can be counted at most, and what follows them.
fn digits(word: &[u8]) -> (u64, &[u8]) {
    let end = word.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(word.len());
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    (word[..end].iter().fold(0, add), &word[end..])
}

/// A weight: `75%`.
fn percent(word: &[u8]) -> Result<u64, &'static str> {
    match digits(word) {
        (percent, b"%") => Ok(percent),
        _ => Err("the weight is no whole number of percent"),
    }
}

/// A limit of sessions. A negative one counts from the top of 32 bits, as with haproxy.
fn limit(word: &[u8]) -> Result<u32, &'static str> {
    let (negative, number) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, word),
    };
    match digits(number) {
        (number, b"") if !word.is_empty() && word != b"-" && word != b"+" => {
            let low = (number & u64::from(u32::MAX)) as u32;
            Ok(if negative { low.wrapping_neg() } else { low })
        }
        _ => Err("the value of maxconn is no whole number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> AgentAnswer {
        read(line.as_bytes())
    }

    #[test]
    fn lines_end_where_haproxy_ends_them() {
        for (heard, want) in [
            (&b"up\n"[..], Some(&b"up"[..])),
            (b"down\r\nup\n", Some(b"down")),
            (b"\ndown\n", Some(b"")), // an empty line is a line
            (b"up", None),
            (b"x\0down\n", None), // a NUL ends what was said
            (b"up\n\0", Some(b"up")),
            (b"", None),
        ] {
            assert_eq!(line(heard), want, "{heard:?}");
        }
    }

    #[test]
    fn words_of_a_kind() {
        let health = |line| said(line).health.map(|(up, _)| up);
        for (line, want) in [
            ("up", Some(true)),
            ("Fail", Some(false)),
            ("stopped", Some(false)),
            ("up down", Some(false)), // the last one
            ("down,up", Some(true)),
            ("\t ,up,, ", Some(true)),
            ("stop", None),
            ("up;ready", None),
            ("#up", None),
            ("up #down", Some(true)),
        ] {
            assert_eq!(health(line), want, "{line:?}");
        }
        for (line, want) in [
            ("READY", Some(Admin::Ready)),
            ("drain maint", Some(Admin::Maint)),
            ("maint ready drain", Some(Admin::Drain)),
            ("drained", None),
        ] {
            assert_eq!(said(line).admin, want, "{line:?}");
        }
    }

    #[test]
    fn numbers() {
        for (line, want) in [
            ("75%", Some(75)),
            ("50% 70%", Some(70)),
            ("100% 5x%", None), // the last one, and it is none
            ("99999999999999999999999%", Some(u64::MAX)),
            ("50", None),
            ("%", None),
            ("5.5%", None),
        ] {
            assert_eq!(said(line).weight, want, "{line:?}");
        }
        for (line, want) in [
            ("maxconn:30", Some(30)),
            ("MaxConn:0", Some(0)),
            ("maxconn:-1", Some(u32::MAX)),
            ("maxconn:4294967297", Some(1)),
            ("maxconn:", None),
            ("maxconn:-", None),
            ("maxconn:30x", None),
        ] {
            assert_eq!(said(line).maxconn, want, "{line:?}");
        }
        assert!(said("maxconn:x").fault.is_some() && said("60x%").fault.is_some());
        assert_eq!((said("50").unknown.as_deref(), said("-5%").unknown.as_deref()), (Some("50"), Some("-5%")));
    }

    #[test]
    fn notes() {
        let answer = said("foo up bar #  why, not\t");
        assert_eq!((answer.unknown.as_deref(), answer.comment.as_deref()), (Some("foo"), Some("why, not\t")));
        assert_eq!(said("down#x").unknown.as_deref(), Some("down#x"));
        assert_eq!(said("up ###x").comment.as_deref(), Some("##x"));
    }

    /// Whatever an agent sends, it is read, and what is told of it is short.
    #[test]
    fn hostile_answers() {
        bolero::check!().for_each(|heard: &[u8]| {
            let Some(line) = line(heard) else { return };
            let answer = read(line);
            let texts = [answer.unknown, answer.comment, answer.health.map(|(_, word)| word)];
            assert!(texts.into_iter().flatten().all(|text| text.len() <= LONGEST * 3));
        });
    }
}
