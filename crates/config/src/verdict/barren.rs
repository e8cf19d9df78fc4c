//! Tunnels that the configuration describes whole and that come up on no router, or carry nothing:
//! their packets are led past the crypto map, their peers are asked what they cannot answer,
//! something before them takes what is theirs.

use super::Reason;
use super::ways::Ways;
use crate::acl::Pattern;
use crate::model::{Acl, Config, CryptoMap, EntryTerms, Interface, Key, KeyPeer, MapEntry, Profile, Route};
use ipnet::{IpNet, Ipv4Net};
use std::cmp::Reverse;
use std::net::IpAddr;

/// Lines of an access list whose packets leave by an interface without the map.
pub(super) fn led_past(config: &Config, ways: &Ways<'_>, map: &str, terms: &EntryTerms) -> Vec<Reason> {
    if terms.reverse_route {
        return Vec::new();
    }
    let list = terms.acl.as_ref().and_then(|name| config.acl(name));
    let mut out = Vec::new();
    for (line, net) in list.iter().flat_map(|acl| acl.permitted_destinations(config)) {
        let net = IpNet::V4(net);
        let Some((blamed, interface)) = way(ways, net) else { continue };
        let bears = |interface: &Interface| interface.crypto_map.as_deref() == Some(map);
        // of two uplinks with a map each, one is the backup of the other
        let stands_by = || {
            let own = ways.connected(net).map(|(length, _)| length);
            let longer = |route: &&Route| own.is_none_or(|own| route.destination.prefix_len() > own);
            let mut narrowest = ways.routes.narrowest(net).filter(longer);
            narrowest.any(|route| ways.leads_by(route).is_some_and(bears))
        };
        if !bears(interface) && !stands_by() {
            let text = format!(
                "packets to {net}, which line {} of the access list selects, leave by {}, which does not have the crypto map, as on a router",
                line.line, interface.name
            );
            out.push(Reason::new(blamed, text));
        }
    }
    out
}

/// The interface by which all of a network is reached, if one is the best, and the line that
/// decides so.
fn way<'c>(ways: &Ways<'c>, net: IpNet) -> Option<(u32, &'c Interface)> {
    let best = ways.routes.best(net);
    if let Some((length, interface)) = ways.connected(net)
        && best.is_none_or(|route| route.destination.prefix_len() <= length)
    {
        return Some((interface.line, interface));
    }
    let best = best?;
    // of several equal routes, the one that is used is unknown
    let equal = ways.routes.narrowest(net).nth(1).is_some_and(|second| second.distance == best.distance);
    if equal { None } else { Some((best.line, ways.leads_by(best)?)) }
}

/// Every key with the keyring it is in, in the order in which they are looked at.
fn keys(config: &Config) -> impl Iterator<Item = (usize, &Key)> {
    let rings = std::iter::once(&config.default_keys).chain(config.keyrings.iter().map(|ring| &ring.keys));
    rings.enumerate().flat_map(|(ring, keys)| keys.iter().map(move |key| (ring, key)))
}

fn length(key: &Key, peer: IpAddr) -> Option<u8> {
    match &key.peer {
        KeyPeer::Address(net) => net.contains(&peer).then(|| net.prefix_len()),
        KeyPeer::Hostname(_) => None,
    }
}

/// The key that a peer has without a profile: the best of the first keyring that has one.
fn key_of(config: &Config, peer: IpAddr) -> Option<&Key> {
    let fitting = keys(config).filter_map(|(ring, key)| Some((ring, length(key, peer)?, key)));
    fitting.min_by_key(|(ring, length, _)| (*ring, Reverse(*length))).map(|(_, _, key)| key)
}

