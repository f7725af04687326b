//! The engine against whatever may be written or sent.

use super::pattern::Lists;
use super::{Acls, Buffer, Condition, Context, Expr, Facts, Format, Place, Side, Template, Truth, Value, VarName};
use crate::text::Span;
use crate::text::testing::TestWorld;

/// A world with one list, one map and one variable.
fn small() -> TestWorld {
    let files = [("list", &b"abc\nx.y\n10\n"[..]), ("map", b"a 1\nb 2\n")];
    let files = files.map(|(name, bytes)| (name.into(), bytes.to_vec())).into();
    TestWorld { files, ..TestWorld::with_env(&[("SET", "value")]) }
}

/// A hello of SSLv2 for version 3.1; the bounds were asked of 2.6 with one for 3.3.
const HELLO_2: &[u8] = b"\x80\x22\x01\x03\x01\0\x09\0\0\0\x10\0\0\x2f\0\0\x2f\0\0\x2fCCCCCCCCCCCCCCCC";

/// Runs something with a context of a request rule.
pub(super) fn context<R>(run: impl FnOnce(&Context<'_>) -> R) -> R {
    let lists = Lists::default();
    run(&Context { place: Place::FrontendContent, strict: true, world: &small(), lists: &lists })
}

/// Facts with some bytes, and the variable `check.a`.
pub(super) struct Bytes<'b> {
    bytes: &'b [u8],
    more: bool,
}

/// Facts without bytes.
pub(super) fn hello() -> Bytes<'static> {
    Bytes { bytes: b"", more: false }
}

impl Facts for Bytes<'_> {
    fn buffer(&self, side: Side) -> Option<Buffer<'_>> {
        (side == Side::Request).then_some(Buffer { bytes: self.bytes, more: self.more, room: 16_384 })
    }

    fn variable(&self, name: &VarName) -> Option<Value<'_>> {
        (name.to_string() == "check.a").then(|| Value::text(b"hello"))
    }

    fn waiting(&self) -> bool {
        self.more
    }

    fn random(&self) -> u64 {
        0x0123_4567_89ab_cdef
    }
}

const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me";

