//! What a stick table says of a key.

use super::{ANY, Arg, BOOL, Facts, INT, Row, Value, int, plain, row};
use crate::expr::facts::Asked;
use crate::expr::fetch::{Datum, Deed};

/// The rows: data of an entry, elements of arrays, and what changes a counter.
macro_rules! rows {
    (data { $($name:literal $datum:ident,)* } arrays { $($array:literal $array_datum:ident,)* }
     changes { $($change:literal $spec:literal $deed:ident $counter:ident,)* }) => {
        pub(super) const ROWS: &[Row] = &[
            row("in_table", "t", (ANY, BOOL), plain, |args, value, facts| {
                Some(Value::Bool(ask(args, 0, &value, Datum::Present, 0, facts).is_some()))
            })
            .of_sessions(),
            row("table_expire", "t|i", (ANY, INT), plain, |args, value, facts| {
                ask(args, 0, &value, Datum::Expire, 0, facts).or(int(args, 1)).map(Value::Int)
            })
            .of_sessions(),
            row("table_idle", "t|i", (ANY, INT), plain, |args, value, facts| {
                ask(args, 0, &value, Datum::Idle, 0, facts).or(int(args, 1)).map(Value::Int)
            })
            .of_sessions(),
            $(row($name, "t", (ANY, INT), plain, |args, value, facts| {
                datum(args, 0, &value, Datum::$datum, 0, facts)
            })
            .of_sessions(),)*
            $(row($array, "it", (ANY, INT), plain, |args, value, facts| {
                element(args, &value, Datum::$array_datum, facts)
            })
            .of_sessions(),)*
            $(row($change, $spec, (ANY, INT), plain, |args, value, facts| {
                change(args, &value, (Deed::$deed, Datum::$counter), facts)
            })
            .of_sessions(),)*
        ];
    };
}

rows! {
    data {
        "table_bytes_in_rate" BytesInRate,
        "table_bytes_out_rate" BytesOutRate,
        "table_conn_cnt" ConnCnt,
        "table_conn_cur" ConnCur,
        "table_conn_rate" ConnRate,
        "table_gpc0" Gpc0,
        "table_gpc0_rate" Gpc0Rate,
        "table_gpc1" Gpc1,
        "table_gpc1_rate" Gpc1Rate,
        "table_gpt0" Gpt0,
        "table_http_err_cnt" HttpErrCnt,
        "table_http_err_rate" HttpErrRate,
        "table_http_fail_cnt" HttpFailCnt,
        "table_http_fail_rate" HttpFailRate,
        "table_http_req_cnt" HttpReqCnt,
        "table_http_req_rate" HttpReqRate,
        "table_kbytes_in" KbytesIn,
        "table_kbytes_out" KbytesOut,
        "table_server_id" ServerId,
        "table_sess_cnt" SessCnt,
        "table_sess_rate" SessRate,
        "table_trackers" Trackers,
    }
    arrays {
        "table_gpc" Gpc,
        "table_gpc_rate" GpcRate,
        "table_gpt" Gpt,
    }
    changes {
        "table_clr_gpc" "it" Clear Gpc,
        "table_clr_gpc0" "t" Clear Gpc0,
        "table_clr_gpc1" "t" Clear Gpc1,
        "table_inc_gpc" "it" Increment Gpc,
        "table_inc_gpc0" "t" Increment Gpc0,
        "table_inc_gpc1" "t" Increment Gpc1,
    }
}

fn ask(args: &[Arg], table: usize, key: &Value<'_>, what: Datum, index: u32, facts: &dyn Facts) -> Option<i64> {
    match args.get(table)? {
        Arg::Table(table) => facts.table(table, key, Asked { deed: Deed::Get, what, index }),
        _ => None,
    }
}

/// Counts or clears a general purpose counter; the index of an array comes before the table.
fn change<'a>(args: &[Arg], key: &Value<'_>, (deed, what): (Deed, Datum), facts: &dyn Facts) -> Option<Value<'a>> {
    let (table, index) = match args {
        [Arg::Table(table)] => (table, 0),
        [index, Arg::Table(table)] => (table, u32::try_from(index.int()?).ok()?),
        _ => return None,
    };
    facts.table(table, key, Asked { deed, what, index }).map(Value::Int)
}

fn element<'a>(args: &[Arg], key: &Value<'_>, what: Datum, facts: &dyn Facts) -> Option<Value<'a>> {
    let index = u32::try_from(int(args, 0)?).ok()?;
    datum(args, 1, key, what, index, facts)
}

/// A datum: 0 without an entry, nothing where the table does not store it.
fn datum<'a>(
    args: &[Arg],
    table: usize,
    key: &Value<'_>,
    what: Datum,
    index: u32,
    facts: &dyn Facts,
) -> Option<Value<'a>> {
    let said = ask(args, table, key, what, index, facts);
    let there = || ask(args, table, key, Datum::Present, 0, facts).is_some();
    said.or_else(|| (!there()).then_some(0)).map(Value::Int)
}
