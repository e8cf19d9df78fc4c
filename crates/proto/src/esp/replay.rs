//! The anti-replay window (RFC 4303 section 3.4.3), a bitmap ring as in RFC 6479. It is checked
//! before the integrity check and moved only after it.

/// A window of 64 to 4096 packets.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    /// One word more than the window needs, so that moving it never clears live bits.
    words: Vec<u64>,
    size: u32,
    highest: u32,
}

impl ReplayWindow {
    /// A window of `size` packets, limited to 64 to 4096. 0 disables replay detection, which only
    /// the configuration can do.
    pub fn new(size: u32) -> Self {
        if size == 0 {
            return Self { words: Vec::new(), size: 0, highest: 0 };
        }
        let size = size.clamp(64, 4096).next_multiple_of(64);
        Self { words: vec![0; size as usize / 64 + 1], size, highest: 0 }
    }

    /// A window whose right edge is a number that verified before: nothing up to it is accepted
    /// again.
    pub fn behind(size: u32, highest: u32) -> Self {
        let mut window = Self::new(size);
        window.highest = highest;
        window.words.fill(if highest == 0 { 0 } else { u64::MAX });
        // numbers after the edge in the same word have not been received yet
        if highest != 0 {
            let (word, bit) = window.place(highest);
            if let Some(bits) = window.words.get_mut(word) {
                *bits = bit | (bit - 1);
            }
        }
        window
    }

    /// The highest sequence number that verified.
    pub fn highest(&self) -> u32 {
        self.highest
    }

    /// Whether a sequence number may still be accepted. Zero is never sent.
    pub fn may_accept(&self, sequence: u32) -> bool {
        if sequence == 0 {
            return false;
        }
        if self.size == 0 || sequence > self.highest {
            return true;
        }
        if self.highest - sequence >= self.size {
            return false;
        }
        let (word, bit) = self.place(sequence);
        self.words.get(word).is_some_and(|bits| bits & bit == 0)
    }

    /// Marks a sequence number whose packet verified; false if another packet with the same number
    /// verified first.
    pub fn accept(&mut self, sequence: u32) -> bool {
        if !self.may_accept(sequence) {
            return false;
        }
        if self.size == 0 {
            self.highest = self.highest.max(sequence);
            return true;
        }
        if sequence > self.highest {
            let (old, new) = (self.highest / 64, sequence / 64);
            let count = self.words.len();
            let cleared = ((new - old) as usize).min(count);
            for step in 1..=cleared {
                let word = (old as usize).wrapping_add(step) % count;
                if let Some(bits) = self.words.get_mut(word) {
                    *bits = 0;
                }
            }
            self.highest = sequence;
        }
        let (word, bit) = self.place(sequence);
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= bit;
        }
        true
    }

    fn place(&self, sequence: u32) -> (usize, u64) {
        ((sequence / 64) as usize % self.words.len().max(1), 1 << (sequence % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// Against a plain set: accepted exactly if new and not older than the window.
        #[test]
        fn behaves_like_a_set(
            size in prop::sample::select(vec![64u32, 128, 512, 1024, 4096]),
            steps in proptest::collection::vec((0u32..5000, any::<bool>()), 1..400),
        ) {
            let mut window = ReplayWindow::new(size);
            let mut seen = HashSet::new();
            let mut highest = 0u32;
            for (step, back) in steps {
                let sequence = if back { highest.saturating_sub(step) } else { highest + step % 200 };
                let expected = sequence != 0 && !seen.contains(&sequence) && (sequence > highest || highest - sequence < size);
                prop_assert_eq!(window.may_accept(sequence), expected);
                prop_assert_eq!(window.accept(sequence), expected);
                if expected {
                    seen.insert(sequence);
                    highest = highest.max(sequence);
                }
            }
        }
    }

    #[test]
    fn far_jumps_forget_everything_old() {
        let mut window = ReplayWindow::new(64);
        assert!(window.accept(1));
        assert!(window.accept(u32::MAX));
        assert!(!window.accept(1));
        assert!(!window.accept(u32::MAX));
        assert!(window.accept(u32::MAX - 63));
        assert!(!window.accept(u32::MAX - 64));
    }

    #[test]
    fn a_window_that_goes_on_takes_nothing_twice() {
        for highest in [1, 63, 64, 100, 127, 128, u32::MAX - 1] {
            let mut window = ReplayWindow::behind(64, highest);
            assert!((highest.saturating_sub(70)..=highest).all(|sequence| !window.may_accept(sequence)));
            let next = (highest + 1..=highest.saturating_add(70)).collect::<Vec<_>>();
            assert!(next.iter().rev().take(60).all(|sequence| window.accept(*sequence)), "{highest}");
        }
        assert!(ReplayWindow::behind(64, 0).accept(1));
    }

    #[test]
    fn sizes_are_brought_into_range() {
        assert!(ReplayWindow::new(1).accept(1));
        let mut off = ReplayWindow::new(0);
        assert!(off.accept(5) && off.accept(5) && !off.accept(0));
    }
}
