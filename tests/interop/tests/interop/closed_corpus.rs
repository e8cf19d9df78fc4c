//! Configurations written by other people: each starts with exactly the options that `hubward
//! check` prints for it, and nothing that it protects leaves unencrypted, while Hubward runs and
//! after `kill -9`.
//!
//! `HUBWARD_CORPUS_ONLY=041` (the beginning of a label of the table) tries some of them alone.
//!
//! ```text
//!  lan (a host) ── router (Hubward) ── world (has every address, records all that comes)
//! ```

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hubward_interop::corpus::{self, Found};
use hubward_interop::dnsmasq::Dnsmasq;
use hubward_interop::hubward::Hubward;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::probes::Seen;
use hubward_interop::surroundings::{Place, Surroundings};
use hubward_interop::survey::{Probe, Survey};
use hubward_interop::wait::secs;

use crate::checked::{Outcome, Verdict, check};
use crate::{Case, case};

const NEEDS: &[Need] = &[Need::Hubward, Need::Corpus, Need::Tool("dnsmasq")];

pub(crate) const CASES: &[Case] = &[
    case("nothing_that_a_configuration_protects_leaves_in_clear", NEEDS, nothing_in_clear),
    case("what_works_in_a_configuration_works_still", NEEDS, works_still),
    case("check_of_any_file_ends_with_a_status_that_means_something", NEEDS, statuses),
];

/// Tunnels, and what becomes of each.
type Tunnels = &'static [(&'static str, Outcome)];

/// Tunnels that work, and must work in every later version. The table has, for each configuration,
/// the verdict of everything in it, and `true` if it needs no option other than one for address
/// translation.
const WORKS: [(&str, Tunnels, bool); 19] = [
    ("018:270", &[("HQ-MAP/10", Outcome::Works)], true),
    ("018:292", &[("Branch-MAP/10", Outcome::Works)], true),
    ("018:338", &[("HQ-MAP/10", Outcome::Works)], true),
    ("018:386", &[("Branch-MAP/10", Outcome::Works)], true),
    ("018:568", &[("HQ-MAP/10", Outcome::Works), ("Tunnel0", Outcome::Missing)], false),
    ("018:625", &[("Branch-MAP/10", Outcome::Works), ("Tunnel0", Outcome::Missing)], false),
    ("018:1104", &[("BR2HQ_VPN_MAP/10", Outcome::Works)], true),
    ("018:1126", &[("HQ2BR_VPN_MAP/10", Outcome::Works)], true),
    ("018:1203", &[("BR2HQ_VPN_MAP/10", Outcome::Works)], true),
    ("018:1262", &[("HQ2BR_VPN_MAP/10", Outcome::Works)], true),
    ("018:1453", &[("BR2HQ_VPN_MAP/10", Outcome::Works), ("Tunnel0", Outcome::Missing)], false),
    ("018:1518", &[("HQ2BR_VPN_MAP/10", Outcome::Works), ("Tunnel0", Outcome::Missing)], false),
    ("041", &[("s2s/10", Outcome::Works)], true),
    ("042", &[("S2S/10", Outcome::Works)], true),
    ("046", &[("GRE-CMAP/10", Outcome::Works), ("Tunnel1", Outcome::Missing)], false),
    ("049", &[("VPN-MAP/10", Outcome::Works), ("Tunnel0", Outcome::Missing)], false),
    ("057", &[("VPN-MAP/10", Outcome::Works), ("Tunnel0", Outcome::Missing)], false),
    // parts of configurations, whose interface has no address: they work with the machine's own
    ("058:21", &[("IPSEC-MAP/10", Outcome::Differs)], true),
    ("058:35", &[("IPSEC-MAP/10", Outcome::Differs)], true),
];

/// Configurations at a time: each spends most of its time waiting.
const AT_A_TIME: usize = 6;

