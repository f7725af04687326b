//! The line of a server that is added at run time: read like one of a file, by itself.
//!
//! No `default-server` counts, and some words are not accepted. Source: management manual §9.3 "add server"; which words
//! those are was observed on 2.6.12 (`fixtures/commands/added.txt`).

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Choices, configuration};
use crate::ir::{Mode, Server};
use crate::text::{Severity, SourceMap, World};

/// Words that a server that is added cannot have.
const NOT_ACCEPTED: [&str; 18] = [
    "cookie",
    "init-addr",
    "log-proto",
    "max-reuse",
    "namespace",
    "no-agent-check",
    "no-backup",
    "no-check",
    "no-send-proxy",
    "no-send-proxy-v2",
    "non-stick",
    "redir",
    "resolve-net",
    "resolve-opts",
    "resolve-prefer",
    "resolvers",
    "socks4",
    "stick",
];

/// What a line says.
#[derive(Debug)]
pub struct Added {
    /// The server. An id of 0: none is given. It tracks nobody yet.
    pub line: Server,
    /// The server that it tracks, as it was written.
    pub track: Option<String>,
    /// `enabled`: it is in use at once.
    pub ready: bool,
}

/// Reads the line of a server that is added to a backend. `words`: its address and options.
///
/// # Errors
/// What is wrong, in words.
pub fn server(backend: &str, mode: Mode, name: &str, words: &[&str]) -> Result<Added, String> {
    let (mut kept, mut track, mut ready) = (Vec::new(), None, false);
    let mut rest = words.iter().copied();
    kept.extend(rest.next());
    while let Some(word) = rest.next() {
        match word {
            word if NOT_ACCEPTED.contains(&word) => {
                return Err(format!("'{word}' option is not accepted for dynamic server"));
            }
            "track" => {
                track = Some(rest.next().ok_or("'track' needs the name of a server")?.to_owned());
                continue;
            }
            "enabled" => ready = true,
            "disabled" => ready = false,
            _ => {}
        }
        kept.push(word);
        // What is said to an agent is no option.
        if word == "agent-send" {
            kept.extend(rest.next());
        }
    }
    let mode = if mode == Mode::Http { "http" } else { "tcp" };
    let words: Vec<String> = kept.iter().map(|word| quoted(word)).collect();
    let line = format!(
        "backend {}\n mode {mode}\n server {} {} init-addr none\n",
        quoted(backend),
        quoted(name),
        words.join(" ")
    );
    let line = if kept.is_empty() { line.replace(" init-addr none", "") } else { line };
    let mut sources = SourceMap::default();
    let mut world = Typed { line: line.into_bytes(), environment: &[], host: (String::new(), |_| 0) };
    let judged = configuration(&[PathBuf::from("added")], Choices::default(), &mut world, &mut sources);
    let alert = judged.diagnostics.iter().find(|one| one.severity == Severity::Alert);
    let one = judged.value.and_then(|config| config.proxies.into_iter().next()?.backend?.servers.into_iter().next());
    let Some(mut line) = one else {
        return Err(alert.map_or_else(|| "this is no server".to_owned(), |alert| alert.message.clone()));
    };
    if !line.id_given {
        line.id = 0;
    }
    line.init_addr.clear();
    if matches!(line.address, crate::ir::ServerAddress::SockPair(_)) {
        return Err("a server behind an inherited socket is there from the start, or not at all".to_owned());
    }
    if track.is_some() && line.check.is_some() {
        return Err("unable to enable checks and tracking at the same time!".to_owned());
    }
    Ok(Added { line, track, ready })
}

/// A word as a configuration has it, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A world that is nothing but one line, and variables: it asks nobody, and waits for nobody.
pub(super) struct Typed<'t> {
    pub(super) line: Vec<u8>,
    pub(super) environment: &'t [(String, Vec<u8>)],
    /// This host's name, and what its time is ahead of UTC at a second of 1970.
    pub(super) host: (String, fn(i64) -> i32),
}

impl World for Typed<'_> {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
    fn set_env(&mut self, _: &str, _: Option<&[u8]>) {}
    fn keep_env(&mut self, _: &[String]) {}
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        match self.line.is_empty() {
            false => Ok(self.line.clone()),
            true => Err(io::ErrorKind::NotFound.into()),
        }
    }
    fn list(&self, _: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        Ok(None)
    }
    fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("names are not looked up here"))
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn group(&self, _: &str) -> Option<u32> {
        None
    }
    fn feature(&self, _: &str) -> bool {
        false
    }
    fn hostname(&self) -> String {
        self.host.0.clone()
    }
    fn local_offset(&self, at: i64) -> i32 {
        (self.host.1)(at)
    }
    fn processors(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Added, String> {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        server("b", Mode::Tcp, "s", &words)
    }

    #[test]
    fn lines() {
        let added = read("127.0.0.1:80 check inter 200 rise 3 weight 5 maxconn 6 backup id 77").unwrap();
        let check = added.line.check.unwrap();
        assert_eq!((check.inter.get(), check.rise, added.line.weight.get(), added.line.maxconn), (200, 3, 5, 6));
        assert_eq!((added.line.id, added.line.backup, added.ready, added.track), (77, true, false, None));
        let added = read("a.test:80 track other/x enabled").unwrap();
        assert_eq!((added.line.host.as_deref(), added.line.id, added.ready), (Some("a.test"), 0, true));
        assert_eq!(added.track.as_deref(), Some("other/x"));
        let added = read("127.0.0.1:80 agent-check agent-port 5 agent-send track disabled").unwrap();
        assert_eq!((&*added.line.agent.unwrap().send, added.track, added.line.disabled), (&b"track"[..], None, true));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, want) in [
            ("", "arguments"),
            ("127.0.0.1:80 cookie x", "'cookie' option is not accepted for dynamic server"),
            ("127.0.0.1:80 weight 300", "300"),
            ("127.0.0.1:80 foo", "foo"),
            ("127.0.0.1:80 ssl verify none", "TLS"),
            ("127.0.0.1:+5 check", "no port"),
            ("127.0.0.1:80 track", "needs the name"),
            ("127.0.0.1:80 track b/s check", "checks and tracking"),
            ("127.0.0.1:80 agent-check", "port"),
            ("sockpair@3", "inherited"),
        ] {
            let why = read(line).unwrap_err();
            assert!(why.contains(want), "{line}: {why}");
        }
    }

    /// Whatever is typed is one line, and nobody panics.
    #[test]
    fn hostile_lines() {
        bolero::check!().with_type::<(String, Vec<String>)>().for_each(|(name, words)| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let one_line = |text: &str| !text.contains(['\n', '\r', '\0']);
            if !one_line(name) || !words.iter().all(|word| one_line(word)) {
                return;
            }
            if let Ok(added) = server("b", Mode::Tcp, name, &words) {
                assert_eq!(added.line.name, *name);
            }
        });
    }
}
