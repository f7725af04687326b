//! Statistics: what proxies, servers and the process have counted, as CSV, as typed lines and as JSON.
//!
//! [`columns`] and [`info`] are tables with one row per field: name, tags, and where its value comes from. Add a
//! field by adding a row. Source: management manual §9.1 to §9.3; values observed on 2.6.12 (docs/OBSERVED.md).

mod columns;
mod info;
mod output;
mod subject;
mod value;

#[cfg(test)]
use info::uptime;
pub(crate) use info::{Info, Process, Style};
pub(crate) use output::{csv, json, typed};
#[cfg(test)]
use subject::subjects;
pub(crate) use subject::{Hide, Selection};

#[cfg(test)]
mod tests;
