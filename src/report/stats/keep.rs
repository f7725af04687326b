//! `dump stats-file`: the counters of all that has a guid. Its form is `units::stats_file`'s.

use std::fmt::Write;

use crate::ir::{Counted, GuidOf};
use crate::pool::Pool;
use crate::units::stats_file::Section;

/// The file; empty sections are left out.
pub(crate) fn stats_file(pool: &Pool) -> String {
    let mut out = String::new();
    for section in Section::ALL {
        let mut headed = false;
        for known in &pool.config.global.guids {
            let of = match (section, known.of) {
                (Section::Front, GuidOf::Proxy(ix)) => Counted::Front(ix),
                (Section::Back, GuidOf::Proxy(ix)) => Counted::Back(ix),
                (Section::Listener, GuidOf::Listener(ix, at)) => Counted::Listener(ix, at),
                (Section::Server, GuidOf::Server(ix, at)) => Counted::Server(ix, at),
                _ => continue,
            };
            let Some(counters) = pool.kept_counters(of) else { continue };
            if !std::mem::replace(&mut headed, true) {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(section.mark());
                out.push_str(" guid");
                counters.iter().for_each(|(name, _)| out.extend([",", name]));
                out.push('\n');
            }
            out.push_str(&known.guid);
            // Writing to a String cannot fail.
            counters.iter().for_each(|(_, value)| _ = write!(out, ",{value}"));
            out.push('\n');
        }
    }
    out
}
