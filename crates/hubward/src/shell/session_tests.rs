//! A session by keystroke, with answers that a gateway would give.

use super::*;
use crate::manage::configure::{self, Entered};
use hubward_config::edit;

/// A session whose commands answer with `answer`.
struct Talk {
    session: Session,
    answer: String,
    screen: String,
    ran: Vec<String>,
    answers: Vec<String>,
    running: String,
    left: usize,
    closed: bool,
}

impl Talk {
    fn begin(length: usize, answer: &str) -> Self {
        let session = Session::new("Hub", PRIVILEGED, Terminal { length, width: 80 }, false);
        let mut talk = Self {
            session,
            answer: answer.into(),
            screen: String::new(),
            ran: Vec::new(),
            answers: Vec::new(),
            running: "hostname Hub\ninterface FastEthernet0/0\n ip address dhcp\nend\n".into(),
            left: 0,
            closed: false,
        };
        let effects = talk.session.start();
        talk.done(effects);
        talk
    }

    fn done(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write(text) => self.screen.push_str(&text),
                Effect::Run(job) => {
                    self.ran.push(job.line.clone());
                    let filter = job.filter.as_ref();
                    let text = filter.map_or(self.answer.clone(), |filter| filter.apply(&self.answer));
                    let question = |text: &str, key| Refusal::Ask(Question { text: text.into(), key });
                    let outcome = match (job.line.as_str(), job.answers.as_slice()) {
                        ("show foo", _) => Err(Refusal::Invalid(5)),
                        ("reload", []) => Err(question("\nSave? [yes/no]: ", false)),
                        ("reload", [_]) => Err(question("Proceed with reload? [confirm]", true)),
                        ("reload", answers) => {
                            self.answers = answers.to_vec();
                            Ok(text.as_str())
                        }
                        _ => Ok(text.as_str()),
                    };
                    let effects = self.session.reply(job, outcome);
                    self.done(effects);
                }
                Effect::Configure(position, line) => {
                    let change = edit::enter(&self.running, &position, &line);
                    let outcome = change.map_err(|wrong| match wrong {
                        edit::Wrong::Invalid(place) => Refusal::Invalid(place),
                        edit::Wrong::Said(text) => Refusal::Failed(text.into()),
                        _ => Refusal::Incomplete,
                    });
                    // a gateway refuses tunnels that do not exist here and lines that are not
                    // enforced
                    let is_refused = ["interface Tunnel", "ip access-group", "username refused"]
                        .iter()
                        .any(|start| line.trim().starts_with(start));
                    let outcome = outcome.and_then(|change| match is_refused {
                        true => Err(Refusal::Failed("this does not exist here".into())),
                        false => Ok(change),
                    });
                    let outcome = outcome.map(|change| {
                        self.running = change.text.unwrap_or(std::mem::take(&mut self.running));
                        let parsed = hubward_config::parse(&self.running);
                        let told = change.line.and_then(|line| configure::idle(&parsed, line));
                        Entered {
                            position: change.position,
                            told: told.unwrap_or_default(),
                            public: String::new(),
                        }
                    });
                    let effects = self.session.configured(&line, outcome);
                    self.done(effects);
                }
                Effect::LeftConfiguration => self.left += 1,
                Effect::Monitor(_) | Effect::Format(_) => {}
                Effect::Enable { level, password } => {
                    let outcome = if password.0 == "right" { Enabled::Right } else { Enabled::Wrong };
                    let effects = self.session.enabled(level, outcome);
                    self.done(effects);
                }
                Effect::Close => self.closed = true,
            }
        }
    }

    /// What the keys add to the screen.
    fn keys(&mut self, bytes: &[u8]) -> String {
        let before = self.screen.len();
        let effects = self.session.bytes(bytes);
        self.done(effects);
        self.screen[before..].to_string()
    }
}

