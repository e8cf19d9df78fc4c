//! `set ip access-group` of crypto map entries: which packets of the tunnels each list is asked about.
//!
//! What passes a tunnel is told apart by its addresses, because the packet filter does not see by
//! which SA a packet came or goes. An SA of an entry with `match address` carries only what its
//! crypto access list permits, so that list selects the packets of the entry. If the lists of several
//! entries permit a packet, the filters of all of them are asked. A dynamic entry without `match
//! address` has what no crypto access list of another entry permits; where that does not tell its
//! packets from those of others with another filter, the lines stop the start ([`undecided`]).

use crate::acl::{Selector, selectors};
use crate::document::Class;
use crate::model::{Acl, AclEntry, Config, DynamicEntry, EntryTerms};
use crate::parsed::Parsed;
use crate::verdict::lines::blocks;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The direction of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What comes out of the tunnels, after decryption.
    In,
    /// What goes into the tunnels, before encryption.
    Out,
}

impl Way {
    const BOTH: [Self; 2] = [Self::In, Self::Out];

    const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// The filter of an entry in this direction.
    pub const fn of(self, terms: &EntryTerms) -> Option<&String> {
        match self {
            Self::In => terms.access_in.as_ref(),
            Self::Out => terms.access_out.as_ref(),
        }
    }
}

/// Whose the networks of static entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Networks {
    /// A peer of a dynamic entry gets nothing of an earlier static one's.
    Kept,
    /// It gets what it proposes (`--overlap newest`).
    Free,
}

/// What of a packet decides to which entry it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// IP protocol.
    pub protocol: u8,
    /// Source port.
    pub source_port: Option<u16>,
    /// Destination port.
    pub destination_port: Option<u16>,
}

/// A line of a crypto access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whether it permits.
    pub permit: bool,
    /// What it selects of what goes into the tunnel.
    pub selector: Selector,
}

/// A list that filters, and which packets it is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'c> {
    /// The list. It has lines: one without permits everything.
    pub filter: &'c str,
    /// The crypto access lists of its entries. What comes out of a tunnel may be whatever one of
    /// their `permit` lines selects; what goes into it, a `deny` line before that one excludes.
    pub selects: Vec<Vec<Line>>,
    /// It is asked about everything else as well, but not about what these permit, which are those of
    /// entries with another filter.
    pub rest: Option<Vec<Vec<Line>>>,
}

/// An entry of a crypto map on an interface.
struct Entry<'c> {
    map: &'c str,
    sequence: u16,
    /// The name and sequence number of its entry in a dynamic map.
    template: Option<(&'c str, u16)>,
    /// Its crypto access list.
    list: Option<&'c str>,
    /// What that selects; `None` without `match address`.
    lines: Option<Vec<Line>>,
    /// The lists that filter in each direction, of those that have lines.
    filters: [Option<&'c str>; 2],
}

impl<'c> Entry<'c> {
    const fn filter(&self, way: Way) -> Option<&'c str> {
        let [into, out] = self.filters;
        match way {
            Way::In => into,
            Way::Out => out,
        }
    }

    fn told(&self) -> String {
        match self.template {
            Some((map, sequence)) => format!("crypto dynamic-map {map} {sequence}"),
            None => format!("crypto map {} {}", self.map, self.sequence),
        }
    }
}

/// The access lists by their names: a hub has as many as branches.
struct Lists<'c> {
    config: &'c Config,
    by_name: BTreeMap<&'c str, &'c Acl>,
}

impl<'c> Lists<'c> {
    fn new(config: &'c Config) -> Self {
        Self { config, by_name: config.acls.iter().map(|acl| (acl.name.as_str(), acl)).collect() }
    }

