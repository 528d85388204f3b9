//! Invitations: to make an account, to become somebody's contact, or both.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{AccountId, Commit, Error, Storage};
use crate::clock;

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteKind {
    /// To make an account.
    Account,
    /// To become a contact of the inviter.
    Contact,
    /// Whichever its bearer needs; with the account comes the contact.
    Both,
}

impl InviteKind {
    /// Can an account be made with it?
    pub fn is_for_account(self) -> bool {
        self != Self::Contact
    }

    /// Can somebody who has an account become a contact with it?
    pub fn is_for_contact(self) -> bool {
        self != Self::Account
    }

    fn number(self) -> u8 {
        match self {
            Self::Account => 1,
            Self::Contact => 2,
            Self::Both => 3,
        }
    }

    fn from_number(number: u8) -> Result<Self, Error> {
        match number {
            1 => Ok(Self::Account),
            2 => Ok(Self::Contact),
            3 => Ok(Self::Both),
            other => Err(Error::Invalid(format!("an invitation of kind {other}").into())),
        }
    }
}

/// A token, and what its bearers may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The secret.
    pub token: String,
    /// The domain accounts will be in.
    pub domain: String,
    /// What it is for.
    pub kind: InviteKind,
    /// The account that made it; `None`: the operator.
    pub creator: Option<Person>,
    /// Whose contact its bearers become.
    pub inviter: Option<Person>,
    /// The localpart the account must have; nobody else gets it meanwhile.
    pub username: Option<String>,
    /// The roster group in which the two find each other.
    pub group: Option<String>,
    /// When it was made.
    pub created_us: i64,
    /// When it ends.
    pub expires_us: i64,
    /// How often it could be used.
    pub uses_max: u32,
    /// How often it can still be used.
    pub uses_left: u32,
}

impl Invite {
    /// Can it be used now?
    pub fn is_good(&self, now_us: i64) -> bool {
        self.uses_left > 0 && self.expires_us > now_us
    }
}

/// An account as an invitation names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its key.
    pub id: AccountId,
    /// Its bare JID.
    pub jid: String,
}

/// What became of a new invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewInvite {
    /// It is kept.
    Made,
    /// There are as many that can still be used as there may be.
    TooMany,
    /// There is an account of that name, or another invitation reserves it.
    NameTaken,
}

const GET: &str = "SELECT i.token, i.domain, i.kind, i.creator_id, c.jid, i.inviter_id, v.jid, i.username,
    i.roster_group, i.created_us, i.expires_us, i.uses_max, i.uses_left, i.id
    FROM invitations AS i LEFT JOIN accounts AS c ON c.id = i.creator_id LEFT JOIN accounts AS v ON v.id = i.inviter_id
    WHERE i.token = $1";
const LIST: &str = "SELECT i.token, i.domain, i.kind, i.creator_id, c.jid, i.inviter_id, v.jid, i.username,
    i.roster_group, i.created_us, i.expires_us, i.uses_max, i.uses_left, i.id
    FROM invitations AS i LEFT JOIN accounts AS c ON c.id = i.creator_id LEFT JOIN accounts AS v ON v.id = i.inviter_id
    WHERE i.id > $1 AND i.uses_left > 0 AND i.expires_us > $2 ORDER BY i.id LIMIT $3";
const LIST_OF: &str = "SELECT i.token, i.domain, i.kind, i.creator_id, c.jid, i.inviter_id, v.jid, i.username,
    i.roster_group, i.created_us, i.expires_us, i.uses_max, i.uses_left, i.id
    FROM invitations AS i LEFT JOIN accounts AS c ON c.id = i.creator_id LEFT JOIN accounts AS v ON v.id = i.inviter_id
    WHERE i.creator_id = $1 AND i.expires_us > $2 AND i.uses_left > 0 ORDER BY i.expires_us DESC LIMIT $3";
/// `IS` compares what may be NULL.
const COUNT_LIVE: &str =
    "SELECT count(*) FROM invitations WHERE creator_id IS $1 AND expires_us > $2 AND uses_left > 0";
