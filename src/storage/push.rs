//! Registrations with push services (XEP-0357).

use sqlx::{Row, sqlite::SqliteRow};

use super::{AccountId, Commit, Error, Storage};

/// One registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRow {
    /// The JID of the push service.
    pub service: String,
    /// The node there; empty: none was named.
    pub node: String,
    /// The resourcepart of the client that enabled it last.
    pub resource: String,
    /// The form that goes with each notification.
    pub options: Option<String>,
    /// When it was enabled, microseconds since 1970; no other registration of the node has the same.
    pub since_us: i64,
    /// Notifications in a row that failed.
    pub failures: u32,
}

/// A row as the statement for a whole account packs it.
type Packed = (String, String, String, Option<String>, i64, u32);

const SET: &str = "INSERT INTO push (account_id, service, node, resource, options, since_us, failures)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, service, node) DO UPDATE SET
    resource = excluded.resource, options = excluded.options, since_us = excluded.since_us, failures = excluded.failures";
const REMOVE: &str = "DELETE FROM push WHERE account_id = $1 AND service = $2 AND node = $3 AND since_us = $4";
const SET_FAILURES: &str =
    "UPDATE push SET failures = $5 WHERE account_id = $1 AND service = $2 AND node = $3 AND since_us = $4";
const LIST: &str = "SELECT a.jid, p.service, p.node, p.resource, p.options, p.since_us, p.failures
    FROM accounts AS a JOIN push AS p ON p.account_id = a.id WHERE a.jid > $1 ORDER BY a.jid, p.service, p.node LIMIT $2";
/// Of some accounts those that have registrations.
const AMONG: &str = "SELECT json_group_array(jid) FROM (SELECT a.jid FROM json_each($1) AS asked
    CROSS JOIN accounts AS a ON a.jid = asked.value WHERE EXISTS (SELECT 1 FROM push WHERE account_id = a.id)) AS some";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[SET, REMOVE, SET_FAILURES, LIST, AMONG];

impl Storage {
    /// Those of some accounts, by their addresses, that have registrations.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn push_among(&self, jids: &[&str]) -> Result<Vec<String>, Error> {
        let query = sqlx::query_scalar(AMONG).bind(serde_json::Value::from(jids).to_string());
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        super::pubsub::unpack(&packed)
    }

    /// Keeps a registration in the place of an earlier one of the node, and removes others in the same step.
    pub fn push_set(&self, account: AccountId, row: PushRow, gone: Vec<PushRow>) -> Commit<()> {
        let bytes = |row: &PushRow| row.service.len() + row.node.len() + row.options.as_ref().map_or(0, String::len);
        self.write(bytes(&row) + gone.iter().map(bytes).sum::<usize>(), move |connection| {
            Box::pin(async move {
                for old in gone {
                    let query = sqlx::query(REMOVE).bind(account.0).bind(old.service).bind(old.node).bind(old.since_us);
                    query.execute(&mut *connection).await?;
                }
                let PushRow { service, node, resource, options, since_us, failures } = row;
                let query = sqlx::query(SET).bind(account.0).bind(service).bind(node).bind(resource);
                query.bind(options).bind(since_us).bind(failures).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Removes registrations, unless they were made anew.
    pub fn push_remove(&self, account: AccountId, gone: Vec<PushRow>) -> Commit<()> {
        self.write(0, move |connection| {
            Box::pin(async move {
                for old in gone {
                    let query = sqlx::query(REMOVE).bind(account.0).bind(old.service).bind(old.node).bind(old.since_us);
                    query.execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
    }

    /// Remembers how many notifications in a row have failed.
    pub fn push_set_failures(&self, account: AccountId, row: PushRow) -> Commit<()> {
        self.write(0, move |connection| {
            Box::pin(async move {
                let query = sqlx::query(SET_FAILURES).bind(account.0).bind(row.service).bind(row.node);
                query.bind(row.since_us).bind(row.failures).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Registrations with the accounts they belong to, in the order of the JIDs, from after `after_jid`. The last account
    /// may not be complete if there are as many rows as asked for.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn push_list(&self, after_jid: &str, limit: u32) -> Result<Vec<(String, PushRow)>, Error> {
        let query = sqlx::query(LIST).bind(after_jid).bind(limit);
        query.fetch_all(&mut *self.reader().await?).await?.iter().map(listed).collect()
    }
}

fn listed(row: &SqliteRow) -> Result<(String, PushRow), Error> {
    let push = PushRow {
        service: row.try_get(1)?,
        node: row.try_get(2)?,
        resource: row.try_get(3)?,
        options: row.try_get(4)?,
        since_us: row.try_get(5)?,
        failures: row.try_get(6)?,
    };
    Ok((row.try_get(0)?, push))
}

/// The registrations of an account; NULL if there are none.
pub(super) fn unpack(packed: Option<&str>) -> Result<Vec<PushRow>, Error> {
    let Some(packed) = packed else { return Ok(Vec::new()) };
    let rows: Vec<Packed> = serde_json::from_str(packed).map_err(|error| Error::Invalid(error.to_string().into()))?;
    let row = |(service, node, resource, options, since_us, failures)| PushRow {
        service,
        node,
        resource,
        options,
        since_us,
        failures,
    };
    Ok(rows.into_iter().map(row).collect())
}
