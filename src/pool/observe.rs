//! `observe layer4`: what the connections of sessions say of a server's health.
//!
//! Failures in a row are counted; one connection or one check that succeeds forgives them. Source: manual §5.2
//! "observe", "error-limit", "on-error"; what counts and what is told observed on 2.6.12 (`tests/observe.rs`).

use super::health::{Admin, CheckResult, CheckStatus};
use super::verdicts::{Events, Site};
use super::{BackState, Pool};
use crate::ir::{OnError, ProxyIx, ServerIx, TrackRef};
use crate::units::Tick;

impl Pool {
    /// A connection to a server that is observed came about.
    pub fn observe_success(&self, proxy: ProxyIx, server: ServerIx) {
        if let Some(mut core) = self.back(proxy).map(BackState::lock)
            && let Some(member) = core.members.get_mut(server.0 as usize)
        {
            member.errors = 0;
        }
    }

    /// A connection to a server that is observed failed. `None`: nothing follows yet; else what is to be told, and the
    /// server's next check is to come soon.
    pub fn observe_failure(&self, proxy: ProxyIx, server: ServerIx, now: Tick) -> Option<Events> {
        let at = TrackRef { proxy, server };
        let observe = self.server(at)?.observe?;
        {
            let mut site = Site::open(self, at, None, now)?;
            let member = site.member();
            if member.ordered() == Admin::Maint || !member.health.is_up() {
                return None;
            }
            member.errors += 1;
            if member.errors < observe.limit {
                return None;
            }
            member.errors = 0;
            member.observed_failures += 1;
        }
        let limit = observe.limit;
        let detail = format!("Detected {limit} consecutive errors, last one was: L4 unsuccessful connection");
        let result = CheckResult { status: CheckStatus::Hana, detail: Some(detail.into()), ..CheckResult::default() };
        Some(match observe.on_error {
            OnError::FastInter => Events::new(),
            OnError::FailCheck => self.conclude(at, &result, |health| health.after(false).0, now),
            OnError::SuddenDeath => self.conclude(at, &result, |health| health.failing(2).after(false).0, now),
            OnError::MarkDown => self.conclude(at, &result, |health| health.failing(1).after(false).0, now),
        })
    }
}
