//! What clients want to be told, by the hash of their capabilities (XEP-0115, XEP-0390): what is known, who is being
//! asked, and who waits for the answer. Bounded; a hash is asked for once, however many have it.

use super::Account;
use super::resource::{Interest, Resource};
use crate::config::Config;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use xep_support::jid::Jid;
use xep_support::xml::Element;

/// Resources that may wait for an answer; who comes after them is told nothing before its next presence.
const WAITING_MAX: usize = 20_000;

/// Clients for which last items are read at a time: the database has few readers, and others need them too.
const HAND_OUTS_MAX: usize = 16;

/// Nodes one client may be waiting for while it gets the last items of others.
const HAND_OUT_NODES_MAX: usize = 512;

/// The hashes of all clients.
pub struct Capabilities {
    table: Mutex<Table>,
    /// Places for questions on their way.
    pub questions: Semaphore,
    /// Places for those who read what a client is interested in.
    pub hand_outs: Semaphore,
    /// Resources that get last items just now, by their addresses, and what they want after those.
    handing: Mutex<HashMap<usize, Interest>>,
    own: Mutex<Vec<Arc<Own>>>,
}

/// What the server says of itself for one of its domains, under the settings at that time.
pub struct Own {
    /// The domain.
    pub host: Jid,
    /// The settings.
    pub config: Arc<Config>,
    /// Its disco#info.
    pub info: Element,
    /// The nodes by which somebody may ask for it.
    pub nodes: Vec<String>,
    /// What stands in the features of streams.
    pub features: Arc<str>,
}

/// The last ones kept for each domain: XEP-0390 §6.1 wants three.
const OWN_KEPT: usize = 3;

#[derive(Default)]
struct Table {
    known: HashMap<Box<str>, Known>,
    asking: HashMap<Box<str>, VecDeque<Asked>>,
    /// Resources that wait, each for one answer: the addresses of theirs that are alive in `asking` or with who asks.
    waiting: HashSet<usize>,
    uses: u64,
}

struct Known {
    interest: Arc<Interest>,
    used: u64,
}

/// A resource that may be asked.
#[derive(Clone)]
pub struct Asked {
    /// Its account.
    pub account: Arc<Account>,
    /// The resource.
    pub resource: Arc<Resource>,
}

impl Asked {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.resource).addr()
    }
}

/// What is known of a hash.
pub enum Look {
    /// This.
    Known(Arc<Interest>),
    /// Nothing: the caller has to ask, until nobody is left to be asked.
    MustAsk,
    /// Nothing yet: somebody asks.
    Waits,
    /// Too many wait.
    Refused,
}

