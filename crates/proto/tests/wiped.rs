//! Memory that held a secret is given back wiped: keys, shared secrets, and passwords on their way through a message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unsafe_code)] // a global allocator cannot be had without it; it only looks at what is given back

#[path = "support/peer.rs"]
mod peer;
mod support;

use hubward_crypto::dh::DhPrivate;
use hubward_crypto::mac::hmac;
use hubward_crypto::random::Random;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::Input;
use hubward_proto::ike::v1::keys::{Cookies, KeyInput, Phase1Keys};
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::isakmp::Cookie;
use hubward_proto::wire::registry::config;
use peer::{Bench, Peer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use support::{HUB, hub_policy, ip, test_group};

thread_local! {
    static SECRET: Cell<&'static [u8]> = const { Cell::new(&[]) };
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

struct Looking;

/// Whether what is given back still holds the secret that this thread watches.
fn look(bytes: &[u8]) {
    let secret = SECRET.try_with(Cell::get).unwrap_or_default();
    if !secret.is_empty() && bytes.windows(secret.len()).any(|window| window == secret) {
        let _ending = LEFT.try_with(|left| left.set(left.get() + 1));
    }
}

// SAFETY: every call is passed to the system's allocator; memory is looked at before it is given back, while it is the caller's.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on. Zeroed, so that all of a block may be looked at.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until it is given back, and was zeroed when it was lent.
        look(unsafe { std::slice::from_raw_parts(pointer, layout.size()) });
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Looking = Looking;

/// How many blocks with the secret in them `work` gives back.
fn left_by(secret: &[u8], work: impl FnOnce()) -> u32 {
    LEFT.set(0);
    SECRET.set(Box::leak(secret.into()));
    work();
    SECRET.set(&[]);
    LEFT.get()
}

#[test]
fn what_is_not_wiped_is_seen() {
    assert_eq!(left_by(b"0123456789", || drop(b"0123456789".to_vec())), 1);
    assert_eq!(left_by(b"0123456789", || drop(Secret::new(*b"0123456789"))), 0);
}

#[test]
fn keys_of_hmac() {
    for algorithm in [HashAlg::Md5, HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512] {
        let key = Secret::new(*b"a key that is shorter than a block");
        let left = left_by(key.expose(), || drop(hmac(algorithm, key.expose(), &[b"data"])));
        assert_eq!(left, 0, "{algorithm:?}");
        let long = Secret::new(key.expose().repeat(5));
        let short = hubward_crypto::mac::hash(algorithm, &[long.expose()]);
        let left = left_by(&short, || drop(hmac(algorithm, long.expose(), &[b"data"])));
        assert_eq!(left, 0, "{algorithm:?}, a key longer than a block");
    }
}

#[test]
fn shared_secrets() {
    let mut random = Random::new([7; 32]);
    for group in [DhGroup::Modp1024, DhGroup::Modp2048, DhGroup::Ecp256, DhGroup::Ecp384, DhGroup::Ecp521] {
        let ours = DhPrivate::generate(group, &mut random);
        let theirs = DhPrivate::generate(group, &mut random);
        let shared = ours.agree(theirs.public()).unwrap();
        let part = &shared.expose()[..32];
        // big numbers are kept in words, the least first
        let words: Vec<u8> = part.chunks(8).rev().flat_map(|word| word.iter().rev().copied()).collect();
        for form in [part, &words] {
            let left = left_by(form, || drop(ours.agree(theirs.public()).unwrap()));
            assert_eq!(left, 0, "group {}", group.number());
        }
    }
}

#[test]
fn private_values() {
    let value: Vec<u8> = (100..132).collect();
    let words: Vec<u8> = value.chunks(8).rev().flat_map(|word| word.iter().rev().copied()).collect();
    for form in [&value, &words] {
        let left = left_by(form, || drop(DhPrivate::from_private(DhGroup::Modp1024, &value).unwrap()));
        assert_eq!(left, 0);
    }
}

#[test]
fn keys_of_phase_1_and_2() {
    let shared = Secret::new([9; 128]);
    let key = Secret::new(*b"cisco123");
    let input = KeyInput {
        hash: HashAlg::Sha1,
        cipher: IkeCipher::Aes256,
        cookies: Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) },
        key: &key,
        nonce_i: &[3; 20],
        nonce_r: &[4; 20],
        public_i: &[5; 128],
        public_r: &[6; 128],
        shared: &shared,
    };
    let keys = Phase1Keys::derive(&input);
    let cipher_key = keys.encryption().expose();
    for part in [&cipher_key[..16], &cipher_key[16..], keys.derived()[1], keys.derived()[2]] {
        assert_eq!(left_by(part, || drop(Phase1Keys::derive(&input))), 0);
    }
    let suite = EspSuite::new(EspCipher::Aes256, Some(EspAuth::Sha256)).unwrap();
    let keymat = |keys: &Phase1Keys| keys.keymat(suite, 1000, (&[3; 20], &[4; 20]), None);
    let known = keymat(&keys);
    for part in known.expose().chunks(16) {
        assert_eq!(left_by(part, || drop(keymat(&keys))), 0);
    }
}

/// A user's password on its way from the message to whoever checks it.
#[test]
fn xauth_passwords() {
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let path = peer::path(ip(HUB), ip("10.51.82.100"), 500);
    let (mut client, request) = Peer::aggressive_mode(&mut bench, path, &test_group(), 3);
    let attributes = vec![
        Attribute::long(config::XAUTH_USER_NAME, *b"gfullage"),
        Attribute::long(config::XAUTH_USER_PASSWORD, *b"Xv7uPasswordOfUser63"),
    ];
    let message = client.config(request, config::REPLY, attributes);
    let now = bench.now;
    let left = left_by(b"Xv7uPasswordOfUser63", || {
        bench.engine.handle(now, Input::Datagram { path, bytes: &message });
        while let Some(effect) = bench.engine.poll() {
            drop(effect);
        }
    });
    assert_eq!(left, 0);
}
