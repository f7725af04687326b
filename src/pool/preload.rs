//! Counters under the names of `show stat`: what a stats-file keeps of each object that has a guid.
//!
//! Only what grows for ever is kept; states, gauges and times begin anew.

use super::counters::Counter;
use super::{BackState, FrontState, ListenerState, Pool, ServerState};
use crate::ir::{Counted, ProxyIx};

/// The names of answers by class.
const ANSWERS: [&str; 6] = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

type Named<'p> = Vec<(&'static str, &'p Counter)>;

fn front(s: &FrontState) -> Named<'_> {
    let mut named = vec![
        ("stot", &s.sessions_total),
        ("bin", &s.bytes_in),
        ("bout", &s.bytes_out),
        ("dcon", &s.denied_connections),
        ("dses", &s.denied_sessions),
        ("dreq", &s.denied_requests),
        ("dresp", &s.denied_responses),
        ("ereq", &s.request_errors),
        ("req_tot", &s.requests_total),
        ("conn_tot", &s.connections_total),
    ];
    named.extend(ANSWERS.into_iter().zip(&s.answers));
    named
}

fn back(s: &BackState) -> Named<'_> {
    let mut named = vec![
        ("stot", &s.sessions_total),
        ("bin", &s.bytes_in),
        ("bout", &s.bytes_out),
        ("dreq", &s.denied_requests),
        ("dresp", &s.denied_responses),
        ("econ", &s.connect_errors),
        ("eresp", &s.response_errors),
        ("wretr", &s.retries),
        ("wredis", &s.redispatches),
        ("lbtot", &s.picked_total),
        ("cli_abrt", &s.client_aborts),
        ("srv_abrt", &s.server_aborts),
        ("req_tot", &s.requests_total),
    ];
    named.extend(ANSWERS.into_iter().zip(&s.answers));
    named
}

fn listener(s: &ListenerState) -> Named<'_> {
    vec![
        ("stot", &s.sessions_total),
        ("bin", &s.bytes_in),
        ("bout", &s.bytes_out),
        ("dcon", &s.denied_connections),
        ("dses", &s.denied_sessions),
        ("dreq", &s.denied_requests),
        ("dresp", &s.denied_responses),
    ]
}

fn server(s: &ServerState) -> Named<'_> {
    vec![
        ("stot", &s.sessions_total),
        ("bin", &s.bytes_in),
        ("bout", &s.bytes_out),
        ("dresp", &s.denied_responses),
        ("econ", &s.connect_errors),
        ("eresp", &s.response_errors),
        ("wretr", &s.retries),
        ("wredis", &s.redispatches),
        ("lbtot", &s.picked_total),
        ("cli_abrt", &s.client_aborts),
        ("srv_abrt", &s.server_aborts),
    ]
}

impl Pool {
    /// The counters of an object that a stats-file keeps; the same names in the same order for all of a kind. `None`: there
    /// is no such object.
    pub fn kept_counters(&self, of: Counted) -> Option<Vec<(&'static str, u64)>> {
        Some(self.named(of)?.into_iter().map(|(name, counter)| (name, counter.get())).collect())
    }

    /// Adds what the configuration's stats-file says: once, at a start that takes over no counters.
    pub fn preload(&self) {
        for line in &self.config.global.preloaded {
            let Some(named) = self.named(line.of) else { continue };
            for (column, value) in &line.counters {
                if let Some((_, counter)) = named.iter().find(|(name, _)| name == column) {
                    counter.join(*value);
                }
            }
        }
    }

    fn named(&self, of: Counted) -> Option<Named<'_>> {
        let part = |ix: ProxyIx, at: u32| self.front(ix)?.listeners.get(at as usize);
        Some(match of {
            Counted::Front(ix) => front(self.front(ix)?),
            Counted::Back(ix) => back(self.back(ix)?),
            Counted::Listener(ix, at) => listener(part(ix, at)?),
            Counted::Server(ix, at) => server(self.back(ix)?.servers.get(at.0 as usize)?),
        })
    }
}