#[test]
fn a_command_its_output_and_the_next_prompt() {
    let mut talk = Talk::begin(24, "one\ntwo\n");
    assert_eq!(talk.screen, "Hub#");
    assert_eq!(talk.keys(b"show version\r"), "show version\r\none\r\ntwo\r\nHub#");
    assert_eq!(talk.keys(b"show version | i tw\r"), "show version | i tw\r\ntwo\r\nHub#");
    assert_eq!(talk.keys(b"\r! a remark\r"), "\r\nHub#! a remark\r\nHub#");
    assert_eq!(talk.ran, ["show version", "show version"]);
}

#[test]
fn the_caret_stands_under_the_wrong_word() {
    let mut talk = Talk::begin(24, "");
    let shown = talk.keys(b"show foo\r");
    assert_eq!(shown, "show foo\r\n         ^\r\n% Invalid input detected at '^' marker.\r\n\r\nHub#");
    let shown = talk.keys(b"show version | frob x\r");
    assert!(shown.contains("\r\n                   ^\r\n% Invalid input"), "{shown}");
    assert!(talk.keys(b"show version |\r").contains("% Incomplete command.\r\n"));
    // after what only the session knows
    let shown = talk.keys(b"terminal frob\r");
    assert!(shown.contains("\r\n             ^\r\n% Invalid input"), "{shown}");
    assert!(talk.keys(b"terminal length\r").contains("% Incomplete command.\r\n"));
    talk.keys(b"conf t\r");
    let shown = talk.keys(b"do show foo\r");
    assert!(shown.contains("\r\n                    ^\r\n% Invalid input"), "{shown}");
    talk.keys(b"end\r");
    assert!(talk.keys(b"show version | i (\r").contains("% Failed to compile regular expression"));
}

/// The lines of a banner are not commands, however many there are.
#[test]
fn a_text_that_is_too_long_is_no_commands() {
    let mut talk = Talk::begin(0, "");
    talk.keys(b"configure terminal\r");
    let before = talk.running.clone();
    talk.keys(b"banner motd #\r");
    for _ in 0..200 {
        talk.keys(format!("hostname {}\r", "x".repeat(500)).as_bytes());
    }
    let shown = talk.keys(b"hostname Mine\r#\r");
    assert!(shown.ends_with("it has control characters\r\nHub(config)#"), "{shown}");
    assert_eq!(talk.running, before);
}

/// Whoever gives up the privilege that configuration mode needs is in it no longer.
#[test]
fn no_configuration_with_a_lower_privilege() {
    for lower in ["do disable", "do enable 1", "do disable 14", "do exit"] {
        let mut talk = Talk::begin(24, "");
        talk.keys(b"configure terminal\r");
        talk.keys(format!("{lower}\r").as_bytes());
        let before = talk.running.clone();
        let shown = talk.keys(b"hostname Mine\r");
        assert!(!shown.contains("(config)"), "{lower}: {shown}");
        assert_eq!((talk.running.as_str(), talk.left), (before.as_str(), 1), "{lower}");
    }
}

#[test]
fn help_and_completion() {
    let mut talk = Talk::begin(24, "");
    let shown = talk.keys(b"terminal ?");
    assert!(shown.contains("  length") && shown.contains("  show-format"), "{shown}");
    assert!(shown.ends_with("Hub#terminal "), "the line is printed again: {shown}");
    assert!(talk.keys(b"sho\t").ends_with("\r\nHub#terminal show-format "));
    assert!(talk.keys(b"\x15frob?").contains("% Unrecognized command"));
}

#[test]
fn modes_and_terminals() {
    let mut talk = Talk::begin(5, &"line\n".repeat(8));
    assert!(talk.keys(b"show version\r").ends_with(" --More-- "));
    assert!(talk.keys(b"q").ends_with("Hub#"));
    assert!(!talk.keys(b"terminal length 0\rshow version\r").contains("--More--"));
    assert!(talk.keys(b"disable\r").ends_with("\r\nHub>"));
    assert_eq!(talk.session.privilege, 1);
    assert!(talk.keys(b"ena\r").ends_with("\r\nHub#"));
    talk.keys(b"terminal show-format classic\r");
    assert_eq!(talk.session.format, Format::Classic);
    assert!(talk.keys(b"show hist\r").contains("  terminal length 0\r\n  show version\r\n"));
    talk.keys(b"exit\rshow version\r");
    assert!(talk.closed);
    assert_eq!(talk.ran.len(), 2, "what is typed behind exit is nobody's");
}

