//! Faults that tests ask for, to see what becomes of the others.
//!
//! Built in by the feature `faults` only, and asked for by `BATON_FAULT`, which holds words of the form `POINT`, `POINT:DEED`
//! or `POINT@N:DEED`, divided by commas: at the Nth passage of a point (the first, without `@N`) the process is struck by the
//! deed: `kill` (SIGKILL) or `stop` (SIGSTOP).

use std::sync::Mutex;

use nix::sys::signal::{Signal, raise};

/// Points that were passed, and how often.
static PASSED: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());

/// Whether a test asks for a fault that has no deed. Always `false` without the feature.
pub fn is(point: &str) -> bool {
    cfg!(feature = "faults") && wanted().split(',').any(|word| word == point)
}

/// A point of the way: what the test asks for happens here. Nothing without the feature.
pub fn at(point: &str) {
    if cfg!(feature = "faults") {
        strike(point);
    }
}

fn wanted() -> String {
    std::env::var("BATON_FAULT").unwrap_or_default()
}

fn strike(point: &str) {
    let wanted = wanted();
    let Some((deed, turn)) = wanted.split(',').find_map(|word| parse(word, point)) else { return };
    let Ok(mut passed) = PASSED.lock() else { return };
    let times = match passed.iter_mut().find(|(name, _)| name == point) {
        Some((_, times)) => {
            *times += 1;
            *times
        }
        None => {
            passed.push((point.to_owned(), 1));
            1
        }
    };
    drop(passed);
    if times != turn {
        return;
    }
    let _ = match deed {
        "kill" => raise(Signal::SIGKILL),
        "stop" => raise(Signal::SIGSTOP),
        _ => Ok(()),
    };
}

/// Deed and passage, if a word means this point.
fn parse<'a>(word: &'a str, point: &str) -> Option<(&'a str, u32)> {
    let (place, deed) = word.split_once(':')?;
    let (name, turn) = place.split_once('@').unwrap_or((place, "1"));
    (name == point).then_some((deed, turn.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_a_point_a_passage_and_a_deed() {
        assert_eq!(parse("taken:kill", "taken"), Some(("kill", 1)));
        assert_eq!(parse("taken@3:stop", "taken"), Some(("stop", 3)));
        assert_eq!(parse("taken@3:stop", "offered"), None);
        assert_eq!(parse("early-close", "early-close"), None);
    }
}
