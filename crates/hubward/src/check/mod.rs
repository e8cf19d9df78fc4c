//! `hubward check`, and what the remarks on a configuration mean for its start.

use crate::base::files;
use crate::choices::{Choices, Judgement, Options, differs, quoted};
use crate::machine::apply::without_card;
use crate::machine::view::Names;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Kind, Severity, Unenforced};
use hubward_config::document::{Class, Line};
use hubward_config::is_hardware;
use hubward_config::model::{AaaMethod, Addressing, Config, Interface};
use hubward_config::secret::{public_part, public_part_of_unread};
use hubward_config::verdict::{Outcome, Reason, Verdict};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

/// Reads a configuration; a banner in another character set harms nothing.
///
/// # Errors
/// There is none, or it is not text.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = files::read(file, files::CONFIGURATION)?;
    // Windows editors write a byte order mark at the beginning
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if is_utf16(bytes) {
        anyhow::bail!(
            "{} is not an IOS configuration: it is encoded in UTF-16; save it as UTF-8 or ASCII",
            file.display()
        );
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Whether a text is in UTF-16, as some Windows editors write it: it has the mark, or every other
/// byte is 0 and the others are not.
fn is_utf16(bytes: &[u8]) -> bool {
    let sample = bytes.get(..4096).unwrap_or(bytes);
    let zeros =
        |odd| sample.iter().enumerate().filter(|(place, byte)| place % 2 == odd && **byte == 0).count();
    let (some, others) = (zeros(0).max(zeros(1)), zeros(0).min(zeros(1)));
    [&b"\xff\xfe"[..], b"\xfe\xff"].iter().any(|mark| bytes.starts_with(mark))
        || (some * 10 > sample.len() * 4 && others * 20 < sample.len())
}

/// Refuses to replace a running configuration with one that has unenforced lines that were not
/// allowed, a tunnel that does not exist here, or lines that should have an effect but have none
/// and that the running one does not have, or that lacks a part of a tunnel in use.
/// A router would not have accepted such lines from its console either. A configuration that is
/// accepted gets its choices, and the exit status of the program under it is returned.
///
/// The message reports what the change makes worse, without line numbers: an operator who entered a
/// line has not seen the whole text.
pub(crate) fn may_replace(old: &Parsed, new: &mut Parsed, choices: &Choices) -> Result<u8, String> {
    let judgement = choices.apply_known(new);
    let before = choices.judge(old);
    let mut worse = no_longer_here(&before, &judgement);
    let refused_before: Vec<_> = before.refused.iter().map(Unenforced::name).collect();
    for line in judgement.refused.iter().filter(|line| !refused_before.contains(&line.name())) {
        worse.push(format!("`{}` is not accepted: {} ({})", line.name(), line.message, line.kind.name()));
    }
    if !worse.is_empty() {
        return Err(worse.join("; "));
    }
    // what was not allowed before either: the rule of a start
    may_start(&judgement)?;
    if let Some(gone) = gone_in_use(&old.config, &new.config) {
        let name = &gone.name;
        return Err(match is_hardware(name) {
            true => format!(
                "the interface {name} cannot be removed; `shutdown`, `no ip address` or `default interface` ends what it does"
            ),
            false => {
                format!("the interface {name} cannot be removed before `no crypto map` or `shutdown`")
            }
        });
    }
    let lost = hubward_config::check::lost(&old.config, &new.config);
    if !lost.is_empty() {
        let lost = lost
            .iter()
            .map(|one| format!("{} needs the {} {}, which is not defined", one.owner, one.what, one.name));
        return Err(lost.collect::<Vec<_>>().join("; "));
    }
    let mut emptied = hubward_config::check::emptied(&old.config, &new.config);
    if emptied.is_empty() {
        emptied = ended(old, &before, new, &judgement);
    }
    if !emptied.is_empty() {
        let remedy = "enter the new one first, or remove everything that it belongs to";
        return Err(format!("{}; {remedy}", emptied.join("; ")));
    }
    let is_error = |d: &&Diagnostic| d.severity == Severity::Error && d.code != Code::Unenforced;
    let known = |d: &&Diagnostic| old.diagnostics.iter().any(|o| o.code == d.code && o.message == d.message);
    let broken: Vec<_> = new
        .diagnostics
        .iter()
        .filter(is_error)
        .filter(|d| !known(d))
        .map(|d| format!("`{}`: {} ({})", text_of(new, d.line), d.message, d.remedy))
        .collect();
    if broken.is_empty() { Ok(status(new, &judgement)) } else { Err(broken.join("; ")) }
}

/// The tunnels that would not exist here any more, or not yet, each with what is new of its
/// reasons.
fn no_longer_here(before: &Judgement, after: &Judgement) -> Vec<String> {
    let mut out = Vec::new();
    for verdict in after.verdicts.iter().filter(|verdict| after.missing.contains(&verdict.name)) {
        let old = before.verdicts.iter().find(|old| old.name == verdict.name);
        let known = |reason: &&Reason| {
            old.is_some_and(|old| old.outcome.reasons().iter().any(|old| old.text == reason.text))
        };
        let why: Vec<_> = verdict.outcome.reasons().iter().filter(|reason| !known(reason)).collect();
        if !why.is_empty() {
            let why: Vec<_> = why.into_iter().take(SHOWN).map(|reason| reason.text.as_str()).collect();
            out.push(format!("{} would not exist here: {}", verdict.name, why.join("; ")));
        }
    }
    out
}

/// An interface in use that the new configuration no longer names. No router loses a physical one
/// by a configuration, and a truncated file must not end everything that uses it. The link of one
/// with a crypto map stays up here, and would no longer be guarded.
fn gone_in_use<'c>(old: &'c Config, new: &Config) -> Option<&'c Interface> {
    let in_use = |one: &&Interface| {
        let addressed = is_hardware(&one.name) && one.address != Addressing::None;
        !one.shutdown && (one.crypto_map.is_some() || addressed)
    };
    let stays = |name: &str| new.interfaces.iter().any(|interface| interface.name == name);
    old.interfaces.iter().filter(in_use).find(|one| !stays(&one.name))
}

