//! A systemd unit as systemd reads it: its drop-ins, its environment, its command lines. Source: systemd.unit(5), systemd.exec(5), systemd.service(5).

use std::collections::BTreeMap;
use std::path::Path;

/// What of a `[Service]` section starts and reloads.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    lines: Vec<(String, String)>,
}

impl Unit {
    /// Reads a unit and then its drop-ins; an empty `Name=` forgets the earlier ones of that name.
    pub(crate) fn read(files: &[&Path]) -> Self {
        let mut unit = Self::default();
        for file in files {
            let text = std::fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
                match line.split_once('=') {
                    Some((name, "")) => unit.lines.retain(|(other, _)| other != name),
                    Some((name, value)) => unit.lines.push((name.to_owned(), value.to_owned())),
                    None => {}
                }
            }
        }
        unit
    }

    /// All values of that name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of that name.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0]
    }

    /// `Environment=`, then each `EnvironmentFile=` that exists.
    fn environment(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let assignments = self.all("Environment").into_iter().flat_map(quoted);
        let files = self.all("EnvironmentFile").into_iter();
        let texts = files.filter_map(|file| match file.strip_prefix('-') {
            Some(file) => std::fs::read_to_string(file).ok(),
            None => Some(std::fs::read_to_string(file).unwrap_or_else(|why| panic!("{file}: {why}"))),
        });
        let of_files = texts.flat_map(|text| {
            let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
            lines.map(|line| line.replace('"', "")).collect::<Vec<_>>()
        });
        for assignment in assignments.chain(of_files.collect::<Vec<_>>()) {
            if let Some((name, value)) = assignment.split_once('=') {
                found.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        found
    }

    /// A command line's words: `$NAME` as a word of its own becomes as many words as its value has, none if it is empty.
    pub(crate) fn words(&self, line: &str, main_pid: Option<u32>) -> Vec<String> {
        let mut environment = self.environment();
        if let Some(pid) = main_pid {
            environment.insert("MAINPID".into(), pid.to_string());
        }
        let words = line.split_whitespace().flat_map(|word| match word.strip_prefix('$') {
            Some(name) => environment
                .get(name)
                .map(|value| value.split_whitespace().map(ToOwned::to_owned).collect())
                .unwrap_or_default(),
            None => vec![word.to_owned()],
        });
        words.collect()
    }
}

/// `"A=b c" "D=e"` or `A=b D=e`.
fn quoted(text: &str) -> Vec<String> {
    if text.contains('"') {
        text.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    } else {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }
}

#[test]
fn units_are_read_as_systemd_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let env = path("env");
    std::fs::write(&env, "# A=no\nB=\"-q -V\"\n").unwrap();
    let text = format!(
        "[Service]\nEnvironmentFile=-/nowhere\nEnvironmentFile=-{}\nEnvironment=\"A=a\" \"B=b b\"\nExecStart=/x -f $A $B $C\n",
        env.display()
    );
    std::fs::write(path("u"), text).unwrap();
    std::fs::write(path("d"), "[Service]\nExecStart=\nExecStart=/y $MAINPID\n").unwrap();
    let unit = Unit::read(&[&path("u")]);
    assert_eq!(unit.words(unit.one("ExecStart"), None), ["/x", "-f", "a", "-q", "-V"]);
    let unit = Unit::read(&[&path("u"), &path("d")]);
    assert_eq!(unit.words(unit.one("ExecStart"), Some(5)), ["/y", "5"]);
}
