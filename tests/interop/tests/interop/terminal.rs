//! The shell at a real terminal, by keystroke (S02 to S06), and configurations pasted into it (S13,
//! S15).

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::hubward::{Hubward, binary, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::tmux::Terminal;
use hubward_interop::topology::{Client, HUB_HOST};
use hubward_interop::wait::secs;
use hubward_interop::{ping, process, python};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "s02_to_s06_keys_errors_filters_pager_width",
        &[Need::Hubward, Need::StrongSwan, Need::Tool("tmux")],
        keys,
    ),
    case(
        "s13_s15_pasted_configurations_lose_nothing",
        &[Need::Hubward, Need::StrongSwan, Need::Tool("tmux"), Need::Python],
        pastes,
    ),
];

/// A hub before anybody has configured it.
const BARE: &str = "hostname Router\n!\ninterface FastEthernet0/0\n!\ninterface FastEthernet0/1\n!\nend\n";

/// Lines of the paste that is a test of nothing but loss.
const LINES: usize = 500;

fn console(lab: &Lab, hub: &Hubward, lines: u16) -> Result<Terminal> {
    let mut command = Command::new(binary()?);
    command.arg("console").arg("--socket").arg(hub.socket());
    Terminal::start(lab, "terminal", &command, 100, lines)
}

/// Gives a command on an empty screen; what the screen shows when the prompt is back, the command's
/// own line first.
fn give(terminal: &Terminal, line: &str) -> Result<String> {
    terminal.clear()?;
    terminal.key("C-l")?;
    terminal.until_last("Hub#", secs(5))?;
    terminal.line(line)?;
    let mut screen = String::new();
    hubward_interop::wait::until(&format!("the end of {line:?}"), secs(10), || {
        screen = terminal.everything()?;
        Ok(screen.lines().count() > 1 && screen.lines().last() == Some("Hub#"))
    })
    .with_context(|| format!("on the screen:\n{screen}"))?;
    screen.find(&format!("Hub#{line}")).map(|at| screen.split_off(at)).context(screen)
}

fn keys(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    let terminal = console(lab, &scene.hub, 60)?;
    terminal.until_last("Hub#", secs(10))?;
    help(&terminal)?;
    errors(&terminal)?;
    abbreviations(&terminal)?;
    filters(&terminal)?;
    pager(&terminal)?;
    widths(&terminal)?;
    interrupt(&terminal)?;
    terminal.line("exit")
}

/// `?` lists and types the line again; Tab completes.
fn help(terminal: &Terminal) -> Result<()> {
    terminal.strike("show crypto isakmp ?")?;
    let screen = terminal.until_last("Hub#show crypto isakmp", secs(5))?;
    for word in ["key", "peers", "policy", "profile", "sa"] {
        let there = screen.lines().any(|line| line.starts_with(&format!("  {word} ")));
        assert!(there, "no {word} in\n{screen}");
    }
    // the listing of a word's beginning, without help
    terminal.key("C-u")?;
    terminal.strike("show crypto isakmp p?")?;
    let screen = terminal.until_last("Hub#show crypto isakmp p", secs(5))?;
    assert!(screen.lines().any(|line| line.trim_end() == "peers  policy  profile"), "{screen}");
    terminal.strike("ol")?;
    terminal.key("Tab")?;
    terminal.until_last("Hub#show crypto isakmp policy", secs(5))?;
    terminal.key("Enter")?;
    let screen = terminal.until_last("Hub#", secs(5))?;
    assert!(screen.contains("Three key triple DES"), "{screen}");
    // history
    terminal.key("Up")?;
    terminal.until_last("Hub#show crypto isakmp policy", secs(5))?;
    terminal.key("C-u")?;
    terminal.until_last("Hub#", secs(5)).map(drop)
}

