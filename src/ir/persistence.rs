//! What brings a session back to the server that it had.

use super::ServerIx;
use super::table::TableIx;
use crate::expr::{Condition, Expr, Template};

/// The rules of a backend.
#[derive(Debug, Clone, Default)]
pub struct Persistence {
    /// `force-persist` and `ignore-persist`, in the order of their lines: the first that holds counts.
    pub force: Vec<Force>,
    /// `use-server`: the first that holds and whose server is there.
    pub use_server: Vec<UseServer>,
    /// `persist rdp-cookie`: what finds the cookie.
    pub cookie: Option<Expr>,
    /// `stick on`, `stick match` and `stick store-request`, in the order of their lines.
    pub stick: Vec<Stick>,
    /// `stick store-response`.
    pub store_response: Vec<Stick>,
}

/// One `force-persist` or `ignore-persist` line.
#[derive(Debug, Clone)]
pub struct Force {
    /// `force-persist`: a server that is down is tried, and no other. Else: as if there were no such line.
    pub force: bool,
    /// When.
    pub when: Condition,
}

/// One `use-server` line.
#[derive(Debug, Clone)]
pub struct UseServer {
    /// Which server.
    pub server: Choice,
    /// When.
    pub when: Condition,
}

/// The server of a `use-server` line.
#[derive(Debug, Clone)]
pub enum Choice {
    /// This one.
    Server(ServerIx),
    /// The one of the name that this text is then.
    Named(Template),
}

/// One `stick` line.
#[derive(Debug, Clone)]
pub struct Stick {
    /// What the key is.
    pub key: Expr,
    /// The table.
    pub table: TableIx,
    /// When; `None`: always.
    pub when: Option<Condition>,
    /// Whether the table says which server it is to be.
    pub matches: bool,
    /// Whether the table is told which server it became.
    pub stores: bool,
}

impl Persistence {
    /// All `stick` lines, those of responses last.
    pub fn sticks(&self) -> impl Iterator<Item = &Stick> {
        self.stick.iter().chain(&self.store_response)
    }
}
