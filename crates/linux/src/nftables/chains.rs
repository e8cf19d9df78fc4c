//! The chains of every program that the kernel asks about packets of IPv4.

use super::{GETCHAIN, GETRULE, Nftables, SUBSYSTEM};
use crate::error::Error;
use crate::netlink::{Attributes, Message, text_of};
use std::fmt;

/// What a message about all families and tables says of them.
const ALL: [u8; 4] = [0; 4];
const NF_DROP: u32 = 0;

/// A chain that the kernel asks about packets that this machine forwards, and that may drop some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropping {
    /// `ip` or `inet`.
    pub family: &'static str,
    /// The name of its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Its policy is `drop`; otherwise it has a rule that drops, or may lead to one.
    pub by_policy: bool,
}

impl fmt::Display for Dropping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.by_policy { "has policy drop" } else { "has rules that drop packets" };
        write!(f, "table {} {}, chain {} at hook forward {how}", self.family, self.table, self.chain)
    }
}

impl Nftables {
    /// The chains at the hook `forward` that may drop packets of IPv4, of all tables but those whose
    /// name begins like this. Those of `iptables-nft` are among them.
    pub fn dropping_forwarded(&self, but: &str) -> Result<Vec<Dropping>, Error> {
        let message = Message::new(SUBSYSTEM << 8 | GETCHAIN, 0, &ALL);
        let chains = self.netlink.list("list the chains of", "all packet filters", &message, chain_of)?;
        let message = Message::new(SUBSYSTEM << 8 | GETRULE, 0, &ALL);
        let rules = self.netlink.list("list the rules of", "all packet filters", &message, drop_of)?;
        let hooked = |family: u8, table: &str, name: &str| {
            let is = |one: &&Chain| one.family == family && one.table == table && one.name == name;
            chains.iter().find(is).is_some_and(|one| one.hook.is_some())
        };
        let drops = |chain: &Chain| {
            let of_table =
                rules.iter().filter(|(family, table, _)| *family == chain.family && *table == chain.table);
            let mut reached = of_table.filter(|(family, table, name)| {
                // whatever is not asked by itself may be jumped to
                *name == chain.name || !hooked(*family, table, name)
            });
            reached.next().is_some()
        };
        let forward = |chain: &&Chain| {
            chain.hook == Some(libc::NF_INET_FORWARD as u32) && !chain.table.starts_with(but)
        };
        let found = chains.iter().filter(forward).filter_map(|chain| {
            let family = match i32::from(chain.family) {
                libc::NFPROTO_IPV4 => "ip",
                libc::NFPROTO_INET => "inet",
                _ => return None,
            };
            (chain.drops || drops(chain)).then(|| Dropping {
                family,
                table: chain.table.clone(),
                chain: chain.name.clone(),
                by_policy: chain.drops,
            })
        });
        Ok(found.collect())
    }
}

struct Chain {
    family: u8,
    table: String,
    name: String,
    hook: Option<u32>,
    /// Its policy.
    drops: bool,
}

fn chain_of(_: u16, body: &[u8]) -> Option<Chain> {
    let all = body.get(4..)?;
    Some(Chain {
        family: *body.first()?,
        table: text_of(find(all, 1)?),
        name: text_of(find(all, 3)?),
        hook: find(all, 4).and_then(|hook| number(find(hook, 1)?)),
        drops: find(all, 5).and_then(number) == Some(NF_DROP),
    })
}

/// Family, table and chain of a rule that drops.
fn drop_of(_: u16, body: &[u8]) -> Option<(u8, String, String)> {
    let all = body.get(4..)?;
    let drops = Attributes(find(all, 4)?).any(|(_, expression)| is_drop(expression).unwrap_or(false));
    drops.then_some((*body.first()?, text_of(find(all, 1)?), text_of(find(all, 2)?)))
}

fn is_drop(expression: &[u8]) -> Option<bool> {
    let (name, data) = (text_of(find(expression, 1)?), find(expression, 2));
    Some(match name.as_str() {
        "reject" => true,
        // of iptables
        "target" => text_of(find(data?, 1)?) == "REJECT",
        "immediate" => number(find(find(find(data?, 2)?, 2)?, 1)?) == Some(NF_DROP),
        _ => false,
    })
}

fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes(attributes).find(|(kind, _)| *kind == wanted).map(|(_, data)| data)
}

fn number(data: &[u8]) -> Option<u32> {
    data.try_into().map(u32::from_be_bytes).ok()
}
