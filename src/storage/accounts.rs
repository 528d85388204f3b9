//! Accounts and the salted keys their passwords became (RFC 5802 §3).

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    AccountId, Commit, Error, Storage,
    batch::{Logout, Op},
    devices, invites,
    push::{self, PushRow},
    roster::{self, RosterRow},
};

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

impl ScramHash {
    /// The IANA name of the hash function.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256].into_iter().find(|hash| hash.as_str() == text)
    }
}

/// What the server keeps of a password (RFC 5802 §3): nothing one could log in with elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The mechanism it is for.
    pub hash: ScramHash,
    /// `salt`.
    pub salt: Vec<u8>,
    /// `i`.
    pub iterations: u32,
    /// `StoredKey`.
    pub stored_key: Vec<u8>,
    /// `ServerKey`.
    pub server_key: Vec<u8>,
}

impl std::fmt::Debug for Credential {
    // Keys do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its key in all other tables.
    pub id: AccountId,
    /// The bare JID.
    pub jid: String,
    /// When it was made.
    pub created_us: i64,
    /// When its last session ended (XEP-0012).
    pub last_logout_us: Option<i64>,
    /// The status text of that moment.
    pub last_status: Option<String>,
    /// Whether it may not log in.
    pub disabled: bool,
    /// The version of its roster (RFC 6121 §2.6).
    pub roster_version: i64,
}

/// What a login needs to know, in one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// The account itself.
    pub account: AccountRow,
    /// Its keys, at most one for each hash function.
    pub credentials: Vec<Credential>,
    /// Stored offline messages; those just handed out may still be among them.
    pub offline_count: u64,
    /// Roster rows, pending requests included.
    pub roster_count: u64,
    /// What it wants archived, if it has said so (XEP-0441).
    pub archive_prefs: Option<String>,
    /// Who is told when something comes for it (XEP-0357).
    pub push: Vec<PushRow>,
    /// The SHA-1 of the photograph in its card, in hexadecimal (XEP-0153).
    pub photo: Option<String>,
    /// Entries of its block list (XEP-0191).
    pub blocked_count: u64,
}

/// One row with everything: a second statement would cost more than all the sub-queries.
const GET: &str = "SELECT a.id, a.jid, a.created_us, a.last_logout_us, a.last_status, a.disabled, a.roster_version,
    (SELECT count(*) FROM offline WHERE account_id = a.id),
    (SELECT count(*) FROM roster WHERE account_id = a.id),
    (SELECT json_group_array(json_array(hash, hex(salt), iterations, hex(stored_key), hex(server_key)))
       FROM credentials WHERE account_id = a.id),
    (SELECT prefs FROM archive_prefs WHERE account_id = a.id),
    (SELECT nullif(json_group_array(json_array(service, node, resource, options, since_us, failures)), '[]')
       FROM push WHERE account_id = a.id),
    (SELECT photo FROM vcard WHERE account_id = a.id),
    (SELECT count(*) FROM blocking WHERE account_id = a.id)
    FROM accounts AS a WHERE a.jid = $1";
const LIST: &str = "SELECT id, jid, created_us, last_logout_us, last_status, disabled, roster_version
    FROM accounts WHERE jid > $1 ORDER BY jid LIMIT $2";
const LIST_DOMAIN: &str = "SELECT id, jid, created_us, last_logout_us, last_status, disabled, roster_version
    FROM accounts WHERE domain = $3 AND jid > $1 ORDER BY jid LIMIT $2";
const COUNT: &str = "SELECT count(*) FROM accounts";
const COUNT_DOMAIN: &str = "SELECT count(*) FROM accounts WHERE domain = $1";
// The roster of a name that was registered before must not begin at a version that some client remembers.
const INSERT: &str =
    "INSERT INTO accounts (jid, domain, created_us, roster_version) VALUES ($1, $2, $3, $3 / 1000000) RETURNING id";
const DELETE: &str = "DELETE FROM accounts WHERE id = $1";
const SET_DISABLED: &str = "UPDATE accounts SET disabled = $2 WHERE id = $1";
const CLEAR_CREDENTIALS: &str = "DELETE FROM credentials WHERE account_id = $1";
const HAS_CREDENTIAL: &str = "SELECT EXISTS (SELECT 1 FROM credentials WHERE account_id = $1 AND hash = $2)";
const INSERT_CREDENTIAL: &str = "INSERT INTO credentials (account_id, hash, salt, iterations, stored_key, server_key)
    VALUES ($1, $2, $3, $4, $5, $6)";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    GET,
    LIST,
    LIST_DOMAIN,
    COUNT,
    COUNT_DOMAIN,
    INSERT,
    DELETE,
    SET_DISABLED,
    CLEAR_CREDENTIALS,
    HAS_CREDENTIAL,
    INSERT_CREDENTIAL,
];

