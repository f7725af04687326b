//! From statements to [`ir::Config`].
//!
//! [`configuration`] is the entry: it streams the lines of all files, finds each one's row in the grammar, and calls
//! the row's function, which fills a draft; [`resolve`] then looks names up and folds what was left open. One function
//! per keyword; a function sees its words only through [`Args`]. Knows no socket and no file but through
//! [`World`]. Nothing stops at the first error; references are judged only if reading was clean, as haproxy does.

mod acls;
pub mod added;
mod address;
mod args;
pub mod balance;
pub mod bind;
pub mod checks;
pub mod conditions;
mod draft;
mod error;
pub mod global;
pub mod guids;
pub mod lints;
pub mod log_formats;
pub mod logs;
mod names;
pub mod old;
pub mod options;
mod options_line;
mod peers;
pub mod persistence;
mod program;
mod resolve;
pub mod resolvers;
mod ring;
pub mod rules;
mod section;
pub mod send_proxy;
pub mod server;
pub mod server_options;
pub mod source;
mod statement;
pub mod states;
pub mod stats;
pub mod tables;
mod threads;
pub mod timeouts;
mod userlist;
pub mod watch_options;
mod table {
    include!(concat!(env!("OUT_DIR"), "/lower_table.rs"));
}

use std::path::PathBuf;

pub use args::{Args, Given};
pub use draft::{ProxyDraft, RefusedWord, Settings};
pub use error::{Blame, LowerError, Lowered};

use crate::ir::{Config, Judged};
use crate::syntax::{self, Reader};
use crate::text::{Diagnostic, Severity, SourceMap, World};

/// What lowers a row of `grammar/proxy.kw`.
pub type ProxyFn = fn(&mut ProxyDraft, &mut Args<'_>) -> Lowered;
/// What lowers a row of `grammar/global.kw`.
pub type GlobalFn = fn(&mut global::GlobalDraft, &mut Args<'_>) -> Lowered;
/// What lowers a row of `grammar/bind.kw`.
pub type BindFn = fn(&mut bind::BindDraft, &mut Args<'_>) -> Lowered;
/// What lowers a row of `grammar/server.kw`.
pub type ServerFn = fn(&mut server::ServerDraft, &mut Args<'_>) -> Lowered;
/// What lowers an action of `grammar/action.kw`: where it stands, its word, and what stands behind it.
pub type ActionFn = fn(rules::Ruleset, Given<'_>, &mut Args<'_>) -> Lowered<crate::ir::Action>;

/// What the command line says that changes what a configuration means.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices {
    /// `-dr`: a server whose name does not resolve starts without an address.
    pub ignore_resolution: bool,
    /// `-W` or `-Ws`: there is a master process.
    pub master: bool,
    /// `-dD`: remarks are looked for on what is valid and may not be meant ([`lints`]).
    pub remarks: bool,
}

/// Reads and judges the files and directories of a run.
///
/// The value is absent if an alert is among the diagnostics. A value that [`Config::listens`] nowhere is valid and
/// does not start: exit code 2.
pub fn configuration(
    files: &[PathBuf],
    choices: Choices,
    world: &mut dyn World,
    sources: &mut SourceMap,
) -> Judged<Config> {
    let loaded = syntax::load(files, world, sources);
    let mut said = loaded.diagnostics;
    let mut reading = statement::Reading::default();
    for file in &loaded.files {
        let Some(source) = sources.get(*file) else { continue };
        reading.begin_file(&source.name, world);
        let mut reader = Reader::new(*file, source);
        while let Some(line) = reader.next_line(world, reading.section_name(), &mut said) {
            reading.line(&line, world, &mut said);
        }
        reading.end_of_file();
        if reader.ends_run() {
            break;
        }
    }
    world.enter(None);
    resolve::check_ids(&reading.sections, &mut said);
    tables::check(&reading.sections, &mut said);
    if said.iter().any(|one| one.severity == Severity::Alert) {
        resolve::judge_refused(&reading.sections, &mut said);
        return Judged { value: None, diagnostics: said };
    }
    let names = loaded.files.iter().filter_map(|file| sources.get(*file)).map(|file| file.name.clone()).collect();
    let value = resolve::resolve(reading, names, choices, world, &mut said);
    let clean = !said.iter().any(|one: &Diagnostic| one.severity == Severity::Alert);
    Judged { value: clean.then_some(value), diagnostics: said }
}
