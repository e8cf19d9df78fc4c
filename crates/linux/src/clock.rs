//! The clocks. Protocol code never reads them: it is given the time.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the machine started, sleep included (`CLOCK_BOOTTIME`): an SA must not live longer
/// because a laptop slept.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The date: seconds since 1970 in UTC, for logs, certificates and leases that outlive a restart.
/// It may jump.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_advances_and_agrees_with_the_kernel() {
        let first = now();
        std::thread::sleep(Duration::from_millis(5));
        let second = now();
        assert!(second - first >= Duration::from_millis(5));
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((second.as_secs_f64() - uptime).abs() < 5.0, "{second:?} against {uptime}");
    }

    #[test]
    fn the_date_is_after_this_was_written() {
        assert!(wall() > Duration::from_secs(1_700_000_000));
    }
}
