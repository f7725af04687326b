//! Messages of the process itself on standard error, in haproxy's shape.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::version;
use crate::text::{Banner, Diagnostic, Severity, SourceMap, render};

/// Standard error as a run sees it.
#[derive(Debug)]
pub(crate) struct Console {
    quiet: AtomicBool,
    /// Whether version and path were said: they stand before the first message that matters.
    introduced: AtomicBool,
    /// What was said since [`Console::remember`], whether anybody saw it or not.
    said: Mutex<Option<String>>,
}

impl Console {
    /// A console that says nothing when `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet: AtomicBool::new(quiet), introduced: AtomicBool::new(false), said: Mutex::default() }
    }

    /// Says nothing from now on: the configuration's `quiet`, or the terminal is gone.
    pub(crate) fn silence(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// Keeps what is said from now on, for [`Console::said`].
    pub(crate) fn remember(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(String::new());
    }

    /// What was said since [`Console::remember`], which is kept no more.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// Whether nothing is said.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    /// `[ALERT]`: the run ends, or is about to.
    pub(crate) fn alert(&self, message: impl std::fmt::Display) {
        self.say("[ALERT]", &message, true);
    }

    /// `[WARNING]`.
    pub(crate) fn warning(&self, message: impl std::fmt::Display) {
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
        if let Some(said) = self.said.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            said.push_str(text);
        }
        if !self.quiet() {
            // One write, so that lines of several processes on one terminal do not mix. Nobody is told if it fails.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}
