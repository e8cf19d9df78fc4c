//! Commands of class maps, policies, zones and parameter maps by name.

use super::mode::Fate::Unenforced;
use super::mode::Sub;
use super::says::Modes;
use super::says::Says::{Elsewhere, Is, Nests, Shares};

pub(super) const POLICY: Modes = &[
    (Sub::ClassMap, &[(Shares, "match; match-any; match-all; description; rename")]),
    (
        Sub::PolicyMap,
        &[
            (Nests(Sub::PolicyClass), "class"),
            (Nests(Sub::Anything), "event"),
            (Shares, "description; parameters; match; rename; sequence-interval; service-fragment"),
            (Nests(Sub::PolicyClass), "parameters"),
        ],
    ),
    (
        Sub::PolicyClass,
        &[
            (
                Shares,
                "bandwidth; priority; queue-limit; fair-queue; random-detect; shape; set; service-policy; \
                 compression; estimate; netflow-sampler; log; inspect; pass; drop; urlfilter; reset; \
                 content-filter; admit; compress; priority-queue; trust; distribute; bandwidth remaining; \
                 fragment; deny; permit; allow; header-compression; rate-limit; sgt; server; timer; flow; \
                 react; ips; max-conn; activate; authenticate; authorize; terminate; deactivate; \
                 err-disable; pause; resume; replace; unauthorize; restrict; protect; shutdown; exceed; \
                 mask; request; response; reserve; dscp; cos; queue-buffers; avc; media-proxy",
            ),
            (Nests(Sub::PolicyAction), "police; event; police rate; police cir"),
        ],
    ),
    (
        Sub::PolicyAction,
        &[(Shares, "conform-action; exceed-action; violate-action; conform-color; violate; exceed")],
    ),
    (
        Sub::ParameterMap,
        &[
            (Elsewhere, ""),
            (
                Shares,
                "alert; audit-trail; dns-timeout; icmp; max-incomplete; one-minute; sessions; tcp; udp; \
                 gtp; log; exclusive; pattern; server; url; allow-mode; cache; block-page; truncate; \
                 max-request; max-resp; urlf-server-log; origin; trend; timeout; message; virtual-ip; \
                 type; custom-page; consent; watch-list; cipherkey; alg; nbar-classify; per-box; \
                 zone-mismatch; tcp-window; source-interface; application-inspect; mode; whitelist; \
                 blacklist; redirect; resolver; dnscrypt; token; public-key; description; threat; \
                 aggressive-aging; secure-trunk",
            ),
        ],
    ),
    (Sub::Zone, &[(Shares, "description; protection; vpn")]),
    (Sub::ZonePair, &[(Shares, "description; service-policy; inspect; source; destination")]),
    (
        Sub::ControlPlane,
        &[
            (
                Is(Unenforced("filters what reaches the router itself")),
                "service-policy; management-interface; port-filter; queue-threshold; \
                 no management-interface; ip access-group; ipv6 traffic-filter",
            ),
            (Elsewhere, "control-plane *"),
            (Shares, "description; exit-control; logging"),
        ],
    ),
    (Sub::ObjectGroup, &[(Shares, "host; range; group-object; description; security-group; any; *")]),
    (
        Sub::Acl6,
        &[(
            Shares,
            "permit; deny; remark; evaluate; sequence; * permit; * deny; * remark; statistics; hardware",
        )],
    ),
];
