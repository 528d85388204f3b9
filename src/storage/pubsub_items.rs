//! Items of publish-subscribe nodes (XEP-0060 §12.1): an ordered store of payloads by ItemID.

use sqlx::SqliteConnection;
use xep_support::jid::{bare_str, domain_str};

use super::{AccountId, Commit, Error, PageFrom, Storage, pubsub::unpack};

/// A published item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The ItemID.
    pub id: String,
    /// The bare JID of who published it.
    pub publisher: String,
    /// When.
    pub published_us: i64,
    /// One element that stands alone anywhere, or nothing.
    pub payload: String,
}

/// What a node has room for.
#[derive(Clone, Debug)]
pub struct Room {
    /// Items.
    pub items_max: usize,
    /// Bytes of all of them.
    pub bytes_max: usize,
    /// Bytes of all items of all nodes of an account.
    pub account: Option<(AccountId, usize)>,
    /// The oldest ones do not give way to a new one (`publish_node_full`).
    pub reject: bool,
    /// Who publishes may replace only what is their own.
    pub own_only: bool,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored; these had to give way.
    Done {
        /// Their ids, the oldest first.
        removed: Vec<String>,
    },
    /// There are as many items as there may be.
    Full,
    /// There are as many bytes as there may be.
    TooMuch,
    /// There is an item with this id of somebody else.
    NotYours,
}

/// Which items are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemQuery {
    /// Later than this item.
    pub after: Option<String>,
    /// Earlier than this item.
    pub before: Option<String>,
    /// From which end.
    pub from: PageFrom,
    /// At most so many.
    pub items_max: u32,
    /// The page ends before the item that would make it longer, but has at least one.
    pub bytes_max: u64,
}

/// A page of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemPage {
    /// The oldest first.
    pub items: Vec<Item>,
    /// Items of the node.
    pub count: u64,
    /// Older ones than the first of the page.
    pub index: u64,
}

/// The last item of a node of some owner, for somebody who has come online.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastItem {
    /// The bare JID of the owner.
    pub owner: String,
    /// The NodeID.
    pub node: String,
    /// The configuration of the node.
    pub config: String,
    /// The affiliation the asker has there, as a number.
    pub affiliation: Option<u8>,
    /// The state of the subscription the asker's bare JID has there, as a number.
    pub subscription: Option<u8>,
    /// The groups the asker is in, in the owner's roster.
    pub groups: Vec<String>,
    /// The item; the payload is left out if it is long.
    pub item: Item,
    /// The key of the node, to read a payload that was left out.
    pub left_out: Option<i64>,
}

type Packed = (String, String, i64, String);

/// `$1` is the node, `$2` is now.
const LIVE: &str = "node_id = $1 AND (expires_us IS NULL OR expires_us > $2)";
const SEQ: &str =
    "SELECT seq FROM pubsub_items WHERE node_id = $1 AND (expires_us IS NULL OR expires_us > $2) AND id = $3";
const COUNT: &str = "SELECT count(*) FROM pubsub_items WHERE node_id = $1 AND (expires_us IS NULL OR expires_us > $2)
    AND seq < $3";
const BY_IDS: &str = "SELECT json_group_array(json_array(id, publisher, published_us, payload)) FROM (SELECT * FROM
    (SELECT *, sum(bytes) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS total FROM
     pubsub_items INDEXED BY pubsub_items_by_id WHERE node_id = $1 AND (expires_us IS NULL OR expires_us > $2)
     AND id IN (SELECT value FROM json_each($3)))
    WHERE total <= $4 OR total = bytes ORDER BY seq)";
const IDS: &str = "SELECT json_group_array(id) FROM (SELECT id FROM pubsub_items
    WHERE node_id = $1 AND (expires_us IS NULL OR expires_us > $2) ORDER BY seq DESC LIMIT $3)";
