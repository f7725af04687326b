//! The outside as a configuration sees it: this system.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::argv::Arguments;
use super::version::FEATURES;
use crate::sys::{identity, proc};
use crate::text::World;

/// The system, with the environment variables that the configuration has set.
#[derive(Debug, Default)]
pub(crate) struct System {
    /// What `setenv` and its like changed; `None` is unset. The process's own environment is never written: other
    /// threads may read it.
    changed: HashMap<String, Option<Vec<u8>>>,
    /// Where relative paths begin, unless at the process's own folder.
    folder: Option<PathBuf>,
    /// Files that exist here only.
    given: HashMap<PathBuf, Vec<u8>>,
    no_splice: bool,
    no_reuseport: bool,
    ipv4_only: bool,
}

impl System {
    /// The system as a run with these arguments sees it.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let mut world = Self {
            changed: HashMap::new(),
            folder: None,
            given: HashMap::new(),
            no_splice: arguments.no_splice,
            no_reuseport: arguments.no_reuseport,
            ipv4_only: arguments.ipv4_only,
        };
        world.set_env("HAPROXY_LOCALPEER", Some(arguments.local_peer().as_bytes()));
        world.set_env("HAPROXY_STARTUP_VERSION", Some(super::version::number().as_bytes()));
        if arguments.master {
            world.set_env("HAPROXY_MWORKER", Some(b"1"));
        }
        for (name, value) in &arguments.environment {
            world.set_env(name, Some(value.as_bytes()));
        }
        world
    }
}

impl System {
    /// A file that exists here only.
    pub(crate) fn give(&mut self, name: &str, bytes: Vec<u8>) {
        self.given.insert(name.into(), bytes);
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.folder.as_ref().map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }
}

impl System {
    /// All variables that are set, in the order of the process's environment, then those that the configuration added.
    pub(crate) fn environment(&self) -> Vec<(String, Vec<u8>)> {
        let inherited =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_vec())));
        let mut all: Vec<_> = inherited.filter(|(name, _)| !self.changed.contains_key(name)).collect();
        let mut changed: Vec<_> =
            self.changed.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        changed.sort();
        all.extend(changed);
        all
    }
}

impl World for System {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        match self.changed.get(name) {
            Some(value) => value.clone(),
            None => std::env::var_os(name).map(OsStringExt::into_vec),
        }
    }

    fn set_env(&mut self, name: &str, value: Option<&[u8]>) {
        self.changed.insert(name.to_owned(), value.map(<[u8]>::to_vec));
    }

    fn keep_env(&mut self, names: &[String]) {
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let known: Vec<String> = inherited.chain(self.changed.keys().cloned()).collect();
        for name in known.into_iter().filter(|name| !names.contains(name)) {
            self.changed.insert(name, None);
        }
    }

    fn enter(&mut self, folder: Option<&Path>) {
        self.folder = folder.map(Path::to_owned);
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.given.get(path) {
            return Ok(bytes.clone());
        }
        std::fs::read(self.at(path))
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        if self.given.contains_key(path) {
            return Ok(None);
        }
        let path = self.at(path);
        if !std::fs::metadata(&path)?.is_dir() {
            return Ok(None);
        }
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map(Some)
    }

    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut found = Vec::new();
        for address in (host, 0).to_socket_addrs()? {
            let ip = address.ip();
            if !found.contains(&ip) && (ip.is_ipv4() || !self.ipv4_only) {
                found.push(ip);
            }
        }
        Ok(found)
    }

    fn user(&self, name: &str) -> Option<u32> {
        identity::user_id(name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        identity::group_id(name)
    }

    fn feature(&self, name: &str) -> bool {
        FEATURES.iter().any(|(feature, has)| *has && *feature == name)
    }

    fn enabled(&self, option: &str) -> bool {
        match option {
            "EPOLL" | "GETADDRINFO" => true,
            "SPLICE" => !self.no_splice,
            "REUSEPORT" => !self.no_reuseport,
            _ => false,
        }
    }

    fn local_offset(&self, at: i64) -> i32 {
        crate::sys::local_offset(at)
    }
    fn hostname(&self) -> String {
        identity::host_name()
    }

    fn processors(&self) -> usize {
        proc::processors()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_answers() {
        let mut world = System::new(&Arguments { peer: Some("me".into()), ..Arguments::default() });
        assert_eq!(world.env("HAPROXY_LOCALPEER").as_deref(), Some(&b"me"[..]));
        world.set_env("PATH", None);
        assert_eq!(world.env("PATH"), None);
        assert!(std::env::var_os("PATH").is_some(), "only the configuration's view changes");
        let shown = world.environment();
        assert!(shown.iter().any(|(name, value)| name == "HAPROXY_LOCALPEER" && value == b"me"));
        assert!(shown.iter().all(|(name, _)| name != "PATH"));
        assert_eq!(world.user("root"), Some(0));
        assert_eq!(world.user("no-such-user"), None);
        assert!(world.resolve("localhost").unwrap().iter().any(IpAddr::is_loopback));
        assert!(world.feature("THREAD") && !world.feature("OPENSSL") && !world.feature("NOTHING"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "x").unwrap();
        assert_eq!(world.list(folder.path()).unwrap(), Some(vec![folder.path().join("a")]));
        assert_eq!(world.list(&folder.path().join("a")).unwrap(), None);
        assert!(world.list(&folder.path().join("b")).is_err());
        assert_eq!(world.read(&folder.path().join("a")).unwrap(), b"x");
    }
}
