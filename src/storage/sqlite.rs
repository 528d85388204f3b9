//! All that is particular to SQLite: connections, pragmas, migrations, multi-row statements.
//!
//! The statements of the other files use `$n` placeholders and common SQL, so that PostgreSQL can become a neighbour.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, SqlStr, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{Error, StorageOptions};

/// "Magp", written into the header by the first migration.
pub(super) const APPLICATION_ID: i64 = 0x4d61_6770;
/// How long to wait for a lock some other program (an operator's `sqlite3`) holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The writer's cache holds the pages one batch changes: what does not fit is written before the commit, and again after.
const WRITER_CACHE_KIB_MIN: usize = 8 << 10;
/// The log is folded into the database at this size: a page that many commits change is then copied once.
const CHECKPOINT_PAGES: u32 = 4_000;
/// After a burst the write-ahead log shrinks back to this.
const WAL_BYTES_KEPT: u32 = 24 << 20;
const PAGE_BYTES: u64 = 4096;

/// The write connection: makes the file when missing, survives power loss after each commit.
pub(super) async fn open_writer(options: &StorageOptions) -> Result<SqliteConnection, Error> {
    let mut connect = SqliteConnectOptions::new()
        .filename(&options.path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .thread_name(|_| "db-writer".to_owned())
        .pragma("cache_size", format!("-{}", options.cache_kib.max(WRITER_CACHE_KIB_MIN)))
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("journal_size_limit", WAL_BYTES_KEPT.to_string())
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging();
    if let Some(bytes) = options.size_bytes_max {
        connect = connect.pragma("max_page_count", (bytes / PAGE_BYTES).max(1).to_string());
    }
    let mut connection = connect.connect().await?;
    // The first read makes the log file; its directory entry must be durable before anything in it counts.
    sqlx::query("SELECT 1 FROM sqlite_master LIMIT 1").fetch_optional(&mut connection).await?;
    sync_parent(&options.path)?;
    Ok(connection)
}

/// How to open a connection that only reads.
pub(super) fn reader_options(options: &StorageOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&options.path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .thread_name(|n| format!("db-reader-{n}"))
        .pragma("cache_size", format!("-{}", options.cache_kib))
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// A connection for looking at a file nobody writes, leaving no files beside it.
pub(super) async fn open_immutable(path: &Path) -> Result<SqliteConnection, Error> {
    let connect = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    Ok(connect.disable_statement_logging().connect().await?)
}

/// Every schema change ever released, oldest first. A released one never changes: its checksum is in the databases.
pub(super) fn migrations() -> Migrator {
    let released = [
        (1, "init", include_str!("migrations/0001_init.sql")),
        (2, "archive", include_str!("migrations/0002_archive.sql")),
        (3, "pubsub", include_str!("migrations/0003_pubsub.sql")),
        (4, "blocking", include_str!("migrations/0004_blocking.sql")),
        (5, "push", include_str!("migrations/0005_push.sql")),
        (6, "devices", include_str!("migrations/0006_devices.sql")),
        (7, "sessions", include_str!("migrations/0007_sessions.sql")),
        (8, "archive by account", include_str!("migrations/0008_archive.sql")),
        (9, "photo", include_str!("migrations/0009_photo.sql")),
        (10, "uploads", include_str!("migrations/0010_uploads.sql")),
        (11, "rooms", include_str!("migrations/0011_rooms.sql")),
        (12, "archive by room", include_str!("migrations/0012_room_archive.sql")),
        (13, "invitations", include_str!("migrations/0013_invites.sql")),
        (14, "hats", include_str!("migrations/0014_hats.sql")),
        (15, "activity of rooms", include_str!("migrations/0015_room_activity.sql")),
    ];
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(released.into_iter().map(migration).collect())
}

/// Makes the data directory (0700) and an empty database file (0600) when missing; the log files inherit its mode.
pub(super) fn prepare_file(path: &Path) -> Result<(), Error> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    Ok(())
}

/// Makes the directory entries beside `path` durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), Error> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(dir)?.sync_all()?;
    Ok(())
}

/// `magpie.db` with `-wal` and the like appended.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The fixed sizes of multi-row statements: few, so that the statement cache always hits.
pub(super) const ROWS: [usize; 4] = [256, 64, 8, 1];

/// A statement over many rows, once for each of [`ROWS`].
///
/// With bare `?`: SQLite looks named parameters up by walking a list, which is quadratic in a statement of a thousand.
pub(super) fn many_rows(head: &str, columns: usize, tail: &str) -> [String; 4] {
    ROWS.map(|rows| {
        let row = format!("({})", vec!["?"; columns].join(","));
        format!("{head} {} {tail}", vec![row; rows].join(","))
    })
}

/// The index into [`ROWS`] of the largest statement that `rows` fill.
pub(super) fn fitting(rows: usize) -> usize {
    ROWS.iter().position(|&size| size <= rows).unwrap_or(ROWS.len() - 1)
}
