//! What a master knows, and how it survives its becoming another image of itself.
//!
//! Before it executes its program anew, a master writes a [`Record`] into a nameless file; the descriptors that the record
//! names stay open over the exec. The environment variable [`VARIABLE`] has the file's descriptor and the master's pid:
//! another process that inherits the variable is not meant.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ir::AdminLevel;
use crate::process::handover::server::Door;
use crate::sys::fd::Inherited;
use crate::sys::image;

/// The environment variable that says that this image goes on as a master.
pub(super) const VARIABLE: &str = "BATON_MASTER";

/// What a process is to its master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// It serves.
    Worker,
    /// It runs the `program` section of that name.
    Program(String),
}

/// A process that the master started.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pid: i32,
    pub(super) kind: Kind,
    /// A reload has replaced it, or ended it.
    pub(super) former: bool,
    /// Reloads that it has seen, those that failed included.
    pub(super) reloads: u32,
    /// When it was started, seconds of the Unix epoch.
    pub(super) started: u64,
    /// The version that it runs; a dash for programs.
    pub(super) version: String,
    /// Over which its commands go, one for each right.
    pub(super) channels: Vec<(AdminLevel, OwnedFd)>,
}

impl Member {
    /// Whether it is a worker that serves now.
    pub(super) fn serves(&self) -> bool {
        self.kind == Kind::Worker && !self.former
    }
}

/// A socket on which the master takes commands.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) level: AdminLevel,
    /// As `HAPROXY_MASTER_CLI` shows it.
    pub(super) shown: String,
}

/// The rules of the configuration that counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rules {
    /// `mworker-max-reloads`.
    pub(super) max_reloads: Option<u32>,
    /// `no-exit-on-failure`.
    pub(super) survives_failure: bool,
}

/// What a master knows.
#[derive(Debug, Default)]
pub(super) struct State {
    /// What is executed at a reload.
    pub(super) program: PathBuf,
    /// The version that was started first.
    pub(super) first_version: String,
    /// When it was started, seconds of the Unix epoch.
    pub(super) started: u64,
    /// All reloads.
    pub(super) reloads: u32,
    /// Reloads that failed since the last one that did not.
    pub(super) failed: u32,
    /// Whether it is in the background.
    pub(super) background: bool,
    pub(super) rules: Rules,
    /// `HAPROXY_CLI` of the last configuration that was loaded.
    pub(super) stats_sockets: String,
    pub(super) members: Vec<Member>,
    pub(super) listeners: Vec<Listener>,
    /// The handover socket: newcomers are sent to the worker.
    pub(super) door: Option<Door>,
    /// Whether the reload that is under way ends old workers at once.
    pub(super) hard: bool,
    /// Who asked for the reload that is under way, and waits for its answer.
    pub(super) asker: Option<OwnedFd>,
}

/// [`State`], written down; descriptors are numbers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    program: OsString,
    first_version: String,
    started: u64,
    reloads: u32,
    failed: u32,
    background: bool,
    rules: Rules,
    #[serde(default)]
    stats_sockets: String,
    members: Vec<MemberRecord>,
    listeners: Vec<(i32, Rights, String)>,
    door: Option<i32>,
    #[serde(default)]
    hard: bool,
    asker: Option<i32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MemberRecord {
    pid: i32,
    kind: Kind,
    former: bool,
    reloads: u32,
    started: u64,
    version: String,
    channels: Vec<(Rights, i32)>,
}

/// [`AdminLevel`], written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Rights {
    User,
    Operator,
    Admin,
}

impl From<AdminLevel> for Rights {
    fn from(level: AdminLevel) -> Self {
        match level {
            AdminLevel::User => Self::User,
            AdminLevel::Operator => Self::Operator,
            AdminLevel::Admin => Self::Admin,
        }
    }
}

impl From<Rights> for AdminLevel {
    fn from(rights: Rights) -> Self {
        match rights {
            Rights::User => Self::User,
            Rights::Operator => Self::Operator,
            Rights::Admin => Self::Admin,
        }
    }
}

