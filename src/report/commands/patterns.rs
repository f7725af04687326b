//! Maps and lists of ACLs at run time: shown, asked, changed, replaced as a whole.
//!
//! `map` and `acl` are two names for one thing, a list of patterns; which of them a list answers to is said by the lines that
//! use it. What a list does with a change is [`crate::expr::pattern`]'s. Source: management manual §9.3; forms of the replies,
//! versions and payloads were asked of 2.6.12.

use std::fmt::Write;
use std::sync::Arc;

use super::{Command, Console, wrong};
use crate::expr::pattern::{ChangeError, Entry, List, Method, View, Which, Written};
use crate::expr::{Type, Value};
use crate::ir::{AdminLevel, Level};
use crate::pool::{Later, Pool, Reply, Report};

/// Entries, or lists, that are told at once.
const STRIDE: usize = 256;

/// How a list is called by who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Acl,
    Map,
}
use Kind::{Acl, Map};

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Acl => "ACL",
            Map => "map",
        }
    }

    /// Whether a list is called so.
    fn has(self, list: &List) -> bool {
        list.uses().iter().any(|used| used.map == (self == Map))
    }

    /// The answer where no list, or nothing of a list, was named.
    fn needed(self, what: &str) -> Reply {
        wrong(&format!(
            "The id or the file of a {}{what} is needed.",
            if self == Map { "map" } else { "list of an ACL" }
        ))
    }

    fn unknown(self) -> Reply {
        wrong(&format!("There is no such {}: name it as '#<id>' or by its file.", self.name()))
    }
}

/// Whose lists are asked for.
struct Desk(Arc<Pool>);

/// What a command does with the words behind it, and with its payload.
type Run = fn(&Desk, &[&str], Option<&str>) -> Reply;

/// Has it done on a thread that serves nobody: to compile a long list anew takes its time, and who waits for that waits, too.
fn aside(console: &Console, args: &[&str], payload: Option<&str>, run: Run) -> Reply {
    let desk = Desk(Arc::clone(&console.pool));
    let words: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
    let payload = payload.map(str::to_owned);
    Reply::Aside(Later(Box::new(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(&desk, &words, payload.as_deref())
    })))
}

/// Adds a payload to a list: the only commands that take one.
pub(super) fn with_payload(console: &Console, command: &Command, args: &[&str], payload: &str) -> Option<Reply> {
    let run: Run = match command.words {
        ["add", "acl"] => |desk, args, payload| desk.add(Acl, args, payload),
        ["add", "map"] => |desk, args, payload| desk.add(Map, args, payload),
        _ => return None,
    };
    Some(aside(console, args, Some(payload), run))
}

macro_rules! rows {
    ($($words:tt $usage:literal $help:literal $run:expr;)*) => {
        pub(super) const COMMANDS: &[Command] = &[$(Command {
            words: &$words,
            usage: $usage,
            help: $help,
            level: AdminLevel::User,
            run: |console, args| aside(console, args, None, $run),
        },)*];
    };
}

