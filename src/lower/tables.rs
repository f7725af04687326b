//! `stick-table …`: what a proxy remembers, and of whom.
//!
//! Source: manual §4.2 "stick-table"; which words are taken was asked of 2.6 (`fixtures/verdict/tables`), which reads the
//! last of two `type`s or `size`s. `glitch_cnt`, `glitch_rate`, `recv-only` and `write-to` are of 3.x.

use std::collections::HashMap;

use super::args::{Args, Given};
use super::bind::part_of;
use super::draft::{Named, ProxyDraft};
use super::error::{Blame, LowerError, Lowered};
use super::section::Sections;
use crate::ir::table::{Datum, KeyKind, ServerKey, Stored, Table, TableIx};
use crate::ir::{Global, ProxyIx};
use crate::text::{Diagnostic, Span};
use crate::units::Size;

/// The most elements of an array.
const MOST_ELEMENTS: i64 = 100;

/// Arrays, and what they stand for: they are not stored together.
const OVERRIDES: [(Datum, &[Datum]); 3] = [
    (Datum::Gpt, &[Datum::Gpt0]),
    (Datum::Gpc, &[Datum::Gpc0, Datum::Gpc1]),
    (Datum::GpcRate, &[Datum::Gpc0Rate, Datum::Gpc1Rate]),
];

const KINDS: &[&str] = &["ip", "ipv6", "integer", "string", "binary"];
const SERVER_KEYS: &[&str] = &["name", "addr"];

/// A table as it was read, with names still to be looked up.
#[derive(Debug, Clone)]
pub struct TableDraft {
    /// What is known of it.
    pub table: Table,
    /// The section of `peers`.
    pub peers: Option<Named>,
    /// The table of `write-to`.
    pub write_to: Option<Named>,
    /// Its number, when all is read.
    pub ix: TableIx,
}

/// `stick-table …`: one a proxy.
pub fn stick_table(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    if let Some(first) = &proxy.table {
        return Err(args.blame_keyword(LowerError::TableTaken {
            name: proxy.name.clone(),
            kind: proxy.kind.keyword(),
            line: first.table.span.line,
        }));
    }
    proxy.table = Some(Box::new(draft(&proxy.name, args)?));
    Ok(())
}

/// The words of a table, as they stand behind `stick-table`, or behind `table NAME` in a `peers` section.
///
/// # Errors
/// A word that is wrong or missing.
pub(super) fn draft(name: &str, args: &mut Args<'_>) -> Lowered<TableDraft> {
    let (mut kind, mut size) = (None, 0);
    let mut draft = TableDraft {
        table: Table {
            name: name.into(),
            kind: KeyKind::Ip,
            size: 0,
            expire: None,
            nopurge: false,
            store: Vec::new(),
            peers: None,
            server_key: ServerKey::Name,
            write_to: None,
            recv_only: false,
            owner: None,
            span: args.span(),
        },
        peers: None,
        write_to: None,
        ix: TableIx(0),
    };
    let table = &mut draft.table;
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"type" => kind = Some(key_kind(args)?),
            b"size" => {
                let given = args.word("a number of entries")?;
                let why = |why| given.blame(LowerError::Size { text: given.text(), why });
                size = Size::parse(given.bytes).map_err(why)?.get();
            }
            b"expire" => table.expire = Some(args.time()?).filter(|time| time.get() > 0),
            b"nopurge" => table.nopurge = true,
            b"recv-only" => table.recv_only = true,
            b"peers" => draft.peers = Some(named(args, "the name of a 'peers' section")?),
            b"write-to" => draft.write_to = Some(named(args, "the name of a table")?),
            b"srvkey" => {
                let given = args.word("'name' or 'addr'")?;
                table.server_key = match given.bytes {
                    b"name" => ServerKey::Name,
                    b"addr" => ServerKey::Address,
                    _ => return Err(given.blame(LowerError::Choice { text: given.text(), choices: SERVER_KEYS })),
                };
            }
            b"store" => {
                if let Some(list) = args.next_word() {
                    store(table, &list, args)?;
                }
            }
            _ => return Err(word.blame(LowerError::Option { keyword: "stick-table", text: word.text() })),
        }
    }
    if size == 0 {
        return Err(args.missing("'size' with a number of entries"));
    }
    table.size = size;
    table.kind = kind.ok_or_else(|| args.missing("'type' with a type of keys"))?;
    table.store.sort_by_key(|stored| stored.datum);
    table.peers = draft.peers.as_ref().map(|named| named.name.as_str().into());
    Ok(draft)
}