const OLD: &str = "SELECT bytes, publisher FROM pubsub_items WHERE node_id = $1 AND id = $2";
const SUMS: &str = "SELECT items, bytes FROM pubsub_nodes WHERE id = $1";
const ACCOUNT_BYTES: &str = "SELECT coalesce(sum(bytes), 0) FROM pubsub_nodes WHERE account_id = $1";
const OLDEST: &str = "SELECT id, bytes FROM pubsub_items WHERE node_id = $1 AND id <> $2 ORDER BY seq LIMIT $3";
const INSERT: &str = "INSERT INTO pubsub_items (node_id, id, publisher, published_us, expires_us, bytes, payload)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const REMOVE: &str = "DELETE FROM pubsub_items WHERE node_id = $1 AND id = $2";
const REMOVE_EXPIRED: &str = "DELETE FROM pubsub_items INDEXED BY pubsub_items_by_expiry
    WHERE node_id = $1 AND expires_us <= $2";
const TRIM: &str = "DELETE FROM pubsub_items WHERE seq IN (SELECT seq FROM pubsub_items WHERE node_id = $1
    ORDER BY seq DESC LIMIT -1 OFFSET $2)";
const EXPIRE: &str = "DELETE FROM pubsub_items WHERE seq IN
    (SELECT seq FROM pubsub_items WHERE expires_us <= $1 ORDER BY expires_us LIMIT $2)";
/// `$1`: owners, `$2`: the asker, `$3`: nodes, `$4`: now, `$5`: what stands for the asker on a block list, `$6`:
/// the bytes of a payload that is not left out. Of others only who
/// has let the asker see their presence and has not blocked it (XEP-0191).
const LAST_ITEMS: &str = "SELECT json_group_array(json_array(n.owner, n.name, n.config,
    (SELECT affiliation FROM pubsub_affiliations WHERE node_id = n.id AND jid = $2),
    (SELECT state FROM pubsub_subscriptions WHERE node_id = n.id AND jid = $2),
    coalesce(r.groups, '[]'), i.id, i.publisher, i.published_us,
    iif(i.bytes <= $6, i.payload, ''), iif(i.bytes <= $6, NULL, n.id))) FROM
    json_each($1) AS o CROSS JOIN json_each($3) AS w
    CROSS JOIN pubsub_nodes AS n ON n.owner = o.value AND n.name = w.value
    LEFT JOIN roster AS r ON r.account_id = n.account_id AND r.contact = $2
    CROSS JOIN pubsub_items AS i ON i.seq = (SELECT max(seq) FROM pubsub_items
        WHERE node_id = n.id AND (expires_us IS NULL OR expires_us > $4))
    WHERE n.owner = $2 OR r.subscription & 2 AND NOT EXISTS (SELECT 1 FROM blocking AS b
        WHERE b.account_id = n.account_id AND b.jid IN (SELECT value FROM json_each($5)))";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    SEQ,
    COUNT,
    BY_IDS,
    IDS,
    OLD,
    SUMS,
    ACCOUNT_BYTES,
    OLDEST,
    INSERT,
    REMOVE,
    REMOVE_EXPIRED,
    TRIM,
    EXPIRE,
    LAST_ITEMS,
];

fn page_of(order: &str) -> String {
    format!(
        "SELECT json_group_array(json_array(id, publisher, published_us, payload)) FROM (SELECT * FROM (
         SELECT *, sum(bytes) OVER (ORDER BY seq {order} ROWS UNBOUNDED PRECEDING) AS total FROM (
            SELECT * FROM pubsub_items WHERE {LIVE} AND seq > $3 AND seq < $4 ORDER BY seq {order} LIMIT $5))
         WHERE total <= $6 OR total = bytes ORDER BY seq)"
    )
}

static PAGE_OLDEST: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| page_of("ASC"));
static PAGE_NEWEST: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| page_of("DESC"));

/// What is made of parts.
#[cfg(test)]
pub(super) fn statements() -> Vec<&'static str> {
    vec![&PAGE_OLDEST, &PAGE_NEWEST]
}

/// Bytes of an item that comes whole among the last ones of many nodes. They are all in memory at once, until a client has
/// taken them.
const LAST_BYTES_MAX: u32 = 1_024;

/// Items removed in one step, which holds up the other writers for some milliseconds.
const EXPIRED_PER_STEP: u32 = 500;

impl Storage {
    /// Stores an item in the place of the one with its id, and removes the oldest ones if it is to make room.
    ///
    /// Fails with [`Error::NotFound`] if the node is gone.
    pub fn pubsub_store(&self, node: i64, item: Item, expires_us: Option<i64>, room: Room) -> Commit<Stored> {
        self.write(item.payload.len() + item.id.len(), move |connection| {
            Box::pin(async move { store(connection, node, item, expires_us, &room).await })
        })
    }

