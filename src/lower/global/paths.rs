//! `default-path`: where relative paths of the configuration begin.
//!
//! Knows no file system but through [`World`]. Source: manual §3.1 "default-path"; a relative origin begins where the
//! process was started, seen on 2.6.12.

use std::path::{Path, PathBuf};

use super::GlobalDraft;
use crate::lower::args::Args;
use crate::lower::error::{LowerError, Lowered};
use crate::text::World;

/// What was said, for this file and those behind it.
#[derive(Debug, Clone, Default)]
pub enum Base {
    /// Where the process was started.
    #[default]
    Current,
    /// The folder of the file that is being read.
    Config,
    /// The folder above it.
    Parent,
    /// This folder.
    Origin(PathBuf),
}

impl Base {
    /// Makes relative paths begin there while `file` is read.
    pub fn enter(&self, file: &str, world: &mut dyn World) {
        let folder = || match file.rfind('/') {
            Some(0) => PathBuf::from("/"),
            Some(at) => PathBuf::from(&file[..at]),
            None => PathBuf::from("."),
        };
        match self {
            Self::Current => world.enter(None),
            Self::Config => world.enter(Some(&folder())),
            Self::Parent => world.enter(Some(&folder().join(".."))),
            Self::Origin(path) => world.enter(Some(path)),
        }
    }
}

/// `default-path current|config|parent|origin <path>`: at once, in place of what was said before.
pub fn default_path(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    const MODES: &[&str] = &["current", "config", "parent", "origin"];
    let word = args.word("where relative paths begin")?;
    let base = match word.bytes {
        b"current" => Base::Current,
        b"config" => Base::Config,
        b"parent" => Base::Parent,
        b"origin" => {
            let path = args.word("a folder")?;
            args.world.enter(None);
            if !matches!(args.world.list(Path::new(&path.text())), Ok(Some(_))) {
                global.base.enter(&global.file, args.world);
                return Err(path.blame(LowerError::Misplaced("there is no such folder")));
            }
            Base::Origin(PathBuf::from(path.text()))
        }
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: MODES })),
    };
    global.base = base;
    global.base.enter(&global.file, args.world);
    Ok(())
}
