//! Compiled lists against the plain reading of the manual, and lists that change while they are read.

use std::sync::Arc;

use super::{Entry, Flags, Lists, Method, Set};
use crate::expr::Value;
use crate::expr::tests::context;

fn entry(key: &[u8]) -> Entry {
    Entry { key: key.into(), ..Entry::default() }
}

fn set(method: Method, keys: &[Vec<u8>]) -> Set {
    let entries: Arc<[Entry]> = keys.iter().map(|key| entry(key)).collect();
    Set::new(entries, method, Flags::default(), None).expect("patterns")
}

/// What the manual says, one pattern after the other.
fn naive(method: Method, key: &[u8], text: &[u8]) -> bool {
    let delimiters: &[u8] = match method {
        Method::Dir => b"/?",
        Method::Dom => b"/?.:",
        _ => b"",
    };
    let is = |byte: &u8| delimiters.contains(byte);
    let start = key.iter().position(|byte| !is(byte)).unwrap_or(key.len());
    let end = key.iter().rposition(|byte| !is(byte)).map_or(start, |last| last + 1);
    let inner = &key[start..end];
    let parts = || (0..=text.len().saturating_sub(inner.len())).filter(|at| text[*at..].starts_with(inner));
    match method {
        Method::Beg => text.starts_with(key),
        Method::End => text.ends_with(key),
        Method::Sub => key.is_empty() || parts().next().is_some(),
        Method::Dir | Method::Dom => {
            !inner.is_empty()
                && parts().any(|at| (at == 0 || is(&text[at - 1])) && text.get(at + inner.len()).is_none_or(is))
        }
        _ => text == key,
    }
}

#[test]
fn many_texts_fit_as_one_after_the_other() {
    const ALPHABET: &[u8] = b"ab/.:?";
    let letters =
        |bytes: &[u8]| -> Vec<u8> { bytes.iter().map(|b| ALPHABET[usize::from(*b) % ALPHABET.len()]).collect() };
    bolero::check!().with_iterations(3_000).with_type::<(Vec<Vec<u8>>, Vec<u8>)>().for_each(|(keys, text)| {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| letters(&key[..key.len().min(4)])).collect();
        let text = letters(text);
        for method in [Method::Str, Method::Beg, Method::End, Method::Sub, Method::Dir, Method::Dom] {
            let found = set(method, &keys).find(&Value::text(&text)).map(|found| found.index);
            let fits: Vec<usize> = (0..keys.len()).filter(|ix| naive(method, &keys[*ix], &text)).collect();
            let want = match method {
                // the longest, and of those the first
                Method::Beg => fits.iter().copied().max_by_key(|ix| (keys[*ix].len(), usize::MAX - ix)),
                _ => fits.first().copied(),
            };
            assert_eq!(found, want, "{method:?} {keys:?} {text:?}");
        }
    });
}

#[test]
fn many_ranges_fit_as_one_after_the_other() {
    bolero::check!().with_iterations(3_000).with_type::<(Vec<(u8, u8)>, u8)>().for_each(|(ranges, number)| {
        let ranges: Vec<(u8, u8)> = ranges.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
        let keys: Vec<Vec<u8>> = ranges.iter().map(|(low, high)| format!("{low}:{high}").into_bytes()).collect();
        let found = set(Method::Int, &keys).find(&Value::Int(i64::from(*number))).map(|found| found.index);
        let want = ranges.iter().position(|(low, high)| low <= number && number <= high);
        assert_eq!(found, want, "{ranges:?} {number}");
    });
}

#[test]
fn many_regular_expressions_are_looked_for_together() {
    let keys: Vec<Vec<u8>> = (0..500).map(|number| format!("^{number}(x|y)$").into_bytes()).collect();
    let set = set(Method::Reg, &keys);
    let found = |text: &[u8]| set.find(&Value::text(text)).map(|found| found.index);
    assert_eq!((found(b"321x"), found(b"7y"), found(b"7z")), (Some(321), Some(7), None));
    let groups = set.groups(&set.find(&Value::text(b"321y")).expect("one"), b"321y");
    assert_eq!(groups, Some(vec![Some(0..4), Some(3..4)]));
}

#[test]
fn a_list_changes_whole_or_not_at_all() {
    context(|context| {
        let lists = Lists::default();
        let list = lists.open("list", false, context.world).expect("the file");
        let texts = list.view(Method::Str, Flags::default(), context.world).expect("texts");
        assert!(Arc::ptr_eq(&list, &lists.open("list", false, context.world).expect("the same")));
        let fits = |text: &[u8]| texts.set().find(&Value::text(text)).is_some();
        assert!(fits(b"abc") && !fits(b"new"));

        let before = texts.set();
        list.change(|contents| contents.entries.push(entry(b"new"))).expect("a text");
        assert!(fits(b"new"), "seen at once");
        assert!(before.find(&Value::text(b"new")).is_none(), "who reads goes on with what he has");

        // A new version is seen when it is committed, and not before.
        list.change(|contents| contents.entries.push(Entry { version: 1, ..entry(b"later") })).expect("a text");
        assert!(!fits(b"later") && fits(b"abc"));
        list.change(|contents| contents.version = 1).expect("a commit");
        assert!(fits(b"later") && !fits(b"abc"));

        // One view that cannot be made: nothing changes.
        list.change(|contents| *contents = super::Contents::default()).expect("empty");
        let numbers = list.view(Method::Int, Flags::default(), context.world).expect("no numbers");
        let why = list.change(|contents| contents.entries.push(entry(b"word"))).expect_err("no number");
        assert_eq!(why.1.to_string(), "'word' is not a number");
        assert!(!fits(b"word") && numbers.set().is_empty());
    });
}
