//! The stages of a packet's way, in the order in which this router does them.

use super::answer::{End, Journey, Moving, Name, Question, Stage, Way, protocol};
use super::lists::{Known, Opened, ask, ask_choosing, ask_knowing};
use super::nat::{self, Translation};
use super::policy::{self, Decided, Decision};
use super::route::{Leads, is_own, leads, told};
use crate::base::date::Date;
use crate::machine::sources::Sources;
use crate::translate;
use crate::views::snapshot::{Flow, Snapshot};
use hubward_config::acl::{self, MOST_SELECTORS, Pattern, decide};
use hubward_config::crypto_filters;
use hubward_config::model::{
    Config, EntryTerms, Interface, MapEntry, Moment, NatSide, SourceCheck, Wildcard,
};
use hubward_proto::flow::selector;
use hubward_proto::path::Encapsulation;
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};

/// A connection as the translations of its first packet made it.
struct Connection {
    /// The first packet as it came, and as it left.
    came: Moving,
    left: Moving,
    /// What its lines with `reflect` know of it.
    opened: Vec<Opened>,
}

/// The way of a packet, and of the answer to it.
pub(crate) fn journey(snapshot: &Snapshot, inner_again: bool, question: &Question) -> Journey {
    let look = Look {
        snapshot,
        config: &snapshot.parsed.config,
        moment: Date::local(snapshot.wall, &snapshot.parsed.config.clock).minute(),
        inner_again,
    };
    let came = Moving::of(question);
    let (there, left, opened) = look.way(came.clone(), question.input.as_deref(), None);
    let arrives = matches!(there.end, End::Leaves { .. } | End::Protected { .. });
    let back = arrives.then(|| {
        let answer = left.answer();
        look.way(answer, None, Some(&Connection { came, left, opened })).0
    });
    Journey { there, back }
}

struct Look<'s> {
    snapshot: &'s Snapshot,
    config: &'s Config,
    moment: Moment,
    inner_again: bool,
}

/// Where a packet comes in.
struct Arrival<'s> {
    /// `None`: this router sends it itself, or nobody knows.
    interface: Option<&'s Interface>,
    own: bool,
    /// It comes in a tunnel.
    tunnel: Option<Tunnel<'s>>,
}

/// The tunnel that brings or takes a packet.
struct Tunnel<'s> {
    entry: String,
    line: Option<u32>,
    flow: Option<&'s Flow>,
    terms: Option<&'s EntryTerms>,
}

/// The stages so far.
#[derive(Default)]
struct Stages {
    found: Vec<Stage>,
    /// What lines with `reflect` open for answers to this packet.
    opens: Vec<Opened>,
    /// What such lines opened for this packet.
    opened: Vec<Opened>,
}

impl Stages {
    fn add(&mut self, stage: Name, says: impl Into<String>, line: Option<u32>, passes: bool) -> bool {
        self.found.push(Stage { stage, says: says.into(), line, passes });
        passes
    }
}

impl<'s> Look<'s> {
    /// The way of a packet that comes in by the interface `input`, or where its source is; `of`: it
    /// answers this connection.
    fn way(
        &self,
        mut packet: Moving,
        input: Option<&str>,
        of: Option<&Connection>,
    ) -> (Way, Moving, Vec<Opened>) {
        let opened = of.map(|connection| connection.opened.clone()).unwrap_or_default();
        let mut stages = Stages { opened, ..Stages::default() };
        let arrival = match input {
            Some(name) => self.arrival_by(name, &packet, &mut stages),
            None => self.arrival(&packet, &mut stages),
        };
        let end = self.pass(&mut packet, &arrival, of, &mut stages).unwrap_or_else(|| End::Dropped {
            at: stages.found.last().map_or(Name::Arrival, |stage| stage.stage),
        });
        let way = Way {
            stages: stages.found,
            end,
            source: packet.source,
            destination: packet.destination,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
            source_known: packet.source_known,
        };
        (way, packet, stages.opens)
    }

