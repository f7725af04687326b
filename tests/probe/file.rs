//! Reads a probe: a configuration with marks in its comments.

use std::path::{Path, PathBuf};

use super::step::Step;
use crate::harness::program::Kind;

/// A configuration, what to do with it and what is to be seen.
#[derive(Debug)]
pub(crate) struct ProbeFile {
    /// `kind/name`, from its path.
    pub(crate) name: String,
    /// Lines without their marks.
    lines: Vec<String>,
    /// Given to one program only.
    pub(crate) only: Option<Kind>,
    /// Options before `-f`.
    pub(crate) args: Vec<String>,
    /// The environment.
    pub(crate) env: Vec<(String, String)>,
    /// What a shell does before it becomes the program.
    pub(crate) shell: Option<String>,
    /// Values below /proc/sys of a network of its own.
    pub(crate) sysctls: Vec<(String, String)>,
    /// Files of the probe's folder: name and content.
    pub(crate) files: Vec<(String, String)>,
    /// In order.
    pub(crate) steps: Vec<Step>,
    /// The words that are probed.
    pub(crate) cuts: Vec<Cut>,
}

/// What is deleted to probe a row.
#[derive(Debug)]
pub(crate) struct Cut {
    /// `KIND/keyword`.
    pub(crate) row: String,
    line: usize,
    /// These words of the line only.
    words: Option<String>,
}

impl ProbeFile {
    /// The configuration, without what `cut` names.
    pub(crate) fn text(&self, cut: Option<&Cut>) -> String {
        let mut text = String::new();
        for (ix, line) in self.lines.iter().enumerate() {
            match cut.filter(|cut| cut.line == ix) {
                None => text.push_str(line),
                Some(Cut { words: Some(words), .. }) => text.push_str(&line.replacen(words.as_str(), "", 1)),
                Some(_) => {}
            }
            text.push('\n');
        }
        text
    }

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut file = Self {
            name: name.to_owned(),
            lines: Vec::new(),
            only: None,
            args: vec!["-db".to_owned()],
            env: Vec::new(),
            shell: None,
            sysctls: Vec::new(),
            files: Vec::new(),
            steps: Vec::new(),
            cuts: Vec::new(),
        };
        for (ix, line) in text.lines().enumerate() {
            let mut parts = line.split("#~");
            file.lines.push(parts.next().unwrap_or_default().trim_end().to_owned());
            for mark in parts {
                file.mark(ix, mark.trim())
                    .map_err(|why| format!("{name}.cfg:{}: {why}: #~ {}", ix + 1, mark.trim()))?;
            }
        }
        match (file.cuts.is_empty(), file.steps.iter().any(Step::sees)) {
            (true, _) => Err(format!("{name}.cfg probes nothing")),
            (_, false) => Err(format!("{name}.cfg sees nothing")),
            _ => Ok(file),
        }
    }

    fn mark(&mut self, ix: usize, mark: &str) -> Result<(), String> {
        let (word, rest) = mark.split_once(' ').unwrap_or((mark, ""));
        let rest = rest.trim();
        match word {
            "probe" => {
                let (row, words) = match rest.split_once(" cut ") {
                    Some((row, words)) => (row.trim(), Some(words.trim().to_owned())),
                    None => (rest, None),
                };
                let line = &self.lines[ix];
                if words.as_ref().map_or(line.trim().is_empty(), |words| !line.contains(words.as_str())) {
                    return Err("the line holds nothing of it".to_owned());
                }
                self.cuts.push(Cut { row: row.to_owned(), line: ix, words });
            }
            "only" => {
                let (who, reason) = rest.split_once(' ').ok_or("a reason is wanted")?;
                self.only = Some(match who {
                    "ours" => Kind::Ours,
                    "theirs" => Kind::Theirs,
                    _ => return Err(format!("{who} is neither ours nor theirs, {reason}")),
                });
            }
            "args" => self.args = rest.split_whitespace().map(str::to_owned).collect(),
            "env" => self.env.push(pair(rest, '=').ok_or("NAME=value is wanted")?),
            "shell" => self.shell = Some(rest.to_owned()),
            "network" => self.sysctls.push(pair(rest, '=').ok_or("PATH=value is wanted")?),
            "file" => {
                let (name, text) = pair(rest, ' ').ok_or("a name and a text are wanted")?;
                self.files.push((name, super::step::unescape(&text)?));
            }
            "do" | "see" => self.steps.push(Step::parse(word, rest)?),
            _ => return Err("probe, do, see, args, env, file, network, shell or only is wanted".to_owned()),
        }
        Ok(())
    }
}

fn pair(text: &str, between: char) -> Option<(String, String)> {
    text.split_once(between).map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Where the probes are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/probe")
}

/// All probes, in the order of their names.
pub(crate) fn read_all() -> Vec<ProbeFile> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root()).expect("the probes").map(|entry| entry.expect("an entry").path()) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.extension().is_some_and(|ext| ext == "cfg") {
                let name = path.strip_prefix(root()).expect("below the probes").with_extension("");
                let text = std::fs::read_to_string(&path).expect("a probe is text");
                let file = ProbeFile::parse(&name.to_string_lossy(), &text);
                files.push(file.unwrap_or_else(|why| panic!("{why}")));
            }
        }
    }
    assert!(!files.is_empty(), "no probes below {}", root().display());
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[test]
fn a_cut_takes_a_line_or_some_of_its_words() {
    let text = "global\n node n #~ probe global/node\n#~ see info Node = n\nbackend b\n server s A weight 2 check #~ probe server/weight cut weight 2\n";
    let file = ProbeFile::parse("t", text).expect("a probe");
    assert_eq!(file.text(None), "global\n node n\n\nbackend b\n server s A weight 2 check\n");
    assert_eq!(file.text(Some(&file.cuts[0])), "global\n\n\nbackend b\n server s A weight 2 check\n");
    assert_eq!(file.text(Some(&file.cuts[1])), "global\n node n\n\nbackend b\n server s A  check\n");
}

#[test]
fn a_mark_that_means_nothing_is_an_error() {
    for text in [
        "x #~ prob a",
        "x #~ probe a/b cut y\n#~ see exit = 1",
        "#~ probe a/b\n#~ see exit = 1",
        "x #~ probe a/b",
        "#~ see exit = 1",
        "x #~ probe a/b\n#~ see exi = 1",
        "x #~ probe a/b\n#~ see exit 1",
    ] {
        assert!(ProbeFile::parse("t", text).is_err(), "{text}");
    }
}
