//! The entries of reflexive access lists: who may answer at the moment.

use super::rules::TABLE;
use super::rules::list::reflexive_set;
use hubward_config::model::Config;
use hubward_linux::nftables::Nftables;
use hubward_linux::nftables::elements::Element;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// An entry: packets that it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// IP protocol.
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    /// Source and destination port, of protocols that have some.
    pub(crate) ports: Option<(u16, u16)>,
    /// Packets that opened it, went on opening it, or passed by it.
    pub(crate) packets: u64,
    /// How long it stays without any.
    pub(crate) left: Duration,
}

/// The entries of each reflexive list of a configuration, as the kernel has them now.
pub(crate) fn entries(config: &Config) -> BTreeMap<String, Vec<Entry>> {
    let lines = config.acls.iter().flat_map(|list| &list.entries).filter_map(|entry| entry.rule());
    let names: BTreeSet<&str> =
        lines.filter_map(|rule| rule.reflect.as_ref()).map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return BTreeMap::new();
    }
    let Ok(filters) = Nftables::open() else { return BTreeMap::new() };
    let of = |name: &str| {
        let set = reflexive_set(name);
        // a list that no interface uses has no set
        let sets = [set.clone(), format!("{set}_other")].map(|set| filters.elements(TABLE, &set));
        let mut entries: Vec<_> =
            sets.into_iter().flatten().flatten().filter_map(|one| entry(&one)).collect();
        entries.sort_unstable();
        entries
    };
    names.into_iter().map(|name| (name.to_owned(), of(name))).collect()
}

/// Keys are the protocol, then address and port of who answers, then those of who is answered; or
/// the same without ports.
fn entry(element: &Element) -> Option<Entry> {
    let part =
        |place: usize| -> Option<[u8; 4]> { element.key.get(4 * place..4 * place + 4)?.try_into().ok() };
    let port = |place| part(place).map(|[high, low, ..]| u16::from_be_bytes([high, low]));
    let (destination, ports) = match element.key.len() {
        20 => (part(3)?, Some((port(2)?, port(4)?))),
        12 => (part(2)?, None),
        _ => return None,
    };
    Some(Entry {
        protocol: part(0)?[0],
        source: part(1)?.into(),
        destination: destination.into(),
        ports,
        packets: element.counted.map_or(0, |counted| counted.packets),
        left: element.left.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_linux::nftables::Counted;

    #[test]
    fn a_key_says_who_answers_whom() {
        let with = |key: &[u8]| Element {
            key: key.to_vec(),
            data: Vec::new(),
            left: Some(Duration::from_millis(7_250)),
            counted: Some(Counted { packets: 3, bytes: 180 }),
        };
        let udp = [17, 0, 0, 0, 203, 0, 113, 77, 0, 53, 0, 0, 10, 1, 1, 10, 4, 0, 0, 0];
        let said = entry(&with(&udp)).unwrap();
        assert_eq!((said.protocol, said.ports, said.packets), (17, Some((53, 1024)), 3));
        assert_eq!((said.source, said.destination), ([203, 0, 113, 77].into(), [10, 1, 1, 10].into()));
        assert_eq!(said.left.as_secs(), 7);
        let echo = [1, 0, 0, 0, 203, 0, 113, 77, 10, 1, 1, 10];
        let said = entry(&with(&echo)).unwrap();
        assert_eq!((said.protocol, said.ports, said.destination), (1, None, [10, 1, 1, 10].into()));
        assert_eq!(entry(&with(&echo[..8])), None);
        assert_eq!(entry(&Element { counted: None, left: None, ..with(&echo) }).unwrap().packets, 0);
    }
}
