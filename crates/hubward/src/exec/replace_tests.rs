//! `configure replace` between real configurations, by the command that a user gives: the examples,
//! and the files of `HUBWARD_CORPUS` if it is set. A thread takes the requests as the gateway does,
//! without a machine under it.

use crate::base::format::Format;
use crate::base::inbox::Inbox;
use crate::base::message::{Message, NotConfigured, Request};
use crate::check;
use crate::choices::{Choices, Options};
use crate::exec::command::Caller;
use crate::gateway::accept;
use crate::manage::desk::{Desk, Refusal};
use crate::views::Views;
use hubward_config::Parsed;
use hubward_config::diagnostic::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// About how many pairs are tried beyond those with the hub. All of them take minutes in a debug
/// build.
const SAMPLE: usize = 300;
/// What a refusal may be for, by words of its message.
const REASONS: [&str; 5] = [
    "would not exist here",
    "does not exist here",
    "is not accepted",
    "does not start",
    "Not a configuration",
];

/// A file, with its name at the console.
struct File {
    name: String,
    flash: String,
    text: String,
}

/// The configurations, each in `folder` as a file of `flash:`.
fn files(folder: &Path) -> Vec<File> {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let corpus = std::env::var_os("HUBWARD_CORPUS").map(PathBuf::from);
    let mut paths = Vec::new();
    for within in [examples].into_iter().chain(corpus) {
        let all = std::fs::read_dir(within).unwrap().map(|entry| entry.unwrap().path());
        let is_configuration =
            |path: &PathBuf| path.extension().is_some_and(|end| end == "cfg" || end == "txt");
        paths.extend(all.filter(is_configuration));
    }
    paths.sort();
    let file = |(index, path): (usize, PathBuf)| {
        let (name, flash) =
            (path.file_name().unwrap().to_string_lossy().into_owned(), format!("{index}.cfg"));
        std::fs::copy(&path, folder.join(&flash)).unwrap();
        File { name, flash, text: check::read(&path).unwrap() }
    };
    paths.into_iter().enumerate().map(file).collect()
}

/// Choices with which every one of the files starts.
fn all_allowed(files: &[File]) -> Choices {
    let (mut without, mut allow) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let judgement = Choices::default().judge(&hubward_config::parse(&file.text));
        without.extend(judgement.missing);
        allow.extend(judgement.refused.iter().map(|line| match line.kind {
            Kind::Other => line.name(),
            kind => kind.name().to_string(),
        }));
    }
    let (without, allow_unenforced) = (without.into_iter().collect(), allow.into_iter().collect());
    Choices::of(&Options { without, allow_unenforced, ..Options::default() }).unwrap()
}

/// Answers the requests of one command.
fn serve(inbox: &Inbox, views: &Views, choices: &Choices) {
    while let Some(message) = inbox.take(Duration::from_millis(5)) {
        let Message::Request(Request::Configure { base, parsed, extent, done }) = message else { continue };
        let running = views.parsed();
        assert!(Arc::ptr_eq(&base, &running), "nobody else configures");
        let accepted = accept(&running, parsed, choices, extent);
        let outcome = accepted.map(|(parsed, _)| views.configured(Arc::new(parsed)));
        done.send(outcome.map_err(|error| NotConfigured::Refused(format!("{error:#}")))).unwrap();
        return;
    }
}

/// Gives the command for a file.
fn give(desk: &Desk, choices: &Choices, file: &File) -> Result<(), Refusal> {
    let line = format!("configure replace flash:{} force", file.flash);
    let caller = Caller { privilege: 15, format: Format::Modern, line: None };
    std::thread::scope(|scope| {
        let given = scope.spawn(|| crate::exec::run(&line, caller, desk, &mut Vec::new()).unwrap());
        while !given.is_finished() {
            serve(&desk.gateway, &desk.views, choices);
        }
        given.join().unwrap()
    })
}

/// A file as these choices have it.
struct Loaded<'f> {
    file: &'f File,
    parsed: Parsed,
    /// Whether it starts.
    starts: bool,
}

impl<'f> Loaded<'f> {
    fn of(file: &'f File, choices: &Choices) -> Self {
        let mut parsed = hubward_config::parse(&file.text);
        choices.apply_known(&mut parsed);
        Self { file, parsed, starts: check::started(Path::new(&file.name), &file.text, choices).is_ok() }
    }
}

/// Replaces one file by another; if that was refused, why.
fn replace(desk: &Desk, choices: &Choices, from: &Loaded<'_>, to: &Loaded<'_>) -> Option<String> {
    desk.views.configured(Arc::new(from.parsed.clone()));
    let before = desk.views.parsed();
    let given = give(desk, choices, to.file);
    let after = desk.views.parsed();
    let pair = format!("{} to {}", from.file.name, to.file.name);
    match given {
        Ok(()) => {
            assert_eq!(after.document.print(), to.file.text, "{pair}");
            let mut loaded = to.parsed.config.clone();
            // the numbers of interfaces stay over all configurations of a run
            assert!(loaded.keep_numbers(&before.config));
            assert!(after.config == loaded, "{pair}: it means something else");
            None
        }
        Err(refusal) => {
            assert!(Arc::ptr_eq(&before, &after), "{pair}: {refusal}");
            Some(refusal.to_string())
        }
    }
}

/// The pairs to try: every file to and from the hub's, and a sample of the others, the same in each
/// run.
fn pairs(files: &[File]) -> Vec<(usize, usize)> {
    let all = (0..files.len()).flat_map(|from| (0..files.len()).map(move |to| (from, to)));
    let hub = files.iter().position(|file| file.name == "hub.cfg").unwrap();
    let (mut chosen, others): (Vec<_>, Vec<_>) = all.partition(|(from, to)| *from == hub || *to == hub);
    let step = (others.len() / SAMPLE).max(1);
    chosen.extend(others.into_iter().step_by(step));
    chosen
}

/// What a whole configuration leaves is that configuration, and nothing of the one before. What
/// would not start is refused for a reason that has words, and then nothing has changed.
#[test]
fn a_configuration_takes_the_place_of_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let desk = crate::views::tests::desk_of(&folder.path().join("startup.cfg"));
    for (choices, what) in [(all_allowed(&files), "everything"), (Choices::default(), "nothing")] {
        let loaded: Vec<_> = files.iter().map(|file| Loaded::of(file, &choices)).collect();
        let (mut done, mut refused): (usize, BTreeMap<&str, usize>) = (0, BTreeMap::new());
        for (from, to) in pairs(&files) {
            let (from, to) = (&loaded[from], &loaded[to]);
            let Some(why) = replace(&desk, &choices, from, to) else {
                assert!(to.starts, "{} does not start", to.file.name);
                done += 1;
                continue;
            };
            let pair = format!("{} to {}: {why}", from.file.name, to.file.name);
            assert!(!to.starts, "{pair}");
            let reason = REASONS.iter().find(|reason| why.contains(**reason));
            *refused.entry(reason.unwrap_or_else(|| panic!("{pair}"))).or_default() += 1;
        }
        println!("{what} allowed: {done} replaced, refused: {refused:?}");
        assert!(done > 0, "{what}");
    }
}