/// The tunnels and groups that came up before and would not any more, although they stay. Whoever
/// takes a crypto map from its interface, or shuts that, means it.
fn ended(old: &Parsed, before: &Judgement, new: &Parsed, after: &Judgement) -> Vec<String> {
    let mut out = Vec::new();
    for now in after.verdicts.iter().filter(|now| !now.idle && !after.without.contains(&now.name)) {
        let was = before.verdicts.iter().find(|was| was.name == now.name && !was.idle);
        if !was.is_some_and(|was| faults(old, was).is_empty()) {
            continue;
        }
        let faults = faults(new, now);
        if !faults.is_empty() {
            out.push(format!("{} would no longer work: {}", now.name, faults.join("; ")));
        }
    }
    // users are asked for where a list is local
    let local = |parsed: &Parsed| {
        let config = &parsed.config;
        let lists = config.maps.iter().filter_map(|map| map.xauth_list.as_ref().map(|(list, _)| list));
        let lists = lists.chain(config.profiles.iter().filter_map(|profile| profile.xauth_list.as_ref()));
        let is_local = |name: &String| {
            let mut known = config.aaa.login.iter().filter(|list| list.name == *name);
            known.any(|list| list.methods.iter().any(AaaMethod::is_local))
        };
        lists.into_iter().any(is_local)
    };
    if local(old) && local(new) && !old.config.users.is_empty() && new.config.users.is_empty() {
        out.push("the clients of this gateway would lose the last `username`".into());
    }
    out
}

/// Why a tunnel does not come up: its reasons but for lines that are not implemented, and routes to
/// `Null0`, which are orders.
fn faults<'v>(parsed: &Parsed, verdict: &'v Verdict) -> Vec<&'v str> {
    let told = |reason: &Reason| {
        parsed.diagnostics.iter().any(|told| {
            is_different(told)
                && told.line == reason.line
                && (told.message == reason.text || reason.line != verdict.line)
        })
    };
    let routed = |reason: &Reason| parsed.config.routes.iter().any(|route| route.line == reason.line);
    let reasons = verdict.outcome.reasons().iter();
    reasons.filter(|reason| !told(reason) && !routed(reason)).map(|reason| reason.text.as_str()).collect()
}

