//! The names that a configuration defines.

use crate::meant::question;
use crate::model::Config;
use std::collections::{BTreeMap, BTreeSet};

/// What may have a name.
pub(crate) const ACCESS_LIST: &str = "access list";
pub(crate) const CRYPTO_MAP: &str = "crypto map";
pub(crate) const DYNAMIC_MAP: &str = "dynamic map";
pub(crate) const GROUP: &str = "client group";
pub(crate) const KEYRING: &str = "keyring";
pub(crate) const LOGIN_LIST: &str = "login list";
pub(crate) const NETWORK_LIST: &str = "network list";
pub(crate) const INTERFACE: &str = "interface";
pub(crate) const NAT_POOL: &str = "NAT pool";
pub(crate) const POOL: &str = "local pool";
pub(crate) const PROFILE: &str = "ISAKMP profile";
pub(crate) const ROUTE_MAP: &str = "route map";
pub(crate) const TRANSFORM_SET: &str = "transform set";

/// The names that a configuration defines, by what has them.
pub(crate) struct Defined<'c>(BTreeMap<&'static str, BTreeSet<&'c str>>);

impl<'c> Defined<'c> {
    pub(crate) fn of(config: &'c Config) -> Self {
        let mut all: BTreeMap<&'static str, BTreeSet<&'c str>> = BTreeMap::new();
        let mut add = |what, names: Vec<&'c str>| all.entry(what).or_default().extend(names);
        add(TRANSFORM_SET, config.transform_sets.iter().map(|set| set.name.as_str()).collect());
        add(ACCESS_LIST, config.acls.iter().map(|acl| acl.name.as_str()).collect());
        add(PROFILE, config.profiles.iter().map(|profile| profile.name.as_str()).collect());
        add(DYNAMIC_MAP, config.dynamic_maps.iter().map(|map| map.name.as_str()).collect());
        add(CRYPTO_MAP, config.maps.iter().map(|map| map.name.as_str()).collect());
        add(KEYRING, config.keyrings.iter().map(|ring| ring.name.as_str()).collect());
        add(GROUP, config.groups.iter().map(|group| group.name.as_str()).collect());
        add(POOL, config.pools.iter().map(|pool| pool.name.as_str()).collect());
        add(INTERFACE, config.interfaces.iter().map(|interface| interface.name.as_str()).collect());
        add(NAT_POOL, config.nat.pools.iter().map(|pool| pool.name.as_str()).collect());
        add(ROUTE_MAP, config.route_maps.iter().map(|map| map.name.as_str()).collect());
        add(LOGIN_LIST, config.aaa.login.iter().map(|list| list.name.as_str()).collect());
        add(NETWORK_LIST, config.aaa.network.iter().map(|list| list.name.as_str()).collect());
        // these exist without a line that defines them
        add(KEYRING, vec!["default"]);
        add(LOGIN_LIST, vec!["default"]);
        add(NETWORK_LIST, vec!["default"]);
        Self(all)
    }

    pub(crate) fn has(&self, what: &str, name: &str) -> bool {
        self.0.get(what).is_some_and(|names| names.contains(name))
    }

    /// ` (did you mean NAME?)`, if a name that nothing has is nearly that of something.
    pub(crate) fn question(&self, what: &str, name: &str) -> String {
        question(name, self.0.get(what).into_iter().flatten().copied())
    }
}
