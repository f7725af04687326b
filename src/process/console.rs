//! Messages of the process itself on standard error, in haproxy's shape.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::version;
use crate::text::{Banner, Diagnostic, Severity, SourceMap, render};

/// Bytes of what was said that are kept, from the first one on.
const KEPT: usize = 64 * 1024;

/// What was said on standard error, for `show startup-logs`: the first of it, and how much is left out.
#[derive(Debug, Default)]
pub(crate) struct Transcript(Mutex<(String, usize)>);

impl Transcript {
    fn add(&self, text: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.1 == 0 && kept.0.len() + text.len() <= KEPT {
            kept.0.push_str(text);
        } else {
            kept.1 += 1;
        }
    }

    /// All that is kept.
    pub(crate) fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.1 {
            0 => kept.0.clone(),
            lost => format!("{}… and {lost} more messages that are not kept.\n", kept.0),
        }
    }
}

/// Standard error as a run sees it.
#[derive(Debug)]
pub(crate) struct Console {
    quiet: AtomicBool,
    /// Whether version and path were said: they stand before the first message that matters.
    introduced: AtomicBool,
    warnings: AtomicU32,
    begun: Instant,
    said: Arc<Transcript>,
}

impl Console {
    /// A console that says nothing when `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet: AtomicBool::new(quiet),
            introduced: AtomicBool::new(false),
            warnings: AtomicU32::new(0),
            begun: Instant::now(),
            said: Arc::default(),
        }
    }

    /// Says nothing from now on: the configuration's `quiet`, or the terminal is gone.
    pub(crate) fn silence(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// What was said so far, and what will be.
    pub(crate) fn transcript(&self) -> Arc<Transcript> {
        Arc::clone(&self.said)
    }

    /// Whether nothing is said.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    /// Warnings so far.
    pub(crate) fn warnings(&self) -> u32 {
        self.warnings.load(Ordering::Relaxed)
    }

    /// How long the run has been going on.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// `[ALERT]`: the run ends, or is about to.
    pub(crate) fn alert(&self, message: impl std::fmt::Display) {
        self.say("[ALERT]", &message, true);
    }

    /// `[WARNING]`.
    pub(crate) fn warning(&self, message: impl std::fmt::Display) {
        self.warnings.fetch_add(1, Ordering::Relaxed);
        self.say("[WARNING]", &message, true);
    }

    /// `[NOTICE]`.
    pub(crate) fn notice(&self, message: impl std::fmt::Display) {
        self.say("[NOTICE]", &message, false);
    }

    /// Shows what is to be said of a configuration; remarks only when `diagnose`.
    pub(crate) fn diagnostics(&self, sources: &SourceMap, said: &[Diagnostic], diagnose: bool) {
        let shown = said.iter().filter(|one| diagnose || one.severity != Severity::Diag);
        for diagnostic in shown {
            if diagnostic.severity >= Severity::Warning {
                self.introduce();
            }
            self.warnings.fetch_add(u32::from(diagnostic.severity == Severity::Warning), Ordering::Relaxed);
            self.write(&render(Banner { pid: std::process::id() }, sources, diagnostic));
        }
    }

    /// Plain text on standard output, unless quiet.
    pub(crate) fn print(&self, text: &str) {
        if !self.quiet() {
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }

    fn say(&self, severity: &str, message: &dyn std::fmt::Display, introduce: bool) {
        if introduce {
            self.introduce();
        }
        self.write(&format!("{severity:<10} ({}) : {message}\n", std::process::id()));
    }

    fn introduce(&self) {
        if self.introduced.swap(true, Ordering::Relaxed) {
            return;
        }
        self.notice(format_args!("haproxy version is {}", version::number()));
        if let Ok(path) = std::env::current_exe() {
            self.notice(format_args!("path to executable is {}", path.display()));
        }
    }

    fn write(&self, text: &str) {
        self.said.add(text);
        if !self.quiet() {
            // One write, so that lines of several processes on one terminal do not mix. Nobody is told if it fails.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let said = Transcript::default();
        said.add("first\n");
        assert_eq!(said.text(), "first\n");
        said.add(&"x".repeat(KEPT));
        said.add("third\n");
        assert_eq!(said.text(), "first\n… and 2 more messages that are not kept.\n");
    }
}
