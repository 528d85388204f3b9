//! The nodes in use: a bounded cache over storage, and the turns in which they are changed.

use super::{Node, Owner};
use crate::storage::{Error, Storage};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many nodes can be changed at the same time. Two that share a turn wait for each other, no more.
const TURNS: usize = 64;

/// Nodes that were asked for lately. What is here is what storage says: it is read after a commit, and forgotten before
/// anybody hears of the next.
#[derive(Default)]
pub struct Nodes {
    cache: Mutex<Cache>,
    turns: Turns,
}

#[derive(Default)]
struct Cache {
    /// By the address of the owner and the name, with a character between them that neither an address nor XML has.
    nodes: HashMap<String, Arc<Node>>,
    weight: usize,
    /// Grows whenever something is forgotten: what was read before that may be out of date.
    epoch: u64,
}

struct Turns {
    turns: [tokio::sync::Mutex<()>; TURNS],
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self { turns: std::array::from_fn(|_| tokio::sync::Mutex::default()), hasher: RandomState::new() }
    }
}

/// The right to change a node, from looking at it to the last notification: changes do not overtake each other. Nobody
/// takes the turns of two nodes at once.
pub struct Turn<'a>(#[expect(dead_code, reason = "held, not read")] tokio::sync::MutexGuard<'a, ()>);

fn key(owner: &str, name: &str) -> String {
    [owner, "\0", name].concat()
}

impl Nodes {
    /// The turn to change this node.
    pub async fn turn(&self, owner: &Owner, name: &str) -> Turn<'_> {
        let place = self.turns.hasher.hash_one((owner.jid().as_str(), name)) as usize % TURNS;
        Turn(self.turns.turns[place].lock().await)
    }

    /// The node; `None` if there is none. `weight_max` bounds what is kept for the next time: nodes, and everybody they
    /// know.
    ///
    /// # Errors
    /// Storage cannot be read.
    pub async fn get(
        &self,
        storage: &Storage,
        owner: &Owner,
        name: &str,
        weight_max: usize,
    ) -> Result<Option<Arc<Node>>, Error> {
        if owner.account().is_some_and(|account| account.id.is_none()) {
            return Ok(None);
        }
        let address = owner.jid().as_str();
        let key = key(address, name);
        let epoch = {
            let cache = self.lock();
            if let Some(node) = cache.nodes.get(&key) {
                return Ok(Some(node.clone()));
            }
            cache.epoch
        };
        let Some(row) = storage.pubsub_node(address, name).await? else { return Ok(None) };
        let Some(node) = Node::from_row(row).map(Arc::new) else {
            tracing::error!(owner = address, node = name, "the configuration of a node is damaged");
            return Err(Error::Invalid("the configuration of a node".into()));
        };
        let mut cache = self.lock();
        if cache.epoch == epoch {
            cache.insert(key, node.clone(), weight_max);
        }
        Ok(Some(node))
    }

    /// The node was changed: it is read again when somebody asks for it.
    pub fn forget(&self, owner: &Owner, name: &str) {
        let key = key(owner.jid().as_str(), name);
        let mut cache = self.lock();
        cache.epoch += 1;
        cache.remove(&key);
    }

    /// So much was changed that all are read again.
    pub fn forget_all(&self) {
        let mut cache = self.lock();
        let epoch = cache.epoch + 1;
        *cache = Cache { epoch, ..Cache::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// When there is no room, any others go.
    fn insert(&mut self, key: String, node: Arc<Node>, weight_max: usize) {
        let weight = node.weight();
        if weight > weight_max {
            return;
        }
        self.remove(&key);
        while self.weight + weight > weight_max {
            let Some(any) = self.nodes.keys().next().cloned() else { break };
            self.remove(&any);
        }
        self.weight += weight;
        self.nodes.insert(key, node);
    }

    fn remove(&mut self, key: &str) {
        if let Some(node) = self.nodes.remove(key) {
            self.weight -= node.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::NodeConfig;
    use super::*;
    use crate::storage::NodeRow;

    fn node(name: &str, subscribers: usize) -> Arc<Node> {
        let row = NodeRow {
            name: name.to_owned(),
            config: NodeConfig::for_service().to_stored(),
            subscriptions: (0..subscribers).map(|n| (format!("a{n}@b"), 2)).collect(),
            ..NodeRow::default()
        };
        Arc::new(Node::from_row(row).expect("a node"))
    }

    #[test]
    fn the_cache_is_bounded_by_what_it_holds() {
        let mut cache = Cache::default();
        for n in 0..100 {
            cache.insert(format!("s\0{n}"), node("n", 4), 22);
            assert!(cache.weight <= 22 && cache.weight == cache.nodes.len() * 5, "{}", cache.weight);
        }
        assert_eq!(cache.nodes.len(), 4);
        cache.insert("big".into(), node("n", 30), 22);
        assert!(!cache.nodes.contains_key("big"));
        cache.insert("s\099".into(), node("n", 0), 22);
        assert_eq!(cache.weight, 16);
    }
}
