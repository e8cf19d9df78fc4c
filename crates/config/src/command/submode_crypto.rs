//! Commands of the crypto submodes by name.

use super::mode::Fate::{Unenforced, Unsupported};
use super::mode::In;
use super::mode::Sub;
use super::says::Says::{Elsewhere, Is, Nests, Shares};
use super::says::{Modes, Names};

/// Commands of modes that have tables of their own.
pub(super) const CLIENT_GROUP: &[(In, &[Names])] = &[
    (
        In::Group,
        &[
            (
                Elsewhere,
                "banner motd; banner login; banner exec; banner incoming; banner slip-ppp; \
                 banner prompt-timeout; banner config-save; key chain; key config-key; dhcp pool",
            ),
            (Is(Unenforced("restricts what clients of the group may do")), "ipv6 acl; "),
            (
                Is(Unsupported("is not sent to clients")),
                "ipv6 pool; ipv6 dns; accounting; exclude-local-lan; subscriber-service",
            ),
        ],
    ),
    (
        In::Profile,
        &[
            (Elsewhere, "vrf definition; accounting list"),
            (
                Is(Unsupported("is not implemented for profiles")),
                "qos-group; accounting; client accounting; client pki; client configuration; \
                 isakmp authorization; initiate mode",
            ),
        ],
    ),
    (In::Keyring, &[(Is(Unsupported("is not implemented for keyrings")), "rsa-pubkey")]),
    (In::IsakmpPolicy, &[(Is(Unsupported("is not implemented for policies")), "prf")]),
    (
        In::TransformSet,
        &[(Is(Unsupported("is not implemented for transform sets")), "initialization-vector; esn")],
    ),
    (
        In::CryptoMap,
        &[
            (
                Is(Unsupported("is not implemented for map entries")),
                "set security-policy; set mixed-mode; set aggressive-mode; set connection-type; \
                 set local-address; set fragmentation; set nat; set trustpoint",
            ),
            (
                Is(Unenforced("restricts the entry to certain traffic")),
                "set ip policy; match certificate; match identity; match ipv6",
            ),
        ],
    ),
    (
        In::DynamicMap,
        &[
            (
                Is(Unsupported("is not implemented for map entries")),
                "set session-key; set group; set security-policy; set mixed-mode; set aggressive-mode; \
                 set df-bit; set local-address; responder-only; set fragmentation; set trustpoint",
            ),
            (
                Is(Unenforced("restricts the entry to certain traffic")),
                "set ip policy; match certificate; match identity; match ipv6",
            ),
        ],
    ),
    (In::Acl, &[(Is(Unsupported("is not implemented for lists")), "hardware statistics; statistics")]),
    (In::Ipv6Acl, &[(Is(Unsupported("is not implemented for lists")), "hardware statistics; statistics")]),
    (
        In::NetworkGroup,
        &[(Is(Unsupported("is not read, so whatever uses the group is closed")), "network-object; fqdn")],
    ),
    (
        In::ServiceGroup,
        &[(
            Is(Unsupported("is not read, so whatever uses the group is closed")),
            "service-object; port-object; protocol-object; icmp-object",
        )],
    ),
    (
        In::DhcpPool,
        &[
            (Elsewhere, "vrf definition"),
            (
                Is(Unsupported("is not sent to clients")),
                "bootfile; next-server; netbios-node-type; client-name; address; subnet; update dns; \
                 update arp; utilization mark; accounting; authorized; origin; renew; relay; remember; \
                 import; override default-router; override utilization; \
                 pppoe; secondary; subnet prefix-length; domain-search; static; lease-query; snmp; \
                 ddns",
            ),
            (
                Is(Unenforced("restricts to whom the pool lends addresses")),
                "class; address range; authorization; reserved-only; vrf",
            ),
        ],
    ),
];

