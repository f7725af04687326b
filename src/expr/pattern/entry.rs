//! One pattern of a list, with what stands behind it in a map.
//!
//! All that have a list look at the same entry: its value changes in place, and who deletes it marks it. A reader looks at both
//! without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::Op;

/// A pattern.
#[derive(Debug)]
pub struct Entry {
    /// The pattern as it was written.
    pub key: Box<[u8]>,
    /// How a number is compared.
    pub op: Op,
    /// Its line in the file, from 1; 0: it came at run time. In a configuration: its word.
    pub line: usize,
    /// Its number among all that the list ever had, from 1.
    id: u64,
    value: Option<ArcSwap<Box<[u8]>>>,
    gone: AtomicBool,
}

impl Entry {
    /// The entry of a list's number.
    pub(super) fn new(id: u64, written: Written) -> Self {
        let value = written.value.map(ArcSwap::from_pointee);
        let Written { key, op, line, .. } = written;
        Self { key, op, line, id, value, gone: AtomicBool::new(false) }
    }

    /// Its number among all that the list ever had: what commands call a reference.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What stands behind it in a map.
    pub fn value(&self) -> Option<Arc<Box<[u8]>>> {
        self.value.as_ref().map(ArcSwap::load_full)
    }

    /// Looks at what stands behind it in a map.
    pub fn with_value<R>(&self, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.value.as_ref().map(|value| look(&value.load()))
    }

    /// Puts something else behind it.
    pub(super) fn set(&self, to: Arc<Box<[u8]>>) {
        if let Some(value) = &self.value {
            value.store(to);
        }
    }

    /// Whether it was deleted.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Deletes it: no reader finds it any more.
    pub(super) fn delete(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// What is said of an entry before it is in a list.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The pattern.
    pub key: Box<[u8]>,
    /// What stands behind it, in a map.
    pub value: Option<Box<[u8]>>,
    /// How a number is compared.
    pub op: Op,
    /// Its line in the file, or its word in the configuration.
    pub line: usize,
}
