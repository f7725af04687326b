//! Whether a server may be used: what its checks say.
//!
//! A state machine without a clock: a verdict in, an effect out. Administrative state, weight and the lines that
//! tell people are others' business. Source: manual §5.2 "check", "rise", "fall", "fastinter", "downinter";
//! sequences observed on 2.6.12 (`fixtures/checks/`).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ir::{Check, Level, ServerIx};
use crate::units::{Millis, Tick};

pub use crate::ir::check::CheckStatus;

/// One finished check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckResult {
    /// What it found.
    pub status: CheckStatus,
    /// How long it took, ms.
    pub duration: u32,
    /// The code that was answered, where [`CheckStatus::has_code`].
    pub code: Option<u16>,
    /// What is told besides, for the log (`Connection refused`).
    pub detail: Option<Cow<'static, str>>,
}

/// What an administrator wants of a server; later ones prevail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admin {
    /// Use it.
    #[default]
    Ready,
    /// No new sessions but persistent ones.
    Drain,
    /// Not at all; checks are suspended.
    Maint,
}

/// What an administrator says of a server's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthOrder {
    /// All checks passed.
    Up,
    /// It is up, and to get no new sessions.
    Stopping,
    /// It is down.
    Down,
}

/// The state that statistics show; its text is haproxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerStatus {
    /// `UP`, or `UP n/m` while it is failing.
    Up {
        /// Failed checks in a row, and how many take it down; `None`: plainly up.
        failing: Option<(u32, u32)>,
    },
    /// `DOWN`, or `DOWN n/m` while it is coming back.
    Down {
        /// Passed checks in a row, and how many bring it up; `None`: plainly down.
        rising: Option<(u32, u32)>,
    },
    /// `DRAIN`, or `NOLB` when its weight is 0.
    Drain,
    /// `NOLB`, or `NOLB n/m` while it is failing: its checks say that it is to get no new sessions.
    Stopping {
        /// As of [`Self::Up`].
        failing: Option<(u32, u32)>,
    },
    /// `MAINT`.
    Maint,
    /// `no check`: always used.
    Unchecked,
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { failing: None } => f.write_str("UP"),
            Self::Up { failing: Some((failed, fall)) } => write!(f, "UP {}/{fall}", fall - failed),
            Self::Down { rising: None } => f.write_str("DOWN"),
            Self::Down { rising: Some((passed, rise)) } => write!(f, "DOWN {passed}/{rise}"),
            Self::Stopping { failing: None } => f.write_str("NOLB"),
            Self::Stopping { failing: Some((failed, fall)) } => write!(f, "NOLB {}/{fall}", fall - failed),
            Self::Drain => f.write_str("DRAIN"),
            Self::Maint => f.write_str("MAINT"),
            Self::Unchecked => f.write_str("no check"),
        }
    }
}

/// Something that changed, to be logged by `report` and acted on by `engine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The server, or `None` for the backend itself ("proxy X has no server available!").
    pub server: Option<ServerIx>,
    /// Log level.
    pub level: Level,
    /// The line.
    pub message: String,
    /// Whether the server was taken down, so that its sessions are to be shut if it is configured so.
    pub marked_down: bool,
    /// Whether it came up, so that sessions on backups are to be shut if it is configured so.
    pub marked_up: bool,
    /// Whether it may be given sessions again.
    pub returns: bool,
}

impl Event {
    /// An event of a backend, without its line.
    pub(super) fn of_backend(level: Level) -> Self {
        Self { server: None, level, message: String::new(), marked_down: false, marked_up: false, returns: false }
    }
}

/// What its checks make of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    rise: u32,
    fall: u32,
    state: State,
    /// It is up, and to get no new sessions.
    stopping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up { failed: u32 },
    Down { passed: u32 },
}

/// What a verdict changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, or only the count.
    None,
    /// It is up now.
    MarkUp,
    /// It is down now.
    MarkDown,
}

impl Health {
    /// The state before the first check: up, and down at the first failure.
    pub fn starting(rise: u32, fall: u32) -> Self {
        Self { rise, fall, state: State::Up { failed: fall.saturating_sub(1) }, stopping: false }
    }

    /// Plainly up.
    pub fn up(self) -> Self {
        Self { state: State::Up { failed: 0 }, stopping: false, ..self }
    }

    /// Plainly down.
    pub fn down(self) -> Self {
        Self { state: State::Down { passed: 0 }, stopping: false, ..self }
    }

