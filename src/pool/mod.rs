//! What a running configuration knows: loads, health, queues, counters.
//!
//! Decides which server gets a session and what a check's verdict changes. Knows no clock, no socket and no
//! runtime: moments, randomness and wakers are passed in. `engine` and `report` meet in the types here.
//!
//! Entry points: [`Pool`], [`BackState::assign`], [`BackState::release`], [`Pool::report_check`].
//! Decisions that must be exact over all threads are made under one short lock per backend, taken when a
//! session starts or ends and never per message; counters are relaxed atomics.

mod added;
#[cfg(test)]
mod added_tests;
mod addresses;
mod agent;
mod backend;
mod balance;
mod carry;
mod clear;
mod core;
pub mod counters;
mod facts;
mod fair;
mod finding;
pub mod health;
mod lines;
mod member;
mod names;
mod notice;
mod observe;
#[cfg(test)]
mod orders;
mod parts;
pub mod peers;
#[cfg(test)]
mod picks;
mod ports;
mod preload;
mod queue;
mod rates;
mod rebalance;
mod record;
mod recorded;
pub mod resolution;
mod servers;
mod source_ports;
mod state;
#[cfg(test)]
mod storm;
pub mod tables;
#[cfg(test)]
mod tests;
mod track;
mod variables;
mod verdicts;
mod view;

pub use added::{AddRefusal, DeleteRefusal, LineReader, NewServer, Typed};
pub use addresses::{AddressRefusal, By, Moved, PortRefusal};
pub use agent::{AgentAnswer, AgentReport};
pub use backend::{Assignment, BackState, Demand, QueueTicket};
pub use balance::{address_hash, key_hash};
pub use carry::{LINE_MAX, Notice};
pub use counters::{Counter, Rate, Times};
pub use health::{Admin, CheckResult, CheckStatus, Event, Health, HealthOrder, ServerStatus};
pub use lines::ServerNow;
pub use names::Names;
pub use ports::{Closing, Commands, Control, Freedom, Journal, Later, Look, Manner, Page, PageReply, PageRequest};
pub use ports::{Reply, Report, SessionInfo, SessionsAsked};
pub use queue::Priority;
pub use rates::{Limited, RateLimits};
pub use rebalance::{MOST_RATE, MOST_TOLERANCE, RebalanceError, RebalanceRule, RebalanceStep, RebalanceView};
pub use record::{Cause, HttpRecord, Peer, Phase, SessionRecord, Termination, Timers, Urgency};
pub use servers::Servers;
pub use source_ports::SourcePorts;
pub use state::{FrontState, ListenerState, Pool, ProcessState, ProxyState, ServerState};
pub use variables::{Budget, Spent, Variables, size as variable_size};
pub use verdicts::Events;
pub use view::{AgentView, BackView, CheckView, Failures, ServerView};
