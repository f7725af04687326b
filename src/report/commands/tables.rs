//! `show table`, `set table`, `clear table`.
//!
//! What is written and who may do it: asked of 2.6.12 (`tests/stick_tables.rs` plays the same on both programs). Tools look for
//! the headings, for the form of an entry and for the short errors, so those are haproxy's. Differences are in
//! docs/OBSERVED.md.

use std::sync::Arc;

use super::table_lines::{self, Operator};
use super::{Command, Console, wrong};
use crate::expr::Value;
use crate::ir::AdminLevel;
use crate::ir::table::{Datum, Key, KeyKind};
use crate::pool::tables::{Cursor, Table, View};
use crate::pool::{Later, Reply, Report};
use crate::units::Tick;

/// Filters of one command.
const FILTERS: usize = 4;

/// Entries that are shown in the order of their keys; where there are more, they come as they lie.
const SORTED: u32 = 65_536;

/// Entries that an order deals with on the thread that asks.
const FEW: u32 = 4096;

/// Places that are looked at for one piece of a report, or under one lock.
const STRIDE: u32 = 256;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "table"],
        usage: "[<table> [<filter>]*]",
        help: "stick tables, or what one holds",
        level: AdminLevel::User,
        run: |console, args| console.show_table(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["set", "table"],
        usage: "<table> key <k> [data.* <v>]*",
        help: "change or add an entry of a table",
        level: AdminLevel::User,
        run: |console, args| console.set_table(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["clear", "table"],
        usage: "<table> [<filter>]*",
        help: "take entries out of a table",
        level: AdminLevel::User,
        run: |console, args| console.clear_table(args).unwrap_or_else(|reply| reply),
    },
];

/// What a datum must be for an entry to be meant.
#[derive(Debug, Clone, Copy)]
struct Filter {
    datum: Datum,
    operator: Operator,
    value: i64,
}

/// All of them must be true.
#[derive(Debug, Clone, Default)]
struct Filters(Vec<Filter>);

impl Filters {
    fn mean(&self, entry: View<'_>) -> bool {
        self.0.iter().all(|one| entry.exact(one.datum, 0).is_some_and(|data| one.operator.holds(data, one.value)))
    }
}

impl Console {
    fn table(&self, name: &str) -> Result<&Arc<Table>, Reply> {
        self.pool.tables.named(name).ok_or_else(|| wrong("No such table"))
    }

    /// What a user without rights is answered: that tables are there.
    pub(super) fn table_command_of_user(&self, command: &Command, args: &[&str]) -> Reply {
        let Some((name, rest)) = args.split_first() else { return (command.run)(self, args) };
        match self.table(name) {
            Err(reply) => reply,
            Ok(table) if command.words == ["show", "table"] && rest.is_empty() => {
                let mut out = table_lines::heading(table, self.now());
                out.push_str("# contents not dumped due to insufficient privileges\n");
                Reply::Text(out)
            }
            Ok(_) => super::denied(),
        }
    }

    fn show_table(&self, args: &[&str]) -> Result<Reply, Reply> {
        let now = self.now();
        let Some((name, args)) = args.split_first() else {
            // haproxy shows the last first
            let all: String = self.pool.tables.iter().rev().map(|table| table_lines::heading(table, now)).collect();
            return Ok(if all.is_empty() { Reply::Done } else { Reply::Text(all) });
        };
        let table = self.table(name)?;
        if let ["key", rest @ ..] = args {
            let Some(key) = key_of(table, rest, "Showing")? else { return Ok(Reply::Done) };
            let mut out = table_lines::heading(table, now);
            return Ok(match table.look(&key, now, |entry| table_lines::entry(&entry, &mut out)) {
                Some(()) => Reply::Text(out),
                None => Reply::Done,
            });
        }
        let refusal = "What may follow is 'data.<store_data_type> <operator> <value>' or 'key <key>'.";
        let filters = filters(table, args, refusal)?;
        let (table, clock) = (Arc::clone(table), self.identity.clock);
        if table.used() > FEW && table.used() <= SORTED {
            return Ok(Reply::Aside(Later(Box::new(move || sorted(table, filters, clock)))));
        }
        Ok(if table.used() > SORTED { unsorted(table, filters, clock) } else { sorted(table, filters, clock) })
    }

    fn set_table(&self, args: &[&str]) -> Result<Reply, Reply> {
        let [name, args @ ..] = args else {
            return Err(wrong(
                "Needed: a table, 'key', a key, and 'data.<store_data_type> <value>' as often as you like.",
            ));
        };
        let table = self.table(name)?;
        let ["key", args @ ..] = args else {
            return Err(wrong("Needed: 'key', a key, and 'data.<store_data_type> <value>' as often as you like."));
        };
        let key = key_of(table, args, "Inserting")?.ok_or_else(|| wrong("Invalid key"))?;
        let now = self.now();
        let entry = table.entry(&key, now).ok_or_else(|| wrong("Unable to allocate a new entry"))?;
        // as haproxy: what stands before a wrong word has its effect, and the entry stays
        for pair in args.get(1..).unwrap_or_default().chunks(2) {
            let name = pair.first().and_then(|word| word.strip_prefix("data."));
            let name = name.ok_or_else(|| wrong("\"data.<type>\" followed by a value expected"))?;
            let datum = datum(table, name)?;
            let value = pair.get(1).and_then(|word| word.parse().ok());
            let value = value.filter(|_| datum != Datum::ServerKey);
            let value = value.ok_or_else(|| wrong("Require a valid integer value to store"))?;
            entry.refresh(now, |data| data.set_exact(datum, 0, value));
        }
        entry.finish(now);
        Ok(Reply::Done)
    }