/// Commands of modes without tables.
pub(super) const CRYPTO: Modes = &[
    (
        Sub::Trustpoint,
        &[
            (
                Shares,
                "root; on; enrollment; subject-name; revocation-check; rsakeypair; eckeypair; \
                 fingerprint; serial-number; ip-address; fqdn; subject-alt-name; usage; auto-enroll; \
                 regenerate; password; primary; crl; ocsp; match certificate; match key-usage; \
                 chain-validation; source interface; authorization; vrf; keypair; hash; storage; \
                 query certificate; query url; enrollment profile; eku; authentication terminal; \
                 authentication url; authentication command; enrollment terminal; enrollment url; \
                 enrollment credential; enrollment command; reenrollment; auto-rollover; key-usage; \
                 http-username; parameter; method-est; ip-extension; client-auth; display-serial-number; \
                 auto-trigger; validation-usage; parent; source-interface; match eku; cabundle; \
                 aaa authorization list",
            ),
            (Elsewhere, "vrf definition"),
        ],
    ),
    (
        Sub::CertificateMap,
        &[(
            Shares,
            "alt-subject-name; expires-on; issuer-name; name; serial-number; subject-name; \
             unstructured-subject-name; valid-start; attribute; field-name; subject-alt-name; eku; \
             client-type",
        )],
    ),
    (Sub::CertificateChain, &[(Shares, "certificate; crl; quit")]),
    (
        Sub::PkiServer,
        &[(
            Shares,
            "database; issuer-name; grant; lifetime; cdp-url; mode; auto-rollover; hash; redundancy; \
             serial-number; shutdown; show; crl; eku; group; keysize; storage; rsakeypair; export; ecc; \
             password",
        )],
    ),
    (Sub::PubkeyRing, &[(Nests(Sub::Pubkey), "addressed-key; named-key"), (Shares, "quit; serial-number")]),
    (
        Sub::Pubkey,
        &[(
            Shares,
            "address; key-string; serial-number; quit; description; signature; encryption; subject-name; \
             key-hash; exit",
        )],
    ),
    (
        Sub::IpsecProfile,
        &[(
            Shares,
            "set transform-set; set pfs; set security-association; set isakmp-profile; set ikev2-profile; \
             set identity; set mixed-mode; set security-policy; description; responder-only; \
             redundancy; set reverse-route; reverse-route; set trustpoint; set nat; set peer; set group; set df-bit; \
             set fragmentation; set ip; set dfbit",
        )],
    ),
    (
        Sub::IsakmpPeer,
        &[(Shares, "set aggressive-mode; description; set tunnel-password; subscriber; vrf; set")],
    ),
    (
        Sub::Ezvpn,
        &[(
            Shares,
            "connect; group; mode; peer; username; xauth; acl; local-address; virtual-interface; nat; \
             backup; idletime; ctcp; ssl; acl-split; no-nat; nat acl; nat allow",
        )],
    ),
    (
        Sub::Ikev2Proposal,
        &[(Shares, "encryption; integrity; group; prf; additional-key-exchange; ppk; pqc; hash; lifetime")],
    ),
    (Sub::Ikev2Policy, &[(Shares, "match address; match fvrf; match vrf; proposal; match")]),
    (Sub::Ikev2Keyring, &[(Nests(Sub::Ikev2Peer), "peer")]),
    (Sub::Ikev2Peer, &[(Shares, "address; description; hostname; identity; pre-shared-key; ppk; key; fqdn")]),
    (
        Sub::Ikev2Profile,
        &[
            (Elsewhere, "vrf definition"),
            (
                Shares,
                "aaa accounting; aaa authentication; aaa authorization; authentication; description; dpd; \
                 dynamic; identity local; initial-contact; ivrf; keyring; lifetime; match; nat; \
                 pki trustpoint; redirect; reconnect; shutdown; virtual-template; config-exchange; \
                 anyconnect; config-mode; anyconnect-eap",
            ),
        ],
    ),
    (
        Sub::Ikev2Authorization,
        &[(
            Shares,
            "ipv6 pool; ipv6 dns; ipv6 subnet-acl; aaa attribute; backup-gateway; banner; configuration; \
             def-domain; dhcp; dns; include-local-lan; netmask; pfs; pool; route; session-lifetime; \
             smartcard-removal-disconnect; split-dns; subnet-acl; wins",
        )],
    ),
    (
        Sub::Ikev2Client,
        &[(
            Shares,
            "connect; peer; client; backup; profile; source; tunnel; idle; acl; reactivate; retry; set",
        )],
    ),
    (
        Sub::Gdoi,
        &[
            (
                Shares,
                "client rekey; client protocol; identity; client; description; passive; gikev2; \
                 local-address; rekey; fail-close",
            ),
            (Nests(Sub::GdoiServer), "server local; server"),
            (Elsewhere, "vrf definition"),
        ],
    ),
    (
        Sub::GdoiServer,
        &[
            (
                Shares,
                "address ipv4; address ipv6; authorization; registration; rekey; redundancy; protocol; \
                 replay; sig-hash; pfs; gikev2; description; identifier; d3p; address",
            ),
            (Nests(Sub::GdoiSa), "sa ipsec; sa d3p; sa receive-only; sa gre; sa"),
        ],
    ),
    (Sub::GdoiSa, &[(Shares, "match address; profile; replay; tag; receive-only; d3p; sa-idle; match")]),
    (
        Sub::Identity,
        &[(Shares, "dn; fqdn; description; device; template; redirect; access-group; subject-name")],
    ),
];
