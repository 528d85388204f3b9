//! Rooms (XEP-0045): what each is, who may what there, and what is said there. A room is read when somebody needs it.
//!
//! What a room's configuration says is for others to know; here it is text. Affiliations are numbers: 1 for who is banned,
//! more for who has more rights, 0 for one that was taken away (kept for a while: XEP-0463).

use std::sync::Arc;

use super::{
    ArchiveQuery, ArchiveRow, ArchivedMessage, Commit, Error, PageFrom, Storage,
    pubsub::unpack,
    room_hats::{self, RoomHat, RoomHats},
    rooms_list::{NAME_TAKEN, RoomGone, bury, split},
};
use crate::journal::Effect;

/// A room in the database. Never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub i64);

/// An affiliation with a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomAffiliation {
    /// A bare JID, or a domain.
    pub jid: String,
    /// As a number.
    pub affiliation: u8,
    /// The registered nickname (§7.10).
    pub nick: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether messages concern him while he is not there, if he has said so.
    pub follows: Option<bool>,
    /// The version of the list that brought it.
    pub version: i64,
}

/// A room with everything but what was said there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its key.
    pub id: RoomId,
    /// Its address.
    pub jid: String,
    /// Its configuration.
    pub config: String,
    /// Who made it: a bare JID.
    pub creator: String,
    /// When.
    pub created_us: i64,
    /// The stanza with its subject.
    pub subject: Option<String>,
    /// When that was.
    pub subject_us: Option<i64>,
    /// Those that are in force.
    pub affiliations: Vec<RoomAffiliation>,
    /// Of the affiliations.
    pub version: i64,
    /// The last one that was not about bans alone.
    pub shown_version: i64,
    /// The SHA-1 of each photograph in its card, in hexadecimal.
    pub photos: Vec<String>,
    /// Its hats, and who wears them.
    pub hats: RoomHats,
}

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomFound {
    /// A room.
    Room(Box<RoomRow>),
    /// One that was destroyed.
    Gone(RoomGone),
    /// Nothing.
    None,
}

/// What rooms are found by, taken from the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomListed {
    /// In the list for everybody.
    pub public: bool,
    /// Its name for people.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Its language.
    pub lang: String,
}

/// A room to be made.
#[derive(Clone, Debug, Default)]
pub struct NewRoom {
    /// Its address.
    pub jid: String,
    /// Its configuration.
    pub config: String,
    /// What that says for lists.
    pub listed: RoomListed,
    /// Who makes it: a bare JID.
    pub creator: String,
    /// When.
    pub created_us: i64,
    /// Those it begins with.
    pub affiliations: Vec<RoomAffiliation>,
    /// The stanza with its subject, if it has one already, and when that was.
    pub subject: Option<(String, i64)>,
    /// Likewise.
    pub hats: RoomHats,
    /// Of the affiliations. What brought them about is not known.
    pub version: i64,
}

/// What came of making a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomCreated {
    /// It is there.
    Made(RoomId),
    /// The service or its creator has too many.
    TooMany,
    /// A room of this address was destroyed not long ago.
    Gone,
}

/// A message for the archive of a room.
#[derive(Clone, Debug)]
pub struct RoomArchiveRow {
    /// Which room.
    pub room: RoomId,
    /// From [`Storage::archive_id`].
    pub id: i64,
    /// Its author, by the real bare JID; for what the room says itself its own.
    pub sender: Arc<str>,
    /// The resource of that.
    pub resource: Option<Box<str>>,
    /// From [`Storage::archive_mark`] of the message's own id.
    pub mark: i64,
    /// The stanza as it is reflected, without `to`.
    pub stanza: Arc<str>,
    /// It changes the subject: the stanza to be remembered, and when that was.
    pub subject: Option<(String, i64)>,
}

/// All in one row: a row costs more on its way from the database's thread than its content.
const ROOM: &str = "SELECT id, config, creator, created_us, subject, subject_us, version,
    (SELECT json_group_array(json_array(jid, affiliation, nick, reason, follows, version)) FROM room_affiliations
     WHERE room_id = r.id AND affiliation > 0),
    coalesce((SELECT photos FROM room_vcards WHERE room_id = r.id), '[]'),
    (SELECT json_group_array(json_array(uri, title, hue)) FROM room_hats WHERE room_id = r.id),
    (SELECT json_group_array(json_array(jid, uri)) FROM room_hats_worn WHERE room_id = r.id),
    max(version_floor, coalesce((SELECT max(shown_at) FROM room_affiliations WHERE room_id = r.id), 0))
    FROM rooms AS r WHERE service = $1 AND name = $2";
