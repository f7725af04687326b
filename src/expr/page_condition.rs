//! Conditions of rules (`if { path /metrics } { src 10.0.0.0/8 } or …`), compiled when the configuration is read.
//!
//! Only what a request for a page can be asked: its path and its client. Evaluated against [`Asked`]; this module knows
//! no request. Source: configuration manual §7.1, §7.2; details held against 2.6.12 (tests/metrics_conditions.rs).

use std::net::IpAddr;
use std::sync::Arc;

use super::Regex;

/// Alternatives; each holds if all its terms do, and never if it has none.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// `unless`: the opposite is meant.
    pub unless: bool,
    /// What stands between one `or` and the next.
    pub any: Vec<Vec<Term>>,
}

/// An ACL, or the opposite of it.
#[derive(Debug, Clone)]
pub struct Term {
    /// `!` stands before it.
    pub negated: bool,
    /// One of these has to hold: the lines of a named ACL, or the one between braces.
    pub tests: Arc<[Test]>,
}

/// One criterion with its patterns.
#[derive(Debug, Clone)]
pub enum Test {
    /// `TRUE`, `FALSE`.
    Always(bool),
    /// The path: what stands before `?`.
    Path(Patterns),
    /// The client's address is in one of these networks.
    Source(Vec<Network>),
}

/// Patterns of which one has to match.
#[derive(Debug, Clone)]
pub struct Patterns {
    /// `-i`.
    pub any_case: bool,
    /// How they match.
    pub how: How,
}

/// How patterns match a text.
#[derive(Debug, Clone)]
pub enum How {
    /// There is one (`-m found`).
    Found,
    /// It is one of these.
    Whole(Vec<Vec<u8>>),
    /// It begins with one.
    Begin(Vec<Vec<u8>>),
    /// It ends with one.
    End(Vec<Vec<u8>>),
    /// It holds one.
    Sub(Vec<Vec<u8>>),
    /// It holds one between slashes.
    Dir(Vec<Vec<u8>>),
    /// One matches somewhere; `-i` is compiled into them.
    Regex(Vec<Regex>),
}

/// An address, or as many as share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// How many of its bits count.
    pub bits: u8,
}

/// What a condition asks of a request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The path; `None`: the request has none (`OPTIONS *`).
    pub path: Option<&'a [u8]>,
    /// The client; `None`: it is no address.
    pub client: Option<IpAddr>,
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, asked: Asked<'_>) -> bool {
        let all = |terms: &Vec<Term>| !terms.is_empty() && terms.iter().all(|term| term.holds(asked));
        self.any.iter().any(all) != self.unless
    }
}

impl Term {
    fn holds(&self, asked: Asked<'_>) -> bool {
        self.tests.iter().any(|test| test.holds(asked)) != self.negated
    }
}

impl Test {
    fn holds(&self, asked: Asked<'_>) -> bool {
        match self {
            Self::Always(holds) => *holds,
            Self::Path(patterns) => asked.path.is_some_and(|path| patterns.match_text(path)),
            Self::Source(networks) => {
                asked.client.is_some_and(|client| networks.iter().any(|network| network.holds(client)))
            }
        }
    }
}

