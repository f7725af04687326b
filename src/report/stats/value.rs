//! One value of a statistics field, and what tools are told of its nature.

use std::borrow::Cow;

/// A value with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    U32(u32),
    U64(u64),
    S32(i32),
    F64(f64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// Its type as typed output and JSON name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
            Self::S32(_) => "s32",
            Self::F64(_) => "flt",
            Self::Text(_) => "str",
        }
    }
}

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::U32(n) => n.fmt(f),
            Self::U64(n) => n.fmt(f),
            Self::S32(n) => n.fmt(f),
            Self::F64(n) => {
                let digits = format!("{n:.6}");
                f.write_str(digits.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a column or a line of `show info` holds for one object; `None`: nothing, an empty field.
pub(crate) type Cell<'a> = Option<Value<'a>>;

/// A cell of 32 bits; what is larger saturates.
pub(super) fn small<'a>(n: impl TryInto<u32>) -> Cell<'a> {
    Some(Value::U32(n.try_into().unwrap_or(u32::MAX)))
}

/// A cell of 64 bits.
pub(super) fn large<'a>(n: impl Into<u64>) -> Cell<'a> {
    Some(Value::U64(n.into()))
}

/// A cell of text.
pub(super) fn text<'a>(text: impl Into<Cow<'a, str>>) -> Cell<'a> {
    Some(Value::Text(text.into()))
}

/// Origin, nature and scope of a field by their letters (management manual §9.2), such as `MCP`: a metric that
/// counts, of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tags(pub(super) &'static str);

impl Tags {
    /// The words that JSON uses for the three letters.
    pub(super) fn words(self) -> [&'static str; 3] {
        let letter = |ix| self.0.as_bytes().get(ix).copied().unwrap_or_default();
        let origin = match letter(0) {
            b'M' => "Metric",
            b'S' => "Status",
            b'K' => "Key",
            b'C' => "Config",
            _ => "Product",
        };
        let nature = match letter(1) {
            b'A' => "Age",
            b'a' => "Avg",
            b'C' => "Counter",
            b'D' => "Duration",
            b'G' => "Gauge",
            b'L' => "Limit",
            b'M' => "Max",
            b'N' => "Name",
            b'O' => "Output",
            b'R' => "Rate",
            _ => "Unknown",
        };
        let scope = match letter(2) {
            b'S' => "Service",
            b'P' => "Process",
            _ => "Cluster",
        };
        [origin, nature, scope]
    }
}
