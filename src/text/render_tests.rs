//! Tests of the renderer: the text of one diagnostic, to the character.

use super::*;
use crate::text::FileId;

/// How a test makes a diagnostic of a place.
type Make = fn(Span) -> Diagnostic;

/// One file, the place of `blamed` in it, and what is rendered.
fn rendered(source: &[u8], line: u32, blamed: (u32, u32), diagnostic: Make) -> String {
    let mut sources = SourceMap::default();
    sources.add(String::from("a.cfg"), source);
    let span = Span { file: FileId(0), line, start: blamed.0, end: blamed.1 };
    render(Banner { pid: 71 }, &sources, &diagnostic(span))
}

fn alert(span: Span) -> Diagnostic {
    Diagnostic::alert(span, "bad")
}

#[test]
fn severities_stand_in_haproxys_columns() {
    let sources = SourceMap::default();
    for (diagnostic, want) in [
        (Diagnostic::alert(None, "m"), "[ALERT]    (71) : config : m\n"),
        (Diagnostic::warning(None, "m"), "[WARNING]  (71) : config : m\n"),
        (Diagnostic::notice(None, "m"), "[NOTICE]   (71) : config : m\n"),
        (Diagnostic::diag(None, "m"), "[DIAG]     (71) : config : m\n"),
    ] {
        assert_eq!(render(Banner { pid: 71 }, &sources, &diagnostic), want);
    }
}

#[test]
fn the_blamed_words_get_carets() {
    let source = b"listen mqtt\n\tblance leastconn\n  bind :80 \xff\x1b[2J \xe6\x97\xa5\xe6\x9c\xac x\n";
    let hinted = |span| alert(span).hint("did you mean 'balance'?");
    let resolved = |span| alert(span).resolved();
    let cases: &[(u32, (u32, u32), Make, &str)] = &[
        (
            2,
            (1, 7),
            hinted,
            "[ALERT]    (71) : config : parsing [a.cfg:2] : bad\n    2 |         blance leastconn\n      |         ^^^^^^\n      hint: did you mean 'balance'?\n",
        ),
        (
            1,
            (7, 11),
            resolved,
            "[ALERT]    (71) : config : bad\n   --> a.cfg:1\n    1 | listen mqtt\n      |        ^^^^\n",
        ),
        // the whole line
        (1, (0, 0), alert, "[ALERT]    (71) : config : parsing [a.cfg:1] : bad\n    1 | listen mqtt\n"),
        // behind its end
        (
            1,
            (11, 11),
            alert,
            "[ALERT]    (71) : config : parsing [a.cfg:1] : bad\n    1 | listen mqtt\n      |            ^\n",
        ),
        // bytes that are no text, and characters of two columns before the caret
        (
            3,
            (24, 25),
            alert,
            "[ALERT]    (71) : config : parsing [a.cfg:3] : bad\n    3 |   bind :80 \\xff\\x1b[2J 日本 x\n      |                             ^\n",
        ),
        // a line that does not exist
        (9, (3, 4), alert, "[ALERT]    (71) : config : parsing [a.cfg:9] : bad\n"),
    ];
    for (line, blamed, diagnostic, want) in cases {
        assert_eq!(rendered(source, *line, *blamed, *diagnostic), *want);
    }
}

#[test]
fn look_alikes_are_pointed_out() {
    let source = "stick on req.payload(0,0)，lower\n".as_bytes();
    let shown = rendered(source, 1, (9, 33), alert);
    assert!(shown.ends_with("      hint: U+FF0C is not a comma: write ','\n"), "{shown}");
    let notice = rendered(source, 1, (9, 33), |span| Diagnostic::notice(span, "fine"));
    assert_eq!(notice, "[NOTICE]   (71) : config : parsing [a.cfg:1] : fine\n", "a notice needs no excerpt");
    let elsewhere = rendered(source, 1, (0, 5), alert);
    assert!(!elsewhere.contains("hint"), "{elsewhere}");
}

#[test]
fn a_long_line_is_cut_around_the_caret() {
    let mut source = vec![b'x'; 10_000_000];
    source[5_000_000] = b'#';
    let shown = rendered(&source, 1, (5_000_000, 5_000_001), alert);
    let lines: Vec<&str> = shown.lines().collect();
    let (text, carets) = (lines[1].chars().collect::<Vec<_>>(), lines[2]);
    assert_eq!(text.len(), 8 + 102);
    assert_eq!((text[8], text[109]), ('…', '…'));
    assert_eq!(text[carets.find('^').expect("a caret")], '#');
}

#[test]
fn a_message_cannot_act_on_a_terminal() {
    let sources = SourceMap::default();
    let diagnostic = Diagnostic::alert(None, "two\nlines \x1b[2J\u{202e}").hint("\x07");
    let want = "[ALERT]    (71) : config : two\n   | lines \\x1b[2J\\u{202e}\n      hint: \\x07\n";
    assert_eq!(render(Banner { pid: 71 }, &sources, &diagnostic), want);
}

#[test]
fn any_bytes_and_columns_render() {
    bolero::check!().with_type::<(Vec<u8>, u32, u32, u8)>().for_each(|(source, start, end, line)| {
        let mut sources = SourceMap::default();
        sources.add(String::from("a.cfg"), source.as_slice());
        for (start, end) in [(*start, *end), (start % 200, end % 200)] {
            let span = Span { file: FileId(0), line: u32::from(*line), start, end };
            let shown = render(Banner { pid: 71 }, &sources, &alert(span));
            assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        }
    });
}
