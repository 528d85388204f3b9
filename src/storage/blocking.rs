//! Whom accounts have blocked (XEP-0191).

use super::{AccountId, Commit, Error, Storage};

const LOAD: &str = "SELECT json_group_array(jid) FROM blocking WHERE account_id = $1";
const ADD: &str = "INSERT INTO blocking (account_id, jid) SELECT $1, value FROM json_each($2) WHERE true
    ON CONFLICT DO NOTHING";
const REMOVE: &str = "DELETE FROM blocking WHERE account_id = $1 AND jid IN (SELECT value FROM json_each($2))";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LOAD, ADD, REMOVE];

impl Storage {
    /// The JIDs an account has blocked.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn blocking_load(&self, account: AccountId) -> Result<Vec<String>, Error> {
        let packed: String = sqlx::query_scalar(LOAD).bind(account.0).fetch_one(&mut *self.reader().await?).await?;
        serde_json::from_str(&packed).map_err(|error| Error::Invalid(error.to_string().into()))
    }

    /// Blocks these JIDs as well; all of them or none.
    pub fn blocking_add(&self, account: AccountId, jids: &[&str]) -> Commit<()> {
        self.blocking_change(ADD, account, jids)
    }

    /// Blocks these JIDs no longer; all of them or none.
    pub fn blocking_remove(&self, account: AccountId, jids: &[&str]) -> Commit<()> {
        self.blocking_change(REMOVE, account, jids)
    }

    fn blocking_change(&self, sql: &'static str, account: AccountId, jids: &[&str]) -> Commit<()> {
        let packed = serde_json::to_string(jids).expect("strings can be printed");
        self.write(packed.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(sql).bind(account.0).bind(packed).execute(connection).await?;
                Ok(())
            })
        })
    }
}