/// No file of any kind makes `check` panic, and its status is one that the manual knows.
fn statuses(lab: &Lab) -> Result<()> {
    let mut failed = Vec::new();
    for file in corpus::files()? {
        let label = corpus::label(&file);
        let text = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
        let (lines, file) = (text.lines().count(), &file);
        // a file that was cut off in the middle is one that people have, too
        let mut half = text.lines().take(lines / 2).collect::<Vec<_>>().join("\n");
        half.truncate(half.floor_char_boundary(half.len().saturating_sub(3)));
        let cut = lab.dir().join(format!("{label}-half.cfg"));
        fs::write(&cut, half)?;
        for path in [file, &cut] {
            if let Err(error) = check(path) {
                failed.push(format!("{}: {error:#}", path.display()));
            }
        }
    }
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("prose", b"Dear Anna,\nthe router is in the cellar.\n"),
        ("random", &[0, 159, 146, 150, 13, 10, 255]),
    ] {
        let path = lab.dir().join(name);
        fs::write(&path, bytes)?;
        match check(&path) {
            Ok(verdict) if verdict.status != 1 => failed.push(format!("{name}: status {}", verdict.status)),
            Ok(_) => {}
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// What became of one configuration.
struct Row {
    label: String,
    without_options: bool,
    verdict: Option<Verdict>,
    probes: usize,
    leaks: Vec<String>,
    failure: Option<String>,
}

/// The configurations, or those that `HUBWARD_CORPUS_ONLY` names.
fn configurations() -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for file in corpus::files()? {
        let text = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
        all.extend(corpus::configurations(&corpus::label(&file), &text));
    }
    let only = only();
    all.retain(|found| only.as_ref().is_none_or(|only| found.label.starts_with(only.as_str())));
    Ok(all)
}

fn only() -> Option<String> {
    std::env::var("HUBWARD_CORPUS_ONLY").ok()
}

/// Each configuration of the table exists, and `check` gives its tunnels the verdicts of the table.
/// That an interface has to be named with `--map` is not a difference here: a name refers to a card
/// of the router, not of this machine.
fn works_still(lab: &Lab) -> Result<()> {
    let (mut failed, mut met) = (Vec::new(), 0);
    for found in configurations()? {
        let Some((label, expected, bare)) = WORKS.iter().find(|(label, ..)| *label == found.label) else {
            continue;
        };
        met += 1;
        let file = lab.dir().join(format!("{label}.cfg"));
        fs::write(&file, &found.text)?;
        let verdict = check(&file)?;
        for (tunnel, wanted) in *expected {
            let outcome =
                verdict.tunnels.iter().find(|(name, _)| name == tunnel).map(|(_, outcome)| *outcome);
            let why = verdict.why(tunnel);
            let unnamed = outcome == Some(Outcome::Differs) && why.contains("--map");
            if outcome != Some(*wanted) && !(*wanted == Outcome::Works && unnamed) {
                failed.push(format!("{label}: {tunnel}: {wanted:?} before, and now {outcome:?}: {why}"));
            }
        }
        let needs = verdict.options.chunks(2).find(|pair| *pair != ["--allow-unenforced", "nat"]);
        if let (true, Some(needs)) = (*bare, needs) {
            failed.push(format!("{label}: it needed no options, and now needs {needs:?}"));
        }
    }
    match only() {
        None if met != WORKS.len() => {
            failed.push(format!("{met} of {} configurations were there", WORKS.len()))
        }
        Some(only) if met == 0 => println!("nothing of the table begins with {only}"),
        _ => {}
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn nothing_in_clear(_lab: &Lab) -> Result<()> {
    let all = configurations()?;
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(found) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = one(found);
                    if let Ok(mut rows) = rows.lock() {
                        rows.push(row);
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_default();
    rows.sort_by_key(|row| natural(&row.label));
    println!("{}", table(&rows));
    let bad: Vec<String> = rows
        .iter()
        .flat_map(|row| row.failure.iter().chain(&row.leaks).map(|why| format!("{}: {why}", row.label)))
        .collect();
    ensure!(bad.is_empty(), "{} of {} configurations: {}", bad.len(), rows.len(), bad.join("\n"));
    Ok(())
}

fn natural(label: &str) -> (String, u32) {
    let (file, line) = label.split_once(':').unwrap_or((label, "0"));
    (file.to_owned(), line.parse().unwrap_or(0))
}

/// One configuration, in a laboratory of its own.
fn one(found: &Found) -> Row {
    let mut row = Row {
        label: found.label.clone(),
        without_options: false,
        verdict: None,
        probes: 0,
        leaks: Vec::new(),
        failure: None,
    };
    let lab = match Lab::new(&format!("corpus-{}", found.label)) {
        Ok(lab) => lab,
        Err(error) => {
            row.failure = Some(format!("{error:#}"));
            return row;
        }
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trial(&lab, found, &mut row)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => row.failure = Some(format!("{error:#}\n{}", lab.story(25))),
        Err(_) => row.failure = Some("the test itself panicked".into()),
    }
    if row.failure.is_none() && row.leaks.is_empty() {
        lab.forget();
    }
    row
}

fn trial(lab: &Lab, found: &Found, row: &mut Row) -> Result<()> {
    let file = lab.dir().join("router.cfg");
    fs::write(&file, &found.text)?;
    let verdict = check(&file)?;
    let options = verdict.options.clone();
    let nothing = verdict.status == 1 && options.is_empty();
    row.without_options = verdict.status != 1 && options.is_empty();
    row.verdict = Some(verdict);
    if nothing {
        return Ok(());
    }
    let survey = Survey::read(&found.text);
    let around = Surroundings::build(lab, &survey)?;
    let mut _dhcp = None;
    if let Some((name, link, _)) = around.cards.iter().find(|(_, _, outside)| *outside)
        && survey.interfaces.iter().any(|i| i.name == *name && i.dhcp)
    {
        let (address, router) = (Ipv4Addr::new(203, 0, 113, 10), Ipv4Addr::new(203, 0, 113, 1));
        _dhcp = Some(Dnsmasq::start(lab, "dhcp", &around.world, link, address, router, 3600)?);
    }
    let arguments: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut hubward = Hubward::spawn_exactly(lab, "router", &around.router, &found.text, &arguments)?;
    hubward
        .process()
        .wait_log("is ready", secs(30))
        .with_context(|| format!("it does not start with the options that check printed: {arguments:?}"))?;
    if _dhcp.is_some() {
        // the address is what the configuration waits for; what leaves before that is not judged
        // here
        std::thread::sleep(Duration::from_secs(2));
    }
    for (ios, linux, _) in &around.cards {
        let log = hubward.log();
        ensure!(
            log.lines().any(|line| line.contains(&format!("{ios} is {linux} "))),
            "{ios} is not {linux}, the card that stands in its place"
        );
    }
    let open = around.let_leak()?;
    let probes = survey.probes();
    row.probes = probes.len();

    let mut controls = Vec::new();
    for phase in 0..2 {
        if phase == 1 {
            hubward.process().kill9()?;
        }
        let base = phase * 20_000;
        for (place, offset) in [(Place::Lan, 0), (Place::Router, 10_000)] {
            around.send(place, &survey, &probes, base + offset)?;
        }
        for (at, (place, probe)) in around.unprotected(&survey)?.into_iter().enumerate() {
            let number = base + 9_990 + at;
            around.send(place, &survey, &[probe], number)?;
            controls.push((number, place, phase));
        }
        // what was kept for an SA must not come out when there is none
        std::thread::sleep(Duration::from_millis(1500));
    }
    let log = hubward.log();
    ensure!(!log.contains("panicked at"), "a thread panicked");
    let seen = around.finish()?;
    for (number, place, phase) in controls {
        if open && !seen.iter().any(|s| s.probe == number) {
            bail!(
                "an unprotected packet from the {place:?} does not leave ({}): nothing would be seen",
                WHEN[phase]
            );
        }
    }
    row.leaks = leaks(&seen, &probes);
    Ok(())
}

const WHEN: [&str; 2] = ["while it runs", "after kill -9"];

fn leaks(seen: &[Seen], probes: &[Probe]) -> Vec<String> {
    let mut told = Vec::new();
    for one in seen {
        let (phase, rest) = (one.probe / 20_000, one.probe % 20_000);
        if (9_990..10_000).contains(&rest) {
            continue;
        }
        let (from, at) = if rest >= 10_000 { ("the router", rest - 10_000) } else { ("the LAN", rest) };
        let why = probes.get(at).map_or("?", |probe| probe.why.as_str());
        let when = WHEN.get(phase).copied().unwrap_or("?");
        told.push(format!("in clear outside {when}, from {from}: {} [{why}]", one.text));
    }
    told
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "\n{:<10} {:>6} {:>7} {:>6} {:>7} {:>7} {:>8} {:>10} {:>7} {:>6}  outcome\n",
        "file",
        "status",
        "options",
        "works",
        "differs",
        "missing",
        "without",
        "unenforced",
        "probes",
        "leaks"
    );
    for row in rows {
        let options = row.verdict.as_ref().map(|v| v.options.as_slice()).unwrap_or_default();
        let count = |option: &str| options.iter().filter(|o| o.split('=').next() == Some(option)).count();
        let outcome = match &row.failure {
            Some(why) => why.lines().next().unwrap_or("failed"),
            None if !row.leaks.is_empty() => "LEAKS",
            None => "ok",
        };
        let status = row.verdict.as_ref().map_or("-".into(), |v| v.status.to_string());
        let _ = writeln!(
            text,
            "{:<10} {status:>6} {:>7} {:>6} {:>7} {:>7} {:>8} {:>10} {:>7} {:>6}  {outcome}",
            row.label,
            if row.without_options { "none" } else { "needed" },
            tunnels(row, Outcome::Works),
            tunnels(row, Outcome::Differs),
            tunnels(row, Outcome::Missing),
            count("--without"),
            count("--allow-unenforced"),
            row.probes,
            row.leaks.len()
        );
    }
    let sum = |outcome| rows.iter().map(|row| tunnels(row, outcome)).sum::<usize>();
    let plain = rows.iter().filter(|row| row.without_options).count();
    let _ = write!(
        text,
        "{} configurations, {plain} start without options; tunnels, groups and peers: {} work, {} differ, {} do not exist here",
        rows.len(),
        sum(Outcome::Works),
        sum(Outcome::Differs),
        sum(Outcome::Missing)
    );
    text
}

fn tunnels(row: &Row, outcome: Outcome) -> usize {
    row.verdict.iter().flat_map(|v| &v.tunnels).filter(|(_, of)| *of == outcome).count()
}