impl Capabilities {
    /// Nothing known; so many questions at a time.
    pub fn new(questions_max: usize) -> Self {
        Self {
            table: Mutex::default(),
            questions: Semaphore::new(questions_max),
            hand_outs: Semaphore::new(HAND_OUTS_MAX),
            handing: Mutex::default(),
            own: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a hash up, or joins those who wait for it. A resource waits for one answer at a time; when that is there,
    /// its presence is looked at again.
    pub fn look(&self, key: &str, who: &Asked) -> Look {
        let table = &mut *self.lock();
        if let Some(known) = table.known.get_mut(key) {
            table.uses += 1;
            known.used = table.uses;
            return Look::Known(known.interest.clone());
        }
        if table.waiting.contains(&who.address()) {
            return Look::Waits;
        }
        if table.waiting.len() >= WAITING_MAX {
            return Look::Refused;
        }
        table.waiting.insert(who.address());
        match table.asking.get_mut(key) {
            Some(others) => {
                others.push_back(who.clone());
                Look::Waits
            }
            None => {
                table.asking.insert(key.into(), VecDeque::from([who.clone()]));
                Look::MustAsk
            }
        }
    }

    /// A question whose answer counts for this resource alone. May it be asked? [`done`](Self::done) when it was.
    pub fn alone(&self, who: &Asked) -> bool {
        let mut table = self.lock();
        table.waiting.len() < WAITING_MAX && table.waiting.insert(who.address())
    }

    /// The next one to be asked for this hash; [`done`](Self::done) when it was. `None`: nobody is left.
    pub fn next(&self, key: &str) -> Option<Asked> {
        let mut table = self.lock();
        let next = table.asking.get_mut(key)?.pop_front();
        if next.is_none() {
            table.asking.remove(key);
        }
        next
    }

    /// This one waits no longer.
    pub fn done(&self, who: &Asked) {
        self.lock().waiting.remove(&who.address());
    }

    /// The hash is known now, and verified. Those who waited come back and wait no longer. Above `known_max`, the eighth
    /// that nobody has used for the longest time is forgotten; what connected resources have goes last.
    pub fn learn(&self, key: &str, interest: Arc<Interest>, known_max: usize) -> Vec<Asked> {
        let table = &mut *self.lock();
        table.uses += 1;
        let used = table.uses;
        if table.known.len() >= known_max.max(1) {
            let age = |known: &Known| (Arc::strong_count(&known.interest) > 1, known.used);
            let mut ages: Vec<_> = table.known.values().map(age).collect();
            let (_, eighth, _) = ages.select_nth_unstable(known_max / 8);
            let last = *eighth;
            table.known.retain(|_, known| age(known) > last);
        }
        table.known.insert(key.into(), Known { interest, used });
        let waited = table.asking.remove(key).unwrap_or_default();
        for who in &waited {
            table.waiting.remove(&who.address());
        }
        waited.into()
    }

    /// A resource is to get the last items of these nodes; [`hand_out_next`](Self::hand_out_next) when it has. `None`: it is
    /// getting others, and gets these after them.
    pub fn hand_out(&self, who: &Asked, new: Interest) -> Option<Interest> {
        match self.handing().entry(who.address()) {
            Entry::Vacant(place) => {
                place.insert(Interest::default());
                Some(new)
            }
            Entry::Occupied(mut place) => {
                let both = Interest::new(place.get().nodes().chain(new.nodes()).take(HAND_OUT_NODES_MAX));
                place.insert(both);
                None
            }
        }
    }

    /// What it gets next; `None`: nothing, it is over.
    pub fn hand_out_next(&self, who: &Asked) -> Option<Interest> {
        let mut handing = self.handing();
        let next = std::mem::take(handing.get_mut(&who.address())?);
        if next.nodes().next().is_some() {
            return Some(next);
        }
        handing.remove(&who.address());
        None
    }

    /// It does not take them.
    pub fn hand_out_ended(&self, who: &Asked) {
        self.handing().remove(&who.address());
    }

    fn handing(&self) -> MutexGuard<'_, HashMap<usize, Interest>> {
        self.handing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest of the server's own that is meant.
    pub fn own(&self, is_meant: impl Fn(&Own) -> bool) -> Option<Arc<Own>> {
        self.lock_own().iter().rev().find(|own| is_meant(own)).cloned()
    }

    /// Keeps one of the server's own in place of an old one.
    pub fn keep_own(&self, new: Arc<Own>) {
        let mut own = self.lock_own();
        own.retain(|old| old.host != new.host || old.nodes != new.nodes);
        let of_host: Vec<_> =
            own.iter().enumerate().filter(|(_, old)| old.host == new.host).map(|(at, _)| at).collect();
        if of_host.len() >= OWN_KEPT {
            own.remove(of_host[0]);
        }
        own.push(new);
    }

    fn lock_own(&self) -> MutexGuard<'_, Vec<Arc<Own>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many hashes are known.
    pub fn known(&self) -> usize {
        self.lock().known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::OfflineState;
    use crate::account::roster::Roster;
    use crate::outbox::Outbox;
    use std::net::{IpAddr, Ipv4Addr};
    use xep_support::jid::{BareJid, FullJid};

    fn resource(name: &str) -> Asked {
        let jid = BareJid::parse("juliet@im.example").expect("a JID");
        let resource = Resource {
            jid: FullJid::parse(&format!("{jid}/{name}")).expect("a JID"),
            outbox: Outbox::new(1, 1),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            encrypted: true,
            since_us: 0,
            agent: Default::default(),
        };
        let account = Account::new(jid, None, Roster::default(), OfflineState::default(), 0);
        Asked { account: Arc::new(account), resource: Arc::new(resource) }
    }

    fn nothing() -> Arc<Interest> {
        Arc::default()
    }

    #[test]
    fn one_asks_and_the_others_wait() {
        let caps = Capabilities::new(1);
        let (one, other) = (resource("one"), resource("other"));
        assert!(matches!(caps.look("a", &one), Look::MustAsk));
        assert!(matches!(caps.look("a", &other), Look::Waits));
        assert!(matches!(caps.look("b", &other), Look::Waits), "one answer at a time");
        assert!(Arc::ptr_eq(&caps.next("a").expect("the first").resource, &one.resource));
        caps.done(&one);
        let waited = caps.learn("a", nothing(), 10);
        assert!(waited.len() == 1 && Arc::ptr_eq(&waited[0].resource, &other.resource));
        assert!(matches!(caps.look("a", &one), Look::Known(_)));
        assert!(matches!(caps.look("b", &other), Look::MustAsk), "free again");
    }

    #[test]
    fn when_nobody_is_left_the_next_one_asks() {
        let caps = Capabilities::new(1);
        let one = resource("one");
        assert!(matches!(caps.look("a", &one), Look::MustAsk));
        assert!(caps.next("a").is_some());
        assert!(caps.next("a").is_none());
        assert!(!caps.alone(&one), "it is being asked");
        caps.done(&one);
        assert!(matches!(caps.look("a", &one), Look::MustAsk));
    }

    #[test]
    fn last_items_are_handed_out_one_after_the_other() {
        let (caps, one) = (Capabilities::new(1), resource("one"));
        let of = |nodes: &[&str]| Interest::new(nodes.iter().copied());
        assert_eq!(caps.hand_out(&one, of(&["a"])), Some(of(&["a"])));
        assert_eq!(caps.hand_out(&one, of(&["b"])), None);
        assert_eq!(caps.hand_out(&one, of(&["c", "b"])), None);
        assert_eq!(caps.hand_out(&resource("other"), of(&["b"])), Some(of(&["b"])));
        assert_eq!(caps.hand_out_next(&one), Some(of(&["b", "c"])));
        assert_eq!(caps.hand_out_next(&one), None);
        assert_eq!(caps.hand_out(&one, of(&["a"])), Some(of(&["a"])));
        caps.hand_out_ended(&one);
        assert_eq!(caps.hand_out_next(&one), None);
    }

    #[test]
    fn the_oldest_unused_go_first() {
        let caps = Capabilities::new(1);
        let held = nothing();
        caps.learn("0", held.clone(), 16);
        for n in 1..16 {
            caps.learn(&n.to_string(), nothing(), 16);
        }
        let somebody = resource("somebody");
        assert!(matches!(caps.look("1", &somebody), Look::Known(_)));
        caps.learn("16", nothing(), 16);
        let known = |key| matches!(caps.look(key, &somebody), Look::Known(_));
        assert!(known("0") && known("1") && known("16"), "in use, used lately, new");
        assert!(!known("2") && !known("3") && !known("4") && known("5"));
        assert_eq!(caps.known(), 14);
    }
}
