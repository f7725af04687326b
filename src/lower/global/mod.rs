//! `global`: what holds for the whole process. Source: manual §3.

pub mod cpus;
pub mod master;
mod moment;
pub mod old;
pub mod paths;
pub mod process;
pub mod stats;
pub mod tuning;
pub mod variables;

use std::path::PathBuf;

use super::threads::ThreadsDraft;
use crate::ir::{FilePermissions, Global};
use crate::text::Span;

/// The `global` sections as far as they were read; several of them add up.
#[derive(Debug, Clone, Default)]
pub struct GlobalDraft {
    /// What was said.
    pub ir: Global,
    /// `unix-bind`: what unix listeners of `bind` lines below it begin with.
    pub unix_bind: FilePermissions,
    /// `unix-bind prefix`.
    pub unix_prefix: Option<String>,
    /// `nbproc`, for want of `nbthread`.
    pub nbproc: Option<u16>,
    /// `default-path`.
    pub base: paths::Base,
    /// The file that is being read, as it was named.
    pub file: String,
    /// The threads that `stats socket` lines name.
    pub threads: Vec<ThreadsDraft>,
    /// `server-state-base`.
    pub state_base: Option<PathBuf>,
    /// `server-state-file`, and its word.
    pub state_file: Option<(PathBuf, Span)>,
    /// `stats-file`, and its words.
    pub stats_file: Option<(PathBuf, Span)>,
    /// What may be said once and was.
    pub said: Said,
}

/// What may be said once.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub struct Said {
    pub user: bool,
    pub group: bool,
    pub nofile: bool,
    pub maxconn: bool,
    pub spread_checks: bool,
}
