//! `bind` lines and the options they share with `stats socket` lines.
//!
//! One line may give several listeners: a list of addresses, each with a range of ports. Ids and names that the line
//! does not give are given when all is read. Source: manual §4.2 "bind", §5.1.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::address;
use super::args::{Args, Given, MOST};
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use super::global::GlobalDraft;
use super::guids::Part;
use super::options_line;
use super::threads::ThreadsDraft;
use crate::grammar::OptionLine;
use crate::ir::{AdminLevel, Bind, BindOptions, Endpoint, SeverityOutput};
use crate::text::Span;
use crate::units::Millis;
use crate::units::address::{Place, split_list};

/// What the options of a line said.
#[derive(Debug, Clone, Default)]
pub struct BindDraft {
    /// Options of any listener.
    pub options: BindOptions,
    /// `name`.
    pub name: Option<String>,
    /// `id`, with its word.
    pub id: Option<(u32, Span)>,
    /// `level`.
    pub level: Option<AdminLevel>,
    /// `severity-output`.
    pub severity_output: SeverityOutput,
    /// `expose-fd listeners`.
    pub expose_listeners: bool,
    /// `thread`, `process`.
    pub threads: ThreadsDraft,
    /// `guid-prefix`, with its word.
    pub guid_prefix: Option<(String, Span)>,
}

/// `bind <address>[:port[-port]][,…] <options>`.
pub fn bind(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an address")?;
    let endpoints = endpoints(&word, args)?;
    let mut draft = BindDraft::default();
    options_line::bind(&mut draft, OptionLine::Bind, args)?;
    if let Some((id, span)) = draft.id {
        let error = match proxy.binds.iter().any(|bind| bind.id == id) {
            true => Some(LowerError::IdTaken { id }),
            false if endpoints.len() > 1 => {
                Some(LowerError::Misplaced("'id' is for one address: this line has several"))
            }
            false => None,
        };
        if let Some(error) = error {
            return Err(super::error::Blame { span, error, hint: None });
        }
    }
    add(proxy, &endpoints, &draft, word.span);
    Ok(())
}

/// Adds one listener for each endpoint.
pub fn add(proxy: &mut ProxyDraft, endpoints: &[Endpoint], draft: &BindDraft, span: Span) {
    if let Some((prefix, span)) = &draft.guid_prefix {
        let first = proxy.binds.len() as u32;
        let guids = (0..endpoints.len() as u32).map(|at| (Part::Listener(first + at), format!("{prefix}-{at}"), *span));
        proxy.guids.extend(guids);
    }
    proxy.binds.extend(endpoints.iter().map(|endpoint| Bind {
        endpoint: endpoint.clone(),
        name: draft.name.clone().unwrap_or_default(),
        id: draft.id.map_or(0, |(id, _)| id),
        options: draft.options.clone(),
        span,
    }));
    proxy.threads.push(draft.threads.clone());
}

/// What `unix-bind` says of unix listeners: it counts for `bind` lines below it, and never for `stats socket`. Tried on
/// 2.6.
pub(super) fn unix(binds: &mut [Bind], global: &GlobalDraft) {
    let rights = &global.unix_bind;
    for bind in binds {
        let Endpoint::Unix(path) = &mut bind.endpoint else { continue };
        if let Some(prefix) = &global.unix_prefix {
            let mut whole = OsString::from(prefix);
            whole.push(path.as_os_str());
            *path = PathBuf::from(whole);
        }
        let file = &mut bind.options.file;
        file.mode = file.mode.or(rights.mode);
        file.uid = file.uid.or(rights.uid);
        file.gid = file.gid.or(rights.gid);
    }
}

/// The endpoints of a comma-separated list of addresses.
///
/// # Errors
/// [`LowerError::Address`].
pub fn endpoints(word: &Given<'_>, args: &mut Args<'_>) -> Lowered<Vec<Endpoint>> {
    let mut all = Vec::with_capacity(1);
    let mut start = 0;
    for part in split_list(word.bytes) {
        one(&part_of(word, start, part.len()), args, &mut all)?;
        start += part.len() + 1;
    }
    Ok(all)
}

