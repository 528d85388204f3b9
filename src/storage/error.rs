//! What can go wrong with the database, as far as callers tell it apart.

use std::{io, sync::Arc};

use sqlx::error::ErrorKind;

/// Why a read or a write did not happen.
///
/// `Clone`, because one failed commit answers every operation that rode in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// More operations wait for the writer than the limits allow.
    #[error("too many writes are waiting for the disk")]
    Busy,
    /// The disk, or the size limit of the database, is full.
    #[error("the disk or the database is full")]
    Full,
    /// The storage was closed: the server is stopping.
    #[error("the storage is closed")]
    Closed,
    /// What should be made exists already.
    #[error("it exists already")]
    Conflict,
    /// The account (or invitation) an operation is about does not exist, or no longer.
    #[error("there is no such entry")]
    NotFound,
    /// The database has a schema this program cannot work with.
    #[error("the database schema cannot be used: {0}")]
    Schema(Arc<str>),
    /// A file is damaged, or none of our databases.
    #[error("not a usable database: {0}")]
    Invalid(Arc<str>),
    /// The file system refused.
    #[error("file system: {0}")]
    Io(Arc<io::Error>),
    /// The database refused.
    #[error("database: {0}")]
    Database(Arc<sqlx::Error>),
}

impl Error {
    /// Whether the same request may succeed later, without anybody changing it.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Busy | Self::Full | Self::Closed | Self::Io(_) => true,
            Self::Conflict | Self::NotFound | Self::Schema(_) | Self::Invalid(_) => false,
            // BUSY, LOCKED, NOMEM, READONLY, IOERR, CANTOPEN, PROTOCOL: the machine, not the statement.
            Self::Database(error) => matches!(sqlite_code(error), Some(5 | 6 | 7 | 8 | 10 | 14 | 15)),
        }
    }

    /// Whether the error belongs to one statement, so that the others of its transaction may still commit.
    ///
    /// Anything the machine is to blame for takes the whole batch with it: SQLite itself rolls back on most of these.
    pub(super) fn fails_alone(&self) -> bool {
        match self {
            Self::Conflict | Self::NotFound | Self::Schema(_) | Self::Invalid(_) => true,
            Self::Busy | Self::Full | Self::Closed | Self::Io(_) => false,
            // ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE.
            Self::Database(error) => match &**error {
                sqlx::Error::Database(_) => matches!(sqlite_code(error), Some(1 | 18 | 19 | 20 | 25)),
                sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => false,
                _ => true,
            },
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(error) => Self::Io(Arc::new(error)),
            sqlx::Error::Database(ref cause) => match cause.kind() {
                ErrorKind::UniqueViolation => Self::Conflict,
                // Every foreign key of the schema points at an account.
                ErrorKind::ForeignKeyViolation => Self::NotFound,
                _ if sqlite_code(&error) == Some(13) => Self::Full,
                _ => Self::Database(Arc::new(error)),
            },
            error => Self::Database(Arc::new(error)),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::Full } else { Self::Io(Arc::new(error)) }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            error => Self::Schema(error.to_string().into()),
        }
    }
}

/// The primary SQLite result code (<https://www.sqlite.org/rescode.html>) of a database error.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}
