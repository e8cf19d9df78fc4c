//! What `why` says of tunnels that are up and do not work, and of peers that are gone, when nothing
//! was refused. The Internet of the reference network loses what a row says.

use anyhow::{Context, Result, ensure};
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::hubward::{Hubward, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping::{self, Running};
use hubward_interop::topology::{Client, HUB_HOST, SPOKE, SPOKE_HOST};
use hubward_interop::wait::secs;
use std::time::Duration;

use crate::scene::Scene;
use crate::{Case, case};

const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan];

pub(crate) const CASES: &[Case] = &[
    case("a_tunnel_that_is_up_and_does_not_work", STRONGSWAN, up),
    case("a_peer_that_does_not_know_of_a_restart", STRONGSWAN, restarted),
];

/// ESP in UDP: what does not begin with the four zero bytes of IKE.
const ESP: &str = "udp dport 4500 @th,64,32 != 0";
/// What is said of the spoke when nothing is wrong.
const SOUND: &str = "packets have passed in both directions";

/// Loses packets to the hub.
fn wall(inet: &Ns, what: &str) -> Result<()> {
    inet.run(&["nft", "add table ip wall"])?;
    inet.run(&["nft", "add chain ip wall forward { type filter hook forward priority 0; }"])?;
    inet.run(&["nft", &format!("add rule ip wall forward oifname to-hub {what} drop")]).map(drop)
}

fn open(inet: &Ns) -> Result<()> {
    inet.run(&["nft", "delete table ip wall"]).map(drop)
}

fn up(lab: &Lab) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, &hub_cfg()?)?;
    let (hub, net) = (&scene.hub, &scene.net);
    let charon = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    let who = format!("why {SPOKE}");
    hub.wait_show(&who, SOUND, secs(10))?;

    // packets of the spoke are lost, and its IKE is not
    wall(&net.inet, ESP)?;
    let pings = Running::start(lab, "out", &net.hub_lan, SPOKE_HOST)?;
    let text = hub.wait_show(&who, "but nothing comes back", secs(15))?;
    drop(pings);
    let first = text.lines().next().unwrap_or_default();
    ensure!(first == format!("{SPOKE}: up, 1 tunnel; something is wrong with it."), "{text}");
    let words =
        ["packets for 10.2.0.0/16 have left since", "and none has come", "UDP 4500 between 10.100.2.102"];
    ensure!(words.iter().all(|words| text.contains(words)), "{text}");
    // by a host behind it, by nobody, and for scripts
    for line in ["why 10.2.2.77", "why"] {
        let text = hub.exec(line)?;
        ensure!(text.contains("but nothing comes back"), "{line}:\n{text}");
    }
    let json = hub.exec(&format!("{who} | json"))?;
    ensure!(json.contains("\"cause\": \"nothing-comes\""), "{json}");
    open(&net.inet)?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 3)?;
    // what was lost until now shows in the sequence numbers for a while
    hub.wait_show(&who, SOUND, secs(15))?;

    // a host whose answers go nowhere
    net.hub_lan.ip("route del default")?;
    let pings = Running::start(lab, "in", &net.spoke_lan, HUB_HOST)?;
    let text = hub.wait_show(&who, "but nothing goes back", secs(15))?;
    drop(pings);
    let words = ["packets for 10.1.0.0/16 have come since", "nothing was sent to 10.2.0.0/16"];
    ensure!(words.iter().all(|words| text.contains(words)), "{text}");
    net.hub_lan.default_route(hubward_interop::topology::HUB_INSIDE)?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(5))?;

    // one in three is lost
    wall(&net.inet, &format!("{ESP} numgen random mod 100 < 33"))?;
    let pings = Running::every(lab, "lossy", &net.spoke_lan, HUB_HOST, Duration::from_millis(20))?;
    let text = hub.wait_show(&who, "are lost on the way here", secs(30))?;
    ensure!(text.contains("the sequence numbers of its packets have gaps"), "{text}");
    drop(pings);
    open(&net.inet)?;

    // it says goodbye
    charon.terminate("hub")?;
    let text = hub.wait_show(&who, "has no SA here now", secs(10))?;
    ensure!(text.contains("the peer deleted it") && !text.contains("Nothing is known"), "{text}");
    let nobody = hub.exec("why 192.0.2.77")?;
    ensure!(nobody.contains("Nothing is known of 192.0.2.77"), "{nobody}");

    // and a restart forgets nothing of it
    let Scene { net, mut hub, .. } = scene;
    hub.stop()?;
    let hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let text = hub.exec(&who)?;
    ensure!(text.contains("has no SA here now") && text.contains("the peer deleted it"), "{text}");
    Ok(())
}

/// The spoke goes on with SAs that the hub has lost.
fn restarted(lab: &Lab) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, &hub_cfg()?)?;
    let _charon = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    let Scene { net, mut hub, .. } = scene;
    // what is known of the peer is on disk
    std::thread::sleep(secs(1));
    hub.process().kill9()?;
    let hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let _pings = Running::start(lab, "on", &net.spoke_lan, HUB_HOST)?;
    let text = hub.wait_show(&format!("why {SPOKE}"), "for an SA that does not exist here", secs(10))?;
    ensure!(text.contains("has had no tunnel with it since"), "{text}");
    let all = hub.exec("why").context("all")?;
    ensure!(all.contains("for an SA that does not exist here"), "{all}");
    Ok(())
}