/// A line of a configuration, without a secret.
fn text_of(parsed: &Parsed, line: u32) -> String {
    let place = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = parsed.document.lines.get(place);
    line.map(|line| shown(line.text.trim(), line.class == Class::Unknown)).unwrap_or_default()
}

/// The exit status of a configuration that starts but differs from the router in something.
pub(crate) const DIFFERS: u8 = 3;

/// `hubward check`: the exit status is 0 if everything in the file is enforced, 3 if it starts but
/// something differs, and 1 if it does not start.
pub(crate) fn file(file: &Path, options: &Options) -> anyhow::Result<ExitCode> {
    let choices = Choices::of(options)?;
    let text = read(file)?;
    let mut parsed = parse(file, &text)?;
    let judgement = choices.apply(&mut parsed)?;
    let name = file.display().to_string();
    let mut out = tunnels(&judgement);
    let refusal = may_start(&judgement).err();
    if let Some(refusal) = &refusal {
        out.push_str(&format!("{refusal}\n\n"));
    }
    out.push_str(&remarks(&name, &text, &parsed));
    if forwards_ipv6() {
        out.push_str(&format!("warning: {FORWARDS_IPV6}\n"));
    }
    for line in &judgement.idle {
        out.push_str(&format!("warning: {}\n", allowed_for_nothing(line)));
    }
    if refusal.is_some() {
        let options = choices.options_for(&judgement);
        out.push_str(&format!("start it with: hubward run {}{options}\n", quoted(&name)));
    }
    crate::base::program::say(&out);
    Ok(match refusal {
        Some(_) => ExitCode::FAILURE,
        None => status(&parsed, &judgement).into(),
    })
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
    for line in &judgement.allowed {
        tracing::warn!("line {} is not enforced, as allowed ({}): {}", line.line, leave(line), line.name());
    }
    let status = status(&parsed, &judgement);
    Ok((parsed, status))
}

