//! A Hubward hub and a strongSwan spoke, main mode.
//!
//! ```text
//!  hub_lan ── hub (Hubward) ── inet ── spoke (strongSwan) ── spoke_lan
//!  10.1.1.10   10.48.67.181            10.100.2.102           10.2.2.10
//! ```

use anyhow::{Result, bail};
use hubward_interop::capture::exchange;
use hubward_interop::charon::{Build, Spoke, Suite};
use hubward_interop::hubward::{hub_cfg, hub_with};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{Client, HUB, HUB_HOST, SPOKE};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("2a_hub_cfg_strongswan_udp4500", &[Need::Hubward, Need::StrongSwan], |lab| {
        hub_cfg_with(lab, Build::Machine)
    }),
    case("2a_hub_cfg_strongswan_protocol_50", &[Need::Hubward, Need::StrongSwan, Need::Trixie], |lab| {
        hub_cfg_with(lab, Build::Trixie)
    }),
    case("2g_aes_sha256_group14_pfs_udp4500", &[Need::Hubward, Need::StrongSwan], |lab| {
        modern(lab, Build::Machine)
    }),
    case("2g_aes_sha256_group14_pfs_protocol_50", &[Need::Hubward, Need::StrongSwan, Need::Trixie], |lab| {
        modern(lab, Build::Trixie)
    }),
    case("strongswan_sends_fragments", &[Need::Hubward, Need::StrongSwan], fragments),
    case(
        "tcp_fills_the_tunnel_and_fits_its_mtu",
        &[Need::Hubward, Need::StrongSwan, Need::Tool("iperf3")],
        tcp,
    ),
    case("ike_scan_sees_a_gateway", &[Need::Hubward, Need::Tool("ike-scan")], ike_scan),
    case("hub_forgets_a_spoke_that_says_goodbye", &[Need::Hubward, Need::StrongSwan], goodbye),
    case("hub_says_goodbye_on_sigterm", &[Need::Hubward, Need::StrongSwan], sigterm),
];

fn hub_cfg_with(lab: &Lab, build: Build) -> Result<()> {
    tunnel(lab, build, &hub_cfg()?, Suite::default())
}

fn modern(lab: &Lab, build: Build) -> Result<()> {
    tunnel(lab, build, &modern_cfg()?, Suite::modern())
}

fn modern_cfg() -> Result<String> {
    hub_with(
        "crypto isakmp policy 10\n encr aes 256\n hash sha256\n authentication pre-share\n group 14\n",
        "crypto ipsec transform-set myset esp-aes 256 esp-sha256-hmac\n",
        " set pfs group14\n",
    )
}

/// Main mode's third message and quick mode's first, with their 256 bytes of key exchange, arrive
/// in fragments (payload 132).
fn fragments(lab: &Lab) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, &modern_cfg()?)?;
    let suite = Suite { fragments: true, ..Suite::modern() };
    let spoke = scene.spoke(lab, Build::Machine, &Spoke { suite, ..Spoke::default() })?;
    // strongSwan gives every fragment, of quick mode as well, main mode's exchange type and the
    // message id 0
    let said = spoke.log();
    let split = said.lines().filter(|line| line.contains("splitting IKE message")).count();
    assert!(split >= 2 && said.contains("FRAG(2/2)"), "{split} messages in pieces:\n{said}");
    Ok(())
}

fn tunnel(lab: &Lab, build: Build, config: &str, suite: Suite) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, config)?;
    let _spoke = scene.spoke(lab, build, &Spoke { suite, ..Spoke::default() })?;

    scene.hub.wait_show("show crypto isakmp sa", "QM_IDLE", secs(2))?;
    let sas = scene.hub.exec("show crypto ipsec sa")?;
    for expected in ["10.100.2.102", "(10.1.0.0/255.255.0.0/0/0)", "(10.2.0.0/255.255.0.0/0/0)", "mymap"] {
        assert!(sas.contains(expected), "no {expected} in\n{sas}");
    }

    let wire = scene.wire()?;
    assert!(!wire.isakmp(SPOKE, HUB, exchange::MAIN).is_empty(), "no main mode in the capture");
    match build {
        Build::Machine => wire.expect_udp_esp(HUB, SPOKE, 6),
        Build::Trixie | Build::Kernel => wire.expect_native_esp(HUB, SPOKE, 6),
    }
}

fn goodbye(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    spoke.terminate("hub")?;
    wait::until("the hub to forget the spoke", secs(3), || {
        Ok(!scene.hub.exec("show crypto isakmp sa")?.contains("QM_IDLE"))
    })?;
    ping::unanswered(&scene.net.spoke_lan, HUB_HOST, 2)?;
    // and packets to the spoke's network do not leave unencrypted now
    ping::unanswered(&scene.net.hub_lan, hubward_interop::topology::SPOKE_HOST, 2)?;
    Ok(())
}

fn sigterm(lab: &Lab) -> Result<()> {
    let mut scene = Scene::reference(lab, Client::Direct)?;
    let spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    scene.hub.stop()?;
    wait::until("strongSwan to see the delete", secs(3), || Ok(spoke.sas()?.is_empty()))
}

/// A TCP stream of full segments: the sender is notified of what is too large for the tunnel (or it
/// is fragmented), and nothing is lost.
pub(crate) fn tcp(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    let mut command = scene.net.hub_lan.command("iperf3");
    command.args(["--server", "--one-off", "--forceflush"]);
    let mut server = lab.spawn("iperf3-server", &command)?;
    server.wait_log("listening", secs(5))?;
    // from the hub's side, so that Hubward is the one who encrypts the full segments
    let report = scene.net.spoke_lan.run(&["iperf3", "--client", "10.1.1.10", "--reverse", "--time", "3"])?;
    let bits = report
        .lines()
        .find(|line| line.contains("receiver"))
        .and_then(|line| line.split("Bytes").nth(1))
        .map(|rest| rest.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    match bits {
        Some(rate) if !rate.starts_with("0.00") => {
            println!("{rate} of TCP through a 3DES tunnel");
            Ok(())
        }
        other => bail!("no throughput ({other:?}):\n{report}"),
    }
}

/// What ike-scan finds: the hub answers the document's suite, in main mode and for the group,
/// refuses another, and does not reveal which groups exist.
fn ike_scan(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let scan = |arguments: &[&str]| -> Result<String> {
        let mut command = vec!["ike-scan", "--sport=0", "--retry=2", "--timeout=1000", "-M"];
        command.extend(arguments);
        command.push("10.48.67.181");
        scene.net.client.run(&command)
    };
    // encryption, hash, authentication, group; 65001 is XAUTHInitPreShared
    let found = scan(&["--trans=(1=5,2=2,3=1,4=2)"])?;
    assert!(found.contains("Main Mode Handshake returned") && found.contains("Enc=3DES"), "{found}");
    let found = scan(&["--trans=(1=5,2=2,3=65001,4=2)", "-A", "--id=testgroup", "--idtype=11"])?;
    assert!(found.contains("Aggressive Mode Handshake returned"), "{found}");
    let found = scan(&["--trans=(1=7,14=256,2=4,3=1,4=14)"])?;
    assert!(!found.contains("Handshake returned"), "a suite that is not configured was taken:\n{found}");
    let found = scan(&["--trans=(1=5,2=2,3=65001,4=2)", "-A", "--id=nosuchgroup", "--idtype=11"])?;
    // as for a configured one, under a random key: group names cannot be guessed
    assert!(found.contains("Aggressive Mode Handshake returned"), "an unknown group is told apart:\n{found}");
    scene.hub.expect_log(&["nosuchgroup"])?;
    Ok(())
}
