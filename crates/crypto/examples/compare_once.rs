//! Compares something with something that differs in one byte, or in none: wherever it differs, as
//! many instructions. `tests/constant_time.rs` counts them.
//!
//! `compare_once WHAT NUMBER`, NUMBER being 1000, ten times the place of the byte, and 1 if it
//! differs: so that the number takes as many instructions too.

use hubward_crypto::esp::{EspKeys, OpenError, OpenJob, SealJob, open, seal};
use hubward_crypto::mac::equal;
use hubward_crypto::password::{encode_type7, verify};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use std::hint::black_box;

/// Changes one byte, or none, in as many instructions.
fn differ(bytes: &mut [u8], number: usize) {
    let (at, change) = ((number - 1000) / 10, (number % 10) as u8);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= change;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, number] = &arguments[..] else { return Err("compare_once WHAT NUMBER".into()) };
    let number: usize = number.parse()?;
    let right = *b"a password of 24 letters";
    let mut given = right;
    differ(&mut given, number);
    let text = std::str::from_utf8(&right)?;
    match what.as_str() {
        "hash" => {
            for _ in 0..1000 {
                black_box(equal(black_box(&right), black_box(&given)));
            }
        }
        "secret" => {
            let secret = Secret::new(right);
            for _ in 0..1000 {
                black_box(secret.matches(black_box(&given)));
            }
        }
        "type0" => {
            for _ in 0..100 {
                black_box(verify(0, text, black_box(&given))?);
            }
        }
        "type7" => {
            let stored = encode_type7(text, 5);
            for _ in 0..100 {
                black_box(verify(7, &stored, black_box(&given))?);
            }
        }
        "icv" => {
            let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha256)).ok_or("no such suite")?;
            let keys = EspKeys::new(suite, &vec![7; suite.keymat_len()])?;
            let mut packet = vec![0x5a; 8 + 16 + 48 + suite.icv_len()];
            seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).map_err(|_| "not sealed")?;
            let icv = packet.len() - suite.icv_len();
            differ(packet.get_mut(icv..).unwrap_or_default(), number);
            for _ in 0..100 {
                let mut packet = packet.clone();
                let outcome = Err(OpenError::Pending);
                let mut jobs = [OpenJob { keys: &keys, packet: &mut packet, outcome }];
                open(&mut jobs);
                black_box(&jobs);
            }
        }
        _ => return Err(format!("nothing is called {what}").into()),
    }
    Ok(())
}