/// An account to be made by invitation.
#[derive(Debug)]
pub struct NewInvited {
    /// The secret of the invitation.
    pub token: String,
    /// When it was found good; that it has expired since does not matter (XEP-0445 §4).
    pub accepted_us: i64,
    /// Now.
    pub created_us: i64,
    /// The address.
    pub jid: String,
    /// Its keys.
    pub credentials: Vec<Credential>,
    /// The subscription with the inviter, if there is to be one.
    pub contact: Option<InvitedContact>,
}

/// The two sides of a subscription, one of an account that is being made.
#[derive(Debug)]
pub struct InvitedContact {
    /// Who invited.
    pub inviter: AccountId,
    /// The new account in the inviter's roster.
    pub inviters_row: RosterRow,
    /// The version of that roster with it.
    pub inviters_version: i64,
    /// The inviter in the new account's roster.
    pub own_row: RosterRow,
}

/// A JID and its keys.
const ACCOUNT_BYTES: usize = 512;

impl Storage {
    /// Makes an account. [`Error::Conflict`] if there is one, or the name is kept for somebody who is invited.
    pub fn account_create(&self, jid: &str, created_us: i64, credentials: Vec<Credential>) -> Commit<AccountId> {
        let jid = jid.to_owned();
        self.write(ACCOUNT_BYTES, move |connection| {
            Box::pin(async move { insert(connection, &jid, created_us, &credentials, "").await })
        })
    }

    /// Takes one use of an invitation and makes the account it is for, and the two contacts, all or nothing.
    /// [`Error::Conflict`] if the name is taken, [`Error::NotFound`] if the invitation is unknown, no longer good, or for
    /// another name.
    pub fn account_create_invited(&self, new: NewInvited) -> Commit<AccountId> {
        self.write(ACCOUNT_BYTES, move |connection| {
            Box::pin(async move {
                let NewInvited { token, accepted_us, created_us, jid, credentials, contact } = new;
                let (local, domain) = jid.split_once('@').unwrap_or(("", &jid));
                if !invites::redeem_account(connection, &token, accepted_us, local, domain).await? {
                    return Err(Error::NotFound);
                }
                let id = insert(connection, &jid, created_us, &credentials, &token).await?;
                if let Some(InvitedContact { inviter, inviters_row, inviters_version, own_row }) = contact {
                    roster::upsert(connection, inviter, inviters_row, inviters_version).await?;
                    // One more than the version an account begins with.
                    roster::upsert(connection, id, own_row, created_us / 1_000_000 + 1).await?;
                }
                Ok(id)
            })
        })
    }

    /// Removes an account and everything of it; `false` if there was none.
    pub fn account_delete(&self, id: AccountId) -> Commit<bool> {
        let chats_gone = self.0.chats_gone.clone();
        self.write_keys(0, move |connection| {
            Box::pin(async move {
                chats_gone.note();
                let done = sqlx::query(DELETE).bind(id.0).execute(connection).await?;
                Ok(done.rows_affected() > 0)
            })
        })
    }

    /// Replaces all keys of an account. Its tokens end with them.
    pub fn account_set_credentials(&self, id: AccountId, credentials: Vec<Credential>) -> Commit<()> {
        self.write_keys(ACCOUNT_BYTES, move |connection| {
            Box::pin(async move {
                sqlx::query(CLEAR_CREDENTIALS).bind(id.0).execute(&mut *connection).await?;
                devices::password_changed(connection, id).await?;
                insert_credentials(connection, id, &credentials).await
            })
        })
    }

    /// Adds keys the account lacks, made of the password that `proven` belongs to. `false`: that is no longer the password.
    /// Keys it has stay as they are.
    pub fn account_add_credentials(
        &self,
        id: AccountId,
        proven: (ScramHash, Vec<u8>),
        credentials: Vec<Credential>,
    ) -> Commit<bool> {
        self.write_keys(ACCOUNT_BYTES, move |connection| {
            Box::pin(async move {
                if !devices::has_key(connection, id, proven.0, &proven.1).await? {
                    return Ok(false);
                }
                for credential in &credentials {
                    let held: bool = sqlx::query_scalar(HAS_CREDENTIAL)
                        .bind(id.0)
                        .bind(credential.hash.as_str())
                        .fetch_one(&mut *connection)
                        .await?;
                    if !held {
                        insert_credentials(connection, id, std::slice::from_ref(credential)).await?;
                    }
                }
                Ok(true)
            })
        })
    }