    /// As an administrator wants it.
    #[must_use]
    pub fn ordered(self, order: HealthOrder) -> Self {
        match order {
            HealthOrder::Up => self.up(),
            HealthOrder::Stopping => Self { stopping: true, ..self.up() },
            HealthOrder::Down => self.down(),
        }
    }

    /// The same with no more than `left` failures between it and being down, if it is up.
    pub fn failing(self, left: u32) -> Self {
        match self.state {
            State::Up { failed } => {
                Self { state: State::Up { failed: failed.max(self.fall.saturating_sub(left)) }, ..self }
            }
            State::Down { .. } => self,
        }
    }

    /// Whether the server may be used.
    pub fn is_up(self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Whether it is up and to get no new sessions.
    pub fn is_stopping(self) -> bool {
        self.stopping
    }

    /// Whether the last checks all said the same: no count is running.
    pub fn is_settled(self) -> bool {
        matches!(self.state, State::Up { failed: 0 } | State::Down { passed: 0 })
    }

    /// The state after one more verdict, and what it means.
    #[must_use]
    pub fn after(self, passed: bool) -> (Self, Effect) {
        let (state, effect) = match (self.state, passed) {
            (State::Up { failed }, false) if failed + 1 >= self.fall => (State::Down { passed: 0 }, Effect::MarkDown),
            (State::Up { failed }, false) => (State::Up { failed: failed + 1 }, Effect::None),
            (State::Up { .. }, true) => (State::Up { failed: 0 }, Effect::None),
            (State::Down { passed }, true) if passed + 1 >= self.rise => (State::Up { failed: 0 }, Effect::MarkUp),
            (State::Down { passed }, true) => (State::Down { passed: passed + 1 }, Effect::None),
            (State::Down { .. }, false) => (State::Down { passed: 0 }, Effect::None),
        };
        let stopping = self.stopping && !passed && effect == Effect::None;
        (Self { state, stopping, ..self }, effect)
    }

    /// The state after what a check found: one that passed on condition takes new sessions from a server that is up.
    #[must_use]
    pub fn after_check(self, status: CheckStatus) -> Self {
        let (next, _) = self.after(status.passed());
        match status {
            CheckStatus::L7OkC => Self { stopping: next.is_up(), ..next },
            _ => next,
        }
    }

    /// The state as one number, as the column `check_health` has it: up from `rise` on, at most `rise + fall - 1`.
    pub fn level(self) -> u32 {
        match self.state {
            State::Up { failed } => self.rise + self.fall - 1 - failed,
            State::Down { passed } => passed,
        }
    }

    /// The state that [`Self::level`] says, as far as there is such a level; `stopping` counts for one that is up.
    #[must_use]
    pub fn at_level(self, level: u32, stopping: bool) -> Self {
        let most = self.rise.saturating_add(self.fall).saturating_sub(1);
        let state = match level.min(most) {
            level if level >= self.rise => State::Up { failed: most - level },
            passed => State::Down { passed },
        };
        Self { state, stopping: stopping && matches!(state, State::Up { .. }), ..self }
    }

    /// Passed checks in a row that bring it up.
    pub fn rise(self) -> u32 {
        self.rise
    }

    /// Failed checks in a row that take it down.
    pub fn fall(self) -> u32 {
        self.fall
    }

    /// Failures that are left until one that is up goes down, and how many take it down; `None`: it has not failed.
    pub fn failing_of(self) -> Option<(u32, u32)> {
        match self.state {
            State::Up { failed } if failed > 0 => Some((self.fall - failed, self.fall)),
            State::Up { .. } | State::Down { .. } => None,
        }
    }

    /// What statistics show of a checked server that is ready.
    pub fn status(self) -> ServerStatus {
        match self.state {
            State::Up { failed: 0 } if self.stopping => ServerStatus::Stopping { failing: None },
            State::Up { failed } if self.stopping => ServerStatus::Stopping { failing: Some((failed, self.fall)) },
            State::Up { failed: 0 } => ServerStatus::Up { failing: None },
            State::Up { failed } => ServerStatus::Up { failing: Some((failed, self.fall)) },
            State::Down { passed: 0 } => ServerStatus::Down { rising: None },
            State::Down { passed } => ServerStatus::Down { rising: Some((passed, self.rise)) },
        }
    }

    /// Time to the next check.
    pub fn interval(self, check: &Check) -> Millis {
        let special = match self.state {
            _ if !self.is_settled() => check.fastinter,
            State::Down { .. } => check.downinter,
            State::Up { .. } => None,
        };
        special.unwrap_or(check.inter)
    }
}

/// The last finished check of a server, for statistics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastCheck {
    /// What it found.
    pub status: CheckStatus,
    /// How long it took, ms; `None` before the first.
    pub duration: Option<u32>,
    /// The code that was answered.
    pub code: Option<u16>,
    /// What was told besides.
    pub detail: Option<Cow<'static, str>>,
    /// When it ended; `None` before the first.
    pub ended: Option<Tick>,
    /// Whether another one is under way.
    pub running: bool,
}

