//! The statements of the archive.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::{
    Error, PageFrom,
    archive_owner::{ArchiveShelf, Twice, for_rooms},
    sqlite,
};

/// `OR FAIL`: a failure undoes the whole transaction anyway, so the statement need not prepare to undo its own part.
pub(super) static INSERT: LazyLock<[Twice; 4]> = LazyLock::new(|| {
    const HEAD: &str = "INSERT OR FAIL INTO archive (row_id, account_id, chat, id, resource, mark, stanza) VALUES";
    sqlite::many_rows(HEAD, 7, "").map(Twice::new)
});

const LAST_ID: &str =
    "SELECT max((SELECT coalesce(max(id), 0) FROM archive), (SELECT coalesce(max(id), 0) FROM room_archive))";
pub(super) static BOUNDS: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "SELECT
    (SELECT id FROM archive WHERE row_id > $1 << 31 AND row_id < ($1 + 1) << 31 ORDER BY row_id LIMIT 1),
    (SELECT id FROM archive WHERE row_id > $1 << 31 AND row_id < ($1 + 1) << 31 ORDER BY row_id DESC LIMIT 1)",
    )
});
pub(super) static KNOWN: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "SELECT count(*) FROM json_each($2) AS asked
    CROSS JOIN archive AS m INDEXED BY archive_by_time ON m.id = asked.value WHERE m.account_id = $1",
    )
});
pub(super) static FIND: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "SELECT row_id, stanza FROM archive WHERE row_id IN (
    SELECT row_id FROM (
        SELECT row_id, mark FROM archive INDEXED BY archive_by_chat
        WHERE chat = (SELECT chat FROM archive_chats WHERE account_id = $1 AND peer = $2) AND id < $3
        ORDER BY id DESC LIMIT $4
    ) AS recent WHERE mark = $5 LIMIT 8) ORDER BY row_id DESC",
    )
});
pub(super) static REPLACE: LazyLock<Twice> =
    LazyLock::new(|| Twice::new("UPDATE archive SET stanza = $2 WHERE row_id = $1"));
pub(super) static FORGET_WORDS: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "DELETE FROM archive_words WHERE rowid =
    (SELECT row_id FROM archive AS m JOIN archive_indexed AS i ON i.account_id = m.account_id
     WHERE m.row_id = $1 AND m.id <= i.upto_id)",
    )
});
/// The row of a message by its id, if an author is named one of his.
pub(super) static FIND_ID: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(
        "SELECT row_id, stanza FROM archive INDEXED BY archive_by_time WHERE id = $2 AND account_id = $1 AND
         ($3 IS NULL OR chat = (SELECT chat FROM archive_chats WHERE account_id = $1 AND peer = $3))",
    )
});
pub(super) const SET_PREFS: &str = "INSERT INTO archive_prefs (account_id, prefs) VALUES ($1, $2)
    ON CONFLICT (account_id) DO UPDATE SET prefs = excluded.prefs";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LAST_ID, SET_PREFS];

/// A row of `account` before which all its messages are of `id` or earlier; at most 32 others are between.
pub(super) fn row_before(account: &str, id: &str) -> String {
    format!(
        "CASE WHEN {id} < 0 THEN {account} << 31 ELSE coalesce((SELECT row_id FROM archive INDEXED BY archive_milestones
            WHERE account_id = {account} AND id <= {id} AND row_id & 31 = 0 ORDER BY id DESC LIMIT 1
         ), {account} << 31) END"
    )
}

/// A row of `account` behind which all its messages are of `id` or later; at most 32 others are between.
fn row_behind(account: &str, id: &str) -> String {
    let max = i64::MAX;
    format!(
        "CASE WHEN {id} = {max} THEN ({account} + 1) << 31 ELSE coalesce((
            SELECT row_id FROM archive INDEXED BY archive_milestones
            WHERE account_id = {account} AND id >= {id} AND row_id & 31 = 0 ORDER BY id LIMIT 1
         ), ({account} + 1) << 31) END"
    )
}

/// Of the accounts that have the oldest messages: those of one account are neighbours, and cheap to remove together.
pub(super) static EXPIRE: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(format!(
        "DELETE FROM archive WHERE row_id IN (
            SELECT m.row_id FROM (SELECT DISTINCT row_id >> 31 AS account FROM (
                SELECT row_id FROM archive INDEXED BY archive_by_time WHERE id < $1 ORDER BY id LIMIT 100
            )) AS oldest CROSS JOIN archive AS m
            ON m.row_id > oldest.account << 31 AND m.row_id < {} AND m.id < $1 LIMIT $2
         ) RETURNING chat",
        row_behind("oldest.account", "$1")
    ))
});
pub(super) static PURGE: LazyLock<Twice> = LazyLock::new(|| {
    Twice::new(format!(
        "DELETE FROM archive WHERE row_id IN (
            SELECT row_id FROM archive WHERE row_id > $2 << 31 AND row_id < {} AND id < $1 ORDER BY row_id LIMIT $3
         ) RETURNING chat",
        row_behind("$2", "$1")
    ))
});

/// By which index the messages are found.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Account,
    Peer,
    Ids,
    Words,
}

