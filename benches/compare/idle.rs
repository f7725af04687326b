//! Memory of idle sessions: the proxy's own, kernel buffers aside.

use crate::load::{self, SMALL};
use crate::machine::memory;
use crate::program::{Program, wait};

/// Sessions opened before the first reading: what any first session allocates is not theirs.
const WARM: usize = 100;

/// Bytes per session of `count` that exchanged a few bytes and are silent: PSS, private.
pub(crate) fn sessions(program: &Program, count: usize) -> Vec<f64> {
    load::with_server(async |server| {
        let proxy = program.start(server, 1).await;
        let mut streams = Vec::new();
        let mut open = async |number: usize| {
            for _ in 0..number {
                let mut stream = load::connect(proxy.door).await;
                load::exchange(&mut stream, b'e', SMALL).await;
                streams.push(stream);
            }
        };
        open(WARM).await;
        let before = settled(proxy.pid()).await;
        open(count).await;
        let after = settled(proxy.pid()).await;
        assert_eq!(streams.len(), WARM + count);
        vec![(after.pss - before.pss) / count as f64, (after.private - before.private) / count as f64]
    })
}

/// The reading when two in a row are equal: lazily freed pages have gone by then.
async fn settled(pid: u32) -> crate::machine::Memory {
    let mut last = memory(pid);
    wait("memory to settle", || {
        let now = memory(pid);
        let same = now.private.total_cmp(&last.private).is_eq();
        last = now;
        same
    })
    .await;
    last
}
