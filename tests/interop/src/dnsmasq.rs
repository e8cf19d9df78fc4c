//! dnsmasq as the provider's DHCP server.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::lab::Lab;
use crate::net::Ns;
use crate::process::Proc;
use crate::wait::secs;

/// A running DHCP server with one address to give.
#[derive(Debug)]
pub struct Dnsmasq {
    /// The process; its log has every DHCP message.
    pub process: Proc,
}

impl Dnsmasq {
    /// Serves `address` of a /24 on `interface` with `router` as gateway and leases of `lease`
    /// seconds (at least 120).
    pub fn start(
        lab: &Lab,
        name: &str,
        ns: &Ns,
        interface: &str,
        address: Ipv4Addr,
        router: Ipv4Addr,
        lease: u32,
    ) -> Result<Self> {
        let mut command = ns.command("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--port=0",
            "--log-facility=-",
            "--log-dhcp",
            "--no-ping",
            "--dhcp-authoritative",
            "--bind-interfaces",
            &format!("--interface={interface}"),
            &format!("--dhcp-range={address},{address},255.255.255.0,{lease}"),
            &format!("--dhcp-option=option:router,{router}"),
            "--dhcp-option=option:dns-server,1.1.1.1",
            &format!("--dhcp-leasefile={}", lab.dir().join(format!("{name}.leases")).display()),
            &format!("--pid-file={}", lab.dir().join(format!("{name}.pid")).display()),
        ]);
        let mut process = lab.spawn(name, &command)?;
        process.wait_log("IP range", secs(5))?;
        Ok(Self { process })
    }
}