const WAYS: [Way; 4] = [Way::Account, Way::Peer, Way::Ids, Way::Words];

/// The messages that match, from one end, at most `$4`.
fn matching(way: Way, from: PageFrom) -> String {
    let order = order(from);
    let (before, behind) = (row_before("$1", "$2"), row_behind("$1", "$3"));
    let rows = |row: &str| format!("{row} > {before} AND {row} < {behind}");
    let chat = "(SELECT chat FROM archive_chats WHERE account_id = $1 AND peer = $6)";
    let peer = format!("($6 IS NULL OR m.chat = {chat}) AND ($7 IS NULL OR m.resource = $7)");
    let among = "m.id IN (SELECT value FROM json_each($8))";
    let (source, filter, order_by) = match way {
        Way::Account => ("archive AS m", rows("m.row_id"), "m.row_id"),
        Way::Peer => (
            "archive AS m INDEXED BY archive_by_chat",
            format!("m.chat = {chat} AND ($7 IS NULL OR m.resource = $7)"),
            "m.id",
        ),
        Way::Ids => {
            ("archive AS m INDEXED BY archive_by_time", format!("{among} AND m.account_id = $1 AND {peer}"), "m.id")
        }
        Way::Words => (
            "archive_words CROSS JOIN archive AS m ON m.row_id = archive_words.rowid",
            format!(
                "archive_words MATCH $9 AND {} AND m.account_id = $1 AND ($8 IS NULL OR {among}) AND {peer}",
                rows("archive_words.rowid")
            ),
            "archive_words.rowid",
        ),
    };
    format!(
        "SELECT m.id, m.stanza FROM {source} WHERE {filter} AND m.id > $2 AND m.id < $3
         ORDER BY {order_by} {order} LIMIT $4"
    )
}

fn order(from: PageFrom) -> &'static str {
    match from {
        PageFrom::Oldest => "ASC",
        PageFrom::Newest => "DESC",
    }
}

/// A message of a room, with the full JID of its author in a line above it: who may know it is for others to decide.
const ROOM_MESSAGE: &str = "m.id, (SELECT peer FROM room_archive_chats WHERE chat = m.chat)
    || coalesce('/' || m.resource, '') || char(10) || m.stanza AS stanza";

/// A page as one text, each message as `id bytes stanza`, or `id - ` where it does not fit any more: a row on its way
/// from the database's thread costs more than the bytes in it.
static PAGES: LazyLock<Vec<Twice>> = LazyLock::new(|| {
    let page = |way: Way, from: PageFrom| {
        let (matching, order) = (matching(way, from), order(from));
        let accounts = format!(
            "SELECT group_concat(id || ' ' || CASE WHEN total <= $5 OR total = bytes
                THEN bytes || ' ' || stanza ELSE '- ' END, '') FROM (
             SELECT id, stanza, octet_length(stanza) AS bytes,
                sum(octet_length(stanza)) OVER (ORDER BY id {order} ROWS UNBOUNDED PRECEDING) AS total
             FROM ({matching}) AS page) AS summed"
        );
        let rooms = for_rooms(&accounts).replace("m.id, m.stanza", ROOM_MESSAGE);
        Twice::of(accounts, rooms)
    };
    WAYS.iter().flat_map(|&way| [PageFrom::Oldest, PageFrom::Newest].map(|from| page(way, from))).collect()
});

/// The page from one end.
pub(super) fn page(shelf: ArchiveShelf, way: Way, from: PageFrom) -> &'static str {
    PAGES[way as usize * 2 + usize::from(from == PageFrom::Newest)].on(shelf)
}

/// Without other conditions, those in the indexes of its chats: these are smaller than the messages.
const COUNT: &str = "SELECT 1 FROM archive_chats AS c CROSS JOIN archive AS m INDEXED BY archive_by_chat
    ON m.chat = c.chat WHERE c.account_id = $1 AND m.id > $2 AND m.id < $3 LIMIT $4";

static COUNTS: LazyLock<Vec<Twice>> = LazyLock::new(|| {
    let matching = |&way: &Way| match way {
        Way::Account => COUNT.to_owned(),
        way => matching(way, PageFrom::Oldest).replace("m.id, m.stanza", "1"),
    };
    let count = |matching| Twice::new(format!("SELECT count(*), $5 FROM ({matching}) AS counted"));
    WAYS.iter().map(matching).map(count).collect()
});

/// How many there are.
pub(super) fn count(shelf: ArchiveShelf, way: Way) -> &'static str {
    COUNTS[way as usize].on(shelf)
}

#[cfg(test)]
pub(super) fn statements() -> Vec<&'static str> {
    let single = [&BOUNDS, &KNOWN, &FIND, &FIND_ID, &REPLACE, &FORGET_WORDS, &EXPIRE, &PURGE];
    let many = INSERT.iter().chain(PAGES.iter()).chain(COUNTS.iter());
    many.chain(single.into_iter().map(|sql| &**sql)).flat_map(Twice::both).collect()
}

/// The id that was given out last.
pub(super) async fn last_id(connection: &mut SqliteConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(LAST_ID).fetch_one(connection).await?)
}
