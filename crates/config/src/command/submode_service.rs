//! Commands of the router's services by name, and the global commands that open these modes.

use super::mode::Fate::{Forwarding, Inert, Unenforced, Unsupported};
use super::mode::Sub;
use super::says::Says::{Elsewhere, Is, Nests, Opens, Shares};
use super::says::{Modes, Names};

const VOICE: super::mode::Fate = Inert("voice does not exist here");
const HARDWARE: super::mode::Fate = Inert("belongs to hardware that does not exist here");
const MANAGEMENT: super::mode::Fate = Inert("this way of management does not exist here");

/// Global commands: which modes they open, and those that no table has.
pub(super) const GLOBAL: &[Names] = &[
    // routing
    (Opens(Forwarding("is a routing protocol"), Sub::Router), "router; ipv6 router"),
    (Opens(Forwarding("makes a VRF"), Sub::Vrf), "ip vrf; vrf definition"),
    (Opens(Inert("only routing protocols use it"), Sub::KeyChain), "key chain"),
    // lines of the families that open nothing
    (
        Is(Unsupported("IPv6 is not configured")),
        "ipv6 unicast-routing; ipv6 route; ipv6 cef; ipv6 prefix-list; ipv6 host; ipv6 hop-limit; \
         ipv6 icmp; ipv6 local; ipv6 multicast-routing; ipv6 neighbor; ipv6 nat; ipv6 source-route; \
         ipv6 general-prefix; ipv6 inspect; ipv6 port-map; ipv6 mfib; ipv6 mld; ipv6 pim; ipv6 ospf; \
         ipv6 spd; ipv6 dhcp database; ipv6 mroute; ipv6 nd; ipv6 address-validate; ipv6 traffic-filter; \
         ipv6 verify",
    ),
    (
        Is(Unsupported("paths are not measured")),
        "ip sla schedule; ip sla reaction-configuration; ip sla reaction-trigger; ip sla responder; \
         ip sla logging; ip sla enable; ip sla key-chain; ip sla low-memory; ip sla restart; \
         ip sla group; ip sla apm; ip sla monitor schedule; ip sla monitor responder; \
         ip sla monitor reaction-configuration; ip sla server; ip sla ethernet-monitor schedule; \
         ip sla reset; track timer; track resolution; rtr schedule; rtr responder; \
         rtr reaction-configuration",
    ),
    (
        Is(Unsupported("certificates are not implemented")),
        "crypto pki authenticate; crypto pki enroll; crypto pki import; crypto pki export; \
         crypto pki crl; crypto pki cert; crypto pki certificate storage; \
         crypto pki certificate validate; crypto pki token; crypto pki trustpool import; \
         crypto pki benchmark; crypto pki http; crypto ca authenticate; crypto ca enroll; \
         crypto ca import; crypto ca export; crypto ca crl",
    ),
    (
        Is(Unsupported("RSA keys are not implemented")),
        "crypto key generate; crypto key zeroize; crypto key export; crypto key import; \
         crypto key storage; crypto key encrypt; crypto key decrypt; crypto key lock; crypto key unlock; \
         crypto key move",
    ),
    (
        Is(Unsupported("IKEv2 is not implemented")),
        "crypto ikev2 dpd; crypto ikev2 nat; crypto ikev2 limit; crypto ikev2 cookie-challenge; \
         crypto ikev2 diagnose; crypto ikev2 window; crypto ikev2 fragmentation; \
         crypto ikev2 certificate-cache; crypto ikev2 http-url; crypto ikev2 redirect; \
         crypto ikev2 reconnect; crypto ikev2 invalid-spi-recovery; crypto ikev2 disconnect-revoked-peers",
    ),
    (
        Is(Unsupported("nothing is done on events")),
        "event manager directory; event manager policy; event manager environment; event manager session; \
         event manager scheduler; event manager history; event manager detector; event manager run; \
         event manager update",
    ),
    (Is(MANAGEMENT), "parser cache; parser command; parser config"),
    (
        Is(VOICE),
        "dial-peer terminator; dial-peer hunt; dial-peer inbound; dial-peer search; dial-peer data; \
         dial-peer no-match; dial-peer outbound",
    ),
    // policies
    (Opens(Inert("has an effect only through a policy"), Sub::ClassMap), "class-map"),
    (Opens(Inert("has an effect only where it is applied"), Sub::PolicyMap), "policy-map"),
    (Opens(Inert("has an effect only through a policy"), Sub::ParameterMap), "parameter-map"),
    (Opens(Unenforced("is the zone-based firewall's"), Sub::Zone), "zone security; zone"),
    (Opens(Unenforced("is the zone-based firewall's"), Sub::ZonePair), "zone-pair"),
    (
        Opens(Unsupported("groups of this kind are not read"), Sub::ObjectGroup),
        "object-group security; object-group v6-network; object-group v6-service",
    ),
    (Opens(Unenforced("may filter what reaches the router itself"), Sub::ControlPlane), "control-plane"),
    (
        Opens(Unsupported("IPv6 is not configured"), Sub::Acl6),
        "ipv6 access-list role-based; mac access-list; ip access-list role-based; \
         ipx access-list; arp access-list",
    ),
    (
        Opens(Inert("has an effect only through a policy"), Sub::Loose),
        "vlan access-map; map-class; table-map; policy-list; ip policy-list",
    ),
    // crypto
    (
        Opens(Unsupported("certificates are not implemented"), Sub::Trustpoint),
        "crypto pki trustpoint; crypto ca trustpoint; crypto ca identity; crypto pki profile enrollment; \
         crypto ca profile enrollment; crypto ca trusted-root; crypto pki trustpool policy",
    ),
    (
        Opens(Unsupported("certificates are not implemented"), Sub::CertificateMap),
        "crypto pki certificate map; crypto ca certificate map",
    ),
    (
        Opens(Unsupported("certificates are not implemented"), Sub::CertificateChain),
        "crypto pki certificate chain; crypto ca certificate chain; crypto pki certificate pool",
    ),
    (
        Opens(Unsupported("certificates are not implemented"), Sub::PkiServer),
        "crypto pki server; crypto ca server; crypto cs-server",
    ),
    (Opens(Unsupported("RSA keys are not implemented"), Sub::PubkeyRing), "crypto key pubkey-chain"),
    (Opens(Forwarding("protects IPv6 packets"), Sub::Loose), "crypto map ipv6 * *"),
    (Opens(Forwarding("protects tunnel interfaces"), Sub::IpsecProfile), "crypto ipsec profile"),
    (Opens(Unsupported("per-peer settings are not implemented"), Sub::IsakmpPeer), "crypto isakmp peer"),
    (Opens(Unsupported("is another kind of client"), Sub::Ezvpn), "crypto ipsec client ezvpn"),
    (Opens(Unsupported("IKEv2 is not implemented"), Sub::Ikev2Proposal), "crypto ikev2 proposal"),
    (Opens(Unsupported("IKEv2 is not implemented"), Sub::Ikev2Policy), "crypto ikev2 policy"),
    (Opens(Unsupported("IKEv2 is not implemented"), Sub::Ikev2Keyring), "crypto ikev2 keyring"),
    (Opens(Unsupported("IKEv2 is not implemented"), Sub::Ikev2Profile), "crypto ikev2 profile"),
    (
        Opens(Unsupported("IKEv2 is not implemented"), Sub::Ikev2Authorization),
        "crypto ikev2 authorization policy; crypto ikev2 name-mangler",
    ),
    (
        Opens(Unsupported("IKEv2 is not implemented"), Sub::Ikev2Client),
        "crypto ikev2 client flexvpn; crypto ikev2 cluster",
    ),
    (
        Opens(Unsupported("GET VPN is not implemented"), Sub::Gdoi),
        "crypto gdoi group; crypto gkm group; crypto gdoi",
    ),
    (
        Opens(Unsupported("certificates are not implemented"), Sub::Identity),
        "crypto identity; identity policy; identity profile",
    ),
    // services
    (
        Opens(Unsupported("paths are not measured"), Sub::Sla),
        "ip sla; ip sla monitor; rtr; ip sla auto; ip sla ethernet-monitor; ip sla profile",
    ),
    (Opens(Unsupported("nothing is tracked"), Sub::Track), "track"),
    (Opens(Unsupported("nothing is done on events"), Sub::Applet), "event manager applet"),
    (Opens(Unsupported("no server is asked"), Sub::AaaServers), "aaa group server"),
    (Opens(Unsupported("no server is asked"), Sub::AaaServer), "radius server; tacacs server; ldap server"),
    (
        Opens(Unsupported("no server is asked"), Sub::Loose),
        "aaa server radius; aaa accounting; aaa local; aaa cache profile",
    ),
    (
        Opens(Unsupported("the list's attributes are not sent"), Sub::AttributeList),
        "aaa attribute list; crypto aaa attribute list; ldap attribute-map; aaa user profile",
    ),
    (
        Opens(Unsupported("flows are not exported"), Sub::Flow),
        "flow record; flow exporter; flow monitor; flow hardware; flow-sampler-map; sampler; \
         ip flow-top-talkers; ip flow-aggregation cache; flow-record; ip flow-cache aggregation; \
         performance monitor; mediatrace",
    ),
    (Opens(Unsupported("the server assigns addresses by pool alone"), Sub::DhcpClass), "ip dhcp class"),
    (Opens(Unsupported("IPv6 is not configured"), Sub::Dhcp6Pool), "ipv6 dhcp pool"),
    (Opens(Unsupported("nothing is done at set times"), Sub::Kron), "kron occurrence; kron policy-list"),
    (Opens(Unenforced("limits what users may see and do"), Sub::View), "parser view"),
    (Opens(HARDWARE, Sub::Redundancy), "redundancy"),
    (Opens(HARDWARE, Sub::Controller), "controller"),
    (Opens(Unsupported("there is no switch"), Sub::Vlan), "vlan; bridge-domain"),
    (
        Opens(Unsupported("there is no switch"), Sub::Loose),
        "l2vpn; l2 vfi; l2 router-id; pseudowire-class; spanning-tree mst configuration; ethernet cfm; \
         ethernet evc; port-channel load-balance; errdisable; template; device-tracking policy; \
         device-tracking tracking; mka; connect; xconnect; vxlan udp",
    ),
    (Opens(Unsupported("L2TP and PPTP are not implemented"), Sub::Vpdn), "vpdn-group; vpdn-template"),
    (Opens(Unsupported("PPPoE does not exist here"), Sub::PppoeGroup), "bba-group"),
    (Opens(Unsupported("L2TP and PPTP are not implemented"), Sub::L2tpClass), "l2tp-class"),
    (
        Opens(Unsupported("packets are not copied to monitors"), Sub::Monitor),
        "monitor session; monitor capture; monitor event-trace",
    ),
    (Opens(Unsupported("packets are not copied to monitors"), Sub::MonitorPart), "ip traffic-export profile"),
    (
        Opens(VOICE, Sub::Voice),
        "gatekeeper; gateway; dspfarm; dspfarm profile; voice service; voice class; \
         voice translation-rule; voice translation-profile; voice register; voice source-group; \
         voice hunt-group; voice-port; voice; voice-card; dial-peer; dial-peer voice; dial-peer cor; \
         sip-ua; telephony-service; ephone; ephone-dn; ephone-template; ephone-dn-template; ephone-hunt; \
         call-manager-fallback; sccp ccm group; application; mgcp profile; mgcp; translation-rule; \
         trunk group; stcapp; credentials; ephone-type; uc wsapi",
    ),
    (
        Is(VOICE),
        "sccp; sccp local; sccp ccm; num-exp; call threshold; call treatment; call spike; call fallback; \
         h323-gateway",
    ),
    (
        Opens(Unsupported("SSL VPN is not implemented"), Sub::Webvpn),
        "webvpn; webvpn gateway; webvpn context; webvpn install; crypto ssl proposal; crypto ssl policy; \
         crypto ssl profile; crypto ssl authorization policy; crypto vpn anyconnect",
    ),
    (Opens(MANAGEMENT, Sub::CallHome), "call-home"),
    (
        Opens(Forwarding("selects paths by their quality"), Sub::Anything),
        "pfr master; pfr border; oer master; oer border; pfr-map; oer-map; domain",
    ),
    (
        Opens(MANAGEMENT, Sub::Anything),
        "snmp mib community-map; wsma agent; wsma profile; telemetry ietf subscription; \
         app-hosting appid; iox; virtual-service; cns config; cns image; cns exec; cwmp agent; onep; \
         ap profile; dot11 ssid; wlan; license smart; resource policy; pnp profile; service-insertion; \
         service-chain; service-list mdns-sd; ip http client profile; guestshell; call admission; \
         snmp mib bulkstat; netconf-yang; restconf; process cpu; ip ssh pubkey-chain",
    ),
    (
        Opens(Forwarding("balances, translates or maps addresses"), Sub::Anything),
        "ip slb serverfarm; ip slb vserver; ip slb probe; ip slb dfp; ip slb firewallfarm; ip slb map; \
         nat64 map-t; nat66; ip dfp agent; router lisp; router mobile; ip mobile router; \
         ip mobile home-agent; ip mobile; ipv6 mobile; lisp; ip wccp check",
    ),
    (Opens(Unsupported("SD-WAN is not implemented"), Sub::Anything), "sdwan"),
    (
        Is(Unsupported("PPP and the router's own DHCP client have no such settings")),
        "ip address-pool local; ip address-pool dhcp-proxy-client; ip address-pool dhcp-pool; ip dhcp-client",
    ),
    (
        Is(Inert("has an effect only on an interface, which is reported there")),
        "access-session mac-move; access-session attributes; access-session interface-template; \
         access-session template; access-session tls-version; access-session acl; \
         access-session cisco-trustsec; access-session limit; access-session monitor; \
         access-session voice-vlan; access-session vlan-assignment",
    ),
    (Is(Forwarding("redirects packets to caches")), "ip wccp"),
    (Is(Forwarding("routes multicast")), "ip mroute; ip msdp; ip pim; ip igmp; ip multicast"),
];