const CREATE: &str = "INSERT INTO rooms (service, name, creator, created_us, public, title, description, lang,
        config, version, version_floor)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10
    WHERE coalesce((SELECT rooms FROM room_services WHERE service = $1), 0) < $11
        AND (SELECT count(*) FROM rooms WHERE creator = $3) < $12
        OR EXISTS (SELECT 1 FROM rooms WHERE service = $1 AND name = $2)
    RETURNING id";
const CONFIGURE: &str =
    "UPDATE rooms SET config = $2, public = $3, title = $4, description = $5, lang = $6 WHERE id = $1";
const SET_SUBJECT: &str = "UPDATE rooms SET subject = $2, subject_us = $3 WHERE id = $1";
const NEXT_VERSION: &str = "UPDATE rooms SET version = version + $2 WHERE id = $1 RETURNING version";
const AFFILIATE: &str = "INSERT INTO room_affiliations (room_id, jid, affiliation, nick, reason, follows, version,
        listed_from, shown_from, shown_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7, CASE WHEN $3 > 1 THEN $7 END, CASE WHEN $3 > 1 THEN $7 END)
    ON CONFLICT (room_id, jid) DO UPDATE SET affiliation = excluded.affiliation,
        nick = excluded.nick, reason = excluded.reason, follows = excluded.follows, version = excluded.version,
        shown_from = coalesce(shown_from, excluded.shown_from),
        shown_at = CASE WHEN excluded.affiliation > 1 OR room_affiliations.affiliation > 1 THEN excluded.version
            ELSE room_affiliations.shown_at END";
/// A nickname that goes from one to another in one step must be free in between.
const FREE_NICK: &str = "UPDATE room_affiliations SET nick = NULL WHERE room_id = $1 AND jid = $2";
/// Of those taken away the latest are remembered.
const FORGET: &str = "DELETE FROM room_affiliations WHERE room_id = $1 AND affiliation = 0 AND version <= $2";
const FORGOTTEN: &str = "SELECT version FROM room_affiliations WHERE room_id = $1 AND affiliation = 0
    ORDER BY version DESC LIMIT 1 OFFSET $2";
const SET_FLOOR: &str = "UPDATE rooms SET version_floor = max(version_floor, $2) WHERE id = $1";
const CHANGES: &str = "SELECT CASE WHEN $2 BETWEEN version_floor AND version THEN
    (SELECT json_group_array(json_array(jid, affiliation, nick, reason, follows, CASE WHEN $3 THEN version ELSE shown_at END))
     FROM room_affiliations WHERE room_id = r.id AND CASE WHEN $3
        THEN version > $2 AND (affiliation > 0 OR listed_from <= $2)
        ELSE shown_at > $2 AND (affiliation > 1 OR shown_from <= $2) END) END FROM rooms AS r WHERE id = $1";
const DESTROY: &str = "DELETE FROM rooms WHERE id = $1 RETURNING service, name";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    ROOM,
    CREATE,
    CONFIGURE,
    SET_SUBJECT,
    NEXT_VERSION,
    AFFILIATE,
    FREE_NICK,
    FORGET,
    FORGOTTEN,
    SET_FLOOR,
    CHANGES,
    DESTROY,
];

/// Affiliations that were taken away and are remembered, for each room. Who asks for older changes gets the whole list.
const TAKEN_AWAY_MAX: i64 = 1_000;

type Affiliated = (String, u8, Option<String>, Option<String>, Option<i64>, i64);

fn affiliations(packed: &str) -> Result<Vec<RoomAffiliation>, Error> {
    let affiliation = |(jid, affiliation, nick, reason, follows, version): Affiliated| {
        let follows = follows.map(|follows| follows != 0);
        RoomAffiliation { jid, affiliation, nick, reason, follows, version }
    };
    Ok(unpack(packed)?.into_iter().map(affiliation).collect())
}

