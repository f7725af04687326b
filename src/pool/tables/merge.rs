//! What another process has counted of an entry, and what was counted here meanwhile: put together.

use super::record::{Data, RateParts};
use crate::ir::table::Datum;

/// What an entry says of one datum.
pub(super) enum Said<'b> {
    Number(u64),
    Rate(RateParts),
    Word(&'b str),
}

/// What was told of one datum, and how it stands to what is here.
pub(super) struct Told<'s, 'b> {
    pub(super) datum: Datum,
    pub(super) index: u32,
    pub(super) said: &'s Said<'b>,
    /// A rate is over the same time here.
    pub(super) same_period: bool,
    /// The other process has touched the entry after this one.
    pub(super) younger: bool,
}

/// Takes what was told of one datum: of tags and servers what is younger, of what is counted all that was counted there since both said the
/// same (`before`; of an entry that nobody has changed here that is what it says, so it takes the larger number).
pub(super) fn take(data: &mut Data<'_>, before: Option<&mut Data<'_>>, told: &Told<'_, '_>) {
    let Told { datum, index, said, same_period, younger } = *told;
    match said {
        Said::Number(id) if datum == Datum::ServerId => {
            if younger || data.view().exact(datum, index) == Some(0) {
                data.set_exact(datum, index, *id as i64);
            }
        }
        Said::Number(tag) if matches!(datum, Datum::Gpt | Datum::Gpt0) => {
            if younger {
                data.set_exact(datum, index, *tag as i64);
            }
        }
        Said::Number(number) => {
            let same =
                before.as_ref().map_or(data.view(), |before| before.view()).exact(datum, index).unwrap_or(0) as u64;
            if let more @ 1.. = number.saturating_sub(same) {
                data.add(datum, index, more);
                before.map(|before| before.set_exact(datum, index, *number as i64));
            }
        }
        Said::Rate(parts) if same_period => take_rate(data, before, (datum, index), *parts),
        Said::Rate(_) => {}
        Said::Word(word) => {
            if !word.is_empty() && (younger || data.view().server_key().is_none()) {
                data.set_server_key(word);
            }
        }
    }
}

fn take_rate(data: &mut Data<'_>, before: Option<&mut Data<'_>>, (datum, index): (Datum, u32), told: RateParts) {
    if let Some(before) = before {
        if let Some(same) = before.view().rate(datum, index) {
            data.add_since(datum, index, same, told);
        }
        before.set_rate(datum, index, told);
        return;
    }
    let here = data.view().exact(datum, index).unwrap_or(0);
    let Some(parts) = data.view().rate(datum, index) else { return };
    data.set_rate(datum, index, told);
    if data.view().exact(datum, index).unwrap_or(0) < here {
        data.set_rate(datum, index, parts);
    }
}
