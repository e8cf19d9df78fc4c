//! Commands of interfaces and terminal lines by name. What filters, restricts, translates or changes forwarding says so.

use super::Fate::{Forwarding, Inert, Unenforced, Unsupported};
use super::submode::Says::{Elsewhere, Is, Opens};
use super::submode::{Names, Sub};

/// Commands of interfaces.
pub(super) const INTERFACE: &[Names] = &[
    // global commands that begin as the interface's do
    (
        Elsewhere,
        "ip nat inside source; ip nat inside destination; ip nat outside source; ip nat pool; \
         ip nat translation; ip nat log; ip nat service; ip nat source; ip nat create; ip nat portmap; \
         ip nat settings; ip nat switchover; ip nat piggyback-support; ip nat stateful; ip nat sip-sbc; \
         ip inspect name; ip inspect log; ip inspect alert-off; ip inspect audit-trail; \
         ip inspect dns-timeout; ip inspect hashtable-size; ip inspect max-incomplete; \
         ip inspect one-minute; ip inspect tcp; ip inspect udp; ip inspect tee; \
         ip inspect l2-transparent; ip verify drop-rate; ip ospf name-lookup; ip pim rp-address; \
         ip pim rp-candidate; ip pim rp-announce-filter; ip pim send-rp-announce; \
         ip pim send-rp-discovery; ip pim bsr-candidate; ip pim ssm; ip pim spt-threshold; \
         ip pim accept-register; ip pim accept-rp; ip pim autorp; ip pim register-rate-limit; \
         ip pim register-source; ip pim vrf; ip pim bidir-enable; ip pim log-neighbor-changes; \
         ip nbar port-map; ip nbar pdlm; ip nbar custom; ip nbar classification; ip nbar resources",
    ),
    (
        Elsewhere,
        "ipv6 unicast-routing; ipv6 route; ipv6 access-list; ipv6 router; ipv6 prefix-list; ipv6 cef; \
         ipv6 local; ipv6 dhcp pool; ipv6 dhcp database; ipv6 dhcp binding; ipv6 multicast-routing; \
         ipv6 host; ipv6 hop-limit; ipv6 icmp; ipv6 neighbor; ipv6 nat translation; \
         ipv6 nat v4v6; ipv6 nat v6v4; ipv6 inspect name; ipv6 general-prefix; ipv6 source-route; \
         ipv6 ospf name-lookup; ipv6 port-map; ipv6 spd; ipv6 mfib; ipv6 mld state-limit; \
         ipv6 pim rp-address; ipv6 pim bsr; ipv6 pim spt-threshold; ipv6 mroute; ipv6 flowset; \
         ipv6 nd cache; ipv6 hop-by-hop; ipv6 snooping policy; ipv6 nd raguard policy",
    ),
    (
        Elsewhere,
        "cdp run; cdp timer; cdp holdtime; cdp advertise-v2; cdp source-interface; lldp run; lldp timer; \
         lldp holdtime; lldp reinit; clock timezone; clock summer-time; clock calendar-valid; clock save; \
         clock initialize; snmp mib; spanning-tree mode; spanning-tree extend; \
         spanning-tree logging; spanning-tree loopguard; spanning-tree backbonefast; \
         spanning-tree uplinkfast; spanning-tree pathcost; spanning-tree transmit; \
         spanning-tree etherchannel; spanning-tree portfast default; spanning-tree portfast bpduguard; \
         spanning-tree portfast bpdufilter; spanning-tree portfast edge default; \
         spanning-tree mst configuration; spanning-tree vlan * priority; spanning-tree vlan * root; \
         dialer watch-list",
    ),
    (
        Is(Unenforced("filters the interface's packets")),
        "mac access-group; l2-filter; storm-control; ip dhcp snooping; ip arp inspection; ip verify source; \
         ip rsvp access-group; ip drp access-group; ip multicast boundary; ip igmp access-group; \
         ip igmp filter; ip pim neighbor-filter; ip urlfilter; ip ips; ip audit; ipx access-group; \
         input-type-list; output-type-list; input-address-list; output-address-list; access-expression; \
         utd enable; ip trigger-authentication; content-scan out; ip vrf sitemap; \
         bridge-group * input-address-list; bridge-group * output-address-list; \
         bridge-group * input-type-list; bridge-group * output-type-list; \
         bridge-group * input-pattern-list; bridge-group * output-pattern-list",
    ),
    (
        Is(Unenforced("demands authentication of hosts")),
        "ip admission; ip auth-proxy; dot1x; authentication; access-session; mab; eou; cts manual; \
         cts dot1x; cts role-based; macsec; mka; device-tracking; ip device tracking; epm; webauth",
    ),
    (
        Is(Forwarding("routes multicast")),
        "ip igmp; ip multicast; ip cgmp; ip dvmrp; ip mrm; ip sap; ip sdr; ip mfib; ip rgmp; ip urd",
    ),
    (
        Is(Forwarding("is a routing protocol's")),
        "ip router; ip eigrp; ip hello-interval; ip hold-time; ip bandwidth-percent; ip summary-address; \
         ip split-horizon; ip next-hop-self; ip dampening-change; ip dampening-interval; \
         ip authentication mode; ip authentication key-chain; ip bgp fast-external-fallover; ip irdp; \
         isis; clns; ospfv3; eigrp; bfd; ip advertise-map; bgp-policy; ip gdp; ip lisp; \
         appletalk; ipx; decnet; vines; xns; apollo; ip vrf receive; ip vrf select; ip fast-reroute",
    ),
    (
        Is(Forwarding("switches labels")),
        "mpls ip; mpls bgp; mpls label; mpls ldp discovery; mpls ldp igp; mpls mtu; mpls traffic-eng tunnels; \
         mpls traffic-eng administrative-weight; mpls traffic-eng attribute-flags; \
         mpls traffic-eng backup-path; mpls traffic-eng flooding; mpls traffic-eng srlg; \
         mpls traffic-eng passive-interface; mpls accounting; mpls netflow; mpls control-word; \
         mpls experimental; tag-switching ip; tag-switching mtu",
    ),
    (
        Is(Forwarding("changes how packets are forwarded")),
        "bridge-group; l2protocol-tunnel; ip wccp; ip local-proxy-arp; ip sticky-arp; ip mobile arp; \
         ip load-sharing; ip broadcast-address; ip dhcp relay; ip dhcp smart-relay; backup; ip pgm; ip rsvp; \
         ip tcp compression-connections; ip tcp header-compression; ip portbundle; ip subscriber; \
         rate-limit; traffic-shape; ip mobile; mobile ip; mobile router; nat64; nat66; ip casa; \
         ip cef load-sharing; private-vlan; member vni; bridge-domain; ip nat-pt; ip path-mtu-discovery; \
         ip sgt; ip slb; transmit-interface; ip unnumbered poll; ip route-cache policy; ip tunnel; \
         ip mask-reply; ip information-reply; ip probe; ip redirect",
    ),
    (
        Is(Unsupported("the gateway is not shared with another router")),
        "glbp; redundancy rii; redundancy group; redundancy asymmetric-routing; redundancy inter-device; \
         ip redundancy",
    ),
    (
        Is(Unsupported("there is no QoS")),
        "ip rtp priority; ip rtp reserve; ip rtp header-compression; ip rtp compression-connections; \
         priority-group; custom-queue-list; random-detect; max-reserved-bandwidth; tx-ring-limit; \
         tx-queue-limit; priority-queue; wrr-queue; rcv-queue; srr-queue; queue-set; mls qos trust; \
         mls qos cos; mls qos vlan-based; mls qos dscp-mutation; auto qos; auto discovery qos; \
         frame-relay; qos pre-classify; qos trust; trust; platform qos; performance monitor; fair-queue; \
         qos fabric; service-policy; vbr-nrt; ubr; cbr; abr",
    ),
    (
        Is(Unsupported("nothing is accounted")),
        "ip accounting; accounting dhcp; ip cef accounting; ip cef traffic-statistics; \
         mpls accounting experimental",
    ),
    (
        Is(Unsupported("flows are not exported")),
        "flow monitor; flow-sampler; ip flow-sampler; ip flow monitor; sampler; netflow-sampler; \
         ip route-cache flow",
    ),
    (
        Is(Unsupported("the global setting applies")),
        "crypto ipsec fragmentation; crypto ipsec security-association; crypto engine accelerator; \
         crypto engine slot; crypto engine outside; crypto ipsec nat-transparency",
    ),
    (Is(Unsupported("GET VPN is not implemented")), "crypto gdoi"),
    (
        Is(Unsupported("is not implemented for interfaces")),
        "ip ddns update; ip dhcp-client; ip dhcp update; ip dhcp limit; ip dhcp use; ip dns view-group; \
         ip netbios; ip address-pool; arp; ip proxy-mobile; ip arp; \
         dlsw; lnm; netbios; source-bridge; sdlc; llc2; x25; lapb; cmns; smds; bsc; fras; stun; bstun; \
         qllc; locaddr-priority; ethernet; oam; cfm; ptp; dxi; vpdn; nhrp; otv; nve; evpn; overlay; pppoa; \
         l2transport; source-interface; host-reachability; domain; ip http client",
    ),
    (
        Is(Unsupported("there is no switch")),
        "channel-group; channel-protocol; port-channel; lacp; pagp; udld; vlan-id; vlan mapping; \
         vlan dot1q; vlan-range; mvr; rep; flowcontrol; power; dual-active; macro apply; macro trace; \
         macro description; dot1q; uni; nmsp; energywise; location; service-module; wlan-ap; lre; \
         mls switching; port-type; errdisable; vtp; fabricpath; switch; mac-address; macaddress; \
         negotiate; channelized; platform port-mode; platform ip; mac",
    ),
    (
        Is(Unsupported("PPP does not exist here")),
        "async; group-range; multilink; multilink-group; compress; autodetect; pulse-time; \
         dialer-group; map-group; map-class; isdn; physical-layer; virtual-profile; cellular; lte; \
         peer match; peer ip; peer neighbor-route; flow-control; script; callback; ip idle-group; \
         vrrs; gsm; qos-group",
    ),
    (Is(Inert("the host keeps the time")), "ntp broadcast; ntp disable; ntp multicast; sntp broadcast"),
    (
        Is(Inert("belongs to hardware that Linux looks after")),
        "carrier-delay; dampening; crc; framing; linecode; cablelength; cable; dce-terminal-timing-enable; \
         dcd-txstart; down-when-looped; half-duplex; full-duplex; ignore-dcd; ignore-hw; ignore; \
         invert; ring-speed; nrzi-encoding; scramble; transmitter-delay; transmit-clock-internal; \
         dte-invert-txc; early-token-release; dsu; fdl; national; remote; transceiver; mdix; \
         smt-queue-threshold; squelch; txclk; pos; aps; overhead; threshold; bert; loopback; \
         half-duplex controlled-carrier; link-fault-signaling; beacon; local-lnm; lbo; fddi; cmt; duty-cycle; \
         encryption; antenna; station-role; ssid; channel; power-save; rts; packet; payload-compression; \
         world-mode; infrastructure-client; dot11; guard-interval; stbc; probe-response; preamble-short; \
         wpa; dsl; vdsl; shdsl; sync; training; modem-on; medium; efm; line-code; clocking; \
         operating; ip-precedence; bufferpool; dce; hw-switch; eci-cpe; speed-limit; sonet; cem; \
         recovered-clock; serial-number; auto; ima-group; ima; lane; atm; tunable-optic; fec; media-type",
    ),
    (
        Is(Inert("counts and reports only")),
        "rmon; snmp trap; snmp ifindex; load-interval; counter; history; stack-mib; logging event; \
         logging snmp-trap; logging ip; monitor event-trace; description; alarm-report; \
         ip sla operation",
    ),
    (
        Is(Inert("voice does not exist here")),
        "h323-gateway; voice vlan; voice-class; connection; no voip; tdm; call",
    ),
    (
        Opens(Unsupported("virtual circuits do not exist here"), Sub::Pvc),
        "pvc; svc; class-int; range; bundle; vc-class",
    ),
    (Opens(Unsupported("there is no switch"), Sub::ServiceInstance), "service instance"),
    (Opens(Forwarding("carries frames to another router"), Sub::Xconnect), "xconnect"),
];