    /// The entries that may have tunnels, in the order in which they are tried.
    fn entries(&self) -> Vec<Entry<'c>> {
        let config = self.config;
        let bearers: BTreeSet<&str> =
            config.interfaces.iter().filter_map(|one| one.crypto_map.as_deref()).collect();
        let mut out = Vec::new();
        for map in config.maps.iter().filter(|map| bearers.contains(map.name.as_str())) {
            for entry in &map.entries {
                let own = (map.name.as_str(), entry.sequence);
                let Some(name) = &entry.dynamic else {
                    out.extend(self.carrier(own, None, &entry.terms));
                    continue;
                };
                for map in config.dynamic_maps.iter().filter(|map| map.name == *name) {
                    let of = |one: &'c DynamicEntry| {
                        self.carrier(own, Some((map.name.as_str(), one.sequence)), &one.terms)
                    };
                    out.extend(map.entries.iter().filter_map(of));
                }
            }
        }
        out
    }

    /// An entry that may have tunnels: a static one has none without `match address`, and no entry has
    /// one if its list permits nothing.
    fn carrier(
        &self,
        (map, sequence): (&'c str, u16),
        template: Option<(&'c str, u16)>,
        terms: &'c EntryTerms,
    ) -> Option<Entry<'c>> {
        let list = |name: &String| self.by_name.get(name.as_str()).map(|acl| self.lines(acl));
        let lines = terms.acl.as_ref().map(|name| list(name).unwrap_or_default());
        let carries = match &lines {
            Some(lines) => lines.iter().any(|line| line.permit),
            None => template.is_some(),
        };
        let filters = Way::BOTH.map(|way| self.filter(terms, way));
        carries.then_some(Entry { map, sequence, template, list: terms.acl.as_deref(), lines, filters })
    }

    /// What a crypto access list selects. With a line that no SA can hold it protects nothing.
    fn lines(&self, acl: &Acl) -> Vec<Line> {
        let of = |entry: &AclEntry| {
            let permit = entry.rule().is_some_and(|rule| rule.permit);
            let selectors = selectors(self.config, entry).ok()?;
            Some(selectors.into_iter().map(move |selector| Line { permit, selector }))
        };
        let all: Option<Vec<_>> = acl.entries.iter().map(of).collect();
        all.unwrap_or_default().into_iter().flatten().collect()
    }

    /// The filter of an entry, if there is such a list and it has lines.
    fn filter(&self, terms: &'c EntryTerms, way: Way) -> Option<&'c str> {
        let name = way.of(terms)?;
        let acl = self.by_name.get(name.as_str())?;
        acl.entries.iter().any(|entry| !entry.is_remark()).then_some(name.as_str())
    }
}

/// Whether any entry names a filter: most configurations have none.
fn any(config: &Config, way: Way) -> bool {
    let fixed = config.maps.iter().flat_map(|map| &map.entries).map(|entry| &entry.terms);
    let dynamic = config.dynamic_maps.iter().flat_map(|map| &map.entries).map(|entry| &entry.terms);
    fixed.chain(dynamic).any(|terms| way.of(terms).is_some())
}

/// The lists that filter what passes the tunnels in a direction.
pub fn asked(config: &Config, way: Way) -> Vec<Asked<'_>> {
    if !any(config, way) {
        return Vec::new();
    }
    let entries = Lists::new(config).entries();
    let mut names: Vec<&str> = Vec::new();
    let mut of_filter: BTreeMap<&str, Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in &entries {
        if let Some(name) = entry.filter(way) {
            let others = of_filter.entry(name).or_insert_with(|| {
                names.push(name);
                Vec::new()
            });
            others.push(entry);
        }
    }
    // whatever comes out of a tunnel, the answer is the same
    if let (Way::In, [name]) = (way, names.as_slice())
        && entries.iter().all(|entry| entry.filter(way).is_some())
    {
        return vec![Asked { filter: name, selects: Vec::new(), rest: Some(Vec::new()) }];
    }
    let of_rest = match conflict(&entries, way, Networks::Kept) {
        Some(_) => None,
        None => entries.iter().find(|entry| entry.lines.is_none()).and_then(|entry| entry.filter(way)),
    };
    let of = |name| Asked {
        filter: name,
        selects: lists(of_filter.get(name).into_iter().flatten().copied()),
        rest: (of_rest == Some(name))
            .then(|| lists(entries.iter().filter(|entry| entry.filter(way) != Some(name)))),
    };
    names.into_iter().map(of).collect()
}

