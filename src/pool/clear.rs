//! `clear counters`: forgets the highest values, or all that was counted. What there is now stays.
//!
//! Which figures are meant was observed on 2.6.12.

use super::{BackState, FrontState, Pool, ServerState};

impl Pool {
    /// Forgets the highest values, and with `all` everything that was counted of proxies and servers.
    pub fn clear_counters(&self, all: bool) {
        self.process.connection_rate.clear_max();
        self.process.session_rate.clear_max();
        for proxy in &self.proxies {
            if let Some(front) = &proxy.front {
                front.clear(all);
            }
            if let Some(back) = &proxy.back {
                back.clear(all);
            }
        }
    }
}

impl FrontState {
    fn clear(&self, all: bool) {
        self.sessions.clear_max();
        [&self.session_rate, &self.connection_rate, &self.request_rate].iter().for_each(|rate| rate.clear_max());
        for listener in &self.listeners {
            listener.sessions.clear_max();
            if all {
                let counters = [&listener.sessions_total, &listener.bytes_in, &listener.bytes_out];
                counters.iter().for_each(|counter| counter.set(0));
            }
        }
        if all {
            let counters = [
                &self.sessions_total,
                &self.connections_total,
                &self.bytes_in,
                &self.bytes_out,
                &self.request_errors,
                &self.requests_total,
            ];
            counters.into_iter().chain(&self.answers).for_each(|counter| counter.set(0));
        }
    }
}

impl BackState {
    fn clear(&self, all: bool) {
        self.sessions.clear_max();
        self.queue.clear_max();
        self.session_rate.clear_max();
        self.times.clear_max();
        self.servers.iter().for_each(|server| server.clear(all));
        if !all {
            return;
        }
        let counters = [
            &self.sessions_total,
            &self.picked_total,
            &self.bytes_in,
            &self.bytes_out,
            &self.connect_errors,
            &self.response_errors,
            &self.retries,
            &self.redispatches,
            &self.client_aborts,
            &self.server_aborts,
            &self.requests_total,
            &self.last_session,
        ];
        counters.into_iter().chain(&self.answers).for_each(|counter| counter.set(0));
        self.times.clear();
        for member in &mut self.lock().members {
            (member.failed_checks, member.downs, member.observed_failures) = (0, 0, 0);
        }
    }
}

impl ServerState {
    pub(super) fn clear(&self, all: bool) {
        self.sessions.clear_max();
        self.queue.clear_max();
        self.session_rate.clear_max();
        self.times.clear_max();
        if all {
            let counters = [
                &self.sessions_total,
                &self.picked_total,
                &self.bytes_in,
                &self.bytes_out,
                &self.connect_errors,
                &self.response_errors,
                &self.retries,
                &self.redispatches,
                &self.client_aborts,
                &self.server_aborts,
                &self.last_session,
            ];
            counters.iter().for_each(|counter| counter.set(0));
            self.times.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, backend, pool};
    use crate::ir::{Balance, ProxyIx, ProxyKind};

    #[test]
    fn the_highest_values_go_first_and_then_what_was_counted() {
        let pool = pool(vec![("l", ProxyKind::Listen, backend(Balance::RoundRobin, 1, |_| {}))]);
        let (front, back) = (pool.front(ProxyIx(0)).unwrap(), pool.back(ProxyIx(0)).unwrap());
        let server = &back.servers[0];
        for gauge in [&front.sessions, &back.sessions, &back.queue, &server.sessions, &server.queue] {
            gauge.up();
        }
        for rate in [&front.session_rate, &back.session_rate, &server.session_rate, &pool.process.session_rate] {
            rate.hit(NOW);
        }
        let counters = [&front.bytes_in, &front.answers[1], &back.retries, &server.connect_errors];
        counters.iter().for_each(|counter| counter.add(7));
        server.times.picked.add(1);
        server.times.note(Some(1), Some(2), 3);
        back.lock().members[0].failed_checks = 4;

        pool.clear_counters(false);
        assert_eq!((front.sessions.get(), front.sessions.max(), server.queue.max()), (1, 0, 0));
        assert_eq!((front.session_rate.max(), pool.process.session_rate.max()), (0, 0));
        assert_eq!(server.times.averages(), [1, 2, 3]);
        assert_eq!(counters.map(|counter| counter.get()), [7; 4]);

        pool.clear_counters(true);
        assert_eq!(counters.map(|counter| counter.get()), [0; 4]);
        assert_eq!(server.times.averages(), [0; 3]);
        assert_eq!((back.sessions.get(), back.lock().members[0].failed_checks), (1, 0));
    }
}
