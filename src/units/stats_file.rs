//! A stats-file: counters of things by their guid, as `dump stats-file` writes and `stats-file` reads them.
//!
//! Sections of lines as `show stat` has them: a header `#fe guid,stot,…` (`#be`, `#li`, `#srv`) names the columns, each line
//! after it is about one thing. Sections and columns that are not known are passed over, so that a file of another version
//! can be read.

/// What a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Client sides of proxies.
    Front,
    /// Server sides of proxies.
    Back,
    /// Listeners.
    Listener,
    /// Servers.
    Server,
}

impl Section {
    /// All, in the order of a file.
    pub const ALL: [Self; 4] = [Self::Front, Self::Back, Self::Listener, Self::Server];

    /// What its header begins with.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Front => "#fe",
            Self::Back => "#be",
            Self::Listener => "#li",
            Self::Server => "#srv",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub section: Section,
    /// Whose it is.
    pub guid: String,
    /// Columns and their numbers; empty ones are left out.
    pub counters: Vec<(String, u64)>,
}

/// The lines of a file, and the numbers of those that say nothing.
pub fn read(bytes: &[u8]) -> (Vec<Row>, Vec<usize>) {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    // `None`: lines of a section that is not known.
    let mut header: Option<(Section, Vec<String>)> = None;
    let mut begun = false;
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let Ok(text) = std::str::from_utf8(line) else {
            wrong.push(at + 1);
            continue;
        };
        if text.starts_with('#') {
            header = self::header(text);
            begun = true;
            continue;
        }
        match &header {
            Some((section, columns)) => match row(*section, columns, text) {
                Some(row) => rows.push(row),
                None => wrong.push(at + 1),
            },
            None if begun => {}
            None => wrong.push(at + 1),
        }
    }
    (rows, wrong)
}

/// A section and its columns but for the first, which must be `guid`.
fn header(text: &str) -> Option<(Section, Vec<String>)> {
    let (mark, columns) = text.split_once(' ')?;
    let section = Section::ALL.into_iter().find(|section| section.mark() == mark)?;
    let mut columns = columns.split(',').map(|column| column.trim().to_owned());
    (columns.next()? == "guid").then(|| (section, columns.collect()))
}

fn row(section: Section, columns: &[String], text: &str) -> Option<Row> {
    let mut fields = text.split(',');
    let guid = fields.next()?.to_owned();
    let mut counters = Vec::new();
    for (column, field) in columns.iter().zip(fields) {
        if !field.is_empty() && !column.is_empty() {
            counters.push((column.clone(), field.parse().ok()?));
        }
    }
    (!guid.is_empty()).then_some(Row { section, guid, counters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_lines() {
        let text =
            "#fe guid,stot,bin\nf1,3,4\n\n#zz guid,x\nq,1\n#be guid,stot,,new\nb1,5,9,6,7\nb2,,1\n#srv stot\ns,1\n";
        let (rows, wrong) = read(text.as_bytes());
        let row = |section, guid: &str, counters: &[(&str, u64)]| Row {
            section,
            guid: guid.into(),
            counters: counters.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
        };
        let want = [
            row(Section::Front, "f1", &[("stot", 3), ("bin", 4)]),
            row(Section::Back, "b1", &[("stot", 5), ("new", 6)]),
            row(Section::Back, "b2", &[]),
        ];
        assert_eq!((rows.as_slice(), wrong.as_slice()), (&want[..], &[][..]));
        for text in
            ["f1,2", "#fe guid,a\nf,x", "#fe guid,a\nf,-1", "#fe guid,a\n,1", "#fe guid,a\nf,18446744073709551616"]
        {
            assert_eq!(read(text.as_bytes()).1.len(), 1, "{text}");
        }
        assert_eq!(read(b"#fe guid,a\n\xff,1").1, [2]);
    }

    /// Anybody may have written it.
    #[test]
    fn hostile_files() {
        bolero::check!().for_each(|bytes: &[u8]| {
            read(bytes);
            read(&[b"#fe guid,stot\n", bytes].concat());
        });
    }
}
