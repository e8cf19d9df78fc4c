//! Files and their contents.

use hubward_config::edit::{Position, enter};
use hubward_config::pcf;
use hubward_crypto::password::{decode_pcf, decode_type7, encode_type7};

/// A configuration: every line is kept, and the text is printed as it was read.
pub(crate) fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = hubward_config::parse(&text);
    assert_eq!(parsed.document.print(), text, "the document prints what was read");
    let lines = u32::try_from(parsed.document.lines.len()).unwrap();
    for diagnostic in &parsed.diagnostics {
        assert!(diagnostic.line <= lines, "{diagnostic:?} of {lines} lines");
    }
    // the result does not depend on the line endings, and parsing again gives the same
    let again = hubward_config::parse(&parsed.document.print());
    assert_eq!(again, parsed);
}

pub(crate) fn configurations() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../../examples/hub.cfg").to_vec(),
        include_bytes!("../../../examples/spoke.cfg").to_vec(),
        b"banner motd ^C\r\nhello\r\n^C\r\ncrypto pki certificate chain x\r\n certificate 01\r\n  3082\r\n  quit\r\nend\r\n"
            .to_vec(),
    ]
}

/// Lines typed in configuration mode: each is refused and changes nothing, or gives a configuration
/// that reads back as printed.
pub(crate) fn typed_lines(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut running = "hostname Hub\ninterface FastEthernet0/0\n ip address dhcp\nend\n".to_string();
    let mut position = Position::default();
    for line in text.lines().take(40) {
        let Ok(change) = enter(&running, &position, line) else { continue };
        if let Some(new) = change.text {
            assert_ne!(new, running);
            assert_eq!(hubward_config::parse(&new).document.print(), new);
            running = new;
        }
        position = change.position;
        assert!(position.is_global() || position.prompt() != "config");
    }
}

pub(crate) fn typed() -> Vec<Vec<u8>> {
    let seeds = [
        include_str!("../../../examples/hub.cfg").lines().take(38).collect::<Vec<_>>().join("\n"),
        "int fa0/0\nno ip address\nip address 10.0.0.1 255.0.0.0\nexit\nno int fa0/0\ndefault interface fa0/1".into(),
        "crypto isakmp policy 10\nencr aes 256\ncrypto ipsec transform-set a esp-aes esp-sha-hmac\nmode transport".into(),
        "banner motd ^Chello^C\nline vty 0 4\nlogin local\nno crypto isakmp policy 10\nhostname \u{e9}".into(),
    ];
    seeds.map(String::into_bytes).to_vec()
}

/// A `.pcf` profile.
pub(crate) fn client_profile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let profile = pcf::parse(&text);
    let shown = format!("{profile:?}");
    for secret in [&profile.group_password, &profile.user_password].into_iter().flatten() {
        let secret = secret.expose();
        assert!(secret.len() < 12 || !shown.contains(secret) || text.matches(secret).count() > 1, "{shown}");
    }
    for encoded in [&profile.group_password_encoded, &profile.user_password_encoded].into_iter().flatten() {
        let _decoded_or_refused = decode_pcf(encoded);
    }
}

pub(crate) fn client_profiles() -> Vec<Vec<u8>> {
    let profile = "[main]\r\nDescription=x\r\nHost=10.48.67.181\r\nAuthType=1\r\n!GroupName=testgroup\r\n\
                   GroupPwd=cisco321cisco321\r\nUsername=user\r\nUserPassword=hunter2hunter2\r\nDHGroup=2\r\n\
                   EnableNat=1\r\nBackupServer=a,b\r\n";
    // made from cisco321 by the scheme that decode_pcf reverses; only its format matters here
    let encoded = format!("[main]\nHost=gw\nenc_GroupPwd={}\n", "0A1B2C3D4E5F60718293".repeat(6));
    vec![profile.into(), encoded.into()]
}

/// Stored passwords.
pub(crate) fn stored_password(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _decoded_or_refused = decode_pcf(&text);
    if let Ok(plain) = decode_type7(&text)
        && let Ok(plain) = String::from_utf8(plain.expose().to_vec())
        && let Ok(salt) = text[..2].parse()
    {
        assert_eq!(encode_type7(&plain, salt).to_ascii_lowercase(), text.to_ascii_lowercase());
    }
}

pub(crate) fn stored_passwords() -> Vec<Vec<u8>> {
    vec![
        encode_type7("cisco123", 7).into_bytes(),
        encode_type7("a longer password, with more", 15).into_bytes(),
    ]
}
