//! State that outlives a restart: rows in memory, saved in a small database where that is possible.
//! A disk that is full, read-only or broken stops nothing: it is reported, and everything is saved
//! again once there is room.

use crate::base::disk;
use anyhow::bail;
use hubward_linux::owned::set_aside;
use hubward_linux::privilege::leave_to_owner_of_folder;
use redb::backends::InMemoryBackend;
use redb::{
    Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageBackend as _, StorageError,
    TableDefinition, TableError,
};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Client addresses by owner.
pub(crate) const LEASES: &str = "leases";
/// The DHCP leases of the interfaces, by link.
pub(crate) const DHCP_CLIENT: &str = "dhcp-client";
/// The leases of this DHCP server, by address.
pub(crate) const DHCP_SERVER: &str = "dhcp-server";
/// Networks that peers were granted as their side of a tunnel.
pub(crate) const GRANTED: &str = "granted_networks";
/// The addresses from which peers authenticated.
pub(crate) const KNOWN: &str = "known_peers";
/// What became of each peer.
pub(crate) const HISTORIES: &str = "histories";

/// The database's name in the state folder.
const NAME: &str = "leases.redb";
/// After how long a database that failed is tried again, if nothing is written meanwhile.
const AGAIN: Duration = Duration::from_secs(10);

/// Rows by name.
pub(crate) type Rows = BTreeMap<String, Vec<u8>>;
/// Tables by name.
type Content = BTreeMap<&'static str, Rows>;

/// Rows of a table, or what is removed from it.
type Changes = Vec<(String, Option<Vec<u8>>)>;

/// The rows; without a folder everything is forgotten at the end. Rows are read from memory, so
/// that nobody who reads waits for the disk; nor does who writes them by [`Store::write_soon`].
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Shared>);

#[derive(Default)]
struct Shared {
    content: Mutex<Content>,
    /// Held for as long as the disk takes; `content` may be taken meanwhile, and not the other way
    /// round.
    kept: Mutex<Kept>,
    soon: Mutex<Soon>,
    /// Something is to be written soon.
    came: Condvar,
}

/// What is to be written by whoever calls [`Store::write_waiting`].
#[derive(Default)]
struct Soon {
    /// Whether somebody does.
    served: bool,
    /// The last value of each row, by table: no more than there are rows, however long the disk
    /// takes.
    changes: BTreeMap<&'static str, BTreeMap<String, Option<Vec<u8>>>>,
}

#[derive(Default)]
struct Kept {
    /// The file, if there is to be one.
    path: Option<PathBuf>,
    database: Option<Database>,
    /// The device and inode of the file that is open.
    file: Option<(u64, u64)>,
    /// Whether what the file had is in memory; otherwise it must not be overwritten.
    read: bool,
    /// Why the file is not up to date, as it was reported.
    trouble: Option<String>,
    tried: Option<Instant>,
}

/// Why a database cannot be used.
enum Fault {
    /// Another Hubward has it.
    Locked,
    /// It is not a database, or is damaged.
    Broken(String),
    /// The disk returns errors.
    Disk(String),
}

