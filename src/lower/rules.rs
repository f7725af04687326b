//! `http-request use-service`: who answers a request instead of a server.
//!
//! Source: configuration manual §4.2 "http-request use-service"; what is an error was asked of 2.6.12.

use super::args::Args;
use super::conditions;
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use crate::ir::{HttpRule, Service};

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
    let when = conditions::rest(proxy, args)?;
    proxy.set.http_rules.push((HttpRule { service, when }, span));
    Ok(())
}
