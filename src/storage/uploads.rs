//! Uploaded files and slots for them (XEP-0363). The bytes lie in files named by `token`; a row that is deleted leaves its
//! token among those that are gone, in the same transaction, so that no file is forgotten.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{AccountId, Commit, Error, Storage};

/// A slot to be made.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Whose it is.
    pub account: AccountId,
    /// What names the file: nobody can guess it.
    pub token: String,
    /// What the upload has to show.
    pub put_key: Vec<u8>,
    /// The file's name for people.
    pub name: String,
    /// Its media type, if that was said.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Now.
    pub created_us: i64,
    /// When the slot ends if nothing is uploaded.
    pub slot_until_us: i64,
    /// When the file is deleted.
    pub keep_until_us: Option<i64>,
}

/// What one user may have.
#[derive(Clone, Copy, Debug)]
pub struct UploadQuota {
    /// Bytes, slots included.
    pub bytes_max: u64,
    /// Files, slots included.
    pub files_max: u64,
    /// Slots that are not used yet.
    pub pending_max: u64,
}

/// What came of the wish for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewSlot {
    /// There it is.
    Made,
    /// Too many slots are not used yet; the first one ends then.
    TooManyPending(Option<i64>),
    /// Files or bytes do not fit; then they will, if nothing else comes.
    Full(Option<i64>),
}

/// A slot or the file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its place in lists.
    pub id: i64,
    /// What names the file.
    pub token: String,
    /// What an upload has to show; `None` once there was one.
    pub put_key: Option<Vec<u8>>,
    /// Its name for people.
    pub name: String,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// When the slot was asked for.
    pub created_us: i64,
    /// When the file was complete.
    pub stored_us: Option<i64>,
    /// When it goes.
    pub expires_us: Option<i64>,
    /// Whose it is.
    pub owner: String,
}

/// How much somebody has, or all together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadUsage {
    /// Bare JID.
    pub owner: String,
    /// Complete files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Slots that are not used yet.
    pub pending: u64,
}

const PENDING: &str = "SELECT count(*), min(expires_us) FROM uploads WHERE account_id = $1 AND stored_us IS NULL";
const USED: &str = "SELECT count(*), coalesce(sum(bytes), 0) FROM uploads WHERE account_id = $1";
const ENDS: &str = "SELECT expires_us, bytes FROM uploads WHERE account_id = $1 AND expires_us IS NOT NULL
    ORDER BY expires_us LIMIT 10000";
const INSERT: &str = "INSERT INTO uploads
    (account_id, token, put_key, name, content_type, bytes, created_us, expires_us, keep_until_us)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const FIND: &str =
    "SELECT u.id, u.token, u.put_key, u.name, u.content_type, u.bytes, u.created_us, u.stored_us, u.expires_us,
    a.jid FROM uploads u JOIN accounts a ON a.id = u.account_id WHERE u.token = $1";
const STORED: &str = "UPDATE uploads SET stored_us = $2, put_key = NULL, expires_us = keep_until_us,
    content_type = coalesce(content_type, $3) WHERE token = $1 AND stored_us IS NULL";
const DELETE: &str = "DELETE FROM uploads WHERE token = $1";
const PURGE: &str = "DELETE FROM uploads WHERE id IN
    (SELECT id FROM uploads WHERE account_id = $1 AND created_us < $2 LIMIT 1000)";
const EXPIRE: &str = "DELETE FROM uploads WHERE id IN
    (SELECT id FROM uploads WHERE expires_us IS NOT NULL AND expires_us <= $1 LIMIT 1000)";
const LIST: &str = "SELECT u.id, u.token, u.put_key, u.name, u.content_type, u.bytes, u.created_us, u.stored_us, u.expires_us,
    a.jid FROM uploads u JOIN accounts a ON a.id = u.account_id WHERE u.account_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3";
const USAGE: &str =
    "SELECT a.jid, count(u.stored_us), coalesce(sum(u.bytes) FILTER (WHERE u.stored_us IS NOT NULL), 0),
    count(*) - count(u.stored_us) FROM uploads u JOIN accounts a ON a.id = u.account_id WHERE a.jid > $1
    GROUP BY a.jid ORDER BY a.jid LIMIT $2";
const TOTAL: &str = "SELECT '', count(stored_us), coalesce(sum(bytes) FILTER (WHERE stored_us IS NOT NULL), 0),
    count(*) - count(stored_us) FROM uploads";
const GONE: &str = "SELECT token FROM uploads_gone LIMIT $1";
const FORGET: &str = "DELETE FROM uploads_gone WHERE token = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[PENDING, USED, ENDS, INSERT, FIND, STORED, DELETE, PURGE, EXPIRE, LIST, USAGE, TOTAL, GONE, FORGET];

impl Storage {
    /// Makes a slot if its owner may have one more.
    pub fn upload_create(&self, new: NewUpload, quota: UploadQuota) -> Commit<NewSlot> {
        let bytes = new.name.len() + new.content_type.as_ref().map_or(0, String::len) + new.token.len();
        self.write(bytes, move |connection| Box::pin(create(connection, new, quota)))
    }

