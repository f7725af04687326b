//! What the engine calls: the log, the statistics page, the runtime commands.

use std::io;
use std::sync::Arc;

use super::limits::Plan;
use crate::ir::{AdminLevel, Config};
use crate::pool::{Commands, Journal, Page, PageReply, PageRequest, Pool, Reply};
use crate::report::{Log, OpenError};
use crate::sys::fd::{self, Inherited};
use crate::sys::identity;

pub(crate) use crate::report::Surroundings;

/// What is opened before the root directory changes.
pub(crate) struct Services {
    journal: Arc<dyn Journal>,
}

/// The same with the state they report.
pub(crate) struct Running {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) page: Arc<dyn Page>,
    pub(crate) commands: Arc<dyn Commands>,
}

/// What the log needs to know of this process. `echo`: events go to standard error too.
pub(crate) fn surroundings(program: &str, echo: bool) -> Surroundings {
    Surroundings {
        tag: program.to_owned(),
        hostname: identity::host_name(),
        echo,
        local_offset: crate::sys::local_offset,
    }
}

impl Services {
    /// Opens the log's targets.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn new(
        config: &Arc<Config>,
        surroundings: Surroundings,
        _inherited: &Inherited,
    ) -> Result<Self, OpenError> {
        let copy = |number| fd::copy(number).ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF));
        let journal = Arc::new(Log::open(Arc::clone(config), surroundings, &copy)?);
        Ok(Self { journal })
    }

    /// Gives them the state of the process.
    pub(crate) fn run(self, _pool: &Arc<Pool>, _plan: Plan) -> Running {
        Running { journal: self.journal, page: Arc::new(Nothing), commands: Arc::new(Nothing) }
    }
}

/// No page and no command: until `report` has them.
struct Nothing;

impl Page for Nothing {
    fn answer(&self, _: &PageRequest<'_>) -> Option<PageReply> {
        None
    }
}

impl Commands for Nothing {
    fn run(&self, command: &str, _: AdminLevel) -> Reply {
        match command.trim() {
            "_getsocks" => Reply::Sockets,
            "quit" => Reply::Quit,
            _ => Reply::Text("Unknown command.\n".to_owned()),
        }
    }
}