#[test]
fn configuration_mode_and_its_prompts() {
    let mut talk = Talk::begin(24, "out\n");
    let shown = talk.keys(b"conf t\r");
    let banner = "Enter configuration commands, one per line.  End with CNTL/Z.\r\n";
    assert_eq!(shown, format!("conf t\r\n{banner}Hub(config)#"));
    assert!(talk.keys(b"int fa0/0\r").ends_with("Hub(config-if)#"));
    assert!(talk.keys(b"desc outside\r").ends_with("outside\r\nHub(config-if)#"));
    assert!(talk.keys(b"crypto isakmp policy 5\r").ends_with("Hub(config-isakmp)#"));
    assert!(talk.keys(b"do sh ver\r").ends_with("out\r\nHub(config-isakmp)#"));
    assert!(talk.keys(b"exit\r").ends_with("Hub(config)#"));
    let shown = talk.keys(b"crypto frob\r");
    assert!(shown.contains("\r\n                   ^\r\n% Invalid input detected"), "{shown}");
    let shown = talk.keys(b"int?");
    assert_eq!(shown, "int?\r\ninterface\r\n\r\nHub(config)#int");
    talk.keys(b"\x15");
    assert!(talk.keys(b"?").contains("  exit"), "the shell's own commands are listed too");
    assert!(talk.keys(b"do show vers?").contains("\r\nversion\r\n"));
    let shown = talk.keys(b"\x15crypto i?");
    assert!(shown.contains("\r\nidentity  ikev2  ipsec  isakmp\r\n"), "{shown}");
    assert!(talk.keys(b"\x15crypto isak\t").ends_with("Hub(config)#crypto isakmp "));
    assert!(talk.keys(b"\x15host Other\x1a").ends_with("Hub#"), "the line counts, and the mode ends");
    assert!(talk.running.contains("hostname Other\n") && talk.running.contains(" description outside\n"));
    assert!(talk.keys(b"conf t\rexit\r").ends_with("Hub#"));
    assert!(talk.keys(b"conf t\rint fa0/0\rend\r").ends_with("Hub#"));
    assert_eq!(talk.left, 3);
    talk.keys(b"disable\rconf t\r");
    assert!(talk.session.configuring.is_none(), "not below privilege 15");
}

#[test]
fn raw_text_is_taken_up_to_its_end() {
    let mut talk = Talk::begin(24, "");
    let shown = talk.keys(b"conf t\rbanner motd #\rWho are you?\rexit\r#\rend\r");
    assert!(shown.contains("Enter TEXT message.  End with the character '#'.\r\n"), "{shown}");
    assert!(talk.running.contains("banner motd #\nWho are you?\nexit\n#\n"), "{}", talk.running);
    assert!(shown.ends_with("Hub#"));
}

#[test]
fn questions_are_answered_in_turn() {
    let mut talk = Talk::begin(24, "gone\n");
    assert!(talk.keys(b"reload\r").ends_with("\r\nSave? [yes/no]: "));
    assert!(talk.keys(b"no\r").ends_with("\r\nProceed with reload? [confirm]"));
    assert!(talk.keys(b"y").ends_with("\r\ngone\r\nHub#"));
    assert_eq!(talk.answers, ["no", "y"]);
    assert!(talk.keys(b"reload\r\x03").ends_with("Hub#"));
    assert!(!talk.keys(b"show history\r").contains("no\r\n"), "an answer is no command");
}

