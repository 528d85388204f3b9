//! Archived messages (XEP-0313): written with the other hot rows, read in pages whose price does not depend on the size
//! of the archive, and what an account wants archived (XEP-0441).
//!
//! An id is the moment of archiving in microseconds, made unique: it orders the messages of an account and says when.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use sqlx::SqliteConnection;

use crate::journal::Effect;

use super::{
    AccountId, ArchiveIds, Commit, Done, Error, Storage, archive_places, batch::Op, commit::Completion, sqlite,
};

/// A message to archive.
#[derive(Clone, Debug)]
pub struct ArchiveRow {
    /// Whose archive.
    pub account: AccountId,
    /// From [`Storage::archive_id`].
    pub id: i64,
    /// The bare JID of the correspondent.
    pub peer: Arc<str>,
    /// The resource of the correspondent.
    pub resource: Option<Box<str>>,
    /// From [`Storage::archive_mark`] of the message's own id.
    pub mark: i64,
    /// The stanza as it was received.
    pub stanza: Arc<str>,
}

impl ArchiveRow {
    pub(super) fn bytes(&self) -> usize {
        self.stanza.len() + self.peer.len()
    }
}

/// An archived message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedMessage {
    /// Its id, which is also when it was archived, in microseconds.
    pub id: i64,
    /// The stanza.
    pub stanza: String,
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

/// `OR FAIL`: a failure undoes the whole transaction anyway, so the statement need not prepare to undo its own part.
pub(super) static INSERT: LazyLock<[String; 4]> = LazyLock::new(|| {
    sqlite::many_rows(
        "INSERT OR FAIL INTO archive (row_id, account_id, chat, id, resource, mark, stanza) VALUES",
        7,
        "",
    )
});

const LAST_ID: &str = "SELECT max(id) FROM archive";
const BOUNDS: &str = "SELECT
    (SELECT id FROM archive WHERE row_id > $1 << 31 AND row_id < ($1 + 1) << 31 ORDER BY row_id LIMIT 1),
    (SELECT id FROM archive WHERE row_id > $1 << 31 AND row_id < ($1 + 1) << 31 ORDER BY row_id DESC LIMIT 1)";
const KNOWN: &str = "SELECT count(*) FROM json_each($2) AS asked
    CROSS JOIN archive AS m INDEXED BY archive_by_time ON m.id = asked.value WHERE m.account_id = $1";
const FIND: &str = "SELECT row_id, stanza FROM archive WHERE row_id IN (
    SELECT row_id FROM (
        SELECT row_id, mark FROM archive INDEXED BY archive_by_chat
        WHERE chat = (SELECT chat FROM archive_chats WHERE account_id = $1 AND peer = $2) AND id < $3
        ORDER BY id DESC LIMIT $4
    ) AS recent WHERE mark = $5 LIMIT 8) ORDER BY row_id DESC";
const REPLACE: &str = "UPDATE archive SET stanza = $2 WHERE row_id = $1";
const FORGET_WORDS: &str = "DELETE FROM archive_words WHERE rowid =
    (SELECT row_id FROM archive AS m JOIN archive_indexed AS i ON i.account_id = m.account_id
     WHERE m.row_id = $1 AND m.id <= i.upto_id)";
const SET_PREFS: &str = "INSERT INTO archive_prefs (account_id, prefs) VALUES ($1, $2)
    ON CONFLICT (account_id) DO UPDATE SET prefs = excluded.prefs";

/// One chunk of a deletion holds up the other writers for some milliseconds.
const DELETE_ROWS_MAX: i64 = 250;
/// How many messages of a conversation are looked through for one that is retracted.
const RETRACTION_REACH: u32 = 20_000;

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LAST_ID, BOUNDS, KNOWN, FIND, REPLACE, FORGET_WORDS, SET_PREFS];

/// A row of `account` before which all its messages are of `id` or earlier; at most 32 others are between.
pub(super) fn row_before(account: &str, id: &str) -> String {
    format!(
        "CASE WHEN {id} < 0 THEN {account} << 31 ELSE coalesce((SELECT row_id FROM archive INDEXED BY archive_milestones
            WHERE account_id = {account} AND id <= {id} AND row_id & 31 = 0 ORDER BY id DESC LIMIT 1
         ), {account} << 31) END"
    )
}

/// A row of `account` behind which all its messages are of `id` or later; at most 32 others are between.
fn row_behind(account: &str, id: &str) -> String {
    let max = i64::MAX;
    format!(
        "CASE WHEN {id} = {max} THEN ({account} + 1) << 31 ELSE coalesce((
            SELECT row_id FROM archive INDEXED BY archive_milestones
            WHERE account_id = {account} AND id >= {id} AND row_id & 31 = 0 ORDER BY id LIMIT 1
         ), ({account} + 1) << 31) END"
    )
}

