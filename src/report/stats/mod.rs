//! Statistics: what proxies, servers and the process have counted, as CSV, as typed lines and as JSON.
//!
//! [`columns`] and [`info`] are tables with one row per field: name, tags, and where its value comes from. Add a
//! field by adding a row. Source: management manual §9.1 to §9.3; values observed on 2.6.12 (docs/OBSERVED.md).

mod columns;
mod info;
mod keep;
mod meanings;
mod output;
mod schema;
mod subject;
mod value;

pub(crate) use columns::{address, algorithm, cell, position};
pub(crate) use info::{Info, Process, Style, uptime};
pub(crate) use keep::stats_file;
pub(crate) use meanings::MEANINGS;
pub(crate) use output::{Form, report, whole};
pub(crate) use schema::SCHEMA;
pub(crate) use subject::{Hide, Kind, Selection, Subject, subjects};
pub(crate) use value::Value;

#[cfg(test)]
mod carried_tests;
#[cfg(test)]
mod tests;
