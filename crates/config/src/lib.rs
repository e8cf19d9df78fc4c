//! The Cisco IOS configuration language: text to document, typed model and diagnostics.
//!
//! [`parse`] never fails and never drops a line. No I/O, no clock, no randomness; passwords stay as
//! written.
#![forbid(unsafe_code)]

pub mod acl;
mod astray;
pub mod automaton;
mod blocks;
pub mod check;
mod command;
pub mod crypto_filters;
pub mod diagnostic;
pub mod difference;
pub mod document;
pub mod edit;
mod effect;
pub mod form;
mod given;
pub mod help;
mod interface_name;
pub mod meant;
pub mod model;
mod nets;
mod parse;
mod parsed;
pub mod pcf;
mod placing;
pub mod policy_routing;
pub mod reference;
pub mod secret;
mod settings;
mod slip;
pub mod source;
mod undecided;
mod unreachable;
pub mod verdict;

pub use effect::free_networks;
pub use interface_name::{is_hardware, long_name, parent};
pub use parse::{end_of, lines_under, parse, spell_out};
pub use parsed::{Parsed, unenforced};
pub use unreachable::say_unreachable;

#[cfg(test)]
mod growth_tests;