const HAS_ACCOUNT: &str = "SELECT EXISTS (SELECT 1 FROM accounts WHERE jid = $1 || '@' || $2)";
const RESERVED: &str = "SELECT EXISTS (SELECT 1 FROM invitations
    WHERE username = $1 AND domain = $2 AND uses_left > 0 AND expires_us > $3 AND token <> $4)";
const INSERT: &str = "INSERT INTO invitations (token, domain, kind, creator_id, inviter_id, username, roster_group,
    created_us, expires_us, uses_max, uses_left) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const REDEEM_ACCOUNT: &str = "UPDATE invitations SET uses_left = uses_left - 1
    WHERE token = $1 AND uses_left > 0 AND expires_us > $2 AND domain = $3 AND kind <> 2
    AND (username IS NULL OR username = $4)";
const REDEEM_CONTACT: &str = "UPDATE invitations SET uses_left = uses_left - 1
    WHERE token = $1 AND uses_left > 0 AND expires_us > $2 AND inviter_id = $3 AND kind <> 1 RETURNING roster_group";
const DELETE: &str = "DELETE FROM invitations WHERE token = $1";
const DELETE_OF: &str =
    "DELETE FROM invitations WHERE token = $1 AND creator_id = $2 AND uses_left > 0 AND expires_us > $3";
const EXPIRE: &str = "DELETE FROM invitations WHERE expires_us < $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    GET,
    LIST,
    LIST_OF,
    COUNT_LIVE,
    HAS_ACCOUNT,
    RESERVED,
    INSERT,
    REDEEM_ACCOUNT,
    REDEEM_CONTACT,
    DELETE,
    DELETE_OF,
    EXPIRE,
];

/// A row of texts.
const INVITE_BYTES: usize = 256;

impl Storage {
    /// Keeps a new invitation, unless its creator has `live_max` that can still be used.
    pub fn invite_create(&self, invite: Invite, live_max: usize) -> Commit<NewInvite> {
        self.write(INVITE_BYTES, move |connection| {
            Box::pin(async move {
                let creator = invite.creator.as_ref().map(|person| person.id.0);
                let live: i64 = sqlx::query_scalar(COUNT_LIVE)
                    .bind(creator)
                    .bind(invite.created_us)
                    .fetch_one(&mut *connection)
                    .await?;
                if live.unsigned_abs() >= live_max as u64 {
                    return Ok(NewInvite::TooMany);
                }
                if let Some(username) = &invite.username {
                    let (domain, now_us) = (&invite.domain, invite.created_us);
                    let has_account: bool =
                        sqlx::query_scalar(HAS_ACCOUNT).bind(username).bind(domain).fetch_one(&mut *connection).await?;
                    if has_account || is_reserved(connection, username, domain, now_us, "").await? {
                        return Ok(NewInvite::NameTaken);
                    }
                }
                insert(connection, &invite).await?;
                Ok(NewInvite::Made)
            })
        })
    }

