//! Texts that both sides have numbered, so that each is told once: one pair of these for each session.

/// How many texts are numbered, from 1 on. A number above it makes haproxy 2.6 crash: it is never sent.
pub const SIZE: usize = 128;

/// The texts that the other side has numbered.
#[derive(Debug, Default)]
pub struct Heard(Vec<Option<Box<[u8]>>>);

impl Heard {
    /// The text of a number; `None` if it was never told.
    pub fn get(&self, number: u64) -> Option<&[u8]> {
        self.0.get(usize::try_from(number).ok()?.checked_sub(1)?)?.as_deref()
    }

    /// Numbers a text; `false`: there is no such number.
    pub(super) fn put(&mut self, number: u64, text: &[u8]) -> bool {
        let Some(at) = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).filter(|at| *at < SIZE)
        else {
            return false;
        };
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        if let Some(place) = self.0.get_mut(at) {
            *place = Some(text.into());
        }
        true
    }

    /// By number, from 1 on.
    pub fn texts(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.0.iter().map(Option::as_deref)
    }
}

/// The texts that this side has numbered; the one that was used the longest ago makes room.
#[derive(Debug, Default)]
pub struct Told {
    texts: Vec<(Box<[u8]>, u64)>,
    uses: u64,
}

impl Told {
    /// The number of a text, and whether it must be told.
    pub(super) fn number(&mut self, text: &[u8]) -> (u64, bool) {
        self.uses += 1;
        let uses = self.uses;
        if let Some(at) = self.texts.iter().position(|(known, _)| **known == *text) {
            if let Some((_, used)) = self.texts.get_mut(at) {
                *used = uses;
            }
            return (at as u64 + 1, false);
        }
        if self.texts.len() < SIZE {
            self.texts.push((text.into(), uses));
            return (self.texts.len() as u64, true);
        }
        let oldest = self.texts.iter().enumerate().min_by_key(|(_, (_, used))| *used).map_or(0, |(at, _)| at);
        if let Some(place) = self.texts.get_mut(oldest) {
            *place = (text.into(), uses);
        }
        (oldest as u64 + 1, true)
    }

    /// By number, from 1 on.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(|(text, _)| &**text)
    }
}
