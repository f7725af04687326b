//! Every row was asked of haproxy 2.6.12: words by the arguments that a `program` section starts its program with,
//! faults by `-c`.

use super::*;
use crate::text::FileId;
use crate::text::testing::TestWorld;

fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Blame> {
    let world = TestWorld::with_env(&[
        ("L", "v1 v2  v3"),
        ("L2", "1 2"),
        ("L3", "3 4"),
        ("E", ""),
        ("S", " "),
        ("TAB", "a\tb"),
        ("LEAD", " a b "),
        ("NL", "a\nb\rc\x0bd"),
        ("Q", "\"'\\n$L #x"),
    ]);
    let scope = Scope { world: &world, file: FileId(0), name: "t.cfg", line: 7, section: b"mqtt" };
    Ok(split(line, &scope, Origin::File)?.words.into_iter().map(|word| word.bytes.into_owned()).collect())
}

#[test]
fn lines_split_as_haproxy_splits_them() {
    let rows: &[(&[u8], &[&[u8]])] = &[
        (b"", &[]),
        (b" \t ", &[]),
        (b"a b  c", &[b"a", b"b", b"c"]),
        (b"a\tb\x0bc\x0cd ", &[b"a", b"b", b"c", b"d"]),
        (b"a \"\" b", &[b"a", b"", b"b"]),
        (b"''", &[b""]),
        (b"#x", &[]),
        (b"a #x", &[b"a"]),
        (b"a#b", &[b"a"]),
        (b"'a#b' \"c#d\"", &[b"a#b", b"c#d"]),
        (br"\#", &[b"#"]),
        (br"a\ b", &[b"a b"]),
        (br"a\ ", &[b"a "]),
        (b"a \\", &[b"a", b"\\"]),
        (b"a\\\tb", &[b"a\\", b"b"]), // a backslash does not protect a tab
        (br"\q\a\0\e", &[br"\q\a\0\e"]),
        (br"\n\r\t", &[b"\n\r\t"]),
        (br"\\ \' \x22", &[b"\\", b"'", b"\""]),
        (br"a\xFFb\x20c", &[b"a\xffb c"]),
        (b"a\\\xff", &[b"a\\\xff"]),
        (b"a'b c'd\"e f\"g", &[b"ab cde fg"]),
        (b"'a\"b' 'a\\'b", &[b"a\"b", b"a\\b"]),
        (br#""a\"b" "\x41\\" "a\'b" "a\ b""#, &[b"a\"b", b"A\\", b"a'b", b"a b"]),
        (br#""\#\$\n\q" "\t\n\r""#, &[b"#$\n\\q", b"\t\n\r"]),
        (b"\"a\" b\"c\"#d", &[b"a", b"bc"]),
        (b"\xff \xc2\xa0a \x7f\x01", &[b"\xff", b"\xc2\xa0a", b"\x7f\x01"]),
        (br"\x00a", &[b""]), // a C string ends there
        // variables
        (br"$L \$L '$L'", &[b"$L", br"\$L", b"$L"]),
        (br#""$L" "\$L""#, &[b"v1 v2  v3", b"$L"]),
        (br#""$UNSET" "${UNSET}" "${E}x""#, &[b"", b"", b"x"]),
        (br#""$L2$L2" "$A.b" "$UNSET-a" "$L2[*]""#, &[b"1 21 2", b".b", b"-a", b"1 2[*]"]),
        (br#""${UNSET-def}" "${UNSET-}" "${UNSET-a b}""#, &[b"def", b"", b"a b"]),
        (br#""${E-x}" "${L2-x}""#, &[b"", b"1 2"]), // set to nothing is set
        (br#""${UNSET-x$L}" "${UNSET-${L}}""#, &[b"x$L", b"${L}"]), // a default is taken as it stands: 2nd is "${L" and "}"
        (br#""${UNSET-\x41"a"'b'}""#, &[br#"\x41"a"'b'"#]),
        (br#""$LEAD"x"#, &[b" a b x"]),
        (br#""${Q}""#, &[b"\"'\\n$L #x"]), // a value is never read again
        (br#""${.LINE}" "$.FILE:$.LINE:$.SECTION" "$.LINE.x" "${.LINE-a}""#, &[b"7", b"t.cfg:7:mqtt", b"7.x", b"7"]),
        // lists
        (br#""${L[*]}""#, &[b"v1", b"v2", b"v3"]),
        (br#"A"x${L[*]}y"B"#, &[b"Axv1", b"v2", b"v3yB"]),
        (br#"A"${S[*]}"B c"#, &[b"A", b"B", b"c"]),
        (br#"A "${S[*]}" B"#, &[b"A", b"", b"", b"B"]),
        (br#"A "${E[*]}" B"#, &[b"A", b"", b"B"]),
        (br#"A"${LEAD[*]}"B c"#, &[b"A", b"a", b"b", b"B", b"c"]),
        (br#""${NL[*]}" "${TAB[*]}""#, &[b"a", b"b", b"c", b"d", b"a", b"b"]),
        (br#""${UNSET[*]-a b}" A"${UNSET[*]}"B"#, &[b"a", b"b", b"AB"]),
        (br#""${L2[*]} ${L3[*]}""#, &[b"1", b"2 3", b"4"]),
        (br#""${UNSET-a b[*]}" "${Q[*]}""#, &[b"a b[*]", b"\"'\\n$L", b"#x"]),
        (br#""${.SECTION[*]}""#, &[b"mqtt"]),
    ];
    for (line, want) in rows {
        let found = words(line).unwrap_or_else(|blame| panic!("{}: {blame:?}", line.escape_ascii()));
        assert_eq!(found, want.iter().map(|word| word.to_vec()).collect::<Vec<_>>(), "{}", line.escape_ascii());
    }
}

#[test]
fn a_fault_is_blamed_on_its_bytes() {
    for (line, error, blamed) in [
        (&b"bind 'a b #c"[..], WordError::SingleQuote, &b"'a b #c"[..]),
        (b"bind \"a b", WordError::DoubleQuote, b"\"a b"),
        (b"a '\"b' \"c'", WordError::DoubleQuote, b"\"c'"),
        (b"a \"", WordError::DoubleQuote, b"\""),
        (br"a\x4", WordError::Hex, br"\x"),
        (br"a\xZZ b", WordError::Hex, br"\x"),
        (br#"a "\x""#, WordError::Hex, br"\x"),
        (br#"a "${A" b"#, WordError::Brace, br"${A"),
        (br#"a "${A B}""#, WordError::Brace, br"${A"),
        (br#"a "${A-x"#, WordError::Brace, br#"${A-x"#),
        (br#"a "$" b"#, WordError::Name, b"$"),
        (br#"a "$ b""#, WordError::Name, b"$"),
        (br#"a "$1""#, WordError::Name, b"$"),
        (br#"a "${1}""#, WordError::Name, b"${"),
        (br#"a "${}""#, WordError::Name, b"${"),
        (br#"a "$.FOO""#, WordError::Name, b"$"),
        (br#"a "$.LINEx""#, WordError::Name, b"$"),
        (br#"a "${A[*}""#, WordError::List, b"["),
        (br#"a "${A[0]}""#, WordError::List, b"["),
    ] {
        let found =
            words(line).map_err(|blame| (blame.error, &line[blame.span.start as usize..blame.span.end as usize]));
        assert_eq!(found, Err((error, blamed)), "{}", line.escape_ascii());
    }
}

#[test]
fn a_line_has_64_words() {
    let line = |count: usize, tail: &str| (vec!["w"; count].join(" ") + tail).into_bytes();
    let faults = |line: Vec<u8>| words(&line).map(|words| words.len()).map_err(|blame| blame.error);
    for (count, tail, want) in [
        (64, "", Ok(64)),
        (64, "#c", Ok(64)),
        (63, " # c", Ok(63)),
        (64, " ", Err(WordError::TooMany)), // haproxy sees an empty 65th word
        (64, " # c", Err(WordError::TooMany)),
        (65, "", Err(WordError::TooMany)),
        (64, " \"open", Err(WordError::DoubleQuote)),
        (62, r#" "${L2[*]}""#, Ok(64)),
        (63, r#" "${L2[*]}""#, Err(WordError::TooMany)),
    ] {
        assert_eq!(faults(line(count, tail)), want, "{count} words and {tail:?}");
    }
}
