//! What each command does, in a sentence: for people, and for the command reference alone.

/// What each exec command does, by its keywords up to the first that is optional or a choice;
/// sorted.
pub(super) const EXEC: &[(&str, &str)] = &[
    (
        "clear aaa local user",
        "Forgets the wrong passwords of one user, or of all, so that the next password is checked at once.",
    ),
    ("clear access-list counters", "Resets the match counters of access lists."),
    ("clear counters", "Resets the packet counters of interfaces."),
    (
        "clear crypto guard",
        "Forgets a network that a peer was granted, or all, if no tunnel leads to it: it is no longer guarded.",
    ),
    ("clear crypto isakmp", "Deletes one phase-1 SA by its connection id, or all, and notifies the peers."),
    ("clear crypto sa", "Deletes the IPsec SAs of one peer, or all, and notifies the peers."),
    ("clear crypto sa counters", "Resets the packet counters of IPsec SAs."),
    ("clear crypto session", "Deletes both phases' SAs of one peer, or of all, and notifies the peers."),
    ("clear ip access-list counters", "Resets the match counters of access lists."),
    (
        "clear ip nat statistics",
        "Begins to count anew: the most translations, and hosts that got no address of a pool.",
    ),
    ("clear ip nat translation", "Removes translations of addresses: all, or those of the addresses named."),
    ("clear ip nat translation inside", "Removes those of an inside address."),
    ("clear ip nat translation outside", "Removes those with an outside address."),
    ("clear logging", "Clears the log buffer."),
    (
        "configure replace",
        "Makes a saved configuration the running one; peers whose lines stay the same notice nothing.",
    ),
    ("configure terminal", "Enters configuration mode. Each line takes effect at once."),
    ("copy", "Saves the running configuration, as `startup-config` or as `flash:NAME`."),
    ("debug crypto", "Turns debugging of the crypto subsystem on."),
    ("debug crypto condition", "Limits debugging to peers; `reset` lifts the limits."),
    ("disable", "Goes down to a lower privilege level, usually 1."),
    ("enable", "Goes up to a higher privilege level, usually 15, with the enable password."),
    ("exit", "Leaves the session."),
    ("logout", "Leaves the session."),
    ("no debug all", "Turns all debugging off."),
    ("no debug crypto", "Turns one kind of debugging off."),
    ("no debug crypto condition peer ipv4", "Removes a peer from the debug condition."),
    ("ping", "Sends echo requests, by default five; Ctrl-C ends it."),
    ("quit", "Leaves the session."),
    ("reload", "Restarts the gateway with the saved configuration, after asking. Tunnels are deleted."),
    (
        "show aaa local user lockout",
        "Who is locked out after wrong passwords (SSH, `enable`, Xauth), and until when.",
    ),
    (
        "show access-lists",
        "Access lists, with the packets that met their lines: those that they filtered, and those that SAs of their lines carried.",
    ),
    ("show archive", "The archive of configurations, which is always empty."),
    (
        "show archive config differences",
        "What differs between two configurations; usually the saved and the running one.",
    ),
    ("show arp", "Neighbours by their hardware address."),
    ("show clock", "The time."),
    ("show crypto debug-condition", "The peers that debugging is limited to."),
    ("show crypto dynamic-map", "Dynamic crypto maps."),
    (
        "show crypto engine brief",
        "The data plane, the offloads of the kernel, and the implementations of ciphers in use.",
    ),
    ("show crypto engine connections active", "Phase-1 and IPsec SAs with their counters, one per line."),
    ("show crypto engine connections dropped-packet", "Packets dropped by IPsec, by reason."),
    (
        "show crypto guard",
        "What must not leave unencrypted, how much of it was dropped, and the networks that peers were granted.",
    ),
    ("show crypto ipsec sa", "IPsec SAs with their proxy identities, counters, SPIs and lifetimes."),
    ("show crypto ipsec transform-set", "Transform sets."),
    ("show crypto isakmp failures", "The last exchanges that failed: with whom, why, and what to change."),
    ("show crypto isakmp key", "Pre-shared keys, as they are configured."),
    ("show crypto isakmp peers", "Peers that have a phase-1 SA."),
    ("show crypto isakmp policy", "ISAKMP policies in the order in which they are tried."),
    ("show crypto isakmp profile", "ISAKMP profiles."),
    ("show crypto isakmp sa", "Phase-1 SAs with their states."),
    ("show crypto map", "Crypto maps, with the entries that were created for peers."),
    ("show crypto session", "Sessions: a peer, its phase-1 SA, its flows, its user."),
    (
        "show crypto weak",
        "What the configuration permits that is weak, keys that many know among it, and the peers that use it now.",
    ),
    ("show debugging", "What is being debugged."),
    ("show history", "The lines typed in this session."),
    ("show interfaces", "Interfaces with their counters."),
    (
        "show ip access-lists",
        "IP access lists, with the packets that met their lines: those that they filtered, and those that SAs of their lines carried.",
    ),
    ("show ip arp", "Neighbours by their hardware address."),
    ("show ip interface", "Interfaces with their addresses, and what they filter, check and translate."),
    ("show ip local pool", "Address pools and how much of them is in use."),
    ("show ip nat statistics", "How many translations there are, by which rules and with which addresses."),
    ("show ip nat translations", "Translations of addresses: connections, addresses of pools, static rules."),
    ("show ip policy", "The route maps of `ip policy` and `ip local policy`."),
    ("show ip route", "The routing table."),
    ("show logging", "How the log is kept, and its buffer."),
    ("show object-group", "Groups of addresses and of services, to which access lists refer."),
    ("show privilege", "The privilege level of this session."),
    ("show route-map", "Route maps, with the packets that policy routing led by each entry."),
    ("show running-config", "The configuration in force, or one interface of it."),
    ("show startup-config", "The saved configuration."),
    ("show time-range", "Time ranges: which hold now, and how many lines of access lists they restrict."),
    ("show users", "Who is logged in, by which line, from where."),
    ("show version", "The version of Hubward, its uptime and its interfaces."),
    ("terminal length", "Rows of a page; 0 turns the pager off."),
    ("terminal monitor", "Shows the log at this terminal."),
    ("terminal no monitor", "Stops showing the log at this terminal."),
    ("terminal show-format classic", "`show` in the layouts of IOS 12.3, for this session."),
    ("terminal show-format modern", "`show` in the layouts of IOS 15, for this session."),
    ("terminal width", "Columns of the terminal; 0 for no limit."),
    ("undebug all", "Turns all debugging off."),
    ("undebug crypto", "Turns one kind of debugging off."),
    ("undebug crypto condition peer ipv4", "Removes a peer from the debug condition."),
    (
        "why",
        "Why a tunnel is not up, in plain words, and what to change: all failures, or those of one peer or user.",
    ),
    (
        "why packet",
        "The way of a packet through this router, and of its answer, with the line that decides each stage. No packet is sent.",
    ),
    ("write", "Saves the running configuration in its file."),
    ("write terminal", "The configuration in force."),
];

