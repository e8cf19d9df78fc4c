//! A13 to A18: the reference document's `show` commands on a hub with its spoke and its client, in
//! the document's layout.

use anyhow::{Context as _, Result, bail};
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::lab::Lab;
use hubward_interop::needs::{self, Need};
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB_HOST, SPOKE};
use hubward_interop::vpnc::{NatMode, Profile};
use std::time::Duration;

use crate::document_excused::EXCUSED;
use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "a13_to_a18_the_documents_show_commands",
        &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("vpnc")],
        rows,
    ),
    case(
        "the_documents_samples_line_by_line",
        &[Need::Reference, Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("vpnc")],
        samples,
    ),
];

/// A command in the layout of IOS 12.3.
fn classic(scene: &Scene, command: &str) -> Result<String> {
    scene.hub.exec(&format!("terminal show-format classic\n{command}"))
}

fn rows(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let _spoke = scene.spoke(lab, Build::Trixie, &Spoke::default())?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;

    // A13, A14: two rows; the lifetimes are below a day and run down
    let both = |text: &str| -> Result<[(u64, Vec<String>); 2]> {
        let of = |peer: &str| {
            let row = text.lines().find(|line| line.contains(peer)).context("no row of a peer")?;
            let words: Vec<_> = row.split_whitespace().map(str::to_string).collect();
            let lifetime = words.iter().find(|word| word.matches(':').count() == 2).context("no lifetime")?;
            let parts: Vec<u64> = lifetime.split(':').map(str::parse).collect::<Result<_, _>>()?;
            let [hours, minutes, seconds] = parts[..] else { bail!("{lifetime}") };
            Ok((hours * 3600 + minutes * 60 + seconds, words.clone()))
        };
        Ok([of(&SPOKE.to_string())?, of(&CLIENT.to_string())?])
    };
    let [spoke, client] = both(&classic(&scene, "show crypto isakmp sa detail")?)?;
    for expected in ["3des", "sha", "psk", "2"] {
        assert!(spoke.1.iter().any(|word| word == expected), "no {expected} in {:?}", spoke.1);
    }
    assert_eq!(client.1.last().map(String::as_str), Some("CX"), "{:?}", client.1);
    assert!(spoke.0 <= 86_400 && client.0 <= 86_400);
    std::thread::sleep(Duration::from_millis(1100));
    let later = both(&classic(&scene, "show crypto isakmp sa detail")?)?;
    assert!(later[0].0 < spoke.0 && later[1].0 < client.0, "{later:?}");

    // A15 to A18, before and after 19 pings
    ping::answered(&scene.net.client, HUB_HOST, 1)?;
    let before = flow(&classic(&scene, "show crypto ipsec sa")?, &SPOKE.to_string())?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 19)?;
    let text = classic(&scene, "show crypto ipsec sa")?;
    let after = flow(&text, &SPOKE.to_string())?;
    assert_eq!((after.encaps - before.encaps, after.decaps - before.decaps), (19, 19), "{text}");
    assert!(
        text.contains("interface: FastEthernet0/0\n    Crypto map tag: mymap, local addr. 10.48.67.181\n")
    );
    for expected in [
        "(10.1.0.0/255.255.0.0/0/0)",
        "(10.2.0.0/255.255.0.0/0/0)",
        "(0.0.0.0/0.0.0.0/0/0)",
        "(10.5.5.1/255.255.255.255/0/0)",
        "transform: esp-3des esp-sha-hmac ,",
        "in use settings ={Tunnel, }",
        "IV size: 8 bytes",
        "replay detection support: Y",
    ] {
        assert!(text.contains(expected), "no {expected} in\n{text}");
    }
    flow(&text, &CLIENT.to_string())?;
    // the JSON says the same
    let json = scene.hub.exec(&format!("show crypto ipsec sa peer {SPOKE} | json"))?;
    assert!(json.contains(&format!("\"encaps\": {},", after.encaps)), "{json}");
    assert!(json.contains(&format!("\"current_outbound_spi\": {},", after.spi)), "{json}");

    // the shell, by keystroke: abbreviation and filter, help within a line that is then given up, a
    // wrong word, the end
    let shell = scene
        .hub
        .console("sh cry isa sa | c QM_IDLE\nsh crypto ?\x15sh foo\ndisable\nclear crypto sa\nexit\n")?;
    for expected in [
        "Hub#sh cry isa sa | c QM_IDLE\r\nNumber of lines which match regexp = 2\r\nHub#",
        "  isakmp       ",
        "\r\n       ^\r\n% Invalid input detected at '^' marker.\r\n\r\nHub#disable\r\nHub>clear crypto sa\r\n",
    ] {
        assert!(shell.contains(expected), "no {expected:?} in\n{shell}");
    }
    Ok(())
}

