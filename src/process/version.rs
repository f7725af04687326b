//! What `-v` and `-vv` say, and which features there are.

use crate::syntax::VERSION;
use crate::sys::identity;

/// When this version was made, as haproxy writes dates.
pub(crate) const DATE: &str = "2026/11/22";

/// haproxy's names of features, with whether this build has them. The only list: `-vv` shows it, `feature()` in a
/// configuration asks it.
pub(crate) const FEATURES: &[(&str, bool)] = &[
    ("51DEGREES", false),
    ("ACCEPT4", true),
    ("BACKTRACE", false),
    ("CLOSEFROM", false),
    ("CPU_AFFINITY", false),
    ("CRYPT_H", false),
    ("DEVICEATLAS", false),
    ("DL", false),
    ("ENGINE", false),
    ("EPOLL", true),
    ("EVPORTS", false),
    ("GETADDRINFO", true),
    ("KQUEUE", false),
    ("LIBCRYPT", false),
    ("LINUX_CAP", false),
    ("LINUX_SPLICE", true),
    ("LINUX_TPROXY", false),
    ("LUA", false),
    ("MATH", false),
    ("MEMORY_PROFILING", false),
    ("NETFILTER", false),
    ("NS", false),
    ("OBSOLETE_LINKER", false),
    ("OPENSSL", false),
    ("OPENSSL_AWSLC", false),
    ("OPENSSL_WOLFSSL", false),
    ("OT", false),
    ("PCRE", false),
    ("PCRE2", false),
    ("PCRE2_JIT", false),
    ("PCRE_JIT", false),
    ("POLL", false),
    ("PRCTL", false),
    ("PROCCTL", false),
    ("PROMEX", false),
    ("PTHREAD_EMULATION", false),
    ("QUIC", false),
    ("QUIC_OPENSSL_COMPAT", false),
    ("RT", false),
    ("SHM_OPEN", false),
    ("SLZ", false),
    ("SSL", false),
    ("STATIC_PCRE", false),
    ("STATIC_PCRE2", false),
    ("SYSTEMD", false),
    ("TFO", true),
    ("THREAD", true),
    ("THREAD_DUMP", false),
    ("TPROXY", false),
    ("WURFL", false),
    ("ZLIB", false),
];

/// The version's number: the haproxy version that is answered for, and our own.
pub(crate) fn number() -> String {
    format!("{VERSION}-baton{}", env!("CARGO_PKG_VERSION"))
}

/// What `-v` prints.
pub(crate) fn short() -> String {
    format!(
        "HAProxy version {} {DATE} - an HAProxy-compatible proxy named baton\n\
         Status: answers as HAProxy {VERSION} where that version and older ones differ.\n\
         Running on: {}\n",
        number(),
        identity::system()
    )
}

/// What `-vv` prints.
pub(crate) fn full() -> String {
    let features: Vec<String> =
        FEATURES.iter().map(|(name, has)| format!("{}{name}", if *has { '+' } else { '-' })).collect();
    format!(
        "{}Build options :\n  TARGET  = linux-{}\n  CPU     = {}\n  CC      = rustc\n  PROFILE = {}\n\n\
         Feature list : {}\n\n\
         Default settings :\n  bufsize = 16384\n\n\
         Built with multi-threading support (default={}).\n\
         Built without TLS, compression and Lua.\n\n\
         Available polling systems :\n      epoll : pref=300,  test result OK\nTotal: 1 (1 usable), will use epoll.\n",
        short(),
        if cfg!(target_env = "musl") { "musl" } else { "glibc" },
        std::env::consts::ARCH,
        if cfg!(debug_assertions) { "debug" } else { "release" },
        features.join(" "),
        crate::sys::proc::processors(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_haproxys_shape() {
        let short = short();
        let first = short.lines().next().unwrap();
        assert!(first.starts_with("HAProxy version 3.4.0-baton0.1.0 20"), "{first}");
        assert_eq!(first.split(" - ").count(), 2, "{first}");
        let full = full();
        assert!(full.contains("\nBuild options :\n") && full.contains("\nFeature list : -51DEGREES +ACCEPT4 "));
        let mut sorted = FEATURES.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, FEATURES, "haproxy sorts them");
    }
}