rows! {
    ["add", "acl"] "[@<ver>] <acl> <pattern>" "add an entry to an ACL" |desk, args, _| desk.add(Acl, args, None);
    ["add", "map"] "[@<ver>] <map> <key> <val>" "add an entry to a map, or those of a payload" |desk, args, _| desk.add(Map, args, None);
    ["clear", "acl"] "[@<ver>] <acl>" "take all entries out of an ACL" |desk, args, _| desk.clear(Acl, args);
    ["clear", "map"] "[@<ver>] <map>" "take all entries out of a map" |desk, args, _| desk.clear(Map, args);
    ["commit", "acl"] "@<ver> <acl>" "put a prepared ACL into effect" |desk, args, _| desk.commit(Acl, args);
    ["commit", "map"] "@<ver> <map>" "put a prepared map into effect" |desk, args, _| desk.commit(Map, args);
    ["del", "acl"] "<acl> [<key>|#<ref>]" "take an entry out of an ACL" |desk, args, _| desk.delete(Acl, args);
    ["del", "map"] "<map> [<key>|#<ref>]" "take an entry out of a map" |desk, args, _| desk.delete(Map, args);
    ["get", "acl"] "<acl> <value>" "what of an ACL matches a value" |desk, args, _| desk.look_up(Acl, args);
    ["get", "map"] "<map> <value>" "what a map makes of a value" |desk, args, _| desk.look_up(Map, args);
    ["prepare", "acl"] "<acl>" "begin a new version of an ACL" |desk, args, _| desk.prepare(Acl, args);
    ["prepare", "map"] "<map>" "begin a new version of a map" |desk, args, _| desk.prepare(Map, args);
    ["set", "map"] "<map> [<key>|#<ref>] <value>" "change an entry of a map" |desk, args, _| desk.set(args);
    ["show", "acl"] "[[@<ver>] <acl>]" "ACLs, or what one holds" |desk, args, _| desk.show(Acl, args);
    ["show", "map"] "[[@<ver>] <map>]" "maps, or what one holds" |desk, args, _| desk.show(Map, args);
}

/// A version before the name of a list, and what follows; what is no number is 0, as in haproxy.
fn version<'w, 'a>(args: &'a [&'w str]) -> (Option<u32>, &'a [&'w str]) {
    let Some((text, rest)) = args.split_first().and_then(|(first, rest)| Some((first.strip_prefix('@')?, rest))) else {
        return (None, args);
    };
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number = if digits == 0 { 0 } else { text[..digits].parse().unwrap_or(i32::MAX as u32) };
    (Some(number), rest)
}

/// An entry by its pattern, or by its number, which `show` tells.
fn which(word: &str) -> Which<'_> {
    let number = word.strip_prefix("#0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.map_or(Which::Key(word.as_bytes()), Which::Id)
}

/// The entries of a payload: the first word of each line, and for a map all that follows it.
///
/// # Errors
/// The pattern without a value.
fn payload(kind: Kind, text: &str) -> Result<Vec<Written>, String> {
    let entry = |line: &str| {
        let (key, rest) = match line.find([' ', '\t']) {
            Some(at) => line.split_at(at),
            None if kind == Map => return Err(line.to_owned()),
            None => (line, ""),
        };
        let value = (kind == Map).then(|| rest.trim_start_matches([' ', '\t']).as_bytes().into());
        Ok(Written { key: key.as_bytes().into(), value, ..Written::default() })
    };
    let entries = text.lines().map(entry).collect::<Result<Vec<_>, _>>()?;
    if entries.is_empty() { Err(String::new()) } else { Ok(entries) }
}

fn changed(changed: Result<(), ChangeError>) -> Reply {
    match changed {
        Ok(()) => Reply::Done,
        Err(ChangeError::Version(version)) => {
            wrong(&format!("Version {version} is not there to be changed: 'prepare' makes one."))
        }
        Err(ChangeError::Pattern(why)) => wrong(&format!("{why}.")),
    }
}

impl Desk {
    /// The list that a word names, whatever it is called; `None`: nothing has that name.
    fn list(&self, word: &str) -> Option<&Arc<List>> {
        let lists = &self.0.config.lists;
        match word.strip_prefix('#') {
            Some(number) => {
                let id: u32 = number.parse().ok()?;
                lists.iter().find(|list| list.id() == id)
            }
            None => lists.iter().find(|list| list.file.as_deref() == Some(word)),
        }
    }

    /// The list that a word names, if it is called so.
    fn list_of(&self, kind: Kind, word: &str) -> Result<&Arc<List>, Reply> {
        self.list(word).filter(|list| kind.has(list)).ok_or_else(|| kind.unknown())
    }

