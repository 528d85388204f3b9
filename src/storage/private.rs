//! Private XML storage (XEP-0049).

use super::{AccountId, Commit, Error, Storage};

/// What an account keeps privately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivateUsage {
    /// Elements.
    pub keys: u64,
    /// Their sizes together.
    pub bytes: u64,
}

const GET: &str = "SELECT xml FROM private WHERE account_id = $1 AND key = $2";
const SET: &str = "INSERT INTO private (account_id, key, xml) VALUES ($1, $2, $3)
    ON CONFLICT (account_id, key) DO UPDATE SET xml = excluded.xml";
const USAGE: &str = "SELECT count(*), coalesce(sum(octet_length(xml)), 0) FROM private WHERE account_id = $1";

const HOLDERS: &str = "SELECT a.id, a.jid FROM private AS p JOIN accounts AS a ON a.id = p.account_id
    WHERE p.key = $1 AND p.account_id > $2 AND instr(p.xml, $3) > 0 ORDER BY p.account_id LIMIT $4";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[GET, SET, USAGE, HOLDERS];

impl Storage {
    /// The element kept under `key`, which names its namespace and name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn private_get(&self, account: AccountId, key: &str) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar(GET).bind(account.0).bind(key).fetch_optional(&mut *self.reader().await?).await?)
    }

    /// Keeps an element in the place of the one before.
    pub fn private_set(&self, account: AccountId, key: &str, xml: &str) -> Commit<()> {
        let (key, xml) = (key.to_owned(), xml.to_owned());
        self.write(key.len() + xml.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(SET).bind(account.0).bind(key).bind(xml).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Accounts that keep an element of this key with this in it, from one account on: ids and bare JIDs.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn private_holders(
        &self,
        key: &str,
        after: AccountId,
        holding: &str,
        limit: u32,
    ) -> Result<Vec<(AccountId, String)>, Error> {
        let query = sqlx::query_as(HOLDERS).bind(key).bind(after.0).bind(holding).bind(limit);
        let rows: Vec<(i64, String)> = query.fetch_all(&mut *self.reader().await?).await?;
        Ok(rows.into_iter().map(|(id, jid)| (AccountId(id), jid)).collect())
    }

    /// How much an account keeps, for its limit.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn private_usage(&self, account: AccountId) -> Result<PrivateUsage, Error> {
        let (keys, bytes): (i64, i64) =
            sqlx::query_as(USAGE).bind(account.0).fetch_one(&mut *self.reader().await?).await?;
        Ok(PrivateUsage { keys: keys.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }
}