impl Storage {
    /// What is at this address.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_load(&self, jid: &str) -> Result<RoomFound, Error> {
        type Row = (i64, String, String, i64, Option<String>, Option<i64>, i64, String, String, String, String, i64);
        let (service, name) = split(jid);
        let mut reader = self.reader().await?;
        let row: Option<Row> = sqlx::query_as(ROOM).bind(service).bind(name).fetch_optional(&mut *reader).await?;
        let Some(row) = row else {
            drop(reader);
            return Ok(self.room_gone(jid).await?.map_or(RoomFound::None, RoomFound::Gone));
        };
        let (id, config, creator, created_us, subject, subject_us, version, packed, photos, hats, worn, shown_version) =
            row;
        let (affiliations, photos) = (affiliations(&packed)?, unpack(&photos)?);
        let hat = |(uri, title, hue): (String, String, Option<String>)| RoomHat { uri, title, hue };
        let hats = RoomHats { hats: unpack(&hats)?.into_iter().map(hat).collect(), worn: unpack(&worn)? };
        let (id, jid) = (RoomId(id), jid.to_owned());
        Ok(RoomFound::Room(Box::new(RoomRow {
            id,
            jid,
            config,
            creator,
            created_us,
            subject,
            subject_us,
            affiliations,
            version,
            shown_version,
            photos,
            hats,
        })))
    }

    /// Makes a room. Fails with [`Error::Conflict`] if there is one of this address.
    pub fn room_create(&self, room: NewRoom, per_service_max: usize, per_user_max: usize) -> Commit<RoomCreated> {
        let most = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (service, name) = split(&room.jid);
        let (service, name) = (service.to_owned(), name.to_owned());
        let version = room.version.max(FIRST_VERSION);
        self.write(room.config.len() + room.jid.len(), move |connection| {
            Box::pin(async move {
                let taken = sqlx::query_scalar(NAME_TAKEN).bind(&service).bind(&name).bind(room.created_us);
                if taken.fetch_optional(&mut *connection).await?.is_some_and(|taken: bool| taken) {
                    return Ok(RoomCreated::Gone);
                }
                let id: Option<i64> = sqlx::query_scalar(CREATE)
                    .bind(service)
                    .bind(name)
                    .bind(room.creator)
                    .bind(room.created_us)
                    .bind(room.listed.public)
                    .bind(room.listed.title)
                    .bind(room.listed.description)
                    .bind(room.listed.lang)
                    .bind(room.config)
                    .bind(version)
                    .bind(most(per_service_max))
                    .bind(most(per_user_max))
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(id) = id else { return Ok(RoomCreated::TooMany) };
                for affiliation in room.affiliations {
                    let version = Some(affiliation.version).filter(|own| *own > 0).unwrap_or(version);
                    affiliate(connection, id, affiliation, version).await?;
                }
                if let Some((stanza, at_us)) = room.subject {
                    set_subject(connection, id, Some(&stanza), Some(at_us)).await?;
                }
                room_hats::set_all(connection, RoomId(id), room.hats).await?;
                Ok(RoomCreated::Made(RoomId(id)))
            })
        })
    }

    /// Replaces the configuration of a room and sets affiliations, as [`Storage::room_set_affiliations`] does, both or neither.
    /// The version of the list, if it is a new one.
    pub fn room_configure(
        &self,
        room: RoomId,
        config: String,
        listed: RoomListed,
        changes: Vec<RoomAffiliation>,
    ) -> Commit<Option<i64>> {
        self.write(config.len() + listed.description.len() + bytes(&changes), move |connection| {
            Box::pin(async move {
                sqlx::query(CONFIGURE)
                    .bind(room.0)
                    .bind(config)
                    .bind(listed.public)
                    .bind(listed.title)
                    .bind(listed.description)
                    .bind(listed.lang)
                    .execute(&mut *connection)
                    .await?;
                match changes.is_empty() {
                    true => Ok(None),
                    false => set_affiliations(connection, room, changes).await.map(Some),
                }
            })
        })
    }

    /// Sets affiliations, all or none (0 takes one away). Each is a new version of the list; the last one comes back. Fails with
    /// [`Error::Conflict`] if somebody else has the nickname, with [`Error::NotFound`] if the room is gone.
    pub fn room_set_affiliations(&self, room: RoomId, changes: Vec<RoomAffiliation>) -> Commit<i64> {
        self.write(bytes(&changes), move |connection| Box::pin(set_affiliations(connection, room, changes)))
    }

    /// What has changed since that version of the affiliations, those taken away with 0 if they were there then; `None` if
    /// that is not known any more. Without bans, who is banned counts as taken away, what was about bans alone is left out, and
    /// each comes with the last version that was not.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_changes(
        &self,
        room: RoomId,
        since: i64,
        with_bans: bool,
    ) -> Result<Option<Vec<RoomAffiliation>>, Error> {
        let query = sqlx::query_scalar(CHANGES).bind(room.0).bind(since).bind(with_bans);
        let packed: Option<Option<String>> = query.fetch_optional(&mut *self.reader().await?).await?;
        packed.flatten().map(|packed| affiliations(&packed)).transpose()
    }

    /// Remembers the subject: its stanza, and when it was set.
    pub fn room_set_subject(&self, room: RoomId, subject: Option<(String, i64)>) -> Commit<()> {
        self.write(subject.as_ref().map_or(0, |(stanza, _)| stanza.len()), move |connection| {
            Box::pin(async move {
                let (stanza, at_us) = subject.as_ref().map(|(stanza, at_us)| (stanza.as_str(), *at_us)).unzip();
                set_subject(connection, room.0, stanza, at_us).await
            })
        })
    }

    /// Removes a room with all it has; `false` if it was gone. With `gone` nobody takes its name for a while.
    pub fn room_destroy(&self, room: RoomId, gone: Option<RoomGone>) -> Commit<bool> {
        let chats_gone = self.0.chats_gone.clone();
        self.write(0, move |connection| {
            Box::pin(async move {
                let destroyed = sqlx::query_as(DESTROY).bind(room.0).fetch_optional(&mut *connection).await?;
                let Some((service, name)): Option<(String, String)> = destroyed else { return Ok(false) };
                chats_gone.note();
                if let Some(gone) = gone {
                    bury(connection, &service, &name, gone).await?;
                }
                Ok(true)
            })
        })
    }

    /// Archives what is said in a room; with what the session journal is to know about it. [`Error::NotFound`] if the room
    /// is gone.
    pub fn room_archive(&self, row: RoomArchiveRow, effect: Option<Effect>) -> Commit<()> {
        let (answer, commit) = Commit::pair();
        let RoomArchiveRow { room, id, sender, resource, mark, stanza, subject } = row;
        let subject = subject.map(Box::new);
        let row = ArchiveRow { owner: room.into(), id, peer: sender, resource, mark, stanza, subject };
        self.archive_store_caused(row, effect, Box::new(move |outcome| drop(answer.send(outcome))));
        commit
    }

    /// The last messages of a room after a moment, the oldest of them first: at most `limit_rows`, and no more than
    /// `limit_bytes` unless the last one alone is larger.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_archive_last(
        &self,
        room: RoomId,
        after_us: i64,
        limit_rows: u32,
        limit_bytes: u64,
    ) -> Result<Vec<ArchivedMessage>, Error> {
        let query = ArchiveQuery { after: after_us, ..ArchiveQuery::default() };
        Ok(self.archive_page(room, &query, PageFrom::Newest, limit_rows, limit_bytes).await?.messages)
    }
}