impl Store {
    /// Opens the database in a folder, and makes both if they are not there.
    ///
    /// # Errors
    /// Only if another Hubward uses it. Any other problem is reported, and nothing is saved in the
    /// meantime.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let shared = Shared::default();
        let opened = {
            let mut kept = locked(&shared.kept);
            kept.path = Some(path.clone());
            kept.reopen(&shared.content)
        };
        if let Err(Fault::Locked) = opened {
            bail!(
                "another Hubward keeps its state in {} (it has {} open); --state names another folder",
                folder.display(),
                path.display()
            );
        }
        Ok(Self(Arc::new(shared)))
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, table: &'static str) -> Rows {
        locked(&self.0.content).get(table).cloned().unwrap_or_default()
    }

    /// Sets rows, or removes those without a value; returns when the disk has them.
    pub(crate) fn write(&self, table: &'static str, rows: &[(String, Option<Vec<u8>>)]) {
        if rows.is_empty() {
            return;
        }
        self.set(table, rows);
        self.put(table, rows);
    }

    /// The same without waiting for the disk, where somebody else does ([`Store::write_waiting`]).
    pub(crate) fn write_soon(&self, table: &'static str, rows: Changes) {
        if rows.is_empty() {
            return;
        }
        self.set(table, &rows);
        let mut soon = locked(&self.0.soon);
        if soon.served {
            soon.changes.entry(table).or_default().extend(rows);
            self.0.came.notify_one();
        } else {
            drop(soon);
            self.put(table, &rows);
        }
    }

    /// What [`Store::write_soon`] is told waits for [`Store::write_waiting`] from now on.
    pub(crate) fn serve(&self) {
        locked(&self.0.soon).served = true;
    }

    /// Waits this long for something to be written, and writes it; then tries again to keep what
    /// could not be kept, every now and then.
    pub(crate) fn write_waiting(&self, time: Duration) {
        let mut soon = locked(&self.0.soon);
        if soon.changes.is_empty() && !time.is_zero() {
            (soon, _) = self.0.came.wait_timeout(soon, time).unwrap_or_else(PoisonError::into_inner);
        }
        let changes = std::mem::take(&mut soon.changes);
        drop(soon);
        for (table, rows) in changes {
            self.put(table, &rows.into_iter().collect::<Changes>());
        }
        self.retry();
    }

    /// Writes what waits, and closes the file: nothing is kept from now on.
    pub(crate) fn close(&self) {
        self.write_waiting(Duration::ZERO);
        let mut kept = locked(&self.0.kept);
        kept.path = None;
        if let Some(database) = kept.database.take() {
            guarded_drop(database);
        }
    }

    fn set(&self, table: &'static str, rows: &[(String, Option<Vec<u8>>)]) {
        debug_assert!(tables().iter().any(|(known, _)| *known == table), "{table} would not be read again");
        let mut content = locked(&self.0.content);
        let content = content.entry(table).or_default();
        for (key, value) in rows {
            match value {
                Some(value) => drop(content.insert(key.clone(), value.clone())),
                None => drop(content.remove(key)),
            }
        }
    }

    fn put(&self, table: &'static str, rows: &[(String, Option<Vec<u8>>)]) {
        let mut kept = locked(&self.0.kept);
        kept.let_go_of_a_lost_file();
        match kept.database.take() {
            Some(database) => match guarded(|| kept.ready().and_then(|()| put(&database, table, rows))) {
                Ok(()) => kept.database = Some(database),
                // after such an error it takes nothing more until it is opened again
                Err(fault) => {
                    guarded_drop(database);
                    kept.tell(Some(fault.words()));
                }
            },
            None => drop(kept.reopen(&self.0.content)),
        }
    }

    fn retry(&self) {
        let mut kept = locked(&self.0.kept);
        kept.let_go_of_a_lost_file();
        let waited = kept.tried.is_none_or(|at| at.elapsed() >= AGAIN);
        if kept.path.is_some() && kept.database.is_none() && waited {
            drop(kept.reopen(&self.0.content));
        }
    }

    /// Why nothing is kept right now, if so.
    #[cfg(test)]
    fn trouble(&self) -> Option<String> {
        locked(&self.0.kept).trouble.clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // a thread that panicked left rows that are whole
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// Opens the database; at the first time its rows are taken over into memory, later it is given
    /// those there.
    fn reopen(&mut self, memory: &Mutex<Content>) -> Result<(), Fault> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        self.tried = Some(Instant::now());
        let opened = self.ready().and_then(|()| folder_of(&path));
        let mut opened = opened.and_then(|()| self.open_file(&path, memory));
        if let Err(Fault::Broken(why)) = &opened {
            let moved = set_aside(&path);
            if self.trouble.as_ref() != Some(why) {
                tracing::error!("{why}; {moved}. Leases that it knew are forgotten");
            }
            self.read = true;
            opened = self.open_file(&path, memory);
        }
        let outcome = opened.map(|database| self.database = Some(database));
        self.file = identity(&path);
        self.tell(outcome.as_ref().err().map(Fault::words));
        outcome
    }

    /// If somebody has moved or removed the open file, it is given up: nobody would find it after a
    /// restart, and a new one is given everything.
    fn let_go_of_a_lost_file(&mut self) {
        let Some(path) = &self.path else { return };
        if self.database.is_some() && identity(path) != self.file {
            tracing::warn!("{} was moved or removed; it is written anew", path.display());
            self.database.take().into_iter().for_each(guarded_drop);
            self.tried = None;
        }
    }

    fn open_file(&mut self, path: &Path, memory: &Mutex<Content>) -> Result<Database, Fault> {
        let new = !path.exists();
        let opened = guarded(|| {
            let database = Database::create(path).map_err(|error| fault(path, &error))?;
            if new && let Err(error) = leave_to_owner_of_folder(path) {
                tracing::warn!("{} does not become its folder's owner's: {error}", path.display());
            }
            let content = content(&database).map_err(|error| broken(path, &error.to_string()))?;
            Ok((database, content))
        });
        match opened {
            Ok((database, content)) => {
                if !self.read {
                    self.read = true;
                    let mut memory = locked(memory);
                    let since = std::mem::replace(&mut *memory, content);
                    if since.values().all(BTreeMap::is_empty) {
                        return Ok(database);
                    }
                    for (table, rows) in since {
                        memory.entry(table).or_default().extend(rows);
                    }
                }
                let all = locked(memory).clone();
                match guarded(|| put_all(&database, &all)) {
                    Ok(()) => Ok(database),
                    Err(fault) => {
                        guarded_drop(database);
                        Err(fault)
                    }
                }
            }
            Err(fault) => {
                if new {
                    // an incomplete new one would be taken for a damaged one
                    let _gone = std::fs::remove_file(path);
                } else if let (Fault::Disk(_), false) = (&fault, self.read) {
                    // it cannot be written, but perhaps read
                    if let Ok(content) = guarded(|| copy_of(path)) {
                        *locked(memory) = content;
                        self.read = true;
                    }
                }
                Err(fault)
            }
        }
    }

    /// Waits, or fails, where a test ordered that of the disk.
    fn ready(&self) -> Result<(), Fault> {
        let Some(path) = &self.path else { return Ok(()) };
        disk::ready(path).map_err(|error| Fault::Disk(format!("cannot write {}: {error}", path.display())))
    }

    /// Tells what changed about keeping.
    fn tell(&mut self, trouble: Option<String>) {
        if trouble == self.trouble {
            return;
        }
        match &trouble {
            Some(why) => {
                tracing::error!(
                    "leases would not outlive a restart: {why}. They are saved again as soon as that is fixed"
                );
            }
            None => tracing::info!("leases are saved again"),
        }
        self.trouble = trouble;
    }
}

