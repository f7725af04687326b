//! Gets the descriptor limit that a run needs. How much that is, [`crate::plan`] says.

use std::io;

use thiserror::Error;

use crate::plan::{Limits, Needs};
use crate::sys::limits::{self, Limit};

/// Why the limit cannot be had.
#[derive(Debug, Error)]
pub(crate) enum LimitError {
    /// The hard limit, or `fd-hard-limit`, is below.
    #[error("{wanted} file descriptors are needed and the limit is {limit}: raise it, or lower maxconn")]
    TooLow {
        /// What is needed.
        wanted: u64,
        /// What can be had.
        limit: u64,
    },
    /// The system refused for another reason.
    #[error("the file descriptor limit cannot be set to {wanted}: {why}")]
    Refused {
        /// What is needed.
        wanted: u64,
        /// What the system says.
        why: io::Error,
    },
}

/// Raises the soft limit, and the hard one if it must and may. A higher limit than planned stays.
///
/// # Errors
/// [`LimitError`].
pub(crate) fn apply(plan: &Limits, needs: &Needs, now: Limit) -> Result<(), LimitError> {
    let wanted = plan.nofile;
    if let Some(ceiling) = needs.ceiling.map(u64::from).filter(|ceiling| wanted > *ceiling) {
        return Err(LimitError::TooLow { wanted, limit: ceiling });
    }
    if now.soft.is_none_or(|soft| soft >= wanted) {
        return Ok(());
    }
    let hard = now.hard.map(|hard| hard.max(wanted));
    match limits::set_descriptors(Limit { soft: Some(wanted), hard }) {
        Ok(()) => Ok(()),
        Err(_) if now.hard.is_some_and(|hard| hard < wanted) => {
            Err(LimitError::TooLow { wanted, limit: now.hard.unwrap_or_default() })
        }
        Err(why) => Err(LimitError::Refused { wanted, why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Ceiling;

    #[test]
    fn what_cannot_be_had_is_said_and_shrinks() {
        let needs = Needs { maxconn: Some(u32::MAX), others: 20, ..Needs::default() };
        let now = limits::descriptors();
        let planned = Limits::of(&needs, Ceiling(now.hard));
        let limit = match apply(&planned, &needs, now) {
            Err(LimitError::TooLow { wanted, limit }) if wanted == planned.nofile => limit,
            Err(LimitError::Refused { .. }) => return, // no hard limit at all: the kernel's own is in the way
            other => panic!("{other:?}"),
        };
        let left = planned.within(&needs, limit);
        assert_eq!(u64::from(left.maxconn), (limit - 20) / 2);
        let ceiling = Needs { maxconn: Some(200), ceiling: Some(300), others: 17, ..Needs::default() };
        let refused = apply(&Limits::of(&ceiling, Ceiling(now.hard)), &ceiling, now);
        assert!(matches!(refused, Err(LimitError::TooLow { wanted: 417, limit: 300 })), "{refused:?}");
    }
}
