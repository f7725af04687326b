//! The best language of an `Accept-Language` list. Source: manual §7.3.1, RFC 9110 §12.5.4.

use super::{Row, STR, Value, plain, row, text};

pub(super) const ROWS: &[Row] = &[row("language", "s|s", (STR, STR), plain, |args, value, _| {
    let wanted = value.into_text();
    let mut best: Option<(u32, &[u8])> = None;
    for entry in wanted.split(|byte| *byte == b',') {
        let mut parts = entry.split(|byte| *byte == b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let weight = parts.find_map(|part| part.trim_ascii().strip_prefix(b"q=")).map_or(1000, thousandths);
        let base = name.split(|byte| *byte == b'-').next().unwrap_or_default();
        let known = |name: &[u8]| text(args, 0).split(|byte| *byte == b';').find(|known| *known == name);
        let Some(found) = known(name).or_else(|| known(base)).filter(|found| !found.is_empty()) else { continue };
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, found));
        }
    }
    let default = args.get(1).map(|_| text(args, 1));
    best.map(|(_, found)| found).or(default).map(Value::text)
})];

/// A weight of 0 to 1 with at most three digits; what is none counts as the whole.
fn thousandths(weight: &[u8]) -> u32 {
    let number = std::str::from_utf8(weight).ok().and_then(|text| text.trim_ascii().parse::<f64>().ok());
    number.map_or(1000, |number| (number.clamp(0.0, 1.0) * 1000.0) as u32)
}