/// `crypto map M client authentication list L` asks every peer without a profile for Xauth, those
/// of other gateways too. `peers` are an entry's; a dynamic one has none, and serves those that no
/// other entry of the map names.
pub(super) fn xauth(
    config: &Config,
    map: &CryptoMap,
    peers: Option<&[IpAddr]>,
    terms: &EntryTerms,
) -> Vec<Reason> {
    let Some((list, line)) = map.xauth_list.as_ref().filter(|_| terms.profile.is_none()) else {
        return Vec::new();
    };
    let asked: Vec<_> = match peers {
        Some(peers) => peers.iter().filter_map(|peer| key_of(config, *peer)).collect(),
        None => {
            let others: Vec<_> = map.entries.iter().flat_map(|entry| &entry.peers).collect();
            // a key for many is that of clients, who can answer
            let is_host = |key: &Key| matches!(&key.peer, KeyPeer::Address(net) if net.prefix_len() == net.max_prefix_len());
            let serves = |key: &Key| is_host(key) && others.iter().all(|peer| length(key, **peer).is_none());
            keys(config).map(|(_, key)| key).filter(|key| serves(key)).collect()
        }
    };
    let asked = asked.into_iter().filter(|key| !key.no_xauth);
    let reasons = asked.map(|key| {
        let text = format!(
            "its peer is asked for Xauth (list {list}), because its key in line {} lacks `no-xauth`; a gateway cannot answer",
            key.line
        );
        Reason::new(*line, text)
    });
    reasons.collect()
}

/// A dynamic entry of the same map before a static one captures its peer.
pub(super) fn captured(first_dynamic: Option<u16>, entry: &MapEntry) -> Option<Reason> {
    let before = first_dynamic.filter(|first| *first < entry.sequence)?;
    let text = format!(
        "the dynamic entry {before} is before it and captures its peer: the tunnel fails or uses the terms of that entry, as on a router"
    );
    Some(Reason::new(entry.line, text))
}

/// A different key for exactly this peer, after a key for more peers that is found first: phase 1
/// fails.
pub(super) fn hidden_key(config: &Config, peers: &[IpAddr], terms: &EntryTerms) -> Vec<Reason> {
    let mut out = Vec::new();
    for peer in peers.iter().filter(|_| terms.profile.is_none()) {
        let Some(used) = key_of(config, *peer) else { continue };
        let host = KeyPeer::Address(IpNet::from(*peer));
        let own = keys(config).map(|(_, key)| key).find(|key| key.peer == host);
        // keys that are not in clear text may be equal in a different encoding
        let is_clear = |key: &Key| key.key.kind() == 0;
        let is_other = |own: &&Key| is_clear(own) && is_clear(used) && own.key != used.key;
        if let Some(own) = own.filter(is_other) {
            let text = format!(
                "the key for {peer} is never used: the keyring with the key of line {} is searched first",
                used.line
            );
            out.push(Reason::new(own.line, text));
        }
    }
    out
}

/// A profile all of whose peers an earlier one takes.
pub(super) fn hidden_profile(config: &Config, profile: &Profile) -> Option<Reason> {
    let earlier = config.profiles.iter().take_while(|other| other.name != profile.name);
    let taken = |matched| earlier.clone().any(|other: &Profile| other.matches.contains(matched));
    if profile.matches.is_empty() || !profile.matches.iter().all(taken) {
        return None;
    }
    let text = format!(
        "ISAKMP profile {} is never chosen: an earlier one matches the same identities, as on a router",
        profile.name
    );
    Some(Reason::new(profile.line, text))
}

/// Pairs of lines that are compared.
const COMPARED: usize = 10_000_000;

