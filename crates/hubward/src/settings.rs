//! What the command line settles: files, interface names, and how far to go.

use std::path::PathBuf;

/// The control socket of `hubward exec`.
pub(crate) const SOCKET: &str = "/run/hubward/control.sock";
/// Leases, and the note of what was changed on this machine.
pub(crate) const STATE: &str = "/var/lib/hubward";

/// Settings of `hubward run`.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The configuration.
    pub(crate) file: PathBuf,
    /// `--map`: names of interfaces.
    pub(crate) map: Vec<Mapping>,
    /// `--allow-unenforced`: start although access-control lines are not enforced.
    pub(crate) allow_unenforced: bool,
    /// `--no-addresses`: set no address on any interface.
    pub(crate) no_addresses: bool,
    /// The control socket.
    pub(crate) socket: PathBuf,
    /// The folder of what is kept.
    pub(crate) state: PathBuf,
}

/// One `--map FastEthernet0/0=eth0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The interface's long name in the configuration.
    pub(crate) ios: String,
    /// Its name here.
    pub(crate) linux: String,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ios, linux) = text
            .split_once('=')
            .filter(|(ios, linux)| !ios.is_empty() && !linux.is_empty())
            .ok_or("the form is NAME=LINK, for instance FastEthernet0/0=eth0")?;
        Ok(Self { ios: hubward_config::long_name(ios), linux: linux.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_map_too() {
        let mapping: Mapping = "fa0/0=eth0".parse().unwrap();
        assert_eq!(mapping, Mapping { ios: "FastEthernet0/0".into(), linux: "eth0".into() });
        assert!("eth0".parse::<Mapping>().is_err());
        assert!("=eth0".parse::<Mapping>().is_err());
    }
}