/// In the transaction of the message that says so, if that is archived.
pub(super) async fn set_subject(
    connection: &mut sqlx::SqliteConnection,
    room: i64,
    stanza: Option<&str>,
    at_us: Option<i64>,
) -> Result<(), Error> {
    sqlx::query(SET_SUBJECT).bind(room).bind(stanza).bind(at_us).execute(connection).await?;
    Ok(())
}

fn bytes(changes: &[RoomAffiliation]) -> usize {
    changes.iter().map(|a| a.jid.len() + a.reason.as_ref().map_or(0, String::len) + 64).sum()
}

async fn set_affiliations(
    connection: &mut sqlx::SqliteConnection,
    room: RoomId,
    changes: Vec<RoomAffiliation>,
) -> Result<i64, Error> {
    let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    let last = sqlx::query_scalar(NEXT_VERSION).bind(room.0).bind(count).fetch_optional(&mut *connection);
    let last: i64 = last.await?.ok_or(Error::NotFound)?;
    for change in &changes {
        sqlx::query(FREE_NICK).bind(room.0).bind(&*change.jid).execute(&mut *connection).await?;
    }
    for (version, change) in (last - count + 1..).zip(changes) {
        affiliate(connection, room.0, change, version).await?;
    }
    let forgotten = sqlx::query_scalar(FORGOTTEN).bind(room.0).bind(TAKEN_AWAY_MAX);
    let forgotten: Option<i64> = forgotten.fetch_optional(&mut *connection).await?;
    if let Some(upto) = forgotten {
        sqlx::query(FORGET).bind(room.0).bind(upto).execute(&mut *connection).await?;
        sqlx::query(SET_FLOOR).bind(room.0).bind(upto).execute(connection).await?;
    }
    Ok(last)
}

/// The affiliations a room begins with are its first version.
const FIRST_VERSION: i64 = 1;

async fn affiliate(
    connection: &mut sqlx::SqliteConnection,
    room: i64,
    affiliation: RoomAffiliation,
    version: i64,
) -> Result<(), Error> {
    let kept = affiliation.affiliation > 0;
    sqlx::query(AFFILIATE)
        .bind(room)
        .bind(affiliation.jid)
        .bind(affiliation.affiliation)
        .bind(affiliation.nick.filter(|_| kept))
        .bind(affiliation.reason.filter(|_| kept))
        .bind(affiliation.follows.filter(|_| kept))
        .bind(version)
        .execute(connection)
        .await?;
    Ok(())
}