/// Whether an access list selects nothing: it has no `permit`, or a covering `deny` precedes each.
pub(super) fn selects_nothing(config: &Config, acl: &Acl) -> bool {
    let covers = |deny: &Pattern, permit: &Pattern| {
        let inside = |one: Option<Ipv4Net>, other: Ipv4Net| one.is_some_and(|net| net.contains(&other));
        deny.is_addresses()
            && inside(deny.source.prefix(), permit.source.covering())
            && inside(deny.destination.prefix(), permit.destination.covering())
    };
    let mut denied: Vec<Pattern> = Vec::new();
    let mut compared = 0_usize;
    for (_, line) in acl.readings(config) {
        if !line.permit {
            denied.extend(line.patterns.into_iter().filter(|_| line.narrower.is_none()));
            continue;
        }
        // of so many it is not known
        compared += line.patterns.len().saturating_mul(denied.len());
        if compared > COMPARED {
            return false;
        }
        let all = line.patterns.iter().all(|permit| denied.iter().any(|deny| covers(deny, permit)));
        if line.unknown.is_some() || !all {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::verdict::{Outcome, verdicts};

    const BASE: &str = "\
crypto isakmp policy 10
 encr aes
 authentication pre-share
 group 14
crypto ipsec transform-set TS esp-aes esp-sha-hmac
access-list 101 permit ip 10.20.0.0 0.0.255.255 10.30.0.0 0.0.255.255
crypto map CM 10 ipsec-isakmp
 set peer 198.51.100.20
 set transform-set TS
 match address 101
interface GigabitEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 crypto map CM
interface GigabitEthernet0/1
 ip address 10.20.0.1 255.255.0.0
ip route 0.0.0.0 0.0.0.0 203.0.113.1
";
    const KEY: &str = "crypto isakmp key s3cret address 198.51.100.20\n";

    /// Why `CM/10` differs; nothing if it works.
    fn why(text: &str) -> Vec<String> {
        let all = verdicts(&crate::parse(text));
        let verdict = all.iter().find(|verdict| verdict.name == "CM/10").expect("a verdict");
        match &verdict.outcome {
            Outcome::Works => Vec::new(),
            Outcome::Differs(reasons) => reasons.iter().map(|reason| reason.text.clone()).collect(),
            Outcome::Missing(reasons) => panic!("{text}: {reasons:?}"),
        }
    }

    /// Each is a fault, and the same without it works.
    #[test]
    fn a_tunnel_that_check_itself_says_to_fail_does_not_work() {
        let good = format!("{BASE}{KEY}");
        assert_eq!(why(&good), [""; 0]);
        let xauth =
            "aaa new-model\naaa authentication login X local\ncrypto map CM client authentication list X\n";
        let aside = "ip route 10.30.0.0 255.255.0.0 10.20.0.7\n";
        let second = "interface GigabitEthernet0/2\n ip address 192.0.2.2 255.255.255.0\n crypto map CM2\n\
             crypto map CM2 10 ipsec-isakmp\n set peer 198.51.100.20\n set transform-set TS\n match address 101\n";
        let hidden = "crypto isakmp key other address 0.0.0.0\ncrypto keyring K\n pre-shared-key address 198.51.100.20 key mine\n";
        let profiles = "crypto isakmp profile A\n match identity address 198.51.100.20\n\
                        crypto isakmp profile B\n match identity address 198.51.100.20\n";
        for (text, because) in [
            (format!("{good}{xauth}"), Some("asked for Xauth")),
            (format!("{BASE}{}{xauth}", KEY.replace(".20\n", ".20 no-xauth\n")), None),
            (format!("{good}{aside}"), Some("leave by GigabitEthernet0/1")),
            (
                format!("{good}ip route 10.30.0.0 255.255.0.0 GigabitEthernet0/1\n"),
                Some("leave by GigabitEthernet0/1"),
            ),
            (format!("{good}ip route 10.0.0.0 255.0.0.0 10.20.0.7\n"), Some("leave by GigabitEthernet0/1")),
            (
                format!(
                    "{good}ip route 10.30.0.0 255.255.0.0 203.0.113.1\nip route 10.0.0.0 255.0.0.0 10.20.0.7\n"
                ),
                None,
            ),
            (
                format!(
                    "{good}ip route 10.30.0.0 255.255.0.0 203.0.113.1\nip route 10.30.0.0 255.255.0.0 10.20.0.7 250\n"
                ),
                None,
            ),
            (format!("{good}{aside}crypto map CM 10 ipsec-isakmp\n reverse-route\n"), None),
            (
                good.replace("10.30.0.0 0.0.255.255", "10.20.7.0 0.0.0.255"),
                Some("leave by GigabitEthernet0/1"),
            ),
            (good.replace("101 permit", "101 deny"), Some("selects nothing")),
            (
                good.replace(
                    "access-list 101 permit",
                    "access-list 101 deny ip any any\naccess-list 101 permit",
                ),
                Some("selects nothing"),
            ),
            (
                good.replace(
                    "access-list 101 permit",
                    "access-list 101 deny ip any 10.30.1.0 0.0.0.255\naccess-list 101 permit",
                ),
                None,
            ),
            (
                format!(
                    "{good}crypto dynamic-map D 10\n set transform-set TS\ncrypto map CM 5 ipsec-isakmp dynamic D\n"
                ),
                Some("captures"),
            ),
            (
                format!(
                    "{good}crypto dynamic-map D 10\n set transform-set TS\ncrypto map CM 65000 ipsec-isakmp dynamic D\n"
                ),
                None,
            ),
            (format!("{BASE}{hidden}"), Some("is never used")),
            (format!("{BASE}{}", hidden.replace("other", "mine")), None),
            (format!("{BASE}{}", hidden.replace("key other", "key 6 ABCDEFGH")), None),
            // another uplink with its own map, which takes the packets instead of the map's
            // interface or is its backup
            (format!("{good}{second}ip route 0.0.0.0 0.0.0.0 192.0.2.1 250\n"), None),
            (
                format!("{good}{second}ip route 0.0.0.0 0.0.0.0 192.0.2.1 250\n")
                    .replace("203.0.113.1\n", "203.0.113.1 251\n"),
                None,
            ),
            (
                format!("{good}{second}ip route 10.30.0.0 255.255.0.0 192.0.2.1\n"),
                Some("leave by GigabitEthernet0/2"),
            ),
            (
                format!("{good}{profiles}").replace(" set peer", " set isakmp-profile B\n set peer"),
                Some("never chosen"),
            ),
            (format!("{good}{profiles}").replace(" set peer", " set isakmp-profile A\n set peer"), None),
        ] {
            let found = why(&text);
            match because {
                Some(words) => {
                    assert!(found.iter().any(|why| why.contains(words)), "{words}: {found:?}\n{text}")
                }
                None => assert_eq!(found, [""; 0], "{text}"),
            }
        }
    }

    /// A name with a slip is asked after, as `check` does.
    #[test]
    fn a_name_that_does_not_exist_is_asked_after() {
        let text = format!("{BASE}{KEY}").replace("101", "BRANCHES");
        let text = text.replace("access-list BRANCHES permit", "ip access-list extended BRANCHES\n permit");
        assert_eq!(why(&text), [""; 0]);
        for (right, wrong, name) in [
            ("match address BRANCHES", "match address BRANCHS", "BRANCHES"),
            ("set transform-set TS", "set transform-set STRNOG", "STRONG"),
            (" set peer", " set isakmp-profile BRNACH\n set peer", "BRANCH"),
        ] {
            let more = "crypto ipsec transform-set STRONG esp-aes esp-sha-hmac\ncrypto isakmp profile BRANCH\n match identity address 198.51.100.20\n";
            let found = why(&format!("{more}{}", text.replacen(right, wrong, 1)));
            let asks = format!("(did you mean {name}?)");
            assert!(found.iter().any(|why| why.ends_with(&asks)), "{wrong}: {found:?}");
        }
    }

    /// A dynamic entry serves other gateways and clients alike; only a key that no other entry's
    /// peer has is a gateway's.
    #[test]
    fn a_dynamic_entry_whose_gateways_are_asked_for_xauth_differs() {
        let lines = "aaa new-model\naaa authentication login X local\ncrypto map CM client authentication list X\n\
                     crypto dynamic-map D 20\n set transform-set TS\n match address 101\ncrypto map CM 65000 ipsec-isakmp dynamic D\n";
        for (key, differs) in [
            ("198.51.100.20", false),
            ("198.51.100.77", true),
            ("198.51.100.77 no-xauth", false),
            // those of clients
            ("0.0.0.0 0.0.0.0", false),
            ("198.51.0.0 255.255.0.0", false),
        ] {
            let text = format!("{BASE}{KEY}crypto isakmp key other address {key}\n{lines}");
            let all = verdicts(&crate::parse(
                &text.replace(".20\ncrypto isakmp key other", ".20 no-xauth\ncrypto isakmp key other"),
            ));
            let verdict = all.iter().find(|verdict| verdict.name == "D/20").expect("a verdict");
            assert_eq!(verdict.outcome != Outcome::Works, differs, "{key}: {:?}", verdict.outcome);
        }
    }
}
