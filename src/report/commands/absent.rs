//! Commands about what baton does not have: each says so in one line. Who may use them is haproxy's judgement.
//!
//! A command that only shows things is answered as by haproxy where nothing of the kind is configured (`nothing`); those
//! here would change something, or show what has no meaning here.

use super::{Command, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;

/// A command about certificates.
const fn tls(words: &'static [&'static str], usage: &'static str, help: &'static str) -> Command {
    Command { words, usage, help, level: AdminLevel::Admin, run: |_, _| wrong("There is no TLS here yet.") }
}

/// A command about cookies.
const fn cookie(words: &'static [&'static str], usage: &'static str, help: &'static str) -> Command {
    Command { words, usage, help, level: AdminLevel::Admin, run: |_, _| wrong("There are no cookies here yet.") }
}

pub(super) const COMMANDS: &[Command] = &[
    tls(&["abort", "ssl", "ca-file"], "<cafile>", "drop the changes to a file of CAs"),
    tls(&["abort", "ssl", "cert"], "<certfile>", "drop the changes to a certificate"),
    tls(&["abort", "ssl", "crl-file"], "<crlfile>", "drop the changes to a file of CRLs"),
    tls(&["add", "ssl", "ca-file"], "<cafile> <payload>", "add CAs to a file"),
    tls(&["add", "ssl", "crt-list"], "<list> <cert> [opts]*", "add a certificate to a list"),
    tls(&["commit", "ssl", "ca-file"], "<cafile>", "put the changes to a file of CAs into effect"),
    tls(&["commit", "ssl", "cert"], "<certfile>", "put the changes to a certificate into effect"),
    tls(&["commit", "ssl", "crl-file"], "<crlfile>", "put the changes to a file of CRLs into effect"),
    tls(&["del", "ssl", "ca-file"], "<cafile>", "forget a file of CAs"),
    tls(&["del", "ssl", "cert"], "<certfile>", "forget a certificate"),
    tls(&["del", "ssl", "crl-file"], "<crlfile>", "forget a file of CRLs"),
    tls(&["del", "ssl", "crt-list"], "<list> <cert[:line]>", "take a certificate from a list"),
    tls(&["new", "ssl", "ca-file"], "<cafile>", "begin a file of CAs"),
    tls(&["new", "ssl", "cert"], "<certfile>", "begin a certificate"),
    tls(&["new", "ssl", "crl-file"], "<crlfile>", "begin a file of CRLs"),
    tls(&["set", "ssl", "ca-file"], "<cafile> <payload>", "change a file of CAs"),
    tls(&["set", "ssl", "cert"], "<certfile> <payload>", "change a certificate"),
    tls(&["set", "ssl", "crl-file"], "<crlfile> <payload>", "change a file of CRLs"),
    Command {
        level: AdminLevel::User,
        ..tls(&["set", "ssl", "ocsp-response"], "<resp|payload>", "change a certificate's OCSP response")
    },
    Command {
        level: AdminLevel::User,
        ..tls(&["set", "ssl", "tls-key"], "[id|file] <key>", "change a key of session tickets")
    },
    cookie(&["disable", "dynamic-cookie", "backend"], "<bk>", "give no dynamic cookies"),
    cookie(&["enable", "dynamic-cookie", "backend"], "<bk>", "give dynamic cookies"),
    cookie(&["set", "dynamic-cookie-key", "backend"], "<bk> <k>", "change the key of dynamic cookies"),
    Command {
        words: &["set", "profiling"],
        usage: "<what> {auto|on|off}",
        help: "measure tasks or memory",
        level: AdminLevel::Admin,
        run: |_, _| wrong("Nothing can be profiled from here: use the system's profilers."),
    },
    Command {
        words: &["show", "tasks"],
        usage: "",
        help: "tasks that wait to run",
        level: AdminLevel::User,
        run: |_, _| wrong("The queue of tasks that wait to run cannot be looked into."),
    },
    Command {
        words: &["trace"],
        usage: "[<module>|0] [cmd [args...]]",
        help: "follow what modules do",
        level: AdminLevel::Operator,
        run: |_, args| match args.first() {
            None => super::nothing::no_traces(),
            Some(&"0") => Reply::Remark(Level::Notice, "No trace was running.\n".into()),
            Some(_) => wrong("There are no sources of traces."),
        },
    },
    Command {
        words: &["set", "anon"],
        usage: "on|off [<key>]",
        help: "hide names in what is shown",
        level: AdminLevel::Operator,
        run: |_, _| wrong("Names cannot be hidden."),
    },
    Command {
        words: &["show", "anon"],
        usage: "",
        help: "whether names are hidden",
        level: AdminLevel::User,
        run: |_, _| wrong("Names cannot be hidden."),
    },
];
