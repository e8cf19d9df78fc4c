//! The parts of the interop tests: network namespaces, real peers (strongSwan, vpnc, dnsmasq),
//! captures read by tshark, and the `hubward` program itself. No peer is simulated here.
//!
//! Every test owns a [`lab::Lab`]: its namespaces carry a prefix that no other test has, so that
//! tests run side by side and never touch an interface of the machine. All that a test started is
//! ended by process id when it ends.

pub mod capture;
pub mod charon;
pub mod corpus;
pub mod dnsmasq;
pub mod hubward;
pub mod inject;
pub mod lab;
pub mod libreswan;
pub mod loss;
pub mod needs;
pub mod net;
pub mod once;
pub mod ping;
pub mod probes;
pub mod process;
pub mod python;
pub mod scan;
pub mod service;
pub mod surroundings;
pub mod survey;
pub mod tcp;
pub mod tmux;
pub mod topology;
pub mod trixie;
pub mod vpnc;
pub mod wait;
