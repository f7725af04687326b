//! What a request for the statistics page asks for: the words behind `;` in its target.
//!
//! The target only has to start with the configured uri; the words may follow anywhere (`/haproxy?stats/;csv`, as
//! telegraf writes it). Source: management manual §9.1, observed on 2.6.12.

use crate::report::stats::Hide;

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    #[default]
    Html,
    Csv,
    Json,
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
            match word {
                "csv" => wanted.form = Form::Csv,
                "json" => wanted.form = Form::Json,
                "style" => wanted.form = Form::Style,
                "script" => wanted.form = Form::Script,
                "norefresh" => wanted.still = true,
                "up" => wanted.hide = Hide::Down,
                "no-maint" => wanted.hide = Hide::Maintenance,
                _ => {}
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
