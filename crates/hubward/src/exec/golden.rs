//! Every `show` command's text in both layouts, and its JSON, compared with files in `golden/`; and
//! what the acceptance rows require of them. `HUBWARD_BLESS=1` writes the files again: review the
//! difference.

use super::fixtures::{
    answer, difference, hub, idle, interface, json, json_of, new_hub, router, snapshot, spoke, text, text_of,
};
use super::table::{self, ROWS, Run};
use crate::base::format::Format;
use crate::machine::view::AddressedBy;
use crate::manage::desk::PRIVILEGED;
use hubward_proto::names::Untrusted;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every `show` command without its options.
pub(super) fn plain() -> Vec<&'static str> {
    let shows = ROWS.iter().filter(|row| matches!(row.run, Run::Show(_)));
    let plain = shows.map(|row| row.form.split_once(" [").map_or(row.form, |(plain, _)| plain));
    // what needs an argument is among those with options
    plain.filter(|form| !form.contains('<')).collect()
}

/// Every option of every `show` command, at least once.
const WITH_OPTIONS: &[&str] = &[
    "show crypto isakmp failures since 60",
    "show crypto isakmp sa detail",
    "show crypto ipsec sa detail",
    "show crypto session detail",
    "show crypto session brief",
    "show ip interface brief",
    "show crypto ipsec sa peer 10.100.2.102",
    "show crypto ipsec sa interface FastEthernet0/0",
    "show crypto ipsec sa map mymap detail",
    "show crypto session remote 10.51.82.100 detail",
    "show crypto session username gfullage",
    "show crypto map interface FastEthernet0/1",
    "show ip interface FastEthernet0/0",
    "show interfaces FastEthernet0/1",
    "show running-config interface FastEthernet0/0",
    "show archive config differences startup-config running-config",
    "show access-lists 100",
    "show crypto dynamic-map tag dynmap",
    "show crypto map tag mymap",
    "show crypto session isakmp group testgroup",
    "show crypto session isakmp profile L2L",
    "show crypto session local 10.48.67.181",
    "show ip access-lists 100",
    "show ip local pool ippool",
    "show ip nat translations verbose",
    "show object-group BRANCHES",
    "show time-range WORK",
    "show ip nat translations tcp",
    "show ip nat translations udp verbose",
    "show ip nat translations icmp",
    "show route-map DMZ",
    "why packet 10.1.1.10 10.2.2.10",
    "why packet 10.1.1.10 198.51.100.77 tcp 80 from 1024 established",
    "why packet 198.51.100.77 10.1.1.10 udp 53",
    "why packet 10.2.2.10 10.1.1.10 icmp",
    "why packet 198.51.100.77 10.48.67.181 esp",
    "why packet 10.9.9.9 224.0.0.5 protocol 89",
    "why packet 172.16.10.10 198.51.100.77 udp 53",
];

/// Its text names this machine.
const OF_THE_MACHINE: &str = "show version";

/// Every command that is compared, without and with options.
fn all() -> impl Iterator<Item = &'static str> {
    plain().into_iter().chain(WITH_OPTIONS.iter().copied())
}

/// Whether a command has golden files; `why` has tests of its own.
fn has_file(command: &str) -> bool {
    command.starts_with("show") || command.starts_with("why packet")
}

/// The golden files that the commands make, with their content.
fn outputs() -> BTreeMap<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/exec/golden");
    let mut files = BTreeMap::new();
    for command in all().filter(|command| *command != OF_THE_MACHINE && has_file(command)) {
        let mut answered = false;
        let gateways = [("hub", hub()), ("spoke", spoke()), ("idle", idle()), ("router", router())];
        for (name, gateway) in gateways {
            // an idle spoke is of interest where tunnels are
            if name == "idle" && !command.contains("crypto") {
                continue;
            }
            // and a router where packets are filtered and translated
            let of_router = [
                "access-lists",
                " nat ",
                "ip policy",
                "object-group",
                "route-map",
                "show ip interface",
                "time-range",
                "why packet",
            ];
            if name == "router" && !of_router.iter().any(|part| command.contains(part)) {
                continue;
            }
            // a name that only one of the gateways has is refused on the others
            let Ok(shown) = answer(command, gateway, PRIVILEGED) else { continue };
            answered = true;
            let modern = text_of(&*shown, Format::Modern);
            let classic = text_of(&*shown, Format::Classic);
            let file = command.replace([' ', '/'], "_");
            let path = |kind| folder.join(name).join(format!("{file}.{kind}"));
            if classic != modern {
                files.insert(path("classic"), classic);
            }
            files.insert(path("modern"), modern);
            files.insert(path("json"), json_of(&*shown, command));
        }
        assert!(answered, "{command} is refused on every gateway");
    }
    files
}

