//! Peers of the configuration with which nothing has happened yet: why nothing may ever happen.

use crate::views::snapshot::Snapshot;
use crate::why::explanation::Explanation;
use crate::why::health::Finding;
use std::net::IpAddr;

/// That a static entry names a peer, and nothing was tried; `None`: no entry does.
pub(crate) fn untried(snapshot: &Snapshot, peer: IpAddr) -> Option<Finding> {
    let config = &snapshot.parsed.config;
    let maps = config.maps.iter();
    let named = maps.flat_map(|map| map.entries.iter().map(move |entry| (map, entry)));
    let found: Vec<_> = named.filter(|(_, entry)| entry.peers.contains(&peer)).collect();
    let (map, entry) = found.first()?;
    let verdict = format!(
        "{peer} is a peer of this configuration (crypto map {}, entry {}), and since the start nothing has come from it and nothing was sent to it.",
        map.name, entry.sequence
    );
    let mut out = Explanation::new("not-tried", verdict).line(found.iter().map(|(_, entry)| entry.line));
    let ifs = || config.interfaces.iter().filter(|one| one.crypto_map.as_deref() == Some(map.name.as_str()));
    if ifs().next().is_none() {
        out = out
            .seen(format!("crypto map {} is on no interface, so it protects nothing", map.name))
            .advise(format!("Here: put `crypto map {}` on the interface that leads to {peer}.", map.name));
    }
    for interface in ifs().filter(|one| one.shutdown) {
        out = out
            .seen(format!("interface {}, which has the map, is shut down", interface.name))
            .advise(format!("Here: `no shutdown` on interface {}.", interface.name));
    }
    let by = |name: &String| snapshot.interfaces.iter().find(|one| one.name == *name);
    for interface in ifs().filter(|one| by(&one.name).is_some_and(|view| view.index.is_none())) {
        out = out
            .seen(format!("interface {}, which has the map, has no link on this machine", interface.name))
            .advise("Here: `--map` says which link an interface is.");
    }
    let out = out
        .advise("A tunnel comes up with the first packet that the access list of the entry selects: `ping HOST source ADDRESS` from here, with an address of the inside.")
        .advise("A packet of the peer that arrives shows in `debug crypto isakmp`; one that does not is lost before it reaches this router, or `--map` has the interfaces the wrong way round.");
    Some(Finding {
        peer,
        user: None,
        first: snapshot.wall_at(snapshot.started),
        last: snapshot.wall,
        count: 1,
        explanation: out,
    })
}
