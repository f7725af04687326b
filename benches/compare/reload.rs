//! What a reload costs established sessions: how many move a second, how long one is silent, what they weigh afterwards, and
//! whether all of them are there after a hundred reloads. Only baton moves them: the other program is not asked.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::load::{self, SMALL};
use crate::machine::memory;
use crate::program::{Program, Running};

/// Sessions that talk all the time, to see their pauses: one message in flight each.
const TALKING: usize = 200;
/// A talker's pause between two messages.
const BREATH: Duration = Duration::from_millis(40);

/// Figures of one run.
#[derive(Debug)]
pub(crate) struct Figures {
    sessions: usize,
    threads: usize,
    /// Per reload, as the new process says: ms that it took; the longest pause of 99 % of the sessions, and of all.
    moves: Vec<f64>,
    most: Vec<f64>,
    longest: Vec<f64>,
    /// Longest silence of each talker, ms: in a time without a reload, and with one.
    quiet: Vec<f64>,
    pauses: Vec<f64>,
    /// Private bytes: of a process that accepted them all, and of one that took them over.
    accepted: f64,
    taken: f64,
    reloads: usize,
    lost: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, threads, reloads, lost, .. } = self;
        let rates: Vec<f64> = self.moves.iter().map(|ms| *sessions as f64 / ms.max(0.5) * 1000.0).collect();
        let at = |values: &[f64], share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        writeln!(out, "reload, {sessions} sessions, {threads} thread(s)")?;
        let (least, median, most) = (at(&rates, 0.0), at(&rates, 0.5), at(&rates, 1.0));
        writeln!(
            out,
            "  sessions moved per second: median {median:.0}, least {least:.0}, most {most:.0} of {} reloads",
            rates.len()
        )?;
        for (what, values) in [("99 %", &self.most), ("all", &self.longest)] {
            let (half, max) = (at(values, 0.5), at(values, 1.0));
            writeln!(out, "  longest pause of {what} of them, ms: median {half:.0}, most {max:.0} of all reloads")?;
        }
        for (what, values) in [("without a reload", &self.quiet), ("over a reload", &self.pauses)] {
            let (half, p99, max) = (at(values, 0.5), at(values, 0.99), at(values, 1.0));
            writeln!(
                out,
                "  longest answer of {TALKING} talking sessions {what}, ms: median {half:.1}, p99 {p99:.1}, max {max:.1}"
            )?;
        }
        let (accepted, taken) = (self.accepted / 1024.0, self.taken / 1024.0);
        writeln!(out, "  private KiB: accepted {accepted:.0}, taken over {taken:.0}, ratio {:.3}", taken / accepted)?;
        write!(out, "  {reloads} reloads, after each of which one process was left: {lost} sessions lost")
    }
}

/// Runs it with that many sessions and threads.
pub(crate) fn measure(program: &Program, sessions: usize, threads: usize, reloads: usize) -> Figures {
    load::with_server(async |server| {
        let mut proxy = program.start(server, threads).await;
        let mut streams = open(&proxy, sessions).await;
        let accepted = memory(proxy.pid()).private;
        let mut figures = Figures {
            sessions,
            threads,
            moves: Vec::new(),
            most: Vec::new(),
            longest: Vec::new(),
            quiet: Vec::new(),
            pauses: Vec::new(),
            accepted,
            taken: 0.0,
            reloads,
            lost: 0,
        };
        // Pauses as a client sees them; the first window has no reload in it.
        for with_reload in [false, true] {
            let talking = streams.split_off(sessions - TALKING.min(sessions));
            let over = Rc::new(std::cell::Cell::new(false));
            let talkers: Vec<_> =
                talking.into_iter().map(|stream| tokio::task::spawn_local(talk(stream, Rc::clone(&over)))).collect();
            tokio::time::sleep(Duration::from_millis(500)).await;
            if with_reload {
                let old = proxy.pid();
                proxy = reload(program, proxy, &mut figures).await;
                assert_ne!(proxy.pid(), old);
            }
            tokio::time::sleep(Duration::from_millis(1000)).await;
            over.set(true);
            let mut longest = Vec::new();
            for talker in talkers {
                let (stream, pause) = talker.await.expect("a talker");
                streams.push(stream);
                longest.push(pause);
            }
            longest.sort_by(f64::total_cmp);
            if with_reload { figures.pauses = longest } else { figures.quiet = longest }
        }
        for number in 0..reloads {
            proxy = reload(program, proxy, &mut figures).await;
            if number == 0 {
                figures.taken = memory(proxy.pid()).private;
            }
        }
        figures.moves.sort_by(|a, b| b.total_cmp(a));
        figures.most.sort_by(f64::total_cmp);
        figures.longest.sort_by(f64::total_cmp);
        for stream in &mut streams {
            let talk = tokio::time::timeout(Duration::from_secs(10), load::exchange(stream, b'e', SMALL));
            figures.lost += usize::from(talk.await.is_err());
        }
        figures
    })
}

async fn open(proxy: &Running, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = load::connect(proxy.door).await;
        load::exchange(&mut stream, b'e', SMALL).await;
        streams.push(stream);
    }
    streams
}

/// One reload; waits until all sessions are in the new process and the old one has ended.
async fn reload(program: &Program, proxy: Running, figures: &mut Figures) -> Running {
    let (proxy, took) = program.reload(proxy).await;
    for (figures, value) in [&mut figures.moves, &mut figures.most, &mut figures.longest].into_iter().zip(took) {
        figures.push(value);
    }
    proxy
}

/// Talks until it is told to stop; the longest time that an answer took, in ms.
async fn talk(mut stream: TcpStream, over: Rc<std::cell::Cell<bool>>) -> (TcpStream, f64) {
    let mut longest: f64 = 0.0;
    while !over.get() {
        let begin = Instant::now();
        load::exchange(&mut stream, b'e', SMALL).await;
        longest = longest.max(begin.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(BREATH).await;
    }
    (stream, longest)
}