/// Of the accounts that have the oldest messages: those of one account are neighbours, and cheap to remove together.
static EXPIRE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "DELETE FROM archive WHERE row_id IN (
            SELECT m.row_id FROM (SELECT DISTINCT row_id >> 31 AS account FROM (
                SELECT row_id FROM archive INDEXED BY archive_by_time WHERE id < $1 ORDER BY id LIMIT 100
            )) AS oldest CROSS JOIN archive AS m
            ON m.row_id > oldest.account << 31 AND m.row_id < {} AND m.id < $1 LIMIT $2
         ) RETURNING chat",
        row_behind("oldest.account", "$1")
    )
});
static PURGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "DELETE FROM archive WHERE row_id IN (
            SELECT row_id FROM archive WHERE row_id > $2 << 31 AND row_id < {} AND id < $1 ORDER BY row_id LIMIT $3
         ) RETURNING chat",
        row_behind("$2", "$1")
    )
});

/// By which index the messages are found.
#[derive(Clone, Copy)]
enum Way {
    Account,
    Peer,
    Ids,
    Words,
}

const WAYS: [Way; 4] = [Way::Account, Way::Peer, Way::Ids, Way::Words];

/// The messages that match, from one end, at most `$4`.
fn matching(way: Way, from: PageFrom) -> String {
    let order = order(from);
    let (before, behind) = (row_before("$1", "$2"), row_behind("$1", "$3"));
    let rows = |row: &str| format!("{row} > {before} AND {row} < {behind}");
    let chat = "(SELECT chat FROM archive_chats WHERE account_id = $1 AND peer = $6)";
    let peer = format!("($6 IS NULL OR m.chat = {chat}) AND ($7 IS NULL OR m.resource = $7)");
    let among = "m.id IN (SELECT value FROM json_each($8))";
    let (source, filter, order_by) = match way {
        Way::Account => ("archive AS m", rows("m.row_id"), "m.row_id"),
        Way::Peer => (
            "archive AS m INDEXED BY archive_by_chat",
            format!("m.chat = {chat} AND ($7 IS NULL OR m.resource = $7)"),
            "m.id",
        ),
        Way::Ids => {
            ("archive AS m INDEXED BY archive_by_time", format!("{among} AND m.account_id = $1 AND {peer}"), "m.id")
        }
        Way::Words => (
            "archive_words CROSS JOIN archive AS m ON m.row_id = archive_words.rowid",
            format!(
                "archive_words MATCH $9 AND {} AND m.account_id = $1 AND ($8 IS NULL OR {among}) AND {peer}",
                rows("archive_words.rowid")
            ),
            "archive_words.rowid",
        ),
    };
    format!(
        "SELECT m.id, m.stanza FROM {source} WHERE {filter} AND m.id > $2 AND m.id < $3
         ORDER BY {order_by} {order} LIMIT $4"
    )
}

fn order(from: PageFrom) -> &'static str {
    match from {
        PageFrom::Oldest => "ASC",
        PageFrom::Newest => "DESC",
    }
}

/// A page as one text, each message as `id bytes stanza`, or `id - ` where it does not fit any more: a row on its way
/// from the database's thread costs more than the bytes in it.
static PAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let page = |way: Way, from: PageFrom| {
        let (matching, order) = (matching(way, from), order(from));
        format!(
            "SELECT group_concat(id || ' ' || CASE WHEN total <= $5 OR total = bytes
                THEN bytes || ' ' || stanza ELSE '- ' END, '') FROM (
             SELECT id, stanza, octet_length(stanza) AS bytes,
                sum(octet_length(stanza)) OVER (ORDER BY id {order} ROWS UNBOUNDED PRECEDING) AS total
             FROM ({matching}) AS page) AS summed"
        )
    };
    WAYS.iter().flat_map(|&way| [PageFrom::Oldest, PageFrom::Newest].map(|from| page(way, from))).collect()
});

/// Without other conditions, those in the indexes of its chats: these are smaller than the messages.
const COUNT: &str = "SELECT 1 FROM archive_chats AS c CROSS JOIN archive AS m INDEXED BY archive_by_chat
    ON m.chat = c.chat WHERE c.account_id = $1 AND m.id > $2 AND m.id < $3 LIMIT $4";

static COUNTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let matching = |&way: &Way| match way {
        Way::Account => COUNT.to_owned(),
        way => matching(way, PageFrom::Oldest).replace("m.id, m.stanza", "1"),
    };
    WAYS.iter().map(matching).map(|matching| format!("SELECT count(*), $5 FROM ({matching}) AS counted")).collect()
});

#[cfg(test)]
pub(super) fn statements() -> Vec<&'static str> {
    PAGES.iter().chain(COUNTS.iter()).chain([&*EXPIRE, &*PURGE]).map(String::as_str).collect()
}