/// Commands of terminal lines.
pub(super) const LINE: &[Names] = &[
    (Elsewhere, "login block-for; login delay; login quiet-mode; login on-failure; login on-success"),
    (
        Is(Unenforced("restricts what users of this line may do")),
        "lockable; autocommand; autocommand-options; absolute-timeout",
    ),
    (Is(Unsupported("nothing is accounted")), "accounting"),
    (
        Is(Inert("there is no serial port")),
        "activation-character; autobaud; autohangup; autoselect; buffer-length; callback; chat-script; \
         data-character-bits; databits; default-value exec-character-bits; disconnect-character; \
         dispatch-character; dispatch-machine; dispatch-timeout; editing; exec-character-bits; \
         flush-at-activation; hold-character; insecure; international; keymap-type; \
         no-activation-character; notify; padding; parity; printer; raw-socket; rxspeed; script; \
         special-character-bits; start-character; state-machine; stop-character; telnet; \
         terminal-queue; terminal-type; txspeed; usb-inactivity-timeout; media-type; ip netmask-format; \
         ip tcp input-coalesce-threshold; domain-lookup; half-close; dial-backup; monitor; \
         modem; flow-control; transport-preferred; autodetect; ipv6 traffic-class; x25 profile; \
         stun; group-range; idle-character",
    ),
    (
        Is(Inert("is shown to nobody")),
        "motd-banner; exec-banner; vacant-message; refuse-message; location; history; full-help; help; \
         logout-warning; timestamp; session-disconnect-warning; logging-synchronous; prompt",
    ),
];
