//! `clear counters`: forgets the highest values, or all that was counted. What there is now stays.
//!
//! Which figures are meant was observed on 2.6.12.

use super::Pool;
use super::parts::Parts;

impl Pool {
    /// Forgets the highest values, and with `all` everything that was counted of proxies and servers.
    pub fn clear_counters(&self, all: bool) {
        self.process.connection_rate.clear_max();
        self.process.session_rate.clear_max();
        let fronts = self.proxies.iter().filter_map(|proxy| proxy.front.as_ref());
        let backs = self.proxies.iter().filter_map(|proxy| proxy.back.as_ref());
        let of_fronts = fronts.clone().map(Parts::of_front);
        let of_listeners = fronts.flat_map(|front| &front.listeners).map(Parts::of_listener);
        let of_backs = backs.clone().map(Parts::of_back);
        let of_servers = backs.clone().flat_map(|back| &back.servers).map(Parts::of_server);
        for parts in of_fronts.chain(of_listeners).chain(of_backs).chain(of_servers) {
            parts.clear_most();
            if all {
                parts.clear();
            }
        }
        for back in backs.filter(|_| all) {
            for member in &mut back.lock().members {
                (member.failed_checks, member.downs, member.observed_failures) = (0, 0, 0);
            }
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
