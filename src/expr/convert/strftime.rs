//! strftime(3) in the C locale: its letters, glibc's flags `_ - 0 ^ #` and widths.
//!
//! What it does not know is written as it stands.

/// A moment and the zone that it is written in.
pub(super) struct Moment<'z> {
    /// Seconds since 1970, UTC.
    pub(super) at: i64,
    /// What the zone is ahead of UTC, in seconds.
    pub(super) ahead: i32,
    /// The zone's name.
    pub(super) zone: &'z str,
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment taken apart.
struct Parts {
    year: i64,
    /// From 0.
    month: usize,
    day: i64,
    /// From 0.
    year_day: i64,
    /// 0: Sunday.
    week_day: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

fn parts(moment: &Moment<'_>) -> Parts {
    let local = moment.at.saturating_add(i64::from(moment.ahead));
    let (days, of_day) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * from_march + 2) / 153; // counted from March
    let day = from_march - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 2 } else { month - 10 };
    let year = year_of_era + era * 400 + i64::from(month < 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month = usize::try_from(month).unwrap_or(0) % 12;
    Parts {
        year,
        month,
        day,
        year_day: BEFORE[month] + day - 1 + i64::from(leap && month > 1),
        week_day: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
        hour: of_day / 3600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
    }
}

/// How a number or a text is filled up.
#[derive(Clone, Copy, Default)]
struct Style {
    pad: Option<u8>,
    upper: bool,
    width: Option<usize>,
}

impl Style {
    fn number(self, number: i64, width: usize, pad: u8, out: &mut Vec<u8>) {
        let width = self.width.unwrap_or(width);
        let text = number.unsigned_abs().to_string();
        let sign = usize::from(number < 0);
        let missing = width.saturating_sub(text.len() + sign);
        let sign: &[u8] = if number < 0 { b"-" } else { b"" };
        match self.pad.unwrap_or(pad) {
            b'_' => {
                out.extend(std::iter::repeat_n(b' ', missing));
                out.extend_from_slice(sign);
            }
            b'-' => out.extend_from_slice(sign),
            _ => {
                out.extend_from_slice(sign);
                out.extend(std::iter::repeat_n(b'0', missing));
            }
        }
        out.extend_from_slice(text.as_bytes());
    }

    fn text(self, text: &str, out: &mut Vec<u8>) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.len());
        let pad = if self.pad == Some(b'0') { b'0' } else { b' ' };
        out.extend(std::iter::repeat_n(pad, missing));
        match self.upper {
            true => out.extend(text.bytes().map(|byte| byte.to_ascii_uppercase())),
            false => out.extend_from_slice(text.as_bytes()),
        }
    }
}

/// Appends what a format makes of a moment.
pub(super) fn format(format: &[u8], moment: &Moment<'_>, out: &mut Vec<u8>) {
    let parts = parts(moment);
    let mut at = 0;
    while let Some(byte) = format.get(at) {
        if *byte != b'%' {
            out.push(*byte);
            at += 1;
            continue;
        }
        let start = at;
        at += 1;
        let mut style = Style::default();
        while let Some(flag @ (b'_' | b'-' | b'0' | b'^' | b'#')) = format.get(at) {
            match flag {
                b'^' | b'#' => style.upper = true,
                flag => style.pad = Some(*flag),
            }
            at += 1;
        }
        while let Some(digit) = format.get(at).filter(|byte| byte.is_ascii_digit()) {
            // No line is filled up beyond what a log may hold.
            style.width = Some((style.width.unwrap_or(0) * 10 + usize::from(digit - b'0')).min(1024));
            at += 1;
        }
        if matches!(format.get(at), Some(b'E' | b'O')) {
            at += 1;
        }
        let known = format.get(at).is_some_and(|letter| one(*letter, style, &parts, moment, out));
        if known {
            at += 1;
        } else {
            at = (at + usize::from(at == start + 1)).min(format.len());
            out.extend_from_slice(&format[start..at]);
        }
    }
}

