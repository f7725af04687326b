//! Moments as log lines write them.
//!
//! Civil dates are computed here; what local time is ahead of UTC is asked once per second and thread.

use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Surroundings;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The texts of one second.
#[derive(Clone, Default)]
struct Second {
    at: Option<i64>,
    /// `Nov 22 19:41:18`
    syslog: Vec<u8>,
    /// `2026-11-22T19:41:18`
    iso: Vec<u8>,
    /// `+00:00`
    zone: Vec<u8>,
    /// `22/Nov/2026:19:41:18`
    accept: Vec<u8>,
}

thread_local! {
    /// Three seconds: the line's own, the one in which its session was accepted, and the same in GMT.
    static CACHE: RefCell<[Second; 3]> = RefCell::default();
}

/// Year, month (1 to 12) and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, usize, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // months counted from March
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as usize, day)
}

impl Second {
    fn fill(&mut self, at: i64, offset: i32) {
        let local = at + i64::from(offset);
        let (year, month, day) = civil(local.div_euclid(86_400));
        let of_day = local.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let name = MONTHS[(month - 1) % 12];
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs() / 60;
        for text in [&mut self.syslog, &mut self.iso, &mut self.zone, &mut self.accept] {
            text.clear();
        }
        // Writing to a Vec cannot fail.
        let _ = write!(self.syslog, "{name} {day:2} {hour:02}:{minute:02}:{second:02}");
        let _ = write!(self.iso, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        let _ = write!(self.zone, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        let _ = write!(self.accept, "{day:02}/{name}/{year}:{hour:02}:{minute:02}:{second:02}");
        self.at = Some(at);
    }
}

/// The time since 1970, zero before it.
pub(super) fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn with<R>(slot: usize, at: SystemTime, env: &Surroundings, show: impl FnOnce(&Second, Duration) -> R) -> R {
    cached(slot, at, env.local_offset, show)
}

fn cached<R>(slot: usize, at: SystemTime, offset: fn(i64) -> i32, show: impl FnOnce(&Second, Duration) -> R) -> R {
    let at = since_epoch(at);
    let seconds = at.as_secs() as i64;
    CACHE.with_borrow_mut(|cache| {
        let second = &mut cache[slot];
        if second.at != Some(seconds) {
            second.fill(seconds, offset(seconds));
        }
        show(second, at)
    })
}

/// `Nov 22 19:41:18`, the date of RFC 3164.
pub(super) fn syslog(out: &mut Vec<u8>, at: SystemTime, env: &Surroundings) {
    with(0, at, env, |second, _| out.extend_from_slice(&second.syslog));
}

/// `2026-11-22T19:41:18.094075+00:00`.
pub(super) fn iso(out: &mut Vec<u8>, at: SystemTime, env: &Surroundings) {
    with(0, at, env, |second, exact| {
        out.extend_from_slice(&second.iso);
        let _ = write!(out, ".{:06}", exact.subsec_micros());
        out.extend_from_slice(&second.zone);
    });
}

/// `22/Nov/2026:19:41:18.774`, the accept date of session lines.
pub(super) fn accept(out: &mut Vec<u8>, at: SystemTime, env: &Surroundings) {
    with(1, at, env, |second, exact| {
        out.extend_from_slice(&second.accept);
        let _ = write!(out, ".{:03}", exact.subsec_millis());
    });
}

/// `22/Nov/2026:19:41:18.774075`, in commands.
pub(in crate::report) fn exact(at: SystemTime, offset: fn(i64) -> i32) -> String {
    cached(1, at, offset, |second, exact| {
        format!("{}.{:06}", String::from_utf8_lossy(&second.accept), exact.subsec_micros())
    })
}

/// `22/Nov/2026:19:41:18 +0000`: in GMT, or in the local time of `env`.
pub(super) fn zoned(out: &mut Vec<u8>, at: SystemTime, env: Option<&Surroundings>) {
    let (slot, offset) = env.map_or((2, (|_| 0) as fn(i64) -> i32), |env| (1, env.local_offset));
    cached(slot, at, offset, |second, _| {
        out.extend_from_slice(&second.accept);
        out.push(b' ');
        out.extend(second.zone.iter().filter(|byte| **byte != b':'));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(show: fn(&mut Vec<u8>, SystemTime, &Surroundings), micros: u64, local_offset: fn(i64) -> i32) -> String {
        let env = Surroundings {
            tag: "t".into(),
            hostname: "h".into(),
            echo: false,
            local_offset,
            state: Default::default(),
        };
        CACHE.with_borrow_mut(|cache| *cache = Default::default());
        let mut out = Vec::new();
        show(&mut out, UNIX_EPOCH + Duration::from_micros(micros), &env);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates() {
        let noon = 1_795_376_478_774_075; // 2026-11-22 19:41:18.774075 UTC
        for (show, micros, offset, want) in [
            (syslog as fn(&mut Vec<u8>, SystemTime, &Surroundings), noon, (|_| 0) as fn(i64) -> i32, "Nov 22 19:41:18"),
            (iso, noon, |_| 0, "2026-11-22T19:41:18.774075+00:00"),
            (accept, noon, |_| 0, "22/Nov/2026:19:41:18.774"),
            (syslog, 0, |_| 0, "Jan  1 00:00:00"), // a day below ten has a space, not a zero
            (accept, 0, |_| -12_600, "31/Dec/1969:20:30:00.000"),
            (iso, 0, |_| -12_600, "1969-12-31T20:30:00.000000-03:30"),
            (iso, noon, |_| 19_800, "2026-11-23T01:11:18.774075+05:30"),
            (accept, 951_782_400_000_000, |_| 0, "29/Feb/2000:00:00:00.000"), // a leap day of a year divisible by 400
            (|out, at, env| zoned(out, at, Some(env)), 0, |_| -12_600, "31/Dec/1969:20:30:00 -0330"),
            (|out, at, _| zoned(out, at, None), 0, |_| -12_600, "01/Jan/1970:00:00:00 +0000"),
            (accept, 4_107_542_400_000_000, |_| 0, "01/Mar/2100:00:00:00.000"), // 2100 has none
        ] {
            assert_eq!(shown(show, micros, offset), want);
        }
    }
}
