//! The statistics page of a proxy.

use crate::expr::Condition;

/// `stats enable` and its companions.
#[derive(Debug, Clone, Default)]
pub struct StatsPage {
    /// `stats uri`; default `/haproxy?stats`.
    pub uri: String,
    /// `stats realm`; default `HAProxy Statistics`.
    pub realm: String,
    /// `stats auth`, several.
    pub auth: Vec<StatsAuth>,
    /// `stats hide-version`.
    pub hide_version: bool,
    /// `stats refresh`, in seconds.
    pub refresh: Option<u32>,
    /// `stats scope`, several; none shows all.
    pub scope: Vec<StatsScope>,
    /// `stats show-desc`: `Some(None)` shows the global description.
    pub show_desc: Option<Option<String>>,
    /// `stats show-legends`.
    pub show_legends: bool,
    /// `stats show-node`: `Some(None)` shows the node's name.
    pub show_node: Option<Option<String>>,
    /// `stats admin`.
    pub admin: StatsAdmin,
    /// `stats http-request`: the first rule that holds says who sees it; none: everybody.
    pub rules: Vec<StatsRule>,
}

/// One `stats http-request`.
#[derive(Debug, Clone)]
pub struct StatsRule {
    /// What it says.
    pub verdict: StatsVerdict,
    /// When; `None`: always.
    pub when: Option<Condition>,
}

/// What a rule on the page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsVerdict {
    /// `allow`.
    Allow,
    /// `deny`.
    Deny,
    /// `auth [realm <text>]`: a name and a password are to be given.
    Auth(Option<String>),
}

/// One user of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsAuth {
    /// User name.
    pub user: String,
    /// Password, in clear as the configuration has it.
    pub password: String,
}

/// One `stats scope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsScope {
    /// `.`: the proxy that shows the page.
    Own,
    /// A proxy by name.
    Proxy(String),
}

/// Who may change states on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatsAdmin {
    /// Nobody.
    #[default]
    Never,
    /// Whoever sees it (`if TRUE`, `if LOCALHOST` is decided per request).
    Always,
    /// A client on this host (`if LOCALHOST`).
    Localhost,
}
