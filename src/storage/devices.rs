//! Installations of clients (XEP-0494) and the tokens they log in with (XEP-0484).

use super::{AccountId, Commit, Error, ScramHash, Storage};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its name within the account.
    pub id: String,
    /// The software it said it was.
    pub software: Option<String>,
    /// What it said it runs on.
    pub name: Option<String>,
    /// When it first logged in.
    pub first_seen_us: i64,
    /// When it last logged in, or was known to be connected.
    pub last_seen_us: i64,
    /// When it last proved the password that is in force, if it has.
    pub password_us: Option<i64>,
    /// When the last of its tokens ends, if it has one.
    pub token_until_us: Option<i64>,
}

/// A login of a device.
#[derive(Clone, Debug)]
pub struct DeviceSeen {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub id: String,
    /// Its software; what was known before is forgotten.
    pub software: Option<String>,
    /// What it runs on; likewise.
    pub name: Option<String>,
    /// When.
    pub at_us: i64,
    /// It has proved the password.
    pub password: bool,
    /// Devices an account may have; those not seen for longest make room.
    pub devices_max: u32,
}

/// A token, without the token.
#[derive(Clone, PartialEq, Eq)]
pub struct FastToken {
    /// The mechanism it is for.
    pub mechanism: String,
    /// What it is derived from.
    pub nonce: Vec<u8>,
    /// When it was made.
    pub issued_us: i64,
    /// When it ends.
    pub expires_us: i64,
    /// The last replay counter seen; 0 if none.
    pub count: i64,
    /// It was used; a new one was not yet.
    pub used: bool,
}

impl std::fmt::Debug for FastToken {
    // What tokens are made of does not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FastToken").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// What a login with a token needs to know.
#[derive(Clone, Debug)]
pub struct DeviceTokens {
    /// The account; it may log in.
    pub account: AccountId,
    /// The device.
    pub device: DeviceRow,
    /// Its tokens: one not used yet first.
    pub tokens: Vec<FastToken>,
}

/// What a new token is given for. It must still be in force when the token is written: a password may change meanwhile.
#[derive(Clone)]
pub enum Witness {
    /// A proof that was checked against this key.
    Key(ScramHash, Vec<u8>),
    /// The token with this nonce.
    Token(Vec<u8>),
}

/// How a token was used.
#[derive(Clone, Copy, Debug)]
pub struct FastUse {
    /// When.
    pub at_us: i64,
    /// The replay counter that came with it. It must be higher than any before.
    pub count: Option<i64>,
    /// The device wants no token any more.
    pub invalidate: bool,
}

/// What came of taking a device's access away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Tokens it had.
    pub tokens: u64,
    /// It knows the password, so that it can come back.
    pub password: bool,
}

/// One read for a login. Without tokens there is no row.
const LOGIN: &str = "SELECT d.id, d.software, d.name, d.first_seen_us, d.last_seen_us, d.password_us, t.expires_us,
    a.id, t.mechanism, t.nonce, t.issued_us, t.count, t.slot = 0
    FROM accounts AS a JOIN devices AS d ON d.account_id = a.id AND d.id = $2
    JOIN fast_tokens AS t ON t.account_id = a.id AND t.device = d.id
    WHERE a.jid = $1 AND NOT a.disabled ORDER BY t.slot DESC";
const LIST: &str = "SELECT d.id, d.software, d.name, d.first_seen_us, d.last_seen_us, d.password_us,
    (SELECT max(expires_us) FROM fast_tokens WHERE account_id = d.account_id AND device = d.id)
    FROM devices AS d WHERE d.account_id = $1 ORDER BY d.last_seen_us DESC, d.id";
const GET: &str = "SELECT d.id, d.software, d.name, d.first_seen_us, d.last_seen_us, d.password_us,
    (SELECT max(expires_us) FROM fast_tokens WHERE account_id = d.account_id AND device = d.id)
    FROM devices AS d WHERE d.account_id = $1 AND d.id = $2";
