//! Where archived messages are put: those of an account or a room side by side, each behind the last, so that a page is read from a
//! few neighbouring places. The writer remembers the ends of the archives that grow, and the chats that go on.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use sqlx::SqliteConnection;

use super::{
    ArchiveOwner, ArchiveShelf, Error,
    archive::ArchiveRow,
    archive_owner::Twice,
    batch::{HotRow, Values},
};

/// In the number of a row that of its owner stands left of so many bits.
const SHIFT: u32 = 31;
/// Chats remembered between batches.
const CHATS_MAX: usize = 4096;

/// Of each chat asked for that exists: its place among those asked for, its number, and the last row of its account.
static KNOWN: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "SELECT json_group_array(json_array(asked.key, c.chat, (
        SELECT row_id FROM archive WHERE row_id > c.account_id << 31 AND row_id < (c.account_id + 1) << 31
        ORDER BY row_id DESC LIMIT 1
    ))) FROM json_each($1) AS asked
    CROSS JOIN archive_chats AS c ON c.account_id = asked.value ->> 0 AND c.peer = asked.value ->> 1",
    )
});
static BEGIN: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "INSERT OR IGNORE INTO archive_chats (account_id, peer)
    SELECT a.id, asked.value ->> 1 FROM json_each($1) AS asked CROSS JOIN accounts AS a ON a.id = asked.value ->> 0",
    )
});
/// Removes those of some chats that have become empty.
static END: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "DELETE FROM archive_chats WHERE chat IN (SELECT value FROM json_each($1))
    AND NOT EXISTS (SELECT 1 FROM archive WHERE chat = archive_chats.chat)",
    )
});

#[cfg(test)]
pub(super) fn statements() -> Vec<&'static str> {
    [&KNOWN, &BEGIN, &END].into_iter().flat_map(|sql| sql.both()).collect()
}

/// A message and its place.
pub(super) struct PlacedRow<'r> {
    row: &'r ArchiveRow,
    row_id: i64,
    chat: i64,
}

impl PlacedRow<'_> {
    /// Where it belongs.
    pub(super) fn shelf(&self) -> ArchiveShelf {
        self.row.owner.shelf()
    }
}

impl HotRow for PlacedRow<'_> {
    const COLUMNS: usize = 7;

    fn bind(&self, values: &mut Values) -> Result<(), Error> {
        values.add(self.row_id)?;
        values.add(self.row.owner.key())?;
        values.add(self.chat)?;
        values.add(self.row.id)?;
        values.add(self.row.resource.clone().map(String::from))?;
        values.add(self.row.mark)?;
        values.add(Arc::clone(&self.row.stanza))
    }
}

/// Says that some chats are gone, and what is remembered of them with them.
#[derive(Clone, Default)]
pub(super) struct ChatsGone(Arc<AtomicBool>);

impl ChatsGone {
    /// In the transaction that removes them.
    pub(super) fn note(&self) {
        self.0.store(true, Relaxed);
    }
}

/// What the writer remembers.
pub(super) struct Places {
    chats: HashMap<(ArchiveOwner, Arc<str>), i64>,
    /// The last row of each owner that is in `chats`.
    ends: HashMap<ArchiveOwner, i64>,
    gone: ChatsGone,
}

impl Places {
    pub(super) fn new(gone: ChatsGone) -> Self {
        Self { chats: HashMap::new(), ends: HashMap::new(), gone }
    }

    /// After a transaction that failed nothing is certain.
    pub(super) fn forget(&mut self) {
        self.chats.clear();
        self.ends.clear();
    }

    /// Gives each message a place behind the last one of its owner, in this order; none if the owner is gone.
    pub(super) async fn place<'r>(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &[&'r ArchiveRow],
    ) -> Result<Vec<Option<PlacedRow<'r>>>, Error> {
        if self.gone.0.swap(false, Relaxed) || self.chats.len() > CHATS_MAX {
            self.forget();
        }
        for shelf in ArchiveShelf::ALL {
            let unknown: HashSet<(i64, &str)> = rows
                .iter()
                .filter(|row| row.owner.shelf() == shelf)
                .filter(|row| !self.chats.contains_key(&(row.owner, Arc::clone(&row.peer))))
                .map(|row| (row.owner.key(), &*row.peer))
                .collect();
            if !unknown.is_empty() {
                self.learn(connection, shelf, &unknown.into_iter().collect::<Vec<_>>()).await?;
            }
        }
        let place = |row: &&'r ArchiveRow| {
            let chat = *self.chats.get(&(row.owner, Arc::clone(&row.peer)))?;
            let row_id = self.ends.get_mut(&row.owner)?;
            *row_id += 1;
            Some(PlacedRow { row, row_id: *row_id, chat })
        };
        Ok(rows.iter().map(place).collect())
    }

    /// Finds chats, and begins those that do not exist.
    async fn learn(
        &mut self,
        connection: &mut SqliteConnection,
        shelf: ArchiveShelf,
        unknown: &[(i64, &str)],
    ) -> Result<(), Error> {
        let invalid = |error: serde_json::Error| Error::Invalid(error.to_string().into());
        let asked = serde_json::to_string(unknown).map_err(invalid)?;
        let mut begun = false;
        loop {
            let known: String = sqlx::query_scalar(KNOWN.on(shelf)).bind(&asked).fetch_one(&mut *connection).await?;
            let known: Vec<(usize, i64, Option<i64>)> = serde_json::from_str(&known).map_err(invalid)?;
            if known.len() < unknown.len() && !begun {
                sqlx::query(BEGIN.on(shelf)).bind(&asked).execute(&mut *connection).await?;
                begun = true;
                continue;
            }
            for (place, chat, end) in known {
                let (key, peer) = unknown[place];
                let owner = shelf.owner(key);
                self.chats.insert((owner, peer.into()), chat);
                self.ends.entry(owner).or_insert(end.unwrap_or(key << SHIFT));
            }
            return Ok(());
        }
    }
}

/// After messages of these chats were removed: nobody shall learn from an empty one whom somebody once talked to.
pub(super) async fn end_empty(
    connection: &mut SqliteConnection,
    shelf: ArchiveShelf,
    mut chats: Vec<i64>,
    gone: &ChatsGone,
) -> Result<(), Error> {
    chats.sort_unstable();
    chats.dedup();
    if chats.is_empty() {
        return Ok(());
    }
    let chats = serde_json::Value::from(chats).to_string();
    if sqlx::query(END.on(shelf)).bind(chats).execute(connection).await?.rows_affected() > 0 {
        gone.note();
    }
    Ok(())
}