/// S02: the caret is below the first character that is wrong.
fn errors(terminal: &Terminal) -> Result<()> {
    for (line, wrong) in [
        ("foo", 0),
        ("show foo", 5),
        ("show crypto foo", 12),
        ("sh cry isa sa x", 14),
        ("ping 10.1.1.400", 5),
        ("clear crypto sa peer hub", 21),
    ] {
        let screen = give(terminal, line)?;
        let caret = format!("{}^", " ".repeat("Hub#".len() + wrong));
        let lines: Vec<&str> = screen.lines().collect();
        let expected =
            [&format!("Hub#{line}"), &caret, "% Invalid input detected at '^' marker.", "", "Hub#"];
        assert_eq!(lines, expected, "{line}");
    }
    assert!(give(terminal, "show crypto")?.contains("\n% Incomplete command.\n\nHub#"));
    let screen = give(terminal, "sh cry i sa")?;
    assert!(screen.contains("\n% Ambiguous command:  \"sh cry i sa\"\n"), "{screen}");
    Ok(())
}

/// S03.
fn abbreviations(terminal: &Terminal) -> Result<()> {
    assert!(give(terminal, "sh cry isa sa det")?.contains("C-id  Local           Remote"));
    assert!(give(terminal, "sh ip int br")?.contains("FastEthernet0/0            10.48.67.181    YES"));
    assert!(
        give(terminal, "sh run | s crypto")?.contains("\ncrypto map mymap 10 ipsec-isakmp dynamic dynmap\n")
    );
    terminal.line("conf t")?;
    let screen = terminal.until_last("Hub(config)#", secs(5))?;
    assert!(screen.contains("Enter configuration commands, one per line.  End with CNTL/Z."), "{screen}");
    terminal.key("C-z")?;
    terminal.until_last("Hub#", secs(5))?;
    let screen = give(terminal, "wr")?;
    assert!(screen.contains("Building configuration...\n[OK]\n"), "{screen}");
    Ok(())
}

/// S04.
fn filters(terminal: &Terminal) -> Result<()> {
    let body = |command: &str| -> Result<Vec<String>> {
        let screen = give(terminal, command)?;
        let lines: Vec<String> = screen.lines().skip(1).map(str::to_owned).collect();
        Ok(lines.split_last().map(|(_, body)| body.to_vec()).unwrap_or_default())
    };
    assert_eq!(
        body("show running-config | include ^crypto map")?,
        ["crypto map mymap 10 ipsec-isakmp dynamic dynmap"]
    );
    let without = body("show ip interface brief | exclude FastEthernet0/1")?;
    assert!(without.len() == 2 && without[1].starts_with("FastEthernet0/0"), "{without:?}");
    let from = body("show running-config | begin ^line con")?;
    assert_eq!(from.first().map(String::as_str), Some("line con 0"));
    assert!(
        from.iter().any(|line| line == "line vty 0 4") && from.iter().any(|line| line == "end"),
        "{from:?}"
    );
    let section = body("show running-config | section ^crypto keyring")?;
    assert_eq!(section.first().map(String::as_str), Some("crypto keyring spokes"));
    assert!(
        section.len() == 2 && section[1].trim().starts_with("pre-shared-key address 0.0.0.0"),
        "{section:?}"
    );
    assert_eq!(body("show running-config | count ^interface")?, ["Number of lines which match regexp = 2"]);
    Ok(())
}

/// S05: five lines and a question; Enter gives one more, Space five, any other key ends it;
/// `terminal length 0` asks nothing.
fn pager(terminal: &Terminal) -> Result<()> {
    give(terminal, "terminal length 5")?;
    terminal.clear()?;
    terminal.key("C-l")?;
    terminal.until_last("Hub#", secs(5))?;
    let shown = || -> Result<usize> {
        let screen = terminal.until_last(" --More--", secs(5))?;
        Ok(screen.lines().skip_while(|line| !line.starts_with("Hub#show")).count() - 2)
    };
    terminal.line("show running-config")?;
    let first = shown()?;
    assert!((4..=5).contains(&first), "{first} lines of 5:\n{}", terminal.screen()?);
    let more = |key: &str, lines: usize, before: usize| -> Result<usize> {
        terminal.key(key)?;
        hubward_interop::wait::until("the next lines", secs(5), || Ok(shown()? == before + lines))
            .with_context(|| format!("{key} after {before}:\n{}", terminal.screen().unwrap_or_default()))?;
        Ok(before + lines)
    };
    let now = more("Enter", 1, first)?;
    more("Space", first, now)?;
    terminal.strike("q")?;
    let screen = terminal.until_last("Hub#", secs(5))?;
    assert!(!screen.contains("--More--"), "the question stays on the screen:\n{screen}");
    assert!(!screen.contains("line vty"), "{screen}");
    give(terminal, "terminal length 0")?;
    let whole = give(terminal, "show running-config")?;
    assert!(whole.contains("\nversion 12.3\n") && whole.contains("\nend\n"), "{whole}");
    Ok(())
}

