//! `show crypto map` and `show crypto dynamic-map`.

use super::show_ipsec::transforms;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::{Layout, acl_range, port_suffix, protocol_name};
use crate::translate;
use crate::views::snapshot::{Flow, Snapshot};
use hubward_config::acl::written;
use hubward_config::model::{Acl, AclEntry, AclLine, Config, EntryTerms};
use hubward_proto::names::EntryName;
use serde::Serialize;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// Entries that a dynamic one makes for its peers are numbered from here.
const FIRST_CLONE: u32 = 65_536;

pub(super) fn maps(context: &Context, arguments: &Arguments) -> Output {
    let snapshot = Arc::clone(&context.snapshot);
    let interface = arguments.interface();
    let mut tag = arguments.get("name").map(str::to_string);
    if let Some(name) = &interface {
        let found = snapshot.parsed.config.interfaces.iter().find(|interface| interface.name == *name);
        let found = found.ok_or_else(|| arguments.invalid("interface"))?;
        // an interface without a crypto map has none to show, and no map has an empty name
        tag = Some(found.crypto_map.clone().unwrap_or_default());
    }
    shown(Maps { snapshot, tag, interface })
}

pub(super) fn templates(context: &Context, arguments: &Arguments) -> Output {
    let tag = arguments.get("name").map(str::to_string);
    shown(Templates { snapshot: Arc::clone(&context.snapshot), tag })
}

/// What an entry says of its SAs.
#[derive(Debug, Serialize)]
struct Terms {
    isakmp_profile: Option<String>,
    access_list: Option<String>,
    /// The lines of the access list, or the proxies of a clone: `permit ip host 10.1.1.1 any`.
    access_list_lines: Vec<String>,
    /// `set ip access-group … in`
    access_in: Option<String>,
    /// `set ip access-group … out`
    access_out: Option<String>,
    /// `None` for no volume limit.
    kilobytes: Option<u32>,
    seconds: u32,
    idle_time: Option<u32>,
    pfs_group: Option<u16>,
    reverse_route: bool,
    transform_sets: Vec<TransformSetRow>,
}

#[derive(Debug, Serialize)]
struct TransformSetRow {
    name: String,
    /// Empty when no such set is configured.
    transforms: Vec<String>,
}

/// An entry of a crypto map, or one that a dynamic entry made for a peer.
#[derive(Debug, Serialize)]
struct EntryRow {
    map: String,
    sequence: u32,
    peers: Vec<IpAddr>,
    current_peer: Option<IpAddr>,
    /// The name of the entry's dynamic map.
    dynamic_map: Option<String>,
    /// `dynmap/10`: the template that a clone was made of.
    created_from: Option<String>,
    incomplete: bool,
    #[serde(flatten)]
    terms: Option<Terms>,
    interfaces: Vec<String>,
    /// Whether it is the last of its map: what concerns the map follows it in the text.
    #[serde(skip)]
    last: bool,
}

impl Terms {
    fn new(terms: &EntryTerms, config: &Config) -> Self {
        let acl = terms.acl.as_ref().and_then(|name| config.acl(name));
        Self {
            isakmp_profile: terms.profile.clone(),
            access_list: terms.acl.clone(),
            access_list_lines: acl.map(Self::lines).unwrap_or_default(),
            access_in: terms.access_in.clone(),
            access_out: terms.access_out.clone(),
            kilobytes: terms.volume.unwrap_or(config.crypto.volume).kilobytes(),
            seconds: terms.seconds.unwrap_or(config.crypto.seconds),
            idle_time: terms.idle_time.or(config.crypto.idle_time),
            pfs_group: terms.pfs,
            reverse_route: terms.reverse_route,
            transform_sets: terms
                .transform_sets
                .iter()
                .map(|name| TransformSetRow {
                    name: name.clone(),
                    transforms: config
                        .transform_sets
                        .iter()
                        .find(|set| set.name == *name)
                        .map(transforms)
                        .unwrap_or_default(),
                })
                .collect(),
        }
    }

