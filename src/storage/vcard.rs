//! Business cards (XEP-0054).

use super::{AccountId, Commit, Error, Storage};

/// The card of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vcard {
    /// The `vCard` element.
    pub xml: String,
    /// When it was last set.
    pub updated_us: i64,
}

const GET: &str = "SELECT xml, updated_us FROM vcard WHERE account_id = $1";
const SET: &str = "INSERT INTO vcard (account_id, xml, updated_us, photo) VALUES ($1, $2, $3, $4)
    ON CONFLICT (account_id) DO UPDATE SET xml = excluded.xml, updated_us = excluded.updated_us, photo = excluded.photo";
const REMOVE: &str = "DELETE FROM vcard WHERE account_id = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[GET, SET, REMOVE];

impl Storage {
    /// The card of an account, if it has one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn vcard_get(&self, account: AccountId) -> Result<Option<Vcard>, Error> {
        let row: Option<(String, i64)> =
            sqlx::query_as(GET).bind(account.0).fetch_optional(&mut *self.reader().await?).await?;
        Ok(row.map(|(xml, updated_us)| Vcard { xml, updated_us }))
    }

    /// Replaces the card, or removes it. `photo` is the SHA-1 of the photograph in it, in hexadecimal.
    pub fn vcard_set(&self, account: AccountId, xml: Option<&str>, photo: Option<&str>, now_us: i64) -> Commit<()> {
        let (xml, photo) = (xml.map(str::to_owned), photo.map(str::to_owned));
        self.write(xml.as_ref().map_or(0, String::len), move |connection| {
            Box::pin(async move {
                let query = match xml {
                    Some(xml) => sqlx::query(SET).bind(account.0).bind(xml).bind(now_us).bind(photo),
                    None => sqlx::query(REMOVE).bind(account.0),
                };
                query.execute(connection).await?;
                Ok(())
            })
        })
    }
}
