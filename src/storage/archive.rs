//! Archived messages (XEP-0313): written with the other hot rows, read in pages whose price does not depend on the size
//! of the archive, and what an account wants archived (XEP-0441).
//!
//! An id is the moment of archiving in microseconds, made unique: it orders the messages of an account and says when.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use sqlx::SqliteConnection;

use crate::journal::Effect;

use super::{
    AccountId, ArchiveIds, ArchiveOwner, ArchiveShelf, Commit, Done, Error, Storage,
    archive_places::end_empty,
    archive_sql::{self as sql, Way},
    batch::Op,
    commit::Completion,
};

/// One chunk of a deletion holds up the other writers for some milliseconds.
const DELETE_ROWS_MAX: i64 = 250;
/// How many messages of a conversation are looked through for one that is retracted.
const RETRACTION_REACH: u32 = 20_000;

/// A message to archive.
#[derive(Clone, Debug)]
pub struct ArchiveRow {
    /// Whose archive.
    pub owner: ArchiveOwner,
    /// From [`Storage::archive_id`].
    pub id: i64,
    /// The bare JID of the correspondent; in a room that of the author.
    pub peer: Arc<str>,
    /// The resource of the correspondent or author.
    pub resource: Option<Box<str>>,
    /// From [`Storage::archive_mark`] of the message's own id.
    pub mark: i64,
    /// The stanza as it was received.
    pub stanza: Arc<str>,
    /// With it a room has this subject, since this moment.
    pub subject: Option<Box<(String, i64)>>,
}

impl ArchiveRow {
    pub(super) fn bytes(&self) -> usize {
        self.stanza.len() + self.peer.len() + self.subject.as_ref().map_or(0, |subject| subject.0.len())
    }
}

/// An archived message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedMessage {
    /// Its id, which is also when it was archived, in microseconds.
    pub id: i64,
    /// The stanza.
    pub stanza: String,
    /// In the archive of a room: its author, by the real JID.
    pub author: Option<String>,
}

/// Which messages of an archive are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveQuery {
    /// Later than this id.
    pub after: i64,
    /// Earlier than this id.
    pub before: i64,
    /// From or to this bare JID.
    pub peer: Option<String>,
    /// From or to this resource of it.
    pub resource: Option<String>,
    /// Among these.
    pub ids: Option<Vec<i64>>,
    /// Containing these words, as [`Storage::archive_words`] makes them.
    pub words: Option<String>,
}

impl Default for ArchiveQuery {
    fn default() -> Self {
        Self { after: i64::MIN, before: i64::MAX, peer: None, resource: None, ids: None, words: None }
    }
}

/// At which end of the messages that match a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFrom {
    /// The oldest.
    Oldest,
    /// The newest.
    Newest,
}

/// A page of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePage {
    /// In the order in which they were archived.
    pub messages: Vec<ArchivedMessage>,
    /// More match, beyond the end of the page.
    pub more: bool,
}

fn json(ids: &[i64]) -> String {
    serde_json::Value::from(ids).to_string()
}

impl ArchiveQuery {
    fn way(&self) -> Way {
        match self {
            Self { words: Some(_), .. } => Way::Words,
            Self { ids: Some(_), .. } => Way::Ids,
            Self { peer: Some(_), .. } => Way::Peer,
            _ => Way::Account,
        }
    }

    /// As many parameters as the statement of this [`Way`] has.
    fn bind<'q>(
        &'q self,
        sql: &'static str,
        owner: ArchiveOwner,
        rows: u32,
        bytes: u64,
    ) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let query = sqlx::query(sql).bind(owner.key()).bind(self.after).bind(self.before).bind(rows).bind(bytes);
        let way = self.way();
        if matches!(way, Way::Account) {
            return query;
        }
        let query = query.bind(self.peer.as_deref()).bind(self.resource.as_deref());
        let ids = || self.ids.as_deref().map(json);
        match way {
            Way::Account | Way::Peer => query,
            Way::Ids => query.bind(ids()),
            Way::Words => query.bind(ids()).bind(self.words.as_deref()),
        }
    }
}

impl Storage {
    /// The id of a message that is archived now: later than all given out before.
    pub fn archive_id(&self, now_us: i64) -> i64 {
        next_id(&self.0.archive_clock, now_us)
    }