/// What rules that look at a packet say while it comes in, and when nothing more comes. Those about `mqtt_is_valid`, lengths and
/// payloads follow what 2.6 did by hand with a client that sends and waits, or ends; no test repeats that on it yet.
#[test]
fn conditions_wait_for_bytes_and_only_for_them() {
    use Truth::{False, NotYet, True};
    for (condition, bytes, more, want) in [
        ("if { req.payload(0,0),mqtt_is_valid }", &CONNECT[..5], true, NotYet),
        ("if { req.payload(0,0),mqtt_is_valid }", CONNECT, true, True),
        ("if { req.payload(0,0),mqtt_is_valid }", &CONNECT[..5], false, False),
        ("unless { req.payload(0,0),mqtt_is_valid }", &CONNECT[..5], true, NotYet),
        ("unless { req.payload(0,0),mqtt_is_valid }", CONNECT, true, False),
        ("unless { req.payload(0,0),mqtt_is_valid }", b"GET / HTTP/1.1", true, True), // it never will be one
        ("unless { req.payload(0,0),mqtt_is_valid }", b"", true, NotYet),
        ("if { req.payload(0,0),mqtt_field_value(connect,username) -m found }", CONNECT, true, False),
        ("if { req.payload(0,0),mqtt_field_value(connect,username) -m found }", &CONNECT[..5], true, NotYet),
        ("if { req.payload(0,0),fix_is_valid }", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\x01", true, NotYet),
        ("if { req.payload(0,0),length gt 3 }", b"abc", true, NotYet),
        ("if { req.payload(0,0),length gt 3 }", b"abcd", true, True),
        ("if { req.payload(20000,10) -m found }", b"a", true, False),
        ("if { req.payload(5,0) -m found }", b"abc", true, NotYet),
        ("if { req.payload(5,0) -m found }", b"abcde", true, True),
        ("unless { req.payload(0,0),mqtt_is_valid }", b"GET / HTTP/1.1", false, True),
        ("if { req.payload(0,4) -m bin 100e0004 }", &CONNECT[..3], true, NotYet),
        ("if { req.payload(0,4) -m bin 100e0004 }", CONNECT, true, True),
        ("if { req.payload(0,4) -m bin 00000000 }", CONNECT, true, False),
        ("if { req.len gt 20 }", CONNECT, true, NotYet),
        ("if { req.len gt 20 }", CONNECT, false, False),
        ("if { req.len lt 20 }", CONNECT, true, True),
        ("if !REQ_CONTENT", b"", true, NotYet),
        ("if !REQ_CONTENT", b"", false, True),
        ("if WAIT_END", b"", true, NotYet),
        ("if FALSE WAIT_END", b"", true, False),
        ("if WAIT_END or TRUE", b"", true, True),
        ("if FALSE or WAIT_END", b"", true, NotYet),
        ("if { req.payload(0,0) -m found }", b"", true, True), // nothing is found, and that is something
        ("if { req.payload(0,0) -m found }", b"x", true, True),
        ("if { req.payload_lv(10,2) -m str me }", &CONNECT[..13], true, NotYet),
        ("if { req.payload_lv(12,2) -m str me }", CONNECT, true, True),
        ("if HTTP", b"GET / HTTP/1.0\r\n", true, NotYet),
        ("if HTTP", b"GET / HTTP/1.0\r\n\r\n", true, True),
        ("unless HTTP", CONNECT, true, True),
        ("if { req.ssl_ver 3.1:3.3 }", HELLO_2, true, True),
        ("if { req.ssl_ver 3.3 }", HELLO_2, true, False),
        ("if { req.ssl_ver 3:4 }", HELLO_2, true, True),
        ("if { req.ssl_ver 2:3 }", HELLO_2, true, False),
        ("if { req.ssl_ver gt 3.0 }", HELLO_2, true, True),
        ("if { req.ssl_ver gt 3.1 }", HELLO_2, true, False),
        ("if { req.ssl_ver -m int 196609 }", HELLO_2, true, True),
        ("if { req.ssl_ver le 3 }", HELLO_2, true, False),
        ("if { res.len gt 0 }", CONNECT, true, False), // not known here: it never fits
    ] {
        let words: Vec<&[u8]> = condition.split(' ').map(str::as_bytes).collect();
        let said = context(|context| {
            let condition = Condition::compile(&words, &Acls::default(), context).expect(condition);
            condition.evaluate(&Bytes { bytes, more })
        });
        assert_eq!(said, want, "{condition} of {} bytes", bytes.len());
    }
}

#[test]
fn a_fetch_that_knows_nothing_at_its_place_is_an_error_but_in_conditions() {
    context(|context| {
        let why = Expr::parse(b"res.len", context).expect_err("no response here");
        assert_eq!(why.to_string(), "'res.len' is not known here (frontend tcp-request content rule)");
    });
}

#[test]
fn a_condition_says_what_can_never_hold_where_it_stands() {
    for (condition, want) in [
        ("if { src 1.2.3.4 } { req.len gt 0 }", None),
        ("if { src 1.2.3.4 } or { res.len gt 0 }", Some((None, "res.len", false, 6))),
        ("unless !both answer", Some((Some("answer"), "res.len", false, 2))),
        ("if both", Some((Some("both"), "res.len", true, 1))),
    ] {
        let words: Vec<&[u8]> = condition.split(' ').map(str::as_bytes).collect();
        context(|context| {
            let mut acls = Acls::default();
            for acl in ["answer res.len gt 0", "both src 1.2.3.4", "both res.len gt 0"] {
                let words: Vec<&[u8]> = acl.split(' ').map(str::as_bytes).collect();
                acls.define(&words, Span::default(), context).expect(acl);
            }
            let condition = Condition::compile(&words, &acls, context).expect(condition);
            let found = condition.misplaced(Place::FrontendContent);
            let want = want.map(|(acl, fetch, others, word): (Option<&str>, _, _, _)| {
                (acl.map(str::as_bytes), fetch, others, word)
            });
            assert_eq!(found.map(|found| (found.acl, found.fetch, found.others, found.word)), want);
        });
    }
}

#[test]
fn what_is_asked_of_the_moment() {
    struct Moment(bool);
    impl Facts for Moment {
        fn now(&self) -> std::time::Duration {
            std::time::Duration::from_micros(1_700_000_000_000_042)
        }
        fn random(&self) -> u64 {
            u64::MAX / 2
        }
        fn waiting(&self) -> bool {
            self.0
        }
    }
    for (expression, waits, want) in [
        ("date", false, Some(Value::Int(1_700_000_000))),
        ("date_us", false, Some(Value::Int(42))),
        ("env(SET)", false, Some(Value::text(b"value"))),
        ("env(UNSET)", false, None),
        ("hostname", false, Some(Value::text(b"host"))),
        ("rand(10)", false, Some(Value::Int(4))),
        ("wait_end", true, None),
        ("wait_end", false, Some(Value::Bool(true))),
    ] {
        context(|context| {
            let expr = Expr::parse(expression.as_bytes(), context).expect(expression);
            assert_eq!(expr.value(&Moment(waits)), want, "{expression}");
        });
    }
}

/// 2.6 has them no longer.
#[test]
fn old_names_of_the_rdp_cookie() {
    let bytes = b"\x03\0\0\x1f\x1a\xe0\0\0\0\0\0Cookie: msts=1\r\n";
    for (expression, want) in [("req_rdp_cookie(msts)", Value::text(b"1")), ("req_rdp_cookie_cnt(msts)", Value::Int(1))]
    {
        context(|context| {
            let expr = Expr::parse(expression.as_bytes(), context).expect(expression);
            assert_eq!(expr.value(&Bytes { bytes, more: true }), Some(want), "{expression}");
        });
    }
}

#[test]
fn errors_name_the_part_that_is_wrong() {
    for (words, word, at, says) in [
        (&["str(abc),uper"][..], 0, 9..13, "there is no converter 'uper'"),
        (&["scr"], 0, 0..3, "there is no fetch 'scr'"),
        (&["base"], 0, 0..4, "not built into this version of baton yet: the fetch 'base' (HTTP)"),
        (&["str(a),field(1x,_)"], 0, 13..15, "'field': '1x' is not a whole number"),
        (&["str(a),", "lower,", "nope"], 1, 0..0, ""), // the word behind is somebody else's
        (&["str(a),field(1,", "b)"], 0, 12..15, "'field': the closing parenthesis is missing"),
        (&["str(a) b"], 0, 6..8, "a comma is missing behind 'str'"),
        (&["bin(00),add(1)"], 0, 8..11, "'add' takes a value of type integer, and gets one of type binary"),
        (&["req.payload(0)"], 0, 0..14, "'req.payload': it needs 2 arguments and has 1"),
        (
            &["str(a,b)"],
            0,
            5..8,
            "'str': it takes no more arguments than that: a closing parenthesis is missing before ',b)'",
        ),
        (&["var(nope)"], 0, 4..8, ""),
    ] {
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let result = context(|context| Expr::compile(&bytes, &mut 0, context));
        match result {
            Ok(expr) => assert_eq!(says, "", "{words:?}: {expr:?}"),
            Err(why) => {
                assert_eq!((why.word, why.at.clone()), (word, at), "{words:?}: {why}");
                assert!(says.is_empty() || why.to_string() == says, "{words:?}: {why}");
            }
        }
    }
    let words: [&[u8]; 2] = [b"req.payload(0,0),mqtt_field_value(connect,", b"client_identifier)"];
    let why = context(|context| Expr::compile(&words, &mut 0, context)).expect_err("a blank");
    let hint = why.hint.expect("a hint");
    assert!(hint.ends_with("'req.payload(0,0),mqtt_field_value(connect,client_identifier)'"), "{hint}");
}

/// What is built is in the grammar, under the same name.
#[test]
fn every_converter_and_fetch_has_a_row() {
    use crate::grammar::{Kind, row};
    let converters: Vec<&str> = super::convert::all().map(|row| row.name).collect();
    assert!(converters.len() > 100, "{}", converters.len());
    for name in converters {
        let row = row(Kind::Converter, name).expect(name);
        assert_eq!(row.support, crate::grammar::Support::Full, "'{name}' acts, and its row says otherwise");
    }
    for known in super::Known::ALL {
        assert!(row(Kind::Fetch, known.name()).is_some(), "{}", known.name());
        assert_eq!(super::Known::named(known.name().as_bytes()), Some(*known));
    }
}

/// Text that is likely to be an expression, a pattern or a condition.
fn likely(bytes: &[u8]) -> Vec<u8> {
    const PARTS: [&[u8]; 48] = [
        b"str(",
        b"int(",
        b"bin(",
        b")",
        b",",
        b" ",
        b"a",
        b"1",
        b"0",
        b"-",
        b":",
        b".",
        b"/",
        b"req.payload(0,0)",
        b"var(txn.x)",
        b",upper",
        b",bytes(",
        b",field(1,",
        b",word(",
        b",regsub(",
        b"'",
        b"\"",
        b"\\",
        b",add(",
        b",mul(",
        b",json",
        b",hex",
        b",b64dec",
        b",json_query('$.",
        b",mqtt_field_value(connect,",
        b",protobuf(1",
        b",utime(%",
        b",ipmask(",
        b"-m ",
        b"reg ",
        b"sub ",
        b"dom ",
        b"-f list ",
        b"-i ",
        b"{ ",
        b" }",
        b" or ",
        b"!",
        b",map(map",
        b"%[",
        b"]",
        b"\xc3\xa9",
        b"always_true",
    ];
    bytes.iter().flat_map(|byte| PARTS[usize::from(*byte) % PARTS.len()]).copied().collect()
}

/// Arbitrary text never stops the compiler, and what it compiles never stops: neither on arbitrary bytes.
#[test]
fn any_text_and_any_bytes() {
    bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
        let text = likely(bytes);
        for text in [bytes, &text] {
            let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
            context(|context| {
                let facts = Bytes { bytes, more: bytes.len().is_multiple_of(2) };
                if let Ok(expr) = Expr::compile(&words, &mut 0, context) {
                    let _ = expr.evaluate(&facts);
                }
                let condition = [&[&b"if"[..]], words.as_slice()].concat();
                if let Ok(condition) = Condition::compile(&condition, &Acls::default(), context) {
                    let _ = condition.evaluate(&facts);
                }
                let _ = Acls::default().define(&words, Span::default(), context);
                if let Ok(template) = Template::parse(text, context) {
                    let _ = template.evaluate(&facts);
                }
                let _ = Format::compile(text, context);
            });
        }
    });
}