const SEEN: &str = "INSERT INTO devices (account_id, id, software, name, first_seen_us, last_seen_us, password_us)
    VALUES ($1, $2, $3, $4, $5, $5, $6)
    ON CONFLICT (account_id, id) DO UPDATE SET software = excluded.software, name = excluded.name,
    last_seen_us = max(last_seen_us, excluded.last_seen_us), password_us = coalesce(excluded.password_us, password_us)";
const TOUCH: &str = "UPDATE devices SET last_seen_us = max(last_seen_us, $3) WHERE account_id = $1 AND id = $2";
const EVICT: &str = "DELETE FROM devices WHERE account_id = $1 AND id IN (
    SELECT id FROM devices WHERE account_id = $1 AND id <> $2 ORDER BY last_seen_us DESC, id LIMIT -1 OFFSET $3)";
const HAS_KEY: &str =
    "SELECT EXISTS (SELECT 1 FROM credentials WHERE account_id = $1 AND hash = $2 AND stored_key = $3)";
const HAS_TOKEN: &str =
    "SELECT EXISTS (SELECT 1 FROM fast_tokens WHERE account_id = $1 AND device = $2 AND nonce = $3)";
const ISSUE: &str = "INSERT INTO fast_tokens (account_id, device, slot, mechanism, nonce, issued_us, expires_us)
    VALUES ($1, $2, 1, $3, $4, $5, $6) ON CONFLICT (account_id, device, slot) DO UPDATE SET
    mechanism = excluded.mechanism, nonce = excluded.nonce, issued_us = excluded.issued_us,
    expires_us = excluded.expires_us, count = 0";
const COUNT: &str = "UPDATE fast_tokens SET count = $4
    WHERE account_id = $1 AND device = $2 AND nonce = $3 AND count < $4";
/// §3.5: with the use of a token the one before ends.
const DROP_OLDER: &str = "DELETE FROM fast_tokens WHERE account_id = $1 AND device = $2 AND slot = 0
    AND EXISTS (SELECT 1 FROM fast_tokens WHERE account_id = $1 AND device = $2 AND slot = 1 AND nonce = $3)";
const PROMOTE: &str =
    "UPDATE fast_tokens SET slot = 0 WHERE account_id = $1 AND device = $2 AND nonce = $3 AND slot = 1";
const DROP_TOKENS: &str = "DELETE FROM fast_tokens WHERE account_id = $1 AND device = $2";
const DROP_TOKEN: &str = "DELETE FROM fast_tokens WHERE account_id = $1 AND device = $2 AND nonce = $3";
const DROP: &str = "DELETE FROM devices WHERE account_id = $1 AND id = $2";
const DROP_ALL_TOKENS: &str = "DELETE FROM fast_tokens WHERE account_id = $1";
const FORGET_PASSWORDS: &str = "UPDATE devices SET password_us = NULL WHERE account_id = $1";
const EXPIRE_TOKENS: &str = "DELETE FROM fast_tokens WHERE expires_us < $1";
const EXPIRE: &str = "DELETE FROM devices WHERE last_seen_us < $1
    AND NOT EXISTS (SELECT 1 FROM fast_tokens WHERE account_id = devices.account_id AND device = devices.id)";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    LOGIN,
    LIST,
    GET,
    SEEN,
    TOUCH,
    EVICT,
    HAS_KEY,
    HAS_TOKEN,
    ISSUE,
    COUNT,
    DROP_OLDER,
    PROMOTE,
    DROP_TOKENS,
    DROP_TOKEN,
    DROP,
    DROP_ALL_TOKENS,
    FORGET_PASSWORDS,
    EXPIRE_TOKENS,
    EXPIRE,
];

/// An id and some names.
const DEVICE_BYTES: usize = 512;

