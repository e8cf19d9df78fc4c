//! The elements of sets that rules fill, and of maps that Hubward fills.

use super::{Counted, GETSETELEM, NEWSETELEM, Nftables, SUBSYSTEM, counter_of, request};
use crate::error::Error;
use crate::netlink::{Attributes, CREATE, EXCLUSIVE, Message};
use std::time::Duration;

const DELSETELEM: u16 = 14;
/// Elements in one message: the length of an attribute has 16 bits.
const TOGETHER: usize = 512;

/// An element of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its key: the parts one after the other, each filled up with zeros to a multiple of four
    /// bytes.
    pub key: Vec<u8>,
    /// What a map has under it; of a set, nothing.
    pub data: Vec<u8>,
    /// How long it stays, where it does not stay for ever.
    pub left: Option<Duration>,
    /// What it met, where the set counts.
    pub counted: Option<Counted>,
}

/// A change of the elements of a set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A map gets elements, keys with their data. None of the keys may be there, or the kernel refuses
    /// everything.
    Put(String, Vec<(Vec<u8>, Vec<u8>)>),
    /// A set gets elements; those that are there may stay as they are.
    Add(String, Vec<Vec<u8>>),
    /// Elements with these keys go. All of them must be there.
    Remove(String, Vec<Vec<u8>>),
}

impl Nftables {
    /// Changes elements of a table's sets and maps: all of it, or nothing.
    pub fn edit(&self, table: &str, edits: &[Edit]) -> Result<(), Error> {
        let messages: Vec<_> = edits.iter().flat_map(|edit| edit.messages(table)).collect();
        if messages.is_empty() {
            return Ok(());
        }
        self.netlink.batch("change elements of the packet filter", table, SUBSYSTEM, messages)
    }

    /// The elements of a set, in the kernel's order, which is none. Empty if there is no such set.
    pub fn elements(&self, table: &str, set: &str) -> Result<Vec<Element>, Error> {
        Ok(self.elements_if_there(table, set)?.unwrap_or_default())
    }

    /// The elements of a set, in the kernel's order, which is none. `None`: there is no such set.
    pub fn elements_if_there(&self, table: &str, set: &str) -> Result<Option<Vec<Element>>, Error> {
        let message = request(GETSETELEM, 0).text(1, table).text(2, set);
        let parts = self.netlink.list("read a set of the packet filter", set, &message, |_, body| {
            let mut attributes = Attributes(body.get(4..)?);
            let (_, list) = attributes.find(|(kind, _)| *kind == 3)?;
            Some(Attributes(list).filter_map(|(_, element)| element_of(element)).collect::<Vec<_>>())
        });
        match parts {
            Err(error) if error.is_not_found() => Ok(None),
            parts => Ok(Some(parts?.into_iter().flatten().collect())),
        }
    }
}

impl Edit {
    fn messages(&self, table: &str) -> Vec<Message> {
        let message = |kind, flags, set: &str, fill: &dyn Fn(Message) -> Message| {
            request(kind, flags).text(1, table).text(2, set).nest(3, fill)
        };
        let keys = |list: Message, keys: &[Vec<u8>]| {
            keys.iter().fold(list, |list, key| list.nest(1, |element| element.value(1, key)))
        };
        match self {
            Self::Put(map, elements) => {
                let some = elements.chunks(TOGETHER).map(|some| {
                    message(NEWSETELEM, CREATE | EXCLUSIVE, map, &|list| {
                        some.iter().fold(list, |list, (key, data)| {
                            list.nest(1, |element| element.value(1, key).value(2, data))
                        })
                    })
                });
                some.collect()
            }
            Self::Add(set, all) => {
                let some = all.chunks(TOGETHER);
                some.map(|some| message(NEWSETELEM, CREATE, set, &|list| keys(list, some))).collect()
            }
            Self::Remove(set, all) => {
                let some = all.chunks(TOGETHER);
                some.map(|some| message(DELSETELEM, 0, set, &|list| keys(list, some))).collect()
            }
        }
    }
}

fn element_of(element: &[u8]) -> Option<Element> {
    let attribute = |wanted| Attributes(element).find(|(kind, _)| *kind == wanted).map(|(_, data)| data);
    let value = |data| Attributes(data).find(|(kind, _)| *kind == 1).map(|(_, value)| value);
    let key = value(attribute(1)?)?;
    let data = attribute(2).and_then(value).unwrap_or_default().to_vec();
    let left = attribute(5).and_then(|left| left.try_into().ok()).map(u64::from_be_bytes);
    // one expression, or a list of them
    let one = attribute(7).and_then(counter_of);
    let listed = || Attributes(attribute(11)?).find_map(|(_, expression)| counter_of(expression));
    let left = left.map(Duration::from_millis);
    Some(Element { key: key.to_vec(), data, left, counted: one.or_else(listed) })
}