fn named(args: &mut Args<'_>, what: &'static str) -> Lowered<Named> {
    let word = args.word(what)?;
    Ok(Named { name: word.text(), span: word.span })
}

/// `ip`, `ipv6`, `integer`, `string [len N]`, `binary [len N]`.
fn key_kind(args: &mut Args<'_>) -> Lowered<KeyKind> {
    let word = args.word("a type of keys")?;
    let of_length = match word.bytes {
        b"ip" => return Ok(KeyKind::Ip),
        b"ipv6" => return Ok(KeyKind::Ipv6),
        b"integer" => return Ok(KeyKind::Integer),
        b"string" => KeyKind::String,
        b"binary" => KeyKind::Binary,
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: KINDS })),
    };
    let length = match args.take("len") {
        false => 32,
        true => args.word("a length")?.lenient_u32(1, i32::MAX as u32, args)?,
    };
    Ok(of_length(length))
}

/// `<datum>[,<datum>…]`. What stands between a parenthesis that closes and the next comma is ignored, as haproxy does.
fn store(table: &mut Table, list: &Given<'_>, args: &mut Args<'_>) -> Lowered {
    let mut at = 0;
    while at < list.bytes.len() {
        let rest = &list.bytes[at..];
        let end = rest.iter().position(|byte| matches!(byte, b',' | b'(')).unwrap_or(rest.len());
        let word = part_of(list, at, end);
        let mut argument = None;
        let mut next = at + end;
        if rest.get(end) == Some(&b'(') {
            let close = rest.iter().position(|byte| *byte == b')');
            let close = close.ok_or_else(|| list.blame(LowerError::Unclosed { text: list.text() }))?;
            argument = Some(part_of(list, at + end + 1, close.saturating_sub(end + 1)));
            let behind = &rest[close..];
            next = at + close + behind.iter().position(|byte| *byte == b',').unwrap_or(behind.len());
        }
        store_one(table, &word, argument, args)?;
        at = next + 1;
    }
    Ok(())
}

fn store_one(table: &mut Table, word: &Given<'_>, argument: Option<Given<'_>>, args: &mut Args<'_>) -> Lowered {
    let name = word.text();
    // 2.6 knows the one by two names
    let datum = Datum::named(&name).or_else(|| (name == "server_name").then_some(Datum::ServerKey));
    let datum = datum.ok_or_else(|| word.blame(LowerError::Option { keyword: "stick-table store", text: name }))?;
    let keyword =
        || LowerError::Missing { keyword: format!("store {}", datum.name()), what: "an argument in parentheses" };
    let mut stored = Stored { datum, elements: 1, period: None };
    match (takes(datum), argument) {
        ((false, false), None) => {}
        ((false, false), Some(argument)) => {
            let text = argument.text();
            return Err(argument.blame(LowerError::Extra { keyword: datum.name().to_owned(), text }));
        }
        (_, None) => return Err(word.blame(keyword())),
        ((array, rate), Some(argument)) => {
            let comma = argument.bytes.iter().position(|byte| *byte == b',').unwrap_or(argument.bytes.len());
            let first = part_of(&argument, 0, comma);
            let mut period = first;
            if array {
                stored.elements = first.lenient_u32(1, MOST_ELEMENTS as u32, args)?;
                if rate && comma == argument.bytes.len() {
                    return Err(word.blame(keyword()));
                }
                let start = (comma + 1).min(argument.bytes.len());
                let rest = &argument.bytes[start..];
                period = part_of(&argument, start, rest.iter().position(|b| *b == b',').unwrap_or(rest.len()));
            }
            if rate {
                stored.period = Some(args.time_of(&period)?);
            }
        }
    }
    if table.stored(datum).is_some() {
        let message = format!("'{}' is stored already: the first one holds", datum.name());
        args.say(Diagnostic::warning(word.span, message));
        return Ok(());
    }
    for (array, singles) in OVERRIDES {
        let clash = match datum == array {
            true => singles.iter().find(|single| table.stored(**single).is_some()),
            false => Some(&array).filter(|array| singles.contains(&datum) && table.stored(**array).is_some()),
        };
        if let Some(clash) = clash {
            return Err(word.blame(LowerError::NotTogether { one: datum.name(), other: clash.name() }));
        }
    }
    table.store.push(stored);
    Ok(())
}

