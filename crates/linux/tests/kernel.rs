//! The crate against the running kernel, in network namespaces made here:
//!
//! ```text
//!   namespace a                          namespace b
//!   eth0 192.0.2.1/24 ───── veth ───── eth0 192.0.2.2/24
//!   hubward0 (TUN)                       lo  198.51.100.1/32
//! ```
//!
//! Needs no root where user namespaces are allowed. Where namespaces or /dev/net/tun cannot be had,
//! the tests are reported as ignored, and fail if `CI=true`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "kernel/filter.rs"]
mod filter;
#[path = "kernel/packet.rs"]
mod packet;
#[path = "kernel/routing.rs"]
mod routing;
#[path = "kernel/sockets.rs"]
mod sockets;
#[path = "kernel/text.rs"]
mod text;
#[path = "kernel/tun.rs"]
mod tun;

use hubward_linux::netlink::Netlink;
use hubward_linux::netns::{self, NetNs};
use hubward_linux::{address, link};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// Two namespaces and a cable.
pub(crate) struct Pair {
    pub(crate) a: NetNs,
    pub(crate) b: NetNs,
    pub(crate) netlink_a: Netlink,
    pub(crate) netlink_b: Netlink,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let (a, b) = (NetNs::create().unwrap(), NetNs::create().unwrap());
        let (netlink_a, netlink_b) = (a.netlink().unwrap(), b.netlink().unwrap());
        link::create_veth(&netlink_a, "eth0", "eth0", Some(&b)).unwrap();
        for (netlink, net) in [(&netlink_a, "192.0.2.1/24"), (&netlink_b, "192.0.2.2/24")] {
            let index = link::by_name(netlink, "eth0").unwrap().index;
            link::set_up(netlink, index, true).unwrap();
            address::add_as(netlink, index, net.parse().unwrap(), 0).unwrap();
        }
        address::add_as(&netlink_b, 1, "198.51.100.1/32".parse().unwrap(), 0).unwrap();
        Self { a, b, netlink_a, netlink_b }
    }
}

/// Waits, for two seconds at most, until `check` gives something.
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = check() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{what} did not happen within two seconds");
}

type Test = (&'static str, fn());

fn main() -> ExitCode {
    // the part of another program, played by this one
    if let Ok(address) = std::env::var("HUBWARD_TEST_HOLD_PORT") {
        return sockets::hold_port(&address);
    }
    let arguments = Arguments::from_args();
    let missing = match netns::can_create() {
        true => None,
        false => netns::enter_user_namespace().err().map(|error| error.to_string()).or_else(|| {
            (!netns::can_create()).then(|| "no network namespace even in a user namespace".to_owned())
        }),
    };
    let no_tun = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").err();
    let no_tun = missing.clone().or(no_tun.map(|error| format!("/dev/net/tun: {error}")));
    let mut trials = Vec::new();
    let mut add = |tests: Vec<Test>, missing: &Option<String>| {
        for (name, test) in tests {
            trials.push(match missing {
                None => Trial::test(name, move || {
                    test();
                    Ok(())
                }),
                Some(reason) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
                    let reason = reason.clone();
                    Trial::test(name, move || Err(reason.into()))
                }
                Some(reason) => {
                    Trial::test(format!("{name} (not run: {reason})"), || Ok(())).with_ignored_flag(true)
                }
            });
        }
    };
    add(routing::tests(), &missing);
    add(sockets::tests(), &missing);
    add(packet::tests(), &missing);
    add(filter::tests(), &missing);
    add(text::tests(), &missing);
    add(tun::tests(), &no_tun);
    libtest_mimic::run(&arguments, trials).exit_code()
}