/// The crypto access lists of entries, each once.
fn lists<'e, 'c: 'e>(entries: impl Iterator<Item = &'e Entry<'c>>) -> Vec<Vec<Line>> {
    let mut seen: BTreeSet<Option<&str>> = BTreeSet::new();
    let new = entries.filter(|entry| seen.insert(entry.list));
    new.filter_map(|entry| entry.lines.clone()).collect()
}

/// Why the packets of an entry without `match address` cannot be told from those of another one.
fn conflict(entries: &[Entry<'_>], way: Way, networks: Networks) -> Option<String> {
    let open: Vec<_> = entries.iter().filter(|entry| entry.lines.is_none()).collect();
    let (first, more) = open.split_first()?;
    let wanted = first.filter(way);
    if let Some(other) = more.iter().find(|entry| entry.filter(way) != wanted) {
        return Some(format!("neither {} nor {} has `match address`", first.told(), other.told()));
    }
    wanted?;
    // an earlier static entry keeps its networks from the peers of a dynamic one
    let keeps = |entry: &Entry<'_>| {
        let before = |open: &&Entry<'_>| open.map == entry.map && entry.sequence < open.sequence;
        networks == Networks::Kept && entry.template.is_none() && open.iter().all(before)
    };
    let listed = entries.iter().filter(|entry| entry.lines.is_some() && entry.filter(way) != wanted);
    let other = listed.into_iter().find(|entry| !keeps(entry))?;
    Some(format!(
        "{} has no `match address`, and its peers may have networks of {}",
        first.told(),
        other.told()
    ))
}

/// The lines that stop the start, each with why.
pub(crate) fn undecided(parsed: &Parsed, networks: Networks) -> BTreeMap<u32, String> {
    let config = &parsed.config;
    let mut out = BTreeMap::new();
    let mut found: Option<Vec<Entry<'_>>> = None;
    for way in Way::BOTH {
        if !any(config, way) {
            continue;
        }
        let entries = found.get_or_insert_with(|| Lists::new(config).entries());
        let Some(why) = conflict(entries, way, networks) else { continue };
        // only a dynamic entry has tunnels without a list; the filters of others are asked all the same
        let open = entries.iter().filter(|entry| entry.lines.is_none());
        let open: BTreeMap<_, _> =
            open.filter_map(|entry| Some((entry.template?, entry.filter(way)?))).collect();
        for block in blocks(parsed).iter().filter(|block| block.head.begins("crypto dynamic-map")) {
            let number = block.head.word(3).and_then(|word| word.parse::<u16>().ok());
            let own = block.head.word(2).zip(number);
            let Some(list) = own.and_then(|own| open.get(&own)) else { continue };
            let says = block.below.iter().filter(|line| {
                line.class == Class::Implemented
                    && line.begins("set ip access-group")
                    && line.word(3) == Some(*list)
                    && line.word(4) == Some(way.word())
            });
            out.extend(says.map(|line| {
                let text = format!(
                    "`{}` filters the packets of an entry, which cannot be told from those of another filter: {why}",
                    line.front()
                );
                (line.line, text)
            }));
        }
    }
    out
}

impl Line {
    /// Whether it selects a packet of this direction.
    fn selects(&self, way: Way, flow: &Flow) -> bool {
        let Selector { source, destination, protocol, source_port, destination_port } = &self.selector;
        let (from, to, own, theirs) = match way {
            Way::Out => (flow.source, flow.destination, flow.source_port, flow.destination_port),
            Way::In => (flow.destination, flow.source, flow.destination_port, flow.source_port),
        };
        source.contains(&from)
            && destination.contains(&to)
            && protocol.is_none_or(|protocol| protocol == flow.protocol)
            && source_port.is_none_or(|port| own == Some(port))
            && destination_port.is_none_or(|port| theirs == Some(port))
    }
}