/// The golden files that there are.
fn kept() -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/exec/golden");
    let entries = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    entries(&folder).iter().flat_map(|gateway| entries(gateway)).collect()
}

#[test]
fn every_command_is_laid_out_as_written_down() {
    let outputs = outputs();
    let needless: Vec<_> = kept().into_iter().filter(|path| !outputs.contains_key(path)).collect();
    if std::env::var_os("HUBWARD_BLESS").is_some() {
        outputs.iter().for_each(|(path, made)| std::fs::write(path, made).unwrap());
        needless.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        return;
    }
    let mut wrong: Vec<_> =
        needless.iter().map(|path| format!("{}: no command makes this file", path.display())).collect();
    for (path, made) in &outputs {
        match std::fs::read_to_string(path) {
            Ok(kept) if kept == *made => {}
            Ok(kept) => wrong.push(format!("{} differs: {}", path.display(), difference(&kept, made))),
            Err(_) => wrong.push(format!("{} is missing", path.display())),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} golden files are not what the commands print:\n{}\n`HUBWARD_BLESS=1 cargo test -p hubward --lib \
         exec::golden` writes them; review the difference",
        wrong.len(),
        wrong.join("\n")
    );
}

/// No option is left out of the comparison, nor an argument that is one.
#[test]
fn every_option_is_laid_out() {
    let mut missing = Vec::new();
    for row in ROWS.iter().filter(|row| row.form.starts_with("show ")) {
        let mut given = BTreeSet::new();
        for command in all() {
            let (found, arguments) = table::find(command, PRIVILEGED).unwrap();
            if found.form == row.form {
                given.extend(arguments.matched.words.iter().map(|(token, _)| token.name()));
            }
        }
        for choice in hubward_config::reference::form_words(row.form) {
            let name = choice.token.trim_matches(['<', '>']);
            // the number of an interface that is apart from its name is no option
            if name != "unit" && !given.contains(name) {
                missing.push(format!("`{}` of `{}`", choice.token, row.form));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "these options have no golden file; add a command with each to WITH_OPTIONS in \
         crates/hubward/src/exec/golden.rs, then run `HUBWARD_BLESS=1 cargo test -p hubward --lib \
         exec::golden` and review the difference:\n{}",
        missing.join("\n")
    );
}

/// `brief` and `detail` are other texts of the same rows.
#[test]
fn json_does_not_depend_on_brief_or_detail() {
    let rows = |command| {
        let document: serde_json::Value = serde_json::from_str(&json(command, hub())).unwrap();
        document["rows"].clone()
    };
    for command in WITH_OPTIONS {
        let Some(plain) = [" brief", " detail"].iter().find_map(|end| command.strip_suffix(end)) else {
            continue;
        };
        assert_eq!(
            rows(command),
            rows(plain),
            "`{command} | json` and `{plain} | json` have the same rows; other rows are a command of their own"
        );
    }
}

#[test]
fn every_json_is_a_document_of_rows() {
    for command in plain() {
        let document: serde_json::Value = serde_json::from_str(&json(command, hub())).unwrap();
        assert_eq!((&document["show"], &document["version"]), (&command.into(), &1.into()));
        assert!(document["rows"].is_array(), "{command}");
    }
}

/// Every field is explained in the document that promises to keep it.
#[test]
fn every_field_is_documented() {
    fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                found.extend(fields.keys().cloned());
                fields.values().for_each(|value| names(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let document = include_str!("../../../../docs/show-json.md");
    let sections: Vec<_> = document.split("\n## ").skip(1).filter_map(|text| text.split_once('\n')).collect();
    // a dynamic map's terms are explained with the crypto map's
    let terms = sections.iter().find(|(title, _)| *title == "show crypto map").unwrap().1;
    let mut missing = Vec::new();
    for command in plain().into_iter().filter(|command| command.starts_with("show")) {
        let about = sections.iter().find(|(title, _)| title.split(", ").any(|name| name == command));
        let Some((title, about)) = about else {
            missing.push(format!("section `## {command}`"));
            continue;
        };
        let mut fields = BTreeSet::new();
        for gateway in [hub(), spoke(), idle(), router()] {
            let rows: serde_json::Value = serde_json::from_str(&json(command, gateway)).unwrap();
            if command == OF_THE_MACHINE {
                // the kinds of interfaces are keys too
                fields.extend(rows["rows"][0].as_object().unwrap().keys().cloned());
            } else {
                names(&rows["rows"], &mut fields);
            }
        }
        for field in fields {
            let name = format!("`{field}`");
            let elsewhere = command == "show crypto dynamic-map" && terms.contains(&name);
            if !about.contains(&name) && !elsewhere {
                missing.push(format!("{name}, section `## {title}`"));
            }
        }
    }
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "not in docs/show-json.md:\n{}", missing.join("\n"));
}

/// A12.
#[test]
fn a12_the_spokes_outside_interface() {
    for format in [Format::Modern, Format::Classic] {
        let text = text("show ip interface f0/0", spoke(), format);
        assert!(text.starts_with(
            "FastEthernet0/0 is up, line protocol is up\n  Internet address is 10.100.2.102/24\n  \
             Broadcast address is 255.255.255.255\n  Address determined by DHCP\n"
        ));
    }
}

/// A13, A14.
#[test]
fn a13_two_isakmp_sas_in_detail() {
    let text = text("show crypto isakmp sa detail", hub(), Format::Classic);
    let rows: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let lifetime =
        |seconds: u64| format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let (first, second) = (lifetime(15_343), lifetime(19_918));
    let spoke = vec!["1", "10.48.67.181", "10.100.2.102", "3des", "sha", "psk", "2", first.as_str()];
    let client = vec!["2", "10.48.67.181", "10.51.82.100", "3des", "sha", "2", second.as_str(), "CX"];
    assert!(rows.ends_with(&[spoke, client]), "{text}");
}

/// A15 to A18.
#[test]
fn a15_two_flows_with_their_sas() {
    let classic = text("show crypto ipsec sa", hub(), Format::Classic);
    let words: Vec<_> =
        classic.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "interface: FastEthernet0/0",
        "Crypto map tag: mymap, local addr. 10.48.67.181",
        "local ident (addr/mask/prot/port): (0.0.0.0/0.0.0.0/0/0)",
        "remote ident (addr/mask/prot/port): (10.5.5.1/255.255.255.255/0/0)",
        "current_peer: 10.51.82.100:500",
        "local ident (addr/mask/prot/port): (10.1.0.0/255.255.0.0/0/0)",
        "remote ident (addr/mask/prot/port): (10.2.0.0/255.255.0.0/0/0)",
        "current_peer: 10.100.2.102:500",
        "#pkts encaps: 19, #pkts encrypt: 19, #pkts digest 19",
        "#pkts decaps: 189, #pkts decrypt: 189, #pkts verify 189",
        "path mtu 1500, ip mtu 1500",
        "transform: esp-3des esp-sha-hmac ,",
        "in use settings ={Tunnel, }",
        "IV size: 8 bytes",
        "replay detection support: Y",
        "current outbound spi: FEDCBA98",
        "sa timing: remaining key lifetime (k/sec): (4607962/2071)",
    ] {
        assert!(words.iter().any(|line| line == expected), "{expected}\n{classic}");
    }
}

/// A18: the SPIs in hexadecimal and decimal are the same number, and the current outbound one is an
/// outbound SA's.
#[test]
fn a18_spis_agree() {
    for gateway in [hub(), spoke()] {
        let flows = gateway.flows.len();
        let text = text("show crypto ipsec sa", gateway, Format::Modern);
        let mut current = None;
        let mut outbound = false;
        let mut seen = 0;
        for line in text.lines().map(str::trim) {
            outbound = (outbound || line == "outbound esp sas:") && line != "inbound esp sas:";
            let spi = |text: &str| {
                let (hex, decimal) = text.strip_prefix("0x").unwrap().split_once('(').unwrap();
                let number = u32::from_str_radix(hex, 16).unwrap();
                assert_eq!(number.to_string(), decimal.trim_end_matches(')'));
                number
            };
            if let Some(text) = line.strip_prefix("current outbound spi: ") {
                current = Some(spi(text));
            } else if let Some(text) = line.strip_prefix("spi: ") {
                let spi = spi(text);
                seen += usize::from(outbound && Some(spi) == current);
            }
        }
        assert_eq!(seen, flows, "{text}");
    }
}

/// A32: connection ids of ESP start with 2000 inbound and 2001 outbound.
#[test]
fn a32_connection_ids() {
    let text = text("show crypto ipsec sa", hub(), Format::Classic);
    let mut ids: Vec<_> = text.lines().filter(|line| line.contains("conn id")).map(str::trim).collect();
    // the client's flow comes first, as in the document: its entry of the dynamic map does
    assert!(ids[0].contains("conn id: 2002"), "{text}");
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "slot: 0, conn id: 2000, flow_id: 1, crypto map: mymap",
            "slot: 0, conn id: 2001, flow_id: 2, crypto map: mymap",
            "slot: 0, conn id: 2002, flow_id: 3, crypto map: mymap",
            "slot: 0, conn id: 2003, flow_id: 4, crypto map: mymap",
        ]
    );
}