/// Whether a datum takes a number of elements, and whether it takes a period.
fn takes(datum: Datum) -> (bool, bool) {
    (datum.indexed(), datum.shape() == crate::ir::table::Shape::Rate)
}

/// Says which tables have the name of another: haproxy says so while it reads.
pub(super) fn check(sections: &Sections, said: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, &ProxyDraft> = HashMap::new();
    for proxy in &sections.proxies {
        let Some(draft) = &proxy.table else { continue };
        let Some(other) = first.insert(&proxy.name, proxy) else { continue };
        let line = other.table.as_ref().map_or(0, |table| table.table.span.line);
        let error = LowerError::TableTaken { name: proxy.name.clone(), kind: other.kind.keyword(), line };
        said.push(Blame { span: draft.table.span, error, hint: None }.alert());
    }
}

/// Numbers all tables in the order of the files, and looks up the `peers` sections that those of proxies name.
pub(super) fn number(sections: &mut Sections, global: &Global, said: &mut Vec<Diagnostic>) {
    let of_proxies = sections.proxies.iter_mut().filter_map(|proxy| proxy.table.as_deref_mut());
    let mut all: Vec<&mut TableDraft> = of_proxies.chain(&mut sections.of_peers).collect();
    all.sort_by_key(|draft| (draft.table.span.file.0, draft.table.span.line));
    for (ix, draft) in (0..).zip(all) {
        draft.ix = TableIx(ix);
    }
    for proxy in &sections.proxies {
        let Some(draft) = &proxy.table else { continue };
        if let Some(peers) = draft.peers.as_ref().filter(|_| !proxy.set.disabled)
            && let Err(why) = super::peers::look_up(global, &peers.name)
        {
            let message = format!("{} '{}': {why}", proxy.kind.keyword(), proxy.name);
            said.push(Diagnostic::alert(peers.span, message).resolved());
        }
    }
}

/// All tables, by number.
pub(super) fn collect(sections: &mut Sections, said: &mut Vec<Diagnostic>) -> Vec<Table> {
    let find = |name: &str| {
        let of_proxies = sections.proxies.iter().filter_map(|proxy| proxy.table.as_deref());
        of_proxies.chain(&sections.of_peers).find(|draft| &*draft.table.name == name)
    };
    let mut targets: HashMap<TableIx, (TableIx, Span)> = HashMap::new();
    let of_proxies = sections.proxies.iter().filter_map(|proxy| proxy.table.as_deref());
    for draft in of_proxies.chain(&sections.of_peers) {
        let Some(named) = &draft.write_to else { continue };
        match find(&named.name) {
            Some(target) if target.table.kind == draft.table.kind && target.ix != draft.ix => {
                targets.insert(draft.ix, (target.ix, named.span));
            }
            Some(_) => {
                let error = LowerError::Misplaced("'write-to' needs another table with the same type of keys");
                said.push(Blame { span: named.span, error, hint: None }.alert());
            }
            None => {
                let message = format!("there is no stick table '{}'", named.name);
                said.push(Diagnostic::alert(named.span, message).resolved());
            }
        }
    }
    let mut tables = Vec::new();
    for (at, proxy) in sections.proxies.iter_mut().enumerate() {
        let Some(draft) = proxy.table.take() else { continue };
        let write_to = targets.get(&draft.ix).map(|(target, _)| *target);
        let owner = u32::try_from(at).ok().map(ProxyIx);
        tables.push((draft.ix, Table { owner, write_to, ..draft.table }));
    }
    let target = |ix| targets.get(&ix).map(|(target, _)| *target);
    let of_peers = sections.of_peers.drain(..);
    tables.extend(of_peers.map(|draft| (draft.ix, Table { write_to: target(draft.ix), ..draft.table })));
    tables.sort_by_key(|(ix, _)| *ix);
    tables.into_iter().map(|(_, table)| table).collect()
}
