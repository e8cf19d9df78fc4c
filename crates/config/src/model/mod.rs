//! What a configuration means, as plain data. Every item knows its line.
//!
//! An address that IOS has in both families is one of either here, although only IPv4 is read yet:
//! who can use but one family says at that place what becomes of the other.

mod acl;
mod archive;
mod clock;
mod config;
mod dhcp;
mod ike;
mod interface;
mod ipsec;
mod keywords;
mod links;
mod logging;
mod login;
mod nat;
mod route;
mod route_map;

pub use acl::*;
pub use archive::*;
pub use clock::*;
pub use config::*;
pub use dhcp::*;
pub use ike::*;
pub use interface::*;
pub use ipsec::*;
pub(crate) use links::Links;
pub use logging::*;
pub use login::*;
pub use nat::*;
pub use route::*;
pub use route_map::*;
