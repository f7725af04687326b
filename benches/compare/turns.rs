//! Two programs up at once, measured in short turns: what disturbs the machine for longer than a turn disturbs both.

use std::net::SocketAddr;

use crate::load;
use crate::program::{Lines, Program};
use crate::traffic;

/// Turns of each program in a round.
const TURNS: usize = 20;

/// CPU µs per session of each program, one thread, `total` sessions each; `listen` lines stand in their section. `session` gets the
/// proxy's address and the session's number.
pub(crate) fn sessions(
    programs: &[Program; 2],
    listen: &str,
    total: usize,
    session: impl AsyncFn(SocketAddr, usize) + Copy + 'static,
) -> [f64; 2] {
    let lines = Lines { listen, ..Lines::default() };
    load::with_server(async |server| {
        let proxies = [programs[0].start_with(server, 1, lines).await, programs[1].start_with(server, 1, lines).await];
        let mut seconds = [0.0; 2];
        for proxy in &proxies {
            traffic::each(proxy, total / 10, session).await;
        }
        // ours, theirs, theirs, ours, and so on
        for turn in 0..2 * TURNS {
            let ix = usize::from(matches!(turn % 4, 1 | 2));
            proxies[ix].drain_log();
            seconds[ix] += traffic::each(&proxies[ix], total / TURNS, session).await.0;
        }
        seconds.map(|seconds| seconds * 1e6 / (total / TURNS * TURNS) as f64)
    })
}
