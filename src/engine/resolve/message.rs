//! Messages of the DNS: what a question looks like, what an answer says.
//!
//! Bytes in, meaning out: no socket. Nothing of an answer is trusted; it counts only if it answers the question that was
//! asked. Source: RFC 1035, 2782, 6891; what haproxy takes for which error observed on 2.6.12 (docs/OBSERVED.md).

use std::collections::HashMap;
use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::pool::resolution::{Answer, Ask, Fault, Kind, Service};

/// A number for a message that nobody can guess.
pub(super) fn number() -> u16 {
    Message::query().metadata.id
}

/// The bytes of a question; `payload`: the longest answer that is taken. `None`: the name fits into no message.
pub(super) fn question(ask: &Ask, payload: u16) -> Option<Vec<u8>> {
    let mut message = Message::new(ask.id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(&ask.name)?, record_type(ask.kind)));
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    message.set_edns(edns);
    message.to_vec().ok()
}

/// The number of a message; `None`: it is too short to have one.
pub(super) fn number_of(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.first_chunk().copied()?))
}

/// What a message answers to a question.
///
/// # Errors
/// It is no answer to that, or of no use.
pub(super) fn answer(bytes: &[u8], ask: &Ask) -> Result<Answer, Fault> {
    let message = Message::from_vec(bytes).map_err(|_| Fault::Invalid)?;
    let asked = name(&ask.name).ok_or(Fault::Invalid)?;
    let [question] = message.queries.as_slice() else { return Err(Fault::Invalid) };
    let fits = question.query_type() == record_type(ask.kind) && question.query_class() == DNSClass::IN;
    let answers = message.metadata.message_type == MessageType::Response && message.metadata.id == ask.id;
    if !answers || !fits || !question.name().eq_ignore_root(&asked) {
        return Err(Fault::Invalid);
    }
    match message.metadata.response_code {
        _ if message.metadata.truncation => return Err(Fault::Truncated),
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err(Fault::NoName),
        ResponseCode::Refused => return Err(Fault::Refused),
        _ => return Err(Fault::Error),
    }
    if message.answers.is_empty() {
        return Err(Fault::Empty);
    }
    match ask.kind {
        Kind::Service => services(&message, &asked),
        Kind::V4 | Kind::V6 => hosts(&message, asked, record_type(ask.kind)),
    }
}

/// The addresses of a host, or of the name that it stands for.
fn hosts(message: &Message, asked: Name, wanted: RecordType) -> Result<Answer, Fault> {
    let mut name = asked;
    // as many steps as there are records: a ring of names ends too
    for step in 0..=message.answers.len() {
        let own = || message.answers.iter().filter(|record| is_of(record, &name));
        let found: Vec<IpAddr> =
            own().filter(|record| record.record_type() == wanted).filter_map(|record| record.data.ip_addr()).collect();
        if !found.is_empty() {
            return Ok(Answer::Hosts(found));
        }
        let alias = own().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(alias.0.clone()),
            _ => None,
        });
        match alias {
            Some(alias) => name = alias,
            None if step > 0 => return Err(Fault::Alias),
            None if own().next().is_some() => return Err(Fault::Empty),
            None => return Err(Fault::Invalid),
        }
    }
    Err(Fault::Alias)
}

/// The records of a service, with the addresses that came with them.
fn services(message: &Message, asked: &Name) -> Result<Answer, Fault> {
    let mut known: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for record in &message.additionals {
        if let Some(ip) = record.data.ip_addr() {
            known.entry(plain(&record.name)).or_default().push(ip);
        }
    }
    let mut found = Vec::new();
    for record in message.answers.iter().filter(|record| is_of(record, asked)) {
        let RData::SRV(srv) = &record.data else { continue };
        let target = plain(&srv.target);
        if srv.port == 0 || target.is_empty() {
            continue; // a dot for a target says that there is no such service
        }
        let addresses = known.get(&target).cloned().unwrap_or_default();
        found.push(Service { target, port: srv.port, weight: srv.weight, addresses });
    }
    let others = message.answers.iter().all(|record| !is_of(record, asked));
    match found.is_empty() {
        false => Ok(Answer::Services(found)),
        true if others => Err(Fault::Invalid),
        true => Err(Fault::Empty),
    }
}

