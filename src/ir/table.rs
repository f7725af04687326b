//! Stick tables: what a key is, what is stored with it, how long it stays.
//!
//! Source: manual §4.2 "stick-table"; the words of 3.x (`glitch_*`, `write-to`) from its newer editions. The
//! order of [`Datum`] is that of the data types in `peers-v2.0.txt`: its number is the one on the wire. How values
//! become keys was asked of 2.6 (`tests/tables.rs`).

use smallvec::SmallVec;

use super::ProxyIx;
use crate::expr::{Type, Value};
use crate::text::Span;
use crate::units::Millis;

/// Index of a table in [`super::Config::tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableIx(pub u32);

/// What the keys of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// IPv4 addresses.
    Ip,
    /// IPv6 addresses.
    Ipv6,
    /// Whole numbers of 32 bits.
    Integer,
    /// Texts of at most so many bytes.
    String(u32),
    /// Exactly so many bytes.
    Binary(u32),
}

impl KeyKind {
    /// The word of the configuration and of `show table`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ipv6 => "ipv6",
            Self::Integer => "integer",
            Self::String(_) => "string",
            Self::Binary(_) => "binary",
        }
    }

    /// The most bytes that a key has.
    pub fn width(self) -> usize {
        match self {
            Self::Ip | Self::Integer => 4,
            Self::Ipv6 => 16,
            Self::String(len) | Self::Binary(len) => len as usize,
        }
    }

    /// The type of the expressions that give keys without a cast.
    pub fn value_type(self) -> Type {
        match self {
            Self::Ip => Type::Ipv4,
            Self::Ipv6 => Type::Ipv6,
            Self::Integer => Type::Int,
            Self::String(_) => Type::Str,
            Self::Binary(_) => Type::Bin,
        }
    }
}

/// What is kept of each kind of datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A number of 32 bits.
    Count,
    /// A number of 64 bits.
    Long,
    /// Events in the current period and in the one before.
    Rate,
    /// A word of the table's dictionary.
    Word,
}

macro_rules! data {
    ($($datum:ident $name:literal $shape:ident,)*) => {
        /// A kind of datum that a table stores.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Datum {
            $(#[doc = concat!("`", $name, "`.")] $datum,)*
        }

        impl Datum {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$datum,)*];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self { $(Self::$datum => $name,)* }
            }

            /// What is kept of it.
            pub fn shape(self) -> Shape {
                match self { $(Self::$datum => Shape::$shape,)* }
            }
        }
    };
}

data! {
    ServerId "server_id" Count,
    Gpt0 "gpt0" Count,
    Gpc0 "gpc0" Count,
    Gpc0Rate "gpc0_rate" Rate,
    ConnCnt "conn_cnt" Count,
    ConnRate "conn_rate" Rate,
    ConnCur "conn_cur" Count,
    SessCnt "sess_cnt" Count,
    SessRate "sess_rate" Rate,
    HttpReqCnt "http_req_cnt" Count,
    HttpReqRate "http_req_rate" Rate,
    HttpErrCnt "http_err_cnt" Count,
    HttpErrRate "http_err_rate" Rate,
    BytesInCnt "bytes_in_cnt" Long,
    BytesInRate "bytes_in_rate" Rate,
    BytesOutCnt "bytes_out_cnt" Long,
    BytesOutRate "bytes_out_rate" Rate,
    Gpc1 "gpc1" Count,
    Gpc1Rate "gpc1_rate" Rate,
    ServerKey "server_key" Word,
    HttpFailCnt "http_fail_cnt" Count,
    HttpFailRate "http_fail_rate" Rate,
    Gpt "gpt" Count,
    Gpc "gpc" Count,
    GpcRate "gpc_rate" Rate,
    GlitchCnt "glitch_cnt" Count,
    GlitchRate "glitch_rate" Rate,
}

impl Datum {
    /// The datum of that number.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The datum of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|datum| datum.name() == name)
    }

    /// Whether it is an array.
    pub fn indexed(self) -> bool {
        matches!(self, Self::Gpt | Self::Gpc | Self::GpcRate)
    }
}

/// A datum that a table stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Which.
    pub datum: Datum,
    /// How many: 1, or as many as the array has.
    pub elements: u32,
    /// What a rate counts over; `None` where it is no rate.
    pub period: Option<Millis>,
}

/// What a server is remembered by, besides its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ServerKey {
    /// `srvkey name`.
    #[default]
    Name,
    /// `srvkey addr`: its address and port.
    Address,
}

