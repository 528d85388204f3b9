//! How many messages there were in a room within each of the last hours (XEP-0502).

use super::{Commit, Error, RoomId, Storage};

const ADD: &str = "INSERT INTO room_activity (room_id, hour, messages) SELECT id, $2, $3 FROM rooms WHERE id = $1
    ON CONFLICT (room_id, hour) DO UPDATE SET messages = messages + excluded.messages";
const FORGET: &str = "DELETE FROM room_activity WHERE room_id = $1 AND hour < $2";
const SUM: &str =
    "SELECT coalesce(sum(messages), 0) FROM room_activity WHERE room_id = $1 AND hour >= $2 AND hour < $3";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ADD, FORGET, SUM];

/// Hours that are kept of a room in which something is said.
const HOURS_KEPT: i64 = 24;

impl Storage {
    /// There were so many messages more within this hour. Nothing happens if the room is gone.
    pub fn room_activity_add(&self, room: RoomId, hour: i64, messages: u32) -> Commit<()> {
        self.write(0, move |connection| {
            Box::pin(async move {
                sqlx::query(ADD).bind(room.0).bind(hour).bind(messages).execute(&mut *connection).await?;
                sqlx::query(FORGET).bind(room.0).bind(hour - HOURS_KEPT).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// How many there were from one hour to before another.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room_activity(&self, room: RoomId, from: i64, to: i64) -> Result<u32, Error> {
        let query = sqlx::query_scalar(SUM).bind(room.0).bind(from).bind(to);
        let sum: i64 = query.fetch_one(&mut *self.reader().await?).await?;
        Ok(u32::try_from(sum).unwrap_or(u32::MAX))
    }
}
