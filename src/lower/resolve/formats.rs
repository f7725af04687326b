//! Log formats, compiled for the proxy as a whole: the mode says which variables there are.

use crate::expr::{Format, Stage, Variable};
use crate::ir::{Formats, LogMoment, Mode, SessionLog};
use crate::lower::draft::{FormatText, ProxyDraft, SessionLogWord, is_frontend};
use crate::lower::error::LowerError;
use crate::lower::log_formats::blame;
use crate::text::Diagnostic;

/// Compiles the formats of a proxy that is not disabled; what cannot be read is said.
pub(super) fn compile(proxy: &ProxyDraft, said: &mut Vec<Diagnostic>) -> Formats {
    let set = &proxy.set;
    let mut one = |format: &Option<FormatText>, used: bool| {
        let format = format.as_ref().filter(|_| used)?;
        match Format::parse(&format.text) {
            Ok(compiled) => match compiled.http_variable().filter(|_| set.mode == Mode::Tcp) {
                None => Some(compiled),
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
    let session = one(&set.log_format, front && custom);
    let structured = one(&set.log_format_sd, front);
    let unique_id = one(&set.unique_id_format, true);
    let error = one(&set.error_log_format, front);
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

/// When the line of a session is written.
pub(super) fn moment(kind: SessionLog, formats: &Formats, asap: bool) -> LogMoment {
    match kind {
        SessionLog::Default => LogMoment::Accepted,
        _ if asap => LogMoment::Connected,
        SessionLog::Custom if formats.stage() == Stage::Connected => LogMoment::Connected,
        SessionLog::Custom | SessionLog::Tcp | SessionLog::Http => LogMoment::Ended,
    }
}
