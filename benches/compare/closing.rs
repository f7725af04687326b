//! When sessions end that are cut: how many in each half second, of 3,000 sessions that may take five seconds.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use crate::load::{self, SMALL};
use crate::program::Program;

/// The time in which they may end.
const SPAN: &str = "5s";
/// One column.
const SLICE: Duration = Duration::from_millis(500);
/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why they are cut.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// A soft stop with `hard-stop-after 5s`.
    HardStop,
    /// `shutdown sessions server`.
    Shutdown,
}

/// Ends per [`SLICE`] since the order.
#[derive(Debug)]
pub(crate) struct Histogram {
    title: String,
    slices: Vec<usize>,
}

impl fmt::Display for Histogram {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.slices.iter().sum();
        write!(out, "{}: {count} sessions ended, per {} ms:", self.title, SLICE.as_millis())?;
        self.slices.iter().try_for_each(|slice| write!(out, " {slice}"))
    }
}

/// Both orders to both programs, one thread and two.
pub(crate) fn measure(programs: &[Program; 2], count: usize) -> Vec<Histogram> {
    let mut all = Vec::new();
    for order in [Order::HardStop, Order::Shutdown] {
        for threads in [1, 2] {
            for program in programs {
                let title = format!("{order:?}, {threads} thread(s), {}", program.name);
                all.push(Histogram { title, slices: sessions(program, threads, order, count) });
            }
        }
    }
    all
}

fn sessions(program: &Program, threads: usize, order: Order, count: usize) -> Vec<usize> {
    load::with_server(async |server| {
        let global = format!("  close-spread-time {SPAN}\n  hard-stop-after {SPAN}\n");
        let proxy =
            program.start_with(server, threads, crate::program::Lines { global: &global, ..Default::default() }).await;
        let mut streams = Vec::new();
        for _ in 0..count {
            let mut stream = load::connect(proxy.door).await;
            load::exchange(&mut stream, b'e', SMALL).await;
            streams.push(stream);
        }
        let begin = Rc::new(Instant::now());
        match order {
            Order::HardStop => proxy.stop_softly(),
            Order::Shutdown => proxy.command("shutdown sessions server l/s").await,
        }
        let ends = streams.into_iter().map(|mut stream| {
            let begin = Rc::clone(&begin);
            tokio::task::spawn_local(async move {
                let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0])).await;
                ended.is_ok().then(|| (begin.elapsed().as_millis() / SLICE.as_millis()) as usize)
            })
        });
        let mut slices: Vec<usize> = Vec::new();
        for end in ends.collect::<Vec<_>>() {
            if let Some(slice) = end.await.expect("a client") {
                slices.resize(slices.len().max(slice + 1), 0);
                slices[slice] += 1;
            }
        }
        slices
    })
}
