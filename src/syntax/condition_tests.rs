//! Rows were asked of haproxy 2.6.12 by `.if` and `-cc`; `strstr`, `enabled` and the library's version came later.

use super::*;
use crate::text::testing::TestWorld;

fn world() -> TestWorld {
    TestWorld::with_env(&[("ONE", "1"), ("EMPTY", "")])
}

#[test]
fn conditions_answer_as_haproxys() {
    for (text, want) in [
        ("", false),
        ("0", false),
        ("00", false),
        ("-0", false),
        ("1", true),
        ("-1", true),
        ("+1", true),
        ("010", true),
        ("0x10", true),
        ("0x0", false),
        ("18446744073709551616", true), // too large for 64 bits, but not zero
        ("\t1 ", true),
        ("!0", true),
        ("! 0", true),
        ("!!0", false),
        ("!!!0", true),
        ("(1)", true),
        ("( ( 1 ) )", true),
        ("1 && 0", false),
        ("1&&1", true),
        ("0||1", true),
        ("0 || 0 && 1", false),
        ("1 && 0 || 1", true), // && binds closer
        ("1 || 1 && 0", true),
        ("!1 || 1", true), // ! binds closest
        ("!(1 || 1)", false),
        ("(streq(a,b)||1)&&!0", true),
        ("streq(a,a)", true),
        ("streq(a,b)", false),
        ("streq(,)", true),
        ("streq(a, a)", false), // blanks count
        ("streq(a b,a b)", true),
        ("streq('a,b',\"a,b\")", true),
        ("streq(a(b,a(b)", true),
        ("streq(a,a)&&streq(b,b)", true),
        ("strneq(a,b)", true),
        ("strneq(a,a)", false),
        ("strstr(abc,b)", true),
        ("strstr(abc,d)", false),
        ("strstr(abc,)", true),
        ("defined(ONE)", true),
        ("defined(EMPTY)", true),
        ("defined(NOPE)", false),
        ("defined( ONE)", false),
        ("defined()", false),
        ("defined", false),
        ("defined(ONE)||0", true),
        ("feature(OPENSSL)", true),
        ("feature(QUIC)", false),
        ("feature(+OPENSSL)", false),
        ("feature()", true),
        ("enabled(EPOLL)", true),
        ("enabled(KQUEUE)", false),
        ("version_atleast(3.4)", true),
        ("version_atleast(2.4-dev19)", true),
        ("version_atleast(3.5)", false),
        ("version_atleast", true),
        ("version_before(3.4)", false),
        ("version_before(3.4.1)", true),
        // no TLS library in this world
        ("openssl_version_atleast(1.0.0)", false),
        ("openssl_version_before(99)", false),
        ("ssllib_name_startswith(OpenSSL)", false),
    ] {
        assert_eq!(evaluate(text.as_bytes(), &world()), Ok(want), "condition {text:?}");
    }
}

#[test]
fn what_is_no_condition_is_blamed_on_its_byte() {
    let missing = |predicate, got| Problem::Missing { predicate, takes: 2, got };
    let unclosed = |predicate| Problem::Unclosed { predicate };
    for (text, at, problem) in [
        (" ", 1, Problem::NoTerm), // nothing is false, a blank is not
        ("a", 0, Problem::NoTerm),
        ("nope(1)", 0, Problem::NoTerm),
        ("STREQ(a,a)", 0, Problem::NoTerm),
        ("streqx", 0, Problem::NoTerm),
        ("-", 0, Problem::NoTerm),
        ("--1", 0, Problem::NoTerm),
        ("!", 1, Problem::NoTerm),
        ("()", 1, Problem::NoTerm),
        ("1 &&", 4, Problem::NoTerm),
        ("1 && && 1", 5, Problem::NoTerm),
        ("1 &&& 1", 4, Problem::NoTerm),
        ("0 && a", 5, Problem::NoTerm), // judged although never evaluated
        ("1 || a", 5, Problem::NoTerm),
        ("1a", 1, Problem::Trailing),
        ("08", 1, Problem::Trailing), // octal
        ("0x", 1, Problem::Trailing),
        ("1.5", 1, Problem::Trailing),
        ("1 1", 2, Problem::Trailing),
        ("1)", 1, Problem::Trailing),
        ("1 & 1", 2, Problem::Trailing),
        ("(1)(1)", 3, Problem::Trailing),
        ("1!0", 1, Problem::Trailing),
        ("1\n", 1, Problem::Trailing),
        ("streq(a,a)c", 10, Problem::Trailing),
        ("feature (OPENSSL)", 8, Problem::Trailing),
        ("(1", 0, Problem::Open),
        ("(1 2)", 0, Problem::Open),
        ("1 && (0", 5, Problem::Open),
        ("streq", 5, missing("streq", 0)),
        ("streq (a,a)", 5, missing("streq", 0)),
        ("streq()", 6, missing("streq", 0)),
        ("streq(a)", 7, missing("streq", 1)),
        ("strneq(a", 8, missing("strneq", 1)),
        ("streq(a,b,c)", 9, unclosed("streq")),
        ("streq(a,a", 9, unclosed("streq")),
        ("streq(a,\"a)", 8, unclosed("streq")),
        (r"streq(a\,b,a)", 10, unclosed("streq")),
        ("defined(ONE,TWO)", 11, unclosed("defined")),
    ] {
        assert_eq!(evaluate(text.as_bytes(), &world()), Err(ConditionError { at, problem }), "condition {text:?}");
    }
}

#[test]
fn depth_is_bounded_as_haproxy_bounds_it() {
    let parentheses = |count: usize| "(".repeat(count) + "1" + &")".repeat(count);
    let operators = |count: usize| String::from("1") + &"&&1".repeat(count);
    for (text, fits) in [
        (parentheses(340), true),
        (parentheses(341), false),
        (operators(1021), true),
        (operators(1022), false),
        ("!".repeat(1_000_000) + "1", true),
        ("(".repeat(1_000_000), false),
    ] {
        let deep = matches!(evaluate(text.as_bytes(), &world()), Err(ConditionError { problem: Problem::Deep, .. }));
        assert_eq!(!deep, fits, "{} bytes", text.len());
    }
}

#[test]
fn the_command_line_gives_one_word_without_comments() {
    let ask = |text: &str| evaluate_argument(text.as_bytes(), &world());
    for (text, want) in [
        ("1", true),
        (" 1", true),
        ("\"1\"", true),
        ("\"$ONE\"", true),
        ("\"$EMPTY\"", false),
        ("streq(\"a\",a)", true),
        ("\n1", false), // a line feed ends it
        ("", false),
        ("\"\"", false),
        ("\"$NOPE\"", false),
        ("streq(a  b,a b)", false), // blanks stay as they are
    ] {
        assert_eq!(ask(text), Ok(want), "-cc {text:?}");
    }
    assert_eq!(ask("1 # c"), Err(ConditionError { at: 2, problem: Problem::Trailing }));
    for blank in [" ", "\\ ", "\"\" ", "\t"] {
        assert!(ask(blank).is_err(), "-cc {blank:?}");
    }
    assert!(matches!(ask("\"1"), Err(ConditionError { at: 0, problem: Problem::Words(_) })));
}

#[test]
fn any_bytes_are_answered() {
    bolero::check!().for_each(|text| {
        let (plain, line) = (evaluate(text, &world()), evaluate_argument(text, &world()));
        if let Err(error) = plain {
            assert!(error.at <= text.len());
        }
        if let Err(error) = line {
            assert!(!error.to_string().is_empty());
        }
    });
}