    fn lines(acl: &Acl) -> Vec<String> {
        let says = |entry: &&AclEntry| !matches!(entry.what, AclLine::Remark(_));
        acl.entries.iter().filter(says).map(|entry| written(entry, acl.kind)).collect()
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        for (way, list) in [("IN", &self.access_in), ("OUT", &self.access_out)] {
            if let Some(list) = list {
                writeln!(out, "        Extended IP access check {way} list {list}")?;
            }
        }
        match self.kilobytes {
            Some(kilobytes) => writeln!(
                out,
                "        Security association lifetime: {kilobytes} kilobytes/{} seconds",
                self.seconds
            )?,
            None => writeln!(
                out,
                "        Security association lifetime: kilobyte rekey disabled/{} seconds",
                self.seconds
            )?,
        }
        if let Some(seconds) = self.idle_time {
            writeln!(out, "        Security association idletime: {seconds} seconds")?;
        }
        if format == Format::Modern {
            writeln!(out, "        Dualstack (Y/N): N\n")?;
            writeln!(out, "        Responder-Only (Y/N): N")?;
        }
        match self.pfs_group {
            Some(group) => {
                writeln!(out, "        PFS (Y/N): Y")?;
                writeln!(out, "        DH group:  group{group}")?;
            }
            None => writeln!(out, "        PFS (Y/N): N")?,
        }
        if format == Format::Modern {
            writeln!(out, "        Mixed-mode : Disabled")?;
        }
        self.sets(format, out)?;
        if self.reverse_route {
            writeln!(out, "        Reverse Route Injection Enabled")?;
        }
        Ok(())
    }

    fn sets(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let names = self.transform_sets.iter().map(|set| format!("{}, ", set.name));
        match format {
            Format::Classic => writeln!(out, "        Transform sets={{ {}}}", names.collect::<String>()),
            Format::Modern => {
                writeln!(out, "        Transform sets={{ ")?;
                for set in &self.transform_sets {
                    writeln!(out, "                {}:  {{ {}  }} , ", set.name, set.transforms.join(" "))?;
                }
                writeln!(out, "        }}")
            }
        }
    }
}

struct Maps {
    snapshot: Arc<Snapshot>,
    tag: Option<String>,
    interface: Option<String>,
}

impl Maps {
    /// The entries of the configuration, then what dynamic ones made, one at a time.
    fn entries(
        &self,
        map: &hubward_config::model::CryptoMap,
        interfaces: Vec<String>,
    ) -> impl Iterator<Item = EntryRow> {
        let config = &self.snapshot.parsed.config;
        let name = map.name.clone();
        let flows = move || {
            self.snapshot.flows.iter().filter({
                let name = name.clone();
                move |flow| flow.service.map() == Some(name.as_str())
            })
        };
        let mut entries: Vec<_> = map.entries.iter().collect();
        entries.sort_by_key(|entry| entry.sequence);
        let fixed: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let mine = |flow: &&Flow| {
                    flow.service.map_entry().is_some_and(|served| served.sequence == entry.sequence)
                };
                let peers = entry.peers.clone();
                let current = flows().find(mine).map(|flow| flow.path.remote);
                let fixed = entry.dynamic.is_none();
                EntryRow {
                    map: map.name.clone(),
                    sequence: entry.sequence.into(),
                    current_peer: current.or(peers.first().copied()).filter(|_| fixed),
                    incomplete: fixed && (peers.is_empty() || entry.terms.acl.is_none()),
                    peers,
                    dynamic_map: entry.dynamic.clone(),
                    created_from: None,
                    terms: fixed.then(|| Terms::new(&entry.terms, config)),
                    interfaces: interfaces.clone(),
                    last: false,
                }
            })
            .collect();
        let clones = flows().filter_map(|flow| Some((flow, flow.service.template()?)));
        let clones = (FIRST_CLONE..)
            .zip(clones)
            .map(move |(number, (flow, template))| self.clone_of(flow, template, number, &interfaces));
        let mut rows = fixed.into_iter().chain(clones).peekable();
        std::iter::from_fn(move || {
            let mut row = rows.next()?;
            row.last = rows.peek().is_none();
            Some(row)
        })
    }

    /// What a dynamic entry made for a peer.
    fn clone_of(&self, flow: &Flow, template: &EntryName, number: u32, interfaces: &[String]) -> EntryRow {
        let config = &self.snapshot.parsed.config;
        let terms = translate::terms_of(config, &flow.service).map(|terms| {
            let selector = &flow.selector;
            let line = format!(
                "permit {} {}{} {}{}",
                protocol_name(selector.protocol),
                acl_range(selector.local),
                port_suffix(selector.protocol, selector.local_port),
                acl_range(selector.remote),
                port_suffix(selector.protocol, selector.remote_port)
            );
            Terms { access_list: None, access_list_lines: vec![line], ..Terms::new(terms, config) }
        });
        EntryRow {
            map: flow.service.map().unwrap_or_default().to_string(),
            sequence: number,
            peers: vec![flow.path.remote],
            current_peer: Some(flow.path.remote),
            dynamic_map: None,
            created_from: Some(format!("{}/{}", template.map, template.sequence)),
            incomplete: false,
            terms,
            interfaces: interfaces.to_vec(),
            last: false,
        }
    }
}

