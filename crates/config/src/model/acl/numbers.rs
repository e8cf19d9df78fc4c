//! Numbers as a line of an access list compares them: ports, TTLs.

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numbers<T> {
    /// `eq A B …`
    Eq(Vec<T>),
    /// `neq A B …`
    Neq(Vec<T>),
    /// `gt A`
    Gt(T),
    /// `lt A`
    Lt(T),
    /// `range A B`, both included.
    Range(T, T),
}

/// What ports and TTLs have in common.
pub trait Bounded: Copy + Ord + Into<u32> + TryFrom<u32> {
    /// The greatest value.
    const LAST: u32;
}

impl Bounded for u16 {
    const LAST: u32 = 65_535;
}

impl Bounded for u8 {
    const LAST: u32 = 255;
}

impl<T: Bounded> Numbers<T> {
    /// Whether a number is meant.
    pub fn contains(&self, number: T) -> bool {
        match self {
            Self::Eq(these) => these.contains(&number),
            Self::Neq(these) => !these.contains(&number),
            Self::Gt(than) => number > *than,
            Self::Lt(than) => number < *than,
            Self::Range(first, last) => (*first..=*last).contains(&number),
        }
    }

    /// The numbers as ranges, both ends included, that do not overlap, in their order.
    pub fn ranges(&self) -> Vec<(T, T)> {
        let range = |first: u32, last: u32| (first <= last).then_some((first, last));
        let found: Vec<(u32, u32)> = match self {
            Self::Eq(these) => sorted(these).into_iter().map(|one| (one, one)).collect(),
            Self::Neq(these) => {
                let mut first = 0;
                let mut out = Vec::new();
                for hole in sorted(these) {
                    out.extend(hole.checked_sub(1).and_then(|last| range(first, last)));
                    first = hole + 1;
                }
                out.extend(range(first, T::LAST));
                out
            }
            Self::Gt(than) => range((*than).into() + 1, T::LAST).into_iter().collect(),
            Self::Lt(than) => {
                (*than).into().checked_sub(1).and_then(|last| range(0, last)).into_iter().collect()
            }
            Self::Range(first, last) => range((*first).into(), (*last).into()).into_iter().collect(),
        };
        let both = |(first, last): (u32, u32)| Some((T::try_from(first).ok()?, T::try_from(last).ok()?));
        found.into_iter().filter_map(both).collect()
    }
}

fn sorted<T: Bounded>(numbers: &[T]) -> Vec<u32> {
    let mut out: Vec<u32> = numbers.iter().map(|number| (*number).into()).collect();
    out.sort_unstable();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges hold what the comparison means, each number once.
    #[test]
    fn ranges_are_the_numbers() {
        for numbers in [
            Numbers::Eq(vec![5_u8, 3, 5]),
            Numbers::Neq(vec![0, 255]),
            Numbers::Neq(vec![7, 8, 3]),
            Numbers::Gt(255),
            Numbers::Gt(3),
            Numbers::Lt(0),
            Numbers::Lt(9),
            Numbers::Range(4, 4),
            Numbers::Range(0, 255),
        ] {
            for number in 0..=255 {
                let holding = numbers.ranges().iter().filter(|(a, b)| (*a..=*b).contains(&number)).count();
                assert_eq!(holding, usize::from(numbers.contains(number)), "{numbers:?} {number}");
            }
        }
    }
}
