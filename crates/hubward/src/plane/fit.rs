//! Whether the kernel supports what a configuration needs. What it does not support is refused by
//! name, because partial protection is no protection.

use super::kernel::algorithms;
use super::plan::{LINES, Net};
use anyhow::{Context as _, anyhow, bail};
use hubward_crypto::suite::EspSuite;
use hubward_linux::xfrm::Xfrm;
use hubward_proto::path::{DfBit, Mode};
use hubward_proto::policy::{EntryTerms, MapEntryKind, Policy};
use std::collections::BTreeSet;

/// The terms of all entries, with the names of their maps and their sequence numbers.
fn terms(policy: &Policy) -> impl Iterator<Item = (&str, u16, &EntryTerms)> {
    policy.maps.iter().flat_map(|map| {
        map.entries.iter().flat_map(move |entry| {
            let terms: Vec<_> = match &entry.kind {
                MapEntryKind::Static { terms, .. } => vec![terms],
                MapEntryKind::Dynamic { entries, .. } => entries.iter().map(|entry| &entry.terms).collect(),
            };
            terms.into_iter().map(move |terms| (&*map.name, entry.sequence, terms))
        })
    })
}

/// Checks that the kernel's policies and SAs can express the policy. The error names the first
/// thing that they cannot.
pub(super) fn fits(policy: &Policy) -> anyhow::Result<()> {
    let mut lines = 0;
    for (map, sequence, terms) in terms(policy) {
        let entry = format_args!("crypto map {map} {sequence}");
        if terms.df == DfBit::Set {
            bail!("the kernel cannot set the DF bit of every packet (crypto ipsec df-bit set)");
        }
        if let Some(set) = terms.transform_sets.iter().find(|set| set.mode == Mode::Transport) {
            bail!("{entry}: transport mode (transform set {}) is left to user space", set.name);
        }
        if let Some(acl) = &terms.acl {
            lines += acl.lines.len();
            for line in &acl.lines {
                if !line.permit {
                    bail!("{entry}: the kernel has no counterpart of deny lines (access list {})", acl.name);
                }
                if Net::of(&line.selector, None).is_none() {
                    bail!("{entry}: access list {} has a line that is not a pair of prefixes", acl.name);
                }
            }
        }
    }
    if lines > LINES {
        bail!("{lines} lines of crypto access lists are more than {LINES}");
    }
    if policy.global.invalid_spi_recovery {
        bail!("the kernel does not report unknown SPIs (crypto isakmp invalid-spi-recovery)");
    }
    Ok(())
}

