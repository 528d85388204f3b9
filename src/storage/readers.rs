//! Connections for reading.
//!
//! Not sqlx's pool: that pings a connection each time it is returned, from a task of its own, which doubles the price of
//! a small read. These are files on the same machine; there is nothing to find dead.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Error;

/// A few read-only connections, opened when first needed.
pub(super) struct Readers {
    options: SqliteConnectOptions,
    permits: Semaphore,
    /// The one used last is taken first: its cache is warm.
    idle: Mutex<Vec<SqliteConnection>>,
}

/// A connection on loan.
pub(super) struct Reader<'r> {
    home: &'r Readers,
    connection: Option<SqliteConnection>,
    _permit: SemaphorePermit<'r>,
}

impl Readers {
    pub(super) fn new(options: SqliteConnectOptions, count: usize) -> Self {
        Self { options, permits: Semaphore::new(count.max(1)), idle: Mutex::default() }
    }

    /// The next free connection.
    pub(super) async fn get(&self) -> Result<Reader<'_>, Error> {
        let permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Reader { home: self, connection: Some(connection), _permit: permit })
    }

    /// Lends no more, and closes what is not on loan.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "closing a read connection");
            }
        }
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Deref for Reader<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("taken only by drop")
    }
}

impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("taken only by drop")
    }
}

impl Drop for Reader<'_> {
    /// Also after a cancelled read: its thread finishes that statement before it looks at the next.
    fn drop(&mut self) {
        if self.home.permits.is_closed() {
            return;
        }
        if let Some(connection) = self.connection.take() {
            self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
