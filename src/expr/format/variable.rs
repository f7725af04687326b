//! The variables of log formats: their names, what each stands for, and when it is known.
//!
//! Source: configuration manual §8.2.6; which of them make a line wait for the session's end was observed on 2.6.

/// When all that a format shows of a session is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Its server is connected.
    Connected,
    /// It has ended.
    Ended,
}

macro_rules! variables {
    ($($variant:ident $name:literal $doc:literal $stage:ident $http:literal,)*) => {
        /// A variable of a log format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Variable {
            $(#[doc = $doc] $variant,)*
        }

        impl Variable {
            /// All variables.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name behind `%`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The moment from which it is known.
            pub fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage,)* }
            }

            /// Whether haproxy refuses it in `mode tcp`.
            pub fn http_only(self) -> bool {
                match self { $(Self::$variant => $http,)* }
            }

            /// The variable of that name.
            pub fn named(name: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|variable| variable.name().as_bytes() == name)
            }
        }
    };
}

variables! {
    BytesOut "B" "Bytes from server to client." Ended false,
    RequestCookie "CC" "Captured request cookie." Ended true,
    ResponseCookie "CS" "Captured response cookie." Ended true,
    Host "H" "Name of this host." Connected false,
    Method "HM" "HTTP method." Ended true,
    Path "HP" "Request URI without its query." Ended true,
    PathOnly "HPO" "Request path alone." Ended true,
    Query "HQ" "Query of the request." Ended true,
    Uri "HU" "Request URI." Ended true,
    HttpVersion "HV" "Version of HTTP." Ended true,
    Id "ID" "The session's unique id." Ended false,
    Status "ST" "HTTP status." Connected false,
    DateGmt "T" "Date of the accept, in GMT." Connected false,
    TimeActive "Ta" "Ta." Ended true,
    TimeConnect "Tc" "Tc: connecting, ms." Ended false,
    TimeData "Td" "Td: moving data, ms." Ended false,
    TimeHandshake "Th" "Th: handshakes, ms." Ended false,
    TimeIdle "Ti" "Ti." Ended true,
    DateLocal "Tl" "Date of the accept, local." Connected false,
    TimeRequest "Tq" "Tq." Ended true,
    TimeHeaders "TR" "TR." Ended true,
    TimeResponse "Tr" "Tr." Ended true,
    Timestamp "Ts" "The accept in seconds since 1970." Connected false,
    TimeTotal "Tt" "Tt: total, ms." Ended false,
    TimeUser "Tu" "Tu: total without idle time, ms." Ended false,
    TimeQueue "Tw" "Tw: waiting in queues, ms." Ended false,
    BytesIn "U" "Bytes from client to server." Ended false,
    ProcessSessions "ac" "Sessions of the process." Ended false,
    Backend "b" "Name of the backend." Connected false,
    BackendSessions "bc" "Sessions of the backend." Ended false,
    SourceIp "bi" "Our address towards the server." Connected false,
    SourcePort "bp" "Our port towards the server." Connected false,
    BackendQueue "bq" "Sessions before it in the backend's queue." Ended false,
    ClientIp "ci" "The client's address." Connected false,
    ClientPort "cp" "The client's port." Connected false,
    Frontend "f" "Name of the frontend." Connected false,
    FrontendSessions "fc" "Sessions of the frontend." Ended false,
    FrontendIp "fi" "The address that the client connected to." Connected false,
    FrontendPort "fp" "The port that the client connected to." Connected false,
    FrontendTransport "ft" "Name of the frontend, with `~` behind it for TLS." Connected false,
    LogCounter "lc" "Lines that the frontend logged before." Connected false,
    RequestHeaders "hr" "Captured request headers." Connected false,
    RequestHeadersClf "hrl" "Captured request headers, CLF." Connected false,
    ResponseHeaders "hs" "Captured response headers." Connected false,
    ResponseHeadersClf "hsl" "Captured response headers, CLF." Connected false,
    Millis "ms" "Milliseconds of the accept's date." Connected false,
    Pid "pid" "Process id." Connected false,
    Request "r" "HTTP request line." Ended true,
    Retries "rc" "Attempts that were repeated, with `+` in front after a redispatch." Ended false,
    RequestCounter "rt" "Number of the session in the process." Connected false,
    Server "s" "Name of the server." Connected false,
    ServerSessions "sc" "Sessions of the server." Ended false,
    ServerIp "si" "The server's address." Connected false,
    ServerPort "sp" "The server's port." Connected false,
    ServerQueue "sq" "Sessions before it in the server's queue." Ended false,
    TlsCipher "sslc" "TLS cipher of the client's connection." Connected false,
    TlsVersion "sslv" "TLS version of the client's connection." Connected false,
    Date "t" "Date of the accept with milliseconds." Connected false,
    RequestDate "tr" "Date of the request." Ended true,
    RequestDateGmt "trg" "Date of the request, in GMT." Ended true,
    RequestDateLocal "trl" "Date of the request, local." Ended true,
    Termination "ts" "Termination state." Ended false,
    TerminationCookie "tsc" "Termination state with the cookie's." Connected false,
}
