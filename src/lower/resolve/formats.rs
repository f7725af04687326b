//! Log formats, compiled for the proxy as a whole: the mode says which variables there are.

use super::called;
use super::rules::Names;
use crate::expr::pattern::Lists;
use crate::expr::{Context, Expr, Fetch, Format, Place, Stage, Variable};
use crate::ir::{Formats, LogMoment, Mode, SessionLog};
use crate::lower::draft::{FormatText, SessionLogWord, is_backend, is_frontend};
use crate::lower::error::LowerError;
use crate::lower::log_formats::blame;
use crate::text::{Diagnostic, World};

/// Compiles the formats of a proxy that is not disabled; what cannot be read is said.
pub(super) fn compile(names: &Names<'_>, outside: (&dyn World, &Lists), said: &mut Vec<Diagnostic>) -> Formats {
    let proxy = &names.sections.proxies[names.at];
    let set = &proxy.set;
    let mut one = |format: &Option<FormatText>, place: Place, used: bool| {
        let format = format.as_ref().filter(|_| used)?;
        let context = Context { place, strict: true, world: outside.0, lists: outside.1 };
        match Format::compile(&format.text, &context) {
            Ok(mut compiled) => match compiled.http_variable().filter(|_| set.mode == Mode::Tcp) {
                None => {
                    if let Err(why) = compiled.resolve(names) {
                        let message = format!("{}: '{}': {why}", called(proxy), format.keyword);
                        said.push(Diagnostic::alert(format.span, message));
                    }
                    if place != Place::Log {
                        warn(&compiled, format, said);
                    }
                    Some(compiled)
                }
                Some(variable) => {
                    let (keyword, name) = (format.keyword, variable.name());
                    said.push(Diagnostic::alert(format.span, LowerError::HttpVariable { keyword, name }.to_string()));
                    None
                }
            },
            Err(why) => {
                said.push(blame(format, why).alert());
                None
            }
        }
    };
    let front = is_frontend(proxy.kind);
    let custom = matches!(set.session_log, Some((SessionLogWord::Custom, _)));
    let session = one(&set.log_format, Place::Log, front && custom);
    let structured = one(&set.log_format_sd, Place::Log, front);
    let made_at = if is_backend(proxy.kind) { Place::BackendHttpRequest } else { Place::FrontendHttpRequest };
    let unique_id = one(&set.unique_id_format, made_at, true);
    let error = one(&set.error_log_format, Place::Log, front);
    let mut formats = Formats { session, structured, error, unique_id, local_address: false, server_addresses: false };
    let all = [&formats.session, &formats.structured, &formats.error, &formats.unique_id];
    for variable in all.into_iter().flatten().flat_map(Format::variables) {
        match variable {
            Variable::FrontendIp | Variable::FrontendPort => formats.local_address = true,
            Variable::SourceIp | Variable::SourcePort | Variable::ServerIp | Variable::ServerPort => {
                formats.server_addresses = true;
            }
            _ => {}
        }
    }
    formats
}

/// What the bytes of a request say is gone when an id is made of it.
fn warn(compiled: &Format, format: &FormatText, said: &mut Vec<Diagnostic>) {
    let buffered = |expr: &&Expr| {
        matches!(
            expr.fetch(),
            Fetch::Len(_) | Fetch::Payload { .. } | Fetch::PayloadLv { .. } | Fetch::RdpCookie { .. }
        )
    };
    for expr in compiled.expressions().filter(buffered) {
        let message = format!("'{}': '{}' knows nothing here", format.keyword, expr.fetch_name());
        said.push(Diagnostic::warning(format.span, message));
    }
}

/// When the line of a session is written.
pub(super) fn moment(kind: SessionLog, formats: &Formats, asap: bool) -> LogMoment {
    match kind {
        SessionLog::Default => LogMoment::Accepted,
        _ if asap => LogMoment::Connected,
        SessionLog::Custom if formats.stage() == Stage::Connected => LogMoment::Connected,
        SessionLog::Custom | SessionLog::Tcp | SessionLog::Http => LogMoment::Ended,
    }
}
