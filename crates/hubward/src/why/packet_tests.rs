//! Tunnels that are up and through which nothing gets: what the packet path refuses.

use super::world::{HUB, SPOKE, Way, World, differing, edit, line};

/// The reference network with SHA-256 in phase 2.
fn sha256() -> (String, World) {
    let change = |text: &str| edit(text, "esp-3des esp-sha-hmac", "esp-aes esp-sha256-hmac");
    let hub = change(HUB);
    let world = World::call(&hub, &change(SPOKE), Way::Open);
    (hub, world)
}

#[test]
fn packets_that_belong_into_the_tunnel() {
    let (_, mut world) = sha256();
    world.packet("10.2.2.10", "10.1.1.10", |_| {});
    assert_eq!(world.sides[0].explanations(), []);
}

/// The spoke cuts HMAC-SHA-256 to 96 bits: its packets end four bytes earlier.
#[test]
fn a_check_value_of_96_bits() {
    let (hub, mut world) = sha256();
    for _ in 0..3 {
        world.packet("10.2.2.10", "10.1.1.10", |bytes| bytes.truncate(bytes.len() - 4));
    }
    assert_eq!(world.sides[0].record.failures()[0].count, 3);
    let said = world.hub("sha256-96");
    assert_eq!(
        said.verdict,
        "Packets of 10.100.2.102 carry a SHA-256 integrity check value (ICV) of 96 bits instead of 128: its software is older than RFC 4868, or is configured to truncate; the tunnel is up, but no traffic passes."
    );
    assert_eq!(differing(&said), [("ICV", "96 bits", "128 bits")]);
    assert_eq!(said.lines, [line(&hub, "crypto ipsec transform-set myset")]);
    assert!(said.advice[0].contains("`sha256_96 = no`"), "{said:?}");
}

/// Something on the way writes into packets.
#[test]
fn a_check_value_that_is_wrong() {
    let (hub, mut world) = sha256();
    world.packet("10.2.2.10", "10.1.1.10", |bytes| bytes[40] ^= 1);
    let said = world.hub("icv");
    assert_eq!(
        said.verdict,
        "Packets of 10.100.2.102 fail their integrity check although both sides agreed on the keys: something on the path modifies them."
    );
    assert_eq!(differing(&said), []);
    assert_eq!(said.lines, [line(&hub, "crypto ipsec transform-set myset")]);
}

/// The spoke's LAN has another network, which the spoke sends into the tunnel as it comes.
#[test]
fn inner_addresses_outside_the_tunnel() {
    let hub = edit(HUB, "set isakmp-profile L2L", "set isakmp-profile L2L\n  match address 101");
    let acl = "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255";
    let hub = edit(&hub, "call rsvp-sync", &format!("{acl}\ncall rsvp-sync"));
    let mut world = World::call(&hub, SPOKE, Way::Open);
    world.packet("192.168.1.20", "10.1.1.10", |_| {});
    world.packet("192.168.1.21", "10.1.1.10", |_| {});
    assert_eq!(world.sides[0].record.failures().len(), 1, "one failure, whatever the addresses");
    let said = world.hub("outside-selectors");
    assert_eq!(
        said.verdict,
        "10.100.2.102 sends packets into the tunnel that it was not negotiated for, such as one from 192.168.1.20 to 10.1.1.10: it was negotiated for 10.2.0.0/16 and 10.1.0.0/16."
    );
    assert_eq!(differing(&said), [("source", "192.168.1.20", "10.2.0.0/16")]);
    assert_eq!(said.lines, [line(&hub, acl)]);

    let mut world = World::call(&hub, SPOKE, Way::Open);
    world.packet("10.2.2.10", "172.16.0.1", |_| {});
    assert_eq!(differing(&world.hub("outside-selectors")), [("destination", "172.16.0.1", "10.1.0.0/16")]);
}
