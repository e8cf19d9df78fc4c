//! What a gateway that root starts by hand may still do: no more than the service.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hubward_interop::hubward::{Hubward, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::topology::{Client, Reference};
use hubward_interop::wait::{self, secs};

use crate::{Case, case};

pub(crate) const CASES: &[Case] =
    &[case("started_by_hand_it_keeps_only_what_it_uses", &[Need::Hubward], confined)];

/// CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW.
const KEPT: u64 = 1 << 10 | 1 << 12 | 1 << 13;

/// The gateway's process: the one that serves this socket.
fn process(socket: &Path) -> Result<PathBuf> {
    let socket = socket.to_str().context("a path that is text")?;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let is_hubward = fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("hubward"));
        if is_hubward && fs::read_to_string(path.join("cmdline")).is_ok_and(|line| line.contains(socket)) {
            return Ok(path);
        }
    }
    bail!("no process serves {socket}")
}

/// The status of every thread.
fn threads(process: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for thread in fs::read_dir(process.join("task"))? {
        all.push(fs::read_to_string(thread?.path().join("status"))?);
    }
    Ok(all)
}

fn field<'s>(status: &'s str, name: &str) -> Result<&'s str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(str::trim).with_context(|| format!("no {name} in {status}"))
}

fn look(process: &Path) -> Result<()> {
    let threads = threads(process)?;
    assert!(threads.len() > 8, "{} threads", threads.len());
    for status in &threads {
        let name = field(status, "Name")?;
        for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            let bits = u64::from_str_radix(field(status, set)?, 16)?;
            assert_eq!(bits & !KEPT, 0, "the thread {name} has {set} {bits:#x}");
        }
        assert_eq!(u64::from_str_radix(field(status, "CapEff")?, 16)?, KEPT, "{name} cannot do its work");
        assert_eq!(field(status, "NoNewPrivs")?, "1", "{name}");
    }
    let limits = fs::read_to_string(process.join("limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("a limit")?;
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    assert_eq!(field(&threads[0], "Umask")?, "0077");
    Ok(())
}

/// Every thread, also of a program that restarted itself in the same process.
fn confined(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let process = process(hub.socket())?;
    look(&process)?;
    // another user may not look into it: it is not dumpable, so its files are root's
    assert!(hub.log().contains("Capabilities kept: CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE"));
    let ready = hub.log().matches(" is ready").count();
    let _restarts = hub.exec("reload");
    wait::until(
        "the gateway to begin anew",
        secs(20),
        || Ok(hub.log().matches(" is ready").count() > ready),
    )?;
    look(&process)?;
    // and it can do everything
    assert!(hub.exec("show crypto guard")?.contains("in place"));
    Ok(())
}
