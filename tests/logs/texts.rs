//! Texts, flags and spaces of formats; structured data; frames.

use crate::harness::backends::Backend;
use crate::stage::{MONTHS, Stage, masked, same};

/// One session per format, all in one process.
#[track_caller]
fn lines(formats: &[&str]) {
    same(|program| {
        let echo = Backend::echo();
        let section = |format: &&str| {
            let more = format!(" server s1 {}\n log @LOG format raw local0\n", echo.address);
            format!("{more} unique-id-format a\\\"b\\\\c\\]d\\#{{|}}%rt\n log-format {format}\n")
        };
        let sections: Vec<String> = formats.iter().map(section).collect();
        let stage = Stage::new(program, "", &sections);
        for ix in 0..sections.len() {
            stage.talk(ix);
            stage.log.wait_count("", ix + 1);
        }
        stage.log.lines()
    });
}

#[test]
fn spaces_and_escapes() {
    lines(&[
        r"a\ \ b",
        r#"" a""#,
        r#""a  b  ""#,
        r#""%b  %hr  %b""#,
        r#""%hr %b""#,
        r"a\ \t\ b",
        r#""x %{+Q}o  y""#,
        r#""x %ID y""#,
        r#""%hrl|%{+Q}hrl|%hsl|%{+Q}hsl|%{+Q}hr""#,
        "'a b'",
        r"%%%ci",
        r"a\\b",
        r#"a"\"\#{|}"%b"#,
        "%(b)b%.x%_b%:%b_x%]%}%{a{b}b",
    ]);
}

#[test]
fn flags() {
    lines(&[
        r"%{+Q}o%ci:%s",
        r"%{+Q}o\ %ci:%s\ %{-Q}b\ %f",
        r"%{+Q+X}o%ci:%s",
        r"%{+Q\ +X}ci%b",
        r"%{+Z}ci%{Q}b%{++Q}b%{Q+}b%{+QX}b%{}b",
        r"%{+X}o%{+Q}ci%{-X}ci",
        r"%{+Q}o%{-Q}o%b",
        r"%{+E}ID|%{+Q}ID|%{+E,+Q}ID|%{+E-Q}ID|%ID",
        r"%{+X}rt:%{+X}lc:%rt:%lc",
        r"%{+Q}ts",
    ]);
}

/// A format that makes nothing of a session; the last section's line says that all have come.
#[test]
fn a_line_of_nothing_is_not_sent() {
    same(|program| {
        let echo = Backend::echo();
        let section = |format: &str| {
            format!(" server s1 {}\n log @LOG format raw local0\n log-format \"{format}\"\n", echo.address)
        };
        let stage = Stage::new(program, "", &["%hr %{+Q}o %hs", "  ", "%lc x"].map(section));
        (0..3).for_each(|ix| stage.talk(ix));
        stage.log.wait_for("x");
        stage.log.lines()
    });
}

#[test]
fn structured_data_and_frames() {
    same(|program| {
        let echo = Backend::echo();
        let server = format!(" server s1 {}\n", echo.address);
        let sd = " log-format-sd %{+E,+Q}o\\ [ex@1\\ a=%b\\ c=%ci]\n";
        let sections = [
            format!("{server} log @LOG format rfc5424 local0\n{sd} log-format %H-x\n"),
            format!("{server} log @LOG format rfc5424 local0\n log-format-sd [a]\n option tcplog\n"),
            format!("{server} log @LOG format rfc5424 local0\n option tcplog\n"),
            format!("{server} log @LOG format rfc3164 local1\n{sd} log-format %H-x\n"),
            format!("{server} log @LOG format rfc5424 local0\n log-format-sd [a]\n"),
            format!("{server} log @LOG format rfc5424 local0\n log-format-sd %B\n log-format x\n"),
            format!("{server} log @LOG format iso daemon\n log-tag mine\n log-format %b\n"),
            format!("{server} log @LOG len 80 format local kern\n log-format \"{} %b\"\n", "long ".repeat(40)),
            format!("{server} log @LOG format priority mail\n log @LOG format timed user\n log-format x\n"),
            format!("{server} log @LOG format short local0 info warning\n log @LOG local0 notice\n log-format x\n"),
        ];
        let stage = Stage::new(program, " log-send-hostname somehost\n log-tag tagged\n", &sections);
        let sent = [1, 1, 1, 1, 1, 1, 1, 1, 2, 1];
        let mut all = 0;
        for (ix, count) in sent.into_iter().enumerate() {
            stage.talk(ix);
            all += count;
            stage.log.wait_count("", all);
        }
        let month = |line: &str| {
            let mut line = line.to_owned();
            for name in MONTHS {
                line = line.replace(name, "Mon");
            }
            line
        };
        stage.log.lines().iter().map(|line| masked(&month(line)).replace(": 0:", ": ").replace("  ", " ")).collect()
    });
}
