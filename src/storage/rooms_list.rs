//! Rooms as a service lists them, what it keeps out, the names of destroyed ones, and their cards.

use sqlx::SqliteConnection;

use super::{Commit, Error, RoomId, Storage, pubsub::unpack};

/// A room that was destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomGone {
    /// When.
    pub gone_us: i64,
    /// Until when nobody may take its name.
    pub until_us: i64,
    /// The room to go to instead.
    pub alternate: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A room as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSummary {
    /// Its address.
    pub jid: String,
    /// Its configuration.
    pub config: String,
    /// When it was made.
    pub created_us: i64,
    /// The affiliation of who asks, as a number.
    pub affiliation: Option<u8>,
}

/// Which rooms are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomsFor<'a> {
    /// All of them, for who operates the server.
    Operator,
    /// Those that are public.
    Everybody,
    /// And those with which this bare JID has an affiliation, unless it is banned there.
    Member(&'a str),
}

/// An entry of a service's block list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomBlock {
    /// A room, a user or a domain.
    pub jid: String,
    /// Since when.
    pub since_us: i64,
    /// Why.
    pub reason: Option<String>,
}

/// Is the name of a destroyed room still kept at `$3`?
pub(super) const NAME_TAKEN: &str = "SELECT until_us > $3 FROM rooms_gone WHERE service = $1 AND name = $2";
const GONE: &str = "SELECT gone_us, until_us, alternate, reason FROM rooms_gone WHERE service = $1 AND name = $2";
const BURY: &str = "INSERT INTO rooms_gone (service, name, gone_us, until_us, alternate, reason)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (service, name) DO UPDATE SET gone_us = excluded.gone_us,
        until_us = excluded.until_us, alternate = excluded.alternate, reason = excluded.reason";
const UNBURY: &str = "DELETE FROM rooms_gone WHERE service = $1 AND name = $2";
const EXPIRE_GONE: &str = "DELETE FROM rooms_gone WHERE until_us <= $1";
const ALL: &str = "SELECT json_group_array(json_array(name || '@' || service, config, created_us, NULL)) FROM
    (SELECT * FROM rooms WHERE service = $1 AND name > $2 ORDER BY name LIMIT $3) AS r";
const PUBLIC: &str = "SELECT json_group_array(json_array(name || '@' || service, config, created_us, NULL)) FROM
    (SELECT * FROM rooms INDEXED BY rooms_public WHERE service = $1 AND name > $2 AND public = 1
     ORDER BY name LIMIT $3) AS r";
/// The public ones, and the others of one who is affiliated, each list by its own index.
const SEEN: &str = "SELECT json_group_array(json_array(name || '@' || service, config, created_us,
        (SELECT affiliation FROM room_affiliations WHERE room_id = r.id AND jid = $4))) FROM
    (SELECT * FROM (
        SELECT id, service, name, config, created_us FROM (
            SELECT * FROM rooms INDEXED BY rooms_public WHERE service = $1 AND name > $2 AND public = 1
            ORDER BY name LIMIT $3) AS shown
        UNION ALL
        SELECT hidden.id, service, name, config, created_us FROM room_affiliations AS a
        CROSS JOIN rooms AS hidden ON hidden.id = a.room_id
        WHERE a.jid = $4 AND a.affiliation > 1 AND service = $1 AND name > $2 AND public = 0
     ) AS both_lists ORDER BY name LIMIT $3) AS r";
/// Public ones with certain words.
const FOUND: &str = "SELECT json_group_array(json_array(name || '@' || service, config, created_us, NULL)) FROM
    (SELECT r.* FROM rooms_words CROSS JOIN rooms AS r ON r.id = rooms_words.rowid
     WHERE rooms_words MATCH $4 AND r.service = $1 AND r.name > $2 AND r.public = 1 ORDER BY r.name LIMIT $3) AS r";
const COUNT: &str = "SELECT rooms, public FROM room_services WHERE service = $1";
const HIDDEN_COUNT: &str = "SELECT count(*) FROM room_affiliations AS a CROSS JOIN rooms AS r ON r.id = a.room_id
    WHERE a.jid = $2 AND a.affiliation > 1 AND r.service = $1 AND r.public = 0";
