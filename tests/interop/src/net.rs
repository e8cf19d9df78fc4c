//! Network namespaces and what is in them.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::wait::secs;

/// A network namespace that a test made. Cheap to clone; [`crate::lab::Lab`] deletes it.
#[derive(Debug, Clone)]
pub struct Ns {
    name: String,
}

impl Ns {
    /// Makes the namespace: loopback up, forwarding on, no reverse-path filter, no redirects, no
    /// IPv6.
    pub(crate) fn create(name: String) -> Result<Self> {
        process::run(Command::new("ip").args(["netns", "add", &name]), secs(10))?;
        let ns = Self { name };
        ns.ip("link set lo up")?;
        ns.run(&[
            "sysctl",
            "-qw",
            "net.ipv4.ip_forward=1",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.conf.all.send_redirects=0",
            "net.ipv4.conf.default.send_redirects=0",
            "net.ipv6.conf.all.disable_ipv6=1",
            "net.ipv6.conf.default.disable_ipv6=1",
        ])?;
        Ok(ns)
    }

    /// The name that `ip netns` knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside this namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a program inside to its end (30 s at most) and returns its standard output.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        let (program, rest) = args.split_first().ok_or_else(|| anyhow::anyhow!("no program"))?;
        process::run(self.command(program).args(rest), secs(30))
    }

    /// `ip -n NAME …`, the words separated by blanks.
    pub fn ip(&self, words: &str) -> Result<String> {
        process::run(Command::new("ip").args(["-n", &self.name]).args(words.split_whitespace()), secs(10))
    }

    /// Joins an interface `here` of this namespace to an interface `there` of `other` by a virtual
    /// cable; both up.
    pub fn cable(&self, here: &str, other: &Ns, there: &str) -> Result<()> {
        process::run(
            Command::new("ip")
                .args(["link", "add", here, "netns", &self.name, "type", "veth", "peer", "name"])
                .args([there, "netns", &other.name]),
            secs(10),
        )?;
        self.ip(&format!("link set {here} up"))?;
        other.ip(&format!("link set {there} up"))?;
        Ok(())
    }

    /// Gives an interface an address, `a.b.c.d/len`.
    pub fn address(&self, interface: &str, address: &str) -> Result<()> {
        self.ip(&format!("addr add {address} dev {interface}")).map(drop)
    }

    /// Sets the default route.
    pub fn default_route(&self, via: Ipv4Addr) -> Result<()> {
        self.ip(&format!("route add default via {via}")).map(drop)
    }

    /// Translates sources of all that leaves by `outside`, as a home router does, to changing
    /// ports.
    pub fn masquerade(&self, outside: &str) -> Result<()> {
        self.run(&["nft", "add table ip nat"])?;
        self.run(&["nft", "add chain ip nat postrouting { type nat hook postrouting priority srcnat; }"])?;
        self.run(&["nft", &format!("add rule ip nat postrouting oifname {outside} masquerade random")])
            .map(drop)
    }
}