/// A part of a word, to be blamed alone where the word stands in the source as it reads.
pub(super) fn part_of<'a>(word: &Given<'a>, start: usize, len: usize) -> Given<'a> {
    let bytes = word.bytes.get(start..start + len).unwrap_or_default();
    let mut span = word.span;
    if usize::try_from(span.end.saturating_sub(span.start)) == Ok(word.bytes.len()) {
        span.start += u32::try_from(start).unwrap_or_default();
        span.end = span.start + u32::try_from(len).unwrap_or_default();
    }
    Given { bytes, span }
}

fn one(place: &Given<'_>, args: &mut Args<'_>, all: &mut Vec<Endpoint>) -> Lowered {
    let parsed = address::parse(place, args)?;
    address::want_stream(place, &parsed)?;
    let ports = parsed.listen_ports().map_err(|why| address::fault(place, why))?;
    match parsed.place {
        Place::Inet { family, host, .. } => {
            let ip = address::ip(place, &host, family, args)?;
            all.extend(ports.into_iter().flatten().map(|port| Endpoint::Inet(SocketAddr::new(ip, port))));
        }
        Place::Unix(path) => all.push(Endpoint::Unix(address::path(path))),
        Place::Abstract(name) => all.push(Endpoint::Abstract(name)),
        Place::Fd(fd) => all.push(Endpoint::Fd(fd)),
        Place::SockPair(number) => all.push(Endpoint::SockPair(number)),
        Place::AbstractZero(_) | Place::Reverse(_) => return Err(address::not_yet(place)),
    }
    Ok(())
}

/// `name <name>`.
pub fn name(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.name = Some(args.string("a name")?);
    Ok(())
}

/// `id <number>`: at least 1, one listener of a proxy each.
pub fn id(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number")?;
    let id = word.int(1, i64::from(MOST))?;
    let id = u32::try_from(id).map_err(|_| word.range(1, i64::from(MOST)))?;
    bind.id = Some((id, word.span));
    Ok(())
}

/// `maxconn <number>`.
pub fn maxconn(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.maxconn = positive(args)?.unwrap_or(0);
    Ok(())
}

/// `backlog <number>`.
pub fn backlog(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.backlog = positive(args)?;
    Ok(())
}

/// A number that may not be negative; `None` for 0.
fn positive(args: &mut Args<'_>) -> Lowered<Option<u32>> {
    let word = args.word("a number")?;
    Ok(Some(word.lenient_u32(0, MOST, args)?).filter(|number| *number > 0))
}

/// `interface <device>`.
pub fn interface(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.interface = Some(args.string("a network device")?);
    Ok(())
}

/// `v4v6`: an IPv6 listener takes IPv4 too.
pub fn v4v6(bind: &mut BindDraft, _args: &mut Args<'_>) -> Lowered {
    // Beside `v6only` it changes nothing, whichever stands first.
    bind.options.v6only.get_or_insert(false);
    Ok(())
}

/// `v6only`: an IPv6 listener takes no IPv4.
pub fn v6only(bind: &mut BindDraft, _args: &mut Args<'_>) -> Lowered {
    bind.options.v6only = Some(true);
    Ok(())
}

/// `mss <number>`: 1 to 65535, or less than the default by that much when negative.
pub fn mss(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a segment size")?;
    let mss = word.lenient(1, 65535, args).or_else(|_| word.lenient(-65535, -1, args));
    bind.options.mss = i32::try_from(mss.map_err(|_| word.range(1, 65535))?).ok();
    Ok(())
}

/// `accept-proxy`: connections begin with a PROXY header.
pub fn accept_proxy(bind: &mut BindDraft, _args: &mut Args<'_>) -> Lowered {
    bind.options.accept_proxy = true;
    Ok(())
}

/// `accept-netscaler-cip <number>`: connections begin with a NetScaler header that begins with this number, of which the lower
/// 32 bits count; 0 is none.
pub fn accept_netscaler_cip(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number")?;
    let number = word.lenient(i64::MIN, i64::MAX, args)?;
    let magic = u32::try_from(number & i64::from(u32::MAX)).unwrap_or_default();
    if magic == 0 {
        return Err(word.range(1, i64::from(u32::MAX)));
    }
    bind.options.netscaler = Some(magic);
    Ok(())
}

