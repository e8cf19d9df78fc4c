//! Reading a configuration, and what the remarks on it mean for its start.

use crate::base::files;
use crate::choices::{Choices, Judgement, differs, quoted};
use crate::machine::apply::without_card;
use crate::machine::view::Names;
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Kind, Severity, Unenforced};
use hubward_config::document::{Class, Line};
use hubward_config::model::Config;
use hubward_config::secret::{public_part, public_part_of_unread};
use hubward_config::verdict::Reason;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Reasons that a refusal shows of one tunnel.
const SHOWN: usize = 3;

/// Reads a configuration, in any encoding of an editor; a banner in another character set harms
/// nothing.
///
/// # Errors
/// There is none, or it is not text.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    decoded(&files::read(file, files::CONFIGURATION)?, &file.display().to_string())
}

/// The same from standard input.
pub(super) fn read_input() -> anyhow::Result<String> {
    decoded(&files::read_input(files::CONFIGURATION)?, "standard input")
}

fn decoded(bytes: &[u8], name: &str) -> anyhow::Result<String> {
    hubward_config::source::decode(bytes)
        .map_err(|why| anyhow::anyhow!("{name} is not an IOS configuration: {why}"))
}

/// The exit status of a configuration that starts but differs from the router in something.
pub(crate) const DIFFERS: u8 = 3;

/// Reads a text that has to be a configuration.
pub(super) fn parse(file: &Path, text: &str) -> anyhow::Result<Parsed> {
    let parsed = hubward_config::parse(text);
    if parsed.document.lines.iter().all(|line| line.class == Class::Blank) {
        anyhow::bail!("{} is not an IOS configuration: it is empty", file.display());
    }
    if !is_configuration(&parsed) {
        anyhow::bail!("{} is not an IOS configuration: most of its lines are not commands", file.display());
    }
    Ok(parsed)
}

/// Whether a text is a configuration: it has commands, and more of its lines are commands than not.
/// Prose, keys and settings of other programs are none; a text with configurations in it may be
/// one.
pub(crate) fn is_configuration(parsed: &Parsed) -> bool {
    let is_unknown = |line: &&Line| line.class == Class::Unknown;
    let lines = || parsed.document.lines.iter().filter(|line| line.class != Class::Blank);
    lines().filter(|line| configures(line)).count() > lines().filter(is_unknown).count()
}

/// Whether a line sets something, even if it has no effect here. `end`, `exit` and `do …` set
/// nothing, and a single word that has no effect may occur in any text.
fn configures(line: &Line) -> bool {
    let mut words = line.text.split_whitespace();
    let (first, more) = (words.next().unwrap_or_default(), words.next().is_some());
    if ["end", "exit", "quit", "do"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
        return false;
    }
    match line.class {
        Class::Blank | Class::Unknown => false,
        Class::Implemented | Class::Unsupported => true,
        Class::NoOp | Class::Inert => more,
    }
}

/// Whether a remark is of something that is not as it says.
pub(super) fn is_different(told: &Diagnostic) -> bool {
    matches!(
        told.code,
        Code::Unsupported
            | Code::Unenforced
            | Code::Forwarding
            | Code::Unknown
            | Code::Invalid
            | Code::Unreachable
    )
}

/// What a configuration that starts ends with: whether anything of it is not as it says.
pub(super) fn status(parsed: &Parsed, judgement: &Judgement) -> u8 {
    let held = !judgement.verdicts.iter().any(differs)
        && parsed.config.chosen.without.is_empty()
        && !parsed.diagnostics.iter().any(is_different);
    if held { 0 } else { DIFFERS }
}

/// The same where the links are known: whether an interface of it has none.
pub(crate) fn status_here(status: u8, config: &Config, names: &Names) -> u8 {
    if status == 0 && !without_card(config, names).is_empty() { DIFFERS } else { status }
}

pub(super) const FORWARDS_IPV6: &str =
    "this machine forwards IPv6 packets, but the configuration neither filters nor protects them";

/// Whether the machine forwards IPv6; Hubward never enables that.
pub(super) fn forwards_ipv6() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding").is_ok_and(|text| text.trim() == "1")
}

/// Whether a configuration has keys and everybody on this machine can read its file.
pub(super) fn is_open(file: &Path, parsed: &Parsed) -> bool {
    let config = &parsed.config;
    let has_keys = !config.default_keys.is_empty()
        || config.keyrings.iter().any(|ring| !ring.keys.is_empty())
        || config.groups.iter().any(|group| group.key.is_some());
    has_keys && std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

pub(super) fn readable(file: &Path) -> String {
    let file = file.display();
    format!("everybody on this machine can read {file} and the keys in it: `chmod o-r` takes that away")
}

pub(super) fn allowed_for_nothing(line: &str) -> String {
    format!("--allow-unenforced '{line}': the configuration has no such unenforced line")
}

pub(super) fn reason(reason: &Reason) -> String {
    format!("line {}: {}", reason.line, reason.text)
}

/// Refuses a configuration with something missing or unenforced that was not allowed.
pub(crate) fn may_start(judgement: &Judgement) -> Result<(), String> {
    let mut lines = Vec::new();
    for verdict in judgement.verdicts.iter().filter(|verdict| judgement.missing.contains(&verdict.name)) {
        let reasons = verdict.outcome.reasons();
        let mut why: Vec<_> = reasons.iter().take(SHOWN).map(reason).collect();
        if reasons.len() > SHOWN {
            why.push("and more".into());
        }
        lines.push(format!("  {} does not exist here: {}", verdict.name, why.join("; ")));
    }
    for line in &judgement.refused {
        lines.push(format!("  line {}: {} ({})", line.line, line.message, leave(line)));
    }
    match lines.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "this configuration does not start: Hubward would not protect or restrict all that it specifies\n{}\n\
             leave out tunnels by name with --without, and allow lines that you enforce elsewhere with --allow-unenforced",
            lines.join("\n")
        )),
    }
}