impl Storage {
    /// The tokens of a device of an account that may log in; `None` if it has none, whatever the reason.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn device_tokens(&self, jid: &str, device: &str) -> Result<Option<DeviceTokens>, Error> {
        let query = sqlx::query(LOGIN).bind(jid).bind(device);
        let rows = query.fetch_all(&mut *self.reader().await?).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let tokens = rows.iter().map(token).collect::<Result<_, _>>()?;
        Ok(Some(DeviceTokens { account: AccountId(first.try_get(7)?), device: device_row(first)?, tokens }))
    }

    /// The devices of an account, the one seen last first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn device_list(&self, account: AccountId) -> Result<Vec<DeviceRow>, Error> {
        sqlx::query(LIST).bind(account.0).fetch_all(&mut *self.reader().await?).await?.iter().map(device_row).collect()
    }

    /// Notes a login, and keeps a token for the device if one is given, in the place of one that was not used. `false`: what
    /// the token was to be given for is no longer in force, and nothing was written.
    pub fn device_seen(&self, seen: DeviceSeen, issue: Option<(FastToken, Witness)>) -> Commit<bool> {
        self.write(DEVICE_BYTES, move |connection| {
            Box::pin(async move {
                if let Some((_, witness)) = &issue
                    && !is_in_force(connection, &seen, witness).await?
                {
                    return Ok(false);
                }
                sqlx::query(SEEN)
                    .bind(seen.account.0)
                    .bind(&seen.id)
                    .bind(&seen.software)
                    .bind(&seen.name)
                    .bind(seen.at_us)
                    .bind(seen.password.then_some(seen.at_us))
                    .execute(&mut *connection)
                    .await?;
                let others_max = seen.devices_max.saturating_sub(1);
                sqlx::query(EVICT)
                    .bind(seen.account.0)
                    .bind(&seen.id)
                    .bind(others_max)
                    .execute(&mut *connection)
                    .await?;
                if let Some((token, _)) = issue {
                    sqlx::query(ISSUE)
                        .bind(seen.account.0)
                        .bind(&seen.id)
                        .bind(token.mechanism)
                        .bind(token.nonce)
                        .bind(token.issued_us)
                        .bind(token.expires_us)
                        .execute(connection)
                        .await?;
                }
                Ok(true)
            })
        })
    }

    /// A device was connected until now.
    pub fn device_touch(&self, account: AccountId, device: &str, at_us: i64) -> Commit<()> {
        let device = device.to_owned();
        self.write(DEVICE_BYTES, move |connection| {
            Box::pin(async move {
                sqlx::query(TOUCH).bind(account.0).bind(device).bind(at_us).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Notes the use of a token: it is the one in use from now on. `false`: it is gone meanwhile, or was used with this
    /// replay counter before.
    pub fn fast_use(&self, account: AccountId, device: &str, nonce: Vec<u8>, used: FastUse) -> Commit<bool> {
        let device = device.to_owned();
        self.write(DEVICE_BYTES, move |connection| {
            Box::pin(async move {
                let of_token = |sql| sqlx::query(sql).bind(account.0).bind(&device).bind(&nonce[..]);
                let query = sqlx::query_scalar(HAS_TOKEN).bind(account.0).bind(&device).bind(&nonce[..]);
                let known: bool = query.fetch_one(&mut *connection).await?;
                if !known {
                    return Ok(false);
                }
                if let Some(count) = used.count
                    && of_token(COUNT).bind(count).execute(&mut *connection).await?.rows_affected() == 0
                {
                    return Ok(false);
                }
                if used.invalidate {
                    sqlx::query(DROP_TOKENS).bind(account.0).bind(&device).execute(&mut *connection).await?;
                } else {
                    of_token(DROP_OLDER).execute(&mut *connection).await?;
                    of_token(PROMOTE).execute(&mut *connection).await?;
                }
                sqlx::query(TOUCH).bind(account.0).bind(&device).bind(used.at_us).execute(connection).await?;
                Ok(true)
            })
        })
    }

    /// Ends one token.
    pub fn fast_forget(&self, account: AccountId, device: &str, nonce: Vec<u8>) -> Commit<()> {
        let device = device.to_owned();
        self.write(DEVICE_BYTES, move |connection| {
            Box::pin(async move {
                sqlx::query(DROP_TOKEN).bind(account.0).bind(device).bind(nonce).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Takes a device's tokens away; one that does not know the password is forgotten. `None`: there is no such device.
    pub fn device_revoke(&self, account: AccountId, device: &str) -> Commit<Option<Revoked>> {
        let device = device.to_owned();
        self.write(DEVICE_BYTES, move |connection| {
            Box::pin(async move {
                let of_device = |sql| sqlx::query(sql).bind(account.0).bind(&device);
                let Some(row) = of_device(GET).fetch_optional(&mut *connection).await? else { return Ok(None) };
                let password = device_row(&row)?.password_us.is_some();
                let tokens = of_device(DROP_TOKENS).execute(&mut *connection).await?.rows_affected();
                if !password {
                    of_device(DROP).execute(connection).await?;
                }
                Ok(Some(Revoked { tokens, password }))
            })
        })
    }

    /// Forgets tokens that ended before `tokens_before_us`, and devices without any that were not seen since
    /// `seen_before_us`. Gives the number of devices.
    pub fn devices_expire(&self, tokens_before_us: i64, seen_before_us: i64) -> Commit<u64> {
        self.write(0, move |connection| {
            Box::pin(async move {
                sqlx::query(EXPIRE_TOKENS).bind(tokens_before_us).execute(&mut *connection).await?;
                Ok(sqlx::query(EXPIRE).bind(seen_before_us).execute(connection).await?.rows_affected())
            })
        })
    }
}

/// The password of an account has changed: no token is good any more, and no device has proved the new one.
pub(super) async fn password_changed(connection: &mut SqliteConnection, account: AccountId) -> Result<(), Error> {
    sqlx::query(DROP_ALL_TOKENS).bind(account.0).execute(&mut *connection).await?;
    sqlx::query(FORGET_PASSWORDS).bind(account.0).execute(connection).await?;
    Ok(())
}

/// Is this one of the account's keys?
pub(super) async fn has_key(
    connection: &mut SqliteConnection,
    account: AccountId,
    hash: ScramHash,
    stored_key: &[u8],
) -> Result<bool, Error> {
    let query = sqlx::query_scalar(HAS_KEY).bind(account.0).bind(hash.as_str()).bind(stored_key);
    Ok(query.fetch_one(connection).await?)
}

async fn is_in_force(connection: &mut SqliteConnection, seen: &DeviceSeen, witness: &Witness) -> Result<bool, Error> {
    match witness {
        Witness::Key(hash, stored_key) => has_key(connection, seen.account, *hash, stored_key).await,
        Witness::Token(nonce) => {
            let query = sqlx::query_scalar(HAS_TOKEN).bind(seen.account.0).bind(&seen.id).bind(&nonce[..]);
            Ok(query.fetch_one(connection).await?)
        }
    }
}

fn device_row(row: &SqliteRow) -> Result<DeviceRow, Error> {
    Ok(DeviceRow {
        id: row.try_get(0)?,
        software: row.try_get(1)?,
        name: row.try_get(2)?,
        first_seen_us: row.try_get(3)?,
        last_seen_us: row.try_get(4)?,
        password_us: row.try_get(5)?,
        token_until_us: row.try_get(6)?,
    })
}

fn token(row: &SqliteRow) -> Result<FastToken, Error> {
    Ok(FastToken {
        expires_us: row.try_get(6)?,
        mechanism: row.try_get(8)?,
        nonce: row.try_get(9)?,
        issued_us: row.try_get(10)?,
        count: row.try_get(11)?,
        used: row.try_get(12)?,
    })
}