/// `defer-accept`: TCP connections come with their first bytes, or when their SYN is repeated.
pub fn defer_accept(bind: &mut BindDraft, _args: &mut Args<'_>) -> Lowered {
    bind.options.defer_accept = true;
    Ok(())
}

/// `tcp-ut <delay>`, a bare number counts in milliseconds; 0: the system's.
pub fn tcp_ut(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.user_timeout = Some(args.time()?).filter(|time| *time != Millis::ZERO);
    Ok(())
}

/// `tcp-ss <mode>`: 0 nothing, 1 from the IP header on, 2 from the Ethernet header on.
pub fn tcp_ss(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let mode = args.word("0, 1 or 2")?.int(0, 2)?;
    bind.options.save_syn = u8::try_from(mode).unwrap_or(0);
    Ok(())
}

/// `transparent`: TCP addresses that are not this host's.
pub fn transparent(bind: &mut BindDraft, _args: &mut Args<'_>) -> Lowered {
    bind.options.transparent = true;
    Ok(())
}

/// `tfo`: TCP Fast Open.
pub fn tfo(bind: &mut BindDraft, _args: &mut Args<'_>) -> Lowered {
    bind.options.tfo = true;
    Ok(())
}

/// `mode <octal>`: of a unix socket's file.
pub fn mode(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.file.mode = Some(octal(args)?);
    Ok(())
}

/// Reads an octal mode; what is more than twelve bits is cut off, as haproxy's system call does.
///
/// # Errors
/// [`LowerError::Octal`].
pub fn octal(args: &mut Args<'_>) -> Lowered<u32> {
    let word = args.word("an octal mode")?;
    let mode = std::str::from_utf8(word.bytes).ok().and_then(|text| i64::from_str_radix(text, 8).ok());
    let mode = mode.ok_or_else(|| word.blame(LowerError::Octal { text: word.text() }))?;
    Ok(u32::try_from(mode & 0o7777).unwrap_or(0o7777))
}

/// `uid <number>`: owner of a unix socket's file.
pub fn uid(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.file.uid = Some(args.lenient_count()?.unwrap_or(0));
    Ok(())
}

/// `gid <number>`: group of a unix socket's file.
pub fn gid(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.file.gid = Some(args.lenient_count()?.unwrap_or(0));
    Ok(())
}

/// `user <name>`: owner of a unix socket's file.
pub fn user(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.file.uid = Some(user_id(args)?);
    Ok(())
}

/// `group <name>`: group of a unix socket's file.
pub fn group(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    bind.options.file.gid = Some(group_id(args)?);
    Ok(())
}

/// The id of the user that the next word names.
///
/// # Errors
/// [`LowerError::Unknown`].
pub fn user_id(args: &mut Args<'_>) -> Lowered<u32> {
    let word = args.word("the name of a user")?;
    args.world.user(&word.text()).ok_or_else(|| word.blame(LowerError::Unknown { kind: "user", text: word.text() }))
}

/// The id of the group that the next word names.
///
/// # Errors
/// [`LowerError::Unknown`].
pub fn group_id(args: &mut Args<'_>) -> Lowered<u32> {
    let word = args.word("the name of a group")?;
    args.world.group(&word.text()).ok_or_else(|| word.blame(LowerError::Unknown { kind: "group", text: word.text() }))
}

/// `level { user | operator | admin }`: acts on stats sockets.
pub fn level(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a level")?;
    bind.level = Some(match word.bytes {
        b"user" => AdminLevel::User,
        b"operator" => AdminLevel::Operator,
        b"admin" => AdminLevel::Admin,
        _ => {
            let choices = &["user", "operator", "admin"];
            return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
        }
    });
    Ok(())
}

/// `severity-output { none | number | string }`: acts on stats sockets.
pub fn severity_output(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a format")?;
    bind.severity_output = match word.bytes {
        b"none" => SeverityOutput::None,
        b"number" => SeverityOutput::Number,
        b"string" => SeverityOutput::Text,
        _ => {
            let choices = &["none", "number", "string"];
            return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
        }
    };
    Ok(())
}

/// `expose-fd listeners`: acts on stats sockets.
pub fn expose_fd(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'listeners'")?;
    if word.bytes != b"listeners" {
        return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["listeners"] }));
    }
    bind.expose_listeners = true;
    Ok(())
}
