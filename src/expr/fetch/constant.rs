//! From a name and its arguments to what is answered without the engine.

use super::payload::Then;
use super::{ArgError, Fetch, Hello, vars};
use crate::expr::args::{Args, VARIABLE};
use crate::expr::condition::NamedAcl;
use crate::expr::context::Context;
use crate::expr::error::{ExprError, Wrong};
use crate::expr::{Arg, Side, Value, VarName};

/// The methods that `meth` knows.
const METHODS: [&str; 9] = ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH"];

pub(super) fn build(args: &Args, context: &Context<'_>) -> Result<Fetch, ExprError> {
    let constant = |value| Ok(Fetch::Constant(value));
    let here = if context.place.in_request() { Side::Request } else { Side::Response };
    match args.name {
        "always_false" => constant(Value::Bool(false)),
        "always_true" => constant(Value::Bool(true)),
        "int" => constant(Value::Int(args.int(0).unwrap_or(0))),
        "str" => constant(Value::owned(args.text(0).to_vec())),
        "bool" => match args.text(0).to_ascii_lowercase().as_slice() {
            b"1" | b"true" => constant(Value::Bool(true)),
            b"0" | b"false" => constant(Value::Bool(false)),
            _ => Err(args.kind(0, "'true', 'false', '1' or '0'")),
        },
        "bin" => match crate::expr::hex::decode(args.text(0)) {
            Some(bytes) if !bytes.is_empty() => constant(Value::bytes(bytes)),
            _ => Err(args.kind(0, "bytes in hexadecimal digits, two each")),
        },
        "ipv4" | "ipv6" => match args.get(0) {
            Some(Arg::Ipv4(address)) => constant(Value::Ipv4(*address)),
            Some(Arg::Ipv6(address)) => constant(Value::Ipv6(*address)),
            _ => Err(args.kind(0, "an address")),
        },
        "meth" => match METHODS.iter().find(|method| method.as_bytes() == args.text(0)) {
            Some(method) => constant(Value::text(method.as_bytes())),
            None => {
                let what = format!("methods of HTTP that are none of the usual ({})", METHODS.join(", "));
                Err(ExprError::new(args.word, args.at.clone(), Wrong::NotBuilt { what }))
            }
        },
        "env" => {
            let name = String::from_utf8_lossy(args.text(0));
            Ok(context.world.env(&name).map_or(Fetch::Missing, |value| Fetch::Constant(Value::owned(value))))
        }
        "hostname" => constant(Value::owned(context.world.hostname().into_bytes())),
        "proc" | "nbproc" => constant(Value::Int(1)),
        "acl" => {
            let names = (0..args.list.len()).map(|ix| NamedAcl::read(args.text(ix), context));
            Ok(Fetch::Acls(names.collect()))
        }
        // There is no QUIC here.
        "quic_enabled" => constant(Value::Bool(false)),
        "date" => {
            let unit = match args.get(1).map(|_| args.text(1)) {
                None | Some(b"s") => 1_000_000,
                Some(b"ms") => 1_000,
                Some(b"us") => 1,
                Some(_) => return Err(args.kind(1, "'s', 'ms' or 'us'")),
            };
            Ok(Fetch::Date { offset: args.int(0).unwrap_or(0), unit })
        }
        "date_us" => Ok(Fetch::DateUs),
        "rand" => Ok(Fetch::Rand(args.int(0).map_or(1 << 32, |range| u64::from(range as u32)))),
        "uuid" => match args.int(0) {
            None | Some(4 | 0) => Ok(Fetch::Uuid),
            Some(7) => Err(ExprError::new(
                args.word,
                args.at.clone(),
                Wrong::NotBuilt { what: "UUIDs of version 7".to_owned() },
            )),
            Some(number) => Err(args.blame(0, ArgError::Range { number, least: 4, most: 4 })),
        },
        "var" => {
            let name = VarName::parse(args.text(0)).ok_or_else(|| args.kind(0, VARIABLE))?;
            Ok(Fetch::Var(name, args.get(1).map(|_| args.text(1).into())))
        }
        "dump_all_vars" => vars::read(args),
        "wait_end" => Ok(Fetch::WaitEnd),
        "req.len" | "req_len" => Ok(Fetch::Len(Side::Request)),
        "res.len" => Ok(Fetch::Len(Side::Response)),
        "payload" => payload(here, args),
        "req.payload" => payload(Side::Request, args),
        "res.payload" => payload(Side::Response, args),
        "payload_lv" => payload_lv(here, args),
        "req.payload_lv" => payload_lv(Side::Request, args),
        "res.payload_lv" => payload_lv(Side::Response, args),
        "distcc_body" | "distcc_param" => distcc(here, args),
        "req.proto_http" | "req_proto_http" => Ok(Fetch::ProtoHttp),
        name => match hello(name) {
            Some((side, hello)) => Ok(Fetch::Tls(side, hello)),
            None => Ok(Fetch::RdpCookie { name: args.text(0).into(), count: name.ends_with("_cnt") }),
        },
    }
}