/// Every converter on arbitrary bytes: an answer or none.
#[test]
fn any_bytes_through_every_converter() {
    const CHAINS: [&str; 52] = [
        "hex",
        "base64",
        "b64dec",
        "ub64dec",
        "ub64enc",
        "url_dec",
        "url_dec(1)",
        "url_enc",
        "json(ascii)",
        "json(utf8)",
        "json(utf8ps)",
        "json_query('$.a[0].b')",
        "json_query('$','int')",
        "mqtt_is_valid",
        "mqtt_field_value(connect,9)",
        "mqtt_field_value(connack,31)",
        "fix_is_valid",
        "fix_tag_value(35)",
        "protobuf(1.2,sint64)",
        "protobuf(3)",
        "ungrpc(1.1)",
        "field(-2,a,3)",
        "word(2,a,0)",
        "bytes(3,5)",
        "regsub('(a|b)+','<\\1>',g)",
        "crc32(1)",
        "xxh3(5)",
        "sha2(512)",
        "hmac(md5,YQ==)",
        "language(en;fr)",
        "host_only",
        "port_only",
        "hex2i",
        "be2dec(:,3)",
        "be2hex(:,3,1)",
        "upper,ipmask(8,8)",
        "reverse_dom",
        "map_reg(map)",
        "cut_crlf,ltrim(a),rtrim(b)",
        "length,utime('%c %G %V'),http_date",
        "date",
        "rfc7239_is_valid",
        "rfc7239_field(for)",
        "rfc7239_n2nn",
        "rfc7239_n2np",
        "rfc7239_nn",
        "rfc7239_np",
        "aes_cbc_dec(128,Tk5OTk5OTk5OTk5OTk5OTg==,S0tLS0tLS0tLS0tLS0tLSw==)",
        "eth.data,ip.data,tcp.options_list",
        "eth.vlan",
        "ip.src",
        "tcp.options.tsval",
    ];
    context(|context| {
        let compile = |chain: &str| {
            let text = format!("req.payload(0,0),{chain}");
            Expr::parse(text.as_bytes(), context).unwrap_or_else(|why| panic!("{text}: {why}"))
        };
        let exprs: Vec<Expr> = CHAINS.iter().map(|chain| compile(chain)).collect();
        bolero::check!().with_iterations(5_000).for_each(|bytes: &[u8]| {
            for expr in &exprs {
                let _ = expr.evaluate(&Bytes { bytes, more: false });
            }
        });
    });
}
