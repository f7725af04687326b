//! Things that no configuration of baton has yet: maps, certificates, peers, caches… They are shown as haproxy
//! shows them where none is configured, and naming one is an error, as there.
//!
//! The headings are what tools read; asked of 2.6.12.

use super::{Command, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;

/// A command on patterns of a map or of an ACL.
const fn pattern(words: &'static [&'static str], usage: &'static str, help: &'static str) -> Command {
    Command {
        words,
        usage,
        help,
        level: AdminLevel::User,
        run: |_, args| match args.first() {
            None => wrong("The id or the file of a map or an ACL is needed."),
            Some(_) => unknown_pattern(),
        },
    }
}

fn unknown_pattern() -> Reply {
    wrong("There is no such map or ACL: neither is here yet.")
}

/// What lists maps or ACLs: a heading, and nothing under it.
fn patterns(args: &[&str]) -> Reply {
    match args.first() {
        None => Reply::Text("# id (file) description\n".into()),
        Some(_) => unknown_pattern(),
    }
}

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
    pattern(&["add", "acl"], "[@<ver>] <acl> <pattern>", "add an entry to an ACL"),
    pattern(&["add", "map"], "[@<ver>] <map> <key> <val>", "add an entry to a map"),
    pattern(&["clear", "acl"], "[@<ver>] <acl>", "take all entries out of an ACL"),
    pattern(&["clear", "map"], "[@<ver>] <map>", "take all entries out of a map"),
    pattern(&["commit", "acl"], "@<ver> <acl>", "put a prepared ACL into effect"),
    pattern(&["commit", "map"], "@<ver> <map>", "put a prepared map into effect"),
    pattern(&["del", "acl"], "<acl> [<key>|#<ref>]", "take an entry out of an ACL"),
    pattern(&["del", "map"], "<map> [<key>|#<ref>]", "take an entry out of a map"),
    pattern(&["get", "acl"], "<acl> <value>", "what of an ACL matches a value"),
    pattern(&["get", "map"], "<map> <value>", "what a map makes of a value"),
    pattern(&["prepare", "acl"], "<acl>", "begin a new version of an ACL"),
    pattern(&["prepare", "map"], "<map>", "begin a new version of a map"),
    pattern(&["set", "map"], "<map> [<key>|#<ref>] <value>", "change an entry of a map"),
    Command {
        words: &["show", "acl"],
        usage: "[[@<ver>] <acl>]",
        help: "ACLs, or what one holds",
        level: AdminLevel::User,
        run: |_, args| patterns(args),
    },
    Command {
        words: &["show", "map"],
        usage: "[[@<ver>] <map>]",
        help: "maps, or what one holds",
        level: AdminLevel::User,
        run: |_, args| patterns(args),
    },
    Command {
        words: &["get", "var"],
        usage: "<name>",
        help: "a variable of the process",
        level: AdminLevel::Operator,
        run: |_, args| match args.first() {
            None => wrong("The name of a variable is needed."),
            Some(_) => wrong("Variable not found."),
        },
    },
    Command {
        words: &["show", "cache"],
        usage: "",
        help: "caches and what they hold",
        level: AdminLevel::Admin,
        run: |_, _| Reply::Done,
    },
    Command {
        words: &["show", "peers"],
        usage: "[dict|-] [section]",
        help: "peers and how they are connected",
        level: AdminLevel::User,
        run: |_, args| match args {
            ["dict" | "-"] => Reply::Done,
            ["dict" | "-", rest @ ..] => none(rest, "", "section of peers"),
            args => none(args, "", "section of peers"),
        },
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
