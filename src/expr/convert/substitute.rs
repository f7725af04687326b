//! `regsub`: what `s/…/…/` of sed does.

use std::sync::Arc;

use super::{Arg, Args, Context, ExprError, Row, STR, Value, row, text};
use crate::expr::Regex;
use crate::expr::error::{ArgError, shown};

pub(super) const ROWS: &[Row] = &[row("regsub", "rs|s", (STR, STR), compile, |args, value, _| {
    let Some(Arg::Regex(regex)) = args.first() else { return None };
    replaced(regex, &value.into_text(), text(args, 1), text(args, 2).contains(&b'g')).map(Value::owned)
})];

fn compile(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    if !args.text(2).iter().all(|flag| b"gi".contains(flag)) {
        return Err(args.kind(2, "'g', 'i' or both"));
    }
    let Some(Arg::Pattern(pattern)) = args.get(0) else { return Ok(()) };
    let any_case = args.text(2).contains(&b'i');
    let regex = if any_case { Regex::any_case(pattern) } else { Regex::new(pattern) };
    let regex = regex.map_err(|why| args.blame(0, ArgError::Regex { text: shown(pattern), why }))?;
    args.set(0, Arg::Regex(Arc::new(regex)));
    Ok(())
}

/// `None`: a `\x` without two digits behind it.
fn replaced(regex: &Regex, whole: &[u8], by: &[u8], all: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(whole.len());
    let mut at = 0;
    while let Some(groups) = regex.groups_at(whole, at) {
        let Some(found) = groups.first().cloned().flatten() else { break };
        out.extend_from_slice(&whole[at..found.start]);
        expand(by, whole, &groups, &mut out)?;
        let stuck = found.end == at;
        at = found.end;
        if !all {
            break;
        }
        if stuck {
            match whole.get(at) {
                Some(byte) => out.push(*byte),
                None => break,
            }
            at += 1;
        }
    }
    out.extend_from_slice(whole.get(at..).unwrap_or_default());
    Some(out)
}

/// Appends a replacement: `\1` is a group, `\x41` a byte, another escaped byte itself.
pub(in crate::expr) fn expand(
    by: &[u8],
    whole: &[u8],
    groups: &[Option<std::ops::Range<usize>>],
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut rest = by;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        match rest.split_first() {
            Some((digit @ b'0'..=b'9', behind)) => {
                rest = behind;
                let group = groups.get(usize::from(digit - b'0')).cloned().flatten();
                out.extend_from_slice(&whole[group.unwrap_or(0..0)]);
            }
            Some((b'x', behind)) => {
                out.push(*crate::expr::hex::decode(behind.get(..2)?)?.first()?);
                rest = &behind[2..];
            }
            Some((other, behind)) => {
                rest = behind;
                out.push(*other);
            }
            None => {}
        }
    }
    Some(())
}