/// Every line of the document's samples is there, in its order.
fn samples(lab: &Lab) -> Result<()> {
    let document = needs::document().context("no document")?;
    let scene = Scene::reference(lab, Client::Direct)?;
    let _spoke = scene.spoke(lab, Build::Trixie, &Spoke::default())?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    for command in ["show crypto isakmp sa detail", "show crypto ipsec sa"] {
        let ours = classic(&scene, command)?;
        let mut lines = ours.lines().map(masked).filter(|line| !line.is_empty());
        let sample = sample(&document, command);
        assert!(sample.len() >= 8, "{command} is not in the document");
        for line in sample {
            let excused = EXCUSED.iter().find(|(written, ..)| *written == line);
            let wanted = masked(excused.map_or(line.as_str(), |(_, meant, _)| meant));
            if !lines.any(|line| line == wanted) {
                bail!("{command} has no line {wanted:?} where the document has it:\n{ours}");
            }
        }
    }
    Ok(())
}

fn collapsed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A command's output in the document: after the prompt, without fences and prose.
fn sample(document: &str, command: &str) -> Vec<String> {
    let mut lines = document.lines().map(collapsed);
    let prompt = format!("hub#{command}");
    lines.by_ref().find(|line| *line == prompt);
    lines
        .take_while(|line| line.is_ascii())
        .filter(|line| !line.is_empty() && !line.starts_with("```"))
        .collect()
}

/// A line without what is another in every run: counters, SPIs, what is left of a lifetime, the
/// number of an SA.
fn masked(line: &str) -> String {
    let line = collapsed(line);
    let upto = |end: &str| line.split_once(end).map(|(before, _)| format!("{before}{end} N"));
    let digits = |line: &str| -> String {
        let words = line.split(' ').map(|word| {
            let number = word.trim_end_matches([',', ';']);
            let counts = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            if counts { word.replace(number, "N") } else { word.to_string() }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    if line.starts_with("#pkts") || line.starts_with("#send") || line.starts_with("slot:") {
        return digits(&line);
    }
    if let Some(masked) = ["current outbound spi:", "(k/sec):"].iter().find_map(|end| upto(end)) {
        return masked;
    }
    if line.starts_with("spi: 0x") {
        return "spi: N".to_string();
    }
    let lifetime = |word: &str| word.len() == 8 && word.matches(':').count() == 2;
    line.split(' ').map(|word| if lifetime(word) { "N" } else { word }).collect::<Vec<_>>().join(" ")
}

struct Shown {
    encaps: u64,
    decaps: u64,
    spi: u32,
}

/// A flow of `show crypto ipsec sa`, checked against A16 (the counters of a line agree), A17 (what
/// is left is below the limits) and A18 (SPIs in hexadecimal and decimal agree, and the current one
/// is an outbound SA's).
fn flow(text: &str, peer: &str) -> Result<Shown> {
    let mut flows = text.split("   protected vrf: ").skip(1);
    let flow =
        flows.find(|flow| flow.contains(&format!("current_peer: {peer}:500"))).context(text.to_string())?;
    let counters = |name: &str| -> Result<u64> {
        let line = flow.lines().find(|line| line.contains(name)).context("no counters")?;
        let numbers: Vec<u64> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        let [first, second, third] = numbers[..] else { bail!("{line}") };
        assert!(first == second && second == third, "{line}");
        Ok(first)
    };
    let current = flow.split_once("current outbound spi: ").context("no current SPI")?.1;
    let current = u32::from_str_radix(current.lines().next().unwrap_or_default().trim(), 16)?;
    let (_, outbound) = flow.split_once("outbound esp sas:").context("no outbound SAs")?;
    let spis = |text: &str| -> Result<Vec<u32>> {
        let spis = text.lines().filter_map(|line| line.trim().strip_prefix("spi: 0x"));
        spis.map(|spi| {
            let (hex, decimal) = spi.trim_end_matches(')').split_once('(').context("half an SPI")?;
            assert_eq!(u32::from_str_radix(hex, 16)?, decimal.parse::<u32>()?, "{spi}");
            Ok(decimal.parse()?)
        })
        .collect()
    };
    assert!(spis(outbound)?.contains(&current), "the current SPI is no outbound SA's:\n{flow}");
    assert!(spis(flow)?.len() >= 2, "both directions:\n{flow}");
    for line in flow.lines().filter_map(|line| line.split_once("(k/sec): (")) {
        let (kilobytes, seconds) = line.1.trim_end_matches(')').split_once('/').context("no limits")?;
        assert!(kilobytes.parse::<u64>()? < 4_608_000 && seconds.parse::<u64>()? < 3600, "{line:?}");
    }
    Ok(Shown { encaps: counters("#pkts encaps")?, decaps: counters("#pkts decaps")?, spi: current })
}