/// Commands of voice; there are many, and none does anything here.
const VOICE_NAMES: &str = "shutdown; description; destination-pattern; connection-reuse; set pstn-cause; \
 set sip-status; redundancy-group; rtp-port; session target; session protocol; session transport; codec; \
 port; voice-class; translation-profile; translate-outgoing; translation-rule; incoming called-number; \
 incoming uri; dtmf-relay; vad; preference; huntstop; fax; fax-relay; modem; ip qos; ip circuit; \
 forward-digits; direct-inward-dial; prefix; answer-address; corlist; max-conn; application; req-qos; \
 acc-qos; digit-strip; numbering-type; progress_ind; playout-delay; supplementary-service; tech-prefix; \
 media; clid; call-block; signaling; connection; cptone; timing; timeouts; impedance; input gain; \
 output attenuation; station-id; caller-id; signal; echo-cancel; comfort-noise; ring; operation; type; \
 music-threshold; bearer-cap; battery-reversal; non-linear; no battery-reversal; compand-type; loss-plan; \
 disc_pi_off; disconnect-ack; supervisory; dial-type; mwi; zone; gw-type-prefix; use-proxy; gateway; lrq; \
 arq; bandwidth; accounting; security; server; endpoint; h323; sip; bind; registrar; sip-server; \
 credentials; authentication; timers; retry; max-forwards; allow-connections; ip address; \
 ip source-address; address-hiding; mode; early-offer; midcall-signaling; rel1xx; header-passing; \
 error-passthru; asserted-id; g729; options-ping; privacy; outbound-proxy; localhost; session refresh; \
 sip-profiles; redirect; call; dspfarm; maximum sessions; associate application; associate ccm; \
 associate profile; bind interface; switchback; switchover; keepalive; dsp services; voice-service; \
 local-calling; max-ephones; max-dn; load; time-zone; create; system message; dialplan-pattern; moh; \
 transfer-system; transfer-pattern; url; user-locale; network-locale; voicemail; max-conferences; \
 date-format; time-format; number; label; mac-address; button; speed-dial; ephone-template; hold-alert; \
 pickup-group; call-forward; member; rule; translate; request; response; limit-dn; secondary; keypad; \
 xfer; secure-signaling; srtp; trustpoint; ccm-manager; dest; isup; emission; max-redirects; user-agent; \
 call-waiting; codec preference; uri; hop; tls; stun; g-proxy; rtp; protocol; resource; fallback; e164; \
 dial-peer; trunk; hunt; strip; huntgroup; timeout; ringing; cnf; source-address; corp; paging; intercom; \
 park-slot; video; conference; hardware; feature; softkeys; night-service; after-hours; package; \
 paramspace; remote-url; sgcp; mgcp; retain; rsvp; silence; idle; lcf; send; resolve; zrq; tokenless; \
 tunneling; ras; interzone; hopcount; lsp";

