//! The names of packets and fields. Source: configuration manual §7.3.1 "mqtt_field_value".

/// A packet that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// What a client says first.
    Connect,
    /// What a server answers.
    Connack,
}

impl PacketType {
    /// `connect`, `connack`, whatever the case, or their numbers.
    pub fn named(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        match (text.to_ascii_lowercase().as_str(), text.parse::<u8>()) {
            ("connect", _) | (_, Ok(1)) => Some(Self::Connect),
            ("connack", _) | (_, Ok(2)) => Some(Self::Connack),
            _ => None,
        }
    }
}

/// A field of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// None that this packet has.
    None,
    /// The flags.
    Flags,
    /// `MQTT` or `MQIsdp`.
    ProtocolName,
    /// 3, 4 or 5. An answer does not say it: it has properties from 5 on.
    ProtocolVersion,
    /// The client's identifier.
    ClientIdentifier,
    /// The topic of the last will.
    WillTopic,
    /// Its text.
    WillPayload,
    /// The user.
    Username,
    /// The password.
    Password,
    /// Seconds between two signs of life.
    Keepalive,
    /// What became of the request.
    ReasonCode,
    /// A property of 5.0.
    Property(u8),
}

const CONNECT: [(&str, Field); 9] = [
    ("flags", Field::Flags),
    ("protocol_name", Field::ProtocolName),
    ("protocol_version", Field::ProtocolVersion),
    ("client_identifier", Field::ClientIdentifier),
    ("will_topic", Field::WillTopic),
    ("will_payload", Field::WillPayload),
    ("username", Field::Username),
    ("password", Field::Password),
    ("keepalive", Field::Keepalive),
];

const CONNACK: [(&str, Field); 3] =
    [("flags", Field::Flags), ("protocol_version", Field::ProtocolVersion), ("reason_code", Field::ReasonCode)];

impl Field {
    /// The field of that name, or the property of that number, that a packet may have.
    pub fn named(kind: PacketType, text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let names = if kind == PacketType::Connect { &CONNECT[..] } else { &CONNACK[..] };
        if let Some((_, field)) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Some(*field);
        }
        let number: u8 = text.parse().ok().filter(|number: &u8| number.to_string() == text)?;
        super::properties::known(kind, number).then_some(Self::Property(number))
    }
}
