//! Rosters (RFC 6121 §2): contacts, their subscription state, and requests nobody has answered yet.

use sqlx::SqliteConnection;

use super::{AccountId, Commit, Error, Storage};

/// What is known about one contact of one account.
///
/// Also for contacts not in the roster: a pending request or a pre-approval exists without an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterRow {
    /// The JID of the contact.
    pub contact: String,
    /// `name`.
    pub name: Option<String>,
    /// 0 `none`, 1 `to`, 2 `from`, 3 `both`.
    pub subscription: u8,
    /// `ask='subscribe'`.
    pub ask: bool,
    /// `approved` (§3.4).
    pub approved: bool,
    /// The contact has asked and got no answer ("Pending In").
    pub pending_in: bool,
    /// That request as it came, to be shown again at each login (§3.1.3).
    pub pending_stanza: Option<String>,
    /// Whether it is an item of the roster its owner sees.
    pub in_roster: bool,
    /// The groups.
    pub groups: Vec<String>,
    /// The version of the roster that this row last changed in.
    pub version: i64,
}

/// A row as [`LOAD`] packs it.
type Packed = (String, Option<String>, u8, u8, u8, u8, Option<String>, u8, String, i64);

/// All in one row: a row costs more on its way from the database's thread than its content.
const LOAD: &str = "SELECT json_group_array(json_array(contact, name, subscription, ask, approved, pending_in,
    pending_stanza, in_roster, groups, version)) FROM roster WHERE account_id = $1";
const UPSERT: &str = "INSERT INTO roster (account_id, contact, name, subscription, ask, approved, pending_in,
    pending_stanza, in_roster, groups, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (account_id, contact) DO UPDATE SET name = excluded.name, subscription = excluded.subscription,
    ask = excluded.ask, approved = excluded.approved, pending_in = excluded.pending_in,
    pending_stanza = excluded.pending_stanza, in_roster = excluded.in_roster, groups = excluded.groups,
    version = excluded.version";
const REMOVE: &str = "DELETE FROM roster WHERE account_id = $1 AND contact = $2";
const SET_VERSION: &str = "UPDATE accounts SET roster_version = $2 WHERE id = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LOAD, UPSERT, REMOVE, SET_VERSION];

impl Storage {
    /// All rows of an account, by contact.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn roster_load(&self, account: AccountId) -> Result<Vec<RosterRow>, Error> {
        let packed: String = sqlx::query_scalar(LOAD).bind(account.0).fetch_one(&mut *self.reader().await?).await?;
        let rows: Vec<Packed> = serde_json::from_str(&packed).map_err(invalid)?;
        rows.into_iter().map(unpack).collect()
    }

    /// Writes a row, new or not, and the version of the roster it makes.
    pub fn roster_upsert(&self, account: AccountId, row: RosterRow, new_version: i64) -> Commit<()> {
        let bytes = row.contact.len() + row.pending_stanza.as_ref().map_or(0, String::len);
        self.write(bytes, move |connection| Box::pin(upsert(connection, account, row, new_version)))
    }

    /// Removes a row; `false` if there was none.
    pub fn roster_remove(&self, account: AccountId, contact: &str, new_version: i64) -> Commit<bool> {
        let contact = contact.to_owned();
        self.write(contact.len(), move |connection| {
            Box::pin(async move {
                let done = sqlx::query(REMOVE).bind(account.0).bind(contact).execute(&mut *connection).await?;
                sqlx::query(SET_VERSION).bind(account.0).bind(new_version).execute(connection).await?;
                Ok(done.rows_affected() > 0)
            })
        })
    }
}

/// Writes a row and the version it makes, inside a larger operation.
pub(super) async fn upsert(
    connection: &mut SqliteConnection,
    account: AccountId,
    row: RosterRow,
    new_version: i64,
) -> Result<(), Error> {
    sqlx::query(UPSERT)
        .bind(account.0)
        .bind(row.contact)
        .bind(row.name)
        .bind(row.subscription)
        .bind(row.ask)
        .bind(row.approved)
        .bind(row.pending_in)
        .bind(row.pending_stanza)
        .bind(row.in_roster)
        .bind(serde_json::to_string(&row.groups).map_err(invalid)?)
        .bind(new_version)
        .execute(&mut *connection)
        .await?;
    sqlx::query(SET_VERSION).bind(account.0).bind(new_version).execute(connection).await?;
    Ok(())
}

fn unpack(packed: Packed) -> Result<RosterRow, Error> {
    let (contact, name, subscription, ask, approved, pending_in, pending_stanza, in_roster, groups, version) = packed;
    Ok(RosterRow {
        contact,
        name,
        subscription,
        ask: ask != 0,
        approved: approved != 0,
        pending_in: pending_in != 0,
        pending_stanza,
        in_roster: in_roster != 0,
        groups: serde_json::from_str(&groups).map_err(invalid)?,
        version,
    })
}

fn invalid(error: serde_json::Error) -> Error {
    Error::Invalid(error.to_string().into())
}