/// Why a master cannot go on in this image.
#[derive(Debug, Error)]
pub(super) enum StateError {
    /// The record is not there, or cannot be read.
    #[error("what the master knew cannot be read: {0}")]
    Note(#[from] io::Error),
    /// Another version wrote it, or nobody of ours.
    #[error("what the master knew is not understood: {0}")]
    Record(#[from] serde_json::Error),
    /// A descriptor that it names is not open.
    #[error("descriptor {0} of the master is not open any more")]
    Descriptor(i32),
}

impl State {
    /// The state that the image before this one left, if this process is a master that goes on.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn left_behind(inherited: &Inherited) -> Option<Result<Self, StateError>> {
        let value = std::env::var(VARIABLE).ok()?;
        let (number, pid) = value.split_once(' ')?;
        let (number, pid) = (number.parse().ok()?, pid.parse::<u32>().ok()?);
        (pid == std::process::id()).then(|| {
            let note = inherited.take(number).ok_or(StateError::Descriptor(number))?;
            Self::read(&image::read_note(note)?, inherited)
        })
    }

    fn read(bytes: &[u8], inherited: &Inherited) -> Result<Self, StateError> {
        let record: Record = serde_json::from_slice(bytes)?;
        let take = |number: i32| inherited.take(number).ok_or(StateError::Descriptor(number));
        let members = record.members.into_iter().map(|member| {
            let channels = member.channels.into_iter().map(|(rights, number)| Ok((rights.into(), take(number)?)));
            Ok(Member {
                pid: member.pid,
                kind: member.kind,
                former: member.former,
                reloads: member.reloads,
                started: member.started,
                version: member.version,
                channels: channels.collect::<Result<_, StateError>>()?,
            })
        });
        let listeners = record
            .listeners
            .into_iter()
            .map(|(number, rights, shown)| Ok(Listener { socket: take(number)?, level: rights.into(), shown }));
        Ok(Self {
            program: record.program.into(),
            first_version: record.first_version,
            started: record.started,
            reloads: record.reloads,
            failed: record.failed,
            background: record.background,
            rules: record.rules,
            stats_sockets: record.stats_sockets,
            members: members.collect::<Result<_, StateError>>()?,
            listeners: listeners.collect::<Result<_, StateError>>()?,
            door: record.door.map(take).transpose()?.map(Door::from),
            hard: record.hard,
            asker: record.asker.map(take).transpose()?,
        })
    }

    /// Everything that has to stay open over an exec.
    fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let channels = self.members.iter().flat_map(|member| member.channels.iter().map(|(_, fd)| fd));
        let listeners = self.listeners.iter().map(|listener| &listener.socket);
        channels.chain(listeners).chain(self.door.as_ref().map(Door::socket)).chain(&self.asker)
    }

    /// Has the next image of this process find all of this: the value of [`VARIABLE`], and the note that it names. To be
    /// undone by [`State::stay`] if there is no next image.
    ///
    /// # Errors
    /// EMFILE, ENOMEM.
    pub(super) fn leave_behind(&self) -> io::Result<(String, OwnedFd)> {
        let note = image::note(&serde_json::to_vec(&self.record())?)?;
        for fd in self.descriptors().chain([&note]) {
            image::keep_over_exec(fd, true)?;
        }
        Ok((format!("{} {}", note.as_raw_fd(), std::process::id()), note))
    }

    /// There is no next image: nobody who is started inherits what is ours.
    pub(super) fn stay(&self) {
        for fd in self.descriptors() {
            let _ = image::keep_over_exec(fd, false);
        }
    }

    fn record(&self) -> Record {
        let number = |fd: &OwnedFd| fd.as_fd().as_raw_fd();
        Record {
            program: self.program.clone().into(),
            first_version: self.first_version.clone(),
            started: self.started,
            reloads: self.reloads,
            failed: self.failed,
            background: self.background,
            rules: self.rules,
            stats_sockets: self.stats_sockets.clone(),
            members: self
                .members
                .iter()
                .map(|member| MemberRecord {
                    pid: member.pid,
                    kind: member.kind.clone(),
                    former: member.former,
                    reloads: member.reloads,
                    started: member.started,
                    version: member.version.clone(),
                    channels: member.channels.iter().map(|(level, fd)| ((*level).into(), number(fd))).collect(),
                })
                .collect(),
            listeners: self
                .listeners
                .iter()
                .map(|listener| (number(&listener.socket), listener.level.into(), listener.shown.clone()))
                .collect(),
            door: self.door.as_ref().map(|door| number(door.socket())),
            hard: self.hard,
            asker: self.asker.as_ref().map(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_refused() {
        let inherited = Inherited::at_start();
        inherited.make_lasting();
        let whole = serde_json::to_vec(&Record {
            program: "x".into(),
            first_version: "3".into(),
            started: 1,
            reloads: 2,
            failed: 0,
            background: false,
            rules: Rules::default(),
            stats_sockets: String::new(),
            members: Vec::new(),
            listeners: Vec::new(),
            door: None,
            hard: false,
            asker: None,
        })
        .unwrap();
        assert_eq!(State::read(&whole, &inherited).unwrap().reloads, 2);
        bolero::check!().with_iterations(2_000).with_type::<(u16, u8, Vec<u8>)>().for_each(|(at, byte, other)| {
            let mut bent = whole.clone();
            let at = usize::from(*at) % bent.len();
            bent[at] = *byte;
            let _ = State::read(&bent, &inherited);
            assert!(State::read(other, &inherited).is_err());
        });
        let gone = String::from_utf8(whole).unwrap().replace("\"door\":null", "\"door\":999999");
        assert!(matches!(State::read(gone.as_bytes(), &inherited), Err(StateError::Descriptor(999_999))));
    }
}
