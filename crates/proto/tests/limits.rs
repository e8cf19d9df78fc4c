//! Every bound on what a peer can make us hold or do: at the bound it is accepted; one above it is
//! refused by name, and counted.
//!
//! Each row of [`ROWS`] tries a size with an engine of its own and returns what the engine refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "limits/over_time.rs"]
mod over_time;
#[path = "support/peer.rs"]
mod peer;
#[path = "limits/sizes.rs"]
mod sizes;
mod support;

use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::limits;
use hubward_proto::path::Path;
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::MessageError;
use peer::Bench;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A bound.
struct Row {
    name: &'static str,
    bound: usize,
    /// Brings an engine to a size, and returns it.
    reach: fn(usize) -> Bench,
    /// What is refused above the bound.
    refused: fn(&Refusal) -> bool,
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "MESSAGE_BYTES", bound: limits::MESSAGE_BYTES, reach: sizes::message_bytes,
          refused: |refusal| *refusal == Refusal::Malformed(MessageError::TooLong) },
    Row { name: "PAYLOADS", bound: limits::PAYLOADS, reach: sizes::payloads,
          refused: |refusal| *refusal == Refusal::Malformed(MessageError::TooManyPayloads) },
    Row { name: "PROPOSALS", bound: limits::PROPOSALS, reach: sizes::proposals,
          refused: |refusal| *refusal == Refusal::Malformed(MessageError::TooManyProposals) },
    Row { name: "TRANSFORMS in one proposal", bound: limits::TRANSFORMS, reach: sizes::transforms_of_one_proposal,
          refused: |refusal| *refusal == Refusal::Malformed(MessageError::TooManyTransforms) },
    Row { name: "TRANSFORMS in several proposals", bound: limits::TRANSFORMS, reach: sizes::transforms_of_all_proposals,
          refused: |refusal| *refusal == Refusal::Malformed(MessageError::TooManyTransforms) },
    Row { name: "ATTRIBUTES", bound: limits::ATTRIBUTES, reach: sizes::attributes,
          refused: |refusal| matches!(refusal, Refusal::NoPhase1Proposal(_)) },
    Row { name: "CONFIG_ATTRIBUTES", bound: limits::CONFIG_ATTRIBUTES, reach: sizes::config_attributes,
          refused: |refusal| *refusal == Refusal::Malformed(MessageError::TooManyAttributes) },
    Row { name: "NONCE_BYTES in phase 1", bound: *limits::NONCE_BYTES.end(), reach: sizes::phase1_nonce,
          refused: |refusal| *refusal == Refusal::Nonce },
    Row { name: "NONCE_BYTES in phase 2", bound: *limits::NONCE_BYTES.end(), reach: sizes::phase2_nonce,
          refused: |refusal| *refusal == Refusal::Nonce },
    Row { name: "IDENTITY_BYTES", bound: limits::IDENTITY_BYTES, reach: sizes::identity,
          refused: |refusal| matches!(refusal, Refusal::Identity(_)) },
    Row { name: "XAUTH_BYTES of the user", bound: limits::XAUTH_BYTES, reach: sizes::xauth_user,
          refused: |refusal| *refusal == Refusal::XauthFailed },
    Row { name: "XAUTH_BYTES of the password", bound: limits::XAUTH_BYTES, reach: sizes::xauth_password,
          refused: |refusal| *refusal == Refusal::XauthFailed },
    Row { name: "SPLIT_NETWORKS to include", bound: limits::SPLIT_NETWORKS, reach: sizes::split_networks,
          refused: |refusal| *refusal == Refusal::TooManyNetworks },
    Row { name: "QUICK_MODES_WAITING", bound: limits::QUICK_MODES_WAITING, reach: over_time::quick_modes_begun,
          refused: |refusal| *refusal == Refusal::TooMany },
    Row { name: "HALF_MADE", bound: limits::HALF_MADE, reach: over_time::half_made,
          refused: |refusal| *refusal == Refusal::TooMany },
    Row { name: "CHILDREN_PENDING", bound: limits::CHILDREN_PENDING, reach: over_time::packets_waiting,
          refused: |refusal| *refusal == Refusal::TooMany },
    // the reference hub's map has two dynamic entries without ACL, which count as one line each
    Row { name: "CHILDREN_PER_PEER", bound: limits::CHILDREN_PER_PEER + 2, reach: over_time::children,
           refused: |refusal| matches!(refusal, Refusal::TooManyChildren { .. }) },
    Row { name: "CALLED", bound: limits::CALLED, reach: over_time::called,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
    Row { name: "CALLED_KNOWN", bound: limits::CALLED_KNOWN, reach: over_time::called_by_known,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
    Row { name: "CALLED_LONG", bound: limits::CALLED_LONG, reach: over_time::called_at_length,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
    Row { name: "HALF_OPEN", bound: limits::HALF_OPEN, reach: over_time::half_open,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
    Row { name: "HALF_OPEN_AGGRESSIVE", bound: limits::HALF_OPEN_AGGRESSIVE, reach: over_time::half_open_aggressive,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
    Row { name: "CALLED_PER_SOURCE", bound: limits::CALLED_PER_SOURCE, reach: over_time::called_by_one_source,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
    Row { name: "HALF_OPEN_PER_SOURCE", bound: limits::HALF_OPEN_PER_SOURCE, reach: over_time::half_open_of_one_source,
          refused: |refusal| *refusal == Refusal::TooManyHalfOpen },
];

#[test]
fn each_bound_and_one_above_it() {
    for row in ROWS {
        let within = (row.reach)(row.bound);
        assert!(within.refusals.is_empty(), "{} at {}: {:?}", row.name, row.bound, within.refusals);
        let above = (row.reach)(row.bound + 1);
        assert!(
            matches!(above.refusals.as_slice(), [refusal] if (row.refused)(refusal)),
            "{} at {}: {:?}",
            row.name,
            row.bound + 1,
            above.refusals
        );
    }
}

/// A nonce has a lower bound too.
#[test]
fn the_shortest_nonce() {
    let shortest = *limits::NONCE_BYTES.start();
    for reach in [sizes::phase1_nonce, sizes::phase2_nonce] {
        assert!(reach(shortest).refusals.is_empty());
        assert_eq!(reach(shortest - 1).refusals, [Refusal::Nonce]);
    }
}

fn bench(policy: Policy) -> Bench {
    Bench::new(Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN))
}

/// A path to the hub from the `index`th address of many.
fn from(index: usize) -> Path {
    let index = u32::try_from(index).unwrap();
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 16, 0, 1)) + index);
    peer::path(support::ip(support::HUB), IpAddr::V4(address), 500)
}
