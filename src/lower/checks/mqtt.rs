//! `option mqtt-check`: a CONNECT, the CONNACK that answers it, a DISCONNECT. An extension of baton's.
//!
//! A refusal is told by the broker's code and its name. Knows what a check says and how its answer is judged; packets are
//! read by [`crate::units::mqtt`]. Source: OASIS MQTT 3.1.1 §3.1, §3.2, 5.0 §3.1, §3.2, §3.14.

use super::protocols::{choose, ends, judged, line, politely, send, wait};
use crate::ir::check::{CheckStatus, Expect, Opinion};
use crate::lower::args::{Args, Given};
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};
use crate::units::mqtt::{Field, Found, Packet, PacketType, field, packet};

/// A DISCONNECT as every version has it: nothing went wrong.
const DISCONNECT: &[u8] = b"\xe0\x00";

/// Seconds after which a broker may end the session of a check that is stuck, and half of it again.
const KEEPALIVE: u16 = 60;

/// The property of a CONNACK that says in words why it refuses.
const REASON: u8 = 31;

/// What a CONNECT says.
#[derive(Debug, Clone, Copy)]
struct Connect<'a> {
    /// 4 is 3.1.1, 5 is 5.0.
    level: u8,
    client: &'a [u8],
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
}

/// `option mqtt-check [version 3.1.1|5.0] [username <name> [password <word>]] [client-id <id>]`.
///
/// Version 3.1.1 and an empty client id, for which the broker chooses one, unless said. The words may come in any order;
/// of two of a kind the last one holds.
pub fn option(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let mut connect = Connect { level: 4, client: b"", user: None, password: None };
    let mut password_word = None;
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"version" => connect.level = level(args.word("the version '3.1.1' or '5.0'")?)?,
            b"username" => connect.user = Some(text(args.word("a user's name")?)?),
            b"password" => {
                connect.password = Some(text(args.word("a password")?)?);
                password_word = Some(word);
            }
            b"client-id" => connect.client = text(args.word("a client id")?)?,
            _ => {
                let choices = &["version", "username", "password", "client-id"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        }
    }
    if let (Some(word), None) = (password_word, connect.user) {
        return Err(word.blame(LowerError::Misplaced("a 'password' needs a 'username': MQTT 3.1.1 has none without")));
    }
    let wrong = "the connection ended before a CONNACK came";
    let expect = Expect { on_error: Some(wrong.into()), ..judged(connack) };
    choose(proxy, vec![politely(), send(connect.packet()), wait(3, expect), send(DISCONNECT.to_vec())])
}

fn level(word: Given<'_>) -> Lowered<u8> {
    match word.bytes {
        b"3.1.1" => Ok(4),
        b"5.0" => Ok(5),
        _ => Err(word.blame(LowerError::Choice { text: word.text(), choices: &["3.1.1", "5.0"] })),
    }
}

/// A text as MQTT can say it: its length is a number of two bytes.
fn text(word: Given<'_>) -> Lowered<&[u8]> {
    match u16::try_from(word.bytes.len()) {
        Ok(_) => Ok(word.bytes),
        Err(_) => Err(word.blame(LowerError::Misplaced("a text of MQTT has at most 65535 bytes"))),
    }
}

impl Connect<'_> {
    /// Its bytes; the session is a clean one.
    fn packet(self) -> Vec<u8> {
        let flag = |part: Option<&[u8]>, flag: u8| if part.is_some() { flag } else { 0 };
        let flags = 0x02 | flag(self.user, 0x80) | flag(self.password, 0x40);
        let mut body = b"\x00\x04MQTT".to_vec();
        body.extend([self.level, flags]);
        body.extend(KEEPALIVE.to_be_bytes());
        if self.level == 5 {
            body.push(0); // no properties
        }
        for part in [Some(self.client), self.user, self.password].into_iter().flatten() {
            body.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            body.extend_from_slice(part);
        }
        let mut packet = vec![0x10];
        let mut left = body.len();
        while left > 0x7f {
            packet.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        packet.push(left as u8);
        packet.extend(body);
        packet
    }
}

fn connack(answer: &[u8], over: bool) -> Opinion {
    let another = || ends(CheckStatus::L7Rsp, None, b"the answer is no CONNACK of MQTT");
    match packet(answer) {
        _ if answer.first() != Some(&0x20) => another(),
        Packet::Invalid => another(),
        Packet::Incomplete if over => ends(CheckStatus::L7Rsp, None, b"the CONNACK is not whole"),
        Packet::Incomplete => Opinion::Wait,
        Packet::Valid => judge(answer),
    }
}

