//! Rows of the reference document's acceptance table that need traffic: A03, A05, A06, A08–A11,
//! A31, A39.
//!
//! ```text
//!  hub_lan ── hub (Hubward, variants of hub.cfg) ── inet ── spoke (strongSwan) ── spoke_lan
//!                                                     └──── client (vpnc, or a second spoke)
//! ```

use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use hubward_interop::capture::exchange;
use hubward_interop::charon::{Build, Charon, Spoke, XauthClient};
use hubward_interop::hubward::{edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, SPOKE, SPOKE_HOST};
use hubward_interop::vpnc::Profile;
use hubward_interop::wait::secs;

use crate::scene::{Scene, expect_xauth_of_the_client_alone};
use crate::{Case, case};

const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan];
const BOTH: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc")];

pub(crate) const CASES: &[Case] = &[
    case("a03_profiles_select_by_group_address_and_name", STRONGSWAN, three_profiles),
    case("a05_xauth_on_the_map_breaks_lan_to_lan", STRONGSWAN, xauth_conflict),
    case("a06_no_xauth_on_the_key_avoids_it", BOTH, no_xauth),
    case("a08_a_second_spoke_differs_by_its_acl_only", STRONGSWAN, second_spoke),
    case("a09_a31_wildcard_identity_matches_the_profile", STRONGSWAN, wildcard_identity),
    case("a10_static_entry_before_dynamic", BOTH, static_first),
    case("a11_static_entry_behind_dynamic", STRONGSWAN, static_last),
    case("a39_unresolved_next_hop_is_reported", &[Need::Hubward], next_hop),
];

/// A03: a group, an address and a name each select their own profile; only the group's has Xauth.
fn three_profiles(lab: &Lab) -> Result<()> {
    let config = edit(
        &hub_cfg()?,
        "crypto isakmp profile VPNclient\n",
        "crypto isakmp profile BRANCH\n description by address\n keyring spokes\n \
         match identity address 10.100.2.102 255.255.255.255\ncrypto isakmp profile NAMED\n description by name\n \
         keyring spokes\n match identity host branch.example.org\ncrypto isakmp profile VPNclient\n",
    )?;
    // only the two that select by more than the wildcard may carry traffic: L2L gets no entry
    let config = edit(
        &config,
        " set isakmp-profile L2L\n",
        " set isakmp-profile BRANCH\ncrypto dynamic-map dynmap 20\n set transform-set myset\n set isakmp-profile NAMED\n",
    )?;
    let config = edit(
        &config,
        " match identity address 0.0.0.0\n",
        " match identity address 192.0.2.1 255.255.255.255\n",
    )?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    // by address
    let spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    spoke.terminate("hub")?;
    drop(spoke);
    // by name, from the same place
    let conf = edit(&Spoke::default().conf(), "id = 10.100.2.102", "id = fqdn:branch.example.org")?;
    let named = Charon::start(lab, "named", &scene.net.spoke, Build::Machine, &conf)?;
    named.initiate("net")?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    // by group
    let client =
        Charon::start(lab, "client", &scene.net.client, Build::Machine, &XauthClient::default().conf())?;
    client.initiate("net")?;
    ping::answered(&scene.net.client, HUB_HOST, 3)?;
    // a name that no profile matches
    let conf = edit(&Spoke::default().conf(), "id = 10.100.2.102", "id = fqdn:stranger.example.org")?;
    named.terminate("hub")?;
    named.reload(&conf)?;
    named.initiate_fails("net", secs(8))?;
    let wire = scene.wire()?;
    expect_xauth_of_the_client_alone(&wire)
}

/// Xauth on the crypto map, no profiles: what the document warns of.
fn conflict_cfg(key: &str) -> Result<String> {
    let text = hub_cfg()?;
    // everything from the keyring to the dynamic map is replaced
    let (Some(start), Some(end)) = (text.find("crypto keyring spokes"), text.find("crypto isakmp policy 10"))
    else {
        bail!("hub.cfg has changed")
    };
    let mut config = format!("{}{key}{}", &text[..start], &text[end..]);
    let (Some(start), Some(end)) =
        (config.find("crypto isakmp profile L2L"), config.find("crypto ipsec transform-set"))
    else {
        bail!("hub.cfg has changed")
    };
    config.replace_range(start..end, "");
    let (Some(start), Some(end)) =
        (config.find("crypto dynamic-map dynmap 5"), config.find("crypto map mymap 10"))
    else {
        bail!("hub.cfg has changed")
    };
    config.replace_range(
        start..end,
        "crypto dynamic-map dynmap 10\n set transform-set myset\n!\n\
         crypto map mymap client authentication list clientauth\n\
         crypto map mymap isakmp authorization list groupauthor\n\
         crypto map mymap client configuration address respond\n",
    );
    Ok(config)
}

fn xauth_conflict(lab: &Lab) -> Result<()> {
    let config = conflict_cfg("crypto isakmp key cisco123 address 0.0.0.0 0.0.0.0\n")?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let spoke = Charon::start(lab, "spoke", &scene.net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate_fails("net", secs(12))?;
    ping::unanswered(&scene.net.spoke_lan, HUB_HOST, 2)?;
    let wire = scene.wire()?;
    assert!(!wire.isakmp(HUB, SPOKE, exchange::TRANSACTION).is_empty(), "the spoke was not asked for Xauth");
    Ok(())
}

fn no_xauth(lab: &Lab) -> Result<()> {
    let config = conflict_cfg(
        "crypto isakmp key cisco123 address 0.0.0.0 0.0.0.0\ncrypto isakmp key cisco123 address 10.100.2.102 no-xauth\n",
    )?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile::default())?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    let wire = scene.wire()?;
    expect_xauth_of_the_client_alone(&wire)
}

