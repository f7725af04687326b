//! The sections of a configuration file and the table that holds each one's lines.
//!
//! Source: configuration manual §3, §4 and the sections it names.

use super::Kind;

/// A section, by the word that opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub enum SectionKind {
    Global,
    Defaults,
    Frontend,
    Listen,
    Backend,
    Peers,
    Resolvers,
    Mailers,
    Userlist,
    Cache,
    Ring,
    Program,
    HttpErrors,
    FcgiApp,
    LogForward,
    LogProfile,
    CrtStore,
    Traces,
    Acme,
}

impl SectionKind {
    /// All sections.
    pub const ALL: [Self; 19] = [
        Self::Global,
        Self::Defaults,
        Self::Frontend,
        Self::Listen,
        Self::Backend,
        Self::Peers,
        Self::Resolvers,
        Self::Mailers,
        Self::Userlist,
        Self::Cache,
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

    /// The word that opens it.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Frontend => "frontend",
            Self::Listen => "listen",
            Self::Backend => "backend",
            _ => self.kind().name(),
        }
    }

    /// The kind of its lines.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Global => Kind::Global,
            Self::Defaults | Self::Frontend | Self::Listen | Self::Backend => Kind::Proxy,
            Self::Peers => Kind::Peers,
            Self::Resolvers => Kind::Resolvers,
            Self::Mailers => Kind::Mailers,
            Self::Userlist => Kind::Userlist,
            Self::Cache => Kind::Cache,
            Self::Ring => Kind::Ring,
            Self::Program => Kind::Program,
            Self::HttpErrors => Kind::HttpErrors,
            Self::FcgiApp => Kind::FcgiApp,
            Self::LogForward => Kind::LogForward,
            Self::LogProfile => Kind::LogProfile,
            Self::CrtStore => Kind::CrtStore,
            Self::Traces => Kind::Traces,
            Self::Acme => Kind::Acme,
        }
    }

    /// The bit of the section in a row's [`super::Places`].
    pub const fn bit(self) -> u8 {
        match self {
            Self::Frontend => 2,
            Self::Listen => 4,
            Self::Backend => 8,
            _ => 1,
        }
    }

    /// The section that a word opens.
    pub fn from_keyword(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.keyword().as_bytes() == word)
    }
}

/// A line whose words after the first ones are options with rows of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub enum OptionLine {
    Bind,
    StatsSocket,
    Server,
    DefaultServer,
    ServerTemplate,
}

impl OptionLine {
    /// The kind of its options.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Bind | Self::StatsSocket => Kind::Bind,
            Self::Server | Self::DefaultServer | Self::ServerTemplate => Kind::Server,
        }
    }

    /// The bit of the line in a row's [`super::Places`].
    pub const fn bit(self) -> u8 {
        match self {
            Self::Bind | Self::Server => 1,
            Self::StatsSocket | Self::DefaultServer => 2,
            Self::ServerTemplate => 4,
        }
    }

    /// The keyword of the line.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::StatsSocket => "stats socket",
            Self::Server => "server",
            Self::DefaultServer => "default-server",
            Self::ServerTemplate => "server-template",
        }
    }
}
