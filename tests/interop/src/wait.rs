//! Waiting for a condition with a deadline and a reason.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Seconds as a `Duration`, for readable call sites.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Polls `condition` every 100 ms until it is true. An error of the condition counts as "not yet";
/// the last one is part of the message when `timeout` has passed.
pub fn until(what: &str, timeout: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    loop {
        let last = match condition() {
            Ok(true) => return Ok(()),
            Ok(false) => String::new(),
            Err(e) => format!(": {e:#}"),
        };
        if start.elapsed() >= timeout {
            bail!("waited {} s in vain for {what}{last}", timeout.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Asserts that `condition` stays true for the whole of `period`.
pub fn holds(what: &str, period: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < period {
        if !condition()? {
            bail!("{what} ceased to hold after {:.1} s", start.elapsed().as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
