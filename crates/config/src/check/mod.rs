//! What only the whole configuration shows: names that nothing defines, hidden entries, weak and
//! open spots, and what keeps a tunnel from coming up.

mod crossed;
mod filters;
mod keys;
mod login;
mod lost;
mod maps;
mod names;
mod nat;
mod networks;
mod policies;
mod published;
mod say;
mod spelling;
mod wildcards;

pub use lost::{emptied, lost};
pub use names::{Reference, references};
pub(crate) use networks::{bearer_of, overlap};
pub(crate) use published::similar;
pub(crate) use spelling::corrected;

use crate::parsed::Parsed;

pub(crate) fn check(parsed: &mut Parsed) {
    crate::effect::settle(parsed);
    let mut found = Vec::new();
    names::dangling(parsed, &mut found);
    maps::maps(&parsed.config, &mut found);
    maps::unapplied(&parsed.config, &mut found);
    crossed::check(&parsed.config, &mut found);
    nat::check(parsed, &mut found);
    published::check(parsed, &mut found);
    filters::again(&parsed.config, &mut found);
    filters::inexact(&parsed.config, &mut found);
    filters::starving(parsed, &mut found);
    filters::marking(parsed, &mut found);
    wildcards::check(parsed, &mut found);
    keys::keys(parsed, &mut found);
    keys::profiles(parsed, &mut found);
    policies::weak(&parsed.config, &mut found);
    policies::unusable(parsed, &mut found);
    networks::overlaps(&parsed.config, &mut found);
    networks::routes(&parsed.config, &mut found);
    networks::policies(&parsed.config, &mut found);
    networks::dhcp_pools(&parsed.config, &mut found);
    networks::pools(&parsed.config, &mut found);
    login::access_classes(&parsed.config, &mut found);
    login::locked_out(&parsed.config, &mut found);
    login::unreadable(&parsed.config, &mut found);
    crate::unreachable::check(&parsed.config, &mut found);
    spelling::check(parsed);
    parsed.diagnostics.extend(found);
}
