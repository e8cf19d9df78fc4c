//! Who has an address of a pool for himself: what the maps of the table say, which are the record of
//! it. They are read by whoever shows them, and written by the gateway and by `clear ip nat
//! translation`.

use super::rules::TABLE;
use super::rules::one_to_one::{Held, Holdings, Pool};
use hubward_linux::Error;
use hubward_linux::nftables::Nftables;
use hubward_linux::nftables::elements::{Edit, Element};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Reads the holdings of pools. Those whose maps are not there are left out: who had their addresses
/// is not known by that.
pub(crate) fn read(filters: &Nftables, pools: &[Pool]) -> Result<Holdings, Error> {
    let all = pools.iter().map(|pool| Ok(of(filters, pool)?.map(|held| (pool.name.clone(), held))));
    all.filter_map(Result::transpose).collect()
}

fn of(filters: &Nftables, pool: &Pool) -> Result<Option<Vec<Held>>, Error> {
    let Some(there) = filters.elements_if_there(TABLE, &pool.outward())? else { return Ok(None) };
    if there.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let busy = filters.elements_if_there(TABLE, &pool.busy())?;
    Ok(Some(match busy {
        Some(busy) => {
            let busy = busy.iter().filter_map(|one| Some((address(&one.key)?, one.left)));
            joined(&there, &busy.collect())
        }
        None => anew(pool, &joined(&there, &BTreeMap::new())),
    }))
}

/// Holdings whose time begins again: by what set of busy hosts they were kept is gone.
pub(crate) fn anew(pool: &Pool, held: &[Held]) -> Vec<Held> {
    held.iter().map(|one| Held { left: pool.idle, ..*one }).collect()
}

/// Hosts with their addresses. A host is busy if it, or who called it, has begun a connection lately.
fn joined(there: &[Element], busy: &BTreeMap<Ipv4Addr, Option<Duration>>) -> Vec<Held> {
    let left = |address: Ipv4Addr| busy.get(&address).map(|left| left.unwrap_or_default());
    let held = there.iter().filter_map(|one| {
        let (local, global) = (address(&one.key)?, address(&one.data)?);
        Some(Held { local, global, left: left(local).max(left(global)) })
    });
    let mut held: Vec<_> = held.collect();
    held.sort_unstable();
    held
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

/// Gives hosts their addresses.
pub(crate) fn give(filters: &Nftables, given: &[(&Pool, Ipv4Addr, Ipv4Addr)]) -> Result<(), Error> {
    let octets = |address: &Ipv4Addr| address.octets().to_vec();
    let edits = given.iter().flat_map(|(pool, local, global)| {
        let (local, global) = (octets(local), octets(global));
        [
            Edit::Put(pool.outward(), vec![(local.clone(), global.clone())]),
            Edit::Put(pool.inward(), vec![(global.clone(), local.clone())]),
            Edit::Add(pool.busy(), vec![local, global]),
        ]
    });
    filters.edit(TABLE, &edits.collect::<Vec<_>>())
}

/// Notes hosts as busy, from now on.
pub(crate) fn renew(filters: &Nftables, pool: &Pool, held: &[Held]) -> Result<(), Error> {
    let both = held.iter().flat_map(|one| [one.local, one.global]);
    filters.edit(TABLE, &[Edit::Add(pool.busy(), both.map(|address| address.octets().to_vec()).collect())])
}

/// Takes addresses back. The connections that use them are there still.
pub(crate) fn release(filters: &Nftables, pool: &Pool, held: &[Held]) -> Result<(), Error> {
    let keys = |of: fn(&Held) -> Ipv4Addr| held.iter().map(|one| of(one).octets().to_vec()).collect();
    let (locals, globals): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (keys(|one| one.local), keys(|one| one.global));
    filters.edit(
        TABLE,
        &[Edit::Remove(pool.outward(), locals.clone()), Edit::Remove(pool.inward(), globals.clone())],
    )?;
    // one by one: some are over
    for key in locals.into_iter().chain(globals) {
        let edit = Edit::Remove(pool.busy(), vec![key]);
        match filters.edit(TABLE, &[edit]) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_busy_if_it_calls_or_is_called() {
        let host = |last| Ipv4Addr::new(10, 1, 1, last);
        let element = |local: Ipv4Addr, global: Ipv4Addr| Element {
            key: local.octets().to_vec(),
            data: global.octets().to_vec(),
            left: None,
            counted: None,
        };
        let there = [element(host(6), host(206)), element(host(5), host(205)), element(host(7), host(207))];
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let busy = [(host(5), seconds(3)), (host(205), seconds(9)), (host(206), seconds(4))].into();
        let told: Vec<_> =
            joined(&there, &busy).iter().map(|one| (one.local, one.global, one.left)).collect();
        assert_eq!(
            told,
            [(host(5), host(205), seconds(9)), (host(6), host(206), seconds(4)), (host(7), host(207), None)]
        );
        let cut = Element { data: vec![1, 2], ..element(host(5), host(205)) };
        assert_eq!(joined(&[cut], &busy), []);
    }
}