/// The id that was given out last.
pub(super) async fn last_id(connection: &mut SqliteConnection) -> Result<i64, Error> {
    let id: Option<i64> = sqlx::query_scalar(LAST_ID).fetch_one(connection).await?;
    Ok(id.unwrap_or(0))
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
        account: AccountId,
        rows: u32,
        bytes: u64,
    ) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let query = sqlx::query(sql).bind(account.0).bind(self.after).bind(self.before).bind(rows).bind(bytes);
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
        account: AccountId,
        query: &ArchiveQuery,
        from: PageFrom,
        limit_rows: u32,
        limit_bytes: u64,
    ) -> Result<ArchivePage, Error> {
        let sql = PAGES[query.way() as usize * 2 + usize::from(from == PageFrom::Newest)].as_str();
        let bound = query.bind(sql, account, limit_rows.saturating_add(1), limit_bytes);
        let packed: Option<String> = sqlx::Row::try_get(&bound.fetch_one(&mut *self.reader().await?).await?, 0)?;
        let limit = usize::try_from(limit_rows).unwrap_or(usize::MAX);
        unpack(packed.as_deref().unwrap_or_default(), from, limit)
            .ok_or_else(|| Error::Invalid("archived messages that are none".into()))
    }

    /// How many messages match; no more than `limit` are counted.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_count(&self, account: AccountId, query: &ArchiveQuery, limit: u32) -> Result<u64, Error> {
        let bound = query.bind(COUNTS[query.way() as usize].as_str(), account, limit, 0);
        let count: i64 = sqlx::Row::try_get(&bound.fetch_one(&mut *self.reader().await?).await?, 0)?;
        Ok(count.unsigned_abs())
    }

    /// Are all of these, each named once, in the archive?
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_knows(&self, account: AccountId, ids: &[i64]) -> Result<bool, Error> {
        let query = sqlx::query_scalar(KNOWN).bind(account.0).bind(json(ids));
        let count: i64 = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(usize::try_from(count) == Ok(ids.len()))
    }

    /// The ids of the first and last message.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_bounds(&self, account: AccountId) -> Result<Option<(i64, i64)>, Error> {
        let query = sqlx::query_as(BOUNDS).bind(account.0);
        let (first, last): (Option<i64>, Option<i64>) = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(first.zip(last))
    }

    /// Replaces the latest message with `peer`, of this mark and archived before `before`, for which `judge` gives
    /// something else; `false` if there is none.
    pub fn archive_retract(
        &self,
        account: AccountId,
        peer: &str,
        mark: i64,
        before: i64,
        judge: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Commit<bool> {
        let peer = peer.to_owned();
        self.write(peer.len(), move |connection| {
            Box::pin(async move {
                let query =
                    sqlx::query_as(FIND).bind(account.0).bind(peer).bind(before).bind(RETRACTION_REACH).bind(mark);
                let found: Vec<(i64, String)> = query.fetch_all(&mut *connection).await?;
                for (row, stanza) in found {
                    if let Some(changed) = judge(&stanza) {
                        sqlx::query(FORGET_WORDS).bind(row).execute(&mut *connection).await?;
                        sqlx::query(REPLACE).bind(row).bind(changed).execute(connection).await?;
                        return Ok(true);
                    }
                }
                Ok(false)
            })
        })
    }

    /// Removes all messages archived before `before_us`, in steps that let other writes pass, and says how many these
    /// were.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn archive_expire(&self, before_us: i64) -> Result<u64, Error> {
        self.in_steps(&EXPIRE, vec![before_us, DELETE_ROWS_MAX]).await
    }

    /// Removes the messages of an account archived before `before_us`, likewise.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn archive_purge(&self, account: AccountId, before_us: i64) -> Result<u64, Error> {
        self.in_steps(&PURGE, vec![before_us, account.0, DELETE_ROWS_MAX]).await
    }

    async fn in_steps(&self, sql: &'static str, values: Vec<i64>) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let (values, gone) = (values.clone(), self.0.chats_gone.clone());
            let step = self.write(0, move |connection| {
                Box::pin(async move {
                    let query = values.into_iter().fold(sqlx::query_scalar(sql), |query, value| query.bind(value));
                    let chats: Vec<i64> = query.fetch_all(&mut *connection).await?;
                    let rows = chats.len() as u64;
                    archive_places::end_empty(connection, chats, &gone).await?;
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
                sqlx::query(SET_PREFS).bind(account.0).bind(prefs).execute(connection).await?;
                Ok(())
            })
        })
    }
}

fn next_id(clock: &AtomicI64, now_us: i64) -> i64 {
    let next = |last: i64| now_us.max(last + 1);
    clock.fetch_update(Relaxed, Relaxed, |last| Some(next(last))).map_or(now_us, next)
}

/// Messages as [`PAGES`] packs them.
fn unpack(mut packed: &str, from: PageFrom, limit: usize) -> Option<ArchivePage> {
    let mut page = ArchivePage::default();
    while !packed.is_empty() {
        let (id, rest) = packed.split_once(' ')?;
        let (bytes, rest) = rest.split_once(' ')?;
        if bytes == "-" || page.messages.len() == limit {
            page.more = true;
            break;
        }
        let (stanza, rest) = rest.split_at_checked(bytes.parse().ok()?)?;
        page.messages.push(ArchivedMessage { id: id.parse().ok()?, stanza: stanza.to_owned() });
        packed = rest;
    }
    if from == PageFrom::Newest {
        page.messages.reverse();
    }
    Some(page)
}