    /// Forbids or allows to log in.
    pub fn account_set_disabled(&self, id: AccountId, disabled: bool) -> Commit<()> {
        self.write_keys(0, move |connection| {
            Box::pin(async move {
                let done = sqlx::query(SET_DISABLED).bind(id.0).bind(disabled).execute(connection).await?;
                if done.rows_affected() > 0 { Ok(()) } else { Err(Error::NotFound) }
            })
        })
    }

    /// Remembers the end of the last session (XEP-0012 §4). Written in bulk: everybody leaves at a restart.
    pub fn account_set_last_logout(&self, id: AccountId, at_us: i64, status: Option<String>) -> Commit<()> {
        let (answer, commit) = Commit::pair();
        self.0.queue.submit(Op::Logout(Logout { account: id, at_us, status }, answer));
        commit
    }

    /// An account with all a login needs.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn account(&self, jid: &str) -> Result<Option<AccountRecord>, Error> {
        let row = sqlx::query(GET).bind(jid).fetch_optional(&mut *self.reader().await?).await?;
        row.map(|row| {
            Ok(AccountRecord {
                account: account_row(&row)?,
                offline_count: row.try_get::<i64, _>(7)?.unsigned_abs(),
                roster_count: row.try_get::<i64, _>(8)?.unsigned_abs(),
                credentials: credentials(row.try_get(9)?)?,
                archive_prefs: row.try_get(10)?,
                push: push::unpack(row.try_get(11)?)?,
                photo: row.try_get(12)?,
                blocked_count: row.try_get::<i64, _>(13)?.unsigned_abs(),
            })
        })
        .transpose()
    }

    /// Accounts in the order of their JIDs, from after `after_jid`, of one domain or all.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn account_list(
        &self,
        domain: Option<&str>,
        after_jid: &str,
        limit: u32,
    ) -> Result<Vec<AccountRow>, Error> {
        let query = sqlx::query(if domain.is_some() { LIST_DOMAIN } else { LIST }).bind(after_jid).bind(limit);
        let query = if let Some(domain) = domain { query.bind(domain) } else { query };
        query.fetch_all(&mut *self.reader().await?).await?.iter().map(account_row).collect()
    }

    /// How many accounts there are, in one domain or at all.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn account_count(&self, domain: Option<&str>) -> Result<u64, Error> {
        let query = match domain {
            Some(domain) => sqlx::query_scalar(COUNT_DOMAIN).bind(domain),
            None => sqlx::query_scalar(COUNT),
        };
        let count: i64 = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(count.unsigned_abs())
    }
}

/// `token`: that of the invitation it is made with, if there is one.
async fn insert(
    connection: &mut SqliteConnection,
    jid: &str,
    created_us: i64,
    credentials: &[Credential],
    token: &str,
) -> Result<AccountId, Error> {
    let (local, domain) = jid.split_once('@').unwrap_or(("", jid));
    if invites::is_reserved(connection, local, domain, created_us, token).await? {
        return Err(Error::Conflict);
    }
    let id = sqlx::query_scalar(INSERT)
        .bind(jid)
        .bind(domain_of(jid))
        .bind(created_us)
        .fetch_one(&mut *connection)
        .await
        .map(AccountId)?;
    insert_credentials(connection, id, credentials).await?;
    Ok(id)
}

async fn insert_credentials(
    connection: &mut SqliteConnection,
    id: AccountId,
    credentials: &[Credential],
) -> Result<(), Error> {
    for credential in credentials {
        sqlx::query(INSERT_CREDENTIAL)
            .bind(id.0)
            .bind(credential.hash.as_str())
            .bind(&credential.salt[..])
            .bind(credential.iterations)
            .bind(&credential.stored_key[..])
            .bind(&credential.server_key[..])
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn domain_of(bare: &str) -> &str {
    bare.split_once('@').map_or(bare, |(_, domain)| domain)
}

fn account_row(row: &SqliteRow) -> Result<AccountRow, Error> {
    Ok(AccountRow {
        id: AccountId(row.try_get(0)?),
        jid: row.try_get(1)?,
        created_us: row.try_get(2)?,
        last_logout_us: row.try_get(3)?,
        last_status: row.try_get(4)?,
        disabled: row.try_get(5)?,
        roster_version: row.try_get(6)?,
    })
}

/// Keys as [`GET`] packs them.
fn credentials(packed: &str) -> Result<Vec<Credential>, Error> {
    let rows: Vec<(String, String, u32, String, String)> =
        serde_json::from_str(packed).map_err(|error| Error::Invalid(error.to_string().into()))?;
    rows.into_iter()
        .map(|(hash, salt, iterations, stored_key, server_key)| {
            Some(Credential {
                hash: ScramHash::parse(&hash)?,
                salt: unhex(&salt)?,
                iterations,
                stored_key: unhex(&stored_key)?,
                server_key: unhex(&server_key)?,
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| Error::Invalid("credentials that are none".into()))
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
