//! Variables of the process, and how much room variables may take.

/// `tune.vars.…-max-size`: bytes that variables may take; 0: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VariableSizes {
    /// `global`: all of them.
    pub all: u64,
    /// `proc`: the process's and its sessions'.
    pub process: u64,
    /// `sess`: those of a session, with its transaction's.
    pub session: u64,
    /// `txn`: those of a transaction, with its messages'.
    pub transaction: u64,
    /// `reqres`: those of the request or response that is worked on.
    pub message: u64,
    /// `check`: those of a check.
    pub check: u64,
}
