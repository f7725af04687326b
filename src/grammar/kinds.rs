//! What kinds of keywords there are, and the letters of the `where` column.
//!
//! Shared with `build.rs`, which reads one table file per kind; knows no row. Imports nothing, so that the build
//! script can take it in as a module of its own.

/// What a keyword is; each kind has its own table `grammar/NAME.kw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A line that opens a section.
    Section,
    /// A line of `global`.
    Global,
    /// A line of `defaults`, `frontend`, `listen` or `backend`.
    Proxy,
    /// An option of a `bind` or `stats socket` line.
    Bind,
    /// An option of a `server`, `default-server` or `server-template` line.
    Server,
    /// An option in a `crt-list` file.
    CrtList,
    /// An action of a rule.
    Action,
    /// A converter.
    Converter,
    /// A sample fetch.
    Fetch,
    /// A line of `cache`.
    Cache,
    /// A line of `peers`.
    Peers,
    /// A line of `resolvers`.
    Resolvers,
    /// A line of `mailers`.
    Mailers,
    /// A line of `userlist`.
    Userlist,
    /// A line of `ring`.
    Ring,
    /// A line of `program`.
    Program,
    /// A line of `http-errors`.
    HttpErrors,
    /// A line of `fcgi-app`.
    FcgiApp,
    /// A line of `log-forward`.
    LogForward,
    /// A line of `log-profile`.
    LogProfile,
    /// A line of `crt-store`.
    CrtStore,
    /// A line of `traces`.
    Traces,
    /// A line of `acme`.
    Acme,
}

impl Kind {
    /// All kinds, in the order of the rows.
    pub const ALL: [Self; 23] = [
        Self::Section,
        Self::Global,
        Self::Proxy,
        Self::Bind,
        Self::Server,
        Self::CrtList,
        Self::Action,
        Self::Converter,
        Self::Fetch,
        Self::Cache,
        Self::Peers,
        Self::Resolvers,
        Self::Mailers,
        Self::Userlist,
        Self::Ring,
        Self::Program,
        Self::HttpErrors,
        Self::FcgiApp,
        Self::LogForward,
        Self::LogProfile,
        Self::CrtStore,
        Self::Traces,
        Self::Acme,
    ];

    /// The name of the table's file without `.kw`; also what a row calls another row's kind by (`bind/ssl`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Section => "section",
            Self::Global => "global",
            Self::Proxy => "proxy",
            Self::Bind => "bind",
            Self::Server => "server",
            Self::CrtList => "crt-list",
            Self::Action => "action",
            Self::Converter => "converter",
            Self::Fetch => "fetch",
            Self::Cache => "cache",
            Self::Peers => "peers",
            Self::Resolvers => "resolvers",
            Self::Mailers => "mailers",
            Self::Userlist => "userlist",
            Self::Ring => "ring",
            Self::Program => "program",
            Self::HttpErrors => "http-errors",
            Self::FcgiApp => "fcgi-app",
            Self::LogForward => "log-forward",
            Self::LogProfile => "log-profile",
            Self::CrtStore => "crt-store",
            Self::Traces => "traces",
            Self::Acme => "acme",
        }
    }

    /// The letters of the `where` column, each with the place it stands for, in the order in which they are written.
    /// Empty for a kind that stands in one place only; its `where` column is `–`.
    pub const fn places(self) -> &'static [(char, &'static str)] {
        match self {
            Self::Proxy => &[('d', "defaults"), ('f', "frontend"), ('l', "listen"), ('b', "backend")],
            Self::Bind => &[('b', "bind"), ('s', "stats socket")],
            Self::Server => &[('s', "server"), ('d', "default-server"), ('t', "server-template")],
            Self::Action => &[
                ('q', "quic-initial"),
                ('c', "tcp-request connection"),
                ('s', "tcp-request session"),
                ('t', "tcp-request content"),
                ('r', "tcp-response content"),
                ('h', "http-request"),
                ('p', "http-response"),
                ('a', "http-after-response"),
            ],
            _ => &[],
        }
    }
}

/// Starting value of [`hash`].
pub(crate) const HASH_SEED: u32 = 0x811c_9dc5;

/// Goes on hashing with one more word (FNV-1a, and a byte that ends the word). Written by the build script, looked
/// up at run time: both use this one.
pub(crate) const fn hash(seed: u32, word: &[u8]) -> u32 {
    let mut hash = seed;
    let mut at = 0;
    while at < word.len() {
        hash = (hash ^ word[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ 0x20).wrapping_mul(0x0100_0193)
}
