//! What rules have left of a session, in words that mean the same in another process.
//!
//! Addresses that rules have set are the session's own by then, and go with it as those.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::connect::Packets;
use crate::engine::facts::Memory;
use crate::expr::{Value, VarName};
use crate::ir::{Level, MOST_RETRIES};
use crate::pool::tables::Tables;
use crate::pool::{Priority, Urgency, Variables};

/// More captures than lines of a frontend are none.
const MOST_CAPTURES: usize = 10_000;

/// What rules have left of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftState {
    /// Its variables, by scope and name.
    #[serde(default)]
    pub variables: Vec<(String, ValueState)>,
    /// The level of its line: 0 to 7, 8 for none.
    #[serde(default)]
    pub level: Option<u8>,
    /// Its class in queues.
    #[serde(default)]
    pub class: i16,
    /// Its offset in queues, ms.
    #[serde(default)]
    pub offset: i32,
    /// The mark and the type of service of packets to its server.
    #[serde(default)]
    pub packets: (Option<u32>, Option<u8>),
    /// How often it may try to connect again.
    #[serde(default)]
    pub retries: Option<u32>,
    /// What is kept for its log line, by place.
    #[serde(default)]
    pub captures: Vec<Option<Vec<u8>>>,
    /// The same of responses.
    #[serde(default)]
    pub answers: Vec<Option<Vec<u8>>>,
    /// The place of the rule for which it waits for a name.
    #[serde(default)]
    pub awaited: Option<u32>,
    /// The entries that it tracks: the number of each, the table's name, and the key.
    #[serde(default)]
    pub tracked: Vec<(u32, String, Vec<u8>)>,
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueState {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// Text.
    Str(Vec<u8>),
    /// Bytes.
    Bin(Vec<u8>),
}

const LEVELS: [Level; 8] =
    [Level::Emerg, Level::Alert, Level::Crit, Level::Err, Level::Warning, Level::Notice, Level::Info, Level::Debug];
const SILENT: u8 = 8;

impl LeftState {
    /// What a session's memory holds; `None`: nothing.
    pub(super) fn of(memory: &Memory) -> Option<Self> {
        let level = memory.level.map(|level| match level {
            Urgency::Level(level) => level as u8,
            Urgency::Silent => SILENT,
        });
        let Priority { class, offset } = memory.priority;
        let variables = memory.variables().iter().map(|(name, value)| (name.to_string(), value.into()));
        let tracked = memory.tracking.keys();
        let kept = |all: &[Option<Box<[u8]>>]| all.iter().map(|kept| kept.as_ref().map(|text| text.to_vec())).collect();
        let (captures, answers) = (kept(&memory.captures.request), kept(&memory.captures.response));
        let Packets { mark, tos } = memory.packets;
        let (packets, retries) = ((mark, tos), memory.retries);
        let variables = variables.collect();
        let awaited = memory.awaited.as_ref().and_then(|(at, _)| u32::try_from(*at).ok());
        let left = Self { variables, level, class, offset, packets, retries, captures, answers, awaited, tracked };
        (left != Self::default()).then_some(left)
    }

    /// What it has in queues before others.
    pub(super) fn priority(&self) -> Priority {
        Priority { class: self.class.clamp(-2047, 2047), offset: self.offset.clamp(-524_287, 524_287) }
    }

    /// A memory that holds it, as far as there is room and the tables are there.
    pub(super) fn restore(&self, process: &Arc<Variables>, tables: &Tables) -> Box<Memory> {
        let mut memory = Memory::new(Arc::clone(process));
        let kept = |all: &[Option<Vec<u8>>]| {
            all.iter().take(MOST_CAPTURES).map(|kept| kept.as_deref().map(Box::from)).collect()
        };
        memory.captures.request = kept(&self.captures);
        memory.captures.response = kept(&self.answers);
        for (counter, table, key) in &self.tracked {
            memory.tracking.take_up(*counter, tables.named(table), key);
        }
        memory.packets = Packets { mark: self.packets.0, tos: self.packets.1 };
        memory.retries = self.retries.map(|retries| retries.min(MOST_RETRIES));
        memory.priority = self.priority();
        memory.awaited = self.awaited.map(|at| (at as usize, None));
        memory.level = self.level.and_then(|level| match LEVELS.get(usize::from(level)) {
            Some(level) => Some(Urgency::Level(*level)),
            None => (level == SILENT).then_some(Urgency::Silent),
        });
        for (name, value) in &self.variables {
            if let Some(name) = VarName::parse(name.as_bytes()) {
                memory.set(&name, value.clone().into());
            }
        }
        Box::new(memory)
    }
}

