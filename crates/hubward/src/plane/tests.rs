//! Which data plane is chosen, and why.

use super::*;
use hubward_linux::netns::{self, NetNs};
use hubward_proto::policy::Global;

/// A policy with something that the kernel does not support.
fn unfit() -> Policy {
    Policy { global: Global { invalid_spi_recovery: true, ..Global::default() }, ..Policy::default() }
}

const WHY: &str = "the kernel does not report unknown SPIs (crypto isakmp invalid-spi-recovery)";

/// If the kernel is asked for and does not support the policy, the start fails for that reason and
/// does not fall back.
#[test]
fn the_kernel_that_was_asked_for_and_cannot_is_an_error() {
    let Err(error) = Plane::choose(Choice::Kernel, &unfit(), Instant::ORIGIN) else {
        panic!("it became one")
    };
    assert!(error.is::<Unfit>(), "{error:#}");
    assert_eq!(format!("{error:#}"), format!("--dataplane kernel: {WHY}"));
}

/// User space is the default, and what `auto` falls back to; it supports every policy. The test
/// runs in a namespace of its own, because both remove what the kernel's data plane left.
#[test]
fn user_space_where_the_kernel_is_not_asked_for_or_cannot() {
    if !netns::can_create() {
        let required = std::env::var_os("HUBWARD_REQUIRE").is_some();
        assert!(!required, "this process may make no network namespaces, and HUBWARD_REQUIRE is set");
        println!("skipped: this process may make no network namespaces");
        return;
    }
    let default = "--dataplane user, the default";
    let namespace = NetNs::create().unwrap();
    for (choice, policy, why) in [
        (Choice::User, Policy::default(), default),
        (Choice::User, unfit(), default),
        (Choice::Auto, unfit(), WHY),
    ] {
        let chosen = namespace.run(|| Plane::choose(choice, &policy, Instant::ORIGIN)).unwrap();
        let (plane, chosen) = chosen.unwrap();
        assert!(!plane.is_kernel() && plane.can_do(&unfit()).is_ok(), "{choice:?}");
        assert_eq!(chosen, Chosen { name: Name::User, why: why.into() }, "{choice:?}");
    }
}

#[test]
fn the_planes_have_names() {
    assert_eq!(Name::User.to_string(), "user space");
    assert_eq!(Name::Kernel.to_string(), "kernel (xfrm)");
    assert_eq!(Chosen::default().name, Name::User);
}
