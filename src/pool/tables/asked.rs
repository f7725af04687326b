//! What expressions ask of tables and of tracked entries: `table_*`, `sc*_*`, `src_*`.
//!
//! A datum that is not stored gives nothing for `sc*` and `src_*` (the ACL does not match); what `table_*` makes of it is
//! [`crate::expr`]'s. Source: manual §7.3.1, §7.3.3.

use std::sync::Arc;

use super::{Entry, Table, View};
use crate::expr::fetch::{Datum as Fetched, Deed};
use crate::expr::{Asked, Value};
use crate::ir::table::{Datum, Key};
use crate::units::Tick;

/// The stored datum that a fetch means.
fn stored(what: Fetched) -> Option<Datum> {
    Some(match what {
        Fetched::BytesInRate => Datum::BytesInRate,
        Fetched::BytesOutRate => Datum::BytesOutRate,
        Fetched::ConnCnt | Fetched::UpdtConnCnt => Datum::ConnCnt,
        Fetched::ConnCur => Datum::ConnCur,
        Fetched::ConnRate => Datum::ConnRate,
        Fetched::Gpc => Datum::Gpc,
        Fetched::Gpc0 => Datum::Gpc0,
        Fetched::Gpc0Rate => Datum::Gpc0Rate,
        Fetched::Gpc1 => Datum::Gpc1,
        Fetched::Gpc1Rate => Datum::Gpc1Rate,
        Fetched::GpcRate => Datum::GpcRate,
        Fetched::Gpt => Datum::Gpt,
        Fetched::Gpt0 => Datum::Gpt0,
        Fetched::GlitchCnt => Datum::GlitchCnt,
        Fetched::GlitchRate => Datum::GlitchRate,
        Fetched::HttpErrCnt => Datum::HttpErrCnt,
        Fetched::HttpErrRate => Datum::HttpErrRate,
        Fetched::HttpFailCnt => Datum::HttpFailCnt,
        Fetched::HttpFailRate => Datum::HttpFailRate,
        Fetched::HttpReqCnt => Datum::HttpReqCnt,
        Fetched::HttpReqRate => Datum::HttpReqRate,
        Fetched::KbytesIn => Datum::BytesInCnt,
        Fetched::KbytesOut => Datum::BytesOutCnt,
        Fetched::SessCnt => Datum::SessCnt,
        Fetched::SessRate => Datum::SessRate,
        Fetched::ServerId => Datum::ServerId,
        Fetched::Tracked | Fetched::Trackers | Fetched::Expire | Fetched::Idle | Fetched::Present => return None,
    })
}

/// The rate that is counted with a counter.
fn rate_of(datum: Datum) -> Option<Datum> {
    Some(match datum {
        Datum::Gpc => Datum::GpcRate,
        Datum::Gpc0 => Datum::Gpc0Rate,
        Datum::Gpc1 => Datum::Gpc1Rate,
        _ => return None,
    })
}

impl View<'_> {
    /// What a fetch or a converter asks of it.
    pub fn answer(&self, what: Fetched, index: u32) -> Option<i64> {
        match what {
            Fetched::Tracked | Fetched::Present => Some(1),
            Fetched::Trackers => Some(i64::from(self.held())),
            Fetched::Expire => self.expires().map(i64::from),
            Fetched::Idle => Some(i64::from(self.idle())),
            Fetched::KbytesIn | Fetched::KbytesOut => self.get(stored(what)?, 0).map(|bytes| bytes >> 10),
            _ => self.get(stored(what)?, index),
        }
    }
}

impl Entry {
    /// Reads, counts or clears what an expression asks for. Counting a general purpose counter counts its rate, too; where
    /// the counter is not stored that is what it gives, and 0 where neither is.
    pub fn ask(&self, deed: Deed, what: Fetched, index: u32, now: Tick) -> Option<i64> {
        if what != Fetched::UpdtConnCnt && deed == Deed::Get {
            return self.read(now, |view| view.answer(what, index));
        }
        let datum = stored(what)?;
        if deed == Deed::Clear {
            return self.clear(datum, index, now);
        }
        self.change(now, |data| {
            let rate = rate_of(datum).and_then(|rate| data.add(rate, index, 1));
            let count = data.add(datum, index, 1).or(rate);
            count.or((what != Fetched::UpdtConnCnt).then_some(0))
        })
    }
}

impl Table {
    /// What a converter asks of a key: a look refreshes nothing, and is `None` without an entry, or without the datum. Who counts
    /// or clears makes an entry.
    pub fn ask(self: &Arc<Self>, key: &Value<'_>, asked: Asked, now: Tick) -> Option<i64> {
        let key = self.ir.key(key)?;
        match asked.deed {
            Deed::Get => self.look(&key, now, |view| view.answer(asked.what, asked.index))?,
            deed => self.ask_of(&key, deed, asked.what, asked.index, now),
        }
    }

    /// What a `src_*` fetch asks of a key; without an entry that is 0. Who counts or clears makes an entry.
    pub fn ask_of(self: &Arc<Self>, key: &Key, deed: Deed, what: Fetched, index: u32, now: Tick) -> Option<i64> {
        if deed == Deed::Get && what != Fetched::UpdtConnCnt {
            return self.look(key, now, |view| view.answer(what, index)).unwrap_or(Some(0));
        }
        let entry = self.entry(key, now)?;
        let answer = entry.ask(deed, what, index, now);
        entry.finish(now);
        answer
    }
}
