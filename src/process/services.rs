//! What the engine calls: the log, the statistics page, the runtime commands.

use std::io;
use std::sync::{Arc, OnceLock};

use super::console::Transcript;
use super::version;
use crate::ir::Config;
use crate::pool::{Control, Journal, Pool};
use crate::report::{Background, Console, Identity, Log, Memory, OpenError, Site};
use crate::sys::{fd, identity, proc};
use crate::units::Tick;

pub(crate) use crate::report::Surroundings;

/// What is opened before the root directory changes.
pub(crate) struct Services {
    journal: Arc<dyn Journal>,
    /// To be told to the log.
    state: Arc<OnceLock<Arc<Pool>>>,
    background: Background,
}

/// The same with the state they report.
pub(crate) struct Running {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) page: Arc<Site>,
    pub(crate) commands: Arc<Console>,
}

/// What the log needs to know of this process. `echo`: events go to standard error too.
pub(crate) fn surroundings(program: &str, echo: bool) -> Surroundings {
    Surroundings {
        tag: program.to_owned(),
        hostname: identity::host_name(),
        echo,
        local_offset: crate::sys::local_offset,
        state: Arc::default(),
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
        environment: Vec<(String, Vec<u8>)>,
        said: Arc<Transcript>,
    ) -> Result<Self, OpenError> {
        let local_offset = surroundings.local_offset;
        let copy = |number| fd::copy(number).ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF));
        let state = Arc::clone(&surroundings.state);
        let journal = Arc::new(Log::open(Arc::clone(config), surroundings, &copy)?);
        let (startup, rings) = (Box::new(move || said.text()), journal.rings().to_vec());
        let background = Background { environment: environment.into(), startup, rings, local_offset };
        Ok(Self { journal, state, background })
    }

    /// Gives them the state of the process.
    pub(crate) fn run(self, pool: &Arc<Pool>) -> Running {
        let identity = Identity {
            version: version::number(),
            released: version::DATE.to_owned(),
            hostname: identity::host_name(),
            clock: now,
        };
        let journal = self.journal;
        let _ = self.state.set(Arc::clone(pool));
        let page = Arc::new(Site::new(Arc::clone(pool), Arc::clone(&journal), identity.clone()));
        let console = Console::new(Arc::clone(pool), Arc::clone(&journal), identity);
        let commands = Arc::new(console.with(self.background));
        Running { journal, page, commands }
    }
}

impl Running {
    /// Gives them what tells this process's memory.
    pub(crate) fn measure(&self, memory: Option<proc::Memory>) {
        let memory: Arc<Memory> = Arc::new(move || memory.as_ref()?.resident());
        self.page.measure(Arc::clone(&memory));
        self.commands.measure(memory);
    }

    /// Gives them the engine that runs: orders on the page end sessions.
    pub(crate) fn attach(&self, control: &Arc<dyn Control>) {
        self.page.attach(Arc::clone(control));
        self.commands.attach(Arc::clone(control));
    }
}

/// The moment it is: the engine's clock.
pub(crate) fn now() -> Tick {
    Tick::from_millis(crate::sys::monotonic())
}
