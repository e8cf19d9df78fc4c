//! Commands of interfaces and terminal lines by name. Those that filter, restrict, translate or
//! change forwarding are marked.

use super::mode::Fate::{Forwarding, Inert, Unenforced, Unsupported};
use super::mode::Sub;
use super::says::Names;
use super::says::Says::{Elsewhere, Is, Opens};

/// Commands of interfaces.
pub(super) const INTERFACE: &[Names] = &[
    (Elsewhere, "crypto map ipv6 * *"),
    // global commands that begin like those of the interface
    (
        Elsewhere,
        "ip nat inside source; ip nat inside destination; ip nat outside source; ip nat pool; \
         ip nat translation; ip nat log; ip nat service; ip nat source; ip nat create; ip nat portmap; \
         ip nat settings; ip nat switchover; ip nat piggyback-support; ip nat stateful; ip nat sip-sbc; \
         ip inspect name; ip inspect log; ip inspect alert-off; ip inspect audit-trail; \
         ip inspect dns-timeout; ip inspect hashtable-size; ip inspect max-incomplete; \
         ip inspect one-minute; ip inspect tcp; ip inspect udp; ip inspect tee; \
         ip inspect l2-transparent; ip ospf name-lookup; ip pim rp-address; \
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
         ipv6 host; ipv6 hop-limit; ipv6 icmp; ipv6 neighbor; ipv6 nat translation; ipv6 nat v4v6; \
         ipv6 nat v6v4; ipv6 inspect name; ipv6 general-prefix; ipv6 source-route; ipv6 ospf name-lookup; \
         ipv6 port-map; ipv6 spd; ipv6 mld state-limit; ipv6 pim rp-address; ipv6 pim bsr candidate; \
         ipv6 pim bsr announced; ipv6 pim spt-threshold; ipv6 mroute; ipv6 flowset; ipv6 snooping policy; \
         ipv6 nd raguard policy",
    ),
    (
        Elsewhere,
        "cdp run; cdp timer; cdp holdtime; cdp advertise-v2; cdp source-interface; lldp run; lldp timer; \
         lldp holdtime; lldp reinit; clock timezone; clock summer-time; clock calendar-valid; clock save; \
         clock initialize; snmp mib; spanning-tree mode; spanning-tree extend; spanning-tree logging; \
         spanning-tree loopguard; spanning-tree backbonefast; spanning-tree uplinkfast; \
         spanning-tree pathcost; spanning-tree transmit; spanning-tree etherchannel; \
         spanning-tree portfast default; spanning-tree portfast bpduguard; \
         spanning-tree portfast bpdufilter; spanning-tree portfast edge default; \
         spanning-tree mst configuration; spanning-tree vlan * priority; spanning-tree vlan * root; \
         dialer watch-list",
    ),
    (
        Elsewhere,
        "dot1x system-auth-control; dot1x supplicant force-multicast; dot1x guest-vlan supplicant; \
         ip admission name; ip admission watch-list; ip admission init-state; \
         ip admission max-login-attempts; ip admission auth-proxy-banner; ip admission auth-proxy-audit; \
         ip admission absolute-timer; ip admission inactivity-timer; ip admission virtual-ip; \
         ip admission proxy; ip auth-proxy name; ip auth-proxy auth-proxy-banner; \
         ip auth-proxy auth-cache-time; ip auth-proxy inactivity-timer; ip auth-proxy absolute-timer; \
         ip auth-proxy auth-proxy-audit; ip auth-proxy max-login-attempts; ip auth-proxy watch-list; \
         ip ips name; ip ips config; ip ips notify; ip ips signature-category; ip ips sdf; ip ips fail; \
         ip ips deny-action; ip ips event-action-rules; ip ips auto-update; ip ips memory; \
         ip ips signature; ip ips signature-definition; ip audit name; ip audit notify; ip audit po; \
         ip audit smtp; ip audit signature; ip audit attack; ip audit info; ip igmp ssm-map; \
         ip igmp profile; ip igmp vrf; ip dhcp relay information option; ip dhcp relay information check; \
         ip dhcp relay information policy; ip dhcp relay information trust-all; ip dhcp relay bootp; \
         ip dhcp relay forward; authentication mac-move; authentication command",
    ),
    (
        Elsewhere,
        "bfd slow-timers; bfd map; clns routing; clns route; clns net; clns filter-set; clns host; \
         appletalk routing; ipx routing; ipx route; ipx router; decnet routing; vines routing; \
         mpls ldp discovery hello; mpls ldp discovery targeted-hello; mpls label range; \
         frame-relay switching; x25 routing; x25 route; x25 host; x25 profile; dlsw local-peer; \
         dlsw remote-peer; dlsw bridge-group; source-bridge ring-group; source-bridge remote-peer; \
         source-bridge transparent; stun peer-name; stun protocol-group; bstun peer-name; \
         bstun protocol-group; multilink bundle-name; multilink virtual-template; ethernet evc; \
         ethernet cfm domain; vtp mode; vtp domain; vtp version; vtp password; vtp pruning; vtp file; \
         vtp interface; ethernet cfm ieee; ethernet cfm global; ethernet ring; macro name; macro global; \
         port-channel load-balance",
    ),
    (
        Is(Unenforced("filters the interface's packets")),
        "mac access-group; ip traffic-export apply; l2-filter; storm-control; ip dhcp snooping trust; \
         ip dhcp snooping limit; ip dhcp snooping information option allow-untrusted; \
         ip arp inspection trust; ip arp inspection limit; ip verify source; ip rsvp access-group; \
         ip drp access-group; ip multicast boundary; ip igmp access-group; ip igmp filter; \
         ip pim neighbor-filter; ip ips; ip audit; ipx access-group; input-type-list; output-type-list; \
         input-address-list; output-address-list; access-expression; utd enable; \
         ip trigger-authentication; content-scan out; ip vrf sitemap; bridge-group * input-address-list; \
         bridge-group * output-address-list; bridge-group * input-type-list; \
         bridge-group * output-type-list; bridge-group * input-pattern-list; \
         bridge-group * output-pattern-list",
    ),
    (
        Is(Unenforced("puts packets into a VRF")),
        "ip vrf receive; ip vrf select; ip vrf autoclassify; vrf select",
    ),
    (Is(Unenforced("restricts packets by their security labels")), "ip security"),
    (Is(Unenforced("filters the interface's packets")), "access-group mode; mac packet-classify"),
    (
        Is(Unenforced("requires hosts to authenticate")),
        "ip admission; ip auth-proxy; dot1x; authentication; access-session; mab; eou; cts manual; \
         cts dot1x; cts role-based; cts layer3; device-tracking attach-policy; \
         ip device tracking maximum",
    ),
    (
        Is(Forwarding("routes multicast")),
        "ip igmp; ip igmp snooping; ip multicast rate-limit; ip multicast ttl-threshold; ip multicast helper-map; \
         ip multicast netflow; ip cgmp; ip dvmrp; ip mrm; ip sap; ip sdr; ip mfib; ip rgmp; ip urd",
    ),
    (
        Is(Forwarding("is a routing protocol's")),
        "ip router; ip eigrp; ip hello-interval; ip hold-time; ip bandwidth-percent; ip summary-address; \
         ip split-horizon; ip next-hop-self; ip dampening-change; ip dampening-interval; \
         ip authentication mode; ip authentication key-chain; ip bgp fast-external-fallover; ip irdp; \
         isis; clns; ospfv3; eigrp; bfd; ip advertise-map; bgp-policy; ip gdp; appletalk; ipx; decnet; \
         vines; xns; apollo; ipv6 router isis; \
         ip flowspec; ip fast-reroute",
    ),
    (
        Is(Forwarding("switches labels")),
        "mpls ip; mpls bgp; mpls label; mpls ldp discovery; mpls ldp igp; mpls mtu; \
         mpls traffic-eng tunnels; mpls traffic-eng administrative-weight; \
         mpls traffic-eng attribute-flags; mpls traffic-eng backup-path; mpls traffic-eng flooding; \
         mpls traffic-eng srlg; mpls traffic-eng passive-interface; mpls accounting; mpls netflow; \
         mpls control-word; mpls mldp; mpls l2transport; mpls tp; mpls atm; mpls prefix-map; \
         mpls propagate-cos; mpls forwarding; mpls oam; mpls experimental; tag-switching ip; \
         tag-switching mtu",
    ),
    (
        Is(Forwarding("changes how packets are forwarded")),
        "bridge-group; bridge-domain; l2protocol-tunnel; ip wccp redirect; ip wccp * redirect; \
         ip wccp * group-listen; ip wccp vrf * * redirect; ip local-proxy-arp; ip sticky-arp; \
         ip mobile arp; ip load-sharing; ip broadcast-address; ip dhcp relay; \
         ip dhcp relay information option subscriber-id; ip dhcp relay information option-insert; \
         ip dhcp smart-relay; backup; ip pgm; ip rsvp; ip tcp compression-connections; \
         ip tcp header-compression; ip portbundle; ip subscriber; rate-limit; traffic-shape; \
         ip mobile foreign-service; ip mobile prefix-length; ip mobile registration-lifetime; \
         ip mobile router-service; mobile ip; mobile router; nat64; nat66; ip cef load-sharing; \
         private-vlan; member vni; ip nat-pt; ip path-mtu-discovery; ip sgt; transmit-interface; \
         ip unnumbered poll; ip route-cache policy; ip mask-reply; ip information-reply; ip probe; \
         ip redirect; ip rarp-server; ip web-cache; lisp; routing dynamic; snapshot; mls rp; mls ip; \
         mls ipv6; waas; autonomic; auto-ip-ring; ip verify drop-rate; crypto connect; smrp; tarp; \
         sap-priority-list",
    ),
    (
        Is(Unsupported("there is no failover to another router")),
        "glbp; fhrp delay; redundancy rii; redundancy group; redundancy asymmetric-routing; \
         redundancy inter-device; ip redundancy",
    ),
    (
        Is(Unsupported("there is no QoS")),
        "ip rtp priority; ip rtp reserve; ip rtp header-compression; ip rtp compression-connections; \
         priority-group; custom-queue-list; random-detect; max-reserved-bandwidth; tx-ring-limit; \
         tx-queue-limit; priority-queue; wrr-queue; rcv-queue; srr-queue; queue-set; mls qos trust; \
         mls qos cos; mls qos vlan-based; mls qos dscp-mutation; auto qos; auto discovery qos; \
         ip header-compression; metadata; plim; queue-limit; queue-mode; load-balancing; load-balance; \
         mls qos; service-policy type; fair-queue aggregate; nbar; \
         frame-relay; qos pre-classify; qos trust; trust; platform qos; fair-queue; qos fabric; \
         service-policy; vbr-nrt; ubr; cbr; abr",
    ),
    (
        Is(Unsupported("nothing is accounted")),
        "ip accounting; accounting dhcp; ip cef accounting; ip cef traffic-statistics; \
         mpls accounting experimental",
    ),
    (
        Is(Unsupported("flows are not exported")),
        "flow monitor; datalink flow monitor; et-analytics; mls netflow; flow-sampler; ip flow-sampler; \
         ip flow monitor; netflow-sampler; ip route-cache flow; \
         performance monitor",
    ),
    (
        Is(Unsupported("the global setting applies")),
        "crypto ipsec fragmentation; crypto ipsec security-association; crypto ipsec nat-transparency",
    ),
    (Is(Unsupported("GET VPN is not implemented")), "crypto gdoi"),
    (Is(Unsupported("MACsec is not implemented")), "macsec; mka"),
    (
        Is(Unsupported("is not implemented for interfaces")),
        "ip ddns update; ip dhcp-client; ip dhcp update; ip dhcp limit; ip dhcp use; ip dns view-group; \
         ip netbios; ip address-pool; arp arpa; arp probe; arp snap; arp frame-relay; arp log; \
         arp authorized; arp smds; ip arp gratuitous; ip proxy-mobile; dlsw; lnm; netbios; source-bridge; \
         sdlc; llc2; x25; lapb; cmns; smds; bsc; fras; stun; bstun; qllc; locaddr-priority; ethernet; \
         oam; cfm; ptp; dxi; otv; nve; evpn; overlay; pppoa; l2transport; source-interface; \
         host-reachability; ip http client",
    ),
    (
        Is(Unsupported("there is no switch")),
        "channel-group; channel-protocol; vtp; port-channel; lacp; pagp; udld port; udld enable; vlan-id; \
         vlan mapping; vlan dot1q; vlan-range; mvr; rep; flowcontrol; power; dual-active; macro apply; \
         macro auto; macro trace; macro description; dot1q; uni; nmsp; energywise; location; \
         service-module; wlan-ap; lre; mls switching; port-type; fabricpath; mac-address; macaddress; \
         channelized; platform port-mode; platform ip; stackwise-virtual; \
         mvrp; port-name; vpc; nhrp map; if-state nhrp; nhrp group; nhrp event-publisher; nhrp attribute",
    ),
    (
        Is(Unsupported("PPP does not exist here")),
        "async; group-range; multilink; multilink-group; compress; autodetect; pulse-time; dialer-group; \
         map-group; isdn; physical-layer; cellular; lte; peer match; peer ip; peer neighbor-route; \
         flow-control; script; callback; ip idle-group; vrrs; gsm; qos-group; timeout absolute; \
         clockrate; pseudowire",
    ),
    (Is(Inert("the host keeps the time")), "ntp broadcast; ntp disable; ntp multicast"),
    (
        Is(Inert("belongs to hardware that Linux manages")),
        "crypto engine; crypto engine accelerator; crypto engine slot; crypto engine outside; carrier-delay; network-clock; synchronous mode; peakdetect; dfs band; dfs; dampening; crc; \
         framing; linecode; cablelength; cable; dce-terminal-timing-enable; dcd-txstart; \
         down-when-looped; half-duplex; full-duplex; ignore-dcd; ignore-hw; ignore; invert; ring-speed; \
         nrzi-encoding; scramble; transmitter-delay; transmit-clock-internal; dte-invert-txc; \
         early-token-release; dsu; fdl; national; transceiver; mdix; smt-queue-threshold; squelch; txclk; \
         pos; aps; overhead; bert; loopback; half-duplex controlled-carrier; link-fault-signaling; \
         beacon; local-lnm; lbo; fddi; cmt; duty-cycle; encryption; antenna; station-role; ssid; channel; \
         power-save; rts; payload-compression; world-mode; infrastructure-client; dot11; guard-interval; \
         stbc; probe-response; preamble-short; wpa; dsl; vdsl; shdsl; training; modem-on; medium; efm; \
         line-code; clocking; operating; bufferpool; dce; speed-limit; sonet; cem; recovered-clock; \
         ima-group; ima; lane; hssi; international bit; \
         timeslot; ts16; line-termination; wanphy; network-clock-priority; bundle-enable; broadcast-key; \
         packet retries; fragment-threshold; payload-encapsulation; atm; tunable-optic; fec; media-type",
    ),
    (
        Is(Inert("counts and reports only")),
        "rmon; snmp trap; snmp ifindex; load-interval; history; stack-mib; logging event; \
         logging snmp-trap; logging ip; monitor event-trace; description; alarm-report",
    ),
    (Is(Inert("voice does not exist here")), "h323-gateway; voice vlan; voice-class"),
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
        "login tacacs; login rlogin; lockable; autocommand; autocommand-options; absolute-timeout",
    ),
    (Is(Unsupported("nothing is accounted")), "accounting"),
    (
        Is(Inert("there is no serial port")),
        "activation-character; private; start-chat; timeout login; autobaud; autohangup; autoselect; \
         buffer-length; callback; chat-script; data-character-bits; databits; \
         default-value exec-character-bits; disconnect-character; dispatch-character; dispatch-machine; \
         dispatch-timeout; editing; exec-character-bits; flush-at-activation; hold-character; insecure; \
         international; keymap-type; no-activation-character; notify; padding; parity; printer; \
         raw-socket; rxspeed; script; special-character-bits; start-character; state-machine; \
         stop-character; telnet; terminal-queue; terminal-type; txspeed; usb-inactivity-timeout; \
         media-type; ip netmask-format; ip tcp input-coalesce-threshold; domain-lookup; half-close; \
         dial-backup; monitor; modem; flow-control; transport-preferred; autodetect; ipv6 traffic-class; \
         x25 profile; stun; group-range; idle-character",
    ),
    (
        Is(Inert("is not shown to anyone")),
        "motd-banner; exec-banner; vacant-message; refuse-message; location; history; full-help; help; \
         logout-warning; timestamp; session-disconnect-warning; exec prompt",
    ),
];
