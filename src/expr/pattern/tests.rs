//! Compiled lists against the plain reading of the manual, and lists that change while they are read.

use std::sync::Arc;

use super::layer::{Entries, Layer};
use super::list::List;
use super::{ChangeError, Entry, Flags, Lists, Look, Method, Set, Which, Written};
use crate::expr::Value;
use crate::expr::tests::context;

fn entry(key: &[u8]) -> Written {
    Written { key: key.into(), ..Written::default() }
}

fn look(method: Method) -> Look {
    Look { method, flags: Flags::default(), gives: None }
}

fn set(method: Method, keys: &[Vec<u8>]) -> Set {
    let entries: Entries = (1..).zip(keys).map(|(id, key)| Arc::new(Entry::new(id, entry(key)))).collect();
    let layer = Layer::new(entries, method, Flags::default(), &|_| Vec::new()).expect("patterns");
    Set::new(look(method), vec![Arc::new(layer)])
}

/// The place of what is found, where nothing was added or deleted.
fn found(set: &Set, value: &Value<'_>) -> Option<usize> {
    set.find(value).map(|found| found.entry.id() as usize - 1)
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
            let found = found(&set(method, &keys), &Value::text(&text));
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
        let found = found(&set(Method::Int, &keys), &Value::Int(i64::from(*number)));
        let want = ranges.iter().position(|(low, high)| low <= number && number <= high);
        assert_eq!(found, want, "{ranges:?} {number}");
    });
}

#[test]
fn many_regular_expressions_are_looked_for_together() {
    let keys: Vec<Vec<u8>> = (0..500).map(|number| format!("^{number}(x|y)$").into_bytes()).collect();
    let set = set(Method::Reg, &keys);
    let found = |text: &[u8]| found(&set, &Value::text(text));
    assert_eq!((found(b"321x"), found(b"7y"), found(b"7z")), (Some(321), Some(7), None));
    let groups = set.groups(&set.find(&Value::text(b"321y")).expect("one"), b"321y");
    assert_eq!(groups, Some(vec![Some(0..4), Some(3..4)]));
}

#[test]
fn a_list_changes_whole_or_not_at_all() {
    context(|context| {
        let lists = Lists::default();
        let list = lists.open("list", false, "str", context.world).expect("the file");
        let texts = list.view(look(Method::Str), context.world).expect("texts");
        assert!(Arc::ptr_eq(&list, &lists.open("list", false, "str", context.world).expect("the same")));
        let fits = |text: &[u8]| texts.set().find(&Value::text(text)).is_some();
        assert!(fits(b"abc") && !fits(b"new"));

        let before = texts.set();
        list.add(None, vec![entry(b"new")]).expect("a text");
        assert!(fits(b"new"), "seen at once");
        assert!(before.find(&Value::text(b"new")).is_none(), "who reads goes on with what he has");

        // A new version is seen when it is committed, and not before.
        assert_eq!(list.add(Some(1), vec![entry(b"later")]), Err(ChangeError::Version(1)));
        assert_eq!(list.commit(1), Err(ChangeError::Version(1)));
        assert_eq!((list.prepare(), list.prepare()), (1, 2));
        list.add(Some(1), vec![entry(b"later")]).expect("a text");
        list.add(Some(2), vec![entry(b"latest")]).expect("a text");
        assert!(!fits(b"later") && fits(b"abc"));
        list.commit(1).expect("a commit");
        assert!(fits(b"later") && !fits(b"abc") && !fits(b"latest"));
        assert_eq!(list.commit(1), Err(ChangeError::Version(1)), "it is seen already");
        list.commit(2).expect("a commit");
        assert!(fits(b"latest") && !fits(b"later"));
        assert_eq!(list.state(), super::State { version: 2, next: 2, count: 1 });

        // One view that cannot be made: nothing changes.
        list.clear(None);
        assert!(texts.set().is_empty());
        let numbers = list.view(look(Method::Int), context.world).expect("no numbers");
        for version in [None, Some(list.prepare())] {
            let why = list.add(version, vec![entry(b"7"), entry(b"word")]).expect_err("no number");
            assert_eq!(why.to_string(), "'word' is not a number");
            assert!(!fits(b"7") && numbers.set().is_empty());
        }
        assert_eq!(list.state().count, 0);
    });
}

/// An entry as the plain reading has it.
struct Plain {
    id: u64,
    key: Vec<u8>,
    version: u32,
}

