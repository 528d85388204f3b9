//! Hats of rooms (XEP-0317). They are read with the room.

use super::{Commit, Error, RoomId, Storage};

/// A hat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomHat {
    /// What it is.
    pub uri: String,
    /// Its name for people.
    pub title: String,
    /// Its colour.
    pub hue: Option<String>,
}

/// All hats of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomHats {
    /// Those it has.
    pub hats: Vec<RoomHat>,
    /// Who wears them: bare JIDs, and URIs.
    pub worn: Vec<(String, String)>,
}

const SET: &str = "INSERT INTO room_hats (room_id, uri, title, hue) VALUES ($1, $2, $3, $4)
    ON CONFLICT (room_id, uri) DO UPDATE SET title = excluded.title, hue = excluded.hue";
const DESTROY: &str = "DELETE FROM room_hats WHERE room_id = $1 AND uri = $2";
const WEAR: &str =
    "INSERT INTO room_hats_worn (room_id, uri, jid) VALUES ($1, $2, $3) ON CONFLICT (room_id, uri, jid) DO NOTHING";
const TAKE_OFF: &str = "DELETE FROM room_hats_worn WHERE room_id = $1 AND uri = $2 AND jid = $3";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[SET, DESTROY, WEAR, TAKE_OFF];

impl Storage {
    /// A room has a hat, or a known one has another title. Fails with [`Error::NotFound`] if the room is gone.
    pub fn room_set_hat(&self, room: RoomId, hat: RoomHat) -> Commit<()> {
        self.write(hat.uri.len() + hat.title.len(), move |connection| {
            Box::pin(async move { set(connection, room, hat).await })
        })
    }

    /// A room has a hat no more, and nobody wears it.
    pub fn room_destroy_hat(&self, room: RoomId, uri: String) -> Commit<()> {
        self.write(uri.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(DESTROY).bind(room.0).bind(uri).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Somebody wears a hat, or wears it no more. Fails with [`Error::NotFound`] if there is no such hat to be worn.
    pub fn room_wear_hat(&self, room: RoomId, jid: String, uri: String, wears: bool) -> Commit<()> {
        self.write(uri.len() + jid.len(), move |connection| {
            Box::pin(async move {
                let statement = if wears { WEAR } else { TAKE_OFF };
                sqlx::query(statement).bind(room.0).bind(uri).bind(jid).execute(connection).await?;
                Ok(())
            })
        })
    }
}

async fn set(connection: &mut sqlx::SqliteConnection, room: RoomId, hat: RoomHat) -> Result<(), Error> {
    let query = sqlx::query(SET).bind(room.0).bind(hat.uri).bind(hat.title).bind(hat.hue);
    query.execute(connection).await?;
    Ok(())
}

/// Those a new room begins with.
pub(super) async fn set_all(
    connection: &mut sqlx::SqliteConnection,
    room: RoomId,
    hats: RoomHats,
) -> Result<(), Error> {
    for hat in hats.hats {
        set(&mut *connection, room, hat).await?;
    }
    for (jid, uri) in hats.worn {
        sqlx::query(WEAR).bind(room.0).bind(uri).bind(jid).execute(&mut *connection).await?;
    }
    Ok(())
}