fn is_of(record: &Record, name: &Name) -> bool {
    record.dns_class == DNSClass::IN && record.name.eq_ignore_root(name)
}

/// A name as configurations write it; empty for one with bytes that no host name holds.
fn plain(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    let text = text.trim_end_matches('.');
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.bytes().all(known) { text.to_owned() } else { String::new() }
}

fn name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::V4 => RecordType::A,
        Kind::V6 => RecordType::AAAA,
        Kind::Service => RecordType::SRV,
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{A, CNAME, SRV};

    use super::*;

    fn asked(text: &str, kind: Kind) -> Ask {
        Ask { id: 7, name: text.into(), kind }
    }

    /// An answer to `asked`, with records as `name A 1.2.3.4`, `+` before one of the additional section.
    fn message(asked: &Ask, records: &[&str], change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::new(asked.id, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(name(&asked.name).unwrap(), record_type(asked.kind)));
        for line in records {
            let (line, additional) = line.strip_prefix('+').map_or((*line, false), |line| (line, true));
            let words: Vec<_> = line.split(' ').collect();
            let number = |at: usize| words[at].parse().unwrap();
            let data = match words[1] {
                "A" => RData::A(A(words[2].parse().unwrap())),
                "CNAME" => RData::CNAME(CNAME(name(words[2]).unwrap())),
                "SRV" => RData::SRV(SRV::new(0, number(2), number(3), name(words[4]).unwrap())),
                other => panic!("{other}"),
            };
            let record = Record::from_rdata(name(words[0]).unwrap(), 60, data);
            if additional {
                message.add_additional(record);
            } else {
                message.add_answer(record);
            }
        }
        change(&mut message);
        message.to_vec().unwrap()
    }

    #[test]
    fn a_question_is_what_haproxy_sends() {
        // as 2.6.12 sent it for a.test, accepted_payload_size 1400
        let want = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x04test\x00\x00\x1c\x00\x01\
            \x00\x00\x29\x05\x78\x00\x00\x00\x00\x00\x00";
        assert_eq!(question(&asked("a.test", Kind::V6), 1400).unwrap(), want);
        let long = format!("{}.test", "a".repeat(64));
        assert_eq!(question(&asked(&long, Kind::V4), 512), None);
    }

    /// A client may say which name is looked up.
    #[test]
    fn any_text_is_a_name_or_none() {
        for text in ["", ".", "..", "a..test", ".a", "\\", "\\9", "\\999", "a b", "\0", "\n", "é", "*", "\u{10ffff}"] {
            let long = text.repeat(300);
            for text in [text, &long] {
                let message = question(&asked(text, Kind::V4), 512);
                assert!(message.is_none_or(|message| message.len() <= 12 + 255 + 4 + 11), "{text:?}");
            }
        }
    }

    #[test]
    fn answers_about_hosts() {
        let ask = asked("a.test", Kind::V4);
        for (records, want) in [
            (&["a.test A 1.2.3.4", "A.TEST A 1.2.3.5"][..], Ok("[1.2.3.4, 1.2.3.5]")),
            (&["a.test CNAME b.test", "b.test A 1.2.3.4"], Ok("[1.2.3.4]")),
            (&["b.test A 1.2.3.4", "a.test CNAME b.test"], Ok("[1.2.3.4]")), // in any order
            (&["a.test CNAME b.test"], Err(Fault::Alias)),
            (&["a.test CNAME b.test", "b.test CNAME a.test"], Err(Fault::Alias)), // a ring
            (&["a.test CNAME b.test", "c.test A 1.2.3.4"], Err(Fault::Alias)),
            (&["z.test A 1.2.3.4"], Err(Fault::Invalid)), // of another name
            (&["a.test SRV 1 2 b.test"], Err(Fault::Empty)), // of another type
            (&["+a.test A 1.2.3.4"], Err(Fault::Empty)),
            (&[], Err(Fault::Empty)),
        ] {
            let found = answer(&message(&ask, records, |_| ()), &ask);
            let shown = found.map(|found| match found {
                Answer::Hosts(ips) => format!("{ips:?}"),
                Answer::Services(_) => panic!(),
            });
            assert_eq!(shown.as_deref().map_err(|fault| *fault), want, "{records:?}");
        }
    }

    #[test]
    fn answers_about_services() {
        let ask = asked("_m._tcp.test", Kind::Service);
        let records = [
            "_m._tcp.test SRV 9 1883 B.test",
            "_m._tcp.test SRV 300 1884 c.test",
            "_m._tcp.test SRV 1 0 d.test",
            "_m._tcp.test SRV 1 1 .",
            "+b.test A 1.2.3.4",
            "+b.test A 1.2.3.5",
        ];
        let Ok(Answer::Services(found)) = answer(&message(&ask, &records, |_| ()), &ask) else { panic!() };
        let shown: Vec<_> =
            found.iter().map(|s| format!("{}:{} {} {:?}", s.target, s.port, s.weight, s.addresses)).collect();
        assert_eq!(shown, ["b.test:1883 9 [1.2.3.4, 1.2.3.5]", "c.test:1884 300 []"]);
        assert_eq!(answer(&message(&ask, &["_m._tcp.test A 1.2.3.4"], |_| ()), &ask), Err(Fault::Empty));
        assert_eq!(answer(&message(&ask, &["x.test SRV 1 1 b.test"], |_| ()), &ask), Err(Fault::Invalid));
    }

    #[test]
    fn what_answers_something_else_does_not_count() {
        let ask = asked("a.test", Kind::V4);
        type Change = (&'static str, fn(&mut Message), Fault);
        let changes: [Change; 10] = [
            ("another number", |m| m.metadata.id = 8, Fault::Invalid),
            ("a question", |m| m.metadata.message_type = MessageType::Query, Fault::Invalid),
            ("another name", |m| m.queries[0].name = name("b.test").unwrap(), Fault::Invalid),
            ("another type", |m| m.queries[0].query_type = RecordType::AAAA, Fault::Invalid),
            ("no question", |m| m.queries.clear(), Fault::Invalid),
            ("two questions", |m| m.queries.push(m.queries[0].clone()), Fault::Invalid),
            ("cut short", |m| m.metadata.truncation = true, Fault::Truncated),
            ("no name", |m| m.metadata.response_code = ResponseCode::NXDomain, Fault::NoName),
            ("refused", |m| m.metadata.response_code = ResponseCode::Refused, Fault::Refused),
            ("an error", |m| m.metadata.response_code = ResponseCode::ServFail, Fault::Error),
        ];
        for (what, change, want) in changes {
            let bytes = message(&ask, &["a.test A 1.2.3.4"], change);
            assert_eq!(answer(&bytes, &ask), Err(want), "{what}");
        }
    }

    /// Whatever comes, and however a valid answer is bent: never a panic, and never an answer with another number.
    #[test]
    fn hostile_answers() {
        let asks = [asked("a.test", Kind::V4), asked("a.test", Kind::V6), asked("_m._tcp.test", Kind::Service)];
        let valid = [
            message(&asks[0], &["a.test CNAME b.test", "b.test A 1.2.3.4"], |_| ()),
            message(&asks[1], &["a.test CNAME a.test"], |_| ()),
            message(&asks[2], &["_m._tcp.test SRV 9 1883 b.test", "+b.test A 1.2.3.4"], |_| ()),
        ];
        bolero::check!().with_type::<(u8, Vec<(u16, u8)>, Vec<u8>)>().for_each(|(which, bends, tail)| {
            let which = usize::from(*which) % asks.len();
            let mut bent = valid[which].clone();
            for (at, byte) in bends {
                let length = bent.len();
                bent[usize::from(*at) % length] = *byte;
            }
            bent.extend(tail);
            for bytes in [&bent[..], tail] {
                for ask in &asks {
                    if answer(bytes, ask).is_ok() {
                        assert_eq!(number_of(bytes), Some(ask.id));
                    }
                }
            }
        });
    }
}