/// Lists that are added to, deleted from, cleared and committed say what the plain reading says, for every way to compare.
#[test]
fn lists_that_change_fit_as_one_after_the_other() {
    const METHODS: [Method; 6] = [Method::Str, Method::Beg, Method::End, Method::Sub, Method::Dir, Method::Dom];
    const KEYS: [&[u8]; 8] = [b"a", b"ab", b"b", b"a/b", b"", b".b", b"ba", b"abab"];
    const TEXTS: [&[u8]; 6] = [b"ab", b"a/b", b"x.b", b"", b"abab", b"bbb"];
    let key = |number: u8| KEYS[usize::from(number) % KEYS.len()];
    context(|context| {
        let world = context.world;
        let world = std::panic::AssertUnwindSafe(world);
        bolero::check!().with_iterations(400).with_type::<Vec<(u8, u8)>>().for_each(|orders| {
            let list = Arc::new(List::new(None, None, false, Vec::new()));
            let views: Vec<_> = METHODS.iter().map(|method| list.view(look(*method), *world).expect("texts")).collect();
            let (mut plain, mut last, mut version, mut next) = (Vec::<Plain>::new(), 0, 0, 0);
            for (order, number) in orders {
                let key = key(*number);
                match order % 12 {
                    0..6 => {
                        let wanted = if order % 12 == 5 { next } else { version };
                        list.add(Some(wanted), vec![entry(key)]).expect("an entry");
                        last += 1;
                        plain.push(Plain { id: last, key: key.to_vec(), version: wanted });
                    }
                    6 | 7 => {
                        let before = plain.len();
                        plain.retain(|entry| entry.key != key);
                        assert_eq!(list.delete(Which::Key(key)), plain.len() < before);
                    }
                    8 => {
                        let id = u64::from(*number);
                        let before = plain.len();
                        plain.retain(|entry| entry.id != id);
                        assert_eq!(list.delete(Which::Id(id)), plain.len() < before);
                    }
                    9 => {
                        next = list.prepare();
                    }
                    10 if next > version => {
                        list.commit(next).expect("a commit");
                        version = next;
                        plain.retain(|entry| entry.version == version);
                    }
                    _ if *number > 200 => {
                        list.clear(None);
                        plain.retain(|entry| entry.version != version);
                    }
                    _ => {}
                }
            }
            assert_eq!(list.state().count, plain.len());
            for (method, view) in METHODS.iter().zip(&views) {
                for text in TEXTS {
                    let seen = plain.iter().filter(|entry| entry.version == version);
                    let fits = seen.filter(|entry| naive(*method, &entry.key, text));
                    let want = match method {
                        Method::Beg => fits.max_by_key(|entry| (entry.key.len(), u64::MAX - entry.id)),
                        _ => fits.min_by_key(|entry| entry.id),
                    };
                    let found = view.set().find(&Value::text(text)).map(|found| found.entry.id());
                    assert_eq!(found, want.map(|entry| entry.id), "{method:?} {text:?}");
                }
            }
        });
    });
}

#[test]
fn of_ranges_and_networks_that_are_deleted_the_next_one_fits() {
    context(|context| {
        let list = |keys: &[&str]| {
            let written = keys.iter().map(|key| entry(key.as_bytes())).collect();
            Arc::new(List::new(None, None, false, written))
        };
        let numbers = list(&["1:9", "5", "5", "4:6", "0:100"]);
        let view = numbers.view(look(Method::Int), context.world).expect("numbers");
        let fits = || found(&view.set(), &Value::Int(5)).map(|at| at + 1);
        for (want, gone) in [(1, "1:9"), (2, "5"), (4, "4:6"), (5, "0:100")] {
            assert_eq!(fits(), Some(want));
            assert!(numbers.delete(Which::Key(gone.as_bytes())));
        }
        assert_eq!(fits(), None);

        let networks = list(&["10.0.0.0/8", "10.1.0.0/16", "::/0", "10.1.2.3"]);
        let view = networks.view(look(Method::Ip), context.world).expect("networks");
        networks.add(None, vec![entry(b"10.1.2.0/24"), entry(b"0.0.0.0/0")]).expect("more");
        let address = Value::text(b"10.1.2.3").cast(crate::expr::Type::Addr).expect("an address");
        for want in [4, 5, 2, 1, 6, 3] {
            let at = found(&view.set(), &address).expect("a network");
            assert_eq!(at + 1, want);
            assert!(networks.delete(Which::Id(want as u64)));
        }
        assert!(view.set().find(&address).is_none());
    });
}

/// 20,000 entries, one after the other, to a list of 100,000, as a controller adds them; and all values changed.
#[test]
fn single_entries_are_added_to_long_lists() {
    context(|context| {
        let number = |number: usize| format!("host-{number}.example").into_bytes();
        let written = |key: Vec<u8>| Written { key: key.into(), value: Some((*b"1").into()), ..Written::default() };
        let many = (0..100_000).map(|at| written(number(at))).collect();
        let list = Arc::new(List::new(None, None, true, many));
        let looks = Look { gives: Some(crate::expr::Type::Int), ..look(Method::Str) };
        let view = list.view(looks, context.world).expect("a map");
        for at in 100_000..120_000 {
            list.add(None, vec![written(number(at))]).expect("one more");
        }
        assert!(view.set().layers.len() < 10, "{} layers", view.set().layers.len());
        for at in (0..120_000).step_by(3) {
            assert_eq!(list.set(Which::Key(&number(at)), b"2"), Ok(true));
        }
        for at in (0..120_000).step_by(2) {
            assert!(list.delete(Which::Key(&number(at))));
        }
        for at in (0..120_000).step_by(1001) {
            let set = view.set();
            let value = set.find(&Value::text(&number(at))).and_then(|found| found.entry.value());
            let want: Option<&[u8]> = (at % 2 == 1).then_some(if at % 3 == 0 { b"2" } else { b"1" });
            assert_eq!(value.as_ref().map(|value| &***value), want, "{at}");
        }
        assert!(list.set(Which::Id(2), b"x").is_err(), "no number");
        assert_eq!(list.state().count, 60_000);
    });
}
