//! What is said of a configuration.

use super::Span;

/// How bad it is; the words are haproxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Shown by `-dD` only.
    Diag,
    /// Told, never counted.
    Notice,
    /// The configuration runs; fails under `-dW` and `zero-warning`.
    Warning,
    /// The configuration does not run: exit code 1.
    Alert,
}

/// One message about a configuration, with the place it blames and a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The place to blame; `None` for a message about the whole configuration.
    pub span: Option<Span>,
    /// The message, without severity and place.
    pub message: String,
    /// What the user can do: a nearest keyword, the modern form.
    pub hint: Option<String>,
    /// Whether a warning counts for `-dW` and `zero-warning`: haproxy's own do, ours never.
    pub counts: bool,
    /// A message of the parsing phase is shown as `parsing [file:line]`; a later one only as `config :`.
    pub parsing: bool,
}

impl Diagnostic {
    fn new(severity: Severity, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        let span = span.into();
        Self { severity, parsing: span.is_some(), span, message: message.into(), hint: None, counts: true }
    }

    /// An alert: the configuration does not run.
    pub fn alert(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Alert, span, message)
    }

    /// A warning that haproxy gives too.
    pub fn warning(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span, message)
    }

    /// A warning that only baton gives (a translated old word): it never counts for `zero-warning`.
    pub fn our_warning(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self { counts: false, ..Self::new(Severity::Warning, span, message) }
    }

    /// A notice.
    pub fn notice(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Notice, span, message)
    }

    /// A remark that only `-dD` shows.
    pub fn diag(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Diag, span, message)
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, said after parsing: the place is known, but shown as haproxy shows a resolve-phase message.
    #[must_use]
    pub fn resolved(mut self) -> Self {
        self.parsing = false;
        self
    }
}