    /// Removes an item; `false` if there was none.
    pub fn pubsub_retract(&self, node: i64, id: &str) -> Commit<bool> {
        let id = id.to_owned();
        self.write(id.len(), move |connection| {
            Box::pin(async move {
                Ok(sqlx::query(REMOVE).bind(node).bind(id).execute(connection).await?.rows_affected() > 0)
            })
        })
    }

    /// Removes all items but the `kept` newest ones, and says how many those were.
    pub fn pubsub_trim(&self, node: i64, kept: usize) -> Commit<u64> {
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        self.write(0, move |connection| {
            Box::pin(
                async move { Ok(sqlx::query(TRIM).bind(node).bind(kept).execute(connection).await?.rows_affected()) },
            )
        })
    }

    /// Removes items whose time has come, of all nodes, and says how many.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn pubsub_expire(&self, now_us: i64) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let step = self.write(0, move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(EXPIRE).bind(now_us).bind(EXPIRED_PER_STEP).execute(connection).await?;
                    Ok(done.rows_affected())
                })
            });
            let step = step.await?;
            removed += step;
            if step < EXPIRED_PER_STEP.into() {
                return Ok(removed);
            }
        }
    }

    /// The items with these ids, the oldest first, as far as they fit; those that do not exist are left out.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_items_by_id(
        &self,
        node: i64,
        now_us: i64,
        ids: &[String],
        bytes_max: u64,
    ) -> Result<Vec<Item>, Error> {
        let ids = serde_json::to_string(ids).map_err(|error| Error::Invalid(error.to_string().into()))?;
        let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        let query = sqlx::query_scalar(BY_IDS).bind(node).bind(now_us).bind(ids).bind(bytes_max);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        items(&packed)
    }

    /// The ids of the newest items, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_item_ids(&self, node: i64, now_us: i64, limit: u32) -> Result<Vec<String>, Error> {
        let query = sqlx::query_scalar(IDS).bind(node).bind(now_us).bind(limit);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        unpack(&packed)
    }

    /// A page of items; `None` if an item it refers to does not exist.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_items(&self, node: i64, now_us: i64, query: &ItemQuery) -> Result<Option<ItemPage>, Error> {
        let mut reader = self.reader().await?;
        let mut bounds = (0, i64::MAX);
        for (id, bound) in [(&query.after, &mut bounds.0), (&query.before, &mut bounds.1)] {
            let Some(id) = id else { continue };
            let found = sqlx::query_scalar(SEQ).bind(node).bind(now_us).bind(id).fetch_optional(&mut *reader).await?;
            let Some(seq) = found else { return Ok(None) };
            *bound = seq;
        }
        let sql: &'static str = if query.from == PageFrom::Oldest { &PAGE_OLDEST } else { &PAGE_NEWEST };
        let packed: String = sqlx::query_scalar(sql)
            .bind(node)
            .bind(now_us)
            .bind(bounds.0)
            .bind(bounds.1)
            .bind(query.items_max)
            .bind(i64::try_from(query.bytes_max).unwrap_or(i64::MAX))
            .fetch_one(&mut *reader)
            .await?;
        let items = items(&packed)?;
        let count = |before: i64| sqlx::query_scalar::<_, i64>(COUNT).bind(node).bind(now_us).bind(before);
        let total = count(i64::MAX).fetch_one(&mut *reader).await?.unsigned_abs();
        let index = match items.first() {
            Some(first) if items.len() as u64 != total => {
                let query = sqlx::query_scalar(SEQ).bind(node).bind(now_us).bind(&first.id);
                let seq: Option<i64> = query.fetch_optional(&mut *reader).await?;
                count(seq.unwrap_or(0)).fetch_one(&mut *reader).await?.unsigned_abs()
            }
            _ => 0,
        };
        Ok(Some(ItemPage { items, count: total, index }))
    }

    /// The last item of each of these nodes of each of these owners, for `asker` (a full JID): of its own ones, and of
    /// those of local accounts that let it see their presence. Who asks has to look at access models.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_last_items(
        &self,
        owners: &[&str],
        nodes: &[&str],
        asker: &str,
        now_us: i64,
    ) -> Result<Vec<LastItem>, Error> {
        type Row = (String, String, String, Option<u8>, Option<u8>, String, String, String, i64, String, Option<i64>);
        let list = |values: &[&str]| serde_json::to_string(values).map_err(|e| Error::Invalid(e.to_string().into()));
        let bare = bare_str(asker);
        let names = list(&[asker, bare, domain_str(asker)])?;
        let query =
            sqlx::query_scalar(LAST_ITEMS).bind(list(owners)?).bind(bare).bind(list(nodes)?).bind(now_us).bind(names);
        let query = query.bind(LAST_BYTES_MAX);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        let rows: Vec<Row> = unpack(&packed)?;
        let last = |row: Row| {
            let (
                owner,
                node,
                config,
                affiliation,
                subscription,
                groups,
                id,
                publisher,
                published_us,
                payload,
                left_out,
            ) = row;
            let (item, groups) = (Item { id, publisher, published_us, payload }, unpack(&groups)?);
            Ok(LastItem { owner, node, config, affiliation, subscription, groups, item, left_out })
        };
        rows.into_iter().map(last).collect()
    }
}

