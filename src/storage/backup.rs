//! Copies of the database: made while the server runs, checked, and put back while it does not.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};

use super::{DATABASE_FILE, DirLock, Error, JOURNAL_FILE, SESSIONS_FILE, Storage, sqlite};

/// What a copy contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The last migration in it.
    pub schema_version: i64,
    /// Accounts.
    pub accounts: u64,
    /// Roster rows of all of them.
    pub roster_items: u64,
    /// Offline messages of all of them.
    pub offline_messages: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// A verified copy waits under this suffix until it has taken the place of the database.
const RESTORING: &str = ".restoring";
/// The database before a restore.
const BEFORE_RESTORE: &str = ".before-restore";

const VACUUM: &str = "VACUUM INTO $1";
const INTEGRITY: &str = "PRAGMA integrity_check(1)";
const APPLICATION_ID: &str = "PRAGMA application_id";
const COUNTS: &str = "SELECT (SELECT max(version) FROM _sqlx_migrations WHERE success),
    (SELECT count(*) FROM accounts), (SELECT count(*) FROM roster), (SELECT count(*) FROM offline)";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[VACUUM, INTEGRITY, APPLICATION_ID, COUNTS];

impl Storage {
    /// Writes a consistent copy to `to` while everything goes on, and verifies it. [`Error::Conflict`] if `to` exists.
    ///
    /// # Errors
    /// Neither the file nor anything else is left behind then.
    pub async fn backup(&self, to: &Path) -> Result<BackupReport, Error> {
        if to.try_exists()? {
            return Err(Error::Conflict);
        }
        let partial = sqlite::beside(to, ".partial");
        let result = self.copy(&partial, to).await;
        if result.is_err() {
            drop(fs::remove_file(&partial));
        }
        result
    }

    async fn copy(&self, partial: &Path, to: &Path) -> Result<BackupReport, Error> {
        let name = partial.to_str().ok_or_else(|| Error::Invalid("the path is not UTF-8".into()))?;
        remove_if_there(partial)?;
        // Made here for its mode; SQLite takes an empty file for none.
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial)?;
        sqlx::query(VACUUM).bind(name).execute(&mut *self.reader().await?).await?;
        // SQLite does not sync what it vacuums into.
        File::open(partial)?.sync_all()?;
        let report = verify(partial).await?;
        fs::rename(partial, to)?;
        sqlite::sync_parent(to)?;
        Ok(report)
    }
}

/// Reads a copy from end to end: whether it is undamaged, one of ours, of a schema this program knows, and what is in
/// it.
///
/// # Errors
/// [`Error::Invalid`] or [`Error::Schema`] if it cannot be restored.
pub async fn verify(path: &Path) -> Result<BackupReport, Error> {
    let bytes = fs::metadata(path)?.len();
    let mut connection = sqlite::open_immutable(path).await.map_err(damaged)?;
    let report = examine(&mut connection, bytes).await;
    connection.close().await?;
    report
}

async fn examine(connection: &mut SqliteConnection, bytes: u64) -> Result<BackupReport, Error> {
    let verdict: String =
        sqlx::query_scalar(INTEGRITY).fetch_one(&mut *connection).await.map_err(|error| damaged(error.into()))?;
    if verdict != "ok" {
        return Err(Error::Invalid(verdict.into()));
    }
    let application_id: i64 = sqlx::query_scalar(APPLICATION_ID).fetch_one(&mut *connection).await?;
    if application_id != sqlite::APPLICATION_ID {
        return Err(Error::Invalid("the database of another program, or empty".into()));
    }
    let (schema_version, accounts, roster_items, offline_messages): (i64, i64, i64, i64) =
        sqlx::query_as(COUNTS).fetch_one(connection).await?;
    if !sqlite::migrations().version_exists(schema_version) {
        return Err(Error::Schema(format!("version {schema_version} is newer than this program").into()));
    }
    Ok(BackupReport {
        schema_version,
        accounts: accounts.unsigned_abs(),
        roster_items: roster_items.unsigned_abs(),
        offline_messages: offline_messages.unsigned_abs(),
        bytes,
    })
}

/// Verifies `from` and makes it the database of the data directory whose lock the caller holds. The database that was
/// there is kept under another name.
///
/// # Errors
/// The directory is as before then, or the next start finishes the work.
pub async fn restore(from: &Path, lock: &DirLock) -> Result<BackupReport, Error> {
    let report = verify(from).await?;
    let database = lock.dir().join(DATABASE_FILE);
    let partial = sqlite::beside(&database, ".partial");
    fs::copy(from, &partial)?;
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o600))?;
    File::open(&partial)?.sync_all()?;
    // What was copied is what counts.
    verify(&partial).await?;
    fs::rename(&partial, sqlite::beside(&database, RESTORING))?;
    sqlite::sync_parent(&database)?;
    finish_restore(&database)?;
    Ok(report)
}

/// Puts a complete copy in the place of the database. Can be interrupted anywhere and done again: each start does.
pub(super) fn finish_restore(database: &Path) -> Result<(), Error> {
    let restoring = sqlite::beside(database, RESTORING);
    if !restoring.try_exists()? {
        return Ok(());
    }
    // A log that lies beside a database is replayed into it, so the old one has to go with its own.
    let old = sqlite::beside(database, BEFORE_RESTORE);
    if database.try_exists()? {
        remove_if_there(&sqlite::beside(&old, "-wal"))?;
        fs::rename(database, &old)?;
    }
    let log = sqlite::beside(database, "-wal");
    if log.try_exists()? {
        fs::rename(&log, sqlite::beside(&old, "-wal"))?;
    }
    remove_if_there(&sqlite::beside(database, "-shm"))?;
    // Its ids are those of the old database.
    remove_if_there(&database.with_file_name(JOURNAL_FILE))?;
    remove_if_there(&database.with_file_name(SESSIONS_FILE))?;
    sqlite::sync_parent(database)?;
    fs::rename(&restoring, database)?;
    sqlite::sync_parent(database)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// SQLite finds a file of nonsense "not a database" (26) or malformed (11).
fn damaged(error: Error) -> Error {
    match error {
        Error::Database(error) => Error::Invalid(error.to_string().into()),
        error => error,
    }
}
