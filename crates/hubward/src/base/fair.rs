//! A bounded queue of what many addresses send. They take turns, and where there is no more room
//! the address of which most waits loses: whoever forges one address takes nothing from the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// The queue. What comes from one address stays in its order.
pub(crate) struct FairQueue<T> {
    bound: usize,
    len: usize,
    /// By address; none of them is empty.
    waiting: BTreeMap<IpAddr, VecDeque<T>>,
    /// The addresses by how much of them waits.
    by_count: BTreeSet<(usize, IpAddr)>,
    /// The addresses in the order in which they are served.
    turns: VecDeque<IpAddr>,
}

impl<T> FairQueue<T> {
    /// An empty queue with room for so many.
    pub(crate) const fn new(bound: usize) -> Self {
        Self { bound, len: 0, waiting: BTreeMap::new(), by_count: BTreeSet::new(), turns: VecDeque::new() }
    }

    /// Adds one from this address. Returns what had to give way, if the queue is full: the newest
    /// of the address of which most waits, unless that would leave it no more than this one has.
    /// No address loses its only one.
    pub(crate) fn push(&mut self, from: IpAddr, item: T) -> Option<T> {
        let own = self.waiting.get(&from).map_or(0, VecDeque::len);
        let mut gone = None;
        if self.len >= self.bound {
            match self.by_count.last() {
                Some((most, of)) if *most > own + 1 => gone = self.take(*of, VecDeque::pop_back),
                _ => return Some(item),
            }
        }
        if own == 0 {
            self.turns.push_back(from);
        }
        self.waiting.entry(from).or_default().push_back(item);
        self.counted(from, own, own + 1);
        self.len += 1;
        gone
    }

    /// The oldest one of the address whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let from = self.turns.pop_front()?;
        let item = self.take(from, VecDeque::pop_front);
        if self.waiting.contains_key(&from) {
            self.turns.push_back(from);
        }
        item
    }

    fn take(&mut self, from: IpAddr, which: fn(&mut VecDeque<T>) -> Option<T>) -> Option<T> {
        let queue = self.waiting.get_mut(&from)?;
        let item = which(queue)?;
        let left = queue.len();
        if left == 0 {
            self.waiting.remove(&from);
        }
        self.counted(from, left + 1, left);
        self.len -= 1;
        Some(item)
    }

    fn counted(&mut self, from: IpAddr, before: usize, now: usize) {
        self.by_count.remove(&(before, from));
        if now > 0 {
            self.by_count.insert((now, from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: usize = 8;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn queue() -> FairQueue<(u8, u32)> {
        FairQueue::new(BOUND)
    }

    fn push(queue: &mut FairQueue<(u8, u32)>, from: u8, number: u32) -> Option<(u8, u32)> {
        let gone = queue.push(address(from), (from, number));
        let counts = queue.waiting.iter().map(|(from, waits)| (waits.len(), *from)).collect();
        assert_eq!(queue.by_count, counts);
        assert_eq!(queue.len, counts.iter().map(|(count, _)| count).sum::<usize>());
        assert_eq!(queue.turns.iter().collect::<BTreeSet<_>>(), queue.waiting.keys().collect());
        assert!(queue.turns.len() == queue.waiting.len() && queue.len <= BOUND);
        gone
    }

    fn all(mut queue: FairQueue<(u8, u32)>) -> Vec<(u8, u32)> {
        let all = std::iter::from_fn(|| queue.pop()).collect();
        assert!(queue.len == 0 && queue.waiting.is_empty() && queue.by_count.is_empty());
        all
    }

    #[test]
    fn one_address_has_all_the_room_while_no_other_wants_it() {
        let mut queue = queue();
        for number in 0..BOUND as u32 {
            assert_eq!(push(&mut queue, 1, number), None);
        }
        assert_eq!(push(&mut queue, 1, 8), Some((1, 8)), "one above the bound");
        assert_eq!(all(queue), (0..8).map(|number| (1, number)).collect::<Vec<_>>());
    }

    #[test]
    fn who_sends_most_makes_room_for_the_others() {
        let mut queue = queue();
        for number in 0..100 {
            push(&mut queue, 1, number);
        }
        for from in 2..=4 {
            assert!(push(&mut queue, from, 0).is_some_and(|(gone, _)| gone == 1));
        }
        // all have a share; the flood goes on and takes nothing from it
        for number in 100..200 {
            assert_eq!(push(&mut queue, 1, number), Some((1, number)));
        }
        let first = [(1, 0), (2, 0), (3, 0), (4, 0)];
        assert_eq!(all(queue), [&first[..], &[(1, 1), (1, 2), (1, 3), (1, 4)]].concat());
    }

    #[test]
    fn nobody_loses_the_only_one() {
        let mut queue = queue();
        for from in 1..=BOUND as u8 {
            assert_eq!(push(&mut queue, from, 0), None);
        }
        assert_eq!(push(&mut queue, 99, 0), Some((99, 0)));
        assert_eq!(push(&mut queue, 1, 1), Some((1, 1)));
        assert_eq!(all(queue).len(), BOUND);
    }

    #[test]
    fn many_of_one_address_wait_for_one_of_each_other() {
        let mut queue = queue();
        for number in 0..6 {
            push(&mut queue, 1, number);
        }
        assert_eq!(queue.pop(), Some((1, 0)));
        push(&mut queue, 2, 0);
        push(&mut queue, 2, 1);
        assert_eq!(all(queue), [(1, 1), (2, 0), (1, 2), (2, 1), (1, 3), (1, 4), (1, 5)]);
    }
}
