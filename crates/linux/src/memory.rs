//! The memory of this process.

use std::io;

/// How many bytes of physical memory the process has: its resident set, from `/proc/self/status`
/// (proc(5)), exact to some pages for each thread.
///
/// # Errors
/// `/proc` is not there or not what proc(5) says.
pub fn resident() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib.saturating_mul(1024)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Gives memory that was freed back to the kernel: the allocator of glibc keeps it, except at the
/// end of the heap (malloc_trim(3)). It takes a few milliseconds for tens of MiB; another thread
/// that allocates from the same arena waits meanwhile. Does nothing with another C library.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the locks of the arenas, so any thread may call it at any time, and
    // it touches no memory that is allocated.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Freed memory that lies between what is still in use.
    #[test]
    #[cfg(target_env = "gnu")]
    fn what_was_freed_goes_back_to_the_kernel() {
        let pieces: Vec<Vec<u8>> = (0..60_000).map(|_| vec![1; 1024]).collect();
        let full = resident().unwrap();
        let (keep, free): (Vec<_>, Vec<_>) =
            pieces.into_iter().enumerate().partition(|(number, _)| number % 500 == 499);
        drop(free);
        give_back();
        let left = resident().unwrap();
        assert!(left + (40 << 20) < full, "{full} bytes, then {left}");
        assert!(keep.iter().all(|(_, piece)| *piece == [1; 1024]));
    }
}
