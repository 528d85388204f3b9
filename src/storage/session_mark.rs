//! What the database knows of the session journal: whose it is, and which of the transactions it tells of were committed.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use sqlx::SqliteConnection;

use super::{Error, SESSIONS_FILE, Storage};
use crate::journal::{Effect, Journal};

const GET: &str = "SELECT database, committed FROM session_journal WHERE id = 1";
const SET: &str = "UPDATE session_journal SET committed = $1 WHERE id = 1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[GET, SET];

/// What the database says of a session journal.
#[derive(Clone, Debug)]
pub struct SessionMark {
    /// The journal's file.
    pub path: PathBuf,
    /// Names the database.
    pub database: i64,
    /// The last transaction with effects of stanzas that was committed.
    pub committed: u64,
}

impl Storage {
    /// To be asked before [`Storage::note_effects`].
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn session_mark(&self) -> Result<SessionMark, Error> {
        let (database, committed): (i64, i64) = sqlx::query_as(GET).fetch_one(&mut *self.reader().await?).await?;
        let path = self.0.path.with_file_name(SESSIONS_FILE);
        Ok(SessionMark { path, database, committed: committed.unsigned_abs() })
    }

    /// From now on the journal is told what is committed. Once.
    pub fn note_effects(&self, journal: Arc<Journal>) {
        let _ = self.0.sessions.set(journal);
    }
}

/// What the writer has told the journal about a transaction that is not committed yet.
#[derive(Default)]
pub(super) struct Noted(Option<u64>);

impl Noted {
    /// Just before the commit: the journal first, its number with the transaction. So a kill leaves either both or nothing that
    /// counts.
    pub(super) async fn begin(
        &mut self,
        journal: &OnceLock<Arc<Journal>>,
        connection: &mut SqliteConnection,
        effects: Vec<Effect>,
    ) -> Result<(), Error> {
        let Some(journal) = journal.get().filter(|_| !effects.is_empty()) else { return Ok(()) };
        let transaction = journal.begin(effects);
        self.0 = Some(transaction);
        sqlx::query(SET).bind(transaction.cast_signed()).execute(connection).await?;
        Ok(())
    }

    /// It is decided.
    pub(super) fn end(&mut self, journal: &OnceLock<Arc<Journal>>, committed: bool) {
        if let Some(transaction) = self.0.take()
            && !committed
            && let Some(journal) = journal.get()
        {
            journal.failed(transaction);
        }
    }
}