impl Fault {
    fn words(&self) -> String {
        match self {
            Self::Locked => "another Hubward has taken the database".to_string(),
            Self::Broken(why) | Self::Disk(why) => why.clone(),
        }
    }
}

/// What the file at a path is, whatever it is called.
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn folder_of(path: &Path) -> Result<(), Fault> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| match folder.is_dir() || !folder.exists() {
        true => Fault::Disk(crate::base::program::no_folder(folder, &error)),
        false => Fault::Disk(format!("{} is not a folder", folder.display())),
    })
}

/// The database is third-party code, and a damaged file may make it panic: that is treated like any
/// other damaged file.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Fault::Broken(format!("the database {NAME} is damaged"))))
}

fn guarded_drop(database: Database) {
    let _panicked = catch_unwind(AssertUnwindSafe(|| drop(database)));
}

fn broken(path: &Path, why: &str) -> Fault {
    Fault::Broken(format!("{} is not a database, or is damaged: {why}", path.display()))
}

fn fault(path: &Path, error: &DatabaseError) -> Fault {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Fault::Locked,
        DatabaseError::Storage(StorageError::Io(error))
            if !matches!(
                error.kind(),
                ErrorKind::InvalidData
                    | ErrorKind::InvalidInput
                    | ErrorKind::UnexpectedEof
                    | ErrorKind::IsADirectory
            ) =>
        {
            Fault::Disk(format!("cannot open {}: {error}", path.display()))
        }
        other => broken(path, &other.to_string()),
    }
}