type Described = [(&'static str, &'static str)];

/// What each implemented configuration command does, by mode and by its keywords up to the first
/// that is optional or a choice; sorted. Deviations from IOS are included.
pub(super) const CONFIGURATION: &[(&str, &Described)] = &[
    (
        "Global configuration",
        &[
            (
                "aaa authentication enable",
                "`enable` asks for the enable password, whatever the list says. A list that asks a server prevents the start.",
            ),
            (
                "aaa authentication login",
                "A list of ways to check a user's name and password, for Xauth and for logins. `local`, `local-case` and `none` work; `enable` and `line` are skipped; `group` and `krb5` ask servers, which is not implemented, and prevent the start.",
            ),
            (
                "aaa authorization exec",
                "Users have the privilege that `username` gives them. A list that asks a server prevents the start.",
            ),
            (
                "aaa authorization network",
                "A list of where client groups come from. `local` works; a server group prevents the start.",
            ),
            (
                "aaa new-model",
                "Logins are checked by the list `default`, or by local users if there is none.",
            ),
            (
                "access-list",
                "A line of a numbered list: 1-99 and 1300-1999 standard, 100-199 and 2000-2699 extended. Crypto maps, client groups and `access-class` use lists. Lists 200-1299 are of other protocols and have no effect; `dynamic` is not enforced and prevents the start.",
            ),
            (
                "archive",
                "Enters the archive, of which only `log config` has an effect: no earlier configurations are kept.",
            ),
            (
                "clock summer-time",
                "When clocks are put forward, each year or once; without days, from the second Sunday in March to the first in November.",
            ),
            (
                "clock timezone",
                "The router's own time: `show clock`, time ranges, and time stamps with `localtime` go by it. Without it, that is UTC.",
            ),
            (
                "crypto dynamic-map",
                "Enters an entry of a dynamic crypto map, for peers whose address is not known.",
            ),
            (
                "crypto ipsec df-bit",
                "The don't-fragment bit of the outer header: `copy` it, `set` it or `clear` it.",
            ),
            (
                "crypto ipsec nat-transparency udp-encapsulation",
                "NAT traversal, which is on unless `no` says otherwise.",
            ),
            ("crypto ipsec security-association idle-time", "Deletes SAs that were idle for this time."),
            (
                "crypto ipsec security-association lifetime",
                "Lifetimes of IPsec SAs, in seconds and in kilobytes.",
            ),
            ("crypto ipsec security-association replay", "Size of the anti-replay window, or none."),
            (
                "crypto ipsec transform-set",
                "What protects packets: ESP's encryption with authentication, or AES-GCM. AH, compression, `esp-null`, `esp-seal`, `esp-gmac`, GCM with 192 bits, and encryption without authentication are not implemented: such a set is never selected.",
            ),
            ("crypto isakmp aggressive-mode disable", "Aggressive mode is neither initiated nor answered."),
            (
                "crypto isakmp client configuration address-pool local",
                "The local pool of clients whose group has none, or that have no group.",
            ),
            ("crypto isakmp client configuration group", "Enters the policy of a group of VPN clients."),
            (
                "crypto isakmp enable",
                "ISAKMP is always on; `no crypto isakmp enable` is reported as having no effect.",
            ),
            (
                "crypto isakmp identity",
                "The identity sent in phase 1: our address, or our name with domain. `dn` needs certificates and is not implemented.",
            ),
            (
                "crypto isakmp invalid-spi-recovery",
                "Initiates to a peer that sends an unknown SPI, so that it starts over: at most ten peers per second, and none behind NAT.",
            ),
            (
                "crypto isakmp keepalive",
                "Dead peer detection: when traffic goes unanswered, or with `periodic` at regular intervals.",
            ),
            (
                "crypto isakmp key",
                "A pre-shared key for an address, a network or a name; `no-xauth` exempts LAN-to-LAN peers from Xauth. Keys of type 6 cannot be read, IPv6 peers are not implemented.",
            ),
            ("crypto isakmp nat keepalive", "Seconds between the packets that keep a NAT's mapping alive."),
            ("crypto isakmp policy", "Enters a proposal for phase 1; the lowest number is tried first."),
            ("crypto isakmp profile", "Enters a profile: how peers of certain identities are authenticated."),
            (
                "crypto keyring",
                "Enters a keyring: pre-shared keys for profiles. With `vrf` an entry whose peers may use it does not exist here.",
            ),
            (
                "crypto map",
                "Enters an entry of a crypto map, or sets Xauth, mode configuration and authorization for the map. Its tunnels terminate at the address of the interface that `local-address` names. Entries other than `ipsec-isakmp`, `redundancy`, and `isakmp-profile` for a whole map are not implemented.",
            ),
            (
                "enable password",
                "The password of `enable`, obfuscated at best; used only if there is no `enable secret`.",
            ),
            (
                "enable secret",
                "The password of `enable`, hashed: a password entered in clear text at a console is stored as type 9.",
            ),
            ("hostname", "The router's name, and the prompt's."),
            (
                "interface",
                "Enters an interface; `--map` of `hubward run` says which Linux interface it is. Tunnel interfaces and virtual templates are not implemented.",
            ),
            (
                "interface range",
                "Enters several interfaces: each line below is one of each of them. Typed at the console, it is saved as single interfaces.",
            ),
            ("ip access-list extended", "Enters an extended access list of a name or number."),
            (
                "ip access-list resequence",
                "Numbers the lines of a list anew, from a start in steps; the list is then written with its numbers, unless they are 10, 20, 30 and so on.",
            ),
            ("ip access-list standard", "Enters a standard access list of a name or number."),
            ("ip arp proxy disable", "No interface answers for clients whose addresses are in its network."),
            ("ip dhcp excluded-address", "Addresses that the DHCP server does not assign."),
            ("ip dhcp pool", "Enters a pool of the DHCP server."),
            ("ip domain name", "The same, as newer releases write it."),
            ("ip domain-name", "The domain that `crypto isakmp identity hostname` sends after the name."),
            ("ip local policy route-map", "Routes the router's own packets by a route map."),
            ("ip local pool", "Addresses for VPN clients. `group` is ignored, with a warning."),
            (
                "ip nat inside source",
                "Translates the sources of what a list or a route map permits, from inside to outside: to the address of an interface, or to those of a pool, with `overload` many to one, and without it one for each host. `reversible` and `redundancy` are ignored, with a warning; so are rules of a VRF.",
            ),
            (
                "ip nat inside source static",
                "Translates one inside address, network or port to one outside, in both directions; with a route map only what it permits. `no-payload` is ignored, with a warning.",
            ),
            (
                "ip nat pool",
                "Addresses for translation: a range, or without one, ranges in the mode that it enters. `rotary` is ignored, with a warning.",
            ),
            ("ip nat translation", "How long a translation lasts that is not used, by protocol."),
            ("ip route", "A static route. `track` is ignored, with a warning; so are routes of a VRF."),
            ("ip routing", "Packets are always forwarded; `no ip routing` is reported as having no effect."),
            ("ip ssh authentication-retries", "Attempts that one SSH connection may make; 3 by default."),
            ("ip ssh pubkey-chain", "Enters the public keys of users."),
            ("ip ssh time-out", "Seconds that a login may take; 120 by default."),
            ("ipv6 access-list", "Enters an IPv6 access list. Nothing here uses it."),
            ("line", "Enters the settings of terminal lines. Those of `vty` lines apply to SSH."),
            ("logging", "A syslog server, as older releases write it."),
            ("logging buffered", "How much of the log is kept in memory, in bytes, and from which severity."),
            (
                "logging console",
                "The severity from which lines of debugging go to standard error. Everything else always goes there.",
            ),
            ("logging facility", "The facility of what syslog servers get; `local7` without a line."),
            ("logging host", "A syslog server; by UDP."),
            ("logging monitor", "The severity from which lines go to terminals with `terminal monitor`."),
            (
                "logging on",
                "Whether the buffer, users logged in by SSH and syslog servers get the log. Standard error and the local console always get it.",
            ),
            (
                "logging origin-id",
                "What precedes the time in what syslog servers get: the router's name, the address that it is sent from, or a text.",
            ),
            (
                "logging rate-limit",
                "Lines of the log in a second, without debugging unless `all` says so; with `console` only there. `show logging` counts what is left out. Standard error gets everything but debugging in any case.",
            ),
            (
                "logging source-interface",
                "The interface whose configured address syslog servers see. As long as this machine does not have it, the kernel chooses another.",
            ),
            ("logging trap", "The severity from which lines go to syslog servers."),
            (
                "object-group network",
                "Enters a group of addresses, which lines of extended access lists name.",
            ),
            (
                "object-group service",
                "Enters a group of services, which lines of extended access lists name.",
            ),
            (
                "route-map",
                "Enters an entry of a route map, 10 without a number. Address translation and policy routing use it; routing protocols are not implemented.",
            ),
            ("service dhcp", "The DHCP server is on; with `no service dhcp` it assigns nothing."),
            (
                "service password-encryption",
                "A password entered in clear text at a console is stored as type 7. Passwords in a file stay as they are.",
            ),
            (
                "service sequence-numbers",
                "Numbers lines of the log. Those that are left out have numbers too.",
            ),
            ("service timestamps", "Time stamps of debugging and log lines."),
            ("service timestamps debug", "The format of time stamps of debugging lines."),
            ("service timestamps log", "The format of time stamps of log lines."),
            (
                "time-range",
                "Enters a time range, in the router's own time (`clock timezone`, `clock summer-time`). Filters, translation and policy routing go by it; crypto maps and `access-class` do not look at the clock.",
            ),
            (
                "username",
                "A local user, for Xauth; with a `privilege`, or a public key, for logins as well. A `secret` entered in clear text at a console is stored as type 9. `autocommand`, `access-class`, `view`, `one-time` and `aaa` are not enforced and prevent the start.",
            ),
            (
                "version",
                "The release of the configuration: older ones filter again what comes out of a tunnel.",
            ),
        ],
    ),
    (
        "Interface",
        &[
            ("crypto map", "Applies a crypto map. `redundancy` is not implemented."),
            ("description", "A description."),
            (
                "encapsulation dot1Q",
                "Makes a sub-interface of a VLAN: a link that Hubward makes on that of the interface, or with `native` that link itself. Two tags (`second-dot1q`) are not implemented.",
            ),
            (
                "ip access-group",
                "Filters what comes in or goes out by a list; without a direction, what goes out.",
            ),
            (
                "ip address",
                "The address, static or by DHCP, and further ones with `secondary`. `negotiated` and `pool` need PPP and are not implemented.",
            ),
            (
                "ip directed-broadcast",
                "Forwards broadcasts to the network, all or those that a list permits.",
            ),
            ("ip mtu", "The greatest IP packet."),
            ("ip nat", "The side of address translation that the interface is on."),
            (
                "ip policy route-map",
                "Routes what comes in by a route map: by `match ip address` and `match length`, to next hops or interfaces. What else such a map matches or sets prevents the start; marks are not set.",
            ),
            (
                "ip proxy-arp",
                "Answers on this interface for clients whose addresses are in its network, while they are connected. This is the default; nothing else is answered for.",
            ),
            ("ip redirects", "Sends ICMP redirects."),
            ("ip tcp adjust-mss", "The greatest segment of TCP connections through the interface."),
            ("ip unreachables", "Sends ICMP unreachables."),
            (
                "ip verify unicast reverse-path",
                "Drops packets whose sources are not reachable by this interface, as older releases write it: the default route counts. A list makes exceptions.",
            ),
            (
                "ip verify unicast source reachable-via",
                "Drops packets whose sources are not reachable, by this interface (`rx`) or by any. A list makes exceptions. `l2-src` is not enforced and prevents the start.",
            ),
            (
                "ip virtual-reassembly",
                "Linux reassembles where it must. `drop-fragments` is not enforced and prevents the start.",
            ),
            (
                "ip vrf forwarding",
                "There is only the global table: prevents the start; if it is allowed, the interface is shut down.",
            ),
            ("mtu", "The greatest packet of the link."),
            ("shutdown", "Shuts the interface down."),
            ("vrf forwarding", "The same, as newer releases write it."),
        ],
    ),
    (
        "ISAKMP policy",
        &[
            (
                "authentication",
                "How peers are authenticated. Only `pre-share` is implemented; a policy with another method is never selected.",
            ),
            ("encryption", "The encryption; `des` by default."),
            ("group", "The Diffie-Hellman group; 1 by default. Group 24 is not implemented."),
            ("hash", "The hash; `sha` by default."),
            ("lifetime", "Lifetime of the phase-1 SA in seconds; 86400 by default."),
        ],
    ),
    (
        "Keyring",
        &[
            (
                "local-address",
                "The local address for which the keyring is used. An interface name does not restrict it, with a warning.",
            ),
            ("pre-shared-key", "A key for an address, a network or a name. IPv6 peers are not implemented."),
        ],
    ),
    (
        "ISAKMP profile",
        &[
            (
                "client authentication list",
                "Peers of the profile are asked for name and password (Xauth), which the list checks.",
            ),
            (
                "client configuration address",
                "Gives clients an address: when they ask (`respond`), or by itself once they have passed Xauth (`initiate`).",
            ),
            (
                "client configuration group",
                "The group of peers whose identity names none, such as clients in main mode; `isakmp authorization list` says where it is looked up.",
            ),
            ("initiate mode aggressive", "Initiates phase 1 in aggressive mode."),
            ("isakmp authorization list", "Where the group's policy and key come from."),
            ("keepalive", "Dead peer detection for these peers."),
            ("keyring", "The keyrings that hold the keys of these peers."),
            (
                "local-address",
                "The local address for which the profile is used. An interface name does not restrict it, with a warning.",
            ),
            (
                "match identity",
                "The identities of the peers: a group, an address or network, a host or user name, or a domain. VRFs are not implemented: an entry whose peers may use such a profile does not exist here.",
            ),
            ("self-identity", "The identity sent to these peers in phase 1."),
        ],
    ),
    (
        "Client group",
        &[
            ("acl", "Networks that clients reach through the tunnel (split tunnelling)."),
            ("backup-gateway", "A gateway that clients try if this one does not answer."),
            ("banner", "A text that clients show."),
            ("dns", "DNS servers for clients."),
            ("domain", "The domain of clients."),
            ("key", "The group's pre-shared key."),
            ("netmask", "The mask of clients' addresses."),
            ("pfs", "Tells clients to use perfect forward secrecy."),
            ("pool", "The pool that clients' addresses come from."),
            ("save-password", "Clients may save the user's password."),
            ("split-dns", "A domain whose names clients resolve through the tunnel."),
            ("wins", "WINS servers for clients."),
        ],
    ),
    ("Transform set", &[("mode", "Tunnel mode, or transport mode for traffic between the two peers.")]),
    (
        "Crypto map entry",
        &[
            ("match address", "The access list that selects what the entry protects."),
            (
                "reverse-route",
                "Routes to the peer's networks while an SA exists; with `static` always. Other options (`remote-peer`, …) are ignored, with a warning.",
            ),
            ("set ip access-group", "Filters what goes into the entry's tunnels, or comes out of them."),
            ("set isakmp-profile", "The entry serves only peers of this profile."),
            ("set peer", "The peer, by address; several are tried in turn. Names are not resolved."),
            ("set pfs", "Perfect forward secrecy with this group. Group 24 is not implemented."),
            ("set security-association idle-time", "Deletes SAs of the entry that were idle for this time."),
            (
                "set security-association lifetime",
                "Lifetimes of the entry's SAs, in seconds and in kilobytes.",
            ),
            ("set security-association replay", "Size of the anti-replay window, or none."),
            ("set transform-set", "What protects the packets; the first is preferred."),
        ],
    ),
    (
        "Dynamic crypto map entry",
        &[
            ("match address", "The access list that must contain a peer's proxy identities."),
            (
                "reverse-route",
                "Routes to the peer's networks while an SA exists. Options other than `static`, which changes nothing here, are ignored, with a warning.",
            ),
            ("set ip access-group", "Filters what goes into the entry's tunnels, or comes out of them."),
            ("set isakmp-profile", "The entry serves only peers of this profile."),
            (
                "set pfs",
                "Peers must use perfect forward secrecy with this group. Group 24 is not implemented.",
            ),
            ("set security-association idle-time", "Deletes SAs of the entry that were idle for this time."),
            (
                "set security-association lifetime",
                "Lifetimes of the entry's SAs, in seconds and in kilobytes.",
            ),
            ("set security-association replay", "Size of the anti-replay window, or none."),
            ("set transform-set", "What protects the packets; the first is preferred."),
        ],
    ),
    (
        "Extended access list",
        &[
            (
                "",
                "A line with its sequence number, which inserts it in its place. `no` and the number take it away.",
            ),
            ("deny", "A line that excludes what matches; behind the others."),
            ("dynamic", "A template of lock-and-key; it is not enforced and prevents the start."),
            (
                "evaluate",
                "The entries of a reflexive list: who answers what a line with `reflect` let pass. Only filters of interfaces have them.",
            ),
            (
                "permit",
                "A line that includes what matches; behind the others. Each use of a list holds what it can and is refused otherwise: a crypto map takes networks, protocols and single ports, and makes a selector of each; a client group takes networks; `access-class` takes what is known of a user.",
            ),
            ("remark", "A text for people."),
        ],
    ),
    (
        "Standard access list",
        &[
            (
                "",
                "A line with its sequence number, which inserts it in its place. `no` and the number take it away.",
            ),
            ("deny", "Sources that are excluded; behind the others."),
            ("permit", "Sources that are included; behind the others."),
            ("remark", "A text for people."),
        ],
    ),
    (
        "IPv6 access list",
        &[
            (
                "",
                "A line with its sequence number, which inserts it in its place. `no` and the number take it away.",
            ),
            ("deny", "A line that excludes what matches. Nothing here uses IPv6 lists."),
            ("evaluate", "The entries of a reflexive list."),
            ("permit", "A line that includes what matches. Nothing here uses IPv6 lists."),
            ("remark", "A text for people."),
            ("sequence", "The same as a line that begins with its number."),
        ],
    ),
    (
        "Group of addresses",
        &[
            ("", "A network."),
            ("any", "Every address."),
            ("group-object", "The members of another group."),
            ("host", "One address. A name is not resolved: what uses the group is refused."),
            ("range", "Addresses from the first to the last."),
        ],
    ),
    (
        "Group of services",
        &[
            ("", "A protocol by its number."),
            ("ahp", "A protocol."),
            ("eigrp", "A protocol."),
            ("esp", "A protocol."),
            ("gre", "A protocol."),
            ("group-object", "The members of another group."),
            ("icmp", "ICMP, or one type of it."),
            ("igmp", "A protocol."),
            ("ip", "Every protocol."),
            ("ipinip", "A protocol."),
            ("nos", "A protocol."),
            ("ospf", "A protocol."),
            ("pcp", "A protocol."),
            ("pim", "A protocol."),
            ("tcp", "TCP, or ports of it."),
            ("tcp-udp", "TCP and UDP, or ports of both."),
            ("udp", "UDP, or ports of it."),
        ],
    ),
    (
        "Time range",
        &[
            ("absolute", "From one minute to another."),
            ("periodic", "Times of the week; one of these lines must hold."),
        ],
    ),
    (
        "DHCP pool",
        &[
            ("client-identifier", "The client, by its identifier, that gets the address of `host`."),
            ("default-router", "Default routers for clients."),
            ("dns-server", "DNS servers for clients."),
            ("domain-name", "The domain sent to clients."),
            ("hardware-address", "The client, by its hardware address, that gets the address of `host`."),
            ("host", "One address, always for the same client."),
            ("lease", "Duration of a lease; one day by default."),
            ("network", "The network that addresses are assigned from."),
        ],
    ),
    (
        "Terminal line",
        &[
            (
                "access-class",
                "Addresses from which users may connect, by access list (`in`). A list that does not exist admits nobody.",
            ),
            ("exec", "The line accepts sessions; with `no exec` it accepts none."),
            (
                "exec-timeout",
                "Ends a session after this time without input; ten minutes by default. The console has no timeout.",
            ),
            ("length", "Rows of a page; 0 turns the pager off."),
            (
                "login",
                "How logins are checked. On `vty` lines `local`, the list of `authentication`, and `login` alone all ask for a user name: the line's password is not used.",
            ),
            ("password", "The line's password: kept, but not used."),
            ("privilege level", "The privilege level of users who have none of their own."),
            (
                "transport input",
                "Enables logins: `ssh` (or `all`). The others do not exist here, and without this line nobody can log in.",
            ),
            ("width", "Columns of the terminal."),
        ],
    ),
    ("Public keys of SSH users", &[("username", "Enters the public keys of one user.")]),
    (
        "Public keys of one user",
        &[
            ("key-hash", "A public key by its MD5 fingerprint."),
            ("key-string", "A public key in base64, over as many lines as needed, until `exit`."),
            ("username", "Continues with another user."),
        ],
    ),
    ("Addresses of a NAT pool", &[("address", "A range of addresses.")]),
    (
        "Route map entry",
        &[
            (
                "continue",
                "Goes on with another entry; nothing here does, and a use of the map prevents the start.",
            ),
            (
                "match",
                "What routing protocols match. A translation or policy that uses the map prevents the start: it is not known what it means.",
            ),
            ("match interface", "Interfaces by which a packet leaves; for address translation."),
            (
                "match ip address",
                "Access lists of packets. With `prefix-list` it is of routing protocols, as any other `match`.",
            ),
            ("match ip next-hop", "Access lists of the next hop's address; for address translation."),
            ("match length", "Lengths of packets."),
            (
                "set",
                "What routing protocols set. Policy routing by it prevents the start, but for marks (`ip precedence`, …), which are not set.",
            ),
            ("set default interface", "Interfaces for packets that only the default route leads."),
            ("set interface", "Interfaces by which packets leave: the first that is up."),
            ("set ip default next-hop", "Next hops for packets that only the default route leads."),
            ("set ip next-hop", "Next hops: the first that is reachable."),
        ],
    ),
    ("Archive", &[("log config", "Enters the log of typed commands.")]),
    (
        "Log of typed commands",
        &[
            (
                "logging enable",
                "With `notify syslog`, the log says who typed which command in configuration mode (`%PARSER-5-CFGLOG_LOGGEDCMD`).",
            ),
            ("notify syslog", "With `logging enable`, the same. Without both, nothing is told."),
        ],
    ),
];
