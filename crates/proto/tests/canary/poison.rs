//! An allocator whose memory is full of a pattern until somebody writes to it, and again after it
//! is freed.
#![allow(unsafe_code)] // a global allocator cannot be had without it

use std::alloc::{GlobalAlloc, Layout, System};

/// What nobody wrote.
pub(crate) const PATTERN: [u8; 8] = [0xc4, 0x9a, 0xe7, 0xb1, 0xd5, 0x8e, 0xf3, 0xa6];

struct Poisoning;

/// Fills memory with the pattern.
///
/// # Safety
/// So many bytes may be written there.
unsafe fn fill(place: *mut u8, size: usize) {
    let pattern = u64::from_ne_bytes(PATTERN);
    let eights = size / 8;
    for at in 0..eights {
        // SAFETY: these are eight of the bytes that the caller promises, wherever they begin; not
        // elided, although freed memory is never read
        unsafe { std::hint::black_box(place).cast::<u64>().add(at).write_unaligned(pattern) };
    }
    for (at, byte) in PATTERN.iter().take(size % 8).enumerate() {
        // SAFETY: it is one of the bytes that the caller promises
        unsafe { std::hint::black_box(place).add(eights * 8 + at).write(*byte) };
    }
    std::hint::black_box(place);
}

// SAFETY: it passes everything to the system's allocator, and writes only to memory that it has just
// got, or is about to give back. The other methods are made of these two.
unsafe impl GlobalAlloc for Poisoning {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on
        let place = unsafe { System.alloc(layout) };
        if !place.is_null() {
            // SAFETY: it is that long, and nobody else has it
            unsafe { fill(place, layout.size()) };
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: it is that long, and its owner gives it up
        unsafe { fill(place, layout.size()) };
        // SAFETY: the caller's promise is passed on
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Poisoning = Poisoning;

/// Whether some of it is in these bytes: six bytes of the pattern in a row, wherever they begin.
pub(crate) fn is_in(bytes: &[u8]) -> bool {
    let of = |at: usize| PATTERN[at % PATTERN.len()];
    bytes.windows(6).any(|six| (0..PATTERN.len()).any(|start| (0..6).all(|at| six[at] == of(start + at))))
}

/// What a vector has room for, and nobody has written.
#[cfg(test)]
fn spare(bytes: &mut Vec<u8>) -> Vec<u8> {
    let room = bytes.capacity() - bytes.len();
    let place = std::hint::black_box(bytes.as_mut_ptr());
    // SAFETY: it is within the allocation, to all of which the allocator has written
    (0..room).map(|at| unsafe { place.add(bytes.len() + at).read_volatile() }).collect()
}

/// Memory that nobody wrote has the pattern: otherwise the tests would find nothing.
#[test]
fn fresh_and_freed_memory_is_full_of_the_pattern() {
    let mut fresh: Vec<u8> = Vec::with_capacity(64);
    let read = spare(&mut fresh);
    assert!(is_in(&read) && read.len() == 64, "{read:02x?}");
    assert!(is_in(&[1, 2, 0xf3, 0xa6, 0xc4, 0x9a, 0xe7, 0xb1]) && !is_in(&PATTERN[..5]) && !is_in(&[0; 64]));
    // what grows keeps what was written, and has the pattern after it
    fresh.extend([7; 64]);
    fresh.reserve(1000);
    assert_eq!(fresh, [7; 64]);
    assert!(spare(&mut fresh).iter().all(|byte| PATTERN.contains(byte)));
}
