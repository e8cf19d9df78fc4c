//! The machine under the gateway: links, addresses, routes, and which of its traffic Hubward takes.

pub(crate) mod apply;
pub(crate) mod capture;
pub(crate) mod dhcp;
mod dhcp_packets;
pub(crate) mod dhcp_server;
pub(crate) mod execute;
pub(crate) mod faces;
mod line_state;
pub(crate) mod plan;
mod published;
pub(crate) mod reverse;
pub(crate) mod routes;
pub(crate) mod seen;
pub(crate) mod sources;
pub(crate) mod view;
