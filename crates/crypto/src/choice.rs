//! Which implementation does the work where there are several: at the start each that this
//! processor has is tried, and the fastest is taken. Until then it is the one that is fastest on
//! most processors. AES is the libraries' to choose.

use crate::des::{CbcJob, DesKey, Kind, Width, decrypt_with};
use crate::midstate::{Midstates, SHA1};
use crate::montgomery::{self, Implementation};
use crate::sha1_lanes::{self, Lanes};
use crate::suite::DhGroup;
use std::hint::black_box;
use std::time::Duration;

/// Tries of each; the shortest counts, because something else may come between.
const TRIES: usize = 5;

/// Measures them with the caller's clock, which returns the time since any moment. A MODP group
/// that was used before keeps its implementation, so call this first.
pub fn choose(clock: &dyn Fn() -> Duration) {
    let mut packets = vec![[0x5a_u8; 1024]; 32];
    if let Ok(key) = DesKey::new(&[7; 24]) {
        let des = fastest(Width::available(), clock, |width| {
            let jobs = packets.iter_mut().map(|data| CbcJob { key: &key, iv: [1; 8], data });
            decrypt_with(width, Kind::Triple, jobs);
        });
        des.into_iter().for_each(Width::choose);
    }
    let exponent = [0x5a; 32];
    let modp = Implementation::available().filter_map(|implementation| {
        let powers = montgomery::make(DhGroup::Modp2048, exponent.len(), implementation)?;
        let base = [0x5a; 256];
        let time = shortest(clock, || drop(black_box(powers.power(&base, &exponent))));
        Some((time, implementation))
    });
    modp.min_by_key(|(time, _)| *time).into_iter().for_each(|(_, implementation)| implementation.choose());
    let key = Midstates::new(SHA1, [3; 64]);
    let messages = [(&key, [0x5a; 1024].as_slice()); 32];
    let sha1 = fastest(Lanes::available(), clock, |lanes| {
        sha1_lanes::sign(lanes, &messages, |digest| {
            black_box(digest);
        });
    });
    sha1.into_iter().for_each(Lanes::choose);
}

fn shortest(clock: &dyn Fn() -> Duration, mut work: impl FnMut()) -> Duration {
    let tries = (0..TRIES).map(|_| {
        let start = clock();
        work();
        clock().saturating_sub(start)
    });
    tries.min().unwrap_or_default()
}

fn fastest<T: Copy>(
    candidates: impl Iterator<Item = T>,
    clock: &dyn Fn() -> Duration,
    mut work: impl FnMut(T),
) -> Option<T> {
    let timed = candidates.map(|candidate| (shortest(clock, || work(candidate)), candidate));
    timed.min_by_key(|(time, _)| *time).map(|(_, candidate)| candidate)
}

/// What does which work, for `show crypto engine brief`.
pub fn taken() -> [(&'static str, &'static str); 3] {
    [
        ("DES, 3DES", Width::chosen().name()),
        ("HMAC-SHA1", Lanes::chosen().name()),
        ("MODP groups", Implementation::chosen().name()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_one_is_taken_that_was_once_the_fastest() {
        let (time, calls) = (Cell::new(0), Cell::new(0));
        let clock = || Duration::from_micros(time.get());
        // the second is the fastest, but for hiccups
        let taken = fastest([30, 10, 20].into_iter(), &clock, |takes| {
            calls.set(calls.get() + 1);
            let hiccup = if calls.get() % 2 == 0 { 500 } else { 0 };
            time.set(time.get() + takes + hiccup);
        });
        assert_eq!(taken, Some(10));
        assert_eq!(calls.get(), 3 * TRIES);
    }

    #[test]
    fn what_was_chosen_gives_the_known_answers() {
        let start = std::time::Instant::now();
        choose(&|| start.elapsed());
        crate::selftest::selftest().unwrap();
        assert!(taken().iter().all(|(_, what)| !what.is_empty()));
    }
}