    /// `None`: the last stage drops it.
    fn pass(
        &self,
        packet: &mut Moving,
        arrival: &Arrival<'s>,
        of: Option<&Connection>,
        stages: &mut Stages,
    ) -> Option<End> {
        let coming = arrival.interface.is_some_and(|one| one.nat == Some(NatSide::Outside));
        if !arrival.own {
            self.input(packet, arrival, (coming, of), stages)?;
        }
        let inside = arrival.interface.is_some_and(|one| one.nat == Some(NatSide::Inside));
        self.coming(packet, coming, of, stages);
        let interface = match self.by_policy(packet, arrival, stages)? {
            Some(interface) => Some(interface),
            None => {
                let (interface, says, line) = match self.route(packet, stages)? {
                    Ok(found) => found,
                    Err(end) => return Some(end),
                };
                stages.add(Name::Route, says, line, true);
                interface
            }
        };
        let goes_outside = interface.is_some_and(|one| one.nat == Some(NatSide::Outside));
        let by = interface.map_or_else(String::new, |one| one.name.clone());
        let came = packet.clone();
        if !arrival.own {
            self.going(packet, (inside, goes_outside), &by, of, stages)?;
        }
        self.output(packet, &came, arrival, interface, by, stages)
    }

    /// Where a packet with this source comes in.
    fn arrival(&self, packet: &Moving, stages: &mut Stages) -> Arrival<'s> {
        if is_own(self.snapshot, packet.source) {
            stages.add(
                Name::Arrival,
                format!("{} is this router's own address: it sends the packet itself", packet.source),
                None,
                true,
            );
            return Arrival { interface: None, own: true, tunnel: None };
        }
        let Leads::By(name, route) = leads(self.snapshot, packet.source) else {
            stages.add(
                Name::Arrival,
                format!("no route leads to {}: the packet may come in by any interface", packet.source),
                None,
                true,
            );
            return Arrival { interface: None, own: false, tunnel: None };
        };
        let tunnel = self.tunnel(&packet.answer());
        let crypto = self.config.interfaces.iter().find(|one| one.name == name && one.crypto_map.is_some());
        let interface = crypto.or_else(|| match &tunnel {
            // the route into a tunnel leads to the TUN, which stands for the crypto interface
            Some(tunnel) => self.interface_of(tunnel),
            None => None,
        });
        let interface = interface.or_else(|| self.config.interfaces.iter().find(|one| one.name == name));
        let tunnel = tunnel.filter(|_| interface.is_some_and(|one| one.crypto_map.is_some()));
        let by = interface.map_or(name, |one| one.name.as_str());
        stages.add(Name::Arrival, format!("by {by} ({})", told(route)), interface.map(|one| one.line), true);
        Arrival { interface, own: false, tunnel }
    }

    /// Where a packet is said to come in, whatever its source.
    fn arrival_by(&self, name: &str, packet: &Moving, stages: &mut Stages) -> Arrival<'s> {
        let interface = self.config.interfaces.iter().find(|one| one.name == name);
        let bears = interface.is_some_and(|one| one.crypto_map.is_some());
        let tunnel = self.tunnel(&packet.answer()).filter(|_| bears);
        stages.add(Name::Arrival, format!("by {name}, as asked"), interface.map(|one| one.line), true);
        Arrival { interface, own: false, tunnel }
    }

    /// The crypto interface of a tunnel.
    fn interface_of(&self, tunnel: &Tunnel<'_>) -> Option<&'s Interface> {
        let map = tunnel.entry.split(' ').next();
        self.config.interfaces.iter().find(|one| one.crypto_map.as_deref() == map)
    }

    /// Filters of what comes in; ESP first, if it comes in a tunnel.
    fn input(
        &self,
        packet: &Moving,
        arrival: &Arrival<'_>,
        (outside, of): (bool, Option<&Connection>),
        stages: &mut Stages,
    ) -> Option<()> {
        let Some(interface) = arrival.interface else { return Some(()) };
        let list = interface.access_in.as_ref();
        if let Some(tunnel) = &arrival.tunnel {
            if let Some(name) = list {
                let outer = self.outer(tunnel, interface);
                if let Some(outer) = outer {
                    self.filter(name, &outer, Name::InputFilter, "the ESP packet: ", stages)?;
                }
            }
            let says = match tunnel.flow {
                Some(flow) => format!("by the SA with {} (crypto map {})", flow.path.remote, tunnel.entry),
                None => format!(
                    "crypto map {} expects it protected, and there is no SA: in clear it would be dropped",
                    tunnel.entry
                ),
            };
            if !stages.add(Name::Decryption, says, tunnel.line, tunnel.flow.is_some()) {
                return None;
            }
            self.map_filters(crypto_filters::Way::In, packet, stages)?;
            if let Some(name) = list.filter(|_| self.inner_again) {
                self.filter(name, packet, Name::InputFilter, "the inner packet: ", stages)?;
            }
            return Some(());
        }
        if let Some(name) = list {
            self.filter(name, packet, Name::InputFilter, "", stages)?;
        }
        if let Some(check) = &interface.source_check {
            self.source_check(check, packet, interface, stages)?;
        }
        if interface.crypto_map.is_some() {
            let mut translated = packet.clone();
            self.coming(&mut translated, outside, of, &mut Stages::default());
            if self.is_expected_protected(packet.source, translated.destination) {
                let says = format!("{} is behind a tunnel: in clear it must not come in", packet.source);
                stages.add(Name::Decryption, says, None, false);
                return None;
            }
        }
        Some(())
    }

    /// Whether the answer to a packet would be led to the tunnels, so that the packet itself comes
    /// protected or not at all (strict reverse path filtering). What is for this router itself is
    /// looked at by its source alone, as its own packets are by their destination.
    fn is_expected_protected(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        let (entries, patterns) = (self.entries(), self.protected());
        let nets = |side: &Wildcard| side.prefixes(MOST_SELECTORS).unwrap_or_default();
        // where a peer is behind a tunnel as well, its ESP must come in, and nothing is dropped
        let peers = entries.iter().flat_map(|entry| &entry.peers);
        let has_peer = |net: &Ipv4Net| {
            net.prefix_len() == 0
                || peers.clone().any(|peer| matches!(peer, IpAddr::V4(peer) if net.contains(peer)))
        };
        if patterns.iter().any(|pattern| nets(&pattern.destination).iter().any(has_peer)) {
            return false;
        }
        let ranges = |side: &Wildcard| {
            nets(side).into_iter().map(|net| selector::AddressRange::prefix(net.into())).collect::<Vec<_>>()
        };
        let mut sources = Sources::new(self.config, |name| self.addresses_of(name));
        sources.assign(patterns.iter().flat_map(|pattern| ranges(&pattern.source)), &[], false);
        let own = is_own(self.snapshot, destination) || destination.is_broadcast();
        let answered = |side: &Wildcard| ranges(side).iter().any(|local| sources.has(*local, destination));
        patterns
            .iter()
            .any(|pattern| pattern.destination.contains(source) && (own || answered(&pattern.source)))
    }

    /// The entries of the crypto maps of interfaces.
    fn entries(&self) -> Vec<&'s MapEntry> {
        let bearers = self.config.interfaces.iter().filter_map(|one| one.crypto_map.as_ref());
        let maps = bearers.filter_map(|name| self.config.maps.iter().find(|map| map.name == *name));
        maps.flat_map(|map| &map.entries).collect()
    }

    /// What their access lists permit.
    fn protected(&self) -> Vec<Pattern> {
        let terms = self.entries().into_iter().flat_map(|entry| self.terms(entry));
        let lists = terms.filter_map(|terms| {
            let name = terms.acl.as_ref()?;
            self.config.acls.iter().find(|list| list.name == *name)
        });
        let readings = lists.flat_map(|list| list.readings(self.config)).map(|(_, line)| line);
        readings.filter(|line| line.permit).flat_map(|line| line.patterns).collect()
    }

    fn addresses_of(&self, name: &str) -> Vec<Ipv4Addr> {
        let views = self.snapshot.interfaces.iter().filter(|one| one.name == name);
        views.flat_map(|one| one.net.iter().chain(&one.secondary)).map(|net| net.addr()).collect()
    }

    /// `ip verify unicast`; `None`: the source does not belong to the interface.
    fn source_check(
        &self,
        check: &SourceCheck,
        packet: &Moving,
        interface: &Interface,
        stages: &mut Stages,
    ) -> Option<()> {
        let (belongs, says) = match leads(self.snapshot, packet.source) {
            Leads::By(name, route) => {
                let by = !check.by_this_interface || name == interface.name;
                let counts = check.allow_default || route.destination.prefix_len() > 0;
                (by && counts, format!("{} leads to {} by {name}", told(route), packet.source))
            }
            Leads::Here => (check.allow_self_ping, format!("{} is this router's own", packet.source)),
            Leads::Dropped(_) | Leads::Nowhere => (false, format!("no route leads to {}", packet.source)),
        };
        if belongs {
            stages.add(Name::SourceCheck, says, None, true);
            return Some(());
        }
        let list = check.list.as_ref();
        let said = list.and_then(|name| ask_choosing(self.config, name, packet, self.moment));
        let excepted = said.is_some_and(|said| said.permits);
        let more = if excepted { ": its list excepts it" } else { ": it does not belong to the interface" };
        stages.add(Name::SourceCheck, format!("{says}{more}"), Some(interface.line), excepted).then_some(())
    }

    /// ESP of a tunnel as it comes from the peer.
    fn outer(&self, tunnel: &Tunnel<'_>, interface: &Interface) -> Option<Moving> {
        let flow = tunnel.flow?;
        let IpAddr::V4(source) = flow.path.remote else { return None };
        let destination = match flow.path.local {
            IpAddr::V4(local) => local,
            IpAddr::V6(_) => super::route::address_of(self.snapshot, &interface.name)?,
        };
        let udp = flow.path.encapsulation == Encapsulation::Udp;
        Some(Moving {
            source,
            destination,
            protocol: if udp { protocol::UDP } else { protocol::ESP },
            source_port: udp.then_some(4500),
            destination_port: udp.then_some(4500),
            icmp: None,
            flags: None,
            length: None,
            source_known: true,
        })
    }

    /// Asks an access list; `None`: it denies.
    fn filter(
        &self,
        name: &str,
        packet: &Moving,
        stage: Name,
        what: &str,
        stages: &mut Stages,
    ) -> Option<()> {
        let known = Known { opened: &stages.opened, entries: &self.snapshot.reflexive };
        let Some(said) = ask_knowing(self.config, name, packet, self.moment, &known) else {
            stages.add(
                stage,
                format!("{what}access list {name} has no lines and permits everything"),
                None,
                true,
            );
            return Some(());
        };
        let verb = if said.permits { "permits it" } else { "denies it" };
        stages.opens.extend(said.reflects.map(|list| Opened { list, by: packet.clone() }));
        stages.add(stage, format!("{what}{} {verb}", said.says), said.line, said.permits).then_some(())
    }

    /// Asks the filters of crypto map entries; `None`: one denies.
    fn map_filters(&self, way: crypto_filters::Way, packet: &Moving, stages: &mut Stages) -> Option<()> {
        let flow = crypto_filters::Flow {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        };
        for one in crypto_filters::asked(self.config, way) {
            if one.concerns(way, &flow) {
                self.filter(one.filter, packet, Name::MapFilter, "", stages)?;
            }
        }
        Some(())
    }

    /// Destinations that are translated: of what comes from outside.
    fn coming(&self, packet: &mut Moving, outside: bool, of: Option<&Connection>, stages: &mut Stages) {
        if let Some(connection) = of
            && (connection.came.source, connection.came.source_port)
                != (connection.left.source, connection.left.source_port)
        {
            packet.destination = connection.came.source;
            packet.destination_port = connection.came.source_port;
            stages.add(Name::Nat, format!("translated back to {}", packet.destination), None, true);
            return;
        }
        if of.is_some() || !outside {
            return;
        }
        if let Some(found) = nat::inward(self.snapshot, packet) {
            packet.destination = found.local;
            packet.destination_port = found.port;
            stages.add(Name::Nat, found.says, found.line, true);
        }
    }

    /// The interface by which policy routing leads it; `Some(None)`: the routes decide. `None`: it is
    /// dropped.
    fn by_policy(
        &self,
        packet: &Moving,
        arrival: &Arrival<'s>,
        stages: &mut Stages,
    ) -> Option<Option<&'s Interface>> {
        let map = match arrival.own {
            true => self.config.local_policy.as_ref(),
            false => arrival.interface.and_then(|one| one.policy.as_ref()),
        };
        let to = packet.destination;
        let of_broadcast = |net: &Ipv4Net| net.prefix_len() < 31 && net.broadcast() == to;
        let broadcast = self.snapshot.interfaces.iter().any(|one| one.net.iter().any(of_broadcast));
        // what a router takes itself is not routed by policy
        let taken = broadcast || to.is_multicast() || to.is_broadcast() || to.is_loopback();
        let Some(map) = map.filter(|_| !taken && !to.is_unspecified() && !is_own(self.snapshot, to)) else {
            return Some(None);
        };
        let Decided { way, says, line } = policy::decide(self.snapshot, map, packet, self.moment);
        stages.add(Name::PolicyRouting, says, line, way != Decision::Dropped);
        match way {
            Decision::Dropped => None,
            Decision::Routes => Some(None),
            Decision::By(name) => {
                let interface = self.config.interfaces.iter().find(|one| one.name == name);
                if interface.is_some_and(|one| self.is_of_another_map(packet, one)) {
                    let says = format!("a crypto map may protect it, and the routes do not lead by {name}");
                    stages.add(Name::CryptoMap, says, None, false);
                    return None;
                }
                Some(interface)
            }
        }
    }

    /// Whether a packet that a decision leads to a crypto interface may be protected, while the routes
    /// lead to another one, whose map the data plane would ask.
    fn is_of_another_map(&self, packet: &Moving, interface: &Interface) -> bool {
        let bearers = self.config.interfaces.iter().filter(|one| one.crypto_map.is_some()).count();
        let same =
            matches!(leads(self.snapshot, packet.destination), Leads::By(by, _) if by == interface.name);
        interface.crypto_map.is_some() && bearers > 1 && !same && self.tunnel(packet).is_some()
    }

    /// The interface by which it leaves; `Err`: it does not leave. `None`: it is dropped.
    #[allow(clippy::type_complexity, reason = "used once, by the function above")]
    fn route(
        &self,
        packet: &Moving,
        stages: &mut Stages,
    ) -> Option<Result<(Option<&'s Interface>, String, Option<u32>), End>> {
        if packet.destination.is_multicast() {
            stages.add(Name::Route, "multicast is not forwarded", None, false);
            return None;
        }
        if packet.destination.is_loopback() || packet.destination.is_unspecified() {
            stages.add(
                Name::Route,
                format!("{} is no address of another host", packet.destination),
                None,
                false,
            );
            return None;
        }
        let of_broadcast = |net: &Ipv4Net| net.prefix_len() < 31 && net.broadcast() == packet.destination;
        let broadcast = self.snapshot.interfaces.iter().find(|one| one.net.iter().any(of_broadcast));
        if let Some(view) = broadcast {
            let forwards = |one: &Interface| one.name == view.name && one.directed_broadcast.is_some();
            if !self.config.interfaces.iter().any(forwards) {
                let says = format!("{} does not forward broadcasts to its network", view.name);
                stages.add(Name::Route, says, None, false);
                return None;
            }
        }
        if packet.destination.is_broadcast() {
            stages.add(Name::Route, "a broadcast is for this router", None, true);
            return Some(Err(End::Local));
        }
        match leads(self.snapshot, packet.destination) {
            Leads::Here => {
                stages.add(Name::Route, format!("{} is this router itself", packet.destination), None, true);
                Some(Err(End::Local))
            }
            Leads::Nowhere => {
                stages.add(Name::Route, format!("no route leads to {}", packet.destination), None, false);
                None
            }
            Leads::Dropped(route) => {
                // a crypto map's route is better than the route that drops
                stages.add(Name::Route, format!("{} drops it", told(route)), self.line_of(route), false);
                None
            }
            Leads::By(name, route) => {
                let named = self.config.interfaces.iter().find(|one| one.name == name);
                // the TUN stands for the interface that has the crypto map
                let interface =
                    named.or_else(|| self.tunnel(packet).and_then(|tunnel| self.interface_of(&tunnel)));
                let by = interface.map_or(name, |one| one.name.as_str());
                Some(Ok((interface, format!("{} leads by {by}", told(route)), self.line_of(route))))
            }
        }
    }

    fn line_of(&self, route: &hubward_linux::route::Route) -> Option<u32> {
        self.config.routes.iter().find(|line| line.destination == route.destination).map(|line| line.line)
    }

    /// Sources that are translated: of what goes from inside to outside. `None`: it is dropped.
    fn going(
        &self,
        packet: &mut Moving,
        (inside, outside): (bool, bool),
        by: &str,
        of: Option<&Connection>,
        stages: &mut Stages,
    ) -> Option<()> {
        if let Some(connection) = of {
            let first = &connection.came;
            if (first.destination, first.destination_port)
                != (connection.left.destination, connection.left.destination_port)
            {
                packet.source = first.destination;
                packet.source_port = first.destination_port;
                stages.add(Name::Nat, format!("translated back to {}", packet.source), None, true);
                return Some(());
            }
            let looked_at = inside && outside && !nat::is_global(self.snapshot, packet.source);
            if !looked_at || self.is_expected_protected(packet.destination, packet.source) {
                return Some(());
            }
            let found = nat::outward(self.snapshot, packet, by, self.moment);
            if found.translation.is_none() {
                return Some(());
            }
            let says =
                format!("{}, and the packet that it answers was not: it must not leave as it is", found.says);
            stages.add(Name::Nat, says, found.line, false);
            return None;
        }
        if !inside || !outside || self.config.nat.rules.is_empty() {
            return Some(());
        }
        let found = nat::outward(self.snapshot, packet, by, self.moment);
        match found.translation {
            None => stages.add(Name::Nat, found.says, found.line, true),
            Some(Translation::Dropped) => stages.add(Name::Nat, found.says, found.line, false),
            Some(Translation::To { source, port, known }) => {
                packet.source = source.unwrap_or(packet.source);
                packet.source_port = port;
                packet.source_known = known;
                stages.add(Name::Nat, found.says, found.line, true)
            }
        }
        .then_some(())
    }

    /// The crypto map, the filter of what leaves, and the end. Before the translation, the packet was
    /// as it `came`.
    fn output(
        &self,
        packet: &Moving,
        came: &Moving,
        arrival: &Arrival<'_>,
        interface: Option<&Interface>,
        by: String,
        stages: &mut Stages,
    ) -> Option<End> {
        let Some(interface) = interface else {
            stages.add(Name::Departure, format!("by {by}"), None, true);
            return Some(End::Leaves { interface: by });
        };
        if interface.crypto_map.is_some() {
            if let Some(tunnel) = self.tunnel(packet) {
                let says = format!("{} protects it", tunnel.entry);
                stages.add(Name::CryptoMap, says, tunnel.line, true);
                self.map_filters(crypto_filters::Way::Out, packet, stages)?;
                let again = self.inner_again && !arrival.own;
                if let Some(name) = interface.access_out.as_ref().filter(|_| again) {
                    self.filter(name, packet, Name::OutputFilter, "the inner packet: ", stages)?;
                }
                let peer = tunnel.flow.map(|flow| flow.path.remote);
                match peer {
                    Some(peer) => stages.add(Name::Sa, format!("there is one with {peer}"), None, true),
                    None if tunnel.terms.is_some() && self.initiates(&tunnel) => {
                        stages.add(Name::Sa, "there is none; the packet asks for one, and waits", None, true)
                    }
                    None => {
                        stages.add(
                            Name::Sa,
                            "there is none, and only the peer can ask for one: in clear it must not leave",
                            None,
                            false,
                        );
                        return None;
                    }
                };
                stages.add(Name::Departure, format!("by {by}, protected"), None, true);
                return Some(End::Protected { interface: by, peer });
            }
            let map = interface.crypto_map.as_deref().unwrap_or_default();
            let says = format!("no access list of crypto map {map} permits it: it is not protected");
            // what a translation takes from a tunnel that was meant for it
            let missed = (came.source != packet.source).then(|| self.tunnel(came)).flatten();
            let list = missed.as_ref().and_then(|tunnel| tunnel.terms?.acl.as_ref());
            match (&missed, list) {
                (Some(tunnel), Some(list)) => stages.add(
                    Name::CryptoMap,
                    format!("{says}; before the translation, access list {list} would have permitted it"),
                    tunnel.line,
                    true,
                ),
                _ => stages.add(Name::CryptoMap, says, None, true),
            };
        }
        if let Some(name) = interface.access_out.as_ref().filter(|_| !arrival.own) {
            self.filter(name, packet, Name::OutputFilter, "", stages)?;
        }
        stages.add(Name::Departure, format!("by {by}, in clear"), Some(interface.line), true);
        Some(End::Leaves { interface: by })
    }

    /// Whether an entry's tunnel can be asked for from here.
    fn initiates(&self, tunnel: &Tunnel<'_>) -> bool {
        let entries =
            self.config.maps.iter().flat_map(|map| map.entries.iter().map(move |entry| (map, entry)));
        let mut of =
            entries.filter(|(map, entry)| format!("{} {}", map.name, entry.sequence) == tunnel.entry);
        of.any(|(_, entry)| !entry.peers.is_empty())
    }

    /// The tunnel that a packet belongs to as it leaves: the one of an SA, or of a line that permits
    /// it.
    fn tunnel(&self, packet: &Moving) -> Option<Tunnel<'s>> {
        let flow = selector::Flow {
            source: packet.source.into(),
            destination: packet.destination.into(),
            protocol: packet.protocol,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        };
        let by_sa = self.snapshot.flows.iter().rev().find(|one| one.selector.matches(&flow));
        let by_line = self.by_line(packet);
        match (by_sa, by_line) {
            (Some(sa), _) => {
                let entry = sa.service.map_entry();
                Some(Tunnel {
                    entry: entry
                        .map_or_else(String::new, |entry| format!("{} {}", entry.map, entry.sequence)),
                    line: translate::acl_line(self.config, &sa.service, &sa.selector)
                        .and_then(|(list, _)| ask(self.config, &list.name, packet, self.moment)?.line),
                    flow: Some(sa),
                    terms: translate::terms_of(self.config, &sa.service),
                })
            }
            (None, found) => found,
        }
    }

    /// The first entry whose access list permits it; a client's address belongs to the tunnels too.
    fn by_line(&self, packet: &Moving) -> Option<Tunnel<'s>> {
        let bearers = self.config.interfaces.iter().filter_map(|one| one.crypto_map.as_ref());
        let maps = bearers.filter_map(|name| self.config.maps.iter().find(|map| map.name == *name));
        for map in maps {
            for entry in &map.entries {
                for terms in self.terms(entry) {
                    let Some(name) = &terms.acl else { continue };
                    let Some(list) = self.config.acls.iter().find(|list| list.name == *name) else {
                        continue;
                    };
                    if let acl::Decision::By(line, true) =
                        decide(self.config, list, &packet.packet(self.moment))
                    {
                        let entry = format!("{} {}", map.name, entry.sequence);
                        return Some(Tunnel { entry, line: Some(line.line), flow: None, terms: Some(terms) });
                    }
                }
            }
            if map.entries.iter().any(|entry| entry.dynamic.is_some()) && self.is_pool(packet.destination) {
                let entry = map.name.clone();
                return Some(Tunnel { entry, line: None, flow: None, terms: None });
            }
        }
        None
    }

    fn terms(&self, entry: &'s MapEntry) -> Vec<&'s EntryTerms> {
        match &entry.dynamic {
            None => vec![&entry.terms],
            Some(name) => {
                let maps = self.config.dynamic_maps.iter().filter(|map| map.name == *name);
                maps.flat_map(|map| map.entries.iter().map(|entry| &entry.terms)).collect()
            }
        }
    }

    fn is_pool(&self, address: Ipv4Addr) -> bool {
        let address = Ipv4Net::from(address);
        translate::pool_ranges(self.config)
            .iter()
            .any(|pool| pool.covers(&selector::AddressRange::prefix(address.into())))
    }
}
