//! Things that no configuration of baton has yet: certificates, caches… They are shown as haproxy
//! shows them where none is configured, and naming one is an error, as there.
//!
//! The headings are what tools read; asked of 2.6.12.

use super::{Command, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;

/// The list of the sources of traces.
pub(super) fn no_traces() -> Reply {
    Reply::Remark(Level::Info, "Sources of traces: none.\n".into())
}

/// What is shown of things where there are none; naming one is an error.
fn none(args: &[&str], heading: &str, what: &str) -> Reply {
    match args.first() {
        None if heading.is_empty() => Reply::Done, // nothing to say
        None => Reply::Text(format!("{heading}\n")),
        Some(_) => wrong(&format!("There is no such {what}.")),
    }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "cache"],
        usage: "",
        help: "caches and what they hold",
        level: AdminLevel::Admin,
        run: |_, _| Reply::Done,
    },
    Command {
        words: &["show", "ssl", "ca-file"],
        usage: "[<cafile>[:<index>]]",
        help: "files of CAs, or one of them",
        level: AdminLevel::User,
        run: |_, args| none(args, "# filename", "file of CAs"),
    },
    Command {
        words: &["show", "ssl", "cert"],
        usage: "[<certfile>]",
        help: "certificates, or one of them",
        level: AdminLevel::User,
        run: |_, args| none(args, "", "certificate"),
    },
    Command {
        words: &["show", "ssl", "crl-file"],
        usage: "[<crlfile[:<index>>]]",
        help: "files of CRLs, or one of them",
        level: AdminLevel::User,
        run: |_, args| none(args, "# filename", "file of CRLs"),
    },
    Command {
        words: &["show", "ssl", "crt-list"],
        usage: "[-n] [<list>]",
        help: "lists of certificates, or one of them",
        level: AdminLevel::Admin,
        run: |_, args| none(args.strip_prefix(&["-n"]).unwrap_or(args), "", "list of certificates"),
    },
    Command {
        words: &["show", "ssl", "ocsp-response"],
        usage: "[id]",
        help: "OCSP responses, or one of them",
        level: AdminLevel::User,
        run: |_, args| none(args, "", "OCSP response"),
    },
    Command {
        words: &["show", "ssl", "providers"],
        usage: "",
        help: "providers of the TLS library",
        level: AdminLevel::User,
        run: |_, _| Reply::Text("Loaded providers : \n".into()),
    },
    Command {
        words: &["show", "tls-keys"],
        usage: "[id|*]",
        help: "keys of session tickets",
        level: AdminLevel::User,
        run: |_, args| none(args.strip_prefix(&["*"]).unwrap_or(args), "# id (file)", "file of keys"),
    },
    Command {
        words: &["show", "trace"],
        usage: "[<module>]",
        help: "sources of traces",
        level: AdminLevel::User,
        run: |_, args| if args.is_empty() { no_traces() } else { wrong("There are no sources of traces.") },
    },
];