    /// `add acl`, `add map`: one entry, or those of a payload, all or none.
    fn add(&self, kind: Kind, args: &[&str], lines: Option<&str>) -> Reply {
        let (version, args) = version(args);
        let entries = match (kind, args, lines) {
            (Acl, [_, _, ..], Some(text)) | (Map, [_, ..], Some(text)) => match payload(kind, text) {
                Ok(entries) => entries,
                Err(key) => return wrong(&format!("Missing value for key '{key}'.")),
            },
            (Acl, [_, key, ..], None) => vec![Written { key: key.as_bytes().into(), ..Written::default() }],
            (Map, [_, key, value, ..], None) => {
                let value = Some(value.as_bytes().into());
                vec![Written { key: key.as_bytes().into(), value, ..Written::default() }]
            }
            (Acl, ..) => return kind.needed(", and a pattern"),
            (Map, ..) => return kind.needed(", a key and a value, or a payload"),
        };
        let word = args.first().copied().unwrap_or_default();
        if kind == Acl && self.list(word).is_some_and(|list| list.map) {
            return wrong("Values stand behind the patterns of this list: 'add map' is needed here.");
        }
        match self.list_of(kind, word) {
            Ok(list) => changed(list.add(version, entries)),
            Err(reply) => reply,
        }
    }

    fn set(&self, args: &[&str]) -> Reply {
        let [list, entry, value, ..] = args else { return Map.needed(", a key and a value") };
        match self.list_of(Map, list).map(|list| list.set(which(entry), value.as_bytes())) {
            Ok(Ok(true)) => Reply::Done,
            Ok(Ok(false)) => wrong("There is no such entry."),
            Ok(Err(why)) => wrong(&format!("{why}.")),
            Err(reply) => reply,
        }
    }

    fn delete(&self, kind: Kind, args: &[&str]) -> Reply {
        let [list, entry, ..] = args else { return kind.needed(", and a key") };
        match self.list_of(kind, list).map(|list| list.delete(which(entry))) {
            Ok(true) => Reply::Done,
            Ok(false) => wrong("There is no such entry."),
            Err(reply) => reply,
        }
    }

    fn clear(&self, kind: Kind, args: &[&str]) -> Reply {
        let (version, args) = version(args);
        let Some(word) = args.first() else { return kind.needed("") };
        match self.list_of(kind, word) {
            Ok(list) => {
                list.clear(version);
                Reply::Done
            }
            Err(reply) => reply,
        }
    }

    fn prepare(&self, kind: Kind, args: &[&str]) -> Reply {
        let Some(word) = args.first() else { return kind.needed("") };
        match self.list_of(kind, word) {
            Ok(list) => Reply::Remark(Level::Info, format!("New version created: {}\n", list.prepare())),
            Err(reply) => reply,
        }
    }

    fn commit(&self, kind: Kind, args: &[&str]) -> Reply {
        let (Some(version), args) = version(args) else { return wrong("A version is needed: '@<ver>'.") };
        let Some(word) = args.first() else { return kind.needed("") };
        match self.list_of(kind, word) {
            Ok(list) => changed(list.commit(version)),
            Err(reply) => reply,
        }
    }

    /// What each way to compare finds.
    fn look_up(&self, kind: Kind, args: &[&str]) -> Reply {
        let [word, value, ..] = args else { return kind.needed(", and a value") };
        let Some(list) = self.list(word) else { return kind.unknown() };
        let mut out = String::new();
        for view in list.views() {
            found(kind, &view, value.as_bytes(), &mut out);
        }
        if out.is_empty() { Reply::Done } else { Reply::Text(out) }
    }

    fn show(&self, kind: Kind, args: &[&str]) -> Reply {
        let (version, args) = version(args);
        let Some(word) = args.first() else { return self.show_lists(kind) };
        let list = match self.list_of(kind, word) {
            Ok(list) => list,
            Err(reply) => return reply,
        };
        let chunks = list.entries(version);
        if chunks.is_empty() {
            return Reply::Done;
        }
        let (mut chunk, mut at) = (0, 0);
        Reply::Pieces(Report::new(move |out| {
            for _ in 0..STRIDE {
                let Some(entries) = chunks.get(chunk) else { return false };
                match entries.get(at) {
                    Some(entry) => {
                        at += 1;
                        line(entry, out);
                    }
                    None => (chunk, at) = (chunk + 1, 0),
                }
            }
            true
        }))
    }

