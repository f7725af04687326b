//! Reads the marks of a fixture: `#~ …` in its comments.

use std::collections::BTreeSet;

use super::{Blame, Severity};

/// For which programs a mark counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Scope {
    /// `ours` or `theirs` stood in the mark.
    program: Option<Program>,
    /// `<X.Y` or `>=X.Y` stood in the mark.
    era: Option<Era>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Ours,
    Theirs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    Before(u32, u32),
    Since(u32, u32),
}

impl Scope {
    fn holds(self, ours: bool, version: (u32, u32)) -> bool {
        let program = self.program.is_none_or(|program| (program == Program::Ours) == ours);
        let era = self.era.is_none_or(|era| match era {
            Era::Before(major, minor) => version < (major, minor),
            Era::Since(major, minor) => version >= (major, minor),
        });
        program && era
    }
}

/// A fixture's marks.
#[derive(Debug, Default)]
pub(crate) struct Fixture {
    blames: Vec<(Scope, Blame)>,
    exits: Vec<(Scope, i32)>,
    only: Option<Scope>,
    /// More command line options: `#~ args -dW`.
    pub(crate) args: Vec<String>,
    /// Environment: `#~ env NAME=value`.
    pub(crate) env: Vec<(String, String)>,
}

/// What one program has to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Places and severities.
    pub(crate) blames: BTreeSet<Blame>,
    /// The exit code.
    pub(crate) exit: i32,
}

impl Fixture {
    /// Reads all marks.
    ///
    /// # Errors
    /// Text for the author of a fixture: a mark that means nothing.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut fixture = Self::default();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate().map(|(ix, line)| (ix + 1, line)) {
            let line = String::from_utf8_lossy(line);
            for mark in line.split("#~").skip(1) {
                fixture.mark(number, mark.trim()).map_err(|why| format!("line {number}: mark {mark:?}: {why}"))?;
            }
        }
        Ok(fixture)
    }

    fn mark(&mut self, line: usize, mark: &str) -> Result<(), String> {
        let (what, rest) = mark.split_once(char::is_whitespace).unwrap_or((mark, ""));
        match what {
            "args" => self.args.extend(rest.split_whitespace().map(str::to_owned)),
            "env" => {
                let (name, value) = rest.split_once('=').ok_or("NAME=value is wanted")?;
                self.env.push((name.trim().to_owned(), value.to_owned()));
            }
            "only" => {
                // The reason is for the reader, but there must be one.
                let (program, reason) = rest.split_once(char::is_whitespace).ok_or("ours|theirs REASON is wanted")?;
                if reason.trim().is_empty() {
                    return Err("a reason is wanted".to_owned());
                }
                self.only = Some(scope(&[program])?);
            }
            "exit" => {
                let (code, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let code = code.parse().map_err(|_| "exit wants a number")?;
                self.exits.push((scope(&words(rest))?, code));
            }
            _ => self.blame(line, mark)?,
        }
        Ok(())
    }

    fn blame(&mut self, line: usize, mark: &str) -> Result<(), String> {
        let mut place = Some(line);
        let mut severity = None;
        let mut rest = Vec::new();
        let mut words = words(mark).into_iter();
        while let Some(word) = words.next() {
            match word {
                "alert" => severity = Some(Severity::Alert),
                "warning" => severity = Some(Severity::Warning),
                "*" => place = None,
                "at" => {
                    let number = words.next().and_then(|text| text.parse().ok());
                    place = Some(number.ok_or("'at' wants a line number")?);
                }
                other => rest.push(other),
            }
        }
        let severity = severity.ok_or("alert, warning, exit, args, env or only is wanted")?;
        self.blames.push((scope(&rest)?, Blame { line: place, severity }));
        Ok(())
    }

    /// What a program of this kind and version has to say; `None` when the fixture is not for it.
    pub(crate) fn expected(&self, ours: bool, version: (u32, u32)) -> Option<Expected> {
        if !self.only.is_none_or(|scope| scope.holds(ours, version)) {
            return None;
        }
        let blames: BTreeSet<Blame> =
            self.blames.iter().filter(|(scope, _)| scope.holds(ours, version)).map(|(_, blame)| *blame).collect();
        let derived = i32::from(blames.iter().any(|blame| blame.severity == Severity::Alert));
        let marked = self.exits.iter().find(|(scope, _)| scope.holds(ours, version)).map(|(_, code)| *code);
        Some(Expected { blames, exit: marked.unwrap_or(derived) })
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn scope(words: &[&str]) -> Result<Scope, String> {
    let mut scope = Scope::default();
    for word in words {
        match *word {
            "ours" => scope.program = Some(Program::Ours),
            "theirs" => scope.program = Some(Program::Theirs),
            other => scope.era = Some(era(other).ok_or_else(|| format!("{other:?} means nothing here"))?),
        }
    }
    Ok(scope)
}

fn era(word: &str) -> Option<Era> {
    let version = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    if let Some(rest) = word.strip_prefix(">=") {
        version(rest).map(|(major, minor)| Era::Since(major, minor))
    } else {
        version(word.strip_prefix('<')?).map(|(major, minor)| Era::Before(major, minor))
    }
}

#[test]
fn marks_hold_for_the_program_and_era_they_name() {
    let text =
        b"#~ exit 1 <3.0\n#~ exit 0 >=3.0\nx #~ alert <3.0\ny #~ ours warning\n#~ at 9 warning\n#~ alert *  theirs\n";
    let fixture = Fixture::parse(text).expect("marks");
    let at = |line, severity| Blame { line: Some(line), severity };
    let ours = fixture.expected(true, (3, 4)).expect("for ours");
    assert_eq!(ours.exit, 0);
    assert_eq!(ours.blames, BTreeSet::from([at(4, Severity::Warning), at(9, Severity::Warning)]));
    let theirs = fixture.expected(false, (2, 6)).expect("for theirs");
    assert_eq!(theirs.exit, 1);
    let nowhere = Blame { line: None, severity: Severity::Alert };
    assert_eq!(theirs.blames, BTreeSet::from([at(3, Severity::Alert), at(9, Severity::Warning), nowhere]));
}

#[test]
fn a_mark_that_means_nothing_is_an_error() {
    for text in ["#~ aler", "#~ exit x", "#~ alert 3.0", "#~ at alert", "#~ only ours", "#~ env X"] {
        assert!(Fixture::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn without_a_mark_an_alert_decides_the_exit_code() {
    let fixture = Fixture::parse(b"a #~ alert\n#~ only ours because\n").expect("marks");
    assert_eq!(fixture.expected(true, (3, 4)).map(|e| e.exit), Some(1));
    assert_eq!(fixture.expected(false, (2, 6)), None);
}
