//! `why packet FROM TO …`: the way of a packet through this router, stage by stage in the order of
//! IOS, with the line of the configuration that decides each, there and back. It is computed from
//! the configuration, the routes and the SAs that are in force; no packet is sent.

mod answer;
mod lists;
mod nat;
mod policy;
mod route;
mod stages;

pub(crate) use answer::{End, Journey, Name, Question, Stage, Way, protocol};
pub(crate) use stages::journey;
