//! What the reader says of every file in fixtures/verdict/reader, as users see it.
//!
//! The verdict tests compare lines and severities with haproxy; this golden pins wording, excerpts, carets and hints.
//! `BLESS=1` rewrites it; the diff is to be read.

use std::path::Path;

use super::Reader;
use crate::text::testing::TestWorld;
use crate::text::{Banner, SourceMap, World, render};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/verdict/reader");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/output/reader.txt");

/// The sections that the fixtures use, so that `.SECTION` is known.
fn section(words: &[super::Word<'_>]) -> Option<Vec<u8>> {
    let kind: &[u8] = &words.first()?.bytes;
    let known = [&b"global"[..], b"defaults", b"listen"].contains(&kind);
    let name = words.get(1).map_or(kind, |name| &name.bytes);
    known.then(|| name.to_vec())
}

fn said_of(name: &str, source: Vec<u8>) -> String {
    let mut world =
        TestWorld::with_env(&[("HOME", "/root"), ("ONE", "1"), ("EMPTY", ""), ("SET", ""), ("LIST", "b1 b2")]);
    let mut sources = SourceMap::default();
    let file = sources.add(String::from(name), source);
    let mut reader = Reader::new(file, sources.get(file).expect("just added"));
    let (mut within, mut diagnostics) = (Vec::new(), Vec::new());
    while let Some(line) = reader.next_line(&world, &within, &mut diagnostics) {
        let words: Vec<&[u8]> = line.words.iter().map(|word| &*word.bytes).collect();
        match words[..] {
            [b"setenv", name, value, ..] => world.set_env(&String::from_utf8_lossy(name), Some(value)),
            [b"unsetenv", name] => world.set_env(&String::from_utf8_lossy(name), None),
            _ => {}
        }
        within = section(&line.words).unwrap_or(within);
    }
    diagnostics.iter().map(|said| render(Banner { pid: 71 }, &sources, said)).collect()
}

#[test]
fn messages_are_as_they_were_read_and_found_good() {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER)
        .expect("the fixtures")
        .map(|entry| entry.expect("a fixture").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cfg"))
        .collect();
    files.sort();
    assert!(files.len() > 50, "only {} fixtures in {FOLDER}", files.len());
    let mut said = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        said.push(said_of(&name, std::fs::read(&path).expect("a fixture")));
    }
    said.retain(|said| !said.is_empty());
    let found = said.join("\n");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(Path::new(GOLDEN).parent().expect("a folder")).expect("a folder");
        std::fs::write(GOLDEN, &found).expect("the golden file");
        return;
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("the golden file: BLESS=1 writes it");
    for (number, (found, golden)) in found.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, golden, "line {} of {GOLDEN} (BLESS=1 rewrites it)", number + 1);
    }
    assert_eq!(found.lines().count(), golden.lines().count());
}
