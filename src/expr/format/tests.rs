//! Each row was printed by haproxy 2.6.12 for a session of these facts.

use super::*;

struct Session;

impl Facts for Session {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        match variable {
            Variable::ClientIp => Fact::Ip([127, 0, 0, 1].into()),
            Variable::ClientPort => Fact::Hex(0xCA28, 4),
            Variable::FrontendIp => Fact::Ip([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1].into()),
            Variable::Backend | Variable::Frontend => Fact::Text(b"l0"),
            Variable::Server => Fact::Text(b"s1"),
            Variable::Id => Fact::Text(b"a\"b\\c\\]d#{|}\xe4\t x0"),
            Variable::Millis => Fact::Millis(5),
            Variable::RequestCounter => Fact::Hex(35, 4),
            Variable::BytesOut => Fact::Growing(0),
            Variable::TimeConnect => Fact::Number(-1),
            Variable::RequestHeaders => Fact::Absent,
            Variable::ServerIp => Fact::Unix,
            Variable::DateGmt => Fact::Date(Date::Gmt),
            Variable::Termination => Fact::Plain(b"--"),
            _ => Fact::Unknown,
        }
    }

    fn date(&self, date: Date, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{date:?}").as_bytes());
    }
}

fn written(text: &[u8]) -> String {
    let mut out = Vec::new();
    let format = Format::parse(text).unwrap_or_else(|why| panic!("{:?}: {why}", text.escape_ascii()));
    format.write(&Session, &mut out);
    out.escape_ascii().to_string().replace("\\\"", "\"")
}

#[test]
fn lines() {
    for (format, want) in [
        ("a b", "a b"),
        ("%%%ci", "%127.0.0.1"),
        ("%{+Q}o%ci:%s", "\"127.0.0.1\":\"s1\""),
        ("%{+Q}o %ci:%s %{-Q}b %f", "\"127.0.0.1\":\"s1\" l0 \"l0\""),
        ("%{+Q,+X}o %ci:%cp", "7F000001:CA28"), // hexadecimal addresses have no quotes
        ("%{+Q+X}o%ci:%s", "7F000001:s1"),      // one word: only its last sign counts
        ("%{+Q +X}ci%b", "7F000001l0"),
        ("%{+Z}ci%{Q}b%{++Q}b%{Q+}b%{+QX}b%{}b", "127.0.0.1l0\"l0\"l0l0l0"),
        ("%{+X}o%{-X}ci %ci", "127.0.0.1 7F000001"),
        ("%{+Q}o%{-Q}o%b", "l0"),
        ("%{a{b}b", "l0"),
        ("%(b)b%.x%_b%\"", "(b)b.x_b\""), // the percent sign is dropped
        ("%b_x", "l0_x"),
        ("%b  %hr  %b ", "l0 l0 "), // spaces are merged over what is empty, and kept at the end
        ("  %hr %b", "l0"),
        ("%ms %{+X}ms %rt %{+X}rt", "005 05 35 0023"),
        ("%B %{+X}B %Tc", "+0 +0 -1"),
        ("%bi %{+Q}bi %{+X}bi", "- \"\" -"),
        ("%fi %{+X}fi", "::ffff:127.0.0.1 00000000000000000000FFFF7F000001"),
        ("%si %{+Q}si x%{+X}si y", "unix \"unix\" x"), // an address that has no such form ends the line
        ("%{+Q}T %{+Q}ts", "Gmt --"),
        ("%ID", "a\"b\\\\c\\\\]d#{|}\\xe4\\t x0"),
        ("%{+Q,+E}ID", "\"a\\\\\"b\\\\\\\\c\\\\\\\\\\\\]d#{|}\\xe4\\t x0\""),
        ("a\tb\nc", "a\\tb\\nc"),
    ] {
        assert_eq!(written(format.as_bytes()), want, "{format:?}");
    }
}

#[test]
fn mistakes() {
    let unknown = |name: &str| FormatError::Unknown { name: name.to_owned() };
    let flags = |flags: &str| FormatError::FlagsAlone { flags: flags.to_owned() };
    let sample = |text: &str| FormatError::Sample { expression: text.to_owned() };
    for (format, want) in [
        ("a%", FormatError::Truncated),
        ("%{+Q", FormatError::Truncated),
        ("%{+Q]b", FormatError::Truncated),
        ("% x", FormatError::NoName { byte: b' ' }),
        ("%1b", FormatError::NoName { byte: b'1' }),
        ("%\tb", FormatError::NoName { byte: b'\t' }),
        ("%zz", unknown("zz")),
        ("%ciX", unknown("ciX")),
        ("%{+Q}1b", unknown("1b")),
        ("%Ci", unknown("Ci")),
        ("%{ci}", flags("ci")),
        ("%{+Q}(b)", flags("+Q")),
        ("%{+Q}%b", flags("+Q")),
        ("x%[src]y", sample("src")),
        ("%{+Q}[str(a]b)]x", sample("str(a]b)")),
        ("%[src", FormatError::Unclosed { text: "src".to_owned() }),
    ] {
        assert_eq!(Format::parse(format.as_bytes()), Err(want), "{format:?}");
    }
}

#[test]
fn stages() {
    for (format, want) in
        [("x", Stage::Connected), ("%ci %s %tsc", Stage::Connected), ("%ci %ts", Stage::Ended), ("%ID", Stage::Ended)]
    {
        assert_eq!(Format::parse(format.as_bytes()).unwrap().stage(), want, "{format:?}");
    }
}

#[test]
fn names_are_found_again() {
    for variable in Variable::ALL {
        assert_eq!(Variable::named(variable.name().as_bytes()), Some(*variable));
    }
}

/// Whatever a format is, reading it ends, and so does writing it; a line is not much longer than its facts.
#[test]
fn any_bytes() {
    bolero::check!().with_iterations(20_000).for_each(|text: &[u8]| {
        if let Ok(format) = Format::parse(text) {
            let mut out = Vec::new();
            format.write(&Session, &mut out);
            assert!(out.len() <= text.len() * 24 + 2);
        }
    });
}
