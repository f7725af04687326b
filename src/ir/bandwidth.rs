//! Bandwidth limits: what `filter bwlim-in|bwlim-out` declares, and what `set-bandwidth-limit` says of it.
//!
//! Source: manual of 3.2 §9.7; haproxy has them since 2.7.

use std::sync::Arc;

use super::rules::Amount;
use super::table::Datum;
use crate::expr::{Expr, Side, TableRef};
use crate::text::Span;
use crate::units::Millis;

/// A limit that rules can put on sessions.
#[derive(Debug, Clone)]
pub struct BandwidthLimit {
    /// Its name, which no other one of its section has.
    pub name: Box<str>,
    /// The section that it stands in: limits of sessions that move are found again by it.
    pub section: Box<str>,
    /// Whose bytes are limited: [`Side::Request`] is `bwlim-in`, what clients send.
    pub side: Side,
    /// The fewest bytes that are forwarded at a time, but for the last ones.
    pub min_size: u32,
    /// How much.
    pub rate: BandwidthRate,
    /// The line.
    pub span: Span,
}

/// How much may be forwarded.
#[derive(Debug, Clone)]
pub enum BandwidthRate {
    /// So many bytes a period, for each session.
    Own {
        /// The bytes; at least one.
        limit: u32,
        /// The period; not zero.
        period: Millis,
    },
    /// So many bytes a period, for all sessions of a key together. The period is that of the table's rate.
    Shared {
        /// The bytes; at least one.
        limit: u32,
        /// Whose.
        key: Expr,
        /// The table; an empty name is that of the own proxy.
        table: TableRef,
    },
}

impl BandwidthLimit {
    /// The word that declares it.
    pub fn keyword(&self) -> &'static str {
        match self.side {
            Side::Request => "bwlim-in",
            Side::Response => "bwlim-out",
        }
    }

    /// The rate that the table of a shared one stores.
    pub fn datum(&self) -> Datum {
        match self.side {
            Side::Request => Datum::BytesInRate,
            Side::Response => Datum::BytesOutRate,
        }
    }
}

/// `set-bandwidth-limit`: a limit holds for a session from now on.
#[derive(Debug, Clone)]
pub struct SetBandwidth {
    /// Its name.
    pub name: Box<str>,
    /// It; `None` only until names are looked up.
    pub filter: Option<Arc<BandwidthLimit>>,
    /// So many bytes, and not as many as it says.
    pub limit: Option<Amount>,
    /// In so many milliseconds.
    pub period: Option<Amount>,
}
