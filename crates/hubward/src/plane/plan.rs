//! The crypto maps and the SAs as the flat list of policies that the kernel looks up: of several
//! that match a packet, the one with the lowest priority number decides. SAs come first, ordered by
//! the length of the remote prefix, the newest first among equal ones; then the lines of the crypto
//! maps in their order, then the pools of clients.

use crate::base::family::v4;
use hubward_linux::marks::FWMARK;
use hubward_linux::xfrm::{Action, Direction, Mode, Policy, Priorities, Reqids, Selector, Template};
use hubward_proto::flow::selector::{AddressRange, Selector as Proxy};
use hubward_proto::wire::ip::protocol;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The kernel's key for a policy.
pub(super) type Name = (Direction, Selector);
/// The value of a policy: its priority and action.
pub(super) type Said = (u32, Action);

/// How many lines of all crypto maps together the priorities have room for.
pub(super) const LINES: usize = 0xf000;
const FIRST_LINE: u32 = 0x10_0000;
const POOLS: u32 = 0xff_0000;

/// Outer packets are routed past Hubward's own table. Otherwise a proxy identity that contains the
/// peer's address would lead them back into the tunnel.
pub(super) const MARK: u32 = FWMARK;

/// What happens to packets to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are sent by this SA.
    Sa(Template),
    /// The child SA has only its inbound SA so far, so the packets are handled as if it did not
    /// exist.
    InboundOnly,
    /// There is no SA; the first packet makes the kernel send an acquire by this template.
    Ask(Template),
    /// They must not leave.
    Block,
}

/// A rule for packets that leave by an interface, and for the answers to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Index of the interface.
    pub(super) interface: u32,
    /// The proxy identity, as seen from this gateway.
    pub(super) net: Net,
    pub(super) verdict: Verdict,
}

/// A proxy identity whose sides are prefixes, as a policy can express it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    local: Ipv4Net,
    remote: Ipv4Net,
    protocol: Option<u8>,
    local_port: Option<u16>,
    remote_port: Option<u16>,
}

impl Net {
    /// `None` if a side is not a prefix of IPv4 addresses. With a lease the remote side is only
    /// that address.
    pub(super) fn of(proxy: &Proxy, lease: Option<IpAddr>) -> Option<Self> {
        let remote = prefix(proxy.remote)?;
        Some(Self {
            local: prefix(proxy.local)?,
            remote: match lease {
                Some(IpAddr::V4(lease)) if remote.contains(&lease) => Ipv4Net::from(lease),
                Some(_) => return None,
                None => remote,
            },
            protocol: proxy.protocol,
            local_port: proxy.local_port,
            remote_port: proxy.remote_port,
        })
    }

    /// Everything to a prefix.
    pub(super) fn all_to(remote: Ipv4Net) -> Self {
        let local = Ipv4Net::default();
        Self { local, remote, protocol: None, local_port: None, remote_port: None }
    }

    /// The same without ports: what an SA checks inner packets against, because fragments have no
    /// ports.
    pub(super) fn without_ports(self) -> Self {
        Self { local_port: None, remote_port: None, ..self }
    }

    /// The same for fragments, whose ports the kernel sees as 0; they are handled like the packets
    /// between the same addresses.
    fn of_fragments(&self) -> Option<Self> {
        let has_ports = self.local_port.is_some() || self.remote_port.is_some();
        let may = matches!(self.protocol, Some(protocol::TCP | protocol::UDP));
        (has_ports && may).then(|| Self {
            local_port: self.local_port.map(|_| 0),
            remote_port: self.remote_port.map(|_| 0),
            ..*self
        })
    }

    /// Packets to the peer's side.
    pub(super) fn outward(&self, interface: u32) -> Selector {
        Selector {
            source: self.local,
            destination: self.remote,
            protocol: self.protocol,
            source_port: self.local_port,
            destination_port: self.remote_port,
            interface,
        }
    }

