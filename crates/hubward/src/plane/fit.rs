//! Whether the kernel supports what a configuration needs. What it does not support is refused by
//! name: half a protection is none.

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
            terms.into_iter().map(move |terms| (map.name.as_str(), entry.sequence, terms))
        })
    })
}

/// The error names the first thing that policies and SAs of the kernel cannot express.
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

/// Tries every suite of the policy, in UDP and without.
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

    fn policy(text: &str) -> Policy {
        let parsed = hubward_config::parse(text);
        crate::translate::policy(&parsed.config, &[]).0
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
}