/// Appends what one letter stands for; `false`: it stands for nothing.
fn one(letter: u8, style: Style, parts: &Parts, moment: &Moment<'_>, out: &mut Vec<u8>) -> bool {
    let mut number = |number, width, pad| style.number(number, width, pad, out);
    let twelve = if parts.hour % 12 == 0 { 12 } else { parts.hour % 12 };
    let (iso_year, iso_week) = iso(parts);
    let week_day = parts.week_day as i64;
    match letter {
        b'C' => number(parts.year.div_euclid(100), 2, b'0'),
        b'd' => number(parts.day, 2, b'0'),
        b'e' => number(parts.day, 2, b'_'),
        b'G' => number(iso_year, 1, b'0'),
        b'g' => number(iso_year.rem_euclid(100), 2, b'0'),
        b'H' => number(parts.hour, 2, b'0'),
        b'I' => number(twelve, 2, b'0'),
        b'j' => number(parts.year_day + 1, 3, b'0'),
        b'k' => number(parts.hour, 2, b'_'),
        b'l' => number(twelve, 2, b'_'),
        b'M' => number(parts.minute, 2, b'0'),
        b'm' => number(parts.month as i64 + 1, 2, b'0'),
        b'S' => number(parts.second, 2, b'0'),
        b's' => number(moment.at, 1, b'0'),
        b'U' => number((parts.year_day + 7 - week_day) / 7, 2, b'0'),
        b'u' => number(if week_day == 0 { 7 } else { week_day }, 1, b'0'),
        b'V' => number(iso_week, 2, b'0'),
        b'W' => number((parts.year_day + 7 - (week_day + 6) % 7) / 7, 2, b'0'),
        b'w' => number(week_day, 1, b'0'),
        b'Y' => number(parts.year, 1, b'0'),
        b'y' => number(parts.year.rem_euclid(100), 2, b'0'),
        b'A' => style.text(DAYS[parts.week_day], out),
        b'a' => style.text(&DAYS[parts.week_day][..3], out),
        b'B' => style.text(MONTHS[parts.month], out),
        b'b' | b'h' => style.text(&MONTHS[parts.month][..3], out),
        b'n' => out.push(b'\n'),
        b't' => out.push(b'\t'),
        b'%' => out.push(b'%'),
        b'P' => style.text(if parts.hour < 12 { "am" } else { "pm" }, out),
        b'p' => style.text(if parts.hour < 12 { "AM" } else { "PM" }, out),
        b'Z' => style.text(moment.zone, out),
        b'z' => {
            let minutes = moment.ahead.unsigned_abs() / 60;
            let sign = if moment.ahead < 0 { '-' } else { '+' };
            style.text(&format!("{sign}{:02}{:02}", minutes / 60, minutes % 60), out);
        }
        b'c' => self::format(b"%a %b %e %H:%M:%S %Y", moment, out),
        b'D' | b'x' => self::format(b"%m/%d/%y", moment, out),
        b'F' => self::format(b"%Y-%m-%d", moment, out),
        b'R' => self::format(b"%H:%M", moment, out),
        b'r' => self::format(b"%I:%M:%S %p", moment, out),
        b'T' | b'X' => self::format(b"%H:%M:%S", moment, out),
        _ => return false,
    }
    true
}

/// Year and week of ISO 8601.
fn iso(parts: &Parts) -> (i64, i64) {
    let from_monday = (parts.week_day as i64 + 6) % 7;
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let week = (parts.year_day - from_monday + 10) / 7;
    let weeks = |year: i64, first_of_january: i64| {
        // a year has 53 weeks if it begins on a Thursday, or on a Wednesday and is a leap year
        if first_of_january == 3 || first_of_january == 2 && leap(year) { 53 } else { 52 }
    };
    let january = (from_monday - parts.year_day).rem_euclid(7);
    if week < 1 {
        let last = parts.year - 1;
        let before = (january - if leap(last) { 366 } else { 365 }).rem_euclid(7);
        return (last, weeks(last, before));
    }
    if week > weeks(parts.year, january) { (parts.year + 1, 1) } else { (parts.year, week) }
}
