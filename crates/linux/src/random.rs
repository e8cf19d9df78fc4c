//! Randomness of the kernel.

use crate::error::{Context, Error};

/// Fills the buffer from the kernel's generator; waits for it to be seeded, early at boot.
pub fn fill(mut buffer: &mut [u8]) -> Result<(), Error> {
    while !buffer.is_empty() {
        // SAFETY: the pointer and the length describe the slice, which outlives the call.
        let got = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => buffer = buffer.get_mut(got..).unwrap_or_default(),
            Err(_) => {
                let error = std::io::Error::last_os_error();
                if error.kind() != std::io::ErrorKind::Interrupted {
                    return Err(error).context("read", "the kernel's random number generator");
                }
            }
        }
    }
    Ok(())
}

/// A seed for a deterministic generator.
pub fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    fill(&mut seed)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_seeds_differ() {
        assert_ne!(super::seed().unwrap(), super::seed().unwrap());
    }
}