    /// What clients are told for the ids of messages.
    #[must_use]
    pub fn archive_ids(&self) -> ArchiveIds {
        self.0.archive_ids
    }

    /// A short mark of a stanza's `id`, by which [`Storage::archive_retract`] finds it (FNV-1a; not against forgers).
    #[must_use]
    pub fn archive_mark(id: Option<&str>) -> i64 {
        let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
        id.map_or(0, |id| id.as_bytes().iter().fold(2_166_136_261, step).into())
    }

    /// Archives a message. `done` is called once in any case: after the commit, or with the reason why there is none
    /// ([`Error::Busy`] at once and by the caller's own thread). [`Error::NotFound`] if the account is gone.
    pub fn archive_store(&self, row: ArchiveRow, done: Done) {
        self.archive_store_caused(row, None, done);
    }

    /// The same with what the session journal is to know about it.
    pub fn archive_store_caused(&self, row: ArchiveRow, effect: Option<Effect>, done: Done) {
        self.0.queue.submit(Op::Archive(row, Completion::new(done, effect)));
    }

    /// The messages that match, from one end: at most `limit_rows` of them, and no more than `limit_bytes` unless the
    /// first one alone is larger.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_page(
        &self,
        owner: impl Into<ArchiveOwner>,
        query: &ArchiveQuery,
        from: PageFrom,
        limit_rows: u32,
        limit_bytes: u64,
    ) -> Result<ArchivePage, Error> {
        let owner = owner.into();
        let sql = sql::page(owner.shelf(), query.way(), from);
        let bound = query.bind(sql, owner, limit_rows.saturating_add(1), limit_bytes);
        let packed: Option<String> = sqlx::Row::try_get(&bound.fetch_one(&mut *self.reader().await?).await?, 0)?;
        let limit = usize::try_from(limit_rows).unwrap_or(usize::MAX);
        unpack(packed.as_deref().unwrap_or_default(), owner.shelf(), from, limit)
            .ok_or_else(|| Error::Invalid("archived messages that are none".into()))
    }

    /// How many messages match; no more than `limit` are counted.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_count(
        &self,
        owner: impl Into<ArchiveOwner>,
        query: &ArchiveQuery,
        limit: u32,
    ) -> Result<u64, Error> {
        let owner = owner.into();
        let bound = query.bind(sql::count(owner.shelf(), query.way()), owner, limit, 0);
        let count: i64 = sqlx::Row::try_get(&bound.fetch_one(&mut *self.reader().await?).await?, 0)?;
        Ok(count.unsigned_abs())
    }

    /// Are all of these, each named once, in the archive?
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_knows(&self, owner: impl Into<ArchiveOwner>, ids: &[i64]) -> Result<bool, Error> {
        let owner = owner.into();
        let query = sqlx::query_scalar(sql::KNOWN.on(owner.shelf())).bind(owner.key()).bind(json(ids));
        let count: i64 = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(usize::try_from(count) == Ok(ids.len()))
    }

    /// The ids of the first and last message.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_bounds(&self, owner: impl Into<ArchiveOwner>) -> Result<Option<(i64, i64)>, Error> {
        let owner = owner.into();
        let query = sqlx::query_as(sql::BOUNDS.on(owner.shelf())).bind(owner.key());
        let (first, last): (Option<i64>, Option<i64>) = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(first.zip(last))
    }

    /// Replaces the latest message with `peer`, of this mark and archived before `before`, for which `judge` gives
    /// something else; `false` if there is none.
    pub fn archive_retract(
        &self,
        owner: impl Into<ArchiveOwner>,
        peer: &str,
        mark: i64,
        before: i64,
        judge: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Commit<bool> {
        let (owner, peer) = (owner.into(), peer.to_owned());
        self.write(peer.len(), move |connection| {
            Box::pin(async move {
                let query = sqlx::query_as(sql::FIND.on(owner.shelf())).bind(owner.key()).bind(peer);
                let query = query.bind(before).bind(RETRACTION_REACH).bind(mark);
                let found: Vec<(i64, String)> = query.fetch_all(&mut *connection).await?;
                replace_first(connection, owner.shelf(), found, judge).await
            })
        })
    }

    /// Replaces the message of this id, if `judge` gives something else and it is of `author` where one is named (by the
    /// bare JID); `false` if there is none.
    pub fn archive_replace(
        &self,
        owner: impl Into<ArchiveOwner>,
        id: i64,
        author: Option<&str>,
        judge: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Commit<bool> {
        let (owner, author) = (owner.into(), author.map(str::to_owned));
        self.write(author.as_ref().map_or(0, String::len), move |connection| {
            Box::pin(async move {
                let query = sqlx::query_as(sql::FIND_ID.on(owner.shelf())).bind(owner.key()).bind(id).bind(author);
                let found: Vec<(i64, String)> = query.fetch_all(&mut *connection).await?;
                replace_first(connection, owner.shelf(), found, judge).await
            })
        })
    }

    /// Removes all messages of these archives archived before `before_us`, in steps that let other writes pass, and says how many these
    /// were.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn archive_expire(&self, shelf: ArchiveShelf, before_us: i64) -> Result<u64, Error> {
        self.in_steps(shelf, sql::EXPIRE.on(shelf), vec![before_us, DELETE_ROWS_MAX]).await
    }

    /// Removes the messages of one archive archived before `before_us`, likewise.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn archive_purge(&self, owner: impl Into<ArchiveOwner>, before_us: i64) -> Result<u64, Error> {
        let owner = owner.into();
        let (shelf, values) = (owner.shelf(), vec![before_us, owner.key(), DELETE_ROWS_MAX]);
        self.in_steps(shelf, sql::PURGE.on(shelf), values).await
    }

    async fn in_steps(&self, shelf: ArchiveShelf, sql: &'static str, values: Vec<i64>) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let (values, gone) = (values.clone(), self.0.chats_gone.clone());
            let step = self.write(0, move |connection| {
                Box::pin(async move {
                    let query = values.into_iter().fold(sqlx::query_scalar(sql), |query, value| query.bind(value));
                    let chats: Vec<i64> = query.fetch_all(&mut *connection).await?;
                    let rows = chats.len() as u64;
                    end_empty(connection, shelf, chats, &gone).await?;
                    Ok(rows)
                })
            });
            match step.await? {
                0 => return Ok(total),
                rows => total += rows,
            }
        }
    }

    /// Remembers what an account wants archived.
    pub fn archive_set_prefs(&self, account: AccountId, prefs: String) -> Commit<()> {
        self.write(prefs.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(sql::SET_PREFS).bind(account.0).bind(prefs).execute(connection).await?;
                Ok(())
            })
        })
    }
}

