//! What goes wrong with clients: their groups, their users, their addresses.

use super::world::{HUB, Login, World, differing, edit, line};
use std::net::Ipv4Addr;

#[test]
fn a_client_that_comes_in_explains_nothing() {
    let world = World::connect(HUB, Login::default());
    assert_eq!((world.sides[0].up, world.sides[0].explanations()), (1, vec![]));
}

/// The client offers Xauth, and nothing here asks for it.
#[test]
fn xauth_that_nothing_asks_for() {
    let hub = edit(HUB, "  client authentication list clientauth\n", "");
    let said = World::connect(&hub, Login::default()).hub("phase1-proposal");
    assert_eq!(
        said.verdict,
        "No common phase 1 proposal with 10.51.82.100: the closest of our policies is 10, and there the authentication method differs: they offer pre-share with Xauth, we want pre-share."
    );
    assert_eq!(differing(&said), [("authentication", "pre-share with Xauth", "pre-share")]);
    assert_eq!(said.lines, [line(&hub, "crypto isakmp policy 10")]);
    assert!(said.advice[0].contains("`client authentication list` in a profile"), "{said:?}");
}

#[test]
fn wrong_password() {
    let said = World::connect(HUB, Login { password: "sesame", ..Login::default() }).hub("wrong-password");
    assert_eq!(said.verdict, "Xauth failed: wrong password for user gfullage from 10.51.82.100.");
    assert_eq!(differing(&said), [], "neither password is shown");
    let lines = ["username gfullage", "aaa authentication login clientauth"];
    assert_eq!(said.lines, lines.map(|start| line(HUB, start)));
    assert!(!format!("{said:?}").contains("sesame"));

    let said = World::connect(HUB, Login { user: "nobody", ..Login::default() }).hub("wrong-password");
    assert_eq!(said.verdict, "Xauth failed: there is no user nobody, the name that 10.51.82.100 sent.");
    assert_eq!(said.lines, [line(HUB, "aaa authentication login clientauth")]);
}

/// What is misspelt by a letter or two is told with what is meant.
#[test]
fn near_misses_of_names() {
    let said = World::connect(HUB, Login { group: "testgruop", ..Login::default() }).hub("unknown-group");
    assert!(said.advice[0].contains("testgroup is probably meant"), "{said:?}");
    let said = World::connect(HUB, Login { user: "gfulage", ..Login::default() }).hub("wrong-password");
    assert!(said.advice[0].contains("gfullage is probably meant"), "{said:?}");
    let hub = edit(HUB, "client authentication list clientauth", "client authentication list clientaut");
    let said = World::connect(&hub, Login::default()).hub("no-login-list");
    assert!(said.verdict.ends_with("is not configured (clientauth is)."), "{said:?}");
}

/// Whoever mistypes a password in capitals has a user all the same: names of the list's method
/// `local` have no case.
#[test]
fn a_user_in_capitals() {
    let login = Login { user: "GFULLAGE", password: "sesame", ..Login::default() };
    let said = World::connect(HUB, login).hub("wrong-password");
    assert!(said.verdict.starts_with("Xauth failed: wrong password for user GFULLAGE"), "{said:?}");
}

#[test]
fn no_list_that_could_check_a_password() {
    let profile = "crypto isakmp profile VPNclient";
    for (hub, rest, lines) in [
        (
            edit(HUB, "client authentication list clientauth", "client authentication list typo"),
            "the login list typo, which checks the password, is not configured.",
            vec![profile],
        ),
        (
            edit(HUB, "login clientauth local", "login clientauth group radius"),
            "the login list clientauth, which checks the password, has no supported method.",
            vec!["aaa authentication login clientauth", profile],
        ),
    ] {
        let said = World::connect(&hub, Login::default()).hub("no-login-list");
        assert_eq!(said.verdict, format!("Xauth failed for user gfullage from 10.51.82.100: {rest}"));
        assert_eq!(said.lines, lines.into_iter().map(|start| line(&hub, start)).collect::<Vec<_>>());
    }
}

#[test]
fn unknown_group() {
    let said = World::connect(HUB, Login { group: "nosuchgroup", ..Login::default() }).hub("unknown-group");
    assert_eq!(
        said.verdict,
        "The client at 10.51.82.100 asks for group nosuchgroup, which is not configured here."
    );
    assert_eq!(differing(&said), [("client group", "nosuchgroup", "testgroup")]);
    assert_eq!(said.lines, [line(HUB, "crypto isakmp client configuration group testgroup")]);
}

