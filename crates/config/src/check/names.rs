//! The names that parts of the VPN have for each other, and those that nothing defines.

use super::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{Config, EntryTerms};

/// A name that one part of a configuration has for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Whose it is: `crypto map M 10`, `interface FastEthernet0/0`.
    pub owner: String,
    /// What it should be: `access list`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// Whether something has that name.
    pub exists: bool,
    /// Whether a tunnel needs it whose crypto map is on an interface.
    pub in_use: bool,
    /// Line, from 1.
    pub line: u32,
}

/// Every name that a part of the VPN has for another.
pub fn references(config: &Config) -> Vec<Reference> {
    let mut out = Vec::new();
    let applied = |map: &str| config.interfaces.iter().any(|i| i.crypto_map.as_deref() == Some(map));
    let mut profiles_in_use = Vec::new();
    let mut of_terms = |out: &mut Vec<Reference>,
                        owner: &str,
                        line: u32,
                        terms: &EntryTerms,
                        in_use: bool| {
        let mut need = |what, name: &String, exists| {
            out.push(Reference { owner: owner.to_string(), what, name: name.clone(), exists, in_use, line });
        };
        for name in &terms.transform_sets {
            need("transform set", name, config.transform_sets.iter().any(|set| set.name == *name));
        }
        if let Some(name) = &terms.acl {
            need("access list", name, config.acls.iter().any(|acl| acl.name == *name));
        }
        if let Some(name) = &terms.profile {
            need("ISAKMP profile", name, config.profiles.iter().any(|profile| profile.name == *name));
            if in_use {
                profiles_in_use.push(name.clone());
            }
        }
    };
    let mut dynamic_in_use = Vec::new();
    for map in &config.maps {
        for entry in &map.entries {
            let (owner, in_use) = (format!("crypto map {} {}", map.name, entry.sequence), applied(&map.name));
            of_terms(&mut out, &owner, entry.line, &entry.terms, in_use);
            if let Some(name) = &entry.dynamic {
                let exists = config.dynamic_maps.iter().any(|map| map.name == *name);
                let (what, name, line) = ("dynamic map", name.clone(), entry.line);
                out.push(Reference { owner, what, name: name.clone(), exists, in_use, line });
                if in_use {
                    dynamic_in_use.push(name);
                }
            }
        }
    }
    for map in &config.dynamic_maps {
        for entry in &map.entries {
            let owner = format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            of_terms(&mut out, &owner, entry.line, &entry.terms, dynamic_in_use.contains(&map.name));
        }
    }
    for profile in &config.profiles {
        let in_use = profiles_in_use.contains(&profile.name);
        let mut need = |what, name: &String, exists| {
            let owner = format!("crypto isakmp profile {}", profile.name);
            out.push(Reference { owner, what, name: name.clone(), exists, in_use, line: profile.line });
        };
        for name in &profile.keyrings {
            let exists = name == "default" || config.keyrings.iter().any(|keyring| keyring.name == *name);
            need("keyring", name, exists);
        }
        if let Some(name) = &profile.xauth_list {
            need("login list", name, config.aaa.login.iter().any(|list| list.name == *name));
        }
        if let Some(name) = &profile.authorization_list {
            need("network list", name, config.aaa.network.iter().any(|list| list.name == *name));
        }
    }
    for group in &config.groups {
        let mut need = |what, name: &String, exists| {
            let owner = format!("group {}", group.name);
            out.push(Reference { owner, what, name: name.clone(), exists, in_use: true, line: group.line });
        };
        if let Some(name) = &group.pool {
            need("local pool", name, config.pools.iter().any(|pool| pool.name == *name));
        }
        if let Some(name) = &group.acl {
            need("access list", name, config.acls.iter().any(|acl| acl.name == *name));
        }
    }
    for interface in &config.interfaces {
        if let Some(name) = &interface.crypto_map {
            let (owner, what) = (format!("interface {}", interface.name), "crypto map");
            let exists = config.maps.iter().any(|map| map.name == *name);
            out.push(Reference {
                owner,
                what,
                name: name.clone(),
                exists,
                in_use: true,
                line: interface.line,
            });
        }
    }
    out
}

pub(super) fn dangling(config: &Config, found: &mut Vec<Diagnostic>) {
    for Reference { what, name, line, .. } in references(config).into_iter().filter(|one| !one.exists) {
        let message = format!("the {what} {name} is not defined; until it is, this has no effect");
        say(found, Severity::Warning, Code::Dangling, line, message, format!("define {what} {name}"));
    }
}
