//! Hubward's side of Linux: sockets, the TUN interface, routing, namespaces, the clock. No protocol
//! logic is here.
//!
//! Calls that set something up return [`Error`], which names the operation and its object. Calls on
//! the packet path return [`std::io::Result`], so that `WouldBlock` costs nothing and tokio's
//! `AsyncFd` can be used with them.

#![allow(unsafe_code)] // system calls: each block says why it is sound

pub mod address;
mod batch;
pub mod clear;
pub mod clock;
pub mod conntrack;
pub mod error;
pub mod esp_raw;
pub mod icmp;
pub mod link;
pub mod marks;
pub mod memory;
pub mod monitor;
pub mod neighbour;
pub mod netlink;
pub mod netns;
pub mod nflog;
pub mod nft;
pub mod nftables;
pub mod notify;
pub mod owned;
pub mod packet_socket;
pub mod pcap;
pub mod privilege;
pub mod random;
pub mod route;
pub mod rule;
mod socket;
pub mod sysctl;
pub mod terminal;
pub mod tun;
pub mod udp;
pub mod unreachable;
pub mod xfrm;

pub use batch::{Outgoing, Received, RecvBatch, SendBatch};
pub use error::{Context, Error, PortHolder};
pub use socket::SocketOptions;
