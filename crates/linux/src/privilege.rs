//! What the process may do, and what it gives up: a gateway has keys, so it leaves no core dump and
//! gains no rights.

use crate::error::{Context, Error};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// The capabilities that Hubward asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_NET_ADMIN`: TUN, addresses, routes, rules, marks.
    NetAdmin,
    /// `CAP_NET_RAW`: native ESP, the clear path, DHCP before there is an address.
    NetRaw,
    /// `CAP_NET_BIND_SERVICE`: ports below 1024 (IKE has 500).
    NetBindService,
    /// `CAP_SYS_ADMIN`: entering network namespaces.
    SysAdmin,
}

impl Capability {
    /// The name as capabilities(7) writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
        }
    }

    fn bit(self) -> u32 {
        match self {
            Self::NetBindService => 10,
            Self::NetAdmin => 12,
            Self::NetRaw => 13,
            Self::SysAdmin => 21,
        }
    }
}

/// Whether this thread has the capability in effect (in its own user namespace).
pub fn has(capability: Capability) -> Result<bool, Error> {
    const FILE: &str = "/proc/thread-self/status";
    let status = std::fs::read_to_string(FILE).context("read", FILE)?;
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .ok_or(Error::Answer { operation: "reading the capabilities", reason: "no CapEff line" })?;
    Ok(set & (1 << capability.bit()) != 0)
}

/// Refuses with a sentence that says what is missing and what to do about it.
pub fn require(capability: Capability, needed_for: &'static str) -> Result<(), Error> {
    if has(capability)? {
        return Ok(());
    }
    Err(Error::MissingCapability { capability: capability.name(), needed_for })
}

/// No core dump and no debugger of the same user: memory holds keys. After this `/proc/self`
/// belongs to root, so enter user namespaces before.
pub fn forbid_core_dumps() -> Result<(), Error> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .context("set to zero", "the core dump limit")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("forbid", "core dumps")
}

/// No program started from here gains rights by a set-user-id bit or file capabilities
/// (`PR_SET_NO_NEW_PRIVS`).
pub fn forbid_new_privileges() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true).context("forbid", "new privileges")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_named_with_its_remedy() {
        let error = Error::MissingCapability {
            capability: Capability::NetAdmin.name(),
            needed_for: "a TUN interface",
        };
        let text = error.to_string();
        assert!(text.starts_with("a TUN interface needs CAP_NET_ADMIN"), "{text}");
        assert!(text.contains("setcap cap_net_admin+ep"), "{text}");
    }

    #[test]
    fn core_dumps_and_new_privileges_can_be_forbidden() {
        forbid_core_dumps().unwrap();
        forbid_new_privileges().unwrap();
        let limits = std::fs::read_to_string("/proc/thread-self/limits").unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
}