    /// Packets from the peer's side, by any interface, because the kernel compares the outgoing
    /// interface even for inbound packets.
    pub(super) fn inward(&self) -> Selector {
        Selector {
            source: self.remote,
            destination: self.local,
            protocol: self.protocol,
            source_port: self.remote_port,
            destination_port: self.local_port,
            interface: 0,
        }
    }

    /// The narrower a proxy identity, the lower the value, which is below 256.
    fn width(&self) -> u32 {
        let ports = u32::from(self.local_port.is_none()) + u32::from(self.remote_port.is_none());
        (32 - u32::from(self.local.prefix_len())) * 4 + u32::from(self.protocol.is_none()) + ports
    }
}

/// A range as one prefix.
pub(super) fn prefix(range: AddressRange) -> Option<Ipv4Net> {
    range.to_prefix().and_then(v4)
}

/// The input of the policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// SAs, the oldest first.
    pub(super) sas: Vec<Rule>,
    /// Lines of entries that are left out: their packets are not sent by an SA with a wider proxy
    /// identity.
    pub(super) left_out: Vec<Rule>,
    /// The lines of the crypto maps, in their order.
    pub(super) lines: Vec<Rule>,
    /// Client pools: packets to an address that no client has must not leave.
    pub(super) pools: Vec<Rule>,
    /// Networks within a proxy identity that are not routed via a crypto interface, such as the
    /// spoke's LAN in a proxy identity for the whole company: packets from there are not from the
    /// peer.
    pub(super) elsewhere: Vec<Ipv4Net>,
}

impl Plan {
    /// The policies.
    pub(super) fn policies(&self) -> BTreeMap<Name, Said> {
        let mut policies = BTreeMap::new();
        for net in &self.elsewhere {
            for direction in [Direction::In, Direction::Forward] {
                let name = (direction, Net::all_to(*net).inward());
                policies.insert(name, (Priorities::FIRST, Action::Allow));
            }
        }
        // the newest come first: the kernel has one policy for a selector, and the first to be
        // added stays
        for rule in self.left_out.iter().chain(self.sas.iter().rev()) {
            let length = 33 - u32::from(rule.net.remote.prefix_len());
            rule.add(&mut policies, (length << 8) + rule.net.width());
        }
        for (rule, place) in self.lines.iter().take(LINES).zip(FIRST_LINE..) {
            rule.add(&mut policies, place);
        }
        for rule in &self.pools {
            rule.add(&mut policies, POOLS);
        }
        policies
    }
}

impl Rule {
    fn add(&self, policies: &mut BTreeMap<Name, Said>, place: u32) {
        let priority = Priorities::FIRST + place;
        let (out, inward) = match self.verdict {
            // an SA checks inbound packets against its own selector, so any SA of ours is
            // acceptable
            Verdict::Sa(template) | Verdict::Ask(template) => {
                (Some(Action::Protect(template)), Action::Protect(ANY_OF_OURS))
            }
            Verdict::InboundOnly => (None, Action::Protect(ANY_OF_OURS)),
            Verdict::Block => (Some(Action::Block), Action::Block),
        };
        for net in [Some(self.net), self.net.of_fragments()].into_iter().flatten() {
            if let Some(out) = out {
                policies.entry((Direction::Out, net.outward(self.interface))).or_insert((priority, out));
            }
            for direction in [Direction::In, Direction::Forward] {
                policies.entry((direction, net.inward())).or_insert((priority, inward));
            }
        }
    }
}

const ANY_OF_OURS: Template = Template {
    source: Ipv4Addr::UNSPECIFIED,
    destination: Ipv4Addr::UNSPECIFIED,
    spi: 0,
    reqid: Reqids::SA,
    mode: Mode::Tunnel,
};

