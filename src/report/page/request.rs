//! What a request for the statistics page asks for: the words behind `;` in its target.
//!
//! The target only has to start with the configured uri; the words may follow anywhere (`/haproxy?stats/;csv`, as
//! telegraf writes it), and may go on (`;csvx`). Source: management manual §9.1, observed on 2.6.12.

use crate::report::stats::Hide;

/// The form of the answer. Of several that are asked for the last one here is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Form {
    #[default]
    Html,
    Csv,
    /// One line a value.
    Typed,
    Json,
    /// What the JSON looks like, as a schema.
    Schema,
    /// The page's style sheet.
    Style,
    /// The page's script.
    Script,
}

/// A request for the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wanted<'a> {
    pub(super) form: Form,
    pub(super) hide: Hide,
    /// `;norefresh`.
    pub(super) still: bool,
    /// What an order that was given on the page came to: the code behind `;st=`.
    pub(super) outcome: Option<&'a str>,
    /// Only proxies and servers whose name holds this (`scope=`), as it stands in the target.
    pub(super) filter: &'a str,
}

/// The part of a target behind the authority of an absolute one (`http://host/path`).
fn path(target: &str) -> &str {
    let Some((_, rest)) =
        target.split_once("://").filter(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphabetic()))
    else {
        return target;
    };
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// The path that a condition is asked about: what stands before the query; `None`: the target has none.
pub(super) fn path_of(target: &str) -> Option<&[u8]> {
    let path = path(target);
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path.starts_with('/').then(|| &path.as_bytes()[..end])
}

impl<'a> Wanted<'a> {
    /// Reads a target; `None` if it is not the page's.
    pub(super) fn parse(target: &'a str, uri: &str) -> Option<Self> {
        let rest = path(target).strip_prefix(uri)?;
        let mut wanted = Self::default();
        for word in rest.split([';', '&', '?']) {
            match word.split_once('=') {
                Some(("st", outcome)) => wanted.outcome = Some(outcome),
                Some(("scope", filter)) => wanted.filter = filter,
                _ => {}
            }
        }
        for word in rest.split(';').skip(1) {
            let form = match word {
                "style" => Form::Style,
                "script" => Form::Script,
                _ if word.starts_with("json-schema") => Form::Schema,
                _ if word.starts_with("json") => Form::Json,
                _ if word.starts_with("typed") => Form::Typed,
                _ if word.starts_with("csv") => Form::Csv,
                _ => Form::Html,
            };
            wanted.form = wanted.form.max(form);
            wanted.still |= word.starts_with("norefresh");
            if word.starts_with("up") {
                wanted.hide = Hide::Down;
            } else if word.starts_with("no-maint") && wanted.hide == Hide::Nothing {
                wanted.hide = Hide::Maintenance;
            }
        }
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let html = Wanted::default();
        let csv = Wanted { form: Form::Csv, ..html };
        for (target, uri, want) in [
            ("/", "/", Some(html)),
            ("/;csv", "/", Some(csv)),
            ("/st", "/st", Some(html)),
            ("/stx", "/st", Some(html)), // a prefix is enough
            ("/s", "/st", None),
            ("/haproxy?stats", "/haproxy?stats", Some(html)),
            ("/haproxy?stats;csv", "/haproxy?stats", Some(csv)),
            ("/haproxy?stats/;csv", "/haproxy?stats", Some(csv)), // telegraf
            ("/haproxy?stats;csv;norefresh", "/haproxy?stats", Some(Wanted { still: true, ..csv })),
            ("/st?csv", "/st", Some(html)),
            ("/st;json", "/st", Some(Wanted { form: Form::Json, ..html })),
            ("/st;json;csvx", "/st", Some(Wanted { form: Form::Json, ..html })), // whatever comes first
            ("/st;typed;csv;no-maint", "/st", Some(Wanted { form: Form::Typed, hide: Hide::Maintenance, ..html })),
            ("/st;json-schema;json", "/st", Some(Wanted { form: Form::Schema, ..html })),
            ("/st;norefreshx;xcsv", "/st", Some(Wanted { still: true, ..html })),
            ("/st;up;st=DONE", "/st", Some(Wanted { hide: Hide::Down, outcome: Some("DONE"), ..html })),
            ("/haproxy?stats=&scope=db", "/haproxy?stats", Some(Wanted { filter: "db", ..html })),
            ("/st?scope=db", "/st", Some(Wanted { filter: "db", ..html })),
            ("http://host:1/st;csv", "/st", Some(csv)),
            ("http://host", "/", Some(html)),
        ] {
            assert_eq!(Wanted::parse(target, uri), want, "{target}");
        }
    }
}
