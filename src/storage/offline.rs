//! Messages for users who are not there (XEP-0160).

use std::sync::Arc;

use sqlx::Row;

use crate::journal::Effect;

use super::{
    AccountId, ArchiveId, Commit, Done, Error, Storage,
    batch::{Delete, Op},
    commit::Completion,
};

/// A message to keep.
#[derive(Clone, Debug)]
pub struct OfflineRow {
    /// Whom it is for.
    pub account: AccountId,
    /// When the server got it (XEP-0203).
    pub stamp_us: i64,
    /// When it may be forgotten.
    pub expires_us: Option<i64>,
    /// The stanza as it will be sent.
    pub stanza: Arc<str>,
}

/// A kept message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineMessage {
    /// Its place in the order of arrival.
    pub id: i64,
    /// When the server got it (XEP-0203).
    pub stamp_us: i64,
    /// The stanza as it was stored.
    pub stanza: String,
}

/// A kept message without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineInfo {
    /// Its place in the order of arrival.
    pub id: i64,
    /// When the server got it.
    pub stamp_us: i64,
    /// When it may be forgotten.
    pub expires_us: Option<i64>,
    /// The size of the stanza.
    pub bytes: u64,
}

/// What an account has waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfflineUsage {
    /// Messages.
    pub count: u64,
    /// Their sizes together.
    pub bytes: u64,
}

/// What one of many accounts has waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineTotal {
    /// Whose.
    pub jid: String,
    /// How much.
    pub usage: OfflineUsage,
    /// When the oldest came.
    pub oldest_us: i64,
}

/// Many messages as one text, each as `id stamp bytes stanza`: a row on its way from the database's thread costs more
/// than the bytes in it.
const PAGE: &str = "SELECT group_concat(id || ' ' || stamp_us || ' ' || bytes || ' ' || stanza, '') FROM (
    SELECT id, stamp_us, bytes, stanza, sum(bytes) OVER (ORDER BY id) AS total FROM (
        SELECT id, stamp_us, bytes, stanza FROM offline WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3
    ) AS page) AS summed WHERE total <= $4 OR total = bytes";
const COUNT: &str = "SELECT count(*), coalesce(sum(bytes), 0) FROM offline WHERE account_id = $1 AND id > $2";
const LIST: &str = "SELECT id, stamp_us, expires_us, bytes FROM offline
    WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const TOTALS: &str = "SELECT a.id, a.jid, count(*), sum(o.bytes), min(o.stamp_us)
    FROM accounts AS a JOIN offline AS o ON o.account_id = a.id WHERE a.jid > $1 GROUP BY a.jid ORDER BY a.jid LIMIT $2";
const COUNT_ALL: &str = "SELECT count(*) FROM offline";
const COUNT_BEFORE: &str = "SELECT count(*), coalesce(sum(bytes), 0) FROM offline
    WHERE account_id = $1 AND id > $2 AND stamp_us < $3";
const PURGE: &str = "DELETE FROM offline WHERE account_id = $1 AND stamp_us < $2";
/// Messages whose stanza-id (`$3` and what follows it) is in the archive.
/// What a stored message is called in the archive of its account.
const TOLD: &str = "SELECT id, bytes, substr(stanza, instr(stanza, $3) + length($3), $4) FROM offline
    WHERE account_id = $1 AND id > $2 AND instr(stanza, $3) > 0";
const IS_ARCHIVED: &str = "SELECT EXISTS (SELECT 1 FROM archive WHERE id = $1 AND account_id = $2)";
const REMOVE: &str = "DELETE FROM offline WHERE id = $1";
const EXPIRE: &str = "DELETE FROM offline WHERE id IN
    (SELECT id FROM offline WHERE expires_us <= $1 ORDER BY expires_us LIMIT $2)";
/// One chunk of an expiry holds up the other writers for some milliseconds.
const EXPIRE_ROWS_MAX: u32 = 1000;

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[PAGE, COUNT, LIST, TOTALS, COUNT_ALL, COUNT_BEFORE, PURGE, TOLD, IS_ARCHIVED, REMOVE, EXPIRE];

