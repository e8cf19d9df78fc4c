//! Networks that no line of a crypto access list mirrors.

use super::world::{HUB, SPOKE, Way, World, differing, edit, line};

/// A hub whose tunnels with spokes are selected by these lines.
fn with(lines: &str) -> String {
    let hub = edit(HUB, "set isakmp-profile L2L", "set isakmp-profile L2L\n  match address 101");
    edit(&hub, "call rsvp-sync", &format!("{lines}\ncall rsvp-sync"))
}

const PROPOSED: &str = "10.100.2.102 proposes a tunnel between its 10.2.0.0/16 and our 10.1.0.0/16, ";

#[test]
fn proxy_identities_that_mirror_no_line() {
    let hub = HUB.replace("set isakmp-profile L2L", "set isakmp-profile L2L\n  match address 101");
    let hub = hub.replace(
        "call rsvp-sync",
        "access-list 101 permit ip 10.9.0.0 0.0.255.255 10.8.0.0 0.0.255.255\naccess-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.2.0 0.0.0.255\ncall rsvp-sync",
    );
    let said = World::call(&hub, SPOKE, Way::Open).hub("proxy-identities");
    assert!(said.verdict.contains("between its 10.2.0.0/16 and our 10.1.0.0/16"), "{}", said.verdict);
    assert_eq!(differing(&said), [("network there", "10.2.0.0/16", "10.2.2.0/24")]);
    assert_eq!(said.lines, [line(&hub, "access-list 101 permit ip 10.1.0.0")], "the nearest line");
    assert!(
        said.advice[1].contains("permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255"),
        "{:?}",
        said.advice
    );
}

/// The lists are equal where they should mirror each other.
#[test]
fn the_wrong_way_round() {
    let hub = with("access-list 101 permit ip 10.2.0.0 0.0.255.255 10.1.0.0 0.0.255.255");
    let said = World::call(&hub, SPOKE, Way::Open).hub("proxy-identities");
    assert_eq!(
        said.verdict,
        format!("{PROPOSED}but the line of access list 101 has source and destination reversed.")
    );
    assert_eq!(differing(&said)[0], ("network there", "10.2.0.0/16", "10.1.0.0/16"));
    assert_eq!(said.lines, [line(&hub, "access-list 101 permit")]);
}

#[test]
fn a_line_that_denies() {
    let hub = with(
        "access-list 101 deny ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\naccess-list 101 permit ip any any",
    );
    let said = World::call(&hub, SPOKE, Way::Open).hub("proxy-identities");
    let deny = line(&hub, "access-list 101 deny");
    assert_eq!(said.verdict, format!("{PROPOSED}but line {deny} of access list 101 denies it."));
    assert_eq!(differing(&said), []);
    assert_eq!(said.lines, [deny]);
}

#[test]
fn an_access_list_that_is_not_there() {
    let hub = edit(HUB, "set isakmp-profile L2L", "set isakmp-profile L2L\n  match address 101");
    let said = World::call(&hub, SPOKE, Way::Open).hub("proxy-identities");
    assert_eq!(
        said.verdict,
        format!(
            "{PROPOSED}but the access list 101 of the crypto map entry permits nothing or is not configured."
        )
    );
    assert_eq!(said.lines, [line(&hub, "crypto dynamic-map dynmap 10")]);
}
