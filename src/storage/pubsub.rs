//! Nodes of publish-subscribe (XEP-0060): what they are, who may do what there, who subscribed. Their items are in
//! `pubsub_items`.
//!
//! What a node's configuration says is for others to know; here it is text.

use super::{AccountId, Commit, Error, Storage};

/// A node with everything but its items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRow {
    /// Its key; never given to another one.
    pub id: i64,
    /// The NodeID.
    pub name: String,
    /// The bare JID of who made it.
    pub creator: String,
    /// When it was made.
    pub created_us: i64,
    /// Its configuration.
    pub config: String,
    /// Bare JIDs and their affiliations, as numbers.
    pub affiliations: Vec<(String, u8)>,
    /// Subscribed JIDs and the states of their subscriptions, as numbers.
    pub subscriptions: Vec<(String, u8)>,
}

/// A node to be made.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// The account it goes with; `None` at a service.
    pub account: Option<AccountId>,
    /// The bare JID of the account, or the address of the service.
    pub owner: String,
    /// The NodeID.
    pub name: String,
    /// The bare JID of who makes it.
    pub creator: String,
    /// When.
    pub created_us: i64,
    /// Its configuration.
    pub config: String,
    /// Affiliations it begins with.
    pub affiliations: Vec<(String, u8)>,
}

/// A node as somebody sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNode {
    /// The NodeID.
    pub name: String,
    /// Its configuration.
    pub config: String,
    /// The affiliation of who looks, as a number.
    pub affiliation: Option<u8>,
}

/// What operators see of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// The bare JID of the account, or the address of the service.
    pub owner: String,
    /// The NodeID.
    pub name: String,
    /// Its configuration.
    pub config: String,
    /// How many items it has.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many subscriptions it has, those that wait for approval included.
    pub subscriptions: u64,
    /// When something was published last.
    pub published_us: Option<i64>,
}

/// A subscription of somebody at some node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// The NodeID.
    pub node: String,
    /// The subscribed JID.
    pub jid: String,
    /// The state, as a number.
    pub state: u8,
}

/// All in one row: a row costs more on its way from the database's thread than its content.
const NODE: &str = "SELECT id, creator, created_us, config,
    (SELECT json_group_array(json_array(jid, affiliation)) FROM pubsub_affiliations WHERE node_id = n.id),
    (SELECT json_group_array(json_array(jid, state)) FROM pubsub_subscriptions WHERE node_id = n.id)
    FROM pubsub_nodes AS n WHERE owner = $1 AND name = $2";
const CREATE: &str = "INSERT INTO pubsub_nodes (account_id, owner, name, creator, created_us, config)
    SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM pubsub_nodes WHERE owner = $2) < $7
        OR EXISTS (SELECT 1 FROM pubsub_nodes WHERE owner = $2 AND name = $3)
    RETURNING id";
const CONFIGURE: &str = "UPDATE pubsub_nodes SET config = $2 WHERE id = $1";
const EXPIRE_AFTER: &str = "UPDATE pubsub_items SET expires_us = published_us + $2 WHERE node_id = $1";
const DELETE: &str = "DELETE FROM pubsub_nodes WHERE id = $1";
const NAMES: &str = "SELECT json_group_array(json_array(name, config,
    (SELECT affiliation FROM pubsub_affiliations WHERE node_id = n.id AND jid = $4))) FROM
    (SELECT id, name, config FROM pubsub_nodes WHERE owner = $1 AND name > $2 ORDER BY name LIMIT $3) AS n";
const SUMMARIES: &str = "SELECT json_group_array(json_array(owner, name, config, items, bytes,
    (SELECT count(*) FROM pubsub_subscriptions WHERE node_id = n.id),
    (SELECT published_us FROM pubsub_items WHERE node_id = n.id ORDER BY seq DESC LIMIT 1))) FROM
    (SELECT * FROM pubsub_nodes WHERE (owner, name) > ($1, $2) AND ($3 IS NULL OR owner = $3)
     ORDER BY owner, name LIMIT $4) AS n";
const SUMMARY: &str = "SELECT json_group_array(json_array(owner, name, config, items, bytes,
    (SELECT count(*) FROM pubsub_subscriptions WHERE node_id = n.id),
    (SELECT published_us FROM pubsub_items WHERE node_id = n.id ORDER BY seq DESC LIMIT 1)))
    FROM pubsub_nodes AS n WHERE id = $1";
const AFFILIATE: &str = "INSERT INTO pubsub_affiliations (node_id, jid, affiliation) VALUES ($1, $2, $3)
    ON CONFLICT (node_id, jid) DO UPDATE SET affiliation = excluded.affiliation";
const DISAFFILIATE: &str = "DELETE FROM pubsub_affiliations WHERE node_id = $1 AND jid = $2";
const AFFILIATIONS_OF: &str = "SELECT json_group_array(json_array(n.name, a.affiliation)) FROM
    pubsub_affiliations AS a JOIN pubsub_nodes AS n ON n.id = a.node_id WHERE a.jid = $2 AND n.owner = $1";
