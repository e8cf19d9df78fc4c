//! The elements of sets that rules fill.

use super::{Counted, GETSETELEM, Nftables, counter_of, request};
use crate::error::Error;
use crate::netlink::Attributes;
use std::time::Duration;

/// An element of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its key: the parts one after the other, each filled up with zeros to a multiple of four
    /// bytes.
    pub key: Vec<u8>,
    /// How long it stays, where it does not stay for ever.
    pub left: Option<Duration>,
    /// What it met, where the set counts.
    pub counted: Option<Counted>,
}

impl Nftables {
    /// The elements of a set, in the kernel's order, which is none. Empty if there is no such set.
    pub fn elements(&self, table: &str, set: &str) -> Result<Vec<Element>, Error> {
        let message = request(GETSETELEM, 0).text(1, table).text(2, set);
        let parts = self.netlink.list("read a set of the packet filter", set, &message, |_, body| {
            let mut attributes = Attributes(body.get(4..)?);
            let (_, list) = attributes.find(|(kind, _)| *kind == 3)?;
            Some(Attributes(list).filter_map(|(_, element)| element_of(element)).collect::<Vec<_>>())
        });
        match parts {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            parts => Ok(parts?.into_iter().flatten().collect()),
        }
    }
}

fn element_of(element: &[u8]) -> Option<Element> {
    let attribute = |wanted| Attributes(element).find(|(kind, _)| *kind == wanted).map(|(_, data)| data);
    let (_, key) = Attributes(attribute(1)?).find(|(kind, _)| *kind == 1)?;
    let left = attribute(5).and_then(|left| left.try_into().ok()).map(u64::from_be_bytes);
    // one expression, or a list of them
    let one = attribute(7).and_then(counter_of);
    let listed = || Attributes(attribute(11)?).find_map(|(_, expression)| counter_of(expression));
    Some(Element { key: key.to_vec(), left: left.map(Duration::from_millis), counted: one.or_else(listed) })
}