/// A39.
#[test]
fn a39_the_next_hop_of_no_connected_network() {
    let text = text("show ip route", hub(), Format::Modern);
    assert!(text.contains("Gateway of last resort is 10.48.66.181 to network 0.0.0.0"), "{text}");
    assert!(text.contains("\nS*    0.0.0.0/0 [1/0] via 10.48.66.181, FastEthernet0/0\n"), "{text}");
}

/// A route of the configuration that is not used is reported, with the reason.
#[test]
fn a_route_that_is_not_used() {
    let mut hub = new_hub();
    let mut hidden = hub.statics[0].clone();
    (hidden.route.destination, hidden.distance) = ("10.9.0.0/16".parse().unwrap(), 5);
    hidden.hidden = Some("that network is connected".into());
    hub.statics = Arc::new(vec![hidden]);
    let text = text("show ip route", hub, Format::Modern);
    assert!(text.ends_with("\n\n10.9.0.0/16 [5/0] is not used: that network is connected\n"), "{text}");
}

#[test]
fn the_version_claims_nothing_of_ciscos() {
    let text = text("show version", hub(), Format::Modern);
    assert!(text.starts_with("Hubward Software, Version "), "{text}");
    assert!(text.contains("\nHub uptime is 1 hour, 0 minutes\n"), "{text}");
    assert!(text.contains("\n2 FastEthernet interfaces\n"), "{text}");
    for word in ["cisco", "ios ", "techsupport", "copyright"] {
        assert!(!text.to_lowercase().contains(word), "{word}: {text}");
    }
}