    /// An invitation, good or not.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn invite_get(&self, token: &str) -> Result<Option<Invite>, Error> {
        sqlx::query(GET).bind(token).fetch_optional(&mut *self.reader().await?).await?.as_ref().map(invite).transpose()
    }

    /// Invitations that can be used now, the oldest first, behind the one with this number; each with its own.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn invite_list(&self, after: i64, now_us: i64, limit: u32) -> Result<Vec<(i64, Invite)>, Error> {
        let query = sqlx::query(LIST).bind(after).bind(now_us).bind(limit);
        let rows = query.fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| Ok((row.try_get(13)?, invite(row)?))).collect()
    }

    /// Invitations this account has made and that can be used now, those that last longest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn invite_list_of(&self, creator: AccountId, now_us: i64, limit: u32) -> Result<Vec<Invite>, Error> {
        let query = sqlx::query(LIST_OF).bind(creator.0).bind(now_us).bind(limit);
        query.fetch_all(&mut *self.reader().await?).await?.iter().map(invite).collect()
    }

    /// Is this name kept for the bearer of an invitation, and not of the one with this token?
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn name_is_reserved(&self, local: &str, domain: &str, now_us: i64, token: &str) -> Result<bool, Error> {
        is_reserved(&mut *self.reader().await?, local, domain, now_us, token).await
    }

    /// Takes one use of an invitation by which somebody becomes a contact of this account: the roster group for that, if
    /// the invitation names one. `None`: it is not good for that.
    pub fn invite_redeem_contact(
        &self,
        token: &str,
        inviter: AccountId,
        now_us: i64,
    ) -> Commit<Option<Option<String>>> {
        let token = token.to_owned();
        self.write(token.len(), move |connection| {
            Box::pin(async move {
                let query = sqlx::query(REDEEM_CONTACT).bind(token).bind(now_us).bind(inviter.0);
                let row = query.fetch_optional(connection).await?;
                Ok(row.map(|row| row.try_get(0)).transpose()?)
            })
        })
    }

    /// Withdraws an invitation; `false` if there was none.
    pub fn invite_delete(&self, token: &str) -> Commit<bool> {
        let token = token.to_owned();
        self.write(token.len(), move |connection| {
            Box::pin(async move { Ok(sqlx::query(DELETE).bind(token).execute(connection).await?.rows_affected() > 0) })
        })
    }

    /// The same for one that this account has made and that can still be used.
    pub fn invite_delete_of(&self, token: &str, creator: AccountId) -> Commit<bool> {
        let (token, now_us) = (token.to_owned(), clock::now_micros());
        self.write(token.len(), move |connection| {
            Box::pin(async move {
                let query = sqlx::query(DELETE_OF).bind(token).bind(creator.0).bind(now_us);
                Ok(query.execute(connection).await?.rows_affected() > 0)
            })
        })
    }

    /// Forgets those that ended before this moment: how many there were.
    pub fn invite_expire(&self, before_us: i64) -> Commit<u64> {
        self.write(0, move |connection| {
            Box::pin(async move { Ok(sqlx::query(EXPIRE).bind(before_us).execute(connection).await?.rows_affected()) })
        })
    }
}

async fn insert(connection: &mut SqliteConnection, invite: &Invite) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(&invite.token)
        .bind(&invite.domain)
        .bind(invite.kind.number())
        .bind(invite.creator.as_ref().map(|person| person.id.0))
        .bind(invite.inviter.as_ref().map(|person| person.id.0))
        .bind(&invite.username)
        .bind(&invite.group)
        .bind(invite.created_us)
        .bind(invite.expires_us)
        .bind(invite.uses_max)
        .bind(invite.uses_left)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes one use of an invitation for an account of this name, inside a larger operation.
pub(super) async fn redeem_account(
    connection: &mut SqliteConnection,
    token: &str,
    accepted_us: i64,
    local: &str,
    domain: &str,
) -> Result<bool, Error> {
    let query = sqlx::query(REDEEM_ACCOUNT).bind(token).bind(accepted_us).bind(domain).bind(local);
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// XEP-0445 §5: the name belongs to whoever has that invitation, for as long as it is good.
pub(super) async fn is_reserved(
    connection: &mut SqliteConnection,
    local: &str,
    domain: &str,
    now_us: i64,
    token: &str,
) -> Result<bool, Error> {
    let query = sqlx::query_scalar(RESERVED).bind(local).bind(domain).bind(now_us).bind(token);
    Ok(query.fetch_one(connection).await?)
}

fn invite(row: &SqliteRow) -> Result<Invite, Error> {
    let person = |at: usize| -> Result<Option<Person>, Error> {
        let (id, jid): (Option<i64>, Option<String>) = (row.try_get(at)?, row.try_get(at + 1)?);
        Ok(id.zip(jid).map(|(id, jid)| Person { id: AccountId(id), jid }))
    };
    Ok(Invite {
        token: row.try_get(0)?,
        domain: row.try_get(1)?,
        kind: InviteKind::from_number(row.try_get(2)?)?,
        creator: person(3)?,
        inviter: person(5)?,
        username: row.try_get(7)?,
        group: row.try_get(8)?,
        created_us: row.try_get(9)?,
        expires_us: row.try_get(10)?,
        uses_max: row.try_get(11)?,
        uses_left: row.try_get(12)?,
    })
}
