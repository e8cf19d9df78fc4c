//! The one small database of a gateway: what has to outlive a restart.

use anyhow::Context as _;
use redb::{Database, ReadableTable as _, TableDefinition};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A table of rows by name.
type Table<'a> = TableDefinition<'a, &'a str, &'a [u8]>;

/// The database; without a folder everything is forgotten at the end.
#[derive(Clone, Default)]
pub(crate) struct Store(Option<Arc<Database>>);

impl Store {
    /// Opens the database in a folder.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join("leases.redb");
        let database = Database::create(&path).with_context(|| {
            format!(
                "cannot open {}; is another Hubward using the folder? --state names another",
                path.display()
            )
        })?;
        Ok(Self(Some(Arc::new(database))))
    }

    /// The database itself, for tables of other types.
    pub(crate) fn database(&self) -> Option<&Database> {
        self.0.as_deref()
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, table: &'static str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let Some(database) = &self.0 else { return Ok(BTreeMap::new()) };
        let transaction = database.begin_write()?;
        let mut rows = BTreeMap::new();
        for entry in transaction.open_table(Table::new(table))?.iter()? {
            let (key, value) = entry?;
            rows.insert(key.value().to_string(), value.value().to_vec());
        }
        transaction.commit()?;
        Ok(rows)
    }

    /// Writes rows, or removes those without a value, all or none.
    pub(crate) fn write(
        &self,
        table: &'static str,
        rows: &[(String, Option<Vec<u8>>)],
    ) -> anyhow::Result<()> {
        let Some(database) = self.0.as_ref().filter(|_| !rows.is_empty()) else { return Ok(()) };
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(Table::new(table))?;
            for (key, value) in rows {
                match value {
                    Some(value) => drop(table.insert(key.as_str(), value.as_slice())?),
                    None => drop(table.remove(key.as_str())?),
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Seconds since 1970: what a stored end of a lease is measured by, because the monotonic clock begins anew.
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
