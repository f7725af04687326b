//! Choices that a seed decides: the same seed, the same mutant, on every machine.

/// SplitMix64: small, good enough to choose words with, and ours.
#[derive(Debug, Clone)]
pub(crate) struct Prng(u64);

impl Prng {
    /// Choices of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("an index fits");
        usize::try_from(self.next() % end).expect("an index fits")
    }

    /// Whether something of that many percent happens.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of a few.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, few: &[&'a T]) -> &'a T {
        few[self.below(few.len())]
    }
}

#[test]
fn a_seed_decides_all_choices() {
    let draw = |seed| {
        let mut prng = Prng::new(seed);
        (0..20).map(|_| prng.below(1000)).collect::<Vec<_>>()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}