    /// The slot or file of this token, expired ones included.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn upload_find(&self, token: &str) -> Result<Option<Upload>, Error> {
        sqlx::query(FIND).bind(token).fetch_optional(&mut *self.reader().await?).await?.as_ref().map(upload).transpose()
    }

    /// The file is complete and on disk. `content_type` counts if none was said before. `false`: there is no such slot, or
    /// it has a file.
    pub fn upload_stored(&self, token: &str, content_type: Option<String>, now_us: i64) -> Commit<bool> {
        let token = token.to_owned();
        self.write(token.len(), move |connection| {
            Box::pin(async move {
                let done = sqlx::query(STORED).bind(token).bind(now_us).bind(content_type).execute(connection).await?;
                Ok(done.rows_affected() > 0)
            })
        })
    }

    /// Removes a slot or file; `false` if there was none.
    pub fn upload_delete(&self, token: &str) -> Commit<bool> {
        let token = token.to_owned();
        self.write(token.len(), move |connection| {
            Box::pin(async move { Ok(sqlx::query(DELETE).bind(token).execute(connection).await?.rows_affected() > 0) })
        })
    }

    /// Removes what an account asked for before this moment, in steps; how many slots and files that were.
    ///
    /// # Errors
    /// What was removed up to there stays removed.
    pub async fn upload_purge(&self, account: AccountId, before_us: i64) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let step = self.write(0, move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(PURGE).bind(account.0).bind(before_us).execute(connection).await?;
                    Ok(done.rows_affected())
                })
            });
            match step.await? {
                0 => return Ok(removed),
                some => removed += some,
            }
        }
    }

    /// Removes what has expired, in steps; how many slots and files that were.
    ///
    /// # Errors
    /// What was removed up to there stays removed.
    pub async fn upload_expire(&self, now_us: i64) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let step = self.write(0, move |connection| {
                Box::pin(async move { Ok(sqlx::query(EXPIRE).bind(now_us).execute(connection).await?.rows_affected()) })
            });
            match step.await? {
                0 => return Ok(removed),
                some => removed += some,
            }
        }
    }

    /// Slots and files of an account, the oldest first, behind the one with this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn upload_list(&self, account: AccountId, after_id: i64, limit: u32) -> Result<Vec<Upload>, Error> {
        let query = sqlx::query(LIST).bind(account.0).bind(after_id).bind(limit);
        query.fetch_all(&mut *self.reader().await?).await?.iter().map(upload).collect()
    }

    /// How much everybody has who has anything, by address, behind this one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn upload_usage(&self, after_jid: &str, limit: u32) -> Result<Vec<UploadUsage>, Error> {
        let query = sqlx::query(USAGE).bind(after_jid).bind(limit);
        query.fetch_all(&mut *self.reader().await?).await?.iter().map(usage).collect()
    }

    /// How much there is together.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn upload_total(&self) -> Result<UploadUsage, Error> {
        usage(&sqlx::query(TOTAL).fetch_one(&mut *self.reader().await?).await?)
    }

    /// Tokens of files that are to be removed from the disk.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn upload_gone(&self, limit: u32) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar(GONE).bind(limit).fetch_all(&mut *self.reader().await?).await?)
    }

    /// These files have been removed.
    pub fn upload_forget(&self, tokens: Vec<String>) -> Commit<()> {
        self.write(tokens.iter().map(String::len).sum(), move |connection| {
            Box::pin(async move {
                for token in tokens {
                    sqlx::query(FORGET).bind(token).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
    }
}

async fn create(connection: &mut SqliteConnection, new: NewUpload, quota: UploadQuota) -> Result<NewSlot, Error> {
    let (pending, first_end): (i64, Option<i64>) =
        sqlx::query_as(PENDING).bind(new.account.0).fetch_one(&mut *connection).await?;
    if pending.unsigned_abs() >= quota.pending_max {
        return Ok(NewSlot::TooManyPending(first_end));
    }
    let (files, bytes): (i64, i64) = sqlx::query_as(USED).bind(new.account.0).fetch_one(&mut *connection).await?;
    let files_over = (files.unsigned_abs() + 1).saturating_sub(quota.files_max);
    let bytes_over = bytes.unsigned_abs().saturating_add(new.bytes).saturating_sub(quota.bytes_max);
    if files_over > 0 || bytes_over > 0 {
        let ends: Vec<(i64, i64)> = sqlx::query_as(ENDS).bind(new.account.0).fetch_all(connection).await?;
        return Ok(NewSlot::Full(room_from(&ends, files_over, bytes_over)));
    }
    sqlx::query(INSERT)
        .bind(new.account.0)
        .bind(new.token)
        .bind(new.put_key)
        .bind(new.name)
        .bind(new.content_type)
        .bind(i64::try_from(new.bytes).unwrap_or(i64::MAX))
        .bind(new.created_us)
        .bind(new.slot_until_us)
        .bind(new.keep_until_us)
        .execute(connection)
        .await?;
    Ok(NewSlot::Made)
}

/// When enough of what is there will have expired, in the order in which it does.
fn room_from(ends: &[(i64, i64)], files_over: u64, bytes_over: u64) -> Option<i64> {
    let (mut files, mut bytes) = (0, 0u64);
    ends.iter().find_map(|(until, size)| {
        files += 1;
        bytes += size.unsigned_abs();
        (files >= files_over && bytes >= bytes_over).then_some(*until)
    })
}

fn upload(row: &SqliteRow) -> Result<Upload, Error> {
    Ok(Upload {
        id: row.try_get(0)?,
        token: row.try_get(1)?,
        put_key: row.try_get(2)?,
        name: row.try_get(3)?,
        content_type: row.try_get(4)?,
        bytes: row.try_get::<i64, _>(5)?.unsigned_abs(),
        created_us: row.try_get(6)?,
        stored_us: row.try_get(7)?,
        expires_us: row.try_get(8)?,
        owner: row.try_get(9)?,
    })
}

fn usage(row: &SqliteRow) -> Result<UploadUsage, Error> {
    let count = |at| Ok::<_, Error>(row.try_get::<i64, _>(at)?.unsigned_abs());
    Ok(UploadUsage { owner: row.try_get(0)?, files: count(1)?, bytes: count(2)?, pending: count(3)? })
}