impl Asked<'_> {
    /// Whether the list is asked about a packet.
    pub fn concerns(&self, way: Way, flow: &Flow) -> bool {
        let decides = |lines: &Vec<Line>, denies: bool| {
            let mut lines = lines.iter().filter(|line| line.permit || denies);
            lines.find(|line| line.selects(way, flow)).is_some_and(|line| line.permit)
        };
        let selected = self.selects.iter().any(|lines| decides(lines, way == Way::Out));
        selected || self.rest.as_ref().is_some_and(|others| !others.iter().any(|lines| decides(lines, true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{free_networks, parse, unenforced};

    const HUB: &str = "\
interface FastEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 crypto map M
crypto map M 10 ipsec-isakmp
 set peer 198.51.100.20
 match address 110
 set ip access-group A in
crypto map M 20 ipsec-isakmp
 set peer 198.51.100.30
 match address 120
crypto map M 65000 ipsec-isakmp dynamic D
access-list 110 deny ip host 10.1.0.9 any
access-list 110 permit tcp 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255 eq 80
access-list 120 permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255
ip access-list extended A
 permit tcp any any
ip access-list extended B
 permit udp any any
";

    fn flow(source: &str, destination: &str, ports: (u16, u16)) -> Flow {
        Flow {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: 6,
            source_port: Some(ports.0),
            destination_port: Some(ports.1),
        }
    }

    /// The lists that are asked about a packet.
    fn of<'c>(config: &'c Config, way: Way, flow: &Flow) -> Vec<&'c str> {
        asked(config, way).into_iter().filter(|one| one.concerns(way, flow)).map(|one| one.filter).collect()
    }

    #[test]
    fn a_crypto_list_selects_what_its_filter_is_asked_about() {
        let text = HUB.replace("match address 120\n", "match address 120\n set ip access-group B out\n");
        let config = parse(&text).config;
        assert_eq!(of(&config, Way::In, &flow("10.2.0.1", "10.1.0.1", (80, 5000))), ["A"]);
        // what the list denies may come all the same
        assert_eq!(of(&config, Way::In, &flow("10.2.0.1", "10.1.0.9", (80, 5000))), ["A"]);
        assert!(of(&config, Way::In, &flow("10.2.0.1", "10.1.0.1", (5000, 80))).is_empty());
        assert!(of(&config, Way::In, &flow("10.3.0.1", "10.1.0.1", (80, 5000))).is_empty());
        assert_eq!(of(&config, Way::Out, &flow("10.1.0.1", "10.3.0.1", (5000, 80))), ["B"]);
        assert!(of(&config, Way::Out, &flow("10.1.0.1", "10.2.0.1", (5000, 80))).is_empty());
        // and it does not go, by the first entry
        let other = text.replace("set ip access-group A in", "set ip access-group A out");
        let config = parse(&other).config;
        assert_eq!(of(&config, Way::Out, &flow("10.1.0.1", "10.2.0.1", (5000, 80))), ["A"]);
        assert!(of(&config, Way::Out, &flow("10.1.0.9", "10.2.0.1", (5000, 80))).is_empty());
    }

    /// If several lists permit a packet, no filter is passed by.
    #[test]
    fn the_filters_of_all_lists_that_permit_are_asked() {
        let text = HUB
            .replace("match address 120\n", "match address 120\n set ip access-group B in\n")
            .replace("10.3.0.0 0.0.255.255\n", "any\n");
        let config = parse(&text).config;
        assert_eq!(of(&config, Way::In, &flow("10.2.0.1", "10.1.0.1", (80, 5000))), ["A", "B"]);
        assert_eq!(of(&config, Way::In, &flow("10.9.0.1", "10.1.0.1", (80, 5000))), ["B"]);
    }

    #[test]
    fn nothing_is_asked_without_a_list_or_an_interface() {
        for text in [
            HUB.replace(" crypto map M\n", ""),
            HUB.replace("access-list extended A", "access-list extended C"),
            HUB.replace("eq 80", "range 80 90"),
            HUB.replace(" match address 110\n", ""),
        ] {
            assert_eq!(asked(&parse(&text).config, Way::In), [], "{text}");
        }
    }

    /// What comes of the peers of a dynamic entry without a list is what no other list permits.
    #[test]
    fn the_rest_is_of_an_entry_without_a_list() {
        let text = format!("{HUB}crypto dynamic-map D 10\n set ip access-group B in\n");
        let parsed = parse(&text);
        assert_eq!(unenforced(&parsed), []);
        let config = parsed.config;
        assert_eq!(of(&config, Way::In, &flow("10.9.0.1", "10.1.0.1", (80, 5000))), ["B"]);
        assert_eq!(of(&config, Way::In, &flow("10.2.0.1", "10.1.0.1", (80, 5000))), ["A"]);
        assert!(of(&config, Way::In, &flow("10.3.0.1", "10.1.0.1", (80, 5000))).is_empty());
        // peers of the dynamic entry may have what a list denies
        assert_eq!(of(&config, Way::In, &flow("10.2.0.1", "10.1.0.9", (80, 5000))), ["A", "B"]);
        // one list for all: nothing needs to be told apart
        let all = text
            .replace("group B", "group A")
            .replace("address 120\n", "address 120\n set ip access-group A in\n");
        let config = parse(&all).config;
        assert_eq!(
            asked(&config, Way::In),
            [Asked { filter: "A", selects: Vec::new(), rest: Some(Vec::new()) }]
        );
    }

    /// The lines that stop the start.
    fn stops(text: &str) -> Vec<String> {
        unenforced(&parse(text)).into_iter().map(|one| format!("{} {}", one.text, one.message)).collect()
    }

    #[test]
    fn what_cannot_be_told_apart_stops_the_start() {
        assert_eq!(stops(HUB), Vec::<String>::new());
        let dynamic = "crypto dynamic-map D 10\n set ip access-group B in\n";
        // two without a list
        let two = stops(&format!("{HUB}{dynamic}crypto dynamic-map D 20\n set ip access-group A in\n"));
        assert_eq!(two.len(), 2, "{two:?}");
        assert!(
            two.iter().all(|one| one.contains("neither crypto dynamic-map D 10 nor crypto dynamic-map D 20"))
        );
        let half = stops(&format!("{HUB}{dynamic}crypto dynamic-map D 20\n"));
        assert_eq!(half.len(), 1, "{half:?}");
        // the other direction is no matter
        let out = stops(&format!("{HUB}{dynamic}crypto dynamic-map D 20\n set ip access-group B in\n"));
        assert_eq!(out, Vec::<String>::new());
        // a static entry behind the dynamic one does not keep its networks
        let later = stops(&format!("{HUB}{dynamic}").replace("M 65000", "M 15"));
        assert!(later.len() == 1 && later[0].contains("may have networks of crypto map M 20"), "{later:?}");
        // nor does a dynamic one with a list
        let listed = stops(&format!("{HUB}crypto dynamic-map D 5\n match address 120\n{dynamic}"));
        assert!(listed.len() == 1 && listed[0].contains("networks of crypto dynamic-map D 5"), "{listed:?}");
        // with the way of a router no static one does
        let free = |text: &str| {
            let mut parsed = parse(text);
            free_networks(&mut parsed);
            unenforced(&parsed).into_iter().map(|one| (one.kind.name(), one.message)).collect::<Vec<_>>()
        };
        let text = format!("{HUB}{dynamic}");
        assert_eq!(stops(&text), Vec::<String>::new());
        let newest = free(&text);
        assert!(
            matches!(&newest[..], [(kind, why)]
                if *kind == "crypto-filter" && why.contains("networks of crypto map M 10")),
            "{newest:?}"
        );
        assert_eq!(free(HUB), []);
        let listed = text.replace("D 10\n", "D 10\n match address 120\n");
        assert_eq!(free(&listed), []);
        // entries of which none filters
        assert_eq!(
            stops(&format!("{HUB}crypto dynamic-map D 10\ncrypto dynamic-map D 20\n")),
            Vec::<String>::new()
        );
    }
}
