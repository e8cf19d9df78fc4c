//! A router that loses some of the IKE datagrams that it forwards, by chance and in both
//! directions, and counts them.

use anyhow::{Context, Result, ensure};

use crate::net::Ns;

/// What is lost: IKE at port 500, and at port 4500 what begins with the four zero bytes that RFC
/// 3948, section 2.2, puts in front of IKE. ESP passes.
const IKE: [&str; 2] = ["500", "4500 @th,64,32 0"];

/// The loss at one router.
#[derive(Debug)]
pub struct Loss {
    router: Ns,
}

/// How many IKE datagrams a router got and how many of them it lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// All of them.
    pub of: u64,
    /// The lost ones.
    pub lost: u64,
}

impl Loss {
    /// From now on `router` loses `percent` of the IKE datagrams to and from the gateway behind its
    /// interface `towards_hub`. Each datagram is judged on its own.
    pub fn of_ike(router: &Ns, towards_hub: &str, percent: u8) -> Result<Self> {
        router.run(&["nft", "add table ip loss"])?;
        router.run(&["nft", "add chain ip loss forward { type filter hook forward priority 0; }"])?;
        for (direction, interface, port) in [("to", "oifname", "dport"), ("from", "iifname", "sport")] {
            for what in ["all", "lost"] {
                router.run(&["nft", &format!("add counter ip loss {direction}_hub_{what}")])?;
            }
            for ike in IKE {
                let datagrams =
                    format!("add rule ip loss forward {interface} {towards_hub} udp {port} {ike}");
                let count = |what| format!("counter name {direction}_hub_{what}");
                router.run(&["nft", &format!("{datagrams} {}", count("all"))])?;
                let lost = format!("{datagrams} numgen random mod 100 < {percent} {} drop", count("lost"));
                router.run(&["nft", &lost])?;
            }
        }
        Ok(Self { router: router.clone() })
    }

    /// What came to the router and what it lost: to the hub, and from it.
    pub fn so_far(&self) -> Result<[Lost; 2]> {
        let packets = |name: String| -> Result<u64> {
            let text = self.router.run(&["nft", "list", "counter", "ip", "loss", &name])?;
            let number = text.split("packets").nth(1).and_then(|rest| rest.split_whitespace().next());
            number.context("no number of packets")?.parse().with_context(|| text.clone())
        };
        let of = |direction: &str| -> Result<Lost> {
            let (of, lost) =
                (packets(format!("{direction}_hub_all"))?, packets(format!("{direction}_hub_lost"))?);
            Ok(Lost { of, lost })
        };
        Ok([of("to")?, of("from")?])
    }

    /// Fails unless so many datagrams came and were lost that it was no trifle.
    pub fn was_felt(&self) -> Result<()> {
        let counted = self.so_far()?;
        let (of, lost) = counted.iter().fold((0, 0), |sum, one| (sum.0 + one.of, sum.1 + one.lost));
        println!("{lost} of {of} IKE datagrams were lost");
        // of as many, fewer or more are lost in one run of many thousands, at 10 %
        ensure!(counted.iter().all(|one| one.of >= 30) && of >= 80, "hardly any IKE: {counted:?}");
        ensure!(lost >= 1 && lost * 4 < of, "not the loss that was meant: {counted:?}");
        Ok(())
    }
}
