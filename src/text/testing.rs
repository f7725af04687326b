//! A world that is a table, for tests.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::World;

/// Environment and files of a test; everything else is absent.
#[derive(Debug, Default)]
pub(crate) struct TestWorld {
    pub(crate) env: BTreeMap<String, Vec<u8>>,
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) directories: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl TestWorld {
    pub(crate) fn with_env(pairs: &[(&str, &str)]) -> Self {
        let env = pairs.iter().map(|(name, value)| (String::from(*name), value.as_bytes().to_vec())).collect();
        Self { env, ..Self::default() }
    }
}

impl World for TestWorld {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        self.env.get(name).cloned()
    }

    fn set_env(&mut self, name: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.env.insert(String::from(name), value.to_vec()),
            None => self.env.remove(name),
        };
    }

    fn keep_env(&mut self, names: &[String]) {
        self.env.retain(|name, _| names.contains(name));
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        match self.directories.get(path) {
            Some(entries) => Ok(Some(entries.clone())),
            None if self.files.contains_key(path) => Ok(None),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn user(&self, _: &str) -> Option<u32> {
        None
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }

    fn feature(&self, name: &str) -> bool {
        name == "OPENSSL"
    }

    fn hostname(&self) -> String {
        String::from("host")
    }

    fn processors(&self) -> usize {
        2
    }
}
