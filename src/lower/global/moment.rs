//! The variables of log formats that mean something without a session: `%pid`, `%H` and dates. A text that is evaluated when it
//! is read has them put in before.
//!
//! Source: manual §3.1 "set-var-fmt", §8.2.6; what they stand for there was asked of 2.6.12.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::expr::pattern::Lists;
use crate::expr::{Context, Expr, Facts, Place};
use crate::text::World;

/// A moment as the expressions of dates see it.
struct At(Duration);

impl Facts for At {
    fn now(&self) -> Duration {
        self.0
    }
}

/// The text with the variables put in; all others stay as they are.
pub(super) fn put_in(text: &[u8], world: &dyn World) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, behind) = rest.split_at(at);
        out.extend_from_slice(plain);
        let letters = behind.iter().skip(1).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let length = match behind.get(1) {
            Some(b'%') => 2,
            Some(b'[') => expression(behind),
            _ => 1 + letters,
        };
        let (piece, after) = behind.split_at(length.min(behind.len()));
        match value(piece, now, world) {
            Some(value) => out.extend_from_slice(value.as_bytes()),
            None => out.extend_from_slice(piece),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// How long `%[…]` is: up to a `]` outside of parentheses.
fn expression(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let end = text.iter().position(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b']' && depth == 0
    });
    end.map_or(text.len(), |end| end + 1)
}

/// What a variable stands for at a moment.
fn value(name: &[u8], now: Duration, world: &dyn World) -> Option<String> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(0);
    let offset = world.local_offset(seconds);
    let local = Duration::from_secs(u64::try_from(seconds + i64::from(offset)).unwrap_or(0));
    Some(match name {
        b"%pid" => std::process::id().to_string(),
        b"%H" => world.hostname(),
        b"%Ts" => seconds.to_string(),
        b"%ms" => format!("{:03}", now.subsec_millis()),
        b"%T" => format!("{} +0000", date(now, world)),
        b"%t" => format!("{}.{:03}", date(local, world), now.subsec_millis()),
        b"%Tl" => {
            let minutes = offset.abs() / 60;
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{} {sign}{:02}{:02}", date(local, world), minutes / 60, minutes % 60)
        }
        _ => return None,
    })
}

/// `22/Nov/2026:19:46:24`.
fn date(at: Duration, world: &dyn World) -> String {
    let lists = Lists::default();
    let context = Context { place: Place::Config, strict: true, world, lists: &lists };
    let expr = Expr::parse(b"date,utime(%d/%b/%Y:%H:%M:%S)", &context).ok();
    let text = expr.as_ref().and_then(|expr| Some(expr.value(&At(at))?.to_text()));
    String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
}
