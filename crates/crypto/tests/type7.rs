//! Type 7 passwords: what is encoded is decoded again, whatever the password and the salt.
#![allow(clippy::unwrap_used)]

use hubward_crypto::password::{decode_type7, encode_type7, verify};
use proptest::prelude::*;

proptest! {
    #[test]
    fn encoded_and_decoded(plain in "\\PC{0,120}", salt in 0u8..=15) {
        let stored = encode_type7(&plain, salt);
        let decoded = decode_type7(&stored).unwrap();
        prop_assert_eq!(decoded.expose(), plain.as_bytes());
        prop_assert_eq!(verify(7, &stored, plain.as_bytes()), Ok(true));
        let changed = format!("{plain}x");
        prop_assert_eq!(verify(7, &stored, changed.as_bytes()), Ok(false));
    }

    /// Any text is decoded or refused; what is decoded was in the form that IOS writes.
    #[test]
    fn any_text(text in "[0-9A-Fa-f+ -]{0,12}|\\PC{0,20}") {
        if decode_type7(&text).is_ok() {
            prop_assert!(text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", text);
        }
    }
}
