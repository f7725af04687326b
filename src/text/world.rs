//! What reading a configuration may ask of the outside.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Everything outside that may change what a configuration means. The process implements it with the system;
/// a test implements it with a table.
pub trait World {
    /// The value of an environment variable.
    fn env(&self, name: &str) -> Option<Vec<u8>>;
    /// Sets an environment variable (`setenv`, `HAPROXY_LOCALPEER`…) for what is read after it.
    fn set_env(&mut self, name: &str, value: Option<&[u8]>);
    /// Removes all environment variables but those named (`resetenv`).
    fn keep_env(&mut self, names: &[String]);
    /// Where relative paths of [`Self::read`] and [`Self::list`] begin from now on; `None`: where the process was started.
    fn enter(&mut self, _folder: Option<&Path>) {}
    /// The bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The entries of a directory, or `None` when `path` is no directory.
    fn list(&self, path: &Path) -> io::Result<Option<Vec<PathBuf>>>;
    /// The addresses of a host name, as libc answers.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
    /// The id of a user.
    fn user(&self, name: &str) -> Option<u32>;
    /// The id of a group.
    fn group(&self, name: &str) -> Option<u32>;
    /// Whether `-vv` lists a feature with a plus.
    fn feature(&self, name: &str) -> bool;
    /// Whether an option of the running process is on (`enabled(SPLICE)`): names as in manual §2.4 of 3.x.
    fn enabled(&self, option: &str) -> bool {
        matches!(option, "EPOLL" | "SPLICE" | "GETADDRINFO" | "REUSEPORT" | "FAST-FORWARD")
    }
    /// Name and OpenSSL-compatible version of the TLS library; `None` when built without TLS.
    fn tls_library(&self) -> Option<(String, String)> {
        None
    }
    /// The name of this host.
    fn hostname(&self) -> String;
    /// Seconds that local time is ahead of UTC at that second of 1970.
    fn local_offset(&self, _at: i64) -> i32 {
        0
    }
    /// How many processors this process may use.
    fn processors(&self) -> usize;
}