const SUBSCRIBE: &str = "INSERT INTO pubsub_subscriptions (node_id, jid, bare, state, since_us)
    SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM pubsub_subscriptions AS s
        JOIN pubsub_nodes AS n ON n.id = s.node_id
        WHERE s.bare = $3 AND n.owner = (SELECT owner FROM pubsub_nodes WHERE id = $1)) < $6
    ON CONFLICT (node_id, jid) DO UPDATE SET state = excluded.state";
const UNSUBSCRIBE: &str = "DELETE FROM pubsub_subscriptions WHERE node_id = $1 AND jid = $2";
const SUBSCRIPTIONS_OF: &str = "SELECT json_group_array(json_array(n.name, s.jid, s.state)) FROM
    pubsub_subscriptions AS s JOIN pubsub_nodes AS n ON n.id = s.node_id WHERE s.bare = $2 AND n.owner = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    NODE,
    CREATE,
    CONFIGURE,
    EXPIRE_AFTER,
    DELETE,
    NAMES,
    SUMMARIES,
    SUMMARY,
    AFFILIATE,
    DISAFFILIATE,
    AFFILIATIONS_OF,
    SUBSCRIBE,
    UNSUBSCRIBE,
    SUBSCRIPTIONS_OF,
];

/// What a node has beside its items.
impl Storage {
    /// A node.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_node(&self, owner: &str, name: &str) -> Result<Option<NodeRow>, Error> {
        type Row = (i64, String, i64, String, String, String);
        let row: Option<Row> =
            sqlx::query_as(NODE).bind(owner).bind(name).fetch_optional(&mut *self.reader().await?).await?;
        let Some((id, creator, created_us, config, affiliations, subscriptions)) = row else { return Ok(None) };
        let (affiliations, subscriptions) = (unpack(&affiliations)?, unpack(&subscriptions)?);
        let name = name.to_owned();
        Ok(Some(NodeRow { id, name, creator, created_us, config, affiliations, subscriptions }))
    }

    /// Makes a node and gives its key; `None` if its owner has `nodes_max` of them.
    ///
    /// Fails with [`Error::Conflict`] if there is one of this name, with [`Error::NotFound`] if the account is gone.
    pub fn pubsub_create(&self, node: NewNode, nodes_max: usize) -> Commit<Option<i64>> {
        let bytes = node.config.len() + node.name.len();
        self.write(bytes, move |connection| {
            Box::pin(async move {
                let id: Option<i64> = sqlx::query_scalar(CREATE)
                    .bind(node.account.map(|account| account.0))
                    .bind(node.owner)
                    .bind(node.name)
                    .bind(node.creator)
                    .bind(node.created_us)
                    .bind(node.config)
                    .bind(i64::try_from(nodes_max).unwrap_or(i64::MAX))
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(id) = id else { return Ok(None) };
                for (jid, affiliation) in node.affiliations {
                    sqlx::query(AFFILIATE).bind(id).bind(jid).bind(affiliation).execute(&mut *connection).await?;
                }
                Ok(Some(id))
            })
        })
    }

    /// Replaces the configuration of a node. With `expiry` its items expire so many microseconds after they were
    /// published from now on, or never.
    pub fn pubsub_configure(&self, node: i64, config: String, expiry: Option<Option<i64>>) -> Commit<()> {
        self.write(config.len(), move |connection| {
            Box::pin(async move {
                sqlx::query(CONFIGURE).bind(node).bind(config).execute(&mut *connection).await?;
                if let Some(after_us) = expiry {
                    sqlx::query(EXPIRE_AFTER).bind(node).bind(after_us).execute(connection).await?;
                }
                Ok(())
            })
        })
    }

    /// Removes a node with all it has; `false` if it was gone.
    pub fn pubsub_delete(&self, node: i64) -> Commit<bool> {
        self.write(0, move |connection| {
            Box::pin(async move { Ok(sqlx::query(DELETE).bind(node).execute(connection).await?.rows_affected() > 0) })
        })
    }

    /// The nodes of an owner in the order of their names, from after `after`, as `asker` (a bare JID) may see them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_nodes(
        &self,
        owner: &str,
        asker: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SeenNode>, Error> {
        let query = sqlx::query_scalar(NAMES).bind(owner).bind(after).bind(limit).bind(asker);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        let seen = |(name, config, affiliation)| SeenNode { name, config, affiliation };
        Ok(unpack(&packed)?.into_iter().map(seen).collect())
    }

    /// Nodes in the order of their owners and names, from after `after`, of one owner or all.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_summaries(
        &self,
        owner: Option<&str>,
        (after_owner, after_name): (&str, &str),
        limit: u32,
    ) -> Result<Vec<NodeSummary>, Error> {
        let query = sqlx::query_scalar(SUMMARIES).bind(after_owner).bind(after_name).bind(owner).bind(limit);
        summaries(query.fetch_one(&mut *self.reader().await?).await?)
    }

    /// A node, by its key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_summary(&self, node: i64) -> Result<Option<NodeSummary>, Error> {
        let query = sqlx::query_scalar(SUMMARY).bind(node);
        Ok(summaries(query.fetch_one(&mut *self.reader().await?).await?)?.pop())
    }

    /// Sets affiliations, all or none; `None` takes one away.
    pub fn pubsub_affiliate(&self, node: i64, changes: Vec<(String, Option<u8>)>) -> Commit<()> {
        let bytes = changes.iter().map(|(jid, _)| jid.len()).sum();
        self.write(bytes, move |connection| {
            Box::pin(async move {
                for (jid, affiliation) in changes {
                    let query = match affiliation {
                        Some(affiliation) => sqlx::query(AFFILIATE).bind(node).bind(jid).bind(affiliation),
                        None => sqlx::query(DISAFFILIATE).bind(node).bind(jid),
                    };
                    query.execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
    }

    /// At which nodes of an owner somebody has an affiliation, and which.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_affiliations_of(&self, owner: &str, bare: &str) -> Result<Vec<(String, u8)>, Error> {
        let query = sqlx::query_scalar(AFFILIATIONS_OF).bind(owner).bind(bare);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        unpack(&packed)
    }

    /// Adds a subscription or changes its state; `false` if `bare` has `subscriptions_max` with the owner of the node.
    pub fn pubsub_subscribe(
        &self,
        node: i64,
        (jid, bare): (&str, &str),
        state: u8,
        now_us: i64,
        subscriptions_max: usize,
    ) -> Commit<bool> {
        let (jid, bare) = (jid.to_owned(), bare.to_owned());
        self.write(jid.len() + bare.len(), move |connection| {
            Box::pin(async move {
                let done = sqlx::query(SUBSCRIBE)
                    .bind(node)
                    .bind(jid)
                    .bind(bare)
                    .bind(state)
                    .bind(now_us)
                    .bind(i64::try_from(subscriptions_max).unwrap_or(i64::MAX))
                    .execute(connection)
                    .await?;
                Ok(done.rows_affected() > 0)
            })
        })
    }

    /// Changes many subscriptions in one step: the JID, its bare form, the new state or none, and how many its user may have
    /// with the owner. Says of each whether it is so now.
    pub fn pubsub_change_subscriptions(
        &self,
        node: i64,
        changes: Vec<(String, String, Option<u8>, usize)>,
        now_us: i64,
    ) -> Commit<Vec<bool>> {
        let bytes = changes.iter().map(|(jid, bare, ..)| jid.len() + bare.len()).sum();
        self.write(bytes, move |connection| {
            Box::pin(async move {
                let mut done = Vec::with_capacity(changes.len());
                for (jid, bare, state, most) in changes {
                    let Some(state) = state else {
                        sqlx::query(UNSUBSCRIBE).bind(node).bind(jid).execute(&mut *connection).await?;
                        done.push(true);
                        continue;
                    };
                    let query = sqlx::query(SUBSCRIBE).bind(node).bind(jid).bind(bare).bind(state).bind(now_us);
                    let query = query.bind(i64::try_from(most).unwrap_or(i64::MAX));
                    done.push(query.execute(&mut *connection).await?.rows_affected() > 0);
                }
                Ok(done)
            })
        })
    }

    /// Removes subscriptions.
    pub fn pubsub_unsubscribe(&self, node: i64, jids: Vec<String>) -> Commit<()> {
        self.write(jids.iter().map(String::len).sum(), move |connection| {
            Box::pin(async move {
                for jid in jids {
                    sqlx::query(UNSUBSCRIBE).bind(node).bind(jid).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
    }

    /// The subscriptions somebody has at the nodes of an owner.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn pubsub_subscriptions_of(&self, owner: &str, bare: &str) -> Result<Vec<SubscriptionRow>, Error> {
        let query = sqlx::query_scalar(SUBSCRIPTIONS_OF).bind(owner).bind(bare);
        let packed: String = query.fetch_one(&mut *self.reader().await?).await?;
        let row = |(node, jid, state)| SubscriptionRow { node, jid, state };
        Ok(unpack(&packed)?.into_iter().map(row).collect())
    }
}

fn summaries(packed: String) -> Result<Vec<NodeSummary>, Error> {
    type Row = (String, String, String, u64, u64, u64, Option<i64>);
    let summary = |(owner, name, config, items, bytes, subscriptions, published_us): Row| NodeSummary {
        owner,
        name,
        config,
        items,
        bytes,
        subscriptions,
        published_us,
    };
    Ok(unpack(&packed)?.into_iter().map(summary).collect())
}

/// Rows that came as one JSON text.
pub(super) fn unpack<T: serde::de::DeserializeOwned>(packed: &str) -> Result<Vec<T>, Error> {
    serde_json::from_str(packed).map_err(|error| Error::Invalid(error.to_string().into()))
}
