//! The headquarters of [`crate::headquarters`] between the boot and the start of the gateway:
//! `hubward guard` has put its filters and its translation in place, as far as they are known.

use anyhow::{Result, ensure};
use hubward_interop::capture::Capture;
use hubward_interop::hubward::{Hubward, edit, example};
use hubward_interop::inject::datagrams;
use hubward_interop::lab::Lab;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::surroundings::UNPROTECTED;
use hubward_interop::tcp::{Echo, opens, stays_shut};

use crate::headquarters::{DMZ_HOST, HQ, HQ_HOST, NEEDS, Net, start};
use crate::site::{CLIENT, HTTP, WEB, scanned};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("the_boot_guard_filters_and_translates", NEEDS, filters),
    case("the_boot_guard_closes_what_it_cannot_filter", NEEDS, closes),
];

const CARDS: [&str; 6] = [
    "--map",
    "GigabitEthernet0/0=eth0",
    "--map",
    "GigabitEthernet0/1=eth1",
    "--map",
    "GigabitEthernet0/2=eth2",
];

/// The router as the machine's own configuration makes it.
fn boot(net: &Net) -> Result<()> {
    for (link, address) in [
        ("eth0", "198.51.100.2/29"),
        ("eth0", "198.51.100.3/32"),
        ("eth1", "10.1.1.1/24"),
        ("eth2", "172.16.10.1/24"),
    ] {
        net.hq.address(link, address)?;
    }
    net.hq.default_route("198.51.100.1".parse()?)?;
    net.hq.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"]).map(drop)
}

fn guard(lab: &Lab, ns: &Ns, config: &str, cards: &[&str]) -> Result<(bool, String)> {
    let (status, out, err) = Hubward::once(lab, "hq", ns, config, "guard", cards)?;
    Ok((status.success(), out + &err))
}

fn filters(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let config = example("hq-2911.cfg")?;
    boot(&net)?;
    let _web = Echo::start(&net.dmz, HTTP)?;
    let _other = Echo::start(&net.dmz, 8080)?;
    opens(&net.lan, DMZ_HOST, 8080)?;
    let (done, said) = guard(lab, &net.hq, &config, &CARDS)?;
    ensure!(done && said.contains("Access lists and address translation are in place"), "{said}");

    let found = scanned(&net)?;
    ensure!(
        found.answers.contains(&format!("{WEB} tcp {HTTP}")),
        "the web server is not published: {found:?}"
    );
    stays_shut(&net.lan, DMZ_HOST, 8080)?;
    ping::unanswered(&net.dmz, HQ_HOST, 1)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    datagrams(&net.lan, (UNPROTECTED, 9), &[b"out".to_vec()])?;
    let sources = wire.fields("udp.dstport == 9 && !icmp", ["ip.src"])?;
    ensure!(sources == [[HQ.to_string()]], "to the Internet from {sources:?}");

    // what runs then has the same, and what was counted
    let mut hq = start(lab, "hq", &net.hq, &config, &[])?;
    let counted = hq.exec("show access-lists OUTSIDE-IN")?;
    ensure!(counted.matches("match").count() >= 9, "the counts began anew:\n{counted}");
    ensure!(scanned(&net)?.passes == found.passes, "a gateway lets something else pass");
    // a guard beside it changes nothing
    let (done, said) = guard(lab, &net.hq, &config, &CARDS)?;
    ensure!(!done && said.contains("a gateway that runs keeps its own guard"), "{said}");
    hq.stop()?;
    Hubward::release(lab, "hq", &net.hq)?;
    ensure!(!net.hq.run(&["nft", "list", "tables"])?.contains("hubward"), "release leaves a table");
    Ok(())
}

fn closes(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    let config = example("hq-2911.cfg")?;
    boot(&net)?;
    let _lan = Echo::start(&net.lan, HTTP)?;
    ping::answered(&net.dmz, HQ_HOST, 1)?;
    // the card of the DMZ has a name that nobody told
    let (done, said) = guard(lab, &net.hq, &config, &CARDS[..4])?;
    ensure!(done && said.contains("The link of GigabitEthernet0/2 is not known"), "{said}");
    stays_shut(&net.dmz, HQ_HOST, HTTP)?;
    ping::unanswered(&net.lan, DMZ_HOST, 1)?;
    ping::answered(&net.lan, HQ, 1)?;
    ping::answered(&net.client, HQ, 1)?;
    Hubward::release(lab, "hq", &net.hq)?;

    // an address that is not there yet: nothing leaves as it is
    let wan = " ip address 198.51.100.2 255.255.255.248\n";
    let dhcp = edit(&config, wan, " ip address dhcp\n")?;
    net.hq.ip("addr flush dev eth0")?;
    let (done, said) = guard(lab, &net.hq, &dhcp, &CARDS)?;
    ensure!(done, "{said}");
    net.hq.address("eth0", "198.51.100.2/29")?;
    net.hq.default_route("198.51.100.1".parse()?)?;
    let wire = Capture::start(lab, &net.inet, "to-hq")?;
    ping::unanswered(&net.lan, UNPROTECTED, 2)?;
    ping::answered(&net.client, HQ, 1)?;
    let private = wire.fields("ip.src == 10.0.0.0/8 && !(icmp.type == 3)", ["ip.src", "ip.dst"])?;
    ensure!(private.is_empty(), "as they are: {private:?}");
    ensure!(!wire.fields(&format!("ip.src == {CLIENT}"), ["ip.dst"])?.is_empty(), "nothing was captured");
    Ok(())
}
