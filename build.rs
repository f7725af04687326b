//! Turns the keyword tables `grammar/*.kw` into Rust tables.
//!
//! A mistake in a table is a build error that names file and line. `grammar/build/table.rs` reads and checks, `grammar/build/emit.rs`
//! writes; the columns are explained in `grammar/README.md`.

// What the library needs of the shared module and the build script does not is no reason for a warning.
#[allow(dead_code, unreachable_pub)]
#[path = "src/grammar/kinds.rs"]
mod kinds;

#[path = "grammar/build/emit.rs"]
mod emit;
#[path = "grammar/build/table.rs"]
mod table;

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=grammar");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut rows = Vec::new();
    let mut mistakes = Vec::new();
    for kind in kinds::Kind::ALL {
        let file = format!("grammar/{}.kw", kind.name());
        match fs::read_to_string(here.join(&file)) {
            Ok(text) => table::parse(kind, &file, &text, &mut rows, &mut mistakes),
            Err(why) => mistakes.push(table::Mistake { file, line: 0, what: why.to_string() }),
        }
    }
    rows.sort_by(|a: &table::Row, b| (a.kind, &a.keyword).cmp(&(b.kind, &b.keyword)));
    table::check(&rows, &mut mistakes);
    for mistake in &mistakes {
        println!("cargo::error={mistake}");
    }
    if mistakes.is_empty() {
        for (name, text) in [("grammar_table.rs", emit::rows(&rows)), ("lower_table.rs", emit::functions(&rows))] {
            if let Err(why) = fs::write(out.join(name), text) {
                println!("cargo::error={name}: {why}");
            }
        }
    }
}