    fn clear_table(&self, args: &[&str]) -> Result<Reply, Reply> {
        let refusal =
            "Needed: a table, and 'data.<store_data_type> <operator> <value>' or 'key <key>' if not all is meant.";
        let Some((name, args)) = args.split_first() else { return Err(wrong(refusal)) };
        let table = self.table(name)?;
        if let ["key", rest @ ..] = args {
            let key = key_of(table, rest, "Removing")?.ok_or_else(|| wrong("Invalid key"))?;
            return match table.remove(&key, self.now()) {
                Some(false) => Err(wrong("Entry currently in use, cannot remove")),
                Some(true) | None => Ok(Reply::Done),
            };
        }
        let filters = filters(table, args, refusal)?;
        let (table, now) = (Arc::clone(table), self.now());
        let clear = move || {
            let mut next = Some(Cursor::default());
            while let Some(from) = next {
                next = table.clear(from, STRIDE, now, |entry| filters.mean(entry));
            }
            Reply::Done
        };
        Ok(if self.pool.tables.named(name).is_some_and(|table| table.used() > FEW) {
            Reply::Aside(Later(Box::new(clear)))
        } else {
            clear()
        })
    }
}

/// The key that the first word is, as the type of the table takes it; `Ok(None)`: it is none.
///
/// # Errors
/// No word, a table whose keys cannot be typed.
fn key_of(table: &Table, args: &[&str], what: &str) -> Result<Option<Key>, Reply> {
    if matches!(table.ir.kind, KeyKind::Binary(_)) {
        return Err(wrong(&format!(
            "{what} keys from tables of type other than ip, ipv6, string and integer is not supported"
        )));
    }
    let word = args.first().ok_or_else(|| wrong("Key value expected"))?;
    let value = match table.ir.kind {
        KeyKind::Integer => {
            // as strtoul: what stands behind the digits does not count, but some there must be
            let digits = word.strip_prefix('+').unwrap_or(word);
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            match digits.get(..end).and_then(|digits| digits.parse::<u32>().ok()) {
                Some(number) => Value::Int(i64::from(number)),
                None => return Ok(None),
            }
        }
        _ => Value::text(word.as_bytes()),
    };
    // no address of the other family is one here
    let other = table.ir.kind == KeyKind::Ipv6 && word.parse::<std::net::Ipv4Addr>().is_ok();
    Ok(table.ir.key(&value).filter(|_| !other))
}

/// The datum that a word behind `data.` names.
fn datum(table: &Table, name: &str) -> Result<Datum, Reply> {
    let datum = Datum::named(name).ok_or_else(|| wrong("Unknown data type"))?;
    match table.ir.stored(datum) {
        Some(_) => Ok(datum),
        None => Err(wrong("Data type not stored in this table")),
    }
}

/// `[data.<type> <operator> <value>]…`; `refusal`: what to say of other words.
fn filters(table: &Table, args: &[&str], refusal: &str) -> Result<Filters, Reply> {
    let mut filters = Filters::default();
    for (ix, words) in args.chunks(3).enumerate() {
        let name = words.first().and_then(|word| word.strip_prefix("data."));
        let name = name.ok_or_else(|| wrong(refusal))?;
        if ix == FILTERS {
            return Err(wrong(&format!("Too many filters: '{name}' is one more than {FILTERS}.")));
        }
        let number = ix + 1;
        let say = |what: &str| wrong(&format!("Filter entry #{number}: {what}"));
        let datum = datum(table, name).map_err(|reply| match reply {
            Reply::Remark(_, text) => say(text.trim_end()),
            other => other,
        })?;
        let operator = words.get(1).and_then(|word| Operator::named(word));
        let operator =
            operator.ok_or_else(|| say("an operator is needed: \"eq\", \"ne\", \"le\", \"ge\", \"lt\" or \"gt\""))?;
        let value = words.get(2).and_then(|word| word.parse().ok());
        let value = value.ok_or_else(|| say("Require a valid integer value to compare against"))?;
        filters.0.push(Filter { datum, operator, value });
    }
    Ok(filters)
}

/// All entries that are meant, in the order of their keys.
fn sorted(table: Arc<Table>, filters: Filters, clock: fn() -> Tick) -> Reply {
    let (mut keys, mut next) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = next {
        next = table.walk(from, STRIDE, clock(), |entry| {
            if filters.mean(entry) {
                keys.extend(table.ir.key_of_bytes(entry.key()));
            }
        });
    }
    keys.sort_unstable();
    let mut keys = keys.into_iter();
    let mut head = Some(table_lines::heading(&table, clock()));
    Reply::Pieces(Report::new(move |out| {
        out.extend(head.take());
        for key in keys.by_ref().take(STRIDE as usize) {
            // who has gone meanwhile is not shown
            table.look(&key, clock(), |entry| table_lines::entry(&entry, out));
        }
        keys.len() > 0
    }))
}

/// All entries that are meant, as they lie.
fn unsorted(table: Arc<Table>, filters: Filters, clock: fn() -> Tick) -> Reply {
    let mut next = Some(Cursor::default());
    let mut head = Some(table_lines::heading(&table, clock()));
    Reply::Pieces(Report::new(move |out| {
        out.extend(head.take());
        if let Some(from) = next {
            next = table.walk(from, STRIDE, clock(), |entry| {
                if filters.mean(entry) {
                    table_lines::entry(&entry, out);
                }
            });
        }
        next.is_some()
    }))
}
