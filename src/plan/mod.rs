//! What a configuration needs of the system: sockets to open, descriptors, connections.
//!
//! Pure: knows no descriptor and no limit of this host but what is passed in. [`sockets`] says what is to be listened
//! on, [`Needs::of`] and [`Limits::of`] how many connections and descriptors there may be. `fixtures/plan/` pins both;
//! the sums were asked of haproxy 2.6 (`show info`, and what it says when a limit is too low).

mod limits;
mod rights;
mod sockets;

pub use limits::{Ceiling, Limits, Needs};
pub use rights::needs_root;
pub use sockets::{Line, Purpose, Socket, sockets};
