//! What the processor offers beyond the language: the only files of this crate with `unsafe` in
//! them, and with nothing else in them. Every function here asks first whether the processor can do
//! what it needs.

#[cfg(target_arch = "x86_64")]
pub(crate) mod des_avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod des_avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sha1_avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sha1_two;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sum_avx2;