/// S06.
fn widths(terminal: &Terminal) -> Result<()> {
    for width in [0, 511, 512] {
        let screen = give(terminal, &format!("terminal width {width}"))?;
        assert_eq!(screen.lines().count(), 2, "{screen}");
    }
    assert!(give(terminal, "terminal width 513")?.contains("% Invalid input detected"));
    Ok(())
}

/// Ctrl-C ends what takes its time, and an output that waits at the pager.
fn interrupt(terminal: &Terminal) -> Result<()> {
    terminal.clear()?;
    terminal.line("ping 10.1.1.10 repeat 1000000")?;
    hubward_interop::wait::until("pings", secs(10), || Ok(terminal.screen()?.contains("!!!!!!!!!!")))?;
    terminal.key("C-c")?;
    let screen = terminal.until_last("Hub#", secs(5))?;
    assert!(screen.contains("Success rate is"), "{screen}");
    give(terminal, "terminal length 10")?;
    terminal.line("show running-config")?;
    terminal.until_last(" --More--", secs(5))?;
    terminal.key("C-c")?;
    terminal.until_last("Hub#", secs(5)).map(drop)
}

/// The lines of a configuration that say something, each without its indentation.
fn words(config: &str) -> Vec<&str> {
    config.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('!')).collect()
}

fn pastes(lab: &Lab) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, BARE)?;
    let terminal = console(lab, &scene.hub, 50)?;
    terminal.until_last("Router#", secs(10))?;
    terminal.line("configure terminal")?;
    terminal.until_last("Router(config)#", secs(5))?;
    // the file's own `end` leaves configuration mode
    let file = hub_cfg()?;
    terminal.paste(&file)?;
    terminal.until_last("Hub#", secs(60))?;
    let typed = terminal.everything()?;
    for refusal in ["% Invalid", "% Incomplete", "% Ambiguous"] {
        assert!(!typed.contains(refusal), "{typed}");
    }
    let running = scene.hub.exec("show running-config")?;
    let ours = words(&running);
    for line in words(&file) {
        assert!(ours.contains(&line), "{line:?} of hub.cfg is lost:\n{running}");
    }
    // what was pasted is in force
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;

    // S15
    let home = lab.subdir("python")?;
    let mut script = python::script(Command::new(python::interpreter()?), "difference.py", &home)?;
    let (of_running, of_file) = (home.join("running.cfg"), home.join("file.cfg"));
    std::fs::write(&of_running, &running)?;
    std::fs::write(&of_file, &file)?;
    print!("{}", process::run(script.arg(&of_running).arg(&of_file), secs(60))?);

    // S13: flush left, as typed by a user; all of them, in their order
    let lines: Vec<String> =
        (0..LINES).map(|n| format!("permit ip host 10.9.{}.{} any", n / 250, n % 250 + 1)).collect();
    terminal.line("configure terminal")?;
    terminal.until_last("Hub(config)#", secs(5))?;
    terminal.paste(&format!("ip access-list extended BULK\n{}\nend\n", lines.join("\n")))?;
    terminal.until_last("Hub#", secs(120))?;
    let running = scene.hub.exec("show running-config")?;
    let found: Vec<&str> =
        words(&running).into_iter().filter(|line| line.starts_with("permit ip host")).collect();
    if found != lines {
        bail!("{} of {LINES} lines in\n{running}", found.len());
    }
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)
}
