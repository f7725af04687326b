//! The parts of the mutant test; see `tests/mutants.rs`.

mod known;
mod lines;
mod meaning;
mod mutate;
mod prng;
mod seed;
mod values;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use known::Known;
use mutate::{Mutant, mutant};
use verdict::{Severity, Verdict};

use crate::harness::program::Program;

/// How many mutants `tests/run` asks for.
const COUNT: u64 = 300;

/// Both verdicts on one mutant.
struct Case {
    seed: u64,
    mutant: Mutant,
    ours: Verdict,
    theirs: Verdict,
    /// All warnings of ours are baton's own: they do not count under `-dW`.
    own_warnings: bool,
}

impl Case {
    fn of(seed: u64, ours: &Program, theirs: &Program, folder: &Path) -> Self {
        let mutant = mutant(seed);
        for (name, bytes) in &mutant.files {
            std::fs::write(folder.join(name), bytes).expect("a file for the mutant");
        }
        let (mine, their) = (Verdict::of(ours, folder, &mutant, &[]), Verdict::of(theirs, folder, &mutant, &[]));
        let own_warnings = matches!(mine.first(), Some((Severity::Warning, _)))
            && Verdict::of(ours, folder, &mutant, &["-dW"]).exit == mine.exit;
        Self { seed, mutant, ours: mine, theirs: their, own_warnings }
    }

    fn same_exit(&self) -> bool {
        self.ours.exit == self.theirs.exit && !self.ours.panicked
    }

    /// The same place is blamed first. Warnings of baton's own may stand beside haproxy's.
    fn same_blame(&self) -> bool {
        match (self.ours.first(), self.theirs.first()) {
            (ours, theirs) if ours == theirs => true,
            (Some((Severity::Warning, _)), None) => self.own_warnings,
            (Some((Severity::Warning, _)), Some(theirs @ (Severity::Warning, _))) => self.ours.blames.contains(&theirs),
            _ => false,
        }
    }

    fn text(&self) -> String {
        let files = self.mutant.files.iter();
        let files = files.map(|(name, bytes)| format!("# {name}\n{}", String::from_utf8_lossy(bytes)));
        files.collect::<Vec<_>>().join("\n")
    }

    /// Everything that is to be known of a difference.
    fn report(&self) -> String {
        let mut lines = Vec::new();
        for (who, verdict) in [("theirs", &self.theirs), ("ours", &self.ours)] {
            lines.push(format!("  {who}: exit {:?}", verdict.exit));
            lines.extend(verdict.messages.iter().take(7).map(|(_, message)| format!("    {message}")));
        }
        let places = [self.theirs.first(), self.ours.first()].into_iter().flatten().map(|(_, place)| place);
        for (file, number) in places.filter(|place| *place != verdict::NOWHERE) {
            let bytes = &self.mutant.files[file].1;
            let line = bytes.split(|byte| *byte == b'\n').nth(number.saturating_sub(1) as usize).unwrap_or_default();
            lines.push(format!("  line {number}: {}", String::from_utf8_lossy(line).trim()));
        }
        format!("mutant {} ({}):\n{}", self.seed, self.mutant.how, lines.join("\n"))
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

#[test]
fn both_programs_judge_mutants_alike() {
    let (ours, theirs) = (Program::ours(), Program::theirs());
    let one = number("MUTANT");
    let first = one.or(number("MUTANTS_FROM")).unwrap_or(1);
    let count = if one.is_some() { 1 } else { number("MUTANTS").unwrap_or(COUNT) };
    let known = Known::read();
    let next = AtomicU64::new(first);
    let cases = Mutex::new(BTreeMap::new());
    let equal = Mutex::new((0_u64, 0_u64));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a folder");
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let case = Case::of(seed, &ours, &theirs, folder.path());
                    if one.is_some() {
                        println!("{}\n{}", case.text(), case.report());
                    }
                    let mut sums = equal.lock().expect("no thread panics");
                    sums.0 += u64::from(case.same_exit());
                    sums.1 += u64::from(case.same_exit() && case.same_blame());
                    if !case.same_exit() || !case.same_blame() {
                        cases.lock().expect("no thread panics").insert(seed, case);
                    }
                }
            });
        }
    });
    let (exits, blames) = equal.into_inner().expect("no thread panics");
    let cases = cases.into_inner().expect("no thread panics");
    let panicked: Vec<u64> = cases.values().filter(|case| case.ours.panicked).map(|case| case.seed).collect();
    let mut reasons: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let (mut accepted_exits, mut accepted_blames) = (0, 0);
    for case in cases.values() {
        match known.reason(case) {
            Some(reason) => {
                let times = reasons.entry(reason).or_default();
                times.0 += 1;
                times.1 += u64::from(!case.same_exit());
                accepted_exits += u64::from(!case.same_exit());
                accepted_blames += 1;
            }
            None => println!("{}", case.report()),
        }
    }
    for (reason, (times, exits)) in &reasons {
        println!("{times} times, {exits} of them another exit code: {reason}");
    }
    println!(
        "of {count} mutants, equal exit code: {exits} (and {accepted_exits} known differences); equal first blame: {blames} (and {accepted_blames} known)"
    );
    assert!(panicked.is_empty(), "baton panicked on these mutants: {panicked:?}");
    assert!((exits + accepted_exits) * 100 >= count * 99, "the exit codes of too many mutants differ");
    assert!((blames + accepted_blames) * 100 >= count * 95, "the first blamed line of too many mutants differs");
}