impl Patterns {
    fn match_text(&self, text: &[u8]) -> bool {
        let same = |a: &[u8], b: &[u8]| if self.any_case { a.eq_ignore_ascii_case(b) } else { a == b };
        let begins = |text: &[u8], with: &[u8]| text.get(..with.len()).is_some_and(|start| same(start, with));
        let any = |patterns: &[Vec<u8>], fits: &dyn Fn(&[u8]) -> bool| patterns.iter().any(|pattern| fits(pattern));
        match &self.how {
            How::Found => true,
            How::Whole(patterns) => any(patterns, &|pattern| same(text, pattern)),
            How::Begin(patterns) => any(patterns, &|pattern| begins(text, pattern)),
            How::End(patterns) => any(patterns, &|pattern| {
                text.len().checked_sub(pattern.len()).is_some_and(|at| same(&text[at..], pattern))
            }),
            How::Sub(patterns) => any(patterns, &|pattern| (0..=text.len()).any(|at| begins(&text[at..], pattern))),
            How::Dir(patterns) => any(patterns, &|pattern| {
                let pattern = trimmed(pattern);
                (0..=text.len()).any(|at| {
                    let edge = |beyond: Option<&u8>| beyond.is_none_or(|byte| *byte == b'/');
                    let before = at.checked_sub(1).and_then(|before| text.get(before));
                    !pattern.is_empty()
                        && edge(before)
                        && begins(&text[at..], pattern)
                        && edge(text.get(at + pattern.len()))
                })
            }),
            How::Regex(patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
        }
    }
}

/// Without the slashes around it.
fn trimmed(pattern: &[u8]) -> &[u8] {
    let from = pattern.iter().position(|byte| *byte != b'/').unwrap_or(pattern.len());
    let to = pattern.iter().rposition(|byte| *byte != b'/').map_or(from, |last| last + 1);
    &pattern[from..to]
}

impl Network {
    /// `10.0.0.0/8`, `10.0.0.1`, `::1`, `fd00::/8`; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
        };
        Some(Self { address, bits })
    }

    fn holds(&self, client: IpAddr) -> bool {
        // An address of the older kind may come in the clothes of the newer one.
        match (self.address, client.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(client)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (u32::from(own) ^ u32::from(client)) & mask == 0
            }
            (IpAddr::V6(own), IpAddr::V6(client)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (u128::from(own) ^ u128::from(client)) & mask == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(how: How, any_case: bool) -> Condition {
        let test = Test::Path(Patterns { any_case, how });
        Condition { unless: false, any: vec![vec![Term { negated: false, tests: [test].into() }]] }
    }

    fn holds(condition: &Condition, path: &str) -> bool {
        condition.holds(Asked { path: Some(path.as_bytes()), client: None })
    }

    #[test]
    fn ways_to_match() {
        let one = |pattern: &str| vec![pattern.as_bytes().to_vec()];
        for (how, path_is, want) in [
            (How::Whole(one("/m")), "/m", true),
            (How::Whole(one("/m")), "/m/", false),
            (How::Begin(one("/m")), "/me", true),
            (How::Begin(one("/me")), "/m", false),
            (How::End(one("s")), "/metrics", true),
            (How::End(one("/metrics/x")), "/x", false),
            (How::Sub(one("tri")), "/metrics", true),
            (How::Sub(one("x")), "/metrics", false),
            (How::Dir(one("/b/")), "/a/b/c", true),
            (How::Dir(one("b/c")), "/a/b/c", true),
            (How::Dir(one("b")), "/a/bb/c", false),
            (How::Dir(one("/")), "/a/b", false),
            (How::Regex(vec![Regex::new(b"^/m.*s$").unwrap()]), "/metrics", true),
            (How::Found, "", true),
        ] {
            assert_eq!(holds(&path(how.clone(), false), path_is), want, "{how:?} {path_is}");
        }
        assert!(holds(&path(How::Whole(one("/M")), true), "/m"));
        assert!(!holds(&path(How::Whole(one("/M")), false), "/m"));
    }

    #[test]
    fn terms_and_alternatives() {
        let term = |holds, negated| Term { negated, tests: [Test::Always(holds)].into() };
        let asked = Asked { path: None, client: None };
        for (any, want) in [
            (vec![vec![term(true, false), term(false, false)]], false),
            (vec![vec![term(true, false), term(false, true)]], true),
            (vec![vec![term(false, false)], vec![term(true, false)]], true),
            (vec![vec![]], false),
        ] {
            assert_eq!(Condition { unless: false, any: any.clone() }.holds(asked), want, "{any:?}");
            assert_eq!(Condition { unless: true, any }.holds(asked), !want);
        }
        assert!(!path(How::Found, false).holds(asked));
    }

    #[test]
    fn networks() {
        for (text, client, want) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::1", "::1", true),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "1.2.3.4", false),
        ] {
            assert_eq!(Network::parse(text).unwrap().holds(client.parse().unwrap()), want, "{text} {client}");
        }
        for text in ["", "host", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    /// Paths come from clients.
    #[test]
    fn hostile_paths() {
        bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(pattern, path)| {
            let all = || vec![pattern.clone()];
            for how in [How::Whole(all()), How::Begin(all()), How::End(all()), How::Sub(all()), How::Dir(all())] {
                for any_case in [false, true] {
                    let patterns = Patterns { any_case, how: how.clone() };
                    patterns.match_text(path);
                }
            }
        });
    }
}
