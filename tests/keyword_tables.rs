//! What `build.rs` says of a table with a mistake: file, line and what is wrong.

#[allow(dead_code, unreachable_pub)]
#[path = "../src/grammar/kinds.rs"]
mod kinds;
#[allow(dead_code)]
#[path = "../grammar/build/table.rs"]
mod table;

use kinds::Kind;

/// The mistakes of a table, as the build shows them.
fn mistakes(kind: Kind, text: &str) -> Vec<String> {
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    table::parse(kind, "t.kw", text, &mut rows, &mut mistakes);
    rows.sort_by(|a, b| (a.kind, &a.keyword).cmp(&(b.kind, &b.keyword)));
    table::check(&rows, &mut mistakes);
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_mistake_names_file_and_line() {
    for (kind, text, want) in [
        // two rows for one keyword
        (
            Kind::Bind,
            "a | bs | | 1.4 | 5.1 | refused\na | bs | | 1.4 | 5.1 | refused",
            "t.kw:2: 'a' stands in line 1 already",
        ),
        // a letter that is not this table's, and one at another's place
        (
            Kind::Bind,
            "a | bx | | 1.4 | 5.1 | refused",
            "t.kw:1: 'where' is 'bx'; it must be 'bs' with '.', '~' or '-' for a letter, not for all",
        ),
        (
            Kind::Bind,
            "a | .. | | 1.4 | 5.1 | refused",
            "t.kw:1: 'where' is '..'; it must be 'bs' with '.', '~' or '-' for a letter, not for all",
        ),
        (Kind::Global, "a | g | | 1.4 | 3 | refused", "t.kw:1: 'where' must be '–', not 'g'"),
        // support and function belong together
        (Kind::Global, "a | – | | 1.4 | 3 | full", "t.kw:1: a full row must name its lowering function"),
        (
            Kind::Global,
            "a | – | | 1.4 | 3 | refused | x::y",
            "t.kw:1: only a full row of global, proxy, bind, server or action has a lowering function",
        ),
        (Kind::Global, "a | – | | 1.4 | 3 | full | x::Y", "t.kw:1: 'x::Y' is no path"),
        (Kind::Global, "a | – | | 1.4 | 3 | noop", "t.kw:1: noop needs its reason in quotes"),
        (
            Kind::Global,
            "a | – | | 1.4 | 3 | maybe",
            "t.kw:1: 'maybe' is no support: full, noop \"reason\" or refused [when CONDITION] [\"missing\"]",
        ),
        (
            Kind::Global,
            "a | – | | 1.4 | 3 | refused when global/b",
            "t.kw:1: there is no row 'global/b' (KIND/KEYWORD)",
        ),
        // the word it acts through has been built: look at it again
        (
            Kind::Global,
            "a | – | | 1.4 | 3 | refused when global/b\nb | – | | 1.4 | 3 | full | x::b",
            "t.kw:1: 'global/b' is no longer refused: 'a' would act through it",
        ),
        // versions
        (Kind::Global, "a | – | | one | 3 | refused", "t.kw:1: 'era' must begin with a version: 'one'"),
        (
            Kind::Global,
            "a | – | | 2.0 -1.9 \"b\" | 3 | refused",
            "t.kw:1: '-1.9' in 'era' is said twice or lies before 2.0",
        ),
        (
            Kind::Global,
            "a | – | | 2.0 \"b\" | 3 | refused",
            "t.kw:1: 'era' has advice for a word that is neither deprecated nor removed",
        ),
        (Kind::Global, "a | – | | 2.0 -2.1 \"b | 3 | refused", "t.kw:1: the quotes of '2.0 -2.1 \"b' do not match"),
        (
            Kind::Global,
            "a | – | | 1.4 | three | refused",
            "t.kw:1: 'three' is no section of the manual; write '–' if there is none",
        ),
        // arguments, columns, words
        (Kind::Global, "a | – | [<x> | 1.4 | 3 | refused", "t.kw:1: unbalanced '[' in 'args'"),
        (Kind::Global, "a | – | <x>] | 1.4 | 3 | refused", "t.kw:1: unbalanced ']' in 'args'"),
        (Kind::Global, "a | –", "t.kw:1: 7 columns expected, or 6 without a function; there are 2"),
        (Kind::Global, "a  b | – | | 1.4 | 3 | refused", "t.kw:1: the keyword's words must be divided by one blank"),
    ] {
        assert_eq!(mistakes(kind, text), [want], "{text}");
    }
}

#[test]
fn a_table_without_mistakes_is_read() {
    let own = "k | – | | baton | – | refused";
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    table::parse(Kind::Global, "t.kw", own, &mut rows, &mut mistakes);
    assert!(mistakes.is_empty());
    assert_eq!(rows[0].since, (0, 0));
    let text = "# a comment\n\n[no] option x | df~- | <a> [b|c] | 1.4 ~2.0 -2.1 \"use y\" | 4.2 | full | x::y  # why\n";
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    table::parse(Kind::Proxy, "t.kw", text, &mut rows, &mut mistakes);
    assert!(mistakes.is_empty());
    let [row] = rows.as_slice() else { panic!("one row, not {}", rows.len()) };
    assert_eq!((row.keyword.as_str(), row.negatable, row.line), ("option x", true, 3));
    assert_eq!((row.places.allowed, row.places.warned, row.places.silent), (0b0011, 0b0100, 0b1000));
    assert_eq!((row.min, row.max, row.lower.as_deref()), (1, Some(2), Some("x::y")));
    assert_eq!((row.since, row.deprecated, row.removed), ((1, 4), Some((2, 0)), Some((2, 1))));
}

#[test]
fn the_arguments_are_counted() {
    for (args, want) in [
        ("", (0, Some(0))),
        ("<a>", (1, Some(1))),
        ("<a> [<b>]", (1, Some(2))),
        ("[<a> [<b>]]", (0, Some(2))), // nested: both may be left out
        ("a|b <c>", (2, Some(2))),     // a choice is one word
        ("...", (0, None)),
        ("<a> ...", (1, None)),
        ("<a>...", (1, None)), // one or more
        ("[<a>...]", (0, None)),
        ("<a> ~", (1, None)),      // haproxy ignores the rest
        ("<a,...>", (1, Some(1))), // a list is one word
        ("[version 3.1.1|5.0] [username <name> [password <word>]]", (0, Some(6))),
    ] {
        let text = format!("k | – | {args} | 1.4 | 3 | refused");
        let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
        table::parse(Kind::Global, "t.kw", &text, &mut rows, &mut mistakes);
        assert!(mistakes.is_empty(), "{args}: {}", mistakes[0]);
        assert_eq!((rows[0].min, rows[0].max), want, "{args}");
        assert!(!rows[0].usage.contains('~'), "{args}");
    }
}
