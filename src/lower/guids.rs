//! `guid`, `guid-prefix` and `stats-file`: ids that stay whatever a thing is called, and the counters kept under them.
//!
//! haproxy 2.6 knows none of them. Source: what the makers of haproxy 3.0 published of them (the reference of the runtime
//! API's `dump stats-file`, the proposal it was built from); the form of the file was not held against a 3.x.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::args::{Args, Given};
use super::bind::BindDraft;
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use super::global::GlobalDraft;
use super::server::ServerDraft;
use crate::ir::{Counted, Guid, GuidOf, Preloaded, ProxyIx, ServerIx};
use crate::text::{Diagnostic, Span, World};
use crate::units::stats_file::{self, Section};

/// Longest id.
const LONGEST: usize = 127;

/// What has an id, in its proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The proxy itself.
    Proxy,
    /// A listener, by its index.
    Listener(u32),
    /// A server, by its index.
    Server(u32),
}

fn checked(word: &Given<'_>) -> Lowered<String> {
    if let Some(byte) = word.bytes.iter().find(|byte| !byte.is_ascii_alphanumeric() && !b".:-_".contains(byte)) {
        return Err(word.blame(LowerError::Name { text: word.text(), byte: *byte }));
    }
    if word.bytes.len() > LONGEST {
        return Err(word.blame(LowerError::Misplaced("an id has 127 characters at most")));
    }
    Ok(word.text())
}

/// `guid <id>` of a proxy: the last one holds.
pub fn proxy(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an id")?;
    let guid = checked(&word)?;
    proxy.guids.retain(|(part, ..)| *part != Part::Proxy);
    proxy.guids.push((Part::Proxy, guid, word.span));
    Ok(())
}

/// `guid <id>` of a server; those of a template get its number behind it, after a `-`.
pub fn server(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an id")?;
    server.guid = Some((checked(&word)?, word.span));
    Ok(())
}

/// `guid-prefix <text>` of a `bind` line: each of its addresses gets its place in the line behind it, from 0, after a `-`.
pub fn prefix(bind: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("the beginning of an id")?;
    bind.guid_prefix = Some((checked(&word)?, word.span));
    Ok(())
}

/// `stats-file <path>`: the last one is read, at each start that takes over no counters.
pub fn file(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let path = args.string("the path of a file")?;
    global.stats_file = Some((PathBuf::from(path), args.span()));
    Ok(())
}

/// All ids, each once.
pub(super) fn collect(proxies: &[ProxyDraft], said: &mut Vec<Diagnostic>) -> Vec<Guid> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut guids = Vec::new();
    for (draft, ix) in proxies.iter().zip((0..).map(ProxyIx)) {
        for (part, guid, span) in &draft.guids {
            if seen.insert(guid, *span).is_some() {
                said.push(Diagnostic::alert(*span, format!("the guid '{guid}' is another one's already")));
                continue;
            }
            let of = match *part {
                Part::Proxy => GuidOf::Proxy(ix),
                Part::Listener(at) => GuidOf::Listener(ix, at),
                Part::Server(at) => GuidOf::Server(ix, ServerIx(at)),
            };
            guids.push(Guid { guid: guid.clone(), of });
        }
    }
    guids
}

/// Reads the stats-file. What it says of ids that are not there is passed over.
pub(super) fn recall(
    file: Option<&(PathBuf, Span)>,
    guids: &[Guid],
    world: &mut dyn World,
    said: &mut Vec<Diagnostic>,
) -> Vec<Preloaded> {
    let Some((path, span)) = file else { return Vec::new() };
    let path: &Path = path;
    world.enter(None);
    let mut warn =
        |what: String| said.push(Diagnostic::warning(*span, format!("the stats-file '{}' {what}", path.display())));
    let bytes = match world.read(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            warn(format!("cannot be read: {why}"));
            return Vec::new();
        }
    };
    let (rows, wrong) = stats_file::read(&bytes);
    if let Some(first) = wrong.first() {
        warn(format!("has {} line(s) that say nothing, the first is line {first}", wrong.len()));
    }
    let known: HashMap<&str, GuidOf> = guids.iter().map(|guid| (guid.guid.as_str(), guid.of)).collect();
    let mut preloaded = Vec::new();
    for row in rows {
        let of = match (row.section, known.get(row.guid.as_str())) {
            (Section::Front, Some(GuidOf::Proxy(ix))) => Counted::Front(*ix),
            (Section::Back, Some(GuidOf::Proxy(ix))) => Counted::Back(*ix),
            (Section::Listener, Some(GuidOf::Listener(ix, at))) => Counted::Listener(*ix, *at),
            (Section::Server, Some(GuidOf::Server(ix, at))) => Counted::Server(*ix, *at),
            _ => continue,
        };
        preloaded.push(Preloaded { of, counters: row.counters });
    }
    preloaded
}