impl Storage {
    /// Keeps a message. `done` is called once in any case: after the commit, or with the reason why there is none
    /// ([`Error::Busy`] at once and by the caller's own thread). [`Error::NotFound`] if the account is gone.
    pub fn offline_store(&self, row: OfflineRow, done: Done) {
        self.offline_store_caused(row, None, done);
    }

    /// The same with what the session journal is to know about it.
    pub fn offline_store_caused(&self, row: OfflineRow, effect: Option<Effect>, done: Done) {
        self.0.queue.submit(Op::Store(row, Completion::new(done, effect)));
    }

    /// The oldest messages after `after_id` that are not handed out: at most `limit_rows` of them, and no more than
    /// `limit_bytes` unless the first one alone is larger. None: that was all.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn offline_page(
        &self,
        account: AccountId,
        after_id: i64,
        limit_rows: u32,
        limit_bytes: u64,
    ) -> Result<Vec<OfflineMessage>, Error> {
        // Before the read: a deletion that is no longer owed afterwards is committed, and the read sees it.
        let after_id = after_id.max(self.0.handout.hidden_upto(account));
        let packed: Option<String> = sqlx::query_scalar(PAGE)
            .bind(account.0)
            .bind(after_id)
            .bind(limit_rows)
            .bind(i64::try_from(limit_bytes).unwrap_or(i64::MAX))
            .fetch_one(&mut *self.reader().await?)
            .await?;
        let mut messages = unpack(packed.as_deref().unwrap_or_default())
            .ok_or_else(|| Error::Invalid("offline messages that are none".into()))?;
        // No more than a check: SQLite promises no order to an aggregate, but keeps it.
        messages.sort_by_key(|message| message.id);
        Ok(messages)
    }

    /// Removes the messages of an account up to `id`, which its client has. They are not seen again, even if the
    /// commit fails: the writer then tries again.
    pub fn offline_delete_upto(&self, account: AccountId, id: i64) -> Commit<()> {
        let (answer, commit) = Commit::pair();
        let delete = Delete { account, upto_id: id };
        self.0.handout.owe(delete);
        self.0.queue.submit(Op::Delete(delete, answer));
        commit
    }

    /// Like [`Storage::offline_delete_upto`], for a client that acknowledges nothing: to be called right after the
    /// messages were written to its socket. Not forgotten if the process is killed in the next moment; the removals of
    /// many accounts are then committed together.
    pub fn handed_out(&self, account: AccountId, upto_id: i64) {
        if self.note_handed_out(account, upto_id) {
            self.remove_handed_out();
        }
    }

    /// The first half of [`Storage::handed_out`], for the moment that must be short. `true`: the second one is needed.
    #[must_use]
    pub fn note_handed_out(&self, account: AccountId, upto_id: i64) -> bool {
        self.0.handout.append(Delete { account, upto_id })
    }

    /// Tells the writer, which wakes a thread.
    pub fn remove_handed_out(&self) {
        self.0.queue.submit(Op::Wake);
    }

    /// What an account has waiting.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn offline_count(&self, account: AccountId) -> Result<OfflineUsage, Error> {
        let hidden = self.0.handout.hidden_upto(account);
        let (count, bytes): (i64, i64) =
            sqlx::query_as(COUNT).bind(account.0).bind(hidden).fetch_one(&mut *self.reader().await?).await?;
        Ok(OfflineUsage { count: count.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    /// The messages after `after_id` without their content.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn offline_list(&self, account: AccountId, after_id: i64, limit: u32) -> Result<Vec<OfflineInfo>, Error> {
        let after_id = after_id.max(self.0.handout.hidden_upto(account));
        let rows =
            sqlx::query(LIST).bind(account.0).bind(after_id).bind(limit).fetch_all(&mut *self.reader().await?).await?;
        rows.iter()
            .map(|row| {
                Ok(OfflineInfo {
                    id: row.try_get(0)?,
                    stamp_us: row.try_get(1)?,
                    expires_us: row.try_get(2)?,
                    bytes: row.try_get::<i64, _>(3)?.unsigned_abs(),
                })
            })
            .collect()
    }

    /// The accounts that have messages waiting, in the order of their JIDs, from after `after_jid`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn offline_totals(&self, after_jid: &str, limit: u32) -> Result<Vec<OfflineTotal>, Error> {
        type Row = (i64, String, i64, i64, i64);
        let rows: Vec<Row> =
            sqlx::query_as(TOTALS).bind(after_jid).bind(limit).fetch_all(&mut *self.reader().await?).await?;
        let mut totals = Vec::with_capacity(rows.len());
        for (id, jid, count, bytes, oldest_us) in rows {
            let mut usage = OfflineUsage { count: count.unsigned_abs(), bytes: bytes.unsigned_abs() };
            if self.0.handout.hidden_upto(AccountId(id)) > 0 {
                // Some of these were just handed out.
                usage = self.offline_count(AccountId(id)).await?;
            }
            totals.push(OfflineTotal { jid, usage, oldest_us });
        }
        Ok(totals)
    }

    /// Messages waiting for anybody; those handed out a moment ago may still be among them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn offline_count_all(&self) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(COUNT_ALL).fetch_one(&mut *self.reader().await?).await?;
        Ok(count.unsigned_abs())
    }

    /// Forgets the messages of an account, or only those that came before a moment, and says what these were.
    pub fn offline_purge(&self, account: AccountId, before_us: Option<i64>) -> Commit<OfflineUsage> {
        let before_us = before_us.unwrap_or(i64::MAX);
        let hidden = self.0.handout.hidden_upto(account);
        self.write(0, move |connection| {
            Box::pin(async move {
                let count = sqlx::query_as(COUNT_BEFORE).bind(account.0).bind(hidden).bind(before_us);
                let (count, bytes): (i64, i64) = count.fetch_one(&mut *connection).await?;
                sqlx::query(PURGE).bind(account.0).bind(before_us).execute(connection).await?;
                Ok(OfflineUsage { count: count.unsigned_abs(), bytes: bytes.unsigned_abs() })
            })
        })
    }

    /// Forgets those messages of an account that are in its archive, too, and says how many these were. `mark`: how their
    /// stanza-id begins, up to the id itself.
    pub fn offline_leave_to_archive(&self, account: AccountId, mark: String) -> Commit<OfflineUsage> {
        let (hidden, ids) = (self.0.handout.hidden_upto(account), self.0.archive_ids);
        self.write(mark.len(), move |connection| {
            Box::pin(async move {
                let told = sqlx::query_as(TOLD).bind(account.0).bind(hidden).bind(&mark).bind(ArchiveId::CHARS);
                let told: Vec<(i64, i64, String)> = told.fetch_all(&mut *connection).await?;
                let mut gone = OfflineUsage::default();
                for (row, bytes, told) in told {
                    let Some(id) = ids.read(&told) else { continue };
                    let archived = sqlx::query_scalar(IS_ARCHIVED).bind(id).bind(account.0);
                    if archived.fetch_one(&mut *connection).await? {
                        sqlx::query(REMOVE).bind(row).execute(&mut *connection).await?;
                        gone.count += 1;
                        gone.bytes += bytes.unsigned_abs();
                    }
                }
                Ok(gone)
            })
        })
    }

    /// Forgets all messages whose time has come, in steps that let other writes pass, and says how many these were.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn offline_expire(&self, now_us: i64) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let step = self.write(0, move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(EXPIRE).bind(now_us).bind(EXPIRE_ROWS_MAX);
                    Ok(query.execute(connection).await?.rows_affected())
                })
            });
            let rows = step.await?;
            total += rows;
            if rows < u64::from(EXPIRE_ROWS_MAX) {
                return Ok(total);
            }
        }
    }
}

/// Messages as [`PAGE`] packs them.
fn unpack(mut packed: &str) -> Option<Vec<OfflineMessage>> {
    let mut messages = Vec::new();
    while !packed.is_empty() {
        let (id, rest) = packed.split_once(' ')?;
        let (stamp_us, rest) = rest.split_once(' ')?;
        let (bytes, rest) = rest.split_once(' ')?;
        let (stanza, rest) = rest.split_at_checked(bytes.parse().ok()?)?;
        messages.push(OfflineMessage {
            id: id.parse().ok()?,
            stamp_us: stamp_us.parse().ok()?,
            stanza: stanza.to_owned(),
        });
        packed = rest;
    }
    Some(messages)
}
