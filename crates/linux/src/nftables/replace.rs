//! A table in the place of another, without a packet between the two.
//!
//! A chain with a hook that is deleted and made again in one transaction is two chains for the
//! kernel: the new one is asked from the moment it is named, but is empty until the transaction
//! ends, and the old one is empty from then on. A packet that asks the first before the end and the
//! second after it meets no rule of either. A chain that stays is read once, before or after. So
//! chains with a hook stay, and only what is in them changes.

use super::{
    Chain, DELCHAIN, DELRULE, DELSET, GETCHAIN, GETSET, Hook, NEWCHAIN, NEWSET, NEWTABLE, Nftables,
    SUBSYSTEM, Set, Table, elements, named, request, rule_message,
};
use crate::error::Error;
use crate::netlink::{Attributes, CREATE, Message, text_of};

/// `NFT_SET_ANONYMOUS`: it goes with its rule.
const ANONYMOUS: u32 = 1;
/// `NFT_SET_MAP` and `NFT_SET_OBJECT`.
const MAP: u32 = 0x48;

impl Nftables {
    /// Puts a table in the place of the one of its name, if there is one: each packet meets either
    /// the rules of the old one or those of the new one at each hook that both have. Named counters
    /// and other objects of the old one stay.
    pub fn replace(&self, table: &Table) -> Result<(), Error> {
        let name = &table.name;
        let (sets, chains) = (self.set_names(name)?, self.chains(name)?);
        let stays = |there: &There| {
            let same = |chain: &&Chain| chain.name == there.name && chain.hook.map(Hook::place) == there.hook;
            there.hook.is_some() && table.chains.iter().any(|chain| same(&chain))
        };
        let (stay, go): (Vec<_>, Vec<_>) = chains.iter().partition(|there| stays(there));
        let mut messages = vec![named(NEWTABLE, CREATE, name)];
        if !chains.is_empty() {
            // all rules of the table
            messages.push(named(DELRULE, 0, name));
        }
        messages.extend(sets.iter().map(|(set, _)| named(DELSET, 0, name).text(2, set)));
        messages.extend(go.iter().map(|chain| named(DELCHAIN, 0, name).text(3, &chain.name)));
        for (id, set) in (1u32..).zip(&table.sets) {
            messages.push(new_set(name, set, id));
            messages.extend(elements(name, &set.name, &set.ranges));
        }
        let new = table.chains.iter().filter(|chain| !stay.iter().any(|there| there.name == chain.name));
        messages.extend(new.map(|chain| new_chain(name, chain)));
        for chain in &table.chains {
            messages.extend(chain.rules.iter().map(|rule| rule_message(name, &chain.name, rule)));
        }
        self.netlink.batch("replace the packet filter", name, SUBSYSTEM, messages)
    }

    /// The sets, maps and chains of a table as `nft` calls them (`map m`), what refers to others
    /// before it. Empty if there is no table.
    pub fn parts(&self, table: &str) -> Result<Vec<String>, Error> {
        let sets = self.set_names(table)?.into_iter().map(|(name, map)| match map {
            true => format!("map {name}"),
            false => format!("set {name}"),
        });
        let chains = self.chains(table)?.into_iter().map(|chain| format!("chain {}", chain.name));
        Ok(sets.chain(chains).collect())
    }

    /// The sets of a table that have a name, and whether each is a map.
    fn set_names(&self, table: &str) -> Result<Vec<(String, bool)>, Error> {
        self.of_table("read the sets of the packet filter", table, GETSET, |body| {
            let flags = find(body, 3).and_then(big).unwrap_or_default();
            let name = text_of(find(body, 2)?);
            (flags & ANONYMOUS == 0).then_some((name, flags & MAP != 0))
        })
    }

    fn chains(&self, table: &str) -> Result<Vec<There>, Error> {
        self.of_table("read the chains of the packet filter", table, GETCHAIN, |body| {
            let hook = find(body, 4).and_then(|hook| {
                Some((find(hook, 1).and_then(big)?, find(hook, 2).and_then(big)?.cast_signed()))
            });
            Some(There { name: text_of(find(body, 3)?), hook })
        })
    }

    /// What a list has of one table: kernels that do not filter list those of all. `read` gets the
    /// attributes.
    fn of_table<T>(
        &self,
        operation: &'static str,
        table: &str,
        kind: u16,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let message = request(kind, 0).text(1, table);
        let found = self.netlink.list(operation, table, &message, |_, body| {
            let body = body.get(4..)?;
            (text_of(find(body, 1)?) == table).then(|| read(body))?
        });
        match found {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            found => found,
        }
    }
}

/// A chain that is in the kernel.
struct There {
    name: String,
    /// Number and priority of its hook.
    hook: Option<(u32, i32)>,
}

fn new_set(table: &str, set: &Set, id: u32) -> Message {
    // the type is an IPv4 address, in the order of the network: for nft, which prints it
    let order: [u8; 6] = [0, 4, 2, 0, 0, 0];
    request(NEWSET, CREATE)
        .text(1, table)
        .text(2, &set.name)
        .big(3, 4)
        .big(4, 7)
        .big(5, 4)
        .big(10, id)
        .attribute(13, &order)
}

fn new_chain(table: &str, chain: &Chain) -> Message {
    request(NEWCHAIN, CREATE).text(1, table).text(3, &chain.name).maybe(chain.hook, |message, hook| {
        let (number, priority) = hook.place();
        message.nest(4, |hook| hook.big(1, number).big(2, priority.cast_unsigned())).text(7, "filter")
    })
}

fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes(attributes).find(|(kind, _)| *kind == wanted).map(|(_, data)| data)
}

fn big(data: &[u8]) -> Option<u32> {
    data.try_into().map(u32::from_be_bytes).ok()
}