/// A table's name, and whether its values are numbers, as they have been since the first version.
fn tables() -> [(&'static str, bool); 6] {
    [
        (LEASES, true),
        (DHCP_CLIENT, false),
        (DHCP_SERVER, false),
        (GRANTED, false),
        (KNOWN, false),
        (HISTORIES, false),
    ]
}

const fn numbers(table: &str) -> TableDefinition<'_, &str, u32> {
    TableDefinition::new(table)
}

const fn bytes(table: &str) -> TableDefinition<'_, &str, &[u8]> {
    TableDefinition::new(table)
}

/// Everything that a database has.
fn content(database: &Database) -> Result<Content, redb::Error> {
    let transaction = database.begin_read()?;
    let mut content = Content::new();
    for (table, is_numbers) in tables() {
        let rows = content.entry(table).or_default();
        if is_numbers {
            let opened = match transaction.open_table(numbers(table)) {
                Err(TableError::TableDoesNotExist(_)) => continue,
                other => other?,
            };
            for entry in opened.iter()? {
                let (key, value) = entry?;
                rows.insert(key.value().to_string(), value.value().to_be_bytes().to_vec());
            }
        } else {
            let opened = match transaction.open_table(bytes(table)) {
                Err(TableError::TableDoesNotExist(_)) => continue,
                other => other?,
            };
            for entry in opened.iter()? {
                let (key, value) = entry?;
                rows.insert(key.value().to_string(), value.value().to_vec());
            }
        }
    }
    Ok(content)
}

/// What a file has that cannot be written.
fn copy_of(path: &Path) -> Result<Content, Fault> {
    let unreadable = |error: &dyn std::fmt::Display| broken(path, &error.to_string());
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let memory = InMemoryBackend::new();
    memory.set_len(bytes.len() as u64).map_err(|error| unreadable(&error))?;
    memory.write(0, &bytes).map_err(|error| unreadable(&error))?;
    let database = Database::builder().create_with_backend(memory).map_err(|error| unreadable(&error))?;
    content(&database).map_err(|error| unreadable(&error))
}

/// Writes rows of a table, all or none.
fn put(database: &Database, table: &'static str, rows: &[(String, Option<Vec<u8>>)]) -> Result<(), Fault> {
    let write = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        put_rows(&transaction, table, rows)?;
        Ok(transaction.commit()?)
    };
    write().map_err(|error| Fault::Disk(format!("cannot write {NAME}: {error}")))
}

/// Writes everything, in the place of what was there.
fn put_all(database: &Database, all: &Content) -> Result<(), Fault> {
    let write = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        for (table, is_numbers) in tables() {
            let rows = all.get(table).cloned().unwrap_or_default();
            let rows: Vec<_> = rows.into_iter().map(|(key, value)| (key, Some(value))).collect();
            match is_numbers {
                true => drop(transaction.delete_table(numbers(table))?),
                false => drop(transaction.delete_table(bytes(table))?),
            }
            put_rows(&transaction, table, &rows)?;
        }
        Ok(transaction.commit()?)
    };
    write().map_err(|error| Fault::Disk(format!("cannot write {NAME}: {error}")))
}

