//! Mutated configurations on both programs: the same exit code, the same line blamed first.
//!
//! A seed decides everything: `MUTANT=17 cargo nextest run --test mutants --no-capture` shows one mutant and both
//! verdicts; `MUTANTS=2000` asks for more than `tests/run` does; `MUTANTS_FROM` begins elsewhere. Differences that are
//! meant stand in `fixtures/mutants/known.txt`, each with its reason.

#[path = "harness/mod.rs"]
mod harness;
#[path = "mutants/mod.rs"]
mod mutants;
