//! How long translations live without packets (`ip nat translation …-timeout`), and the protocols
//! whose connections name further ones inside their packets.

use super::text::base;
use hubward_config::model::NatTimeouts;

/// Protocols that the kernel knows how to follow: name, protocol, port.
const FOLLOWED: [(&str, &str, u16); 3] = [("ftp", "tcp", 21), ("tftp", "udp", 69), ("sip", "udp", 5060)];
/// What IOS does without a line, in seconds.
const TCP: u32 = 86_400;
const UDP: u32 = 300;
const SHORT: u32 = 60;
/// `never`: the longest time that the kernel takes.
const NEVER: u32 = 0x7fff_ffff / 1000;

/// The objects and the chain. `links` are those of `ip nat inside` and `outside`; without
/// `follows`, the kernel lacks what follows protocols.
pub(super) fn chains(links: &str, times: &NatTimeouts, follows: bool) -> (Vec<String>, String) {
    let seconds = |given: Option<u32>, usual: u32| match given {
        Some(0) => NEVER,
        Some(seconds) => seconds.min(NEVER),
        None => usual,
    };
    let (tcp, udp) = (seconds(times.tcp, TCP), seconds(times.udp, UDP));
    let (dns, syn) = (seconds(times.dns, SHORT), seconds(times.syn, SHORT));
    let finrst = seconds(times.finrst, SHORT);
    let of_tcp = format!(
        "syn_sent : {syn}, syn_recv : {syn}, established : {tcp}, fin_wait : {finrst}, close_wait : {finrst}, last_ack : {finrst}, time_wait : {finrst}, close : {finrst}"
    );
    let both = |seconds: u32| format!("unreplied : {seconds}, replied : {seconds}");
    // the kernel takes the times from running connections with the object: it has another name only
    // if it says something else
    let (for_tcp, for_udp, for_dns) =
        (format!("tcp_{tcp}_{syn}_{finrst}"), format!("udp_{udp}"), format!("dns_{dns}"));
    let mut objects: Vec<String> =
        [(&for_tcp, "tcp", of_tcp), (&for_udp, "udp", both(udp)), (&for_dns, "udp", both(dns))]
            .into_iter()
            .map(|(name, protocol, policy)| {
                format!("  ct timeout {name} {{\n    protocol {protocol}\n    l3proto ip\n    policy = {{ {policy} }}\n  }}\n")
            })
            .collect();
    let mut rules = vec![
        format!("iifname != {links} return"),
        "ct state != new return".to_owned(),
        format!("ip protocol tcp ct timeout set \"{for_tcp}\""),
        format!("ip protocol udp udp dport != 53 ct timeout set \"{for_udp}\""),
        format!("udp dport 53 ct timeout set \"{for_dns}\""),
    ];
    for (name, protocol, port) in FOLLOWED.iter().filter(|_| follows) {
        objects.push(format!(
            "  ct helper follow_{name} {{\n    type \"{name}\" protocol {protocol}\n    l3proto ip\n  }}\n"
        ));
        rules.push(format!("{protocol} dport {port} ct helper set \"follow_{name}\""));
    }
    let head = "type filter hook prerouting priority -190; policy accept;";
    (objects, base("connections", head, &rules))
}