fn put_rows(
    transaction: &redb::WriteTransaction,
    table: &'static str,
    rows: &[(String, Option<Vec<u8>>)],
) -> Result<(), redb::Error> {
    if tables().contains(&(table, true)) {
        let mut opened = transaction.open_table(numbers(table))?;
        for (key, value) in rows {
            match value.as_ref().and_then(|value| value.first_chunk::<4>()) {
                Some(value) => drop(opened.insert(key.as_str(), u32::from_be_bytes(*value))?),
                None => drop(opened.remove(key.as_str())?),
            }
        }
    } else {
        let mut opened = transaction.open_table(bytes(table))?;
        for (key, value) in rows {
            match value {
                Some(value) => drop(opened.insert(key.as_str(), value.as_slice())?),
                None => drop(opened.remove(key.as_str())?),
            }
        }
    }
    Ok(())
}

/// Seconds since 1970: stored ends of leases use them, because the monotonic clock starts over.
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
#[path = "store_crash_tests.rs"]
mod crash_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: &[u8]) -> (String, Option<Vec<u8>>) {
        (key.to_string(), Some(value.to_vec()))
    }

    fn aside(folder: &Path) -> usize {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("leases.redb.broken-")).count()
    }

    /// A folder with a database of two rows, and its bytes.
    fn written() -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.write(LEASES, &[row("a", &[10, 5, 5, 1])]);
        store.write(DHCP_CLIENT, &[row("eth0", b"lease"), row("eth1", b"gone")]);
        store.write(DHCP_CLIENT, &[("eth1".into(), None)]);
        drop(store);
        let bytes = std::fs::read(folder.path().join(NAME)).unwrap();
        (folder, bytes)
    }

    #[test]
    fn rows_outlive_a_restart() {
        let (folder, _) = written();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.rows(LEASES), [("a".to_string(), vec![10, 5, 5, 1])].into());
        assert_eq!(store.rows(DHCP_CLIENT), [("eth0".to_string(), b"lease".to_vec())].into());
        assert_eq!((store.rows(DHCP_SERVER).len(), store.trouble()), (0, None));
        let Err(refusal) = Store::open(folder.path()) else { panic!("two at a time") };
        assert!(refusal.to_string().starts_with("another Hubward keeps its state in"), "{refusal}");
        assert_eq!(aside(folder.path()), 0, "what another one has is not moved away");
    }

    #[test]
    fn a_database_that_is_cut_off_or_overwritten_is_moved_aside() {
        let (folder, whole) = written();
        let path = folder.path().join(NAME);
        let mut broken = vec![
            b"no database".to_vec(),
            vec![0; 4096],
            whole[..100].to_vec(),
            whole[..whole.len() / 2].to_vec(),
        ];
        let mut magic = whole.clone();
        magic[..16].fill(0xff);
        broken.push(magic);
        for (number, bytes) in broken.into_iter().enumerate() {
            std::fs::write(&path, &bytes).unwrap();
            let store = Store::open(folder.path()).unwrap();
            assert_eq!((store.rows(LEASES).len(), store.trouble()), (0, None), "{number}");
            assert!(aside(folder.path()) >= 1, "{number}");
            // and it is a good one from now on
            store.write(LEASES, &[row("b", &[10, 5, 5, 2])]);
            drop(store);
            let rows = Store::open(folder.path()).unwrap().rows(LEASES);
            assert_eq!(rows.keys().collect::<Vec<_>>(), ["b"], "{number}");
        }
        // a folder in its place
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir_all(path.join("inner")).unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.write(LEASES, &[row("c", &[10, 5, 5, 3])]);
        assert_eq!(store.trouble(), None);
    }

    /// Wherever a byte is wrong: it opens, with the rows that were written or without.
    #[test]
    fn any_wrong_byte_leaves_a_store_that_works() {
        let (folder, whole) = written();
        let path = folder.path().join(NAME);
        let interesting: Vec<_> = (0..whole.len()).filter(|at| *at < 320 || whole[*at] != 0).collect();
        for at in interesting.iter().step_by(interesting.len().div_ceil(150).max(1)) {
            let mut bytes = whole.clone();
            bytes[*at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            let store = Store::open(folder.path()).unwrap();
            store.write(DHCP_SERVER, &[row("10.1.1.9", b"x")]);
            drop(store);
            let again = Store::open(folder.path()).unwrap();
            assert_eq!(again.rows(DHCP_SERVER).len(), 1, "byte {at}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_had_is_told_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::write(&state, "a file").unwrap();
        let store = Store::open(&state).unwrap();
        assert!(store.trouble().unwrap().ends_with("state is not a folder"), "{:?}", store.trouble());
        store.write(LEASES, &[row("a", &[10, 5, 5, 1])]);
        assert_eq!(store.rows(LEASES).len(), 1, "in memory");
        assert_eq!(std::fs::read_to_string(&state).unwrap(), "a file", "somebody's file is not touched");
        // mended: the next write keeps everything
        std::fs::remove_file(&state).unwrap();
        store.write(DHCP_CLIENT, &[row("eth0", b"lease")]);
        assert_eq!(store.trouble(), None);
        drop(store);
        let store = Store::open(&state).unwrap();
        assert_eq!((store.rows(LEASES).len(), store.rows(DHCP_CLIENT).len()), (1, 1));
        // no rights to make a folder there
        let store = Store::open(Path::new("/proc/hubward/state")).unwrap();
        assert!(store.trouble().unwrap().contains("cannot make the folder /proc/hubward/state"));
        store.write(LEASES, &[row("a", &[10, 5, 5, 1])]);
        assert_eq!(store.rows(LEASES).len(), 1);
    }

    /// A file that cannot be written is read all the same.
    #[test]
    fn the_copy_of_a_database_has_its_rows() {
        let (folder, _) = written();
        let copied = copy_of(&folder.path().join(NAME)).ok().unwrap();
        assert_eq!(copied.get(LEASES).unwrap().len(), 1);
        assert_eq!(copied.get(DHCP_CLIENT).unwrap().len(), 1);
        assert!(copy_of(&folder.path().join("absent")).is_err());
    }

    /// A file that is moved away or removed while it is open is written anew, with everything.
    #[test]
    fn a_file_that_is_moved_away_is_written_anew() {
        let (folder, _) = written();
        let path = folder.path().join(NAME);
        let store = Store::open(folder.path()).unwrap();
        std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        store.write(LEASES, &[row("b", &[10, 5, 5, 2])]);
        std::fs::remove_file(&path).unwrap();
        // without anything to write, too
        store.write_waiting(Duration::ZERO);
        assert_eq!(store.trouble(), None);
        drop(store);
        let rows = Store::open(folder.path()).unwrap().rows(LEASES);
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    /// Nobody but whoever writes waits for the disk: here it hangs.
    #[test]
    fn what_is_written_soon_does_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.write_soon(GRANTED, vec![row("at once", b"1")]);
        assert!(locked(&store.0.soon).changes.is_empty(), "nobody else writes it");
        store.serve();
        let hangs = locked(&store.0.kept);
        store.write_soon(GRANTED, vec![row("soon", b"1"), row("changed", b"1")]);
        store.write_soon(GRANTED, vec![("soon".into(), None), row("changed", b"2")]);
        let expected =
            [("at once".to_string(), b"1".to_vec()), ("changed".to_string(), b"2".to_vec())].into();
        assert_eq!(store.rows(GRANTED), expected);
        drop(hangs);
        // half a minute is not waited for what is there
        let began = Instant::now();
        store.write_waiting(Duration::from_secs(30));
        assert!(began.elapsed() < Duration::from_secs(20));
        store.close();
        store.write(GRANTED, &[row("late", b"3")]);
        drop(store);
        assert_eq!(Store::open(folder.path()).unwrap().rows(GRANTED), expected);
    }
}