/// The option that allows a line: its kind, or the line itself if it has none.
pub(super) fn leave(line: &Unenforced) -> String {
    match line.kind {
        Kind::Other => format!("--allow-unenforced {}", quoted(&line.name())),
        kind => kind.name().to_string(),
    }
}

/// Reads the configuration for a start, logs the diagnostics, and returns it with the exit status
/// of the program.
///
/// # Errors
/// It is not a configuration, or does not start with these choices.
pub(crate) fn started(file: &Path, text: &str, choices: &Choices) -> anyhow::Result<(Parsed, u8)> {
    let mut parsed = parse(file, text)?;
    choices.fit(&parsed.config)?;
    let judgement = choices.apply_known(&mut parsed);
    for name in &judgement.unknown {
        tracing::warn!("--without {name}: no tunnel, group or peer of {} has that name", file.display());
    }
    for line in &judgement.idle {
        tracing::warn!("{}", allowed_for_nothing(line));
    }
    // the summary has what stops the start
    if let Err(refusal) = may_start(&judgement) {
        let options = choices.options_for(&judgement);
        anyhow::bail!(
            "{refusal}\nstart it with: hubward run {}{options}",
            quoted(&file.display().to_string())
        );
    }
    tell(&parsed, None);
    for verdict in &judgement.verdicts {
        let reasons: Vec<_> = verdict.outcome.reasons().iter().map(reason).collect();
        if judgement.without.contains(&verdict.name) {
            tracing::warn!("{} is left out; its networks are unreachable", verdict.name);
        } else if differs(verdict) {
            tracing::warn!("{} differs: {}", verdict.name, reasons.join("; "));
        }
    }
    if forwards_ipv6() {
        tracing::warn!("{FORWARDS_IPV6}");
    }
    if is_open(file, &parsed) {
        tracing::warn!("{}", readable(file));
    }
    for line in &judgement.allowed {
        tracing::warn!("line {} is not enforced, as allowed ({}): {}", line.line, leave(line), line.name());
    }
    let status = status(&parsed, &judgement);
    Ok((parsed, status))
}

/// A line without the secret at its end.
pub(super) fn shown(line: &str, unread: bool) -> String {
    let public = match unread {
        true => public_part_of_unread(line),
        false => public_part(line),
    };
    if public.len() == line.len() { line.to_string() } else { format!("{public} …") }
}

/// Tells the remarks at start, or after a reload those that are new.
pub(crate) fn tell(parsed: &Parsed, before: Option<&Parsed>) {
    for diagnostic in news(parsed, before) {
        match diagnostic.severity {
            Severity::Notice => tracing::info!("line {}: {}", diagnostic.line, diagnostic.message),
            Severity::Warning | Severity::Error => {
                tracing::warn!("line {}: {}", diagnostic.line, diagnostic.message);
            }
        }
    }
}

/// The remarks that were not there before: what changes forwarding first.
fn news<'p>(parsed: &'p Parsed, before: Option<&Parsed>) -> Vec<&'p Diagnostic> {
    // an inserted line moves the others, and their diagnostics are not new for that
    let said: BTreeSet<_> = before.iter().flat_map(|old| &old.diagnostics).map(essence).collect();
    let mut news: Vec<_> = parsed.diagnostics.iter().filter(|d| !said.contains(&essence(d))).collect();
    news.sort_by_key(|d| d.code != Code::Forwarding);
    news
}

