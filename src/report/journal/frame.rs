//! The frame around a message: priority, date, host, tag, process id; and the length limit.
//!
//! Source: configuration manual §4.2 "log"; what an unset format means and where the limit cuts was observed.

use std::io::Write;
use std::time::SystemTime;

use super::{Surroundings, date};
use crate::ir::{Level, LogFormat, LogTarget};

/// What frames need besides the target.
pub(super) struct Framing<'a> {
    pub(super) env: &'a Surroundings,
    /// `log-send-hostname`, resolved.
    pub(super) hostname: Option<&'a str>,
    /// The tag of the proxy or the process.
    pub(super) tag: &'a str,
    pub(super) level: Level,
    pub(super) now: SystemTime,
    /// `log-format-sd`; empty: none.
    pub(super) structured: &'a [u8],
}

/// The level a message has on a target; `None`: it is not sent there.
pub(super) fn level_on(target: &LogTarget, level: Level) -> Option<Level> {
    (level <= target.max_level).then(|| level.max(target.min_level))
}

/// Writes the framed message with its line feed, cut to `limit` bytes before the line feed.
pub(super) fn frame(out: &mut Vec<u8>, target: &LogTarget, framing: &Framing<'_>, message: &[u8], limit: usize) {
    let Framing { env, hostname, tag, level, now, structured } = *framing;
    let pid = std::process::id();
    let severity = level as u8;
    let priority = u32::from(target.facility.0) * 8 + u32::from(severity);
    out.clear();
    // Writing to a Vec cannot fail.
    let _ = match target.format {
        LogFormat::Rfc3164 => {
            let _ = write!(out, "<{priority}>");
            date::syslog(out, now, env);
            write!(out, " {} {tag}[{pid}]: ", hostname.unwrap_or("localhost"))
        }
        LogFormat::Unset if hostname.is_some() => {
            let _ = write!(out, "<{priority}>");
            date::syslog(out, now, env);
            write!(out, " {} {tag}[{pid}]: ", hostname.unwrap_or_default())
        }
        LogFormat::Unset | LogFormat::Local => {
            let _ = write!(out, "<{priority}>");
            date::syslog(out, now, env);
            write!(out, " {tag}[{pid}]: ")
        }
        LogFormat::Rfc5424 => {
            let _ = write!(out, "<{priority}>1 ");
            date::iso(out, now, env);
            let _ = write!(out, " {} {tag} {pid} - ", hostname.unwrap_or("-"));
            out.extend_from_slice(if structured.is_empty() { b"-" } else { structured });
            out.push(b' ');
            Ok(())
        }
        LogFormat::Priority => write!(out, "<{priority}>"),
        LogFormat::Short => write!(out, "<{severity}>"),
        LogFormat::Timed => {
            let _ = write!(out, "<{severity}>");
            date::iso(out, now, env);
            write!(out, " ")
        }
        LogFormat::Iso => {
            date::iso(out, now, env);
            write!(out, " ")
        }
        LogFormat::Raw => Ok(()),
    };
    out.extend_from_slice(message);
    out.truncate(limit);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::LogProtocol;
    use crate::report::testing;
    use std::time::{Duration, UNIX_EPOCH};

    fn framed(format: LogFormat, hostname: Option<&str>, limit: usize) -> String {
        let env = Surroundings {
            tag: "x".into(),
            hostname: "h".into(),
            echo: false,
            local_offset: |_| 0,
            state: Default::default(),
        };
        let now = UNIX_EPOCH + Duration::from_micros(1_795_376_478_774_075);
        let framing = Framing { env: &env, hostname, tag: "tag", level: Level::Alert, now, structured: b"" };
        let mut out = Vec::new();
        frame(&mut out, &testing::log_target(LogProtocol::Fd(1), format), &framing, b"message", limit);
        String::from_utf8(out).unwrap().replace(&format!("{}", std::process::id()), "PID")
    }

    /// Each row was printed by haproxy 2.6.12 (other date, pid and message).
    #[test]
    fn formats() {
        for (format, hostname, want) in [
            (LogFormat::Unset, None, "<129>Nov 22 19:41:18 tag[PID]: message\n"),
            (LogFormat::Unset, Some("myhost"), "<129>Nov 22 19:41:18 myhost tag[PID]: message\n"),
            (LogFormat::Rfc3164, None, "<129>Nov 22 19:41:18 localhost tag[PID]: message\n"), // only when said
            (LogFormat::Rfc3164, Some("myhost"), "<129>Nov 22 19:41:18 myhost tag[PID]: message\n"),
            (LogFormat::Rfc5424, None, "<129>1 2026-11-22T19:41:18.774075+00:00 - tag PID - - message\n"),
            (
                LogFormat::Rfc5424,
                Some("myhost"),
                "<129>1 2026-11-22T19:41:18.774075+00:00 myhost tag PID - - message\n",
            ),
            (LogFormat::Local, Some("myhost"), "<129>Nov 22 19:41:18 tag[PID]: message\n"),
            (LogFormat::Priority, Some("myhost"), "<129>message\n"),
            (LogFormat::Short, None, "<1>message\n"),
            (LogFormat::Timed, None, "<1>2026-11-22T19:41:18.774075+00:00 message\n"),
            (LogFormat::Iso, None, "2026-11-22T19:41:18.774075+00:00 message\n"),
            (LogFormat::Raw, None, "message\n"),
        ] {
            assert_eq!(framed(format, hostname, 1024), want, "{format:?} {hostname:?}");
        }
    }

    #[test]
    fn the_limit_counts_the_frame_and_not_the_line_feed() {
        assert_eq!(framed(LogFormat::Short, None, 6), "<1>mes\n");
        assert_eq!(framed(LogFormat::Short, None, 2), "<1\n");
    }

    #[test]
    fn levels() {
        let mut to = testing::log_target(LogProtocol::Fd(1), LogFormat::Raw);
        (to.max_level, to.min_level) = (Level::Info, Level::Warning);
        for (level, want) in [
            (Level::Debug, None),
            (Level::Info, Some(Level::Info)),
            (Level::Err, Some(Level::Warning)), // more urgent than the minimum: sent as the minimum
        ] {
            assert_eq!(level_on(&to, level), want);
        }
    }
}