/// Tries every suite of the policy, in UDP and without UDP.
pub(super) fn probe(policy: &Policy, xfrm: &Xfrm) -> anyhow::Result<()> {
    let sets = terms(policy).flat_map(|(_, _, terms)| &terms.transform_sets);
    let suites: BTreeSet<EspSuite> = sets.map(|set| set.suite).collect();
    for suite in suites {
        let keymat: Vec<u8> = (1..).take(suite.keymat_len()).collect();
        let algorithms = algorithms(suite, &keymat).ok_or_else(|| anyhow!("keys of the wrong length"))?;
        for encapsulated in [false, true] {
            let how = if encapsulated { " in UDP" } else { "" };
            let tried = xfrm.probe(algorithms, encapsulated);
            tried.with_context(|| format!("this kernel does not support ESP{how} with {algorithms:?}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_crypto::suite::EspCipher;
    use hubward_proto::flow::selector::{AddressRange, Selector};
    use hubward_proto::policy::{CryptoAcl, CryptoAclLine, CryptoMap, DynamicEntry, MapEntry, TransformSet};
    use std::net::IpAddr;
    use std::sync::Arc;

    fn policy(text: &str) -> Policy {
        let parsed = hubward_config::parse(text);
        crate::translate::policy(&parsed.config, &crate::translate::Addresses::new()).0
    }

    #[test]
    fn the_reference_hub_and_spoke_fit() {
        fits(&policy(include_str!("../../../../examples/hub.cfg"))).unwrap();
        fits(&policy(include_str!("../../../../examples/spoke.cfg"))).unwrap();
    }

    #[test]
    fn what_the_kernel_cannot_do_is_named() {
        let spoke = include_str!("../../../../examples/spoke.cfg");
        let set = "crypto ipsec transform-set myset esp-3des esp-sha-hmac\n";
        let permit = "access-list 100 permit";
        for (before, line, why) in [
            (set, format!("{set} mode transport\n"), "transport mode (transform set myset)"),
            (set, format!("{set}crypto ipsec df-bit set\n"), "df-bit set"),
            (set, format!("crypto isakmp invalid-spi-recovery\n{set}"), "invalid-spi-recovery"),
            (
                permit,
                format!("access-list 100 deny ip host 10.2.1.1 any\n{permit}"),
                "crypto map mymap 10: the kernel has no counterpart of deny lines (access list 100)",
            ),
        ] {
            assert!(spoke.contains(before), "{before}");
            let error = fits(&policy(&spoke.replace(before, &line))).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    fn entry(sequence: u16, terms: EntryTerms) -> MapEntry {
        MapEntry { sequence, kind: MapEntryKind::Static { peers: vec![], terms }, line: 0 }
    }

    fn with(entries: Vec<MapEntry>) -> Policy {
        let map = CryptoMap {
            name: "M".into(),
            entries,
            xauth_list: None,
            authorization_list: None,
            respond: false,
            initiate: false,
        };
        Policy { maps: vec![Arc::new(map)], ..Policy::default() }
    }

    fn range(first: [u8; 4], last: [u8; 4]) -> AddressRange {
        AddressRange::new(IpAddr::from(first), IpAddr::from(last)).unwrap()
    }

    fn acl(lines: impl IntoIterator<Item = (bool, AddressRange)>) -> Option<Arc<CryptoAcl>> {
        let line = |(permit, remote)| CryptoAclLine {
            permit,
            selector: Selector::between(AddressRange::ANY_V4, remote),
            line: 0,
        };
        Some(Arc::new(CryptoAcl { name: "A".into(), lines: lines.into_iter().map(line).collect() }))
    }

    fn set(name: &str, mode: Mode) -> TransformSet {
        let suite = EspSuite::new(EspCipher::AesGcm128, None).unwrap();
        TransformSet { name: name.into(), suite, mode, line: 0 }
    }

    /// Each reason alone, in a static entry and in an entry of a dynamic map, after an entry that
    /// fits.
    #[test]
    fn what_does_not_fit_is_found_in_every_entry() {
        let net = range([10, 2, 0, 0], [10, 2, 255, 255]);
        let plain = || EntryTerms {
            acl: acl([(true, net)]),
            transform_sets: vec![set("T", Mode::Tunnel)],
            ..EntryTerms::default()
        };
        for (terms, why) in [
            (plain(), None),
            (EntryTerms { df: DfBit::Clear, ..plain() }, None),
            (EntryTerms { acl: None, ..plain() }, None),
            (EntryTerms { acl: acl([]), transform_sets: vec![], left_out: true, ..plain() }, None),
            (
                EntryTerms { df: DfBit::Set, ..plain() },
                Some("the kernel cannot set the DF bit of every packet (crypto ipsec df-bit set)"),
            ),
            (
                EntryTerms {
                    transform_sets: vec![set("T", Mode::Tunnel), set("U", Mode::Transport)],
                    ..plain()
                },
                Some("crypto map M 20: transport mode (transform set U) is left to user space"),
            ),
            (
                EntryTerms { acl: acl([(true, net), (false, net)]), ..plain() },
                Some("crypto map M 20: the kernel has no counterpart of deny lines (access list A)"),
            ),
            (
                EntryTerms {
                    acl: acl([(true, net), (true, range([10, 3, 0, 1], [10, 3, 0, 9]))]),
                    ..plain()
                },
                Some("crypto map M 20: access list A has a line that is not a pair of prefixes"),
            ),
        ] {
            let dynamic = MapEntry {
                sequence: 20,
                kind: MapEntryKind::Dynamic {
                    name: "D".into(),
                    entries: vec![
                        DynamicEntry { sequence: 1, terms: plain(), line: 0 },
                        DynamicEntry { sequence: 2, terms: terms.clone(), line: 0 },
                    ],
                },
                line: 0,
            };
            for second in [entry(20, terms), dynamic] {
                let found = fits(&with(vec![entry(10, plain()), second.clone()]));
                assert_eq!(found.err().map(|error| error.to_string()).as_deref(), why, "{second:?}");
            }
        }
    }

    /// The lines of all entries together, at the limit and one above it.
    #[test]
    fn so_many_lines_fit() {
        let line = (true, range([10, 2, 0, 0], [10, 2, 255, 255]));
        let lines =
            |count| EntryTerms { acl: acl(std::iter::repeat_n(line, count)), ..EntryTerms::default() };
        let of = |count| fits(&with(vec![entry(10, lines(LINES / 2)), entry(20, lines(count))]));
        assert!(of(LINES - LINES / 2).is_ok());
        let error = of(LINES - LINES / 2 + 1).unwrap_err().to_string();
        assert_eq!(error, format!("{} lines of crypto access lists are more than {LINES}", LINES + 1));
    }
}