/// What of a hello a name asks for, and whose.
fn hello(name: &str) -> Option<(Side, Hello)> {
    let (side, what) = name.split_once("ssl_")?;
    let what = match what {
        "alpn" => Hello::Protocol,
        "cipherlist" => Hello::Ciphers,
        "ec_ext" => Hello::Curves,
        "hello_type" => Hello::Type,
        "keyshare_groups" => Hello::KeyShares,
        "sigalgs" => Hello::Signatures,
        "sni" => Hello::Name,
        "st_ext" => Hello::Ticket,
        "supported_groups" => Hello::Groups,
        _ => Hello::Version,
    };
    Some((if side.starts_with("req") { Side::Request } else { Side::Response }, what))
}

fn distcc(side: Side, args: &Args) -> Result<Fetch, ExprError> {
    let token = args.text(0).try_into().map_err(|_| args.kind(0, "the name of a token: four characters"))?;
    let occurrence = u64::try_from(args.int(1).unwrap_or(0)).unwrap_or(u64::MAX);
    Ok(Fetch::Distcc { side, token, occurrence, body: args.name == "distcc_body" })
}

fn payload(side: Side, args: &Args) -> Result<Fetch, ExprError> {
    // A negative offset or length is accepted by haproxy and gives nothing.
    let number = |ix| args.int(ix).map(|number| usize::try_from(number).unwrap_or(usize::MAX)).unwrap_or(0);
    Ok(Fetch::Payload { side, offset: number(0), length: number(1) })
}

fn payload_lv(side: Side, args: &Args) -> Result<Fetch, ExprError> {
    let (at, size) = (Fetch::size(args, 0)?, Fetch::size(args, 1)?);
    if size == 0 {
        return Err(args.blame(1, ArgError::Range { number: 0, least: 1, most: i64::from(i32::MAX) }));
    }
    let then = match args.get(2) {
        None => Then::Behind(0),
        Some(_) => {
            let text = args.text(2);
            let wrong = || args.kind(2, "an offset, or one relative to the end of the number: '+4', '-2'");
            let offset = crate::expr::args::int(text).ok_or_else(wrong)?;
            match text.first() {
                Some(b'+' | b'-') => Then::Behind(offset),
                _ => Then::At(usize::try_from(offset).map_err(|_| wrong())?),
            }
        }
    };
    if let Then::Behind(offset) = then {
        let base = i64::try_from(at.saturating_add(size)).unwrap_or(i64::MAX);
        if base.saturating_add(offset) < 0 {
            return Err(args.blame(2, ArgError::Range { number: offset, least: -base, most: i64::from(i32::MAX) }));
        }
    }
    Ok(Fetch::PayloadLv { side, at, size, then })
}