/// Reads a text that has to be a configuration.
fn parse(file: &Path, text: &str) -> anyhow::Result<Parsed> {
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
fn is_different(told: &Diagnostic) -> bool {
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
fn status(parsed: &Parsed, judgement: &Judgement) -> u8 {
    let held = !judgement.verdicts.iter().any(differs)
        && parsed.config.chosen.without.is_empty()
        && !parsed.diagnostics.iter().any(is_different);
    if held { 0 } else { DIFFERS }
}

/// The same where the links are known: whether an interface of it has none.
pub(crate) fn status_here(status: u8, config: &Config, names: &Names) -> u8 {
    if status == 0 && !without_card(config, names).is_empty() { DIFFERS } else { status }
}

const FORWARDS_IPV6: &str =
    "this machine forwards IPv6 packets, but the configuration neither filters nor protects them";

/// Whether the machine forwards IPv6; Hubward never enables that.
fn forwards_ipv6() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/forwarding").is_ok_and(|text| text.trim() == "1")
}

fn allowed_for_nothing(line: &str) -> String {
    format!("--allow-unenforced '{line}': the configuration has no such unenforced line")
}

fn reason(reason: &Reason) -> String {
    format!("line {}: {}", reason.line, reason.text)
}

/// What becomes of each tunnel, group and peer.
fn tunnels(judgement: &Judgement) -> String {
    let mut out = String::new();
    for verdict in &judgement.verdicts {
        let becomes = match &verdict.outcome {
            _ if judgement.without.contains(&verdict.name) => "left out; its networks are unreachable",
            Outcome::Works => "works",
            Outcome::Differs(_) => "differs",
            Outcome::Missing(_) => "does not exist here",
        };
        out.push_str(&format!("{}: {becomes}\n", verdict.name));
        for why in verdict.outcome.reasons() {
            out.push_str(&format!("    {}\n", reason(why)));
        }
        let closed = verdict.idle || verdict.outcome.is_missing();
        if closed && verdict.unknown {
            out.push_str(
                "    its networks are not known: without it, private networks are unreachable by outside interfaces, unless a route of the configuration other than the default leads there\n",
            );
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Every remark with its line, and how many lines of each class there are.
fn remarks(name: &str, text: &str, parsed: &Parsed) -> String {
    let renderer = Renderer::plain();
    let mut out = String::new();
    for diagnostic in &parsed.diagnostics {
        out.push_str(&format!("{}\n\n", render(&renderer, name, text, diagnostic)));
    }
    let count = |class| parsed.document.lines.iter().filter(|line| line.class == class).count();
    out.push_str(&format!(
        "{} lines: {} implemented, {} that need no effect, {} inert, {} not implemented, {} unknown\n",
        parsed.document.lines.iter().filter(|line| line.class != Class::Blank).count(),
        count(Class::Implemented),
        count(Class::NoOp),
        count(Class::Inert),
        count(Class::Unsupported),
        count(Class::Unknown)
    ));
    out
}

fn render(renderer: &Renderer, name: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Notice => Level::INFO,
    };
    let number = usize::try_from(diagnostic.line.saturating_sub(1)).unwrap_or(0);
    // a line may contain a key; only what precedes it is shown
    let line = text.split('\n').nth(number).unwrap_or_default().trim_end_matches('\r');
    let unread = matches!(diagnostic.code, Code::Unknown | Code::Invalid);
    let shown = shown(line, unread);
    // the column refers to the whole line, and may be within the sign that replaces the rest
    let column = shown.floor_char_boundary(usize::try_from(diagnostic.column.saturating_sub(1)).unwrap_or(0));
    let end = shown.len().max(column);
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.name()).element(
        Snippet::source(shown.as_str())
            .line_start(usize::try_from(diagnostic.line).unwrap_or(1))
            .path(name)
            .annotation(AnnotationKind::Primary.span(column..end)),
    );
    if !diagnostic.remedy.is_empty() {
        group = group.element(Level::HELP.message(diagnostic.remedy.as_str()));
    }
    renderer.render(&[group]).to_string()
}

/// A line without the secret at its end.
fn shown(line: &str, unread: bool) -> String {
    let public = match unread {
        true => public_part_of_unread(line),
        false => public_part(line),
    };
    if public.len() == line.len() { line.to_string() } else { format!("{public} …") }
}

/// Reasons that a refusal shows of one tunnel.
const SHOWN: usize = 3;

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
fn leave(line: &Unenforced) -> String {
    match line.kind {
        Kind::Other => format!("--allow-unenforced {}", quoted(&line.name())),
        kind => kind.name().to_string(),
    }
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
mod tests {
    use super::*;

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

    const RUNNING: &str = "\
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

    /// A Windows editor writes a mark at the beginning, or two bytes for each character.
    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line_and_utf_16_is_called_so() {
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
            let why = told(&bytes).unwrap_err().to_string();
            assert!(why.contains("UTF-16") && !why.contains("not commands"), "{why}");
        }
        for empty in ["", "\n\n", "!\n"] {
            let why = told(empty.as_bytes()).unwrap_err().to_string();
            assert!(why.ends_with("it is empty"), "{why}");
        }
        let why = told(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0\0\0\0\0")
            .unwrap_err()
            .to_string();
        assert!(!why.contains("UTF-16"), "{why}");
    }

    fn replaced(before: &str, after: &str) -> Result<(), String> {
        let old = hubward_config::parse(before);
        may_replace(&old, &mut hubward_config::parse(after), &Choices::default()).map(drop)
    }

    /// A configuration in which a tunnel in use has lost a part is refused as a whole.
    #[test]
    fn a_tunnel_in_use_loses_no_part_by_a_reload() {
        assert_eq!(replaced(RUNNING, RUNNING), Ok(()));
        for (from, to, lost) in [
            ("crypto dynamic-map D 10\n set transform-set AES\n", "", "dynamic map D"),
            ("transform-set AES esp", "transform-set ASE esp", "transform set AES"),
            ("set transform-set AES\n set isa", "set transform-set NEW\n set isa", "transform set NEW"),
            ("crypto keyring K", "crypto keyring L", "keyring K"),
            ("crypto isakmp profile P", "crypto isakmp profile Q", "ISAKMP profile P"),
            ("access-list 101", "access-list 102", "access list 101"),
            (" crypto map M\n", " crypto map N\n", "crypto map N"),
        ] {
            let after = RUNNING.replace(from, to);
            assert_ne!(after, RUNNING);
            let refused = replaced(RUNNING, &after).unwrap_err();
            assert!(refused.contains(lost) && refused.contains("not defined"), "{refused}");
            // what the running one lacks already stays as it is
            assert_eq!(replaced(&after, &after), Ok(()), "{lost}");
        }
    }

    /// Interfaces may be inserted before others and removed; physical ones stay, so that a
    /// truncated file ends nothing.
    #[test]
    fn interfaces_come_and_go_by_a_reload() {
        let above = format!("interface Loopback0\n ip address 10.9.0.1 255.255.255.255\n{RUNNING}");
        assert_eq!(replaced(RUNNING, &above), Ok(()));
        assert_eq!(replaced(&above, RUNNING), Ok(()));
        let renamed = RUNNING.replace("interface FastEthernet0/0", "interface FastEthernet0/9");
        for text in [renamed.as_str(), "hostname cut\n", ""] {
            let refused = replaced(RUNNING, text).unwrap_err();
            assert!(refused.contains("FastEthernet0/0 cannot be removed"), "{refused}");
        }
        // the link of a made one stays, and what its map protects would leave by it
        let second = format!("{RUNNING}interface Dialer1\n ip address negotiated\n crypto map M\n");
        let refused = replaced(&second, RUNNING).unwrap_err();
        assert!(refused.contains("Dialer1 cannot be removed before `no crypto map`"), "{refused}");
        for ended in [" no crypto map M\n", " shutdown\n"] {
            let ended = format!("{second}{ended}");
            assert_eq!(replaced(&second, &ended), Ok(()), "{ended}");
            assert_eq!(replaced(&ended, RUNNING), Ok(()), "{ended}");
        }
    }

    /// The lines below a missing or misspelt line belong to nothing, or to the entry before it.
    #[test]
    fn an_entry_that_loses_its_first_line_by_a_reload_is_refused() {
        let second = "crypto map M 20 ipsec-isakmp\n set peer 203.0.113.20\n set transform-set AES\n match address 102\n";
        let running = RUNNING.replace("crypto map M 65000", &format!("{second}crypto map M 65000"));
        assert_eq!(replaced(&running, &running), Ok(()));
        for (from, to, name) in [
            ("crypto map M 20 ipsec-isakmp\n", "", "M/10"),
            ("crypto map M 20", "crypto mpa M 20", "crypto mpa M 20"),
            ("crypto map M 10 ipsec-isakmp\n", "", "set peer 203.0.113.10"),
            ("crypto map M 10", "crypto mpa M 10", "crypto mpa M 10"),
            ("crypto dynamic-map D", "crypto dynamic-mpa D", "crypto dynamic-mpa D 10"),
        ] {
            let refused = replaced(&running, &running.replace(from, to)).unwrap_err();
            assert!(refused.contains(&format!("{name} would not exist here")), "{name}: {refused}");
        }
    }

    /// A configuration in which an entry in use stays and has lost the last of something it needs
    /// is refused as a whole.
    #[test]
    fn a_tunnel_in_use_is_not_emptied_by_a_reload() {
        let permit = "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
        let named = RUNNING.replace("access-list 101 permit", "ip access-list extended 101\n permit");
        let sets = "10.2.0.0 0.0.255.255\ncrypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n";
        for (running, from, to, lost) in [
            (
                RUNNING,
                permit,
                "access-list 101 deny ip any any\n",
                "access list 101 of crypto map M 10 would lose its last `permit`",
            ),
            (&named, " permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n", "", "last `permit`"),
            (RUNNING, " match address 101\n", "", "crypto map M 10 would lose its last `match address`"),
            (RUNNING, " set peer 203.0.113.10\n", "", "crypto map M 10 would lose its last `set peer`"),
            (
                RUNNING,
                sets,
                &sets.replace(" set transform-set AES\n", ""),
                "crypto map M 10 would lose its last `set transform-set`",
            ),
            (
                RUNNING,
                "D 10\n set transform-set AES\n",
                "D 10\n",
                "crypto dynamic-map D 10 would lose its last `set transform-set`",
            ),
            (
                RUNNING,
                " pre-shared-key address 203.0.113.10 key k\n",
                "",
                "crypto keyring K would lose its last key",
            ),
            (
                RUNNING,
                " match identity address 203.0.113.10\n",
                "",
                "crypto isakmp profile P would lose its last `match identity`",
            ),
        ] {
            let after = running.replace(from, to);
            assert_ne!(after, running, "{lost}");
            let refused = replaced(running, &after).unwrap_err();
            assert!(refused.contains(lost), "{refused}");
            assert_eq!(replaced(&after, running), Ok(()), "{lost}");
        }
        // removing the whole entry is intentional
        let entry = "crypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n set isakmp-profile P\n match address 101\n";
        let without = RUNNING.replace(entry, "");
        assert_ne!(without, RUNNING);
        assert_eq!(replaced(RUNNING, &without), Ok(()));
        // what is not whole yet may lose what it has
        let more = format!("{RUNNING}crypto map M 20 ipsec-isakmp\n set peer 203.0.113.20\n");
        assert_eq!(replaced(&more, &more.replace(" set peer 203.0.113.20\n", "")), Ok(()));
    }

    /// The last key by `crypto isakmp key` was removed silently.
    #[test]
    fn what_a_tunnel_cannot_come_up_without_is_not_taken_away() {
        let text = |keys: &str, more: &str| {
            format!(
                "{keys}crypto isakmp policy 10\n authentication pre-share\n group 14\n encr aes\n\
                 crypto isakmp policy 20\n authentication pre-share\n group 14\n encr aes\n\
                 crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
                 access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                 crypto map M 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n match address 101\n\
                 {more}interface FastEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map M\n"
            )
        };
        let dynamic =
            "crypto dynamic-map D 10\n set transform-set AES\ncrypto map M 65000 ipsec-isakmp dynamic D\n";
        let clients = "aaa new-model\naaa authentication login U local\naaa authorization network G local\n\
                       username ada password 0 x\nip local pool P 10.9.9.1 10.9.9.9\n\
                       crypto isakmp client configuration group staff\n key g\n pool P\n\
                       crypto dynamic-map D 10\n set transform-set AES\n\
                       crypto map M client authentication list U\ncrypto map M isakmp authorization list G\n\
                       crypto map M client configuration address respond\ncrypto map M 65000 ipsec-isakmp dynamic D\n";
        let own = "crypto isakmp key k address 203.0.113.10\n";
        let any = "crypto isakmp key k address 0.0.0.0 0.0.0.0\n";
        let by_name = "crypto isakmp key k hostname branch.example\n";
        let only_branches = format!("{by_name}crypto isakmp key k address 203.0.113.10 no-xauth\n");
        for (running, gone, refused) in [
            (text(own, ""), own, true),
            (text(any, ""), any, true),
            (text(any, dynamic), any, true),
            // another one still serves it
            (text(&format!("{own}{any}"), ""), own, false),
            (text(&format!("{own}{any}"), ""), any, false),
            // of the names only the last one
            (text(&only_branches, dynamic), by_name, false),
            (
                text(own, ""),
                "crypto isakmp policy 20\n authentication pre-share\n group 14\n encr aes\n",
                false,
            ),
            (text(own, ""), "crypto ipsec transform-set AES esp-aes esp-sha-hmac\n", true),
            (text(own, ""), " ip address 198.51.100.2 255.255.255.248\n", true),
            (text(own, clients), "ip local pool P 10.9.9.1 10.9.9.9\n", true),
            (text(own, clients), " pool P\n", true),
            (text(own, clients), " key g\n", true),
            (text(own, clients), "aaa authentication login U local\n", true),
            (text(own, clients), "aaa authorization network G local\n", true),
            (text(own, clients), "username ada password 0 x\n", true),
            // who does that means it
            (text(own, ""), " crypto map M\n", false),
        ] {
            let after = running.replacen(gone, "", 1);
            assert_ne!(after, running, "{gone}");
            assert_eq!(replaced(&running, &running), Ok(()), "{running}");
            let done = replaced(&running, &after);
            assert_eq!(done.is_err(), refused, "{gone}: {done:?}");
            if let Err(why) = done {
                assert!(!why.contains("--without") && !why.contains("line "), "{gone}: {why}");
            }
            assert_eq!(replaced(&after, &running), Ok(()), "{gone}");
        }
        // both policies
        let none = text(own, "").replace("crypto isakmp policy", "!");
        assert!(replaced(&text(own, ""), &none).unwrap_err().contains("M/10 would not exist here"));
    }

    /// What was typed is refused for what it does, in words for who typed it.
    #[test]
    fn a_refusal_at_the_console_names_what_the_change_makes_worse_and_nothing_else() {
        let weak = RUNNING.replace(" match address 101\n", " match address 101\n set nat demux\n");
        let tunnel = format!("{weak}interface Tunnel7\n tunnel source FastEthernet0/0\n");
        let why = replaced(&weak, &tunnel).unwrap_err();
        assert_eq!(why, "Tunnel7 would not exist here: `tunnel source FastEthernet0/0` is not implemented");
        let filter = format!("{weak} ip access-group 101 in\n");
        let why = replaced(&weak, &filter).unwrap_err();
        assert!(
            why.starts_with("`interface FastEthernet0/0: ip access-group 101 in` is not accepted: "),
            "{why}"
        );
        for word in ["--without", "--allow", "line ", "does not start", "nat demux"] {
            assert!(!why.contains(word), "{word}: {why}");
        }
        // a reason that it had before is not said again
        let list = weak.replace("10.2.0.0 0.0.255.255", "10.2.0.0 0.0.255.255 log fragments");
        let why = replaced(&weak, &list).unwrap_err();
        assert!(why.starts_with("M/10 would not exist here: ") && !why.contains("nat demux"), "{why}");
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

    /// Lines that no tunnel in use needs may be entered in any order.
    #[test]
    fn an_entry_that_is_being_typed_may_lack_its_parts() {
        let more = format!(
            "{RUNNING}crypto map M 20 ipsec-isakmp\n match address LATER\n set transform-set LATER\n"
        );
        assert_eq!(replaced(RUNNING, &more), Ok(()));
        let beside = format!("{RUNNING}crypto map OTHER 10 ipsec-isakmp\n match address LATER\n");
        assert_eq!(replaced(RUNNING, &beside), Ok(()));
        assert_eq!(replaced(RUNNING, &RUNNING.replace(" crypto map M\n", "")), Ok(()), "that is an order");
    }

    /// The program ends with what the configuration in force comes to, not the one of its start.
    #[test]
    fn another_configuration_has_an_exit_status_of_its_own() {
        let hub = include_str!("../../../examples/hub.cfg");
        let old = hubward_config::parse(hub);
        let status =
            |text: &str| may_replace(&old, &mut hubward_config::parse(text), &Choices::default()).unwrap();
        assert_eq!(status(hub), 0);
        assert_eq!(status(&hub.replace("ip classless\n", "ip classless\nip policy frobnicate\n")), DIFFERS);
    }

    /// What is not allowed at the start is refused at the console too, and what is allowed is not.
    #[test]
    fn a_new_line_that_nothing_holds_is_refused_at_the_console() {
        let filtered = format!("{RUNNING} ip access-group 101 in\n");
        assert!(replaced(RUNNING, &filtered).unwrap_err().contains("access-group"));
        let tunnel = format!("{RUNNING}interface Tunnel7\n tunnel source FastEthernet0/0\n");
        assert!(replaced(RUNNING, &tunnel).unwrap_err().contains("Tunnel7 would not exist here"));
        let list = RUNNING.replace("10.2.0.0 0.0.255.255", "10.2.0.0 0.0.255.255 log fragments");
        assert!(replaced(RUNNING, &list).unwrap_err().contains("M/10 would not exist here"));
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

    /// Every beginning of every kind of line, with multi-byte characters and tabs: the error is
    /// shown, whatever the column and whatever is hidden after it.
    #[test]
    fn every_beginning_of_a_line_can_be_shown() {
        let lines = [
            "crypto isakmp key x",
            "crypto isakmp key 6 x address 1.1.1.1 255.255.255.255 no-xauth x",
            "crypto isakmp key é address 1.1.1.1",
            "crypto isakmp key \u{1f511} hostname h\u{fc}b.example",
            "username a privilege 15 secret 5 $1$mERr$abc x",
            "enable secret level 7 x y",
            "snmp-server community x RO",
            "tacacs-server key 7 0822455D0A16",
            "crypto keyring k\n pre-shared-key address 0.0.0.0 0.0.0.0 key x",
            "crypto keyring k\n pre-shared-key hostname h key 6 \u{e9}\u{e9} y",
            "crypto isakmp client configuration group g\n\tkey\tx\ty\tz",
            "crypto isakmp client configuration group g\n banner \u{e9}Bonjour",
            "interface FastEthernet0/0\n\tip address 10.0.0.1 255.0.0.0 secondly",
            "interface FastEthernet0/0\n ip ospf message-digest-key 1 md5 x",
            "interface FastEthernet0/0\n description caf\u{e9}\n caf\u{e9} \u{2026}",
            "line vty 0 4\n password \u{e9} x",
            "wpa-psk ascii 0 \u{4e2d}\u{6587}",
            "ip route 10.0.0.0 255.0.0.0 \u{a0}1.1.1.1 300",
            "banner motd \u{4e2d}\nx",
        ];
        let renderer = Renderer::plain();
        for line in lines {
            for end in line.char_indices().map(|(end, _)| end).chain([line.len()]) {
                for tail in ["", "\r", " ", "\t!", "\n!"] {
                    let text = format!("{}{tail}", &line[..end]);
                    for diagnostic in &hubward_config::parse(&text).diagnostics {
                        assert!(!render(&renderer, "x", &text, diagnostic).is_empty());
                    }
                }
            }
        }
    }

    /// Configurations full of secrets, right and wrong: no message about them contains one.
    #[test]
    fn no_secret_is_told() {
        let secret = "Zq9xDistinct7Secret";
        let lines = [
            "crypto isakmp key {} address 0.0.0.0 0.0.0.0",
            "crypto isakmp key 0 {} address nowhere at all",
            "crypto isakmp key {}",
            "crypto isakmp\tkey\t{}\tfrobnicate",
            "username a password 0 {}",
            "username a password 7 {}",
            "username a privilege 99 secret 5 {}",
            "user a pass {} surplus",
            "enable secret 5 {}",
            "enable password {}",
            "snmp-server community {} RO",
            "tacacs-server host 10.0.0.1 key {}",
            "radius-server key 7 {}",
            "crypto keyring k\n pre-shared-key address 0.0.0.0 0.0.0.0 key {}\n pre-shared-key hostname h key 6 {}\n pre-shared-key address x key {}",
            "crypto isakmp client configuration group g\n key {}\n key 6 {}\n key",
            "interface Dialer1\n ppp chap password 0 {}\n ip ospf message-digest-key 1 md5 {}",
            "key chain x\n key 1\n  key-string {}",
            "wpa-psk ascii 0 {}",
        ];
        for end in ["\n", "\r\n"] {
            let text = lines.join("\n").replace("{}", secret).replace('\n', end);
            let parsed = hubward_config::parse(&text);
            assert!(parsed.diagnostics.len() > 8, "{:?}", parsed.diagnostics);
            let mut told = vec![format!("{:?}", parsed.config), format!("{:?}", parsed.diagnostics)];
            let renderer = Renderer::plain();
            told.extend(parsed.diagnostics.iter().map(|one| render(&renderer, "x", &text, one)));
            let choices = Choices::default();
            let judgement = choices.judge(&parsed);
            told.extend(may_start(&judgement).err());
            told.push(tunnels(&judgement));
            told.push(choices.options_for(&judgement));
            let (policy, left_out) =
                crate::translate::policy(&parsed.config, &crate::translate::Addresses::new());
            told.push(format!("{policy:?}"));
            told.extend(left_out);
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            for text in told {
                let lower = text.to_lowercase();
                assert!(!lower.contains(&secret.to_lowercase()) && !lower.contains(&hex), "{text}");
            }
        }
    }
}
