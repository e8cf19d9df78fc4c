//! Which debugging is on.

use super::line::Class;
use hubward_proto::ike::trace::TraceScope;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

/// What is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Classes of lines.
    pub(crate) classes: BTreeSet<Class>,
    /// `debug crypto condition peer ipv4`: only these peers; all when there are none.
    pub(crate) peers: BTreeSet<Ipv4Addr>,
}

impl Options {
    /// The peers whose steps are traced.
    pub(crate) fn scope(&self) -> TraceScope {
        if self.classes.is_empty() {
            TraceScope::Off
        } else if self.peers.is_empty() {
            TraceScope::All
        } else {
            TraceScope::Peers(self.peers.iter().map(|peer| (*peer).into()).collect())
        }
    }
}

/// A `debug` or `undebug` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// `debug crypto isakmp`
    On(Class),
    /// `undebug crypto isakmp`
    Off(Class),
    /// `undebug all`
    AllOff,
    /// `debug crypto condition peer ipv4 A.B.C.D`
    Peer(Ipv4Addr),
    /// `undebug crypto condition peer ipv4 A.B.C.D`
    NoPeer(Ipv4Addr),
    /// `debug crypto condition reset`
    AnyPeer,
}

/// What is on, for those who turn it on and off and those who write lines.
#[derive(Debug, Default)]
pub(crate) struct Debugging(Mutex<Options>);

/// A class as IOS names it.
pub(crate) fn name(class: Class) -> &'static str {
    match class {
        Class::Isakmp => "Crypto ISAKMP",
        Class::Ipsec => "Crypto IPSEC",
        Class::Engine => "Crypto Engine",
    }
}

impl Debugging {
    /// What is on now.
    pub(crate) fn options(&self) -> Options {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether lines of a class are wanted.
    pub(crate) fn wants(&self, class: Class) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).classes.contains(&class)
    }

    /// Turns something on or off; what is on then, and what IOS says to it.
    pub(crate) fn switch(&self, switch: Switch) -> (Options, String) {
        let mut options = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match switch {
            Switch::On(class) => {
                options.classes.insert(class);
                format!("{} debugging is on\n", name(class))
            }
            Switch::Off(class) => {
                options.classes.remove(&class);
                format!("{} debugging is off\n", name(class))
            }
            Switch::AllOff => {
                options.classes.clear();
                "All possible debugging has been turned off\n".into()
            }
            Switch::Peer(peer) => {
                options.peers.insert(peer);
                String::new()
            }
            Switch::NoPeer(peer) => {
                options.peers.remove(&peer);
                String::new()
            }
            Switch::AnyPeer => {
                options.peers.clear();
                String::new()
            }
        };
        (options.clone(), told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A34: what IOS says to each.
    #[test]
    fn a34_each_debug_command_says_what_ios_says() {
        let debugging = Debugging::default();
        assert_eq!(debugging.options().scope(), TraceScope::Off);
        for (class, told) in [
            (Class::Isakmp, "Crypto ISAKMP debugging is on\n"),
            (Class::Ipsec, "Crypto IPSEC debugging is on\n"),
            (Class::Engine, "Crypto Engine debugging is on\n"),
        ] {
            assert_eq!(debugging.switch(Switch::On(class)).1, told);
            assert!(debugging.wants(class));
        }
        assert_eq!(debugging.switch(Switch::Off(Class::Ipsec)).1, "Crypto IPSEC debugging is off\n");
        assert!(!debugging.wants(Class::Ipsec) && debugging.wants(Class::Isakmp));
        let (options, told) = debugging.switch(Switch::AllOff);
        assert_eq!(told, "All possible debugging has been turned off\n");
        assert_eq!(options.scope(), TraceScope::Off);
    }

    #[test]
    fn conditions_are_of_all_options_and_outlive_them() {
        let debugging = Debugging::default();
        let peer = Ipv4Addr::new(10, 100, 2, 102);
        assert_eq!(debugging.switch(Switch::Peer(peer)).0.scope(), TraceScope::Off);
        let (options, _) = debugging.switch(Switch::On(Class::Isakmp));
        assert_eq!(options.scope(), TraceScope::Peers([peer.into()].into()));
        debugging.switch(Switch::AllOff);
        let (options, _) = debugging.switch(Switch::On(Class::Isakmp));
        assert!(!options.scope().covers([10, 51, 82, 100].into()));
        assert_eq!(debugging.switch(Switch::AnyPeer).0.scope(), TraceScope::All);
    }
}