    /// All lists that are called so.
    fn show_lists(&self, kind: Kind) -> Reply {
        let (config, mut at) = (Arc::clone(&self.0.config), 0);
        Reply::Pieces(Report::new(move |out| {
            if at == 0 {
                out.push_str("# id (file) description\n");
            }
            let next = config.lists.iter().skip(at).take(STRIDE);
            next.filter(|list| kind.has(list)).for_each(|list| describe(list, out));
            at += STRIDE;
            at < config.lists.len()
        }))
    }
}

/// An entry as `show` has it.
fn line(entry: &Entry, out: &mut String) {
    if entry.is_gone() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = write!(out, "{:#x} {}", entry.id(), String::from_utf8_lossy(&entry.key));
    entry.with_value(|value| {
        out.push(' ');
        out.push_str(&String::from_utf8_lossy(value));
    });
    out.push('\n');
}

/// A list in the list of all.
fn describe(list: &List, out: &mut String) {
    let uses = list.uses();
    let mut places = String::new();
    for used in &uses {
        let name = if used.map { "map" } else { "acl" };
        let comma = if places.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(places, "{comma}by {name} at file '{}' line {}", used.file, used.line);
    }
    let what = match (&list.file, uses.first()) {
        (Some(file), _) => format!("pattern loaded from file '{file}' used {places}"),
        (None, Some(used)) => format!("acl '{}' file '{}' line {}", used.fetch, used.file, used.line),
        (None, None) => String::new(),
    };
    let state = list.state();
    let file = list.file.as_deref().unwrap_or_default();
    let _ = writeln!(
        out,
        "{} ({file}) {what}. curr_ver={} next_ver={} entry_cnt={}",
        list.id(),
        state.version,
        state.next,
        state.count
    );
}

/// What one way to compare finds for a value that was typed.
fn found(kind: Kind, view: &View, text: &[u8], out: &mut String) {
    let look = view.look();
    let to = match look.method {
        Method::Int => Type::Int,
        Method::Ip => Type::Addr,
        Method::Bin => Type::Bin,
        _ => Type::Str,
    };
    let set = view.set();
    let value = Value::text(text).cast(to);
    let found = value.and_then(|value| set.find(&value));
    let case = if look.flags.any_case { "insensitive" } else { "sensitive" };
    let (does, pattern) = if kind == Map { ("found", "key") } else { ("match", "pattern") };
    // Writing to a String cannot fail.
    let _ = write!(out, "type={}, case={case}, {does}=", look.method.name());
    let Some(found) = found else {
        out.push_str("no\n");
        return;
    };
    // As haproxy keeps them; tools may read it, nothing here depends on it.
    let tree = match look.method {
        Method::Ip => true,
        Method::Str | Method::Beg => !look.flags.any_case,
        _ => false,
    };
    let index = if tree { "tree" } else { "list" };
    let _ = write!(out, "yes, idx={index}, {pattern}=\"{}\"", String::from_utf8_lossy(&found.entry.key));
    if kind == Map {
        let shown = look.gives.and_then(|gives| {
            found.entry.with_value(|value| {
                let name = match gives {
                    Type::Int => "sint",
                    Type::Addr if value.contains(&b':') => "ipv6",
                    Type::Addr => "ipv4",
                    _ => "str",
                };
                format!("value=\"{}\", type=\"{name}\"", String::from_utf8_lossy(value))
            })
        });
        let _ = write!(out, ", {}", shown.as_deref().unwrap_or("value=none"));
    }
    out.push('\n');
}
