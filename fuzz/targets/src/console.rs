//! What users type, what SSH clients send, and what a capture contains.

use crate::engine;

pub(crate) fn lines() -> Vec<Vec<u8>> {
    [
        "show crypto isakmp sa detail | include ^10\\.48|QM_IDLE$",
        "sh run | section crypto map",
        "show ip interface Fa0/0 | count _up_",
        "clear crypto session remote 192.0.2.1",
        "ping 10.1.1.1 source 10.2.2.2 size 1400 df-bit repeat 5",
        "show crypto ipsec sa | json",
        "why 10.100.2.102 | begin (they|[hH]ere)+.*",
    ]
    .map(|line| line.as_bytes().to_vec())
    .to_vec()
}

/// The first byte decides the privilege, whether `enable` asks for a password, and how the
/// keystrokes are split into reads.
pub(crate) fn keystrokes() -> Vec<Vec<u8>> {
    [
        "\u{5f}show cry\tisa?\u{15}sh ver\r\u{10}\u{10}\u{e}\u{1}\u{b}\u{19}terminal length 5\rshow run\r  q\u{3}",
        "\u{1f}conf t\rint fa0/0\rno ip address\rdo sh ip int br\rexit\rcrypto isakmp policy 20\rencr aes\r\u{1a}exit\r",
        "\u{41}enable\rabc\rdisable\renable 7\rwrong\rwrong\rwrong\r\u{1b}[A\u{1b}[D\u{7f}\u{8}\u{16}?\r",
        "\u{4f}configure terminal\rbanner motd #\rhello\r#\rip ssh pubkey-chain\rusername a\rkey-string\rAAAA\rexit\rend\r",
    ]
    .map(|keys| keys.as_bytes().to_vec())
    .to_vec()
}

/// A client's greeting, its algorithms (RFC 4253 section 7.1), its key exchange message, and
/// something encrypted.
pub(crate) fn ssh_clients() -> Vec<Vec<u8>> {
    let lists = [
        "curve25519-sha256,ecdh-sha2-nistp256,ext-info-c",
        "ssh-ed25519",
        "aes128-ctr,chacha20-poly1305@openssh.com",
        "aes128-ctr,chacha20-poly1305@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    ];
    let mut kexinit = vec![20];
    kexinit.extend([7; 16]);
    for list in lists {
        kexinit.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
        kexinit.extend(list.as_bytes());
    }
    kexinit.extend([0; 5]);
    let mut share = vec![30, 0, 0, 0, 32];
    share.extend([9; 32]);
    let greeting = b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n".to_vec();
    let begun = [greeting.clone(), packet(&kexinit)].concat();
    let exchanged = [begun.clone(), packet(&share), packet(&[21]), vec![0x5a; 64]].concat();
    vec![greeting, begun, exchanged, b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n".to_vec()]
}

/// A packet before there are keys (RFC 4253 section 6).
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = u32::try_from(1 + payload.len() + padding).unwrap();
    let mut out = length.to_be_bytes().to_vec();
    out.push(u8::try_from(padding).unwrap());
    out.extend(payload);
    out.extend(vec![0; padding]);
    out
}

/// Captures with the messages of negotiations: raw IP packets, and IP fragments in PPPoE with a VLAN
/// tag.
pub(crate) fn captures() -> Vec<Vec<u8>> {
    let (mut whole, mut split) = (capture(101), capture(1));
    for (id, message) in (0_u16..).zip(engine::datagrams().into_iter().take(8)) {
        let length = u16::try_from(8 + message.len()).unwrap();
        let head = [500, 500, length, 0].into_iter().flat_map(u16::to_be_bytes);
        let datagram: Vec<u8> = head.chain(message).collect();
        frame(&mut whole, &ip_packet(id, 0, &datagram));
        let (begin, end) = datagram.split_at(datagram.len().min(64));
        let tagged = [&[2; 12][..], &[0x81, 0, 0, 7, 0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21]].concat();
        frame(&mut split, &[&tagged[..], &ip_packet(id, 0x2000, begin)].concat());
        frame(&mut split, &[&tagged[..], &ip_packet(id, 8, end)].concat());
    }
    vec![whole, split]
}

/// The header of a capture with this link type.
fn capture(link: u32) -> Vec<u8> {
    let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, link];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn frame(file: &mut Vec<u8>, packet: &[u8]) {
    let length = u32::try_from(packet.len()).unwrap();
    for word in [1, 0, length, length] {
        file.extend(word.to_le_bytes());
    }
    file.extend(packet);
}

/// A UDP packet, or a fragment of one.
fn ip_packet(id: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    for word in [u16::try_from(20 + payload.len()).unwrap(), id, fragment] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend([64, 17, 0, 0, 10, 100, 2, 102, 10, 48, 67, 181]);
    packet.extend(payload);
    packet
}