fn next_id(clock: &AtomicI64, now_us: i64) -> i64 {
    let next = |last: i64| now_us.max(last + 1);
    clock.fetch_update(Relaxed, Relaxed, |last| Some(next(last))).map_or(now_us, next)
}

/// Puts what `judge` gives in the place of the first message for which it gives something.
async fn replace_first(
    connection: &mut SqliteConnection,
    shelf: ArchiveShelf,
    found: Vec<(i64, String)>,
    judge: impl Fn(&str) -> Option<String>,
) -> Result<bool, Error> {
    for (row, stanza) in found {
        if let Some(changed) = judge(&stanza) {
            sqlx::query(sql::FORGET_WORDS.on(shelf)).bind(row).execute(&mut *connection).await?;
            sqlx::query(sql::REPLACE.on(shelf)).bind(row).bind(changed).execute(connection).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Messages as [`sql::page`] packs them.
fn unpack(mut packed: &str, shelf: ArchiveShelf, from: PageFrom, limit: usize) -> Option<ArchivePage> {
    let mut page = ArchivePage::default();
    while !packed.is_empty() {
        let (id, rest) = packed.split_once(' ')?;
        let (bytes, rest) = rest.split_once(' ')?;
        if bytes == "-" || page.messages.len() == limit {
            page.more = true;
            break;
        }
        let (stanza, rest) = rest.split_at_checked(bytes.parse().ok()?)?;
        let (author, stanza) = match shelf {
            ArchiveShelf::Accounts => (None, stanza),
            ArchiveShelf::Rooms => stanza.split_once('\n').map(|(author, stanza)| (Some(author.to_owned()), stanza))?,
        };
        page.messages.push(ArchivedMessage { id: id.parse().ok()?, stanza: stanza.to_owned(), author });
        packed = rest;
    }
    if from == PageFrom::Newest {
        page.messages.reverse();
    }
    Some(page)
}