/// What a remark says, whatever the numbers of the lines that it names.
fn essence(remark: &Diagnostic) -> (Code, String) {
    let mut words = Vec::new();
    for word in remark.message.split(' ') {
        let number = words.last().is_some_and(|before| matches!(*before, "line" | "lines"));
        words.push(if number { "" } else { word });
    }
    (remark.code, words.join(" "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::choices::Options;

    pub(in crate::check) const RUNNING: &str = "\
crypto keyring K
 pre-shared-key address 203.0.113.10 key k
crypto isakmp policy 10
 authentication pre-share
crypto isakmp profile P
 keyring K
 match identity address 203.0.113.10
crypto ipsec transform-set AES esp-aes esp-sha-hmac
crypto dynamic-map D 10
 set transform-set AES
access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
crypto map M 10 ipsec-isakmp
 set peer 203.0.113.10
 set transform-set AES
 set isakmp-profile P
 match address 101
crypto map M 65000 ipsec-isakmp dynamic D
interface FastEthernet0/0
 ip address 198.51.100.2 255.255.255.248
 crypto map M
";

    #[test]
    fn moved_lines_are_no_news() {
        let text =
            "crypto isakmp key cisco123 address 0.0.0.0 0.0.0.0\ncrypto isakmp policy 10\n encr 3des\n";
        let before = hubward_config::parse(text);
        assert!(!news(&before, None).is_empty());
        let moved = hubward_config::parse(&format!("hostname Hub\n{text}"));
        assert!(news(&moved, Some(&before)).is_empty(), "{:?}", news(&moved, Some(&before)));
        let more = hubward_config::parse(&format!("{text}crypto isakmp policy 20\n encr 3des\n"));
        assert!(news(&more, Some(&before)).iter().all(|d| d.message.contains("20")));
        assert!(!news(&more, Some(&before)).is_empty());
    }

    /// A Windows editor writes a mark at the beginning, or two bytes for each character.
    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line_and_utf_16_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.cfg");
        let told = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            read(&file).and_then(|text| parse(&file, &text)).map(|parsed| parsed.config.hostname)
        };
        assert_eq!(told(b"\xef\xbb\xbfhostname R1\n").unwrap().as_deref(), Some("R1"));
        let wide =
            |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<_>>();
        for bytes in [
            wide("\u{feff}hostname R1\n", u16::to_le_bytes),
            wide("\u{feff}hostname R1\n", u16::to_be_bytes),
            wide("hostname R1\nip cef\n", u16::to_le_bytes),
            wide("hostname R1\nip cef\n", u16::to_be_bytes),
        ] {
            assert_eq!(told(&bytes).unwrap().as_deref(), Some("R1"));
        }
        for empty in ["", "\n\n", "!\n"] {
            let why = told(empty.as_bytes()).unwrap_err().to_string();
            assert!(why.ends_with("it is empty"), "{why}");
        }
        let why = told(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0\0\0\0\0")
            .unwrap_err()
            .to_string();
        assert!(why.contains("a binary file") && !why.contains("UTF-16"), "{why}");
    }

    /// A clear or type 7 key is known to whoever reads the file.
    #[test]
    fn a_file_with_keys_that_everybody_can_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.cfg");
        let group = "crypto isakmp client configuration group G\n key secret\n";
        for (text, mode, open) in [
            (RUNNING, 0o644, true),
            (RUNNING, 0o640, false),
            (RUNNING, 0o600, false),
            (group, 0o604, true),
            ("crypto isakmp key x address 192.0.2.1\n", 0o644, true),
            ("hostname Hub\n", 0o644, false),
        ] {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open(&file, &hubward_config::parse(text)), open, "{mode:o} {text}");
        }
    }

    /// With `--map` the verdict is about the link that it names, for `check` and for `run`.
    #[test]
    fn a_tunnel_on_a_mapped_interface_works() {
        let text = RUNNING.replace("FastEthernet0/0", "Dialer1");
        let text = format!("{text}ip route 0.0.0.0 0.0.0.0 Dialer1\n");
        let negotiated = text.replace("ip address 198.51.100.2 255.255.255.248", "ip address negotiated");
        let judged = |text: &str, map: &[&str]| {
            let map = map.iter().map(|pair| (*pair).to_string()).collect();
            let choices = Choices::of(&Options { map, ..Options::default() }).unwrap();
            let mut parsed = hubward_config::parse(text);
            let judgement = choices.apply(&mut parsed).unwrap();
            (judgement.verdicts.iter().any(differs), status(&parsed, &judgement))
        };
        assert_eq!(judged(&text, &[]), (true, DIFFERS));
        assert_eq!(judged(&text, &["Dialer1=eth0"]), (false, 0));
        assert_eq!(judged(&text, &["di1=eth0"]), (false, 0));
        // whose address comes by PPP on the router, it has that of its link: that differs, and the
        // tunnel works
        assert_eq!(judged(&negotiated, &["Dialer1=eth0"]), (false, DIFFERS));
    }

    #[test]
    fn prose_is_no_configuration_and_a_configuration_in_prose_is_one() {
        let is = |text: &str| is_configuration(&hubward_config::parse(text));
        for text in [
            "",
            "\n\n! a comment\n",
            "\u{0}\u{fffd}\u{1}x\n\u{7f}",
            "Dear colleague,\nplease find the configuration attached.\nThe router reboots at noon.\nKind regards\n",
            "{\"interface\": \"FastEthernet0/0\",\n \"address\": \"10.0.0.1\"\n}\n",
            "[Interface]\nPrivateKey = x\nAddress = 10.0.0.1/24\n",
        ] {
            assert!(!is(text), "{text}");
        }
        for text in ["end\n", "exit\n", "do show run\n", "banner\n", "service\n", "gateway\nprocess\nend\n"] {
            assert!(!is(text), "nothing is configured by {text}");
        }
        assert!(is("hostname Hub\n"));
        assert!(is(&format!("# How to\n\n```\n{RUNNING}```\nThat is all.\n")));
    }
}
