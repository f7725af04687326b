//! A small world for configurations: a few files, names and users, and one configuration called `test.cfg`.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use baton::text::World;

/// A server state file.
const STATES: &str = "1\n2 b 1 s1 127.0.0.9 0 8 5 10 500 8 2 0 6 22 0 0 - 81 - 0 77 127.0.0.4 127.0.0.5 88\n\
    2 b 2 s2 127.0.0.9 2 0 1 1 500 1 0 2 0 0 0 0 nowhere.invalid 80 - 0 0 - - 0\n\
    2 b 3 s3 127.0.0.9 7 0 1 1 500 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n";

/// The world that a fixture sees.
pub(crate) struct Outside {
    env: HashMap<String, Vec<u8>>,
    config: Vec<u8>,
}

impl Outside {
    /// The world in which `test.cfg` is that file.
    pub(crate) fn new(path: &Path) -> Self {
        Self::with(std::fs::read(path).expect("a fixture"))
    }

    /// The world in which `test.cfg` holds that.
    pub(crate) fn with(config: Vec<u8>) -> Self {
        Self { env: HashMap::new(), config }
    }
}

impl World for Outside {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        self.env.get(name).cloned()
    }

    fn set_env(&mut self, name: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_vec()),
            None => self.env.remove(name),
        };
    }

    fn keep_env(&mut self, names: &[String]) {
        self.env.retain(|name, _| names.contains(name));
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("test.cfg") => Ok(self.config.clone()),
            Some(path) if path.starts_with("/etc/haproxy/errors/") => {
                Ok(format!("HTTP/1.0 {path}\r\n\r\n").into_bytes())
            }
            Some("/states/all") => Ok(STATES.into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, _: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        Ok(None)
    }

    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "localhost" => Ok(vec![[127, 0, 0, 1].into()]),
            "both" => Ok(vec!["2001:db8::1".parse().expect("an address"), [192, 0, 2, 1].into()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn user(&self, name: &str) -> Option<u32> {
        (name == "haproxy").then_some(101)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "haproxy").then_some(102)
    }

    fn feature(&self, _: &str) -> bool {
        false
    }

    fn hostname(&self) -> String {
        "host".to_owned()
    }

    fn processors(&self) -> usize {
        2
    }
}