const BLOCKS: &str =
    "SELECT json_group_array(json_array(jid, since_us, reason)) FROM room_blocks WHERE service = $1 ORDER BY jid";
const BLOCK: &str = "INSERT INTO room_blocks (service, jid, since_us, reason) VALUES ($1, $2, $3, $4)
    ON CONFLICT (service, jid) DO UPDATE SET reason = excluded.reason";
const UNBLOCK: &str = "DELETE FROM room_blocks WHERE service = $1 AND jid = $2";
const VCARD: &str = "SELECT vcard FROM room_vcards WHERE room_id = $1";
const SET_VCARD: &str = "INSERT INTO room_vcards (room_id, vcard, photos) VALUES ($1, $2, $3)
    ON CONFLICT (room_id) DO UPDATE SET vcard = excluded.vcard, photos = excluded.photos";
const DROP_VCARD: &str = "DELETE FROM room_vcards WHERE room_id = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    NAME_TAKEN,
    GONE,
    BURY,
    UNBURY,
    EXPIRE_GONE,
    ALL,
    PUBLIC,
    SEEN,
    FOUND,
    COUNT,
    HIDDEN_COUNT,
    BLOCKS,
    BLOCK,
    UNBLOCK,
    VCARD,
    SET_VCARD,
    DROP_VCARD,
];

/// The service and the name in the address of a room.
pub(super) fn split(jid: &str) -> (&str, &str) {
    jid.split_once('@').map_or((jid, ""), |(name, service)| (service, name))
}

/// Keeps the name of a destroyed room.
pub(super) async fn bury(
    connection: &mut SqliteConnection,
    service: &str,
    name: &str,
    gone: RoomGone,
) -> Result<(), Error> {
    let query = sqlx::query(BURY).bind(service).bind(name).bind(gone.gone_us).bind(gone.until_us);
    query.bind(gone.alternate).bind(gone.reason).execute(connection).await?;
    Ok(())
}