impl LastCheck {
    pub(super) fn note(&mut self, result: &CheckResult, now: Tick) {
        let CheckResult { status, duration, code, detail } = result.clone();
        // what the traffic says took no time, and the check that may be under way goes on
        let (duration, running) = match status {
            CheckStatus::Hana => (None, self.running),
            _ => (Some(duration), false),
        };
        *self = Self { status, duration, code, detail, ended: Some(now), running };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states that a row of verdicts leads through, as statistics show them.
    fn walk(start: Health, verdicts: &str) -> Vec<String> {
        let mut health = start;
        let step = |verdict| {
            let (next, effect) = health.after(verdict == '+');
            let (was_up, is_up) = (health.is_up(), next.is_up());
            let want = match (was_up, is_up) {
                (false, true) => Effect::MarkUp,
                (true, false) => Effect::MarkDown,
                _ => Effect::None,
            };
            assert_eq!(effect, want);
            health = next;
            health.status().to_string()
        };
        verdicts.chars().map(step).collect()
    }

    #[test]
    fn verdicts_lead_through_haproxys_states() {
        let start = Health::starting(2, 3);
        assert_eq!((start.status().to_string().as_str(), start.level()), ("UP 1/3", 2));
        for (from, verdicts, want) in [
            (start, "-", vec!["DOWN"]), // nothing is known: one failure is enough
            (start, "+---", vec!["UP", "UP 2/3", "UP 1/3", "DOWN"]),
            (start.up(), "--+-", vec!["UP 2/3", "UP 1/3", "UP", "UP 2/3"]), // one success forgives all
            (start.down(), "+-++", vec!["DOWN 1/2", "DOWN", "DOWN 1/2", "UP"]),
            (Health::starting(1, 1), "+-+-", vec!["UP", "DOWN", "UP", "DOWN"]),
        ] {
            assert_eq!(walk(from, verdicts), want, "{from:?} {verdicts}");
        }
    }

    #[test]
    fn a_server_whose_checks_pass_on_condition_is_stopping() {
        let mut health = Health::starting(2, 2).up();
        for (status, want) in [
            (CheckStatus::L7OkC, "NOLB"),
            (CheckStatus::L7OkC, "NOLB"),
            (CheckStatus::L7Sts, "NOLB 1/2"),
            (CheckStatus::L7OkC, "NOLB"),
            (CheckStatus::L7Ok, "UP"),
            (CheckStatus::L7OkC, "NOLB"),
            (CheckStatus::L7Sts, "NOLB 1/2"),
            (CheckStatus::L7Sts, "DOWN"), // what it was before is forgotten
            (CheckStatus::L7Ok, "DOWN 1/2"),
            (CheckStatus::L7Ok, "UP"),
        ] {
            health = health.after_check(status);
            assert_eq!(health.status().to_string(), want, "{status:?}");
        }
    }

    #[test]
    fn levels_are_the_column_check_health() {
        let up = Health::starting(2, 3).up();
        assert_eq!((up.level(), up.after(false).0.level(), up.down().level()), (4, 3, 0));
        assert_eq!(up.down().after(true).0.level(), 1);
    }

    #[test]
    fn the_interval_follows_the_state() {
        let millis = |ms| Millis::new(ms).unwrap();
        let (fastinter, downinter) = (Some(millis(100)), Some(millis(500)));
        let check = Check { inter: millis(2000), fastinter, downinter, ..Check::default() };
        let plain = Check { fastinter: None, downinter: None, ..check.clone() };
        let start = Health::starting(2, 3);
        for (health, want) in [
            (start, 100), // not checked yet
            (start.up(), 2000),
            (start.up().after(false).0, 100),
            (start.down(), 500),
            (start.down().after(true).0, 100),
        ] {
            assert_eq!(health.interval(&check).get(), want, "{health:?}");
            assert_eq!(health.interval(&plain).get(), 2000, "{health:?}");
        }
    }
}
