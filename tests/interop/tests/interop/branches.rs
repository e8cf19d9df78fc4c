//! Several branches in one place: a strongSwan spoke with a connection for each, which has an
//! address, a network and a host of its own.

use std::net::Ipv4Addr;

use anyhow::Result;
use hubward_interop::charon::Spoke;
use hubward_interop::hubward::edit;
use hubward_interop::net::Ns;

/// One of them.
pub(crate) struct Branch {
    pub(crate) number: u8,
}

impl Branch {
    /// So many.
    pub(crate) fn all(count: u8) -> impl Iterator<Item = Self> {
        (1..=count).map(|number| Self { number })
    }

    /// Gives the spoke the addresses of so many branches; its swanctl.conf.
    pub(crate) fn build(spoke: &Ns, count: u8) -> Result<String> {
        let mut conf = String::new();
        for branch in Self::all(count) {
            spoke.address("eth0", &format!("{}/24", branch.outside()))?;
            spoke.address("eth1", &format!("{}/32", branch.host()))?;
            conf.push_str(&branch.conf()?);
        }
        Ok(conf)
    }

    pub(crate) fn outside(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 100, 2, 110 + self.number)
    }

    pub(crate) fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 2, 100 + self.number, 1)
    }

    pub(crate) fn connection(&self) -> String {
        format!("hub{}", self.number)
    }

    pub(crate) fn child(&self) -> String {
        format!("net{}", self.number)
    }

    fn conf(&self) -> Result<String> {
        let local_net = format!("10.2.{}.0/24", 100 + self.number);
        let spoke = Spoke { local: self.outside(), local_net, ..Spoke::default() };
        let conf = edit(&spoke.conf(), "  hub {", &format!("  {} {{", self.connection()))?;
        edit(&conf, "      net {", &format!("      {} {{", self.child()))
    }
}
