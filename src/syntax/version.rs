//! The version that baton answers for, and how versions compare.
//!
//! A version is `2`, `2.6`, `2.6.12`, `2.7-dev3`, `2.6-rc1` or one of them with a number of commits behind it; what is
//! missing or unreadable counts as zero, as with haproxy.

/// The version of HAProxy that baton answers for in `version_atleast()`, `version_before()` and `-v`.
pub const VERSION: &str = "3.4.0";

/// A version as four numbers and a stage; orders as the versions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
    /// `-dev3` and `-rc1` come before the release itself.
    stage: Stage,
    patch: u32,
    commits: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Dev(u32),
    Candidate(u32),
    Release,
}

impl Version {
    /// Reads as much as there is; the rest is zero.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut dashed = text.split(|byte| *byte == b'-');
        let mut dotted = dashed.next().unwrap_or_default().split(|byte| *byte == b'.').map(leading_number);
        let [major, minor, patch, fourth] = [(); 4].map(|()| dotted.next().unwrap_or(0));
        let (mut stage, mut commits) = (Stage::Release, fourth);
        for part in dashed {
            if let Some(number) = part.strip_prefix(b"dev") {
                stage = Stage::Dev(leading_number(number));
            } else if let Some(number) = part.strip_prefix(b"rc") {
                stage = Stage::Candidate(leading_number(number));
            } else if !part.is_empty() && part.iter().all(u8::is_ascii_digit) {
                commits = leading_number(part);
            } else {
                commits = 0;
            }
        }
        Self { major, minor, stage, patch, commits }
    }
}

/// The number at the beginning of a text: zero when there is none, the largest when it is larger.
fn leading_number(text: &[u8]) -> u32 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number: u32, byte| number.saturating_mul(10).saturating_add(u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_haproxy_orders_them() {
        let ours = Version::parse(b"2.6.12-1+deb12u4");
        // Rows asked of haproxy 2.6.12-1+deb12u4 by `.if version_atleast(…)`.
        for (text, atleast) in [
            ("2.6", true),
            ("2", true),
            ("3", false),
            ("2.6.12", true),
            ("2.6.13", false),
            ("2.6.12.1", false), // a fourth number counts
            ("2.6.12-1", false), // one commit behind 2.6.12
            ("2.6.12-1-g5", true),
            ("2.6.12-1+deb12u4", true),
            ("2.6-dev1", true),
            ("2.6-rc1", true),
            ("2.6.12-dev1", true),
            ("2.7-dev0", false),
            ("", true), // nothing readable is version zero
            ("abc", true),
            ("v2", true),
            ("2.6x", true),
            (" 2.6", true),
            ("99999999999", false),
        ] {
            assert_eq!(ours >= Version::parse(text.as_bytes()), atleast, "version_atleast({text})");
        }
        assert!(Version::parse(b"3.4-dev9") < Version::parse(VERSION.as_bytes()));
        assert!(Version::parse(b"3.4-dev9") < Version::parse(b"3.4-rc1"));
    }
}
