//! Networks of the configuration that get in each other's way: next hops that no network has, pools
//! within networks.

use super::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{Addressing, Config};

pub(super) fn routes(config: &Config, found: &mut Vec<Diagnostic>) {
    let dhcp = config.interfaces.iter().any(|interface| interface.address == Addressing::Dhcp);
    for route in &config.routes {
        let Some(hop) = route.next_hop else { continue };
        let connected = config.interfaces.iter().any(|interface| match &interface.address {
            Addressing::Static(nets) => nets.iter().any(|net| net.contains(&hop)),
            _ => false,
        });
        let routed = config.routes.iter().any(|other| {
            other != route && other.destination.prefix_len() > 0 && other.destination.contains(&hop)
        });
        // the next hop may be in the network that an interface with DHCP gets
        if !connected && !routed && !dhcp && route.interface.is_none() {
            let bearer = config.interfaces.iter().find(|interface| interface.crypto_map.is_some());
            let message = match bearer {
                Some(bearer) => format!(
                    "next hop {hop} is in no connected network; the route is installed on-link by {}, which has the crypto map",
                    bearer.name
                ),
                None => format!("next hop {hop} is in no connected network; the route stays inactive"),
            };
            say(
                found,
                Severity::Warning,
                Code::OffLink,
                route.line,
                message,
                "check the next hop and the interface's mask",
            );
        }
    }
}
