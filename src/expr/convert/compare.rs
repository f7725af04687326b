//! Two values beside each other.

use std::cmp::Ordering;

use subtle::ConstantTimeEq as _;

use super::{BIN, BOOL, INT, Row, STR, Value, row, variable};

pub(super) const ROWS: &[Row] = &[
    row("secure_memcmp", "s", (BIN, BOOL), named, |args, value, facts| {
        let other = variable(args, 0, facts)?.into_bytes();
        Some(Value::Bool(value.into_bytes().ct_eq(&other).into()))
    }),
    row("strcmp", "s", (STR, INT), named, |args, value, facts| {
        let other = variable(args, 0, facts)?.into_text();
        let own = value.into_text();
        let differ = own.iter().zip(other.iter()).find(|(a, b)| a != b);
        Some(Value::Int(match differ {
            Some((a, b)) => i64::from(*a) - i64::from(*b),
            None => match own.len().cmp(&other.len()) {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            },
        }))
    }),
];

fn named(args: &mut super::Args, _: &super::Context<'_>) -> Result<(), super::ExprError> {
    if args.text(0).is_empty() {
        return Err(args.kind(0, crate::expr::args::VARIABLE));
    }
    args.variable(0)
}
