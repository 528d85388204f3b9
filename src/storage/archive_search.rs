//! Words in archived messages (XEP-0431), by SQLite's FTS5.
//!
//! An index that everybody pays for with every message would cost more than the archive itself. So the messages of an
//! account are indexed when it searches: all of them the first time, later what has come since.

use std::sync::LazyLock;

use super::{ArchiveOwner, Commit, Error, Storage, archive_owner::Twice, archive_sql::row_before};

/// Messages that are not in the index yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unindexed {
    /// Where the index ends.
    pub after: i64,
    /// Row, id and stanza of what follows.
    pub messages: Vec<(i64, i64, String)>,
}

static END: LazyLock<Twice> = LazyLock::new(|| Twice::new("SELECT upto_id FROM archive_indexed WHERE account_id = $1"));
static UNINDEXED: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(format!(
        "SELECT row_id, id, stanza FROM archive WHERE row_id > {} AND row_id < ($1 + 1) << 31 AND id > $2
         ORDER BY row_id LIMIT $3",
        row_before("$1", "$2")
    ))
});
/// What was replaced since it was read is left out, by its length.
static INDEX: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "INSERT INTO archive_words (rowid, owner, body)
    SELECT m.row_id, 'a' || $1, word.value ->> 2 FROM json_each($2) AS word
    JOIN archive AS m ON m.row_id = word.value ->> 0 AND octet_length(m.stanza) = word.value ->> 1",
    )
});
static SET_END: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "INSERT INTO archive_indexed (account_id, upto_id) VALUES ($1, $2)
    ON CONFLICT (account_id) DO UPDATE SET upto_id = excluded.upto_id",
    )
});

#[cfg(test)]
pub(super) fn statements() -> Vec<&'static str> {
    [&END, &UNINDEXED, &INDEX, &SET_END].into_iter().flat_map(|sql| sql.both()).collect()
}

impl Storage {
    /// The oldest messages of an archive that are not indexed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archive_unindexed(&self, owner: impl Into<ArchiveOwner>, limit: u32) -> Result<Unindexed, Error> {
        let owner = owner.into();
        let (shelf, key) = (owner.shelf(), owner.key());
        let mut reader = self.reader().await?;
        let end: Option<i64> = sqlx::query_scalar(END.on(shelf)).bind(key).fetch_optional(&mut *reader).await?;
        let after = end.unwrap_or(i64::MIN);
        let query = sqlx::query_as(UNINDEXED.on(shelf)).bind(key).bind(after).bind(limit);
        Ok(Unindexed { after, messages: query.fetch_all(&mut *reader).await? })
    }

    /// Adds texts to the index: row, length of the stanza it was taken from, and the text. Does nothing if somebody else
    /// has gone on from `after` meanwhile.
    pub fn archive_index(
        &self,
        owner: impl Into<ArchiveOwner>,
        after: i64,
        upto: i64,
        texts: Vec<(i64, usize, String)>,
    ) -> Commit<()> {
        let owner = owner.into();
        let (shelf, key) = (owner.shelf(), owner.key());
        let bytes = texts.iter().map(|(_, _, text)| text.len()).sum();
        self.write(bytes, move |connection| {
            Box::pin(async move {
                let end: Option<i64> =
                    sqlx::query_scalar(END.on(shelf)).bind(key).fetch_optional(&mut *connection).await?;
                if end.unwrap_or(i64::MIN) != after {
                    return Ok(());
                }
                let texts = serde_json::to_string(&texts).map_err(|error| Error::Invalid(error.to_string().into()))?;
                sqlx::query(INDEX.on(shelf)).bind(key).bind(texts).execute(&mut *connection).await?;
                sqlx::query(SET_END.on(shelf)).bind(key).bind(upto).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// The words somebody looks for, all of which must be there, in the language of the index; `None` if there are none.
    #[must_use]
    pub fn archive_words(owner: impl Into<ArchiveOwner>, text: &str) -> Option<String> {
        let quoted = |word: &str| format!("\"{}\"", word.replace('"', "\"\""));
        let words: Vec<_> =
            text.split_whitespace().filter(|w| w.chars().any(char::is_alphanumeric)).map(quoted).collect();
        (!words.is_empty()).then(|| format!("owner : \"a{}\" AND body : ({})", owner.into().key(), words.join(" AND ")))
    }
}