impl Storage {
    /// The room of this address that was destroyed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_gone(&self, jid: &str) -> Result<Option<RoomGone>, Error> {
        type Row = (i64, i64, Option<String>, Option<String>);
        let (service, name) = split(jid);
        let row: Option<Row> =
            sqlx::query_as(GONE).bind(service).bind(name).fetch_optional(&mut *self.reader().await?).await?;
        Ok(row.map(|(gone_us, until_us, alternate, reason)| RoomGone { gone_us, until_us, alternate, reason }))
    }

    /// Gives the name of a destroyed room free; `false` if there is none.
    pub fn room_unbury(&self, jid: &str) -> Commit<bool> {
        let (service, name) = split(jid);
        self.room_remove(UNBURY, service, name)
    }

    fn room_remove(&self, sql: &'static str, service: &str, which: &str) -> Commit<bool> {
        let (service, which) = (service.to_owned(), which.to_owned());
        self.write(service.len() + which.len(), move |connection| {
            Box::pin(async move {
                Ok(sqlx::query(sql).bind(service).bind(which).execute(connection).await?.rows_affected() > 0)
            })
        })
    }

    /// Forgets destroyed rooms whose names are free, and says how many.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn rooms_gone_expire(&self, now_us: i64) -> Result<u64, Error> {
        let done = self.write(0, move |connection| {
            Box::pin(
                async move { Ok(sqlx::query(EXPIRE_GONE).bind(now_us).execute(connection).await?.rows_affected()) },
            )
        });
        done.await
    }

    /// Rooms of a service in the order of their names, from after the room `after` (its address, or its name; "": from the
    /// start).
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn rooms_page(
        &self,
        service: &str,
        after: &str,
        limit: u32,
        seen_by: RoomsFor<'_>,
    ) -> Result<Vec<RoomSummary>, Error> {
        let after = after.split('@').next().unwrap_or_default();
        let sql = match seen_by {
            RoomsFor::Operator => ALL,
            RoomsFor::Everybody => PUBLIC,
            RoomsFor::Member(_) => SEEN,
        };
        let query = sqlx::query_scalar(sql).bind(service).bind(after).bind(limit);
        let query = if let RoomsFor::Member(jid) = seen_by { query.bind(jid) } else { query };
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        let summary = |(jid, config, created_us, affiliation)| RoomSummary { jid, config, created_us, affiliation };
        Ok(unpack(&packed)?.into_iter().map(summary).collect())
    }

    /// Public rooms in which all these words begin some word of their name, title or description, whichever of these is
    /// asked for, in the order of their names, from after `after`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn rooms_with(
        &self,
        service: &str,
        words: &[&str],
        [name, title, description]: [bool; 3],
        after: &str,
        limit: u32,
    ) -> Result<Vec<RoomSummary>, Error> {
        let columns = [(name, "name"), (title, "title"), (description, "description")];
        let columns: Vec<&str> = columns.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect();
        if columns.is_empty() || words.is_empty() {
            return Ok(Vec::new());
        }
        let quoted: Vec<_> = words.iter().map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
        let asked = format!("{{{}}} : ({})", columns.join(" "), quoted.join(" AND "));
        let query = sqlx::query_scalar(FOUND).bind(service).bind(after).bind(limit).bind(asked);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        let summary = |(jid, config, created_us, affiliation)| RoomSummary { jid, config, created_us, affiliation };
        Ok(unpack(&packed)?.into_iter().map(summary).collect())
    }

    /// How many of them there are.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn rooms_count(&self, service: &str, seen_by: RoomsFor<'_>) -> Result<u64, Error> {
        let mut reader = self.reader().await?;
        let counts: Option<(i64, i64)> = sqlx::query_as(COUNT).bind(service).fetch_optional(&mut *reader).await?;
        let (all, public) = counts.unwrap_or_default();
        let count = match seen_by {
            RoomsFor::Operator => all,
            RoomsFor::Everybody => public,
            RoomsFor::Member(jid) => {
                let hidden = sqlx::query_scalar(HIDDEN_COUNT).bind(service).bind(jid);
                public + hidden.fetch_one(&mut *reader).await.map(|hidden: i64| hidden)?
            }
        };
        Ok(count.unsigned_abs())
    }

    /// Whom a service keeps out.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_blocks(&self, service: &str) -> Result<Vec<RoomBlock>, Error> {
        let query = sqlx::query_scalar(BLOCKS).bind(service);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        let block = |(jid, since_us, reason)| RoomBlock { jid, since_us, reason };
        Ok(unpack(&packed)?.into_iter().map(block).collect())
    }

    /// Keeps out a room, a user or a domain.
    pub fn room_block(&self, service: &str, block: RoomBlock) -> Commit<()> {
        let service = service.to_owned();
        self.write(block.jid.len(), move |connection| {
            Box::pin(async move {
                let query = sqlx::query(BLOCK).bind(service).bind(block.jid).bind(block.since_us).bind(block.reason);
                query.execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Lets it in again; `false` if it was not kept out.
    pub fn room_unblock(&self, service: &str, jid: &str) -> Commit<bool> {
        self.room_remove(UNBLOCK, service, jid)
    }

    /// The card of a room.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_vcard(&self, room: RoomId) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar(VCARD).bind(room.0).fetch_optional(&mut *self.reader().await?).await?)
    }

    /// Replaces the card of a room: its text, and the SHA-1 of each photograph; or takes it away.
    pub fn room_set_vcard(&self, room: RoomId, vcard: Option<(String, Vec<String>)>) -> Commit<()> {
        self.write(vcard.as_ref().map_or(0, |(text, _)| text.len()), move |connection| {
            Box::pin(async move {
                let query = match vcard {
                    Some((text, photos)) => {
                        let photos = serde_json::Value::from(photos).to_string();
                        sqlx::query(SET_VCARD).bind(room.0).bind(text).bind(photos)
                    }
                    None => sqlx::query(DROP_VCARD).bind(room.0),
                };
                query.execute(connection).await?;
                Ok(())
            })
        })
    }
}
