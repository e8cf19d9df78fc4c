//! Encrypts and decrypts a few packets under keys that follow from a number: whatever the number,
//! as many instructions. `tests/constant_time.rs` counts them.
//!
//! `des_once WIDTH NUMBER`, WIDTH being 64, 256 or 512.

use hubward_crypto::des::{CbcJob, DesKey, Kind, Width, decrypt_with, encrypt_with};
use hubward_crypto::random::Random;

/// Packets, and bytes of each; enough for more than one pass.
const PACKETS: usize = 70;
const BYTES: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, number] = &arguments[..] else { return Err("des_once WIDTH NUMBER".into()) };
    let (blocks, number): (usize, u8) = (width.parse()?, number.parse()?);
    let width = Width::available()
        .find(|width| width.blocks() == blocks)
        .ok_or("this processor has no such width")?;
    let mut random = Random::new([number; 32]);
    let mut bytes = [0; 24];
    random.fill(&mut bytes);
    let (single, triple) = (DesKey::new(bytes.get(..8).unwrap_or_default())?, DesKey::new(&bytes)?);
    let mut packets = vec![[0; BYTES]; PACKETS];
    packets.iter_mut().for_each(|packet| random.fill(packet));
    for (key, kind) in [(&single, Kind::Single), (&triple, Kind::Triple)] {
        encrypt_with(width, kind, packets.iter_mut().map(|data| CbcJob { key, iv: [1; 8], data }));
        decrypt_with(width, kind, packets.iter_mut().map(|data| CbcJob { key, iv: [2; 8], data }));
    }
    std::hint::black_box(packets);
    Ok(())
}