#[test]
fn the_log_does_not_disturb_the_line() {
    let mut talk = Talk::begin(24, "");
    talk.keys(b"show ver");
    let effects = talk.session.monitor("%SYS-5-X: one\ntwo");
    talk.done(effects);
    assert!(talk.screen.ends_with("\r\n%SYS-5-X: one\r\ntwo\r\nHub#show ver"), "{}", talk.screen);
}

#[test]
fn enable_asks_three_times() {
    let mut talk = Talk::begin(24, "");
    talk.session.enable_asks = true;
    talk.keys(b"disable\r");
    assert!(talk.keys(b"enable\rright\rshow priv\rdisable\r").contains("Hub#show priv\r\n"), "typed ahead");
    let shown = talk.keys(b"enable\rwrong\r");
    assert_eq!(shown, "enable\r\nPassword: \r\nPassword: ", "a password is not shown");
    assert!(talk.keys(b"right\r").ends_with("Hub#"));
    let shown = talk.keys(b"disable\renable\ra\rb\rc\r");
    assert!(shown.ends_with("Password: \r\n% Bad secrets\r\n\r\nHub>"), "{shown}");
    assert!(!talk.keys(b"show history\r").contains("right"));
}

#[test]
fn a_paste_is_taken_line_by_line() {
    let mut talk = Talk::begin(0, "x\n");
    let paste = "show version\n".repeat(500);
    talk.keys(paste.as_bytes());
    assert_eq!(talk.ran.len(), 500);
}

/// The lines under a refused line of a pasted text change nothing else, whatever was open before.
#[test]
fn lines_under_a_refused_line_do_not_go_elsewhere() {
    for paste in [
        "interface Tunnel9\r ip address 10.9.9.1 255.255.255.0\r ip nat inside\r shutdown\r exit\r",
        "interface Tunnel9\rip address 10.9.9.1 255.255.255.0\rip nat inside\rshutdown\rfrob\rexit\r",
        "interface\r ip address 10.9.9.1 255.255.255.0\r shutdown\r",
        "interfrob Tunnel9\r ip address 10.9.9.1 255.255.255.0\r shutdown\r",
        "no interface FastEthernet0/0\rip address 10.9.9.1 255.255.255.0\rshutdown\r",
    ] {
        let mut talk = Talk::begin(0, "");
        talk.keys(b"conf t\rinterface FastEthernet0/0\r");
        let before = talk.running.clone();
        let shown = talk.keys(paste.as_bytes());
        assert_eq!(talk.running, before, "{paste:?}: {shown}");
        if paste.contains("Tunnel9\r") {
            let sentence = "% `shutdown` belongs to the refused `interf";
            assert!(shown.contains(sentence), "{paste:?}: {shown}");
        }
        if paste.starts_with("interface") {
            assert!(shown.ends_with("Hub(config)#"), "{paste:?}: {shown}");
        }
        talk.keys(b"hostname Other\rinterface FastEthernet0/0\r shutdown\r");
        assert!(talk.running.contains("hostname Other") && talk.running.contains(" shutdown"), "{paste:?}");
    }
}

/// A refused line of the mode itself, or a word that is spelled wrong, does not leave the mode;
/// `exit` leaves what was refused.
#[test]
fn a_refused_setting_leaves_the_mode_open() {
    let mut talk = Talk::begin(0, "");
    let shown = talk.keys(b"conf t\rinterface FastEthernet0/0\rip access-group 101 in\r");
    assert!(shown.ends_with("Hub(config-if)#"), "{shown}");
    assert!(talk.keys(b"ip addresss dhcp\r").ends_with("Hub(config-if)#"));
    assert!(talk.keys(b"frob\r").ends_with("Hub(config-if)#"));
    talk.keys(b"shutdown\r");
    assert!(talk.running.contains(" shutdown\n"), "{}", talk.running);
    assert!(talk.keys(b"interface Tunnel9\rexit\r").ends_with("Hub(config)#"), "not configuration mode");
    assert!(talk.keys(b"exit\r").ends_with("Hub#"));
    // the message of a refused line shows no password
    let shown = talk.keys(b"conf t\rinterface Tunnel9\r tunnel key 4711secret\r password hidden\rend\r");
    assert_eq!(shown.matches("hidden").count(), 1, "typed, and not repeated: {shown}");
}

