//! `http-request use-service`: who answers a request instead of a server.
//!
//! Source: configuration manual §4.2 "http-request use-service"; what is an error was asked of 2.6.12.

use crate::expr::{Condition, Fetch, Known, Place};
use crate::ir::{HttpRule, Service};
use crate::lower::args::Args;
use crate::lower::conditions;
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};

/// `http-request use-service <name> [if|unless <condition>]`: the first rule whose condition holds answers.
pub fn use_service(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    conditions::in_named_defaults(proxy, args)?;
    let span = args.span();
    let name = args.word("the name of a service")?;
    let service = match name.bytes {
        b"prometheus-exporter" => Service::PrometheusExporter,
        bytes if bytes.starts_with(b"lua.") => {
            return Err(name.blame(LowerError::NotYet { what: format!("the service '{}'", name.text()) }));
        }
        _ => return Err(name.blame(LowerError::Choice { text: name.text(), choices: &["prometheus-exporter"] })),
    };
    let when = conditions::rest(proxy, args, Place::FrontendHttpRequest)?;
    if let Some(fetch) = when.as_ref().and_then(unanswered) {
        let what = format!("the fetch '{fetch}' in the condition of a page");
        return conditions::unbuilt(proxy, Err(args.blame_keyword(LowerError::NotYet { what })));
    }
    proxy.set.http_rules.push((HttpRule { service, when }, span));
    Ok(())
}

/// What a request for a page cannot be asked.
pub(in crate::lower) fn unanswered(when: &Condition) -> Option<&'static str> {
    use Known as K;
    let answered = |fetch: &Fetch| match fetch {
        Fetch::Constant(_) | Fetch::Missing => true,
        Fetch::Known(K::Path | K::Src | K::SrcPort | K::FeName | K::FeId | K::HttpAuth | K::HttpAuthGroup, _) => true,
        Fetch::Known(known, _) => known.of_process(),
        _ => false,
    };
    when.tests().find(|test| !answered(test.expr.fetch())).map(|test| test.expr.fetch_name())
}
