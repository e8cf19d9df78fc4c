//! Messages and payloads: read or refused, printed on one line, and encoded back unchanged.

use hubward_proto::ike::identity::{Identity, Proxy};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::limits;
use hubward_proto::print::{Message, Payloads};
use hubward_proto::wire::attribute::{self, Attribute};
use hubward_proto::wire::ike1::{Config, Delete, Notify, parse_sa, write_sa};
use hubward_proto::wire::isakmp::{Chain, HEADER_LEN, Header, Writer};
use hubward_proto::wire::registry::{config, payload};

/// A datagram as received, and also with its header's length corrected, so that more of it is read.
pub(crate) fn isakmp_message(data: &[u8]) {
    message(data);
    let mut fitting = data.to_vec();
    if let Some(length) = fitting.get_mut(24..HEADER_LEN) {
        length.copy_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        message(&fitting);
    }
}

fn message(bytes: &[u8]) {
    one_line(&Message(bytes).to_string(), bytes.len());
    let Ok((header, body)) = Header::parse(bytes) else { return };
    assert!(bytes.len() <= limits::MESSAGE_BYTES);
    let again = header.write(body);
    assert_eq!(Header::parse(&again), Ok((header, body)));
    if !header.encrypted() {
        chain(header.first, body);
    }
}

/// The type of the first payload, and the payloads as after decryption.
pub(crate) fn isakmp_payloads(data: &[u8]) {
    if let Some((first, bytes)) = data.split_first() {
        chain(*first, bytes);
    }
}

fn one_line(text: &str, length: usize) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() <= 512 + length * 16, "{} characters for {length} bytes: {text}", text.len());
}

fn chain(first: u8, bytes: &[u8]) {
    let Ok(chain) = Chain::parse(first, bytes) else { return };
    assert!(chain.payloads.len() <= limits::PAYLOADS && chain.length <= bytes.len());
    one_line(&Payloads(&chain).to_string(), bytes.len());
    let mut writer = Writer::new();
    for one in &chain.payloads {
        writer.push(one.kind, one.body);
        body(one.kind, one.body);
    }
    let written = writer.bytes();
    assert_eq!(written.len(), chain.length);
    assert_eq!(Chain::parse(first, &written).unwrap().payloads, chain.payloads);
}

fn body(kind: u8, body: &[u8]) {
    // any body may be read as any type, because the sender chooses the type
    if let Ok(proposals) = parse_sa(body) {
        assert!(proposals.len() <= limits::PROPOSALS);
        let transforms = proposals.iter().flat_map(|proposal| &proposal.transforms);
        assert!(transforms.clone().count() <= limits::TRANSFORMS);
        assert!(transforms.clone().all(|transform| transform.attributes.len() <= limits::ATTRIBUTES));
        assert_eq!(parse_sa(&write_sa(&proposals)), Ok(proposals));
    }
    if let Ok(notify) = Notify::parse(body) {
        assert_eq!(Notify::parse(&notify.write()), Ok(notify));
    }
    if let Ok(delete) = Delete::parse(body) {
        if !delete.spis.is_empty() {
            assert_eq!(Delete::parse(&delete.write()), Ok(delete));
        }
    }
    if let Ok(message) = Config::parse(body) {
        assert!(message.attributes.len() <= limits::CONFIG_ATTRIBUTES);
        assert_eq!(Config::parse(&message.write()), Ok(message));
    }
    for unity in [false, true] {
        if let Ok(proxy) = Proxy::parse(body, unity) {
            assert!(proxy.range.first() <= proxy.range.last());
            assert_eq!(Proxy::parse(&proxy.write(), true), Ok(proxy));
        }
    }
    if let Ok(identity) = Identity::parse(body) {
        one_line(&identity.display().to_string(), limits::IDENTITY_BYTES);
    }
    if kind == payload::VENDOR {
        let _known = Vendor::recognise(body);
    }
}

/// An attribute list.
pub(crate) fn attributes(data: &[u8]) {
    let Ok(list) = attribute::parse(data) else { return };
    let mut written = Vec::new();
    attribute::write(&list, &mut written);
    assert_eq!(written, data, "what is read whole is written as it was");
    for one in &list {
        let number = one.as_number();
        assert_eq!(
            number.is_some(),
            one.bytes().len() <= 8 && !one.bytes().is_empty() || {
                let bytes = one.bytes();
                bytes.len() > 8 && bytes[..bytes.len() - 8].iter().all(|byte| *byte == 0)
            }
        );
    }
}

/// The attribute lists that the engine sends.
pub(crate) fn attribute_lists() -> Vec<Vec<u8>> {
    let lists = [
        vec![
            Attribute::short(config::XAUTH_STATUS, 1),
            Attribute::long(config::XAUTH_USER_NAME, *b"user"),
            Attribute::long(config::XAUTH_USER_PASSWORD, *b"password"),
        ],
        vec![
            Attribute::long(config::ADDRESS, [10, 5, 5, 1]),
            Attribute::number(config::ADDRESS_EXPIRY, 86_400),
            Attribute::long(config::UNITY_SPLIT_INCLUDE, [10, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]),
        ],
        crate::peer::phase1_transform(1, 1).attributes,
    ];
    lists
        .iter()
        .map(|list| {
            let mut out = Vec::new();
            attribute::write(list, &mut out);
            out
        })
        .collect()
}
