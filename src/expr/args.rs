//! The arguments of fetches and converters: what stands between the parentheses.
//!
//! A kind of argument is one letter of a row: `i` a number, `s` a text, `t` a stick table, `b` a backend, `f` a frontend,
//! `v` a server, `a` and `A` an IPv4 and an IPv6 address, `m` and `M` masks of them, `r` a regular expression, `p` a path
//! of field numbers; what stands behind `|` may be left out. Source: manual §2.2, §7.3; quotes, blanks and empty arguments
//! asked of 2.6 (`fixtures/expr/arguments.txt`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use super::error::{ArgError, ExprError, Wrong, shown};
use super::{Regex, VarName};
use crate::units::mqtt::{Field, PacketType};

/// A name that stands for something of the configuration; empty: what the expression stands in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameRef {
    /// The name as it was written.
    pub name: Box<str>,
    /// Its number, once it is resolved.
    pub id: Option<u32>,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerRef {
    /// Its backend; `None`: the own one.
    pub backend: Option<Box<str>>,
    /// Its name.
    pub name: Box<str>,
    /// The numbers of its backend and of the server, once they are resolved.
    pub id: Option<(u32, u32)>,
}

/// The ring that is always there.
pub const BUFFER: &str = "buf0";

/// Where values are told of: a ring, 'stdout' or 'stderr'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRef {
    /// Its name.
    pub name: Box<str>,
}

/// A stick table.
pub type TableRef = NameRef;

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// A number.
    Int(i64),
    /// A text.
    Str(Box<[u8]>),
    /// A stick table.
    Table(TableRef),
    /// A backend.
    Backend(NameRef),
    /// A frontend.
    Frontend(NameRef),
    /// A server.
    Server(ServerRef),
    /// An IPv4 address or mask.
    Ipv4(Ipv4Addr),
    /// An IPv6 address or mask.
    Ipv6(Ipv6Addr),
    /// A regular expression: it is compiled with the flags that may follow it.
    Pattern(Box<[u8]>),
    /// A regular expression with its flags.
    Regex(Arc<Regex>),
    /// A variable.
    Var(VarName),
    /// Numbers between dots.
    Path(Box<[u64]>),
    /// A map.
    Map(Box<super::Map>),
    /// A field of an MQTT packet.
    Mqtt(PacketType, Field),
    /// Where values are told of.
    Sink(SinkRef),
    /// The public keys of the configuration.
    Keys(super::keys::Keys),
    /// An ACL.
    Acl(super::condition::NamedAcl),
    /// What is to have happened to a session, or not.
    Occasion(super::facts::Occasion, bool),
}

impl Arg {
    /// As a number.
    pub fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// As a text.
    pub fn text(&self) -> Option<&[u8]> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }
}

/// An argument and where it stands in its word.
pub(super) struct Given {
    pub(super) arg: Arg,
    pub(super) at: Range<usize>,
}

/// Arguments, and how to blame one.
pub(super) struct Args {
    /// The keyword that they belong to.
    pub(super) name: &'static str,
    pub(super) word: usize,
    /// Where the keyword stands.
    pub(super) at: Range<usize>,
    pub(super) list: Vec<Given>,
}

impl Args {
    /// The argument of that number, from 0.
    pub(super) fn get(&self, ix: usize) -> Option<&Arg> {
        self.list.get(ix).map(|given| &given.arg)
    }

    /// A number that may be left out.
    pub(super) fn int(&self, ix: usize) -> Option<i64> {
        self.get(ix).and_then(Arg::int)
    }

    /// A text that may be left out.
    pub(super) fn text(&self, ix: usize) -> &[u8] {
        self.get(ix).and_then(Arg::text).unwrap_or_default()
    }

    /// An error that blames an argument, or the keyword where there is none.
    pub(super) fn blame(&self, ix: usize, why: ArgError) -> ExprError {
        let at = self.list.get(ix).map_or(self.at.clone(), |given| given.at.clone());
        ExprError::new(self.word, at, Wrong::Argument { name: self.name, why })
    }

    /// The error of an argument that is something else.
    pub(super) fn kind(&self, ix: usize, want: &'static str) -> ExprError {
        self.blame(ix, ArgError::Kind { text: shown(self.text(ix)), want })
    }

    /// Replaces an argument by what was made of it.
    pub(super) fn set(&mut self, ix: usize, arg: Arg) {
        let at = self.list.get(ix).map_or(self.at.clone(), |given| given.at.clone());
        match self.list.get_mut(ix) {
            Some(given) => given.arg = arg,
            None => self.list.push(Given { arg, at }),
        }
    }

    /// A text that must be the name of a variable becomes one; empty texts stay.
    ///
    /// # Errors
    /// [`ArgError::Kind`].
    pub(super) fn variable(&mut self, ix: usize) -> Result<(), ExprError> {
        let text = self.text(ix);
        if text.is_empty() {
            return Ok(());
        }
        let name = VarName::parse(text).ok_or_else(|| self.kind(ix, VARIABLE))?;
        self.set(ix, Arg::Var(name));
        Ok(())
    }

    pub(super) fn into_list(self) -> Box<[Arg]> {
        self.list.into_iter().map(|given| given.arg).collect()
    }
}

/// What the name of a variable is.
pub(super) const VARIABLE: &str =
    "the name of a variable: 'proc', 'sess', 'txn', 'req', 'res' or 'check', a dot, letters, digits and underscores";