/// All child SAs of a flow count, including those that were deleted; the newest is the current one.
#[test]
fn a_renewal_loses_no_packet() {
    let text = text("show crypto ipsec sa", spoke(), Format::Modern);
    assert!(text.contains("#pkts encaps: 208, "), "{text}");
    assert!(text.contains("#pkts decaps: 106, "), "{text}");
    assert!(text.contains("current outbound spi: 0x400(1024)"), "{text}");
    let text = self::text("show access-lists", spoke(), Format::Modern);
    assert!(text.contains("10.1.0.0 0.0.255.255 (314 matches)"), "{text}");
}

/// Below privilege 15 no rendering function gives a secret, whatever the table says.
#[test]
fn secrets_need_privilege_15() {
    let secrets = ["cisco123", "cisco321", "0201024E070A0E2649", "121A0C041104"];
    for command in all() {
        let (row, _) = table::find(command, PRIVILEGED).unwrap();
        for privilege in [1, 14, 15] {
            let Ok(shown) = answer(command, hub(), privilege) else { continue };
            let out = text_of(&*shown, Format::Modern) + &json_of(&*shown, row.form);
            let found = secrets.iter().any(|secret| out.contains(secret));
            let may = privilege == 15 && row.privilege == 15;
            assert!(!found || may, "{command} at privilege {privilege}:\n{out}");
        }
    }
    let key = self::text("show crypto isakmp key", hub(), Format::Modern);
    assert!(key.contains("spokes       0.0.0.0        [0.0.0.0        ]            cisco123\n"), "{key}");
}

/// `show running-config` begins and ends as collectors of configurations expect, and counts its
/// bytes.
#[test]
fn the_running_configuration_is_framed_as_on_ios() {
    let text = text("show running-config", hub(), Format::Modern);
    let rest = text.strip_prefix("Building configuration...\n\nCurrent configuration : ").unwrap();
    let (bytes, config) = rest.split_once(" bytes\n").unwrap();
    let config = config.strip_suffix('\n').unwrap();
    assert_eq!(config.len().to_string(), bytes);
    assert!(config.ends_with("\nend\n"));
    assert_eq!(hubward_config::parse(config).config, hub().parsed.config);
}