fn second_spoke(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let _first = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    // the second spoke takes the client's place: its configuration differs by address and ACL only
    let lan = lab.ns("lan3")?;
    scene.net.client.cable("eth1", &lan, "eth0")?;
    scene.net.client.address("eth1", "10.3.3.2/24")?;
    lan.address("eth0", "10.3.3.10/24")?;
    lan.default_route(Ipv4Addr::new(10, 3, 3, 2))?;
    let second = Spoke { local: CLIENT, local_net: "10.3.0.0/16".into(), ..Spoke::default() };
    let charon = Charon::start(lab, "spoke3", &scene.net.client, Build::Machine, &second.conf())?;
    charon.initiate("net")?;
    ping::answered(&lan, HUB_HOST, 3)?;
    ping::answered(&scene.net.hub_lan, Ipv4Addr::new(10, 3, 3, 10), 3)?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    let wire = scene.wire()?;
    wire.expect_udp_esp(HUB, CLIENT, 6)?;
    wire.expect_udp_esp(HUB, SPOKE, 6)
}

fn wildcard_identity(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    // A09: some IOS had a bug by which 0.0.0.0 matched no peer
    scene.hub.expect_log(&["L2L"])?;
    // A31: tunnel, HMAC-SHA, 3600 s and 4608000 kilobytes
    let sas = scene.hub.exec("show crypto ipsec sa")?;
    for expected in ["esp-3des esp-sha-hmac", "FastEthernet0/0", "Tunnel"] {
        assert!(sas.contains(expected), "no {expected} in\n{sas}");
    }
    assert!(sas.contains("(4608000/") || sas.contains("(46079"), "not 4608000 kilobytes:\n{sas}");
    let remaining = sas
        .split("(k/sec):")
        .nth(1)
        .and_then(|rest| rest.split('/').nth(1))
        .and_then(|rest| rest.split(')').next())
        .and_then(|seconds| seconds.trim().parse::<u32>().ok());
    match remaining {
        Some(seconds) if (3500..=3600).contains(&seconds) => Ok(()),
        other => bail!("remaining lifetime {other:?} in\n{sas}"),
    }
}

const STATIC_ENTRY: &str = " set peer 10.100.2.102\n set transform-set strong\n match address 120\n";

fn with_static(first: &str) -> Result<String> {
    let config = edit(&hub_cfg()?, "crypto map mymap 10 ipsec-isakmp dynamic dynmap\n", first)?;
    let config = edit(
        &config,
        "crypto ipsec transform-set myset",
        "crypto ipsec transform-set strong esp-aes esp-sha-hmac\ncrypto ipsec transform-set myset",
    )?;
    edit(
        &config,
        "call rsvp-sync\n",
        "access-list 120 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n!\ncall rsvp-sync\n",
    )
}

/// The static peer wants the static entry's AES; the dynamic entry has 3DES only.
fn aes_spoke() -> Spoke {
    let mut spoke = Spoke::default();
    spoke.suite.esp = "aes128-sha1".into();
    spoke
}

fn static_first(lab: &Lab) -> Result<()> {
    let config = with_static(&format!(
        "crypto map mymap 10 ipsec-isakmp\n{STATIC_ENTRY}crypto map mymap 60000 ipsec-isakmp dynamic dynmap\n"
    ))?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let _spoke = scene.spoke(lab, Build::Machine, &aes_spoke())?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile::default())?;
    ping::answered(&scene.net.hub_lan, SPOKE_HOST, 3)?;
    scene.wire().map(drop)
}

fn static_last(lab: &Lab) -> Result<()> {
    let config = with_static(&format!(
        "crypto map mymap 10 ipsec-isakmp dynamic dynmap\ncrypto map mymap 20 ipsec-isakmp\n{STATIC_ENTRY}"
    ))?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    // the load warns, naming both entries
    scene.hub.expect_log(&["mymap", "10", "20"])?;
    let spoke = Charon::start(lab, "spoke", &scene.net.spoke, Build::Machine, &aes_spoke().conf())?;
    spoke.initiate_fails("net", secs(10))?;
    ping::unanswered(&scene.net.spoke_lan, HUB_HOST, 2)?;
    scene.hub.expect_log(&["10.100.2.102", "transform set"])?;
    // with the dynamic entry's own parameters the peer gets the dynamic entry
    spoke.terminate("hub").ok();
    spoke.reload(&Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    let sas = scene.hub.exec("show crypto ipsec sa")?;
    assert!(sas.contains("esp-3des"), "the static entry served the peer:\n{sas}");
    Ok(())
}

fn next_hop(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    scene.hub.expect_log(&["10.48.66.181"])?;
    let routes = scene.hub.exec("show ip route")?;
    if !routes.contains("10.48.66.181") || !routes.contains("FastEthernet0/0") {
        bail!("the route through 10.48.66.181 is not shown with its interface:\n{routes}");
    }
    // it works as written: the hub reaches the spoke's outside address
    let score = ping::count(&scene.net.hub, SPOKE, 2)?;
    assert_eq!(score.received, 2, "the hub does not reach the spoke's outside address");
    Ok(())
}
