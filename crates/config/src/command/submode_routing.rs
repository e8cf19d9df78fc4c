//! Commands of routing protocols, VRFs and key chains by name. They share the fate of
//! what opens their mode.

use super::mode::Sub;
use super::says::Modes;
use super::says::Says::{Elsewhere, Nests, Shares};

/// Commands of every routing protocol.
const ROUTER: &str = "area; auto-cost; auto-summary; bfd; bgp; capability; compatible; \
 default-information; default-metric; discard-route; distance; distribute-list; domain-id; domain-tag; \
 eigrp; event-log; event-log-size; external; fast-flood; fast-reroute; flash-update-threshold; \
 graceful-restart; help; host-routing; hostname dynamic; ignore; input-queue; ip next-hop-self; ispf; \
 is-type; isis; limit retransmissions; local-lfa-off; log-adj-changes; log-adjacency-changes; \
 log-neighbor-changes; log-neighbor-warnings; lsp-full; lsp-gen-interval; lsp-mtu; lsp-password; \
 lsp-refresh-interval; match-all; max-area-addresses; max-lsa; max-lsp-lifetime; max-metric; \
 maximum-paths; maximum-prefix; maximum-secondary-paths; metric; metric-style; microloop; mpls ldp; \
 mpls traffic-eng; multi-topology; neighbor; net; network; nsf; nsr; offset-list; output-delay; \
 partition; passive-interface; prc-interval; prefix-priority; prefix-suppression; protocol shutdown; \
 queue-depth; receive-label; redistribute; router-id; segment-routing; send-label; set-attached-bit; \
 set-overload-bit; shutdown; skeptical; snmp context; snmp-server context; spf-interval; summary-address; \
 summary-prefix; synchronization; table-map; timers; traffic-share; triggered; ttl-security; \
 use external-metric; update-source; validate-update-source; variance; version; aggregate-address; \
 area-password; authentication; authentication-key; adjacency-check; advertise; advertisement-interval; \
 autonomous-system; af-cap; bgp-policy; domain-password; hello; hello-interval; hello padding; \
 ip authentication; keepalive; local rib; protocol; route; process-min-time; exit-peer; interface-id; \
 lisp; nhrp; passive; mode; dn-bit-check; summary-metric; default; distribute; description; \
 metric maximum-hops; metric rib-scale; metric version; metric weights; interface-metric; inherit; scope; \
 locator; instance-id; no-summary; ipv4; ipv6 map; ipv4 itr; ipv4 etr; ipv4 map-server; \
 ipv4 map-resolver; ipv6 itr; ipv6 etr; eid-table; site; loc-reach-algorithm; ddt; map-server; \
 database-mapping; border; policy-rules; holddown; learn; max-range-receive; target";

/// Commands of one neighbour, or of a template of neighbours.
const TEMPLATE: &str = "advertisement-interval; allowas-in; as-override; capability; default-originate; \
 description; disable-connected-check; distribute-list; dmzlink-bw; ebgp-multihop; fall-over; \
 filter-list; inherit; local-as; log-neighbor-changes; maximum-prefix; next-hop-self; next-hop-unchanged; \
 password; prefix-list; remote-as; remove-private-as; route-map; route-reflector-client; send-community; \
 send-label; shutdown; soft-reconfiguration; soo; timers; translate-update; transport; ttl-security; \
 unsuppress-map; update-source; version; weight; activate; additional-paths; advertise; cluster-id; \
 ha-mode; slow-peer; path-attribute; peer-type";

/// Commands of a protocol's interface.
const INTERFACE: &str = "add-paths; authentication; bandwidth-percent; bfd; dampening-change; \
 dampening-interval; hello-interval; hold-time; next-hop-self; no-ecmp-mode; passive-interface; shutdown; \
 split-horizon; stub-site; summary-address; cost; network; priority; dead-interval; metric; mtu-ignore; \
 retransmit-interval";

pub(super) const ROUTING: Modes = &[
    (
        Sub::Router,
        &[
            (Shares, ROUTER),
            (Nests(Sub::RouterFamily), "address-family; topology; service-family; scope; vrf"),
            (Nests(Sub::RouterTemplate), "template peer-policy; template peer-session; template"),
            (Nests(Sub::RouterInterface), "af-interface; sf-interface"),
            (Elsewhere, "vrf definition; interface *; key chain"),
        ],
    ),
    (
        Sub::RouterFamily,
        &[
            (Shares, ROUTER),
            (Shares, "exit-address-family; import; export; dampening; remote-neighbors; route-target; rd"),
            (Nests(Sub::RouterInterface), "af-interface; sf-interface"),
            (Nests(Sub::RouterFamily), "topology"),
        ],
    ),
    (Sub::RouterInterface, &[(Shares, INTERFACE)]),
    (Sub::RouterTemplate, &[(Shares, TEMPLATE)]),
    (
        Sub::Vrf,
        &[
            (
                Shares,
                "rd; route-target; ipv4 multicast; ipv6 multicast; import; export; maximum routes; \
                 description; vpn; mdt; bgp; context; inter-as-hybrid; route-replicate; vnet; rd-auto; \
                 domain; snmp context; protection; tag-range; exit-vrf; route-tag; \
                 remote-route-filtering; evpn; forwarding; global",
            ),
            (Nests(Sub::VrfFamily), "address-family"),
        ],
    ),
    (
        Sub::VrfFamily,
        &[(
            Shares,
            "route-target; import; export; maximum routes; mdt; bgp; inter-as-hybrid; route-replicate; \
             protection; snmp context; topology; exit-address-family",
        )],
    ),
    (
        Sub::KeyChain,
        &[(Nests(Sub::Key), "key *"), (Shares, "description"), (Elsewhere, "key chain; key config-key")],
    ),
    (
        Sub::Key,
        &[(
            Shares,
            "key-string; accept-lifetime; send-lifetime; cryptographic-algorithm; send-id; recv-id; \
             include-tcp-options; lifetime",
        )],
    ),
];