/// A line without effect says so at once, in one line, and one that has an effect says nothing.
#[test]
fn a_line_without_effect_answers_at_the_console_at_once() {
    let mut talk = Talk::begin(0, "");
    talk.keys(b"configure terminal\r");
    for (line, answer) in [
        ("hostname Hub", ""),
        ("ntp server 192.0.2.1", "% \"ntp server 192.0.2.1\" has no effect: the host keeps the time\r\n"),
        ("no ip http server", ""),
        (
            "ip nbar protocol-discovery",
            "% \"ip nbar protocol-discovery\" is not implemented: there is no QoS\r\n",
        ),
        (
            "router ospf 1",
            "% \"router ospf 1\" is a routing protocol, and that is not implemented: packets are forwarded without it\r\n",
        ),
        ("network 10.0.0.0 0.0.0.255 area 0", "% This has no effect here, as the mode that it is in\r\n"),
        ("interface FastEthernet0/0", ""),
        ("ip address 10.0.0.1 255.0.0.0", ""),
        ("duplex auto", "% \"duplex auto\" has no effect: belongs to hardware that Linux manages\r\n"),
        ("shutdown", ""),
    ] {
        let shown = talk.keys(format!("{line}\r").as_bytes());
        let shown = shown.split_once("\r\n").map_or("", |(_, shown)| shown);
        let told = shown.rsplit_once("\r\n").map_or(String::new(), |(told, _)| format!("{told}\r\n"));
        assert_eq!(told, answer, "{line}");
    }
}

/// A line that is too long does nothing, and so do the lines that belong to it.
#[test]
fn a_pasted_line_that_is_too_long_is_refused_whole() {
    let long = "x".repeat(2000);
    let mut talk = Talk::begin(0, "");
    let shown = talk.keys(format!("show privilege {long}\r").as_bytes());
    assert!(
        shown.ends_with("\r\n% the line is longer than 1024 characters; nothing was done\r\n\r\nHub#"),
        "{shown}"
    );
    assert!(talk.ran.is_empty());
    // the question that a command asks
    let shown = talk.keys(format!("reload\ry{long}\r").as_bytes());
    assert!(shown.ends_with("Hub#") && talk.answers.is_empty(), "{shown}");
    let before = talk.running.clone();
    for paste in [
        format!("description {long}\r"),
        format!("interface FastEthernet0/0 {long}\r shutdown\r exit\r"),
        format!("banner motd ^{long}\rhostname Other\r^\r"),
        format!("banner motd ^\r{long}\rhostname Other\r^\r"),
        format!("hostname Other{long}\x1a"),
    ] {
        let shown = talk.keys(format!("conf t\r{paste}").as_bytes());
        assert_eq!(talk.running, before, "{paste:?}: {shown}");
        talk.keys(b"\x1a");
    }
    let shown = talk.keys(b"conf t\rhostname Other\r");
    assert!(talk.running.contains("hostname Other"), "{shown}");
}

/// Bytes that are no text do not vanish from a line that is obeyed.
#[test]
fn control_characters_are_not_dropped_from_a_line() {
    let mut talk = Talk::begin(0, "");
    for line in
        [&b"show\0 version\r"[..], b"show ver\x1csion\r", b"show \xffversion\r", b"show ver\xc3sion\r"]
    {
        let shown = talk.keys(line);
        assert!(shown.contains("% the line has control characters"), "{line:?}: {shown}");
    }
    assert!(talk.ran.is_empty());
    talk.keys(b"show version\r\0");
    assert_eq!(talk.ran, ["show version"]);
}
