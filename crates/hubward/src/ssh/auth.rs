//! Who may log in on which line, and what `enable` asks for.

use crate::base::clock::now;
use crate::base::console_lines::LineName;
use crate::base::lockout::Account;
use crate::gateway::aaa;
use crate::manage::desk::Desk;
use crate::shell::enabled::Enabled;
use crate::shell::serve::CheckEnable;
use crate::views::Views;
use hubward_config::acl;
use hubward_config::model::{AaaMethod, Config, ExecTimeout, LineKind, LineLogin, TerminalLine, User};
use hubward_crypto::password;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::io::Answer;
use hubward_proto::time::Instant;
use russh::keys::PublicKey;
use std::net::IpAddr;
use std::time::Duration;

/// vty lines that may be configured.
const VTY_LINES: u16 = 100;
/// The default of `exec-timeout`.
const EXEC_TIMEOUT: ExecTimeout = ExecTimeout::After(600);

/// What all `line vty` commands together say of one line.
pub(super) fn line(config: &Config, number: u16) -> TerminalLine {
    let about =
        |line: &&TerminalLine| line.kind == LineKind::Vty && (line.first..=line.last).contains(&number);
    config.lines.iter().filter(about).fold(TerminalLine::default(), |all, line| TerminalLine {
        kind: line.kind,
        exec_timeout: line.exec_timeout.or(all.exec_timeout),
        login: line.login.clone().or(all.login),
        privilege: line.privilege.or(all.privilege),
        access_class: line.access_class.clone().or(all.access_class),
        ssh: line.ssh.or(all.ssh),
        length: line.length.or(all.length),
        width: line.width.or(all.width),
        exec: line.exec.or(all.exec),
        ..line.clone()
    })
}

/// Whether a line takes SSH and opens a session.
fn takes_ssh(line: &TerminalLine) -> bool {
    line.ssh == Some(true) && line.exec != Some(false)
}

/// The vty lines that take SSH from an address.
pub(super) fn lines_for(config: &Config, from: IpAddr) -> impl Iterator<Item = LineName> {
    vty_lines(config)
        .filter(move |number| {
            let line = line(config, *number);
            takes_ssh(&line) && line.access_class.is_none_or(|list| permits(config, &list, from))
        })
        .map(LineName::Vty)
}

fn vty_lines(config: &Config) -> impl Iterator<Item = u16> {
    let last = config.lines.iter().filter(|line| line.kind == LineKind::Vty).map(|line| line.last).max();
    (0..last.map_or(0, |last| last.saturating_add(1).min(VTY_LINES))).filter(|number| {
        config
            .lines
            .iter()
            .any(|line| line.kind == LineKind::Vty && (line.first..=line.last).contains(number))
    })
}

/// Whether `access-class` admits an address. A list that does not exist admits nobody.
fn permits(config: &Config, list: &str, from: IpAddr) -> bool {
    config.acl(list).is_some_and(|acl| acl::admits(config, acl, from.to_canonical()))
}

/// Whether anybody could log in by SSH.
pub(crate) fn opens(config: &Config) -> bool {
    vty_lines(config).any(|number| takes_ssh(&line(config, number)))
        && config.users.iter().any(|user| config.may_log_in(user))
}

/// A user of the router.
pub(super) fn user<'c>(config: &'c Config, name: &str) -> Option<&'c User> {
    config.users.iter().find(|user| user.name == name && config.may_log_in(user))
}

/// Checks a password as the line wants it. Takes its time on purpose, and as much for an unknown
/// user.
pub(super) fn password(config: &Config, login: Option<&LineLogin>, name: &str, given: &str) -> bool {
    let local = [AaaMethod::LocalCase];
    let list =
        |name: &str| config.aaa.login.iter().find(|list| list.name == name).map(|list| &list.methods[..]);
    let methods = match login {
        Some(LineLogin::List(name)) => list(name).unwrap_or_default(),
        None if config.aaa.new_model => list("default").unwrap_or(&local),
        _ => &local,
    };
    // even without a password, the user must be a user of the router
    let passed = aaa::by_methods(config, methods, name, &Secret::new(given.as_bytes()));
    // `local` takes names in either case: it must be this user's password, and not that of one who
    // is spelled like him
    matches!(passed, Answer::Accepted { user: passed } if passed == name) && user(config, name).is_some()
}

/// Whether a key is one of a user's.
pub(super) fn key(config: &Config, name: &str, key: &PublicKey) -> bool {
    if user(config, name).is_none() {
        return false;
    }
    let Ok(text) = key.to_openssh() else { return false };
    let mut words = text.split(' ');
    let (algorithm, base64) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let Ok(blob) = key.to_bytes() else { return false };
    let hash: String = hubward_crypto::mac::hash(hubward_crypto::suite::HashAlg::Md5, &[&blob])
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    config.ssh.keys.iter().filter(|known| known.user == name).any(|known| {
        known.strings.iter().any(|known| known == base64)
            || known.hashes.iter().any(|(of, known)| of == algorithm && *known == hash)
    })
}

