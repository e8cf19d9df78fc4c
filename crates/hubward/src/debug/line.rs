//! A line of `debug crypto` and its tag, in either layout.

use crate::base::format::Format;
use hubward_proto::path::Path;
use std::borrow::Cow;

/// What a step belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// Connection id of the ISAKMP SA, 0 before there is one.
    pub(super) conn: u32,
    /// The path, the peer's address on it.
    pub(super) path: Path,
}

/// The option that a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// `debug crypto isakmp`
    Isakmp,
    /// `debug crypto ipsec`
    Ipsec,
    /// `debug crypto engine`
    Engine,
}

/// How IOS begins a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `ISAKMP (0:1): `, newer `ISAKMP:(1001):`
    Sa(u32),
    /// The same, where IOS 12.3 forgot the colon: `ISAKMP (0:1) `
    Bare(u32),
    /// `ISAKMP (1): `
    Number(u32),
    /// `ISAKMP (0/2): `
    Slash(u32),
    /// `ISAKMP: `
    Isakmp,
    /// `ISAKMP : `
    Spaced,
    /// `ISAKMP:`
    Tight,
    /// The text has its own.
    Own,
}

/// A message: one line, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) class: Class,
    pub(crate) tag: Tag,
    pub(crate) text: String,
    /// The text of IOS 12.3 where it is another.
    pub(crate) classic: Option<String>,
}

/// IOS 12.3 counted ISAKMP SAs from 1.
pub(super) fn old(conn: u32) -> u32 {
    if conn > 1000 { conn - 1000 } else { conn }
}

impl Line {
    pub(super) fn new(class: Class, tag: Tag, text: impl Into<String>) -> Self {
        Self { class, tag, text: text.into(), classic: None }
    }

    pub(super) fn classic(self, text: impl Into<String>) -> Self {
        Self { classic: Some(text.into()), ..self }
    }

    /// The message in a layout, without a time stamp.
    pub(crate) fn text(&self, format: Format) -> Cow<'_, str> {
        let (tag, text) = match format {
            Format::Modern => {
                let tag = match self.tag {
                    Tag::Sa(conn) | Tag::Bare(conn) | Tag::Number(conn) | Tag::Slash(conn) => {
                        format!("ISAKMP:({conn}):")
                    }
                    Tag::Isakmp | Tag::Spaced => "ISAKMP: ".into(),
                    Tag::Tight => "ISAKMP:".into(),
                    Tag::Own => String::new(),
                };
                (tag, &self.text)
            }
            Format::Classic => {
                let tag = match self.tag {
                    Tag::Sa(conn) => format!("ISAKMP (0:{}): ", old(conn)),
                    Tag::Bare(conn) => format!("ISAKMP (0:{}) ", old(conn)),
                    Tag::Number(conn) => format!("ISAKMP ({}): ", old(conn)),
                    Tag::Slash(conn) => format!("ISAKMP (0/{}): ", old(conn)),
                    Tag::Isakmp => "ISAKMP: ".into(),
                    Tag::Spaced => "ISAKMP : ".into(),
                    Tag::Tight => "ISAKMP:".into(),
                    Tag::Own => String::new(),
                };
                (tag, self.classic.as_ref().unwrap_or(&self.text))
            }
        };
        if tag.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(tag + text) }
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn len(&self) -> usize {
        24 + self.text.len() + self.classic.as_ref().map_or(0, String::len)
    }
}
