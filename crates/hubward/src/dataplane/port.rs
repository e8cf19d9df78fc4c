//! Ports, through which cleartext enters and leaves. Each has its own outgoing worker. A received
//! packet is written to the port that its child SA belongs to.

use hubward_linux::tun::Tun;
use hubward_proto::flow::tables::Lookup;
use hubward_proto::names::InterfaceId;
use std::io;
use std::sync::Arc;

/// One port: a TUN, and how the SA for packets read from it is found.
#[derive(Debug)]
pub(crate) struct Port {
    lookup: Lookup,
    tun: Tun,
}

impl Port {
    /// How the SA for its packets is found, which also identifies the port in an SA.
    pub(crate) fn lookup(&self) -> Lookup {
        self.lookup
    }

    /// Its TUN.
    pub(crate) fn tun(&self) -> &Tun {
        &self.tun
    }

    /// The name of the thread that reads packets from it.
    pub(crate) fn worker(&self) -> String {
        match self.lookup {
            Lookup::BySelector => "esp-out".into(),
            Lookup::ByInterface(_) => format!("esp-out-{}", self.tun.name()),
        }
    }

    /// Whether it exists and is up.
    ///
    /// # Errors
    /// It does not or is not: in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.tun.is_up() {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("somebody has set {} down", self.tun.name())),
            Err(error) if error.is_not_found() => Err(format!("{} is gone", self.tun.name())),
            // a failed query decides nothing: reading and writing will also fail if the TUN is gone
            Err(_) => Ok(()),
        }
    }

    /// Makes its TUN again if somebody removed it. Returns whether it did.
    ///
    /// # Errors
    /// The kernel does not make it.
    pub(crate) fn restore(&self) -> Result<bool, hubward_linux::Error> {
        match self.tun.is_up() {
            Err(error) if error.is_not_found() => self.tun.remake().map(|()| true),
            _ => Ok(false),
        }
    }
}

/// Whether a failed read or write says that the TUN is gone, and not that it has no packet or no
/// room.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let gone = [Errno::BADFD, Errno::NODEV, Errno::BADF];
    gone.iter().any(|gone| error.raw_os_error() == Some(gone.raw_os_error()))
}

/// All ports, in the order of their look-ups: first the port that finds SAs by selector, then those
/// of interfaces.
#[derive(Debug)]
pub(crate) struct Ports {
    all: Vec<Arc<Port>>,
}

impl Ports {
    /// `by_selector` gets the packets that the routes of the crypto maps lead into; each of the
    /// others belongs to an interface.
    pub(crate) fn new(by_selector: Tun, of_interfaces: Vec<(InterfaceId, Tun)>) -> Self {
        let by_selector = Arc::new(Port { lookup: Lookup::BySelector, tun: by_selector });
        let of_interfaces = of_interfaces.into_iter();
        let mut all: Vec<_> = of_interfaces
            .map(|(id, tun)| Arc::new(Port { lookup: Lookup::ByInterface(id), tun }))
            .chain([by_selector])
            .collect();
        all.sort_by_key(|port| port.lookup);
        Self { all }
    }

    /// In the order of their look-ups.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<Port>> {
        self.all.iter()
    }

    /// The port at an index in that order.
    pub(crate) fn get(&self, place: usize) -> Option<&Port> {
        self.all.get(place).map(AsRef::as_ref)
    }

    /// Whether all of them exist and are up, for the supervisor.
    ///
    /// # Errors
    /// One does not or is not: in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.iter().try_for_each(|port| port.check())
    }
}
