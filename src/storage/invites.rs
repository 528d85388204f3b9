//! Invitations to make an account.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{Commit, Error, Storage};

/// A token that lets its bearers register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The secret.
    pub token: String,
    /// The domain the account will be in.
    pub domain: String,
    /// When it was made.
    pub created_us: i64,
    /// When it ends.
    pub expires_us: Option<i64>,
    /// How many accounts can still be made with it.
    pub uses_left: u32,
    /// Who made it: a bare JID, or nobody but the operator.
    pub creator: Option<String>,
    /// What it is for.
    pub note: Option<String>,
}

const GET: &str = "SELECT token, domain, created_us, expires_us, uses_left, creator, note
    FROM invites WHERE token = $1";
const LIST: &str = "SELECT token, domain, created_us, expires_us, uses_left, creator, note
    FROM invites ORDER BY created_us, token";
const INSERT: &str = "INSERT INTO invites (token, domain, created_us, expires_us, uses_left, creator, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const REDEEM: &str = "UPDATE invites SET uses_left = uses_left - 1
    WHERE token = $1 AND uses_left > 0 AND (expires_us IS NULL OR expires_us > $2)";
const REDEEM_FOR: &str = "UPDATE invites SET uses_left = uses_left - 1
    WHERE token = $1 AND uses_left > 0 AND (expires_us IS NULL OR expires_us > $2) AND domain = $3";
const DELETE: &str = "DELETE FROM invites WHERE token = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[GET, LIST, INSERT, REDEEM, REDEEM_FOR, DELETE];

impl Storage {
    /// Keeps a new invitation.
    pub fn invite_create(&self, invite: Invite) -> Commit<()> {
        self.write(invite.note.as_ref().map_or(0, String::len), move |connection| {
            Box::pin(async move {
                sqlx::query(INSERT)
                    .bind(invite.token)
                    .bind(invite.domain)
                    .bind(invite.created_us)
                    .bind(invite.expires_us)
                    .bind(invite.uses_left)
                    .bind(invite.creator)
                    .bind(invite.note)
                    .execute(connection)
                    .await?;
                Ok(())
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

    /// All invitations, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn invite_list(&self) -> Result<Vec<Invite>, Error> {
        sqlx::query(LIST).fetch_all(&mut *self.reader().await?).await?.iter().map(invite).collect()
    }

    /// Takes one use of an invitation; `false` if it is unknown or no longer good. To make an account with it, see
    /// [`Storage::account_create_with_invite`].
    pub fn invite_redeem(&self, token: &str, now_us: i64) -> Commit<bool> {
        let token = token.to_owned();
        self.write(0, move |connection| {
            Box::pin(async move {
                let done = sqlx::query(REDEEM).bind(token).bind(now_us).execute(connection).await?;
                Ok(done.rows_affected() > 0)
            })
        })
    }

    /// Withdraws an invitation; `false` if there was none.
    pub fn invite_delete(&self, token: &str) -> Commit<bool> {
        let token = token.to_owned();
        self.write(0, move |connection| {
            Box::pin(async move { Ok(sqlx::query(DELETE).bind(token).execute(connection).await?.rows_affected() > 0) })
        })
    }
}

/// Takes one use of an invitation to `domain`, inside a larger operation.
pub(super) async fn redeem_for(
    connection: &mut SqliteConnection,
    token: &str,
    now_us: i64,
    domain: &str,
) -> Result<bool, Error> {
    let done = sqlx::query(REDEEM_FOR).bind(token).bind(now_us).bind(domain).execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

fn invite(row: &SqliteRow) -> Result<Invite, Error> {
    Ok(Invite {
        token: row.try_get(0)?,
        domain: row.try_get(1)?,
        created_us: row.try_get(2)?,
        expires_us: row.try_get(3)?,
        uses_left: row.try_get(4)?,
        creator: row.try_get(5)?,
        note: row.try_get(6)?,
    })
}