impl Layout for Maps {
    type Row = EntryRow;

    fn rows(&self) -> impl Iterator<Item = EntryRow> {
        let config = &self.snapshot.parsed.config;
        let wanted = config.maps.iter().filter(|map| self.tag.as_ref().is_none_or(|tag| *tag == map.name));
        wanted.flat_map(|map| {
            let bearers =
                config.interfaces.iter().filter(|found| found.crypto_map.as_ref() == Some(&map.name));
            let bearers =
                bearers.filter(|found| self.interface.as_ref().is_none_or(|name| *name == found.name));
            let interfaces: Vec<_> = bearers.map(|found| found.name.clone()).collect();
            self.entries(map, interfaces)
        })
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let mut any = false;
        for row in self.rows() {
            row.text(format, out)?;
            any = true;
        }
        if !any && self.tag.is_none() {
            writeln!(out, "No crypto maps found.")?;
        }
        Ok(())
    }
}

impl EntryRow {
    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let family = if format == Format::Modern { "IPv4 " } else { "" };
        writeln!(out, "Crypto Map {family}\"{}\" {} ipsec-isakmp", self.map, self.sequence)?;
        if self.incomplete {
            writeln!(out, "        WARNING: This crypto map is in an incomplete state!")?;
            writeln!(out, "                (missing peer or access-list definitions)")?;
        }
        if let Some(name) = &self.dynamic_map {
            writeln!(out, "        Dynamic map template tag: {name}")?;
        }
        for peer in &self.peers {
            writeln!(out, "        Peer = {peer}")?;
        }
        if let Some(terms) = &self.terms {
            if let Some(profile) = &terms.isakmp_profile {
                writeln!(out, "        ISAKMP Profile: {profile}")?;
            }
            if format == Format::Modern {
                let dynamic = if self.created_from.is_some() { "True" } else { "False" };
                writeln!(out, "        Access-List SS dynamic: {dynamic}")?;
            }
            let name = terms.access_list.as_deref().unwrap_or_default();
            if !terms.access_list_lines.is_empty() || !name.is_empty() {
                writeln!(out, "        Extended IP access list {name}")?;
            }
            for line in &terms.access_list_lines {
                writeln!(out, "            access-list {name} {line}")?;
            }
            if let Some(template) = &self.created_from {
                writeln!(out, "            dynamic (created from dynamic map {template})")?;
            }
            if let Some(peer) = self.current_peer {
                writeln!(out, "        Current peer: {peer}")?;
            }
            terms.text(format, out)?;
        }
        if self.last {
            writeln!(out, "        Interfaces using crypto map {}:", self.map)?;
            for interface in &self.interfaces {
                writeln!(out, "                {interface}")?;
            }
        }
        writeln!(out)
    }
}

/// An entry of a dynamic map.
#[derive(Debug, Serialize)]
struct TemplateRow {
    dynamic_map: String,
    sequence: u16,
    #[serde(flatten)]
    terms: Terms,
}

struct Templates {
    snapshot: Arc<Snapshot>,
    tag: Option<String>,
}

impl Layout for Templates {
    type Row = TemplateRow;

    fn rows(&self) -> impl Iterator<Item = TemplateRow> {
        let config = &self.snapshot.parsed.config;
        let wanted = config.dynamic_maps.iter();
        let wanted = wanted.filter(|map| self.tag.as_ref().is_none_or(|tag| *tag == map.name));
        wanted.flat_map(|map| {
            let mut rows: Vec<_> = map
                .entries
                .iter()
                .map(|entry| TemplateRow {
                    dynamic_map: map.name.clone(),
                    sequence: entry.sequence,
                    terms: Terms::new(&entry.terms, config),
                })
                .collect();
            rows.sort_by_key(|row| row.sequence);
            rows
        })
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            // IOS prints no space here
            writeln!(out, "Crypto Map Template\"{}\" {}", row.dynamic_map, row.sequence)?;
            if let Some(profile) = &row.terms.isakmp_profile {
                writeln!(out, "        ISAKMP Profile: {profile}")?;
            }
            match &row.terms.access_list {
                Some(name) => {
                    writeln!(out, "        Extended IP access list {name}")?;
                    for line in &row.terms.access_list_lines {
                        writeln!(out, "            access-list {name} {line}")?;
                    }
                }
                None => writeln!(out, "        No matching address list set.")?,
            }
            row.terms.text(format, out)?;
            writeln!(out)?;
        }
        Ok(())
    }
}