/// The group is there, and what hands groups out is not.
#[test]
fn a_group_that_no_list_gives_out() {
    let group = "crypto isakmp client configuration group testgroup";
    for (hub, rest, lines) in [
        (
            edit(HUB, "aaa authorization network groupauthor local\n", ""),
            "but the authorization list groupauthor of profile VPNclient, which must supply it, is not configured.",
            vec![group, "crypto isakmp profile VPNclient"],
        ),
        (
            edit(HUB, "  isakmp authorization list groupauthor\n", ""),
            "but profile VPNclient, which matches it, has no `isakmp authorization list`.",
            vec![group, "crypto isakmp profile VPNclient"],
        ),
        (
            edit(HUB, "  match identity group testgroup\n", "  match identity group others\n"),
            "but no ISAKMP profile matches it.",
            vec![group, "crypto isakmp profile L2L", "crypto isakmp profile VPNclient"],
        ),
    ] {
        let said = World::connect(&hub, Login::default()).hub("group-not-authorized");
        let verdict = "The client at 10.51.82.100 asks for group testgroup, which is configured, ";
        assert_eq!(said.verdict, format!("{verdict}{rest}"));
        assert_eq!(said.lines, lines.into_iter().map(|start| line(&hub, start)).collect::<Vec<_>>());
    }
}

#[test]
fn wrong_group_password() {
    let login = Login { group_password: "cisco322", ..Login::default() };
    let said = World::connect(HUB, login).hub("silent-in-aggressive-mode");
    assert_eq!(
        said.verdict,
        "The client at 10.51.82.100 stopped responding after our first answer: usually its group password differs from the one configured here, which only the client can detect and does not report."
    );
    assert_eq!(differing(&said), [("state", "silent", "AG_INIT_EXCH")]);
    assert_eq!(said.lines, [line(HUB, "crypto isakmp client configuration group testgroup")]);
}

/// A pool of one address, and two clients.
#[test]
fn an_exhausted_pool() {
    let hub = edit(HUB, "ippool 10.5.5.1 10.5.5.254", "ippool 10.5.5.1 10.5.5.1");
    let mut world = World::connect(&hub, Login::default());
    assert_eq!(world.sides[0].explanations(), [], "the first has the address");
    world.client(Login::default(), Ipv4Addr::new(10, 51, 82, 101));
    let said = world.hub("pool-exhausted");
    assert_eq!(
        said.verdict,
        "There is no free address left for the client at 10.51.82.101: every address of the pool is in use."
    );
    assert_eq!(differing(&said), [("addresses", "one more", "10.5.5.1 to 10.5.5.1, 1 in all")]);
    assert_eq!(said.lines, [line(&hub, "ip local pool ippool")]);
}

#[test]
fn nothing_that_gives_addresses() {
    const OF_ALL: &str = "crypto isakmp client configuration address-pool local other\n";
    let group = "crypto isakmp client configuration group testgroup";
    let profile = "crypto isakmp profile VPNclient";
    for (hub, cause, verdict, lines) in [
        (
            edit(HUB, "  pool ippool\n", ""),
            "no-mode-config",
            "The client at 10.51.82.100 requests an address, but its group testgroup names no pool.",
            vec![group],
        ),
        (
            edit(HUB, "ip local pool ippool 10.5.5.1 10.5.5.254\n", ""),
            "no-address",
            "The client at 10.51.82.100 gets no address: its group uses pool ippool, which is not configured.",
            vec![group],
        ),
        // the pool of all clients is the group's
        (
            edit(
                &edit(HUB, "  pool ippool\n", ""),
                "ip local pool ippool",
                &format!("{OF_ALL}ip local pool ippool"),
            ),
            "no-address",
            "The client at 10.51.82.100 gets no address: its group uses pool other, which is not configured.",
            vec![group],
        ),
        (
            edit(HUB, "  client configuration address respond\n", ""),
            "no-mode-config",
            "The client at 10.51.82.100 requests an address, but profile VPNclient does not answer such requests.",
            vec![profile],
        ),
    ] {
        let said = World::connect(&hub, Login::default()).hub(cause);
        assert_eq!(said.verdict, verdict);
        assert_eq!(said.lines, lines.into_iter().map(|start| line(&hub, start)).collect::<Vec<_>>());
    }
}
