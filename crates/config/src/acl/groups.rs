//! Object groups, with the groups in them.

use crate::model::{Config, GroupMembers, NetworkObject, ObjectGroup, ServiceObject, ServicePorts};

/// The members of a group of addresses, with those of the groups in it.
/// Then what is not known of it: it is not defined, or has a line that cannot be read.
pub fn networks<'c>(config: &'c Config, name: &str) -> (Vec<&'c NetworkObject>, Option<String>) {
    let mut out = Vec::new();
    let mut unknown = None;
    walk(config, name, &mut unknown, &mut |group, unknown| {
        let GroupMembers::Network(members) = &group.members else {
            *unknown = Some(format!("object group {} is not one of addresses", group.name));
            return Vec::new();
        };
        let mut inner = Vec::new();
        for member in members {
            match member {
                NetworkObject::Group(name) => inner.push(name.clone()),
                NetworkObject::Unread => *unknown = Some(unread(group)),
                NetworkObject::Name(host) => {
                    *unknown =
                        Some(format!("the address of {host} in object group {} is not known", group.name));
                }
                NetworkObject::Net(_) | NetworkObject::Range(..) => out.push(member),
            }
        }
        inner
    });
    (out, unknown)
}

/// The members of a group of services, with those of the groups in it.
pub fn services<'c>(config: &'c Config, name: &str) -> (Vec<&'c ServicePorts>, Option<String>) {
    let mut out = Vec::new();
    let mut unknown = None;
    walk(config, name, &mut unknown, &mut |group, unknown| {
        let GroupMembers::Service(members) = &group.members else {
            *unknown = Some(format!("object group {} is not one of services", group.name));
            return Vec::new();
        };
        let mut inner = Vec::new();
        for member in members {
            match member {
                ServiceObject::Group(name) => inner.push(name.clone()),
                ServiceObject::Unread => *unknown = Some(unread(group)),
                ServiceObject::Service(service) => out.push(service),
            }
        }
        inner
    });
    (out, unknown)
}

fn unread(group: &ObjectGroup) -> String {
    format!("a line of object group {} is not understood", group.name)
}

/// Visits a group and the groups in it, each once. `visit` gives the names of those.
fn walk<'c>(
    config: &'c Config,
    name: &str,
    unknown: &mut Option<String>,
    visit: &mut impl FnMut(&'c ObjectGroup, &mut Option<String>) -> Vec<String>,
) {
    let mut seen: Vec<String> = Vec::new();
    let mut left = vec![name.to_string()];
    while let Some(name) = left.pop() {
        if seen.contains(&name) {
            continue;
        }
        match config.object_group(&name) {
            Some(group) => left.extend(visit(group, unknown)),
            None => *unknown = Some(format!("object group {name} is not defined")),
        }
        seen.push(name);
    }
}