/// The start of a session.
pub(super) struct Rights {
    pub(super) privilege: u8,
    pub(super) exec_timeout: Option<Duration>,
    pub(super) length: Option<u16>,
    pub(super) width: Option<u16>,
}

/// A user's rights on a line.
pub(super) fn rights(config: &Config, name: &str, number: u16) -> Rights {
    let line = line(config, number);
    let own = user(config, name).and_then(|user| user.privilege);
    Rights {
        privilege: own.or(line.privilege).unwrap_or(1),
        exec_timeout: match line.exec_timeout.unwrap_or(EXEC_TIMEOUT) {
            ExecTimeout::Never => None,
            ExecTimeout::After(seconds) => Some(Duration::from_secs(seconds.into())),
        },
        length: line.length,
        width: line.width,
    }
}

/// The passwords of `enable`.
pub(crate) struct Enable;

impl Enable {
    /// Asks the configuration in force when the password is given, for a user who has logged in.
    pub(crate) fn check(desk: &Desk, from: IpAddr, user: &str) -> CheckEnable {
        let (views, user) = (std::sync::Arc::clone(&desk.views), user.to_owned());
        Box::new(move |level, given| Self::at(&views, from, &user, level, given, now()))
    }

    /// Whether a password is right, at this time. What a user fails here counts against nobody else.
    fn at(views: &Views, from: IpAddr, user: &str, level: u8, given: &str, now: Instant) -> Enabled {
        let account = Account::Enable(level, user);
        if let Some(wait) = views.lockout.wait(from, account, now) {
            tracing::warn!(
                "`enable` of {user} from {from} is not checked for {} s: too many failures",
                wait.as_secs() + 1
            );
            return Enabled::Wrong;
        }
        let outcome = Self::outcome(&views.parsed().config, level, given);
        match outcome {
            Enabled::Right => views.lockout.passed(from, account, now),
            Enabled::Wrong => views.lockout.failed(from, account, now),
            Enabled::NotSet => {}
        }
        outcome
    }