/// The log is shown while logging is on, each line as IOS writes it.
#[test]
fn the_log_is_shown() {
    let views = vec![interface(2, "FastEthernet0/0", None, AddressedBy::Nothing)];
    let text = text("show logging", snapshot("hostname R\n", views), Format::Modern);
    assert!(text.starts_with("Syslog logging: enabled ("), "{text}");
    let lines = "Log Buffer (65536 bytes):\n\nNov 23 09:11:47.123: %CRYPTO-6-ISAKMP_ON_OFF: ISAKMP is ON\n\
                 Nov 23 09:11:47.123: %CRYPTO-5-SESSION_STATUS: Crypto tunnel 1 is up\\u{1b}[2J\n";
    assert!(text.ends_with(lines), "{text}");
}

/// What comes from a peer or a log line cannot steer a terminal.
#[test]
fn no_output_steers_a_terminal() {
    let mut hub = new_hub();
    let mut evil = (*hub.isakmp[1]).clone();
    evil.user = Some(Untrusted::new("a\u{1b}[2Jb\nc"));
    evil.identity = Some(Untrusted::new(b"\x9b\xff\x07".to_vec()));
    hub.isakmp[1] = Arc::new(evil);
    let hub = Arc::new(hub);
    for command in all() {
        let Ok(shown) = answer(command, Arc::clone(&hub), PRIVILEGED) else { continue };
        let out = text_of(&*shown, Format::Modern);
        assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{command}:\n{out:?}");
    }
}

/// Who is locked out is told by user and by address, with the end and how to end it; the newest of
/// them also by `why` alone, before what is wrong with tunnels.
#[test]
fn a_lockout_is_explained() {
    let why = |command: &str| text(command, spoke(), Format::Modern);
    let of_user = why("why gfullage");
    assert!(
        of_user.starts_with(
            "\nUser gfullage is locked out at 10.51.82.100, from 09:12:44 UTC Mon Nov 23 2026 until 09:12:55 UTC \
             Mon Nov 23 2026: 5 passwords were wrong there. None is checked meanwhile, not even the right one.\n"
        ),
        "{of_user}"
    );
    assert!(of_user.contains("`clear aaa local user lockout username gfullage` ends it"), "{of_user}");
    assert_eq!(why("why 10.51.82.100"), of_user);
    assert_eq!(why("why 192.0.2.9").matches("locked out").count(), 2);
    assert!(why("why admin").contains("`enable 15` of user admin is locked out"));
    let all = why("why");
    assert_eq!(all.matches("locked out").count(), 1, "{all}");
    assert!(all.contains("No common phase 1 proposal with 192.0.2.77"), "{all}");
}

/// The names that strangers typed, which are often passwords in the wrong field, and where
/// administrators come from are not for everybody.
#[test]
fn a_lockout_is_explained_at_privilege_15_only() {
    for command in ["why", "why gfullage", "why admin", "why root", "why 10.51.82.100", "why 10.1.1.50"] {
        let shown = answer(command, spoke(), 1).unwrap_or_else(|refusal| panic!("{command}: {refusal}"));
        let mut json = Vec::new();
        shown.json(command, &mut json).unwrap();
        for said in [text_of(&*shown, Format::Modern), String::from_utf8(json).unwrap()] {
            assert!(!said.contains("locked") && !said.contains("lockout"), "{command}: {said}");
        }
    }
    let all = text_of(&*answer("why", spoke(), 1).unwrap(), Format::Modern);
    assert!(all.contains("No common phase 1 proposal with 192.0.2.77"), "{all}");
}

/// `why`: the sentence, both sides, the lines with their text, and what to do.
#[test]
fn a_failure_is_explained() {
    let expected = "\nNo common phase 1 proposal with 192.0.2.77: the closest of our policies is 10, and there the encryption differs: they offer aes 256, we want 3des.
  (4 times, the last time 2026-11-22T09:34:20.000Z, 23 h ago)

                     they                         here
--> encryption       aes 256                      3des
    hash             sha                          sha
    authentication   pre-share                    pre-share
    group            2                            2

  Configuration:
     27  crypto isakmp policy 10

  What to do:
  * Here: `crypto isakmp policy N` with `encryption aes 256`, `hash sha`, `authentication pre-share`, `group 2`.
  * Or there: offer encryption 3des, hash sha, group 2 as in policy 10.
";
    assert_eq!(text("why 192.0.2.77", hub(), Format::Modern), expected);
    let all =
        format!("2 tunnels are up with 2 peers.\n2 peers use what is weak (`show crypto weak`).\n{expected}");
    assert_eq!(text("why", hub(), Format::Modern), all);
    assert!(
        text("why 10.100.2.102", hub(), Format::Modern)
            .contains("10.100.2.102: up, 1 tunnel; 19 packets have come and 19 have left.")
    );
    assert!(text("why nobody", hub(), Format::Modern).starts_with("Nothing is known of nobody here"));
}
