//! What a scrape asks for: the query of its target.
//!
//! `scope=` may be said several times: `global`, `frontend`, `listener`, `backend`, `server`, `sticktable`, `baton`, `*` for
//! all of haproxy's, nothing to forget those before it. `no-maint` leaves out servers in maintenance, `extra-counters` adds
//! baton's own figures. Observed on 2.6.12, but for `baton`.

/// Which figures are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) global: bool,
    pub(super) frontend: bool,
    pub(super) listener: bool,
    pub(super) backend: bool,
    pub(super) server: bool,
    pub(super) sticktable: bool,
    pub(super) baton: bool,
    pub(super) no_maint: bool,
}

impl Query {
    const NOTHING: Self = Self {
        global: false,
        frontend: false,
        listener: false,
        backend: false,
        server: false,
        sticktable: false,
        baton: false,
        no_maint: false,
    };

    /// All of haproxy's figures.
    const ALL: Self = Self {
        baton: false,
        no_maint: false,
        global: true,
        frontend: true,
        listener: true,
        backend: true,
        server: true,
        sticktable: true,
    };

    /// Reads the query of a target; `None`: it names a scope that there is not, or cannot be decoded.
    pub(super) fn parse(target: &str) -> Option<Self> {
        let target = target.split_once('#').map_or(target, |(before, _)| before);
        let text = target.split_once('?').map_or("", |(_, query)| query);
        let mut query = Self::ALL;
        let (mut scoped, mut no_maint, mut extra) = (false, false, false);
        for word in text.split('&') {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (decoded(name)?, Some(decoded(value)?)),
                None => (decoded(word)?, None),
            };
            match (&*name, value) {
                (b"scope", value) => {
                    if !std::mem::replace(&mut scoped, true) {
                        query = Self::NOTHING;
                    }
                    match &*value? {
                        b"" => query = Self::NOTHING,
                        b"*" => query = Self { baton: query.baton, ..Self::ALL },
                        b"global" => query.global = true,
                        b"frontend" => query.frontend = true,
                        b"listener" => query.listener = true,
                        b"backend" => query.backend = true,
                        b"server" => query.server = true,
                        b"sticktable" => query.sticktable = true,
                        b"baton" => query.baton = true,
                        _ => return None,
                    }
                }
                (b"no-maint", _) => no_maint = true,
                (b"extra-counters", _) => extra = true,
                _ => {}
            }
        }
        Some(Self { no_maint, baton: query.baton || extra, ..query })
    }
}

/// Without `%XX` and `+`; `None`: what follows a `%` is no number.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let (all, none) = (Query::ALL, Query::NOTHING);
        for (query, want) in [
            ("", Some(all)),
            ("?x=y&desc", Some(all)),
            ("?scope=", Some(none)),
            ("?scope=*", Some(all)),
            ("?scope=global", Some(Query { global: true, ..none })),
            ("?foo&scope=%67lobal&", Some(Query { global: true, ..none })),
            ("?scope=server&scope=&scope=listener", Some(Query { listener: true, ..none })),
            ("?scope=frontend&scope=backend", Some(Query { frontend: true, backend: true, ..none })),
            ("?scope=sticktable", Some(Query { sticktable: true, ..none })),
            ("?scope=baton", Some(Query { baton: true, ..none })),
            ("?extra-counters", Some(Query { baton: true, ..all })),
            ("?no-maint=0", Some(Query { no_maint: true, ..all })),
            ("?scope=global#x", Some(Query { global: true, ..none })),
            ("?scope", None),
            ("?scope=bogus", None),
            ("?scope=Global", None),
            ("?scope=global,frontend", None),
            ("?scope=server;no-maint", None),
            ("?scope=global+", None),
            ("?scope=%zz", None),
            ("?%zz", None),
        ] {
            assert_eq!(Query::parse(&format!("/metrics{query}")), want, "{query}");
        }
    }

    /// Queries come from clients.
    #[test]
    fn hostile_queries() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = Query::parse(text);
            let _ = Query::parse(&format!("/?scope={text}"));
        });
    }
}