/// Reads the arguments that stand at `*at` of a word, if some do; `spec` as in the header.
///
/// # Errors
/// [`Wrong::Argument`].
pub(super) fn read(
    name: &'static str,
    (word, text): (usize, &[u8]),
    keyword: Range<usize>,
    at: &mut usize,
    spec: &str,
) -> Result<Args, ExprError> {
    let (must, may) = spec.split_once('|').unwrap_or((spec, ""));
    let kinds = must.bytes().chain(may.bytes()).take_while(|_| !spec.is_empty());
    let mut args = Args { name, word, at: keyword, list: Vec::new() };
    let fail = |at: Range<usize>, why| ExprError::new(word, at, Wrong::Argument { name, why });
    let open = *at;
    let written = text.get(open) == Some(&b'(');
    let mut here = open + usize::from(written);
    let mut closed = !written;
    if !must.is_empty() || written {
        for (ix, kind) in kinds.enumerate() {
            if ix > 0 {
                if !written || text.get(here) != Some(&b',') {
                    break;
                }
                here += 1;
            }
            let start = here;
            let raw = if written { raw(text, &mut here) } else { Some(Vec::new()) };
            let raw = raw.ok_or_else(|| fail(open..text.len(), ArgError::Unclosed))?;
            let nothing = here == start;
            // A text may be empty before others, a number may not.
            let more = kind == b's' && text.get(here) == Some(&b',');
            if ix == 0 && nothing && must.is_empty() && !more {
                break;
            }
            let arg = match kind {
                b'i' if nothing && ix >= must.len() => Arg::Int(0),
                _ => parse(kind, &raw, nothing).map_err(|why| fail(start..here, why))?,
            };
            args.list.push(Given { arg, at: start..here });
        }
    }
    if written {
        match text.get(here) {
            Some(b')') => {
                here += 1;
                closed = true;
            }
            Some(_) => return Err(fail(here..text.len(), ArgError::Many { rest: shown(&text[here..]) })),
            None => {}
        }
    }
    if !closed {
        return Err(fail(open..text.len(), ArgError::Unclosed));
    }
    if args.list.len() < must.len() {
        let (want, got) = (must.len(), args.list.len());
        return Err(fail(args.at.start..here, ArgError::Few { want, got }));
    }
    *at = here;
    Ok(args)
}

/// One argument without its quotes and escapes, up to a comma or a parenthesis; `None` where the word ends.
fn raw(text: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut quote = None;
    loop {
        let byte = *text.get(*at)?;
        match (quote, byte) {
            (None, b',' | b')') => return Some(out),
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (Some(b'\''), _) => out.push(byte),
            (_, b'\\') => {
                let escaped = match text.get(*at + 1) {
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(next @ (b'\\' | b'"' | b'\'' | b' ')) => *next,
                    _ => {
                        out.push(byte);
                        *at += 1;
                        continue;
                    }
                };
                out.push(escaped);
                *at += 1;
            }
            _ => out.push(byte),
        }
        *at += 1;
    }
}

/// An argument of a kind. `nothing`: not even quotes stand there.
fn parse(kind: u8, text: &[u8], nothing: bool) -> Result<Arg, ArgError> {
    let wrong = |want| ArgError::Kind { text: shown(text), want };
    let plain = std::str::from_utf8(text).unwrap_or_default();
    let named = || -> Result<NameRef, ArgError> {
        let name = std::str::from_utf8(text).map_err(|_| wrong("a name"))?;
        Ok(NameRef { name: name.into(), id: None })
    };
    Ok(match kind {
        b'i' => Arg::Int(int(text).ok_or_else(|| wrong("a whole number"))?),
        b's' => Arg::Str(text.into()),
        b't' => Arg::Table(named()?),
        b'b' => Arg::Backend(named()?),
        b'f' => Arg::Frontend(named()?),
        b'v' => {
            let text = &named()?.name;
            let (backend, name) = text.split_once('/').map_or((None, &**text), |(b, s)| (Some(b.into()), s));
            if name.is_empty() {
                return Err(wrong("a server: its name, or its backend, '/' and its name"));
            }
            Arg::Server(ServerRef { backend, name: name.into(), id: None })
        }
        b'a' => Arg::Ipv4(plain.parse().map_err(|_| wrong("an IPv4 address"))?),
        b'A' => Arg::Ipv6(plain.parse().map_err(|_| wrong("an IPv6 address"))?),
        b'm' => Arg::Ipv4(mask4(plain).ok_or_else(|| wrong("a mask of IPv4: 0 to 32, or four numbers"))?),
        b'M' => Arg::Ipv6(mask6(plain).ok_or_else(|| wrong("a mask of IPv6: 0 to 128, or an address"))?),
        b'r' if nothing => return Err(wrong("a regular expression")),
        b'r' => Arg::Pattern(text.into()),
        b'p' => {
            let numbers: Option<Box<[u64]>> = plain.split('.').map(|number| number.parse().ok()).collect();
            Arg::Path(numbers.ok_or_else(|| wrong("field numbers between dots"))?)
        }
        _ => return Err(wrong("an argument")),
    })
}

/// A number: all digits; too large ones become the largest.
pub(super) fn int(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| super::value::leading_int(text))
}

/// A mask of IPv4: a count of bits, or four numbers.
pub(super) fn mask4(text: &str) -> Option<Ipv4Addr> {
    if let Ok(mask) = text.parse() {
        return Some(mask);
    }
    let bits: u32 = text.parse().ok().filter(|bits| *bits <= 32)?;
    Some(Ipv4Addr::from(u32::MAX.checked_shl(32 - bits).unwrap_or(0)))
}

/// A mask of IPv6.
pub(super) fn mask6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(mask) = text.parse() {
        return Some(mask);
    }
    let bits: u32 = text.parse().ok().filter(|bits| *bits <= 128)?;
    Some(Ipv6Addr::from(u128::MAX.checked_shl(128 - bits).unwrap_or(0)))
}
