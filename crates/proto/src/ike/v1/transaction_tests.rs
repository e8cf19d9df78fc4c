//! Malicious messages of mode-config and Xauth.

use super::*;
use crate::ike::v1::mode_config::config_reply;
use crate::policy::ClientGroup;

fn group() -> ClientGroup {
    ClientGroup {
        name: "testgroup".into(),
        key: Secret::new(*b"cisco321"),
        pool: Some("ippool".into()),
        netmask: None,
        dns: vec![Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(2, 2, 2, 2)],
        wins: vec![Ipv4Addr::new(3, 3, 3, 3), Ipv4Addr::new(4, 4, 4, 4)],
        domain: Some("cisco.com".into()),
        split_dns: vec![],
        split_include: vec![],
        save_password: false,
        pfs: false,
        banner: None,
        backup_gateways: vec![],
    }
}

/// A29: attributes that are unknown or not configured are tolerated and not answered; the others
/// are.
#[test]
fn a29_unknown_attributes_are_left_out() {
    let asked =
        [0x7000, 1, 0x7001, 3, 0x7003, 4, 0x7005, 5, 0x7007, 0x7008, 7, 0x7009, 0x700a, 0x7002, 0x6abc];
    let requested: Vec<_> = asked.iter().map(|kind| Attribute::long(*kind, [])).collect();
    let reply =
        config_reply(&group(), &requested, Ipv4Addr::new(10, 5, 5, 1), Duration::from_secs(86386), "Hubward");
    let kinds: Vec<_> = reply.iter().map(|attribute| attribute.kind).collect();
    assert_eq!(kinds, [1, 3, 3, 4, 4, 5, 7, 0x7002]);
    let expiry = reply.iter().find(|attribute| attribute.kind == config::ADDRESS_EXPIRY).unwrap();
    assert_eq!(expiry.as_number(), Some(86386));
}

/// An attribute that is requested repeatedly is answered once.
#[test]
fn a_repeated_question_has_one_answer() {
    let group = ClientGroup { banner: Some("x".repeat(500)), ..group() };
    let asked = [config::DNS, config::UNITY_BANNER].repeat(250);
    let requested: Vec<_> = asked.iter().map(|kind| Attribute::long(*kind, [])).collect();
    let address = Ipv4Addr::new(10, 5, 5, 1);
    let reply = config_reply(&group, &requested, address, Duration::from_secs(1), "Hubward");
    let kinds: Vec<_> = reply.iter().map(|attribute| attribute.kind).collect();
    assert_eq!(kinds, [config::ADDRESS, config::DNS, config::DNS, config::UNITY_BANNER]);
}

/// What a hostile gateway sends is bounded, made printable, or refused (CVE-2010-3302 and similar).
#[test]
fn hostile_assignments() {
    let read = |attributes: Vec<Attribute>| {
        let message = Config { kind: config::REPLY, identifier: 1, attributes };
        read_assignment("work", "192.0.2.1".parse().unwrap(), &message)
    };
    let address = Attribute::long(config::ADDRESS, [10, 5, 5, 1]);
    for refused in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255]] {
        assert!(read(vec![Attribute::long(config::ADDRESS, refused)]).is_none());
    }
    assert!(read(vec![Attribute::long(config::ADDRESS, [10, 5, 5])]).is_none());
    let domain = |text: &str| Attribute::long(config::UNITY_DEF_DOMAIN, text.as_bytes());
    for text in ["a;reboot", "a`id`", "a\nb", "$(x)", "", "a b"] {
        assert_eq!(read(vec![address.clone(), domain(text)]).unwrap().domain, None, "{text:?}");
    }
    let banner = Attribute::long(config::UNITY_BANNER, [b"hi\x1b[31m\0".as_slice(), &[b'x'; 5000]].concat());
    let banner = read(vec![address.clone(), banner]).unwrap().banner.unwrap();
    assert!(banner.len() <= 1024 && !banner.contains('\u{1b}') && !banner.contains('\0'));
    let networks = vec![[10, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0]; limits::SPLIT_NETWORKS + 1].concat();
    let many = read(vec![address, Attribute::long(config::UNITY_SPLIT_INCLUDE, networks)]).unwrap();
    assert_eq!(many.split_include.len(), limits::SPLIT_NETWORKS);
}

#[test]
fn xauth_texts() {
    assert_eq!(xauth_text(b"mpa\0".to_vec()), Some(b"mpa".to_vec()));
    assert_eq!(xauth_text(b"m\0pa".to_vec()), None);
    assert!(xauth_text(vec![b'a'; limits::XAUTH_BYTES]).is_some());
    assert!(xauth_text(vec![b'a'; limits::XAUTH_BYTES + 1]).is_none());
}