impl From<&Value<'static>> for ValueState {
    fn from(value: &Value<'static>) -> Self {
        match value {
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Ipv4(address) => Self::Ipv4(*address),
            Value::Ipv6(address) => Self::Ipv6(*address),
            Value::Str(text) => Self::Str(text.to_vec()),
            Value::Bin(bytes) => Self::Bin(bytes.to_vec()),
        }
    }
}

impl From<ValueState> for Value<'static> {
    fn from(value: ValueState) -> Self {
        match value {
            ValueState::Bool(truth) => Self::Bool(truth),
            ValueState::Int(number) => Self::Int(number),
            ValueState::Ipv4(address) => Self::Ipv4(address),
            ValueState::Ipv6(address) => Self::Ipv6(address),
            ValueState::Str(text) => Self::owned(text),
            ValueState::Bin(bytes) => Self::bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_comes_back() {
        let process = Arc::new(Variables::default());
        let mut memory = Memory::new(Arc::clone(&process));
        assert_eq!(LeftState::of(&memory), None);
        memory.level = Some(Urgency::Silent);
        memory.priority = Priority { class: -3, offset: 70 };
        (memory.packets, memory.retries) = (Packets { mark: Some(7), tos: Some(255) }, Some(4));
        let name = |text: &str| VarName::parse(text.as_bytes()).expect("a name");
        memory.set(&name("sess.a"), Value::Int(7));
        memory.set(&name("txn.b"), Value::owned(b"a\0\xff".to_vec()));
        memory.set(&name("proc.c"), Value::Ipv6(Ipv6Addr::LOCALHOST));
        let left = LeftState::of(&memory).expect("something");
        let text = serde_json::to_string(&left).expect("words");
        let read: LeftState = serde_json::from_str(&text).expect("the same words");
        assert_eq!(read, left);
        let back = read.restore(&process, &Tables::default());
        assert_eq!(back.variables(), memory.variables());
        assert_eq!((back.level, back.priority), (memory.level, memory.priority));
        assert_eq!((back.packets, back.retries), (memory.packets, memory.retries));
        // what another process says is not trusted
        let odd = r#"{"variables":[["no name",{"int":1}]],"level":200,"class":30000,"retries":4000000000,"offset":-2000000000}"#;
        let odd: LeftState = serde_json::from_str(odd).expect("it is read");
        let back = odd.restore(&process, &Tables::default());
        assert!(back.variables().is_empty() && back.level.is_none());
        assert_eq!(back.priority, Priority { class: 2047, offset: -524_287 });
        assert_eq!(back.retries, Some(MOST_RETRIES));
    }

    /// Whatever another process says is taken up, and what was taken up is told the same from then on.
    #[test]
    fn anything_that_is_said_is_taken_up_once() {
        type Said = (Vec<(Vec<u8>, u8, i64)>, Option<u8>, (i16, i32), [Vec<Option<Vec<u8>>>; 2], Vec<(u32, Vec<u8>)>);
        bolero::check!().with_type::<Said>().for_each(
            |(variables, level, (class, offset), [captures, answers], tracked)| {
                let variables = variables.iter().map(|(bytes, kind, number)| {
                    let scope = ["sess", "txn", "req", "res", "proc", "", "what"][usize::from(kind / 8) % 7];
                    let value = match kind % 6 {
                        0 => ValueState::Bool(*number > 0),
                        1 => ValueState::Int(*number),
                        2 => ValueState::Ipv4(Ipv4Addr::from_bits(*number as u32)),
                        3 => ValueState::Ipv6(Ipv6Addr::from_bits(*number as u128)),
                        4 => ValueState::Str(bytes.clone()),
                        _ => ValueState::Bin(bytes.clone()),
                    };
                    (format!("{scope}.{}", String::from_utf8_lossy(bytes)), value)
                });
                let said = LeftState {
                    variables: variables.collect(),
                    level: *level,
                    class: *class,
                    offset: *offset,
                    packets: (Some(class.unsigned_abs().into()), level.map(Into::into)),
                    retries: level.map(Into::into),
                    awaited: level.map(Into::into),
                    captures: captures.clone(),
                    answers: answers.clone(),
                    tracked: tracked.iter().map(|(at, key)| (*at, "table".to_owned(), key.clone())).collect(),
                };
                let (process, tables) = (Arc::new(Variables::default()), Tables::default());
                let Some(once) = LeftState::of(&said.restore(&process, &tables)) else { return };
                let text = serde_json::to_vec(&once).expect("words");
                let read: LeftState = serde_json::from_slice(&text).expect("the same words");
                assert_eq!(LeftState::of(&read.restore(&process, &tables)), Some(once));
            },
        );
    }
}