/// Judges a CONNACK that is whole.
fn judge(answer: &[u8]) -> Opinion {
    let Some(Found::Number(code)) = field(answer, PacketType::Connack, Field::ReasonCode) else {
        return ends(CheckStatus::L7Rsp, None, b"the CONNACK has no code");
    };
    let code = u8::try_from(code).unwrap_or(u8::MAX);
    if code == 0 {
        return Opinion::Fits;
    }
    let mut info = meaning(code).as_bytes().to_vec();
    if let Some(Found::Bytes(from, to)) = field(answer, PacketType::Connack, Field::Property(REASON))
        && let said @ [_, ..] = line(answer.get(from..to).unwrap_or_default()).as_bytes()
    {
        info.extend_from_slice(b": ");
        info.extend_from_slice(said);
    }
    ends(CheckStatus::L7Sts, Some(u16::from(code)), &info)
}

/// What a code says that is not 0: up to 5 those of 3.1.1, from 128 those of 5.0.
fn meaning(code: u8) -> &'static str {
    match code {
        1 | 132 => "protocol version not supported",
        2 | 133 => "client identifier not accepted",
        3 | 136 => "server unavailable",
        4 | 134 => "bad user name or password",
        5 | 135 => "not authorized",
        128 => "unspecified error",
        129 => "malformed packet",
        130 => "protocol error",
        131 => "refused for a reason of the broker's own",
        137 => "server busy",
        138 => "banned",
        140 => "bad authentication method",
        144 => "topic name invalid",
        149 => "packet too large",
        151 => "quota exceeded",
        153 => "payload format invalid",
        154 => "retain not supported",
        155 => "QoS not supported",
        156 => "use another server",
        157 => "server moved",
        159 => "connection rate exceeded",
        _ => "refused with a code that MQTT does not define",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Connect<'_> = Connect { level: 4, client: b"", user: None, password: None };

    #[test]
    fn a_connect_is_what_the_parser_reads() {
        let long = vec![b'x'; 65_535];
        for connect in [
            Connect { client: b"c", ..PLAIN },
            Connect { level: 5, client: b"probe", ..PLAIN },
            Connect { client: b"c", user: Some(b"u"), password: Some(b"p"), ..PLAIN },
            Connect { level: 5, client: &long, user: Some(&long), password: Some(&long) },
        ] {
            let bytes = connect.packet();
            assert_eq!(packet(&bytes), Packet::Valid);
            let number = |wanted| field(&bytes, PacketType::Connect, wanted);
            assert_eq!(number(Field::ProtocolVersion), Some(Found::Number(u32::from(connect.level))));
            let part = |wanted| match field(&bytes, PacketType::Connect, wanted) {
                Some(Found::Bytes(from, to)) => Some(&bytes[from..to]),
                _ => None,
            };
            assert_eq!(part(Field::ClientIdentifier), Some(connect.client));
            assert_eq!((part(Field::Username), part(Field::Password)), (connect.user, connect.password));
        }
        assert_eq!(PLAIN.packet(), b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00");
    }

    #[test]
    fn answers() {
        let told = |answer: &[u8], over| match connack(answer, over) {
            Opinion::Ends(found) => {
                format!("{} {:?} {}", found.status.word(), found.code, found.info.unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        for (answer, over, want) in [
            (&b"\x20\x02\x00\x00"[..], false, "Fits"),
            (b"\x20\x02\x01\x00", false, "Fits"), // a session that is still there
            (b"\x20\x03\x00\x00\x00", false, "Fits"), // 5.0
            (b"\x20\x02\x00\x00\xd0\x00", false, "Fits"), // something follows
            (b"\x20\x02\x00", false, "Wait"),
            (b"\x20\x02\x00", true, "L7RSP None the CONNACK is not whole"),
            (b"\x20\x02\x00\x05", false, "L7STS Some(5) not authorized"),
            (b"\x20\x03\x00\x86\x00", false, "L7STS Some(134) bad user name or password"),
            (b"\x20\x09\x00\x87\x06\x1f\x00\x03no!", false, "L7STS Some(135) not authorized: no!"),
            (b"\x20\x06\x00\x87\x03\x1f\x00\x00", false, "L7STS Some(135) not authorized"),
            (b"\x20\x02\x00\x63", false, "L7STS Some(99) refused with a code that MQTT does not define"),
            (b"\x20\x02\x02\x00", false, "L7RSP None the answer is no CONNACK of MQTT"),
            (b"HTTP/1.1 400", false, "L7RSP None the answer is no CONNACK of MQTT"),
            (PLAIN.packet().as_slice(), false, "L7RSP None the answer is no CONNACK of MQTT"), // an echo
        ] {
            assert_eq!(told(answer, over), want, "{answer:?}");
        }
    }

    #[test]
    fn hostile_answers() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|answer| {
            let likely = [b"\x20", answer.as_slice()].concat();
            for answer in [answer, &likely] {
                let _ = connack(answer, false);
                assert_ne!(connack(answer, true), Opinion::Wait, "{answer:?}");
            }
        });
    }
}
