//! The order of the contenders in each round: shuffled, so that no contender always runs after the
//! same one, and seeded, so that a run can be repeated.

use anyhow::{Context, Result};

/// A generator of orders (SplitMix64).
#[derive(Debug)]
pub(crate) struct Order(u64);

/// A new seed for each run, short enough to type.
pub(crate) fn any_seed() -> Result<u64> {
    let bytes = hubward_linux::random::seed()?;
    let (four, _) = bytes.split_first_chunk::<4>().context("the kernel's random numbers")?;
    Ok(u64::from(u32::from_le_bytes(*four)).max(1))
}

impl Order {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// All contenders, each once, in the order of the next round.
    pub(crate) fn shuffled<'a, T>(&mut self, contenders: &'a [T]) -> Vec<&'a T> {
        let mut all: Vec<&T> = contenders.iter().collect();
        for last in (1..all.len()).rev() {
            // with far fewer contenders than numbers, the remainder is fair enough
            let other = self.next() % (last as u64 + 1);
            all.swap(last, other as usize);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_contender_runs_once_a_round() {
        for count in 0..13 {
            let contenders: Vec<usize> = (0..count).collect();
            let mut order = Order::new(7);
            for round in 0..20 {
                let mut all: Vec<usize> = order.shuffled(&contenders).into_iter().copied().collect();
                all.sort_unstable();
                assert_eq!(all, contenders, "round {round}");
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_orders_and_another_seed_others() {
        let contenders: Vec<u32> = (0..8).collect();
        let orders = |seed| {
            let mut order = Order::new(seed);
            (0..5).flat_map(|_| order.shuffled(&contenders).into_iter().copied()).collect::<Vec<_>>()
        };
        assert_eq!(orders(11), orders(11));
        assert_ne!(orders(11), orders(12));
    }

    /// No contender is favoured: each of three takes each place in about a third of the rounds.
    #[test]
    fn every_contender_takes_every_place() {
        let (contenders, mut order) = ([0, 1, 2], Order::new(1));
        let mut times: BTreeMap<(usize, i32), u32> = BTreeMap::new();
        for _ in 0..3000 {
            for (place, contender) in order.shuffled(&contenders).into_iter().enumerate() {
                *times.entry((place, *contender)).or_default() += 1;
            }
        }
        assert_eq!(times.len(), 9);
        assert!(times.values().all(|times| (900..1100).contains(times)), "{times:?}");
    }
}