    /// The `secret` of a level is used, and its `password` only if there is no `secret`.
    fn outcome(config: &Config, level: u8, given: &str) -> Enabled {
        let of_level = || config.enable.iter().filter(|known| known.level == level);
        let Some(known) = of_level().find(|known| known.secret).or_else(|| of_level().next()) else {
            return Enabled::NotSet;
        };
        match password::verify(known.password.kind(), known.password.expose(), given.as_bytes()) {
            Ok(true) => Enabled::Right,
            Ok(false) => Enabled::Wrong,
            Err(error) => {
                tracing::warn!("the enable password of level {level} cannot be checked: {error}");
                Enabled::Wrong
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        hubward_config::parse(text).config
    }

    #[test]
    fn an_xauth_user_alone_opens_nothing() {
        let vty = "line vty 0 4\n transport input ssh\n login local\n";
        assert!(!opens(&config(&format!("username a password 0 x\n{vty}"))));
        assert!(!opens(&config("username a privilege 15 secret 0 x\nline vty 0 4\n login local\n")));
        assert!(!opens(&config(
            "username a privilege 15 secret 0 x\nline vty 0 4\n transport input telnet\n"
        )));
        assert!(opens(&config(&format!("username a privilege 15 secret 0 x\n{vty}"))));
        assert!(!opens(&config(include_str!("../../../../examples/hub.cfg"))));
        let user = "username a privilege 15 secret 0 x\n";
        assert!(!opens(&config(&format!("{user}{vty} no exec\n"))));
        assert!(opens(&config(&format!("{user}{vty} no exec\nline vty 4\n exec\n"))), "one line is enough");
        let both = config(&format!("username a password 0 x\nusername b privilege 1 password 0 y\n{vty}"));
        assert!(!password(&both, None, "a", "x"), "the password is right, and it opens nothing");
        assert!(password(&both, None, "b", "y"));
        assert!(!password(&both, None, "b", "x") && !password(&both, None, "c", "y"));
    }

    #[test]
    fn the_access_class_decides_who_comes() {
        let of = |list: &str, from: &str| {
            let text = format!("{list}line vty 0 4\n access-class 10 in\n transport input ssh\n");
            lines_for(&config(&text), from.parse().unwrap()).count()
        };
        let list = "access-list 10 deny 10.0.0.9\naccess-list 10 permit 10.0.0.0 0.0.0.255\n";
        assert_eq!(of(list, "10.0.0.5"), 5);
        assert_eq!(of(list, "::ffff:10.0.0.5"), 5);
        assert_eq!(of(list, "10.0.0.9"), 0);
        assert_eq!(of(list, "10.0.1.5"), 0);
        assert_eq!(of(list, "2001:db8::1"), 0);
        assert_eq!(of("", "10.0.0.5"), 0, "a list that is not there lets nobody in");
        let extended = |list: &str| {
            let text = format!("{list}line vty 0 4\n access-class 100 in\n transport input ssh\n");
            lines_for(&config(&text), "10.0.0.5".parse().unwrap()).count()
        };
        assert_eq!(extended("access-list 100 permit tcp host 10.0.0.5 any eq 22\n"), 5);
        assert_eq!(extended("access-list 100 permit tcp any any eq telnet\n"), 0);
        assert_eq!(extended("access-list 100 permit udp any any\n"), 0);
        assert_eq!(extended("access-list 100 deny udp any any\naccess-list 100 permit ip any any\n"), 5);
        assert_eq!(extended("access-list 100 permit tcp any host 192.0.2.1\n"), 0);
    }

    /// A user whom a line that is not understood may deny is refused, and such a line that may
    /// permit admits nobody.
    #[test]
    fn a_line_that_is_not_understood_lets_nobody_in() {
        let of = |list: &str| {
            let text = format!("{list}line vty 0 4\n access-class L in\n transport input ssh\n");
            lines_for(&config(&text), "10.0.0.5".parse().unwrap()).count()
        };
        let list = |lines: &str| of(&format!("ip access-list extended L\n{lines}"));
        for denies in [
            " deny ip object-group BAD any\n",
            " deny ip any any time-range NIGHT\n",
            " deny tcp any any range 1 1024\n",
            " deny tcp any any established\n",
            " deny tcp any lt 1024 any\n",
            " deny tcp any any neq 443\n",
            " deny ip host bad.example.com any\n",
            " deny tcp any any dscp ef\n",
            " frobnicate deny\n",
        ] {
            assert_eq!(list(&format!("{denies} permit ip any any\n")), 0, "{denies}");
            assert_eq!(
                list(&format!(" permit ip host 10.0.0.5 any\n{denies}")),
                5,
                "{denies}: the first match counts"
            );
        }
        for permits in [
            " permit ip object-group GOOD any\n",
            " permit tcp any any established\n",
            " permit tcp any gt 1023 any\n",
            " permit tcp any any gt 22\n",
            " permit ip host good.example.com any\n",
            " permit ip any any time-range DAY\n",
        ] {
            assert_eq!(list(permits), 0, "{permits}");
            assert_eq!(list(&format!("{permits} deny ip any any\n")), 0, "{permits}");
            assert_eq!(list(&format!("{permits} permit ip 10.0.0.0 0.0.0.255 any\n")), 5, "{permits}");
        }
        let standard = of("ip access-list standard L\n deny bad.example.com\n permit any\n");
        assert_eq!(standard, 0);
        for lines in [
            " deny udp any any range 1 5\n permit ip any any\n",
            " deny tcp any any range 23 80\n permit ip any any\n",
            " deny tcp any any eq telnet www\n permit tcp any any gt 20\n",
            " deny tcp any any neq 22\n permit tcp any any lt 23\n",
            " deny ip any any fragments\n permit ip any any\n",
            " deny ip any 10.9.9.0 0.0.0.255 log\n permit ip any any\n 5 permit tcp any any eq 22\n",
        ] {
            assert_eq!(list(lines), 5, "what is not about SSH: {lines}");
        }
    }

    /// Groups are what their members are, and a group with a line that is not understood may be
    /// anybody.
    #[test]
    fn the_access_class_looks_into_object_groups() {
        let of = |lines: &str, from: &str| {
            let text = format!(
                "object-group network BAD\n host 10.0.0.9\n range 10.0.0.20 10.0.0.29\n group-object WORSE\n\
                 object-group network WORSE\n 10.0.1.0 255.255.255.0\n\
                 object-group network HALF\n host 10.0.0.9\n frobnicate x\n\
                 object-group service ADMIN\n tcp range 22 23\n\
                 ip access-list extended L\n{lines}line vty 0 4\n access-class L in\n transport input ssh\n"
            );
            lines_for(&config(&text), from.parse().unwrap()).count() > 0
        };
        let bad = " deny ip object-group BAD any\n permit ip any any\n";
        for (from, admitted) in [
            ("10.0.0.9", false),
            ("10.0.0.20", false),
            ("10.0.0.29", false),
            ("10.0.1.77", false),
            ("10.0.0.8", true),
            ("10.0.0.30", true),
        ] {
            assert_eq!(of(bad, from), admitted, "{from}");
        }
        assert!(of(" permit object-group ADMIN object-group BAD any\n", "10.0.0.9"));
        assert!(!of(" permit object-group ADMIN object-group BAD any\n", "10.0.0.8"));
        assert!(of(" permit ip object-group HALF any\n", "10.0.0.9"), "that member is known");
        assert!(!of(" permit ip object-group HALF any\n", "10.0.0.8"));
        assert!(!of(" deny ip object-group HALF any\n permit ip any any\n", "10.0.0.8"));
    }

    #[test]
    fn a_name_in_another_case_opens_nothing() {
        let both = config(
            "aaa new-model\naaa authentication login default local\nusername Admin password 0 vpn\n\
             username admin privilege 15 secret 0 strong\nline vty 0 4\n transport input ssh\n",
        );
        assert!(!password(&both, None, "admin", "vpn"), "that is the Xauth user's");
        let one = config(
            "username admin privilege 15 secret 0 strong\nline vty 0 4\n transport input ssh\n no exec\n",
        );
        assert!(password(&one, None, "admin", "strong") && !opens(&one), "no line runs an exec");
    }

    #[test]
    fn what_several_line_commands_say_adds_up() {
        let config = config(
            "username a privilege 7 secret 0 x\nline vty 0 15\n transport input ssh\n exec-timeout 5 30\nline vty 5\n exec-timeout 0 0\n privilege level 3\n length 50\n",
        );
        assert_eq!(rights(&config, "a", 0).exec_timeout, Some(Duration::from_secs(330)));
        assert_eq!(rights(&config, "a", 5).exec_timeout, None);
        assert_eq!((rights(&config, "a", 5).privilege, rights(&config, "b", 5).privilege), (7, 3));
        assert_eq!(rights(&config, "a", 5).length, Some(50));
        assert_eq!(line(&config, 5).ssh, Some(true));
        assert_eq!(vty_lines(&config).count(), 16);
    }

    #[test]
    fn the_secret_counts_and_not_the_password() {
        let config =
            config("enable password 0 weak\nenable secret 0 strong\nenable password level 7 0 seven\n");
        assert_eq!(Enable::outcome(&config, 15, "strong"), Enabled::Right);
        assert_eq!(Enable::outcome(&config, 15, "weak"), Enabled::Wrong);
        assert_eq!(Enable::outcome(&config, 7, "seven"), Enabled::Right);
        assert_eq!(Enable::outcome(&config, 3, "seven"), Enabled::NotSet);
    }

    /// Whoever guesses waits; from elsewhere the right one passes, and so it does for another user
    /// of that address.
    #[test]
    fn guessing_the_password_of_enable_locks_out_the_guesser_alone() {
        let desk = crate::views::tests::desk();
        let parsed = hubward_config::parse("enable secret 0 strong\n");
        desk.views.configured(std::sync::Arc::new(parsed));
        let (here, elsewhere) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let give = |from: IpAddr, user: &str, level: u8, given: &str, second: u64| {
            let now = Instant::default() + Duration::from_secs(second);
            Enable::at(&desk.views, from, user, level, given, now)
        };
        for _ in 0..3 {
            assert_eq!(give(here, "eve", 15, "weak", 0), Enabled::Wrong);
        }
        assert_eq!(give(here, "eve", 15, "strong", 1), Enabled::Wrong, "it is not even looked at");
        assert_eq!(give(here, "admin", 15, "strong", 1), Enabled::Right);
        assert_eq!(give(elsewhere, "eve", 15, "strong", 1), Enabled::Right);
        assert_eq!(give(here, "eve", 7, "x", 1), Enabled::NotSet);
        assert_eq!(give(here, "eve", 15, "strong", 2), Enabled::Right, "after two seconds");
    }

    #[test]
    fn keys_open_by_their_text_and_by_their_hash() {
        let text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let public = PublicKey::from_openssh(text).unwrap();
        let (head, tail) = text.split_at(40);
        let base = "username a password 0 x\nip ssh pubkey-chain\n  username a\n";
        let strings =
            config(&format!("{base}   key-string\n    {head}\n    {tail}\n   exit\n  exit\nhostname H\n"));
        assert!(key(&strings, "a", &public) && !key(&strings, "b", &public));
        assert_eq!(strings.hostname.as_deref(), Some("H"));
        let hash = "0".repeat(32);
        let hashes = config(&format!("{base}   key-hash ssh-ed25519 {hash}\n"));
        assert!(!key(&hashes, "a", &public));
        let digest =
            hubward_crypto::mac::hash(hubward_crypto::suite::HashAlg::Md5, &[&public.to_bytes().unwrap()]);
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(key(&config(&format!("{base}   key-hash ssh-ed25519 {hash} a@b\n")), "a", &public));
    }
}
