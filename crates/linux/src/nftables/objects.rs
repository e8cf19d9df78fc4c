//! Tables that were loaded as text: their named counters, and whether they are as they were loaded.

use super::{
    Counted, GETCHAIN, GETRULE, GETTABLE, NEWOBJ, NEWTABLE, Nftables, SUBSYSTEM, counted_of, named, request,
};
use crate::error::Error;
use crate::netlink::{Attributes, text_of};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

const GETOBJ: u16 = 19;
const GETOBJ_RESET: u16 = 21;
/// `NFT_OBJECT_COUNTER`.
const COUNTER: u32 = 1;
/// `NFT_OBJECT_…` of other objects, and how `nft` calls them.
const OBJECTS: [(u32, &str); 7] = [
    (2, "quota"),
    (3, "ct helper"),
    (4, "limit"),
    (7, "ct timeout"),
    (8, "secmark"),
    (9, "ct expectation"),
    (10, "synproxy"),
];

/// What there is of a table. Two are equal if nobody took away, replaced or added a table, chain or
/// rule in between: the kernel never gives a handle twice. Elements of sets may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Shape {
    /// How many chains.
    pub chains: usize,
    /// How many rules in all of them.
    pub rules: usize,
    /// The handles of the table, its chains and its rules, in one number.
    digest: u64,
}

impl Nftables {
    /// What there is of a table; `None`: there is no such table.
    pub fn shape(&self, table: &str) -> Result<Option<Shape>, Error> {
        let mut digest = DefaultHasher::new();
        let mut handle = None;
        let asked = self.netlink.request(
            "look for the packet filter",
            table,
            named(GETTABLE, 0, table),
            |kind, body| {
                if kind == SUBSYSTEM << 8 | NEWTABLE {
                    handle = attribute(body, 4).and_then(number);
                }
                Ok(())
            },
        );
        match asked {
            Err(error) if error.is_not_found() => return Ok(None),
            asked => asked?,
        }
        handle.hash(&mut digest);
        let chains = self.handles("read the chains of the packet filter", table, GETCHAIN, 2)?;
        let rules = self.handles("read the rules of the packet filter", table, GETRULE, 3)?;
        chains.hash(&mut digest);
        rules.hash(&mut digest);
        Ok(Some(Shape { chains: chains.len(), rules: rules.len(), digest: digest.finish() }))
    }

    fn handles(
        &self,
        operation: &'static str,
        table: &str,
        kind: u16,
        handle: u16,
    ) -> Result<Vec<u64>, Error> {
        let message = request(kind, 0).text(1, table);
        // kernels that do not filter list those of all tables
        self.netlink.list(operation, table, &message, |_, body| {
            let of = attribute(body, 1).map(text_of)?;
            (of == table).then(|| attribute(body, handle).and_then(number))?
        })
    }

    /// The named counters of a table. Empty if there is no table.
    pub fn named_counters(&self, table: &str) -> Result<BTreeMap<String, Counted>, Error> {
        let message = request(GETOBJ, 0).text(1, table).big(3, COUNTER);
        let found = self.netlink.list("read the counters of", table, &message, |_, body| {
            let of = attribute(body, 1).map(text_of)?;
            (of == table).then(|| counter_of(body))?
        });
        match found {
            Err(error) if error.is_not_found() => Ok(BTreeMap::new()),
            found => Ok(found?.into_iter().collect()),
        }
    }

    /// The objects of a table besides counters, as `nft` calls them: `ct timeout t`. Empty if there is
    /// no table.
    pub fn objects(&self, table: &str) -> Result<Vec<String>, Error> {
        let message = request(GETOBJ, 0).text(1, table);
        let found = self.netlink.list("read the objects of", table, &message, |_, body| {
            let of = attribute(body, 1).map(text_of)?;
            let kind = attribute(body, 3)?.try_into().map(u32::from_be_bytes).ok()?;
            let (_, word) = OBJECTS.iter().find(|(number, _)| *number == kind)?;
            (of == table).then(|| Some(format!("{word} {}", attribute(body, 2).map(text_of)?)))?
        });
        match found {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            found => found,
        }
    }

    /// Sets named counters of a table to zero; what each had counted until then. A counter that is
    /// not there is left out.
    pub fn reset_counters<'n>(
        &self,
        table: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<BTreeMap<String, Counted>, Error> {
        let mut counted = BTreeMap::new();
        for name in names {
            let message = request(GETOBJ_RESET, 0).text(1, table).text(2, name).big(3, COUNTER);
            let reset = self.netlink.request("reset the counter", name, message, |kind, body| {
                counted.extend((kind == SUBSYSTEM << 8 | NEWOBJ).then(|| counter_of(body)).flatten());
                Ok(())
            });
            match reset {
                Err(error) if error.is_not_found() => {}
                reset => reset?,
            }
        }
        Ok(counted)
    }
}

/// An attribute of a message of nf_tables.
fn attribute(body: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes(body.get(4..)?).find(|(kind, _)| *kind == wanted).map(|(_, data)| data)
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Name and count of a named counter. Other objects have another type.
fn counter_of(body: &[u8]) -> Option<(String, Counted)> {
    if attribute(body, 3)? != COUNTER.to_be_bytes() {
        return None;
    }
    Some((text_of(attribute(body, 2)?), counted_of(attribute(body, 4)?)?))
}
