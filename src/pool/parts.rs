//! The numbers that are counted of the process, its proxies, listeners and servers, each object's in one list: what goes
//! on over a reload ([`super::carry`]) and what `clear counters` forgets ([`super::clear`]).

use super::counters::{Counter, Gauge, Rate, Times};
use super::{BackState, FrontState, ListenerState, ProcessState, ServerState};

/// The numbers of one object. Their order is the order of the lines: a new one goes to the end.
#[derive(Default)]
pub(super) struct Parts<'s> {
    pub(super) counters: Vec<&'s Counter>,
    pub(super) gauges: Vec<&'s Gauge>,
    pub(super) rates: Vec<&'s Rate>,
    pub(super) times: Option<&'s Times>,
    pub(super) last_session: Option<&'s Counter>,
}

impl<'s> Parts<'s> {
    pub(super) fn of_process(s: &'s ProcessState) -> Self {
        let counters = vec![&s.connections_total, &s.requests_total, &s.bytes_out, &s.bytes_spliced];
        let rates = vec![&s.connection_rate, &s.session_rate];
        Self { counters, gauges: vec![&s.connections], rates, ..Self::default() }
    }

    pub(super) fn of_front(s: &'s FrontState) -> Self {
        let mut counters = vec![
            &s.sessions_total,
            &s.connections_total,
            &s.bytes_in,
            &s.bytes_out,
            &s.request_errors,
            &s.requests_total,
        ];
        counters.extend(&s.answers);
        counters.extend([&s.denied_connections, &s.denied_sessions, &s.denied_requests, &s.denied_responses]);
        let rates = vec![&s.session_rate, &s.connection_rate, &s.request_rate];
        Self { counters, gauges: vec![&s.sessions], rates, ..Self::default() }
    }

    pub(super) fn of_listener(s: &'s ListenerState) -> Self {
        let mut counters = vec![&s.sessions_total, &s.bytes_in, &s.bytes_out];
        counters.extend([&s.denied_connections, &s.denied_sessions, &s.denied_requests, &s.denied_responses]);
        Self { counters, gauges: vec![&s.sessions], ..Self::default() }
    }

    pub(super) fn of_server(s: &'s ServerState) -> Self {
        let counters = vec![
            &s.sessions_total,
            &s.picked_total,
            &s.bytes_in,
            &s.bytes_out,
            &s.connect_errors,
            &s.response_errors,
            &s.retries,
            &s.redispatches,
            &s.client_aborts,
            &s.server_aborts,
            &s.denied_responses,
        ];
        Self {
            counters,
            gauges: vec![&s.sessions, &s.queue],
            rates: vec![&s.session_rate],
            times: Some(&s.times),
            last_session: Some(&s.last_session),
        }
    }

    pub(super) fn of_back(s: &'s BackState) -> Self {
        let mut counters = vec![
            &s.sessions_total,
            &s.picked_total,
            &s.bytes_in,
            &s.bytes_out,
            &s.connect_errors,
            &s.response_errors,
            &s.retries,
            &s.redispatches,
            &s.client_aborts,
            &s.server_aborts,
            &s.requests_total,
        ];
        counters.extend(&s.answers);
        counters.extend([&s.denied_responses, &s.denied_requests]);
        Self {
            counters,
            gauges: vec![&s.sessions, &s.queue],
            rates: vec![&s.session_rate],
            times: Some(&s.times),
            last_session: Some(&s.last_session),
        }
    }

    /// Forgets the highest values.
    pub(super) fn clear_most(&self) {
        self.gauges.iter().for_each(|gauge| gauge.clear_max());
        self.rates.iter().for_each(|rate| rate.clear_max());
        self.times.iter().for_each(|times| times.clear_max());
    }

    /// Forgets all that was counted.
    pub(super) fn clear(&self) {
        self.counters.iter().copied().chain(self.last_session).for_each(|counter| counter.set(0));
        self.times.iter().for_each(|times| times.clear());
    }
}
