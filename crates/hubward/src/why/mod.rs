//! Why a tunnel is not up: a bounded record of what went wrong, by peer, and its explanation in
//! words.

#[cfg(test)]
mod access_list_tests;
mod attempt;
mod causes;
#[cfg(test)]
mod client_tests;
mod clients;
#[cfg(test)]
mod doc_tests;
mod ends;
pub(crate) mod explanation;
pub(crate) mod failure;
pub(crate) mod health;
pub(crate) mod history;
mod lifetime;
mod lockout;
pub(crate) mod offline;
#[cfg(test)]
mod offline_tests;
#[cfg(test)]
mod packet_tests;
pub(crate) mod print;
mod proxies;
pub(crate) mod record;
pub(crate) mod recording;
mod rivals;
#[cfg(test)]
mod tests;
pub(crate) mod untried;
pub(crate) mod way;
mod words;
#[cfg(test)]
mod world;

pub(crate) use causes::explain;
pub(crate) use lifetime::notes;
pub(crate) use lockout::locked_out;
