//! Whether the time of a batch of Triple DES reveals anything about its key or its data: Welch's t
//! between batches of two kinds in a random order ("dudect", Reparaz, Balasch and Verbauwhede,
//! 2017). An absolute value above 4.5 would indicate a leak; on a machine with other load a single
//! run may exceed it by chance.
//!
//! `cargo run --release -p hubward-crypto --example des_timing [BATCHES]`

use hubward_crypto::des::{CbcJob, DesKey, Kind, Width, decrypt_with, encrypt_with};
use hubward_crypto::random::Random;
use std::time::Instant;

/// What the two kinds of batches differ in.
#[derive(Clone, Copy, Debug)]
enum Class {
    /// One key of zeros, or a random one each time.
    Key,
    /// Data of zeros, or random data each time.
    Data,
}

/// Count, mean and sum of squared differences of one kind.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let difference = value - self.mean;
        self.mean += difference / self.count;
        self.squares += difference * (value - self.mean);
    }

    /// The variance of the mean.
    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

fn measure(
    width: Width,
    class: Class,
    decrypts: bool,
    batches: usize,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut random = Random::new([9; 32]);
    let mut times: Vec<(bool, u128)> = Vec::with_capacity(batches);
    for _ in 0..batches {
        let (mut coin, mut key, mut data) = ([0; 1], [0; 24], [[0; 64]; 16]);
        random.fill(&mut coin);
        random.fill(&mut key);
        random.fill(data.as_flattened_mut());
        let fixed = coin[0] & 1 == 0;
        // by the same steps for both kinds: a branch here would show in the time after it
        let keep = 0u8.wrapping_sub(coin[0] & 1);
        match class {
            Class::Key => key.iter_mut().for_each(|byte| *byte &= keep),
            Class::Data => data.as_flattened_mut().iter_mut().for_each(|byte| *byte &= keep),
        }
        let key = DesKey::new(&key)?;
        let jobs = data.iter_mut().map(|data| CbcJob { key: &key, iv: [0; 8], data });
        let begun = Instant::now();
        if decrypts {
            decrypt_with(width, Kind::Triple, jobs)
        } else {
            encrypt_with(width, Kind::Triple, jobs)
        }
        times.push((fixed, begun.elapsed().as_nanos()));
    }
    // measurements that an interrupt disturbed are discarded
    let mut sorted: Vec<u128> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable();
    let most = sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(u128::MAX);
    let (mut fixed, mut changing) = (Moments::default(), Moments::default());
    for (kind, time) in times.into_iter().filter(|(_, time)| *time <= most) {
        if kind { &mut fixed } else { &mut changing }.add(time as f64);
    }
    Ok((fixed.mean - changing.mean) / (fixed.error() + changing.error()).sqrt())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let batches = std::env::args().nth(1).map_or(Ok(100_000), |argument| argument.parse())?;
    for width in Width::available() {
        for class in [Class::Key, Class::Data] {
            for (decrypts, name) in [(false, "encrypt"), (true, "decrypt")] {
                let t = measure(width, class, decrypts, batches)?;
                println!("{width:?} {class:?} {name}: t = {t:+.2} of {batches} batches");
            }
        }
    }
    Ok(())
}
