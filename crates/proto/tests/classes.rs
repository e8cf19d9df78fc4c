//! Known classes of attacks on proposals, as docs/security.md lists them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use hubward_proto::ike::proposal::{choose_phase1, offer_phase1};
use hubward_proto::policy::{Authentication, IsakmpPolicy};
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::Proposal;
use hubward_proto::wire::registry::ike;
use std::time::Duration;

fn policy() -> IsakmpPolicy {
    IsakmpPolicy {
        priority: 10,
        cipher: IkeCipher::Aes256,
        hash: HashAlg::Sha1,
        authentication: Authentication::PreShared,
        group: DhGroup::Modp2048,
        lifetime: Duration::from_secs(86400),
        line: 1,
    }
}

/// What a peer offers that fits, changed.
fn offered(change: impl FnOnce(&mut Vec<Attribute>)) -> Vec<Proposal> {
    let mut offered = offer_phase1(&[policy()], ike::AUTH_PRESHARED, None);
    change(&mut offered[0].transforms[0].attributes);
    offered
}

fn is_chosen(offered: &[Proposal]) -> bool {
    let methods = [ike::AUTH_PRESHARED, ike::AUTH_XAUTH_INIT_PRESHARED];
    choose_phase1(&[policy()], offered, &methods).is_ok()
}

/// The kinds of attributes without which there is no SA: cipher, hash, method, group, key length.
const NEEDED: [u16; 5] = [1, 2, 3, 4, 14];

/// Numbers that are private, unassigned or of another kind become no algorithm.
#[test]
fn no_number_but_the_configured_one_is_chosen() {
    assert!(is_chosen(&offered(|_| {})));
    for kind in NEEDED {
        for value in 0..=u16::MAX {
            let mut same = false;
            let changed = offered(|attributes| {
                let attribute = attributes.iter_mut().find(|attribute| attribute.kind == kind).unwrap();
                same = attribute.as_number() == Some(value.into());
                *attribute = Attribute::short(kind, value);
            });
            // Xauth is the other method of these
            let is_xauth = kind == 3 && value == ike::AUTH_XAUTH_INIT_PRESHARED;
            assert_eq!(is_chosen(&changed), same || is_xauth, "attribute {kind} = {value}");
        }
    }
}

/// A proposal without one of its parts is none.
#[test]
fn a_proposal_that_lacks_a_part_is_not_chosen() {
    for kind in NEEDED {
        let changed = offered(|attributes| attributes.retain(|attribute| attribute.kind != kind));
        assert!(!is_chosen(&changed), "without attribute {kind}");
    }
    assert!(!is_chosen(&offered(Vec::clear)));
    let mut empty = offered(|_| {});
    empty[0].transforms.clear();
    assert!(!is_chosen(&empty) && !is_chosen(&[]));
}

/// RSA encryption (4, and 5 as revised) is not implemented, and so are signatures (2, 3) and the
/// hybrid modes of clients.
#[test]
fn rsa_encrypted_nonces_and_signatures_are_refused() {
    for method in (2..=8).chain(64221..=64224).chain(65002..=65010) {
        let changed = offered(|attributes| {
            let attribute = attributes.iter_mut().find(|attribute| attribute.kind == 3).unwrap();
            *attribute = Attribute::short(3, method);
        });
        assert!(!is_chosen(&changed), "method {method}");
        for methods in [[ike::AUTH_PRESHARED, 0], [ike::AUTH_XAUTH_INIT_PRESHARED, 0]] {
            assert!(choose_phase1(&[policy()], &changed, &methods).is_err(), "method {method}");
        }
    }
}
