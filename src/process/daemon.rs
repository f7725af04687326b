//! Going to the background: the process that was called stays until the new one serves.
//!
//! The parent keeps the rights that the child gives up, so it is the parent that writes the pidfile and tells the old
//! processes; the child does both if the parent is killed meanwhile.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::sys::fork::{self, Child, Fork};
use crate::sys::pidfd::PidFd;

/// What the child reports when it serves.
const SERVES: u8 = b'S';
/// What the parent answers when the rest is done.
const DONE: u8 = b'D';

/// How long the parent may take to return.
const FAREWELL: Duration = Duration::from_secs(2);

/// Which of the two processes this is.
#[derive(Debug)]
pub(crate) enum Side {
    /// The one that was called.
    Parent(Guardian),
    /// The one that is to serve.
    Child(Starter),
}

/// What becomes of the process that divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// It returns to whoever called it when the child serves.
    Returns,
    /// It watches the child for its life.
    Stays,
}

/// The parent's end.
#[derive(Debug)]
pub(crate) struct Guardian {
    child: Child,
    reports: OwnedFd,
    answers: OwnedFd,
}

/// The child's end.
#[derive(Debug)]
pub(crate) struct Starter {
    reports: OwnedFd,
    answers: OwnedFd,
    /// Who is to return before this process goes on; nobody if the parent stays.
    parent: Option<PidFd>,
}

/// Forks; the child leaves the terminal's session if the parent is to return.
///
/// # Errors
/// EAGAIN, ENOMEM, EMFILE.
pub(crate) fn divide(parent: Parent) -> io::Result<Side> {
    let myself = match parent {
        Parent::Returns => PidFd::open(std::process::id().cast_signed())?,
        Parent::Stays => None,
    };
    let (reports, report) = fork::report_pipe()?;
    let (answers, answer) = fork::report_pipe()?;
    match fork::fork()? {
        Fork::Parent(child) => Ok(Side::Parent(Guardian { child, reports, answers: answer })),
        Fork::Child => {
            if parent == Parent::Returns {
                fork::leave_session()?;
            }
            Ok(Side::Child(Starter { reports: report, answers, parent: myself }))
        }
    }
}

impl Guardian {
    /// Waits until the child serves, then lets `finish` do the rest with its pid; whether the child serves.
    pub(crate) fn wait(self, finish: impl FnOnce(i32)) -> bool {
        let serves = matches!(fork::read_byte(&self.reports), Ok(Some(SERVES)));
        if serves {
            finish(self.child.pid());
            let _ = fork::write_byte(&self.answers, DONE); // it is gone already if a signal ended it
        } else {
            let _ = self.child.wait();
        }
        serves
    }
}

impl Starter {
    /// Reports that this process serves; waits until the parent has done the rest and has returned. `false`: the parent is
    /// gone and has not.
    pub(crate) fn serves(self) -> bool {
        let told = fork::write_byte(&self.reports, SERVES).is_ok();
        let done = told && matches!(fork::read_byte(&self.answers), Ok(Some(DONE)));
        if let Some(parent) = self.parent {
            parent.wait(FAREWELL);
        }
        done
    }
}