async fn store(
    connection: &mut SqliteConnection,
    node: i64,
    item: Item,
    expires_us: Option<i64>,
    room: &Room,
) -> Result<Stored, Error> {
    sqlx::query(REMOVE_EXPIRED).bind(node).bind(item.published_us).execute(&mut *connection).await?;
    let sums: Option<(i64, i64)> = sqlx::query_as(SUMS).bind(node).fetch_optional(&mut *connection).await?;
    let (count, sum) = sums.ok_or(Error::NotFound)?;
    let old: Option<(i64, String)> =
        sqlx::query_as(OLD).bind(node).bind(&item.id).fetch_optional(&mut *connection).await?;
    if room.own_only && old.as_ref().is_some_and(|(_, publisher)| *publisher != item.publisher) {
        return Ok(Stored::NotYours);
    }
    let others = count - i64::from(old.is_some());
    let excess = (others + 1).saturating_sub(i64::try_from(room.items_max.max(1)).unwrap_or(i64::MAX)).max(0);
    if excess > 0 && room.reject {
        return Ok(Stored::Full);
    }
    let giving_way: Vec<(String, i64)> =
        sqlx::query_as(OLDEST).bind(node).bind(&item.id).bind(excess).fetch_all(&mut *connection).await?;
    let bytes = i64::try_from(item.payload.len() + item.id.len()).unwrap_or(i64::MAX);
    let grows = bytes - old.as_ref().map_or(0, |(bytes, _)| *bytes) - giving_way.iter().map(|(_, b)| b).sum::<i64>();
    let exceeds = |sum: i64, most: usize| grows > 0 && sum + grows > i64::try_from(most).unwrap_or(i64::MAX);
    if exceeds(sum, room.bytes_max) {
        return Ok(Stored::TooMuch);
    }
    if let Some((account, bytes_max)) = room.account {
        let sum: i64 = sqlx::query_scalar(ACCOUNT_BYTES).bind(account.0).fetch_one(&mut *connection).await?;
        if exceeds(sum, bytes_max) {
            return Ok(Stored::TooMuch);
        }
    }
    for id in giving_way.iter().map(|(id, _)| id).chain(old.is_some().then_some(&item.id)) {
        sqlx::query(REMOVE).bind(node).bind(id).execute(&mut *connection).await?;
    }
    sqlx::query(INSERT)
        .bind(node)
        .bind(item.id)
        .bind(item.publisher)
        .bind(item.published_us)
        .bind(expires_us)
        .bind(bytes)
        .bind(item.payload)
        .execute(connection)
        .await?;
    Ok(Stored::Done { removed: giving_way.into_iter().map(|(id, _)| id).collect() })
}

fn items(packed: &str) -> Result<Vec<Item>, Error> {
    let item = |(id, publisher, published_us, payload): Packed| Item { id, publisher, published_us, payload };
    Ok(unpack(packed)?.into_iter().map(item).collect())
}