/// What must change: the policies that are new or different, and the keys of those that are gone.
pub(super) fn difference(old: &BTreeMap<Name, Said>, new: &BTreeMap<Name, Said>) -> (Vec<Policy>, Vec<Name>) {
    let set = new.iter().filter(|(name, said)| old.get(name) != Some(said));
    let set = set.map(|((direction, selector), (priority, action))| Policy {
        direction: *direction,
        selector: *selector,
        priority: *priority,
        action: *action,
    });
    let gone = old.keys().filter(|name| !new.contains_key(name)).copied();
    (set.collect(), gone.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::flow::selector::Flow;
    use ipnet::IpNet;

    fn net(local: &str, remote: &str) -> Net {
        Net { local: local.parse().unwrap(), ..Net::all_to(remote.parse().unwrap()) }
    }

    fn template(spi: u32) -> Template {
        Template {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(192, 0, 2, 2),
            spi,
            ..ANY_OF_OURS
        }
    }

    fn sa(spi: u32, net: Net) -> Rule {
        Rule { interface: 2, net, verdict: Verdict::Sa(template(spi)) }
    }

    fn line(number: u32, net: Net) -> Rule {
        let ask = Template { reqid: Reqids::ASK + number, ..template(0) };
        Rule { interface: 2, net, verdict: Verdict::Ask(ask) }
    }

    fn matches(selector: &Selector, flow: &Flow, interface: u32) -> bool {
        let inside = |net: Ipv4Net, address: IpAddr| IpNet::V4(net).contains(&address);
        let port = |wanted: Option<u16>, port: Option<u16>| wanted.is_none_or(|w| port.unwrap_or(0) == w);
        inside(selector.source, flow.source)
            && inside(selector.destination, flow.destination)
            && selector.protocol.is_none_or(|protocol| protocol == flow.protocol)
            && port(selector.source_port, flow.source_port)
            && port(selector.destination_port, flow.destination_port)
            && [0, interface].contains(&selector.interface)
    }

    /// What the kernel would do; `None`: it lets the packet pass because no policy matches.
    fn asked(plan: &Plan, direction: Direction, flow: &Flow, interface: u32) -> Option<Action> {
        let policies = plan.policies();
        let hits = policies
            .iter()
            .filter(|((of, selector), _)| *of == direction && matches(selector, flow, interface));
        hits.min_by_key(|(_, (priority, _))| *priority).map(|(_, (_, action))| *action)
    }

    fn flow(source: &str, destination: &str) -> Flow {
        Flow {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: 1,
            source_port: None,
            destination_port: None,
        }
    }

    fn spi(action: Option<Action>) -> Option<u32> {
        match action {
            Some(Action::Protect(template)) => Some(template.spi),
            _ => None,
        }
    }

    #[test]
    fn the_first_line_asks_and_cleartext_in_its_place_is_refused() {
        let lines =
            vec![line(1, net("10.1.0.0/16", "10.2.3.0/24")), line(2, net("10.1.0.0/16", "10.2.0.0/16"))];
        let plan = Plan { lines, ..Plan::default() };
        let reqid = |destination| match asked(&plan, Direction::Out, &flow("10.1.1.1", destination), 2) {
            Some(Action::Protect(template)) => template.reqid - Reqids::ASK,
            _ => 0,
        };
        assert_eq!((reqid("10.2.3.3"), reqid("10.2.2.2"), reqid("10.7.7.7")), (1, 2, 0));
        let elsewhere = asked(&plan, Direction::Out, &flow("10.1.1.1", "10.2.2.2"), 3);
        assert_eq!(elsewhere, None, "by another interface");
        let answer = flow("10.2.2.2", "10.1.1.1");
        assert_eq!(asked(&plan, Direction::Forward, &answer, 2), Some(Action::Protect(ANY_OF_OURS)));
    }

    #[test]
    fn what_routes_lead_elsewhere_may_come_in_clear() {
        let plan = Plan {
            lines: vec![line(1, net("10.2.0.0/16", "10.0.0.0/8"))],
            elsewhere: vec!["10.2.2.0/24".parse().unwrap()],
            ..Plan::default()
        };
        let inside = asked(&plan, Direction::In, &flow("10.2.2.10", "10.2.2.2"), 1);
        assert_eq!(inside, Some(Action::Allow));
        assert_eq!(spi(asked(&plan, Direction::In, &flow("10.1.1.1", "10.2.2.2"), 1)), Some(0));
    }

    /// The longest remote prefix decides, and the newest among equal ones.
    #[test]
    fn the_right_sa_carries_a_packet() {
        let plan = Plan {
            sas: vec![
                sa(1, net("10.1.0.0/16", "10.2.0.0/16")),
                sa(2, net("10.1.0.0/16", "10.2.3.0/24")),
                sa(3, net("10.1.0.0/16", "10.2.0.0/16")),
            ],
            lines: vec![line(1, net("10.1.0.0/16", "10.2.0.0/16"))],
            ..Plan::default()
        };
        let out = |destination| spi(asked(&plan, Direction::Out, &flow("10.1.1.1", destination), 2));
        assert_eq!((out("10.2.2.2"), out("10.2.3.3"), out("10.7.7.7")), (Some(3), Some(2), None));
    }

    /// While a new child SA has no outbound SA, the old one stays in use, and both receive.
    #[test]
    fn a_pair_is_heard_before_it_is_used() {
        let both = net("10.1.0.0/16", "10.2.0.0/16");
        let mut plan = Plan { sas: vec![sa(1, both)], ..Plan::default() };
        plan.sas.push(Rule { verdict: Verdict::InboundOnly, ..sa(2, both) });
        let to = flow("10.1.1.1", "10.2.2.2");
        assert_eq!(spi(asked(&plan, Direction::Out, &to, 2)), Some(1));
        plan.sas.remove(0);
        assert_eq!(asked(&plan, Direction::Out, &to, 2), None);
        assert_eq!(asked(&plan, Direction::In, &to.reversed(), 2), Some(Action::Protect(ANY_OF_OURS)));
    }

    #[test]
    fn pools_are_blocked_until_a_client_has_its_address() {
        let any = Proxy::between(AddressRange::ANY_V4, AddressRange::ANY_V4);
        let pool = Rule { interface: 2, net: net("0.0.0.0/0", "10.5.5.0/24"), verdict: Verdict::Block };
        let mut plan = Plan { pools: vec![pool], ..Plan::default() };
        let to = flow("10.1.1.1", "10.5.5.1");
        assert_eq!(asked(&plan, Direction::Out, &to, 2), Some(Action::Block));
        assert_eq!(asked(&plan, Direction::In, &to.reversed(), 2), Some(Action::Block));
        plan.sas.push(sa(9, Net::of(&any, Some(Ipv4Addr::new(10, 5, 5, 1).into())).unwrap()));
        assert_eq!(spi(asked(&plan, Direction::Out, &to, 2)), Some(9));
        assert_eq!(spi(asked(&plan, Direction::Forward, &to.reversed(), 2)), Some(0));
        let other = flow("10.1.1.1", "10.5.5.2");
        assert_eq!(asked(&plan, Direction::Out, &other, 2), Some(Action::Block));
    }

    /// A fragment has no ports, and must not bypass a line that names one.
    #[test]
    fn fragments_go_with_their_packet() {
        let dns =
            Net { protocol: Some(protocol::UDP), remote_port: Some(53), ..net("10.1.0.0/16", "10.2.0.0/16") };
        let plan = Plan { sas: vec![sa(5, dns)], ..Plan::default() };
        let port = |port| Flow {
            protocol: protocol::UDP,
            source_port: port,
            destination_port: port,
            ..flow("10.1.1.1", "10.2.2.2")
        };
        assert_eq!(spi(asked(&plan, Direction::Out, &port(Some(53)), 2)), Some(5));
        assert_eq!(spi(asked(&plan, Direction::Out, &port(None), 2)), Some(5));
        assert_eq!(asked(&plan, Direction::Out, &port(Some(54)), 2), None);
    }

    #[test]
    fn a_range_or_a_foreign_lease_is_no_policy() {
        let range = AddressRange::new(Ipv4Addr::new(10, 1, 0, 1).into(), Ipv4Addr::new(10, 1, 0, 9).into());
        assert_eq!(Net::of(&Proxy::between(AddressRange::ANY_V4, range.unwrap()), None), None);
        let remote = AddressRange::prefix("10.2.0.0/16".parse().unwrap());
        let lease = Some(Ipv4Addr::new(10, 5, 5, 1).into());
        assert_eq!(Net::of(&Proxy::between(AddressRange::ANY_V4, remote), lease), None);
    }

    #[test]
    fn only_what_changed_is_set() {
        let mut plan = Plan { sas: vec![sa(1, net("10.1.0.0/16", "10.2.0.0/16"))], ..Plan::default() };
        let old = plan.policies();
        plan.sas.push(sa(2, net("10.1.0.0/16", "10.2.0.0/16")));
        let rekeyed = plan.policies();
        let (set, gone) = difference(&old, &rekeyed);
        assert_eq!(set.iter().map(|policy| policy.direction).collect::<Vec<_>>(), [Direction::Out]);
        assert!(gone.is_empty());
        let (set, gone) = difference(&rekeyed, &BTreeMap::new());
        assert!(set.is_empty() && gone.len() == 3);
    }

    /// A line of an entry that is left out comes before an SA with a wider proxy identity, and not
    /// before one with a narrower one.
    #[test]
    fn what_is_left_out_takes_no_wider_sa() {
        let mut plan = Plan::default();
        plan.sas.push(sa(1, net("10.1.0.0/16", "10.0.0.0/8")));
        plan.sas.push(sa(2, net("10.1.0.0/16", "10.2.2.0/24")));
        plan.left_out.push(Rule { verdict: Verdict::Block, ..sa(0, net("10.1.0.0/16", "10.2.0.0/16")) });
        let policies = plan.policies();
        let mut out: Vec<_> = policies.iter().filter(|((way, _), _)| *way == Direction::Out).collect();
        out.sort_by_key(|(_, (priority, _))| *priority);
        let order: Vec<_> = out.iter().map(|((_, of), _)| of.destination.to_string()).collect();
        assert_eq!(order, ["10.2.2.0/24", "10.2.0.0/16", "10.0.0.0/8"]);
        assert!(matches!(out[1].1.1, Action::Block));
    }

    /// SAs, then lines, then pools: the priorities of one kind never overlap those of the next, and
    /// all are in Hubward's range.
    #[test]
    fn the_kinds_of_policies_do_not_mix() {
        let all = net("0.0.0.0/0", "0.0.0.0/0");
        let (first, last) = (net("10.1.0.0/16", "10.2.0.0/16"), net("10.1.0.0/16", "10.3.0.0/16"));
        let place = |rule: Rule, place: u32| {
            let mut policies = BTreeMap::new();
            rule.add(&mut policies, place);
            policies.into_values().map(|(priority, _)| priority).max().unwrap()
        };
        let only = |plan: Plan| {
            let policies = plan.policies();
            let priorities: Vec<_> = policies.into_values().map(|(priority, _)| priority).collect();
            assert!(priorities.iter().all(|priority| Priorities::are_ours(*priority)), "{priorities:?}");
            (priorities.iter().min().copied().unwrap(), priorities.iter().max().copied().unwrap())
        };
        let (_, widest_sa) = only(Plan { sas: vec![sa(1, all)], ..Plan::default() });
        let (first_line, _) = only(Plan { lines: vec![line(0, first)], ..Plan::default() });
        let last_line = place(line(LINES as u32, last), FIRST_LINE + LINES as u32 - 1);
        let pool = Rule { verdict: Verdict::Block, ..sa(0, all) };
        let (pool, _) = only(Plan { pools: vec![pool], ..Plan::default() });
        assert!(widest_sa < first_line && first_line < last_line && last_line < pool);
        assert!(Reqids::are_ours(Reqids::ASK + LINES as u32) && !Reqids::are_ours(Reqids::LAST + 1));
    }

    #[test]
    fn a_net_is_a_pair_of_prefixes() {
        let range = |text: &str| AddressRange::prefix(text.parse().unwrap());
        let wide = AddressRange::new(Ipv4Addr::new(10, 1, 0, 1).into(), Ipv4Addr::new(10, 1, 0, 9).into());
        let (a, b) = (range("10.1.0.0/16"), range("10.2.0.0/16"));
        for (local, remote, lease, expected) in [
            (a, b, None, Some(net("10.1.0.0/16", "10.2.0.0/16"))),
            (a, b, Some("10.2.3.4"), Some(net("10.1.0.0/16", "10.2.3.4/32"))),
            (a, b, Some("10.3.0.1"), None),
            (a, b, Some("2001:db8::1"), None),
            (a, range("10.2.3.4/32"), None, Some(net("10.1.0.0/16", "10.2.3.4/32"))),
            (wide.unwrap(), b, None, None),
            (a, wide.unwrap(), None, None),
            (range("2001:db8::/32"), range("2001:db8:1::/48"), None, None),
        ] {
            let lease = lease.map(|lease| lease.parse().unwrap());
            assert_eq!(Net::of(&Proxy::between(local, remote), lease), expected, "{local:?} {remote:?}");
        }
        let ports = Proxy {
            protocol: Some(protocol::TCP),
            local_port: Some(1024),
            remote_port: Some(80),
            ..Proxy::between(a, b)
        };
        let of = Net::of(&ports, None).unwrap();
        let (out, inward) = (of.outward(7), of.inward());
        assert_eq!((out.source, out.destination), (of.local, of.remote));
        assert_eq!((out.source_port, out.destination_port, out.interface), (Some(1024), Some(80), 7));
        assert_eq!((inward.source, inward.destination), (of.remote, of.local));
        assert_eq!(
            (inward.source_port, inward.destination_port, inward.interface),
            (Some(80), Some(1024), 0)
        );
        let bare = Net { protocol: Some(protocol::TCP), ..net("10.1.0.0/16", "10.2.0.0/16") };
        assert_eq!(of.without_ports(), bare);
    }

    /// What a rule becomes in each direction: how many policies, and of what kind.
    #[test]
    fn a_rule_is_a_policy_for_each_direction() {
        let plain = net("10.1.0.0/16", "10.2.0.0/16");
        let with = |protocol| Net { protocol: Some(protocol), remote_port: Some(53), ..plain };
        let ours = Action::Protect(ANY_OF_OURS);
        for (net, verdict, out, inward, count) in [
            (plain, Verdict::Sa(template(5)), Some(Action::Protect(template(5))), ours, 3),
            (plain, Verdict::Ask(template(0)), Some(Action::Protect(template(0))), ours, 3),
            (plain, Verdict::InboundOnly, None, ours, 2),
            (plain, Verdict::Block, Some(Action::Block), Action::Block, 3),
            // twice: for the fragments too
            (with(protocol::UDP), Verdict::Sa(template(5)), Some(Action::Protect(template(5))), ours, 6),
            (with(protocol::TCP), Verdict::InboundOnly, None, ours, 4),
            (with(132), Verdict::Block, Some(Action::Block), Action::Block, 3),
        ] {
            let plan = Plan { lines: vec![Rule { interface: 2, net, verdict }], ..Plan::default() };
            let policies = plan.policies();
            assert_eq!(policies.len(), count, "{net:?} {verdict:?}");
            let said = |direction, selector| policies.get(&(direction, selector)).map(|(_, action)| *action);
            assert_eq!(said(Direction::Out, net.outward(2)), out, "{net:?} {verdict:?}");
            assert_eq!(said(Direction::In, net.inward()), Some(inward), "{net:?} {verdict:?}");
            assert_eq!(said(Direction::Forward, net.inward()), Some(inward), "{net:?} {verdict:?}");
        }
    }

    /// A line that repeats an earlier one, even on another interface, does not change the earlier
    /// one's policies.
    #[test]
    fn the_earlier_of_two_equal_lines_counts() {
        let both = net("10.1.0.0/16", "10.2.0.0/16");
        let lines = vec![line(1, both), line(2, both), Rule { interface: 3, ..line(3, both) }];
        let plan = Plan { lines, ..Plan::default() };
        let to = flow("10.1.1.1", "10.2.2.2");
        let reqid = |interface| match asked(&plan, Direction::Out, &to, interface) {
            Some(Action::Protect(template)) => Some(template.reqid - Reqids::ASK),
            _ => None,
        };
        assert_eq!((reqid(2), reqid(3), reqid(4)), (Some(1), Some(3), None));
        assert_eq!(plan.policies().len(), 4, "out by each interface, and in and forward once");
    }

    /// What must be set again and what must be removed, for each kind of change.
    #[test]
    fn each_change_sets_or_removes_what_it_must() {
        let (a, b) = (net("10.1.0.0/16", "10.2.0.0/16"), net("10.1.0.0/16", "10.3.0.0/16"));
        let plan = |lines: Vec<Rule>| Plan { lines, ..Plan::default() }.policies();
        let blocked = |net| Rule { verdict: Verdict::Block, ..line(0, net) };
        let old = plan(vec![line(0, a), line(1, b)]);
        let all = [Direction::In, Direction::Forward, Direction::Out];
        let sorted = |mut directions: Vec<Direction>| {
            directions.sort();
            directions
        };
        for (name, new, set, gone) in [
            ("nothing", plan(vec![line(0, a), line(1, b)]), vec![], vec![]),
            (
                "one more",
                plan(vec![line(0, a), line(1, b), line(2, net("10.1.0.0/16", "10.4.0.0/16"))]),
                all.to_vec(),
                vec![],
            ),
            ("one less", plan(vec![line(0, a)]), vec![], all.to_vec()),
            ("another peer", plan(vec![line(0, a), line(7, b)]), vec![Direction::Out], vec![]),
            ("no peer", plan(vec![line(0, a), blocked(b)]), all.to_vec(), vec![]),
            ("in front", plan(vec![line(1, b), line(0, a)]), [all, all].concat(), vec![]),
            (
                "another interface",
                plan(vec![line(0, a), Rule { interface: 9, ..line(1, b) }]),
                vec![Direction::Out],
                vec![Direction::Out],
            ),
        ] {
            let (changed, removed) = difference(&old, &new);
            let changed = sorted(changed.iter().map(|policy| policy.direction).collect());
            assert_eq!(changed, sorted(set), "{name}");
            assert_eq!(
                sorted(removed.iter().map(|(direction, _)| *direction).collect()),
                sorted(gone),
                "{name}"
            );
        }
        // the policies that are set are the wanted ones, and afterwards nothing is left to do
        let new = plan(vec![line(1, b), line(0, a), blocked(net("10.1.0.0/16", "10.4.0.0/16"))]);
        let (set, gone) = difference(&old, &new);
        let mut then = old.clone();
        then.extend(set.iter().map(|of| ((of.direction, of.selector), (of.priority, of.action))));
        then.retain(|name, _| !gone.contains(name));
        assert_eq!(then, new);
    }

    /// Exactly as many lines as there is room for become policies.
    #[test]
    fn there_is_room_for_so_many_lines() {
        let host = |number: usize| Ipv4Net::from(Ipv4Addr::from_bits(0x0a00_0000 + number as u32));
        let lines = |count| (0..count).map(|number| line(0, Net::all_to(host(number)))).collect();
        let outward = |count| {
            let policies = Plan { lines: lines(count), ..Plan::default() }.policies();
            policies.keys().filter(|(direction, _)| *direction == Direction::Out).count()
        };
        assert_eq!((outward(LINES), outward(LINES + 1)), (LINES, LINES));
    }
}
