//! Numbers as people read them.

/// `1234567` as `1 234 567`, with narrow spaces that do not break.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Bytes with three digits at most: `0 B`, `1.5 KiB`, `12.3 MiB`, `456 GiB`.
pub(super) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    let decimals = usize::from(unit != "B" && value < 99.95);
    format!("{value:.decimals$}\u{202f}{unit}")
}

/// A time by its two largest units: `5s`, `2m 3s`, `1h 0m`, `3d 4h`.
pub(super) fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (n, want) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(count(n).replace('\u{202f}', " "), want);
        }
        for (n, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
            (456 << 30, "456 GiB"),
        ] {
            assert_eq!(bytes(n).replace('\u{202f}', " "), want, "{n}");
        }
        assert!(bytes(u64::MAX).ends_with("EiB"));
        for (n, want) in [(5, "5s"), (123, "2m 3s"), (3600, "1h 0m"), (273_600, "3d 4h")] {
            assert_eq!(ago(n), want);
        }
    }
}
