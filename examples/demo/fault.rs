//! What can keep the demo from being set up, one variant per thing its user can look at.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A step failed before any number could be judged.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// No temporary folder, port, pipe or thread.
    #[error("this machine gives no {what}: {cause}")]
    Machine {
        /// What was asked for.
        what: &'static str,
        /// Its answer.
        cause: io::Error,
    },
    /// cargo did not build the binary.
    #[error("cargo could not build baton (see above)")]
    Build,
    /// A program could not be started at all.
    #[error("cannot start {}: {cause}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The proxy did not take the configuration or did not come up.
    #[error("the proxy returned {code:?} and said:\n{said}")]
    Refused {
        /// Its exit code.
        code: Option<i32>,
        /// Its standard error.
        said: String,
    },
    /// The pidfile holds no number.
    #[error("the pidfile holds {text:?}")]
    Pidfile {
        /// Its text.
        text: String,
    },
    /// The statistics page does not answer as it should.
    #[error("the statistics page answers {head:?}")]
    Page {
        /// Status line, or what came instead.
        head: String,
    },
    /// Something that takes milliseconds has not happened for seconds.
    #[error("waited {seconds} s in vain for {what}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
}

impl Fault {
    /// For `map_err`: this machine does not give `what`.
    pub(crate) fn machine(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Machine { what, cause }
    }
}
