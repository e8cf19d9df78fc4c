//! The commands, one table a feature. A row is a mode, a form, and what the command does.

mod aaa;
pub(crate) mod acl;
mod archive;
mod client_group;
mod clock;
mod crypto_map;
mod dhcp;
pub(crate) mod draft;
#[cfg(test)]
mod fixture;
mod inert;
mod interface;
pub(crate) mod interface_range;
mod ipsec;
mod isakmp;
mod keyring;
mod line;
mod logging;
mod mode;
mod nat;
mod profile;
mod route;
mod route_map;
mod row;
pub(crate) mod says;
pub(crate) mod submode;
mod submode_crypto;
mod submode_interface;
mod submode_policy;
mod submode_routing;
mod submode_service;
mod system;
pub(crate) mod table;

pub(crate) use mode::{Fate, In, Mode, Sub};
pub use row::No;
pub(crate) use row::{Action, Fold, REST, Row};

/// Every table, searched in this order.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    [
        system::ROWS,
        line::ROWS,
        logging::ROWS,
        clock::ROWS,
        archive::ROWS,
        aaa::ROWS,
        isakmp::ROWS,
        keyring::ROWS,
        profile::ROWS,
        client_group::ROWS,
        ipsec::ROWS,
        crypto_map::ROWS,
        interface::ROWS,
        interface_range::ROWS,
        route::ROWS,
        nat::ROWS,
        route_map::ROWS,
        acl::ROWS,
        acl::GROUP_ROWS,
        acl::TIME_ROWS,
        dhcp::ROWS,
        inert::ROWS,
        #[cfg(test)]
        fixture::ROWS,
    ]
    .into_iter()
    .flatten()
}
