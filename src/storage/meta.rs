//! Single values the server keeps about itself, such as the secret it makes at its first start.

use super::{Commit, Error, Storage};

const GET: &str = "SELECT value FROM meta WHERE key = $1";
const SET: &str =
    "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const INIT: &str = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[GET, SET, INIT];

impl Storage {
    /// The value of `key`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn meta_get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(sqlx::query_scalar(GET).bind(key).fetch_optional(&mut *self.reader().await?).await?)
    }

    /// Sets the value of `key`.
    pub fn meta_set(&self, key: &str, value: Vec<u8>) -> Commit<()> {
        let key = key.to_owned();
        self.write(value.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(SET).bind(key).bind(value).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Sets the value of `key` if it has none, and gives the one it then has.
    pub fn meta_init(&self, key: &str, value: Vec<u8>) -> Commit<Vec<u8>> {
        let key = key.to_owned();
        self.write(value.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(INIT).bind(&key).bind(value).execute(&mut *connection).await?;
                Ok(sqlx::query_scalar(GET).bind(&key).fetch_one(connection).await?)
            })
        })
    }
}
