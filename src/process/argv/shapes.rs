//! haproxy's option shapes, and their rewriting to long options.
//!
//! Knows how many words an option takes and nothing of what it means.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::ArgvError;

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// The next word, whatever it looks like.
    Word,
    /// The words up to the next that begins with a dash.
    Words,
    /// What stands in the same word right behind it, if anything.
    Tail,
}

/// One option as haproxy writes it.
pub(super) struct Shape {
    /// With its dash.
    pub(super) short: &'static str,
    pub(super) takes: Takes,
    /// The long option that it becomes.
    pub(super) long: &'static str,
}

const fn shape(short: &'static str, takes: Takes, long: &'static str) -> Shape {
    Shape { short, takes, long }
}

/// Every option that 2.6 or 3.4 lists, but `--`.
pub(super) const SHAPES: &[Shape] = {
    use Takes::{Nothing, Tail, Word, Words};
    &[
        shape("-f", Word, "config"),
        shape("-C", Word, "directory"),
        shape("-c", Nothing, "check"),
        shape("-cc", Word, "check-condition"),
        shape("-v", Nothing, "version"),
        shape("-vv", Nothing, "build-options"),
        shape("-vq", Nothing, "version-number"),
        shape("-D", Nothing, "daemon"),
        shape("-db", Nothing, "foreground"),
        shape("-d", Nothing, "debug"),
        shape("-q", Nothing, "quiet"),
        shape("-V", Nothing, "verbose"),
        shape("-p", Word, "pidfile"),
        shape("-sf", Words, "finish"),
        shape("-st", Words, "terminate"),
        shape("-x", Word, "sockets-from"),
        shape("-n", Word, "maxconn"),
        shape("-N", Word, "proxy-maxconn"),
        shape("-m", Word, "memory"),
        shape("-L", Word, "local-peer"),
        shape("-W", Nothing, "master-worker"),
        shape("-Ws", Nothing, "master-worker-notify"),
        shape("-S", Word, "master-socket"),
        shape("-4", Nothing, "ipv4-only"),
        shape("-dA", Tail, "dump-archive"),
        shape("-dC", Tail, "dump-config"),
        shape("-dD", Nothing, "diagnose"),
        shape("-dF", Nothing, "no-fast-forward"),
        shape("-dG", Nothing, "no-getaddrinfo"),
        shape("-dI", Nothing, "insecure-fork"),
        shape("-dK", Tail, "list-keywords"),
        shape("-dL", Nothing, "list-objects"),
        shape("-dM", Tail, "debug-memory"),
        shape("-dR", Nothing, "no-reuseport"),
        shape("-dS", Nothing, "no-splice"),
        shape("-dV", Nothing, "no-server-verify"),
        shape("-dW", Nothing, "zero-warning"),
        shape("-dZ", Nothing, "no-zero-copy"),
        shape("-de", Nothing, "no-epoll"),
        shape("-dk", Nothing, "no-kqueue"),
        shape("-dp", Nothing, "no-poll"),
        shape("-dr", Nothing, "ignore-unresolved"),
        shape("-dt", Tail, "trace"),
    ]
};

/// Turns haproxy's words into long options, each with its value in the same word.
pub(super) fn rewrite(words: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, ArgvError> {
    let mut words = words.into_iter().peekable();
    let mut long = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            long.extend(words.by_ref().map(|file| joined("config", &file)));
            break;
        }
        if word == "-h" {
            return Err(ArgvError::Usage);
        }
        if word.as_bytes().starts_with(b"--") {
            let value = takes_value(&word).then(|| words.next()).flatten();
            long.push(value.map_or(word.clone(), |value| glued(word, &value)));
            continue;
        }
        let Some((shape, tail)) = find(&word) else { return Err(unknown(&word)) };
        match shape.takes {
            Takes::Nothing => long.push(OsString::from(format!("--{}", shape.long))),
            Takes::Word => {
                let value = words.next().ok_or(ArgvError::NoValue(shape.short))?;
                long.push(joined(shape.long, &value));
            }
            Takes::Words => {
                while let Some(value) = words.next_if(|word| !word.as_bytes().starts_with(b"-")) {
                    long.push(joined(shape.long, &value));
                }
            }
            Takes::Tail => long.push(joined(shape.long, OsStr::from_bytes(tail))),
        }
    }
    Ok(long)
}

fn find(word: &OsStr) -> Option<(&'static Shape, &[u8])> {
    let bytes = word.as_bytes();
    let exact = SHAPES.iter().find(|shape| shape.short.as_bytes() == bytes).map(|shape| (shape, &b""[..]));
    exact.or_else(|| {
        let tailed = SHAPES.iter().filter(|shape| shape.takes == Takes::Tail);
        tailed.filter_map(|shape| Some((shape, bytes.strip_prefix(shape.short.as_bytes())?))).next()
    })
}

/// Whether a long option's value is the next word.
fn takes_value(word: &OsStr) -> bool {
    let name = word.to_str().and_then(|word| word.strip_prefix("--")).unwrap_or_default();
    let takes = |shape: &Shape| shape.long == name && matches!(shape.takes, Takes::Word | Takes::Words);
    name == "generate" || SHAPES.iter().any(takes)
}

fn glued(mut word: OsString, value: &OsStr) -> OsString {
    word.push("=");
    word.push(value);
    word
}

fn joined(long: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{long}="));
    word.push(value);
    word
}

fn unknown(word: &OsStr) -> ArgvError {
    let word = word.to_string_lossy();
    if word.starts_with('-') {
        return ArgvError::Unknown(format!("there is no option '{word}'"));
    }
    ArgvError::Unknown(format!("'{word}' is no option: a configuration file is named by -f, or stands after --"))
}