pub(super) const SERVICE: Modes = &[
    (
        Sub::Sla,
        &[
            (
                Shares,
                "mpls lsp; control disable; control enable; control timeout; icmp-echo; icmp-jitter; \
                 udp-echo; udp-jitter; tcp-connect; http; ftp; dns; dhcp; path-echo; path-jitter; \
                 ethernet; frame-relay; voip; dlsw; ethernet echo; ethernet jitter; lsp-ping; type; \
                 frequency; timeout; threshold; tag; tos; vrf; owner; request-data-size; \
                 response-data-size; verify-data; history; enhanced-history; buckets-of-history-kept; \
                 data-pattern; hops-of-statistics-kept; hours-of-statistics-kept; \
                 paths-of-statistics-kept; samples-of-history-kept; distributions-of-statistics-kept; \
                 statistics; statistics-distribution-interval; filter-for-history; lives-of-history-kept; \
                 maximum-hops; lsr-path; source-ip; source-port; precision; clock-tolerance; \
                 traffic-class; flow-label; cos; interval; num-packets; http-raw-request; verify; exp; \
                 operation-packet; percentile; request-size; resp; aggregate; delay-restart; \
                 secondary-frequency; parameters; y1731; delay; loss; owner-id; optimize; \
                 continuous; dscp; max-delay",
            ),
            (Elsewhere, "vrf definition"),
        ],
    ),
    (
        Sub::Track,
        &[
            (
                Shares,
                "delay; object; threshold; ip vrf; default-state; carrier-delay; default; description; \
                 vrf; ipv6 vrf; no object; weight",
            ),
            (Elsewhere, "vrf definition"),
        ],
    ),
    (
        Sub::Applet,
        &[
            (
                Shares,
                "event; action; description; trigger; correlate; set; attribute; maxrun; tag; no action",
            ),
            (Nests(Sub::Applet), "trigger"),
            (Elsewhere, "event manager"),
        ],
    ),
    (
        Sub::AaaServers,
        &[(
            Shares,
            "server; server-private; ip radius; ip tacacs; ipv6 radius; ipv6 tacacs; ip vrf forwarding; \
             deadtime; authorization; accounting; load-balance; attribute; throttle; backoff; cache; \
             domain-stripping; mac-delimiter; subscriber; key-wrap; server name; ldap; search-type; bind; \
             base-dn; description; authentication",
        )],
    ),
    (
        Sub::AaaServer,
        &[
            (
                Shares,
                "address; key; timeout; retransmit; pac; automate-tester; backoff; non-standard; port; \
                 single-connection; send-nat-address; load-balance; domain-stripping; dtls; tls; ipv4; \
                 bind; base-dn; transport; attribute; mode; secure; search; authentication; dscp; ipv6; alias; \
                 domain; ignore; client; auth-type; server-key",
            ),
            (
                Elsewhere,
                "key chain; key config-key; vrf definition; ip access-list; ip route; ipv6 access-list; \
                 ipv6 route",
            ),
        ],
    ),
    (Sub::AttributeList, &[(Shares, "attribute; format; description; map type; aaa attribute")]),
    (
        Sub::Flow,
        &[(
            Shares,
            "match; collect; description; destination; source; transport; export-protocol; template; \
             option; ttl; dscp; output-features; exporter; cache; record; statistics; mode; granularity; \
             top; sort-by; cache-timeout; entries; export; export destination; export version",
        )],
    ),
    (
        Sub::DhcpClass,
        &[(Shares, "relay agent information; relay-information; option; remark; relay; address")],
    ),
    (
        Sub::Dhcp6Pool,
        &[(
            Shares,
            "prefix-delegation; dns-server; domain-name; address prefix; address; link-address; sip; \
             information; nis; nisp; sntp; import; lifetime; option; vendor-specific; accounting; \
             bootfile-url; link; capwap-ac; ntp",
        )],
    ),
    (Sub::Kron, &[(Shares, "cli; policy-list; at; in")]),
    (Sub::View, &[(Shares, "commands; secret; view; description")]),
    (
        Sub::Redundancy,
        &[
            (
                Shares,
                "mode; main-cpu; keepalive-enable; protocol; timers; name; preempt; priority; data; \
                 control; track; asymmetric-routing; authentication; auto-sync; rii; maintenance-mode; \
                 scheme; ipc; local-ip; remote-ip; linecard-group; revertive; no-maintenance; \
                 interchassis; member; monitor; reload; config-sync; failover; shutdown",
            ),
            (
                Nests(Sub::Redundancy),
                "application redundancy; group; inter-device; association; zone default; protocol",
            ),
            (Elsewhere, "track * ip; track * interface; track * list"),
        ],
    ),
    (
        Sub::Controller,
        &[(
            Shares,
            "framing; linecode; clock source; cablelength; channel-group; pri-group; ds0-group; \
             tdm-group; mode; description; loopback; shutdown; fdl; line-termination; dsl-mode; \
             operating; modem; bandwidth; firmware; sra; lbo; ais-shut; au-4; tug-2; t1; e1; e3; \
             overhead; threshold; alarm-report; sonet; yellow; cas-custom; national; crc-threshold; \
             dsl-group; line-mode; annexb; equipment-type; ignore; sts-1; vtg; path; network-clock; lte; \
             profile; mdr; capability; detect; training; shdsl",
        )],
    ),
    (
        Sub::Vlan,
        &[
            (
                Shares,
                "ip flow monitor; ipv6 flow monitor; ipv6 nd; name; state; mtu; private-vlan; \
                 remote-span; shutdown; media; said; parent; ring; stp; backupcrf; are; ste; tb-vlan1; \
                 tb-vlan2; member; service-policy; device-tracking; device-policy; apply; flow; mac; \
                 et-vlan",
            ),
            (
                Elsewhere,
                "vtp mode; vtp domain; ip access-list; ip route; ipv6 unicast-routing; vlan internal; \
                 bridge irb; ip routing",
            ),
        ],
    ),
    (
        Sub::Vpdn,
        &[(
            Shares,
            "description; accept-dialin; accept-dialout; request-dialin; request-dialout; terminate-from; \
             initiate-to; source-ip; local name; l2tp; pptp; l2f; lcp; force-local-chap; ip; vpn; \
             protocol; virtual-template; pool-member; rotary-group; domain; dnis; authen-before-forward; \
             session-limit; group; loadsharing; backup; relay; radius; default; sso; domain-name; \
             multihop; dialer; pppoe",
        )],
    ),
    (
        Sub::PppoeGroup,
        &[(
            Shares,
            "virtual-template; sessions; ac; service; tag; vendor-tag; control-packets; pado; \
             description; mac-address; nas-port-id; relay; subscriber; session; ppp-max-payload; \
             service-name",
        )],
    ),
    (
        Sub::L2tpClass,
        &[(
            Shares,
            "authentication; cookie; digest; hello; hidden; hostname; password; receive-window; \
             retransmit; timeout; accounting; security; description; encapsulation; interworking; ip; \
             protocol; preferred-path; sequencing; status; vccv; switching; control-word; local; \
             neighbor; bfd; mode",
        )],
    ),
    (
        Sub::Monitor,
        &[
            (
                Shares,
                "description; source; filter; shutdown; destination; mtu; plim; header-type; buffer; \
                 interface; limit; match; access-list; buffer-size; inject; erspan-id; ip",
            ),
            (Nests(Sub::MonitorPart), "destination"),
            (Elsewhere, "interface *"),
        ],
    ),
    (
        Sub::MonitorPart,
        &[
            (
                Shares,
                "erspan-id; ip address; ip dscp; ip prec; ip ttl; ip destination; mtu; origin; vrf; \
                 ingress; bidirectional; incoming; interface; mac-address; outgoing; length; \
                 ipv6 address; ipv6 dscp; id; session",
            ),
            (Elsewhere, "interface *; vrf definition"),
        ],
    ),
    (
        Sub::Voice,
        &[
            (Shares, VOICE_NAMES),
            (Nests(Sub::Voice), "sip; h323; application; mgcp"),
            (
                Elsewhere,
                "dial-peer voice; dial-peer cor; voice class; voice service; call-manager-fallback; \
                 mgcp *; application *; gateway; access-list *; username * privilege; username * secret; \
                 username * password; crypto isakmp; crypto map; crypto ipsec; ip access-list; no ip; \
                 no username",
            ),
        ],
    ),
    (
        Sub::Webvpn,
        &[(
            Shares,
            "ip address; http-redirect; ssl; inservice; hostname; title; login-message; policy; \
             default-group-policy; aaa; gateway; max-users; secondary-color; title-color; text-color; \
             logo; url-list; port-forward; nbns-list; functions; banner; svc; filter; timeout; acl; csd; \
             vrf-name; virtual-template; mask-urls; hide-url-bar; citrix; logging; user-profile; color; \
             secondary-text-color; login-photo; sso-server; cifs-url-list; match; authentication; \
             encryption; protection; pki; policy group; heading; url-text; nbns-server; local-port; \
             permit; deny; def-domain; dns; dpd-interval; include-local-lan; keepalive; msie-proxy; \
             netmask; pool; rekey; route; smartcard; split-dns; wins; group-policy; no inservice; \
             shutdown; homepage; error-msg",
        )],
    ),
    (
        Sub::CallHome,
        &[
            (
                Shares,
                "active; alert-group; contact-email-addr; contact; copy; customer-id; data-privacy; \
                 destination; email; http-proxy; mail-server; phone-number; rate-limit; sender; site-id; \
                 source-interface; source-ip-address; street-address; subscribe-to-alert-group; \
                 syslog-throttling; anonymous-reporting-only; reporting; contract-id; vrf; http; \
                 aaa-authorization; crashdump; no destination; rename; add-command",
            ),
            (Nests(Sub::CallHome), "profile; alert-group-config"),
        ],
    ),
    (
        Sub::Pvc,
        &[
            (
                Shares,
                "encapsulation; protocol; vbr-nrt; vbr-rt; ubr; ubr+; cbr; abr; class-vc; oam-pvc; oam; \
                 ilmi; inarp; broadcast; dialer pool-member; pppoe-client; pppoe; tx-ring-limit; \
                 vc-hold-queue; service-policy; create; bump; precedence; cost-metric; max; oam-retry; \
                 transmit-priority; queue-depth; random-detect; vcci; pppoe max-sessions; xconnect; \
                 cell-packing; retry; idle-timeout; pvc-in-range; description; rate-limit; pvc; shutdown; \
                 class-range; inverse-arp; protocol ip; bandwidth",
            ),
            (
                Elsewhere,
                "ip address; ip access-group; ip nat; ip mtu; ip route; ip access-list; pvc *; ip policy; \
                 ip inspect; ip verify; ip virtual-reassembly",
            ),
        ],
    ),
    (
        Sub::ServiceInstance,
        &[
            (
                Shares,
                "ip dhcp snooping; ipv6 nd; encapsulation; rewrite; bridge-domain; xconnect; \
                 service-policy; l2protocol; mac; cfm; description; ethernet; shutdown; snmp; \
                 mac access-group; split-horizon; storm-control; switchport",
            ),
            (Elsewhere, "ip address; ip access-group; ip nat; ip mtu; ipv6 address; service instance"),
        ],
    ),
    (
        Sub::Xconnect,
        &[(
            Shares,
            "backup; l2tp; encapsulation; mtu; description; neighbor; monitor; control-word; \
             preferred-path",
        )],
    ),
];
