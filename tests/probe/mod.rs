//! Plays the probes and counts which rows of the keyword tables have one.
//!
//! A file is played as it is (everything it says must hold) and once more for each word it probes, without that word
//! (something must not hold). `PROBE=server/weight` plays what holds that in its file name or row.

mod cover;
mod file;
mod play;
mod proc;
mod stage;
mod step;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use file::{Cut, ProbeFile};
use play::{Limits, play};

use crate::harness::program::Program;
use crate::harness::wait;

/// How many probes run side by side; most of their time is waiting.
const AT_ONCE: usize = 24;

/// How long a word's absence is waited for. Short: what takes longer only makes the probe succeed without having looked.
const WITHOUT: Duration = Duration::from_secs(1);

/// How long nothing must happen before it counts as not happening; tried again with longer ones while it still holds.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(60), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

/// One file as it is, or without one of its words.
struct Job<'a> {
    file: &'a ProbeFile,
    cut: Option<&'a Cut>,
}

impl Job<'_> {
    fn name(&self) -> String {
        match self.cut {
            None => self.file.name.clone(),
            Some(cut) => format!("{} without {}", self.file.name, cut.row),
        }
    }

    /// `Ok`: why the word is seen to be missing (empty for a file as it is). `Err`: what is wrong.
    fn run(&self, program: &Program) -> Result<String, String> {
        let Some(cut) = self.cut else {
            let limits = Limits { patience: wait::PATIENCE, pause: PAUSES[0] };
            return play(self.file, None, program, limits).map(|()| String::new());
        };
        for pause in PAUSES {
            if let Err(why) = play(self.file, Some(cut), program, Limits { patience: WITHOUT, pause }) {
                return Ok(why);
            }
        }
        Err("everything still holds".to_owned())
    }
}

fn all_hold(program: &Program) {
    let files = file::read_all();
    let wanted = std::env::var("PROBE").unwrap_or_default();
    let here = |file: &&ProbeFile| file.only.is_none_or(|kind| kind == program.kind);
    let mut jobs = Vec::new();
    for file in files.iter().filter(here) {
        let named = file.name.contains(&wanted);
        let cuts: Vec<&Cut> = file.cuts.iter().filter(|cut| named || cut.row.contains(&wanted)).collect();
        if named || !cuts.is_empty() {
            jobs.push(Job { file, cut: None });
            jobs.extend(cuts.into_iter().map(|cut| Job { file, cut: Some(cut) }));
        }
    }
    assert!(!jobs.is_empty(), "no probe holds {wanted:?}");
    let next = AtomicUsize::new(0);
    let said = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((ix, job)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)).map(|job| (job.name(), job))
                {
                    let start = Instant::now();
                    let result = job.run(program);
                    said.lock().expect("no thread panics").insert(ix, (result, start.elapsed()));
                }
            });
        }
    });
    let said = said.into_inner().expect("no thread panics");
    let mut wrong = Vec::new();
    for (name, (result, took)) in &said {
        match result {
            Ok(why) if why.is_empty() => println!("{name}: holds ({took:.0?})"),
            Ok(why) => println!("{name}: {why} ({took:.0?})"),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} fail on {:?}:\n{}", wrong.len(), said.len(), program.kind, wrong.join("\n"));
}

#[test]
fn every_probe_holds_on_baton() {
    all_hold(&Program::ours());
}

#[test]
fn every_probe_holds_on_haproxy() {
    all_hold(&Program::theirs());
}

#[test]
fn every_full_row_has_a_probe() {
    let report = cover::report(&file::read_all());
    println!("{report}");
    assert!(report.mistakes.is_empty(), "{}", report.mistakes.join("\n"));
    assert!(report.missing.is_empty(), "rows without a probe:\n{}", report.missing.join("\n"));
}
