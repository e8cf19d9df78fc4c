//! What is chosen from which proposals.

use super::*;

fn policy(priority: u16, cipher: IkeCipher) -> IsakmpPolicy {
    IsakmpPolicy {
        priority,
        cipher,
        hash: HashAlg::Sha1,
        authentication: Authentication::PreShared,
        group: DhGroup::Modp1024,
        lifetime: Duration::from_secs(86400),
        line: 1,
    }
}

/// A24, A25: a client's long list; 3DES is chosen and the longer lifetime shortened.
#[test]
fn longer_lifetimes_are_taken_and_shortened() {
    let mut long = policy(1, IkeCipher::TripleDes);
    long.lifetime = Duration::from_secs(2_147_483);
    let offered = offer_phase1(&[policy(1, IkeCipher::Aes256), long], ike::AUTH_XAUTH_INIT_PRESHARED, None);
    let ours = [policy(10, IkeCipher::TripleDes)];
    let choice = choose_phase1(&ours, &offered, &[ike::AUTH_XAUTH_INIT_PRESHARED]).unwrap();
    assert_eq!(choice.suite.lifetime, Duration::from_secs(86400));
    assert!(choice.suite.told);
    assert_eq!(choice.answer[0].transforms[0].number, 2);
}

/// Our priority decides, not the order of the proposals.
#[test]
fn our_first_policy_wins() {
    let offered = offer_phase1(&[policy(1, IkeCipher::Des), policy(2, IkeCipher::Aes256)], 1, None);
    let ours = [policy(5, IkeCipher::Aes256), policy(10, IkeCipher::Des)];
    assert_eq!(choose_phase1(&ours, &offered, &[1]).unwrap().suite.cipher, IkeCipher::Aes256);
}

/// The reported difference is that of the closest policy.
#[test]
fn the_closest_difference_is_named() {
    let offered = offer_phase1(&[policy(1, IkeCipher::TripleDes)], 1, None);
    let mut other_group = policy(10, IkeCipher::TripleDes);
    other_group.group = DhGroup::Modp2048;
    let ours = [policy(5, IkeCipher::Aes256), other_group];
    assert_eq!(choose_phase1(&ours, &offered, &[1]).unwrap_err(), Some(Phase1Difference::Group));
    assert_eq!(choose_phase1(&ours, &offered, &[65001]).unwrap_err(), Some(Phase1Difference::Authentication));
}

/// hwdsl2 #366: vpnc puts KEY_LENGTH first; the order of attributes has no meaning.
#[test]
fn attribute_order_is_free() {
    let mut offered = offer_phase1(&[policy(1, IkeCipher::Aes256)], 1, None);
    offered[0].transforms[0].attributes.reverse();
    // the life duration now precedes its type and is not read; the rest is
    assert!(choose_phase1(&[policy(10, IkeCipher::Aes256)], &offered, &[1]).is_ok());
}

fn set(cipher: EspCipher, auth: Option<EspAuth>) -> TransformSet {
    let suite = EspSuite::new(cipher, auth).unwrap();
    TransformSet { name: "t".into(), suite, mode: Mode::Tunnel, line: 1 }
}

fn wish<'a>(sets: &'a [TransformSet], pfs: Option<DhGroup>) -> Phase2Wish<'a> {
    Phase2Wish {
        sets,
        pfs,
        lifetime: Duration::from_secs(3600),
        kilobytes: Some(4_608_000),
        udp: None,
        transport_possible: false,
    }
}

#[test]
fn phase_2_takes_what_it_offers() {
    for (cipher, auth) in [
        (EspCipher::Des, Some(EspAuth::Md5)),
        (EspCipher::TripleDes, Some(EspAuth::Sha1)),
        (EspCipher::Aes128, Some(EspAuth::Sha256)),
        (EspCipher::Aes256, Some(EspAuth::Sha512)),
        (EspCipher::AesGcm128, None),
        (EspCipher::AesGcm256, None),
    ] {
        let sets = [set(cipher, auth)];
        for pfs in [None, Some(DhGroup::Modp2048)] {
            let offered = offer_phase2(&wish(&sets, pfs), Spi(0x1234));
            let choice = choose_phase2(&wish(&sets, pfs), &offered).unwrap();
            assert_eq!(choice.suite.suite, sets[0].suite);
            assert_eq!(choice.suite.pfs, pfs);
            assert_eq!(choice.suite.kilobytes, Some(4_608_000));
        }
    }
}

#[test]
fn phase_2_differences() {
    let des3 = [set(EspCipher::TripleDes, Some(EspAuth::Sha1))];
    let aes = [set(EspCipher::Aes128, Some(EspAuth::Sha1))];
    let md5 = [set(EspCipher::TripleDes, Some(EspAuth::Md5))];
    let offered = offer_phase2(&wish(&des3, None), Spi(0x1234));
    assert_eq!(choose_phase2(&wish(&aes, None), &offered).unwrap_err(), Phase2Difference::Cipher);
    assert_eq!(choose_phase2(&wish(&md5, None), &offered).unwrap_err(), Phase2Difference::Integrity);
    let pfs = Some(DhGroup::Modp1024);
    assert_eq!(choose_phase2(&wish(&des3, pfs), &offered).unwrap_err(), Phase2Difference::Pfs);
    let mut udp = wish(&des3, None);
    udp.udp = Some(Dialect::Rfc);
    assert_eq!(choose_phase2(&udp, &offered).unwrap_err(), Phase2Difference::Mode);
    assert_eq!(choose_phase2(&wish(&des3, None), &[]).unwrap_err(), Phase2Difference::Protocol);
}

/// SPIs below 256 are reserved.
#[test]
fn reserved_spis_are_refused() {
    let sets = [set(EspCipher::TripleDes, Some(EspAuth::Sha1))];
    assert!(choose_phase2(&wish(&sets, None), &offer_phase2(&wish(&sets, None), Spi(255))).is_err());
    assert!(choose_phase2(&wish(&sets, None), &offer_phase2(&wish(&sets, None), Spi(256))).is_ok());
}