/// A stick table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name of its proxy; `section/name` for a `table` line of a `peers` section.
    pub name: Box<str>,
    /// What its keys are.
    pub kind: KeyKind,
    /// The most entries.
    pub size: u32,
    /// How long an entry stays that nobody touches; `None`: until its place is needed.
    pub expire: Option<Millis>,
    /// A full table takes no new key.
    pub nopurge: bool,
    /// What is stored, in the order of [`Datum`]. [`Datum::ServerId`] and [`Datum::ServerKey`] are among them where
    /// something sticks.
    pub store: Vec<Stored>,
    /// `peers`: the section that it is told to.
    pub peers: Option<Box<str>>,
    /// `srvkey`.
    pub server_key: ServerKey,
    /// `write-to` (3.0): the table that what peers tell goes to.
    pub write_to: Option<TableIx>,
    /// `recv-only` (3.2): nothing is counted here, so it learns what peers otherwise keep to themselves (`conn_cur`).
    pub recv_only: bool,
    /// The proxy that it stands in.
    pub owner: Option<ProxyIx>,
    /// The line.
    pub span: Span,
}

impl Table {
    /// What is stored of a datum.
    pub fn stored(&self, datum: Datum) -> Option<&Stored> {
        self.store.iter().find(|stored| stored.datum == datum)
    }

    /// Stores one more datum, if it is not stored yet: what `stick` lines need.
    pub fn store_also(&mut self, datum: Datum) {
        if self.stored(datum).is_none() {
            self.store.push(Stored { datum, elements: 1, period: None });
            self.store.sort_by_key(|stored| stored.datum);
        }
    }

    /// Whether expressions of that type may give its keys: asked when a configuration is read.
    pub fn takes(&self, of: Type) -> bool {
        of.casts_to(self.kind.value_type())
    }

    /// The key that a value is: cast to the table's type, cut at its length or filled up with zeros. `None` where there is no
    /// such value: a text that is no address, an IPv6 address without an IPv4 one in it. An empty text is a key.
    pub fn key(&self, value: &Value<'_>) -> Option<Key> {
        let value = value.borrowed().cast(self.kind.value_type())?;
        Some(match (self.kind, value) {
            (KeyKind::Ip, Value::Ipv4(address)) => Key(SmallVec::from_slice(&address.octets())),
            (KeyKind::Ipv6, Value::Ipv6(address)) => Key(SmallVec::from_slice(&address.octets())),
            (KeyKind::Integer, Value::Int(number)) => Key::integer(number as u32),
            (KeyKind::String(len), Value::Str(text)) => {
                let end = memchr::memchr(0, &text).unwrap_or(text.len()).min(len as usize);
                Key(SmallVec::from_slice(text.get(..end)?))
            }
            (KeyKind::Binary(len), Value::Bin(bytes)) => {
                let mut key: SmallVec<[u8; 32]> = bytes.iter().copied().take(len as usize).collect();
                key.resize(len as usize, 0);
                Key(key)
            }
            _ => return None,
        })
    }

    /// What the bytes of a key stand for, as the table holds them.
    pub fn value_of(&self, key: &[u8]) -> Option<Value<'static>> {
        Some(match self.kind {
            KeyKind::Ip => Value::Ipv4(<[u8; 4]>::try_from(key).ok()?.into()),
            KeyKind::Ipv6 => Value::Ipv6(<[u8; 16]>::try_from(key).ok()?.into()),
            KeyKind::Integer => Value::Int(u32::from_le_bytes(key.try_into().ok()?).into()),
            KeyKind::String(_) => Value::owned(key.to_vec()),
            KeyKind::Binary(_) => Value::bytes(key.to_vec()),
        })
    }

    /// The key of bytes that were a key of such a table: of another process, of a peer. `None` if they cannot be.
    pub fn key_of_bytes(&self, bytes: &[u8]) -> Option<Key> {
        let fits = match self.kind {
            KeyKind::String(len) => bytes.len() <= len as usize && !bytes.contains(&0),
            kind => bytes.len() == kind.width(),
        };
        fits.then(|| Key(SmallVec::from_slice(bytes)))
    }
}

/// A key as a table holds it: addresses in network order, numbers with the lowest byte first, texts as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(SmallVec<[u8; 32]>);

impl Key {
    /// A number.
    pub fn integer(number: u32) -> Self {
        Self(SmallVec::from_slice(&number.to_le_bytes()))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
