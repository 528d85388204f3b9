//! Presence (RFC 6121 §4): initial, changed and final presence, probes, directed presence, and who may see any of it.

use super::subscription;
use crate::account::blocking::{self, BlockList};
use crate::account::joined::Joined;
use crate::account::resource::{Bound, Client, Resource};
use crate::account::{Account, AccountState};
use crate::core::Core;
use crate::delivery::presence::{Visit, deliver_to, visit};
use crate::hosts::Place;
use crate::outbox::Item;
use crate::router;
use crate::router::Progress;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{PresenceType, Stanza};
use xep_support::xml::check::StreamContext;

/// Handles presence from a bound client.
pub fn from_client(core: &Arc<Core>, client: &Client, mut stanza: Stanza) -> Progress {
    use PresenceType::{Available, Error, Probe, Unavailable};
    let kind = match stanza.presence_type() {
        Ok(kind) => kind,
        Err(error) => return refuse(core, client, &stanza, error),
    };
    if !matches!(kind, Available | Unavailable | Probe | Error) {
        return match stanza.to() {
            Some(_) => subscription::from_client(core, client, kind, stanza),
            None => refuse(core, client, &stanza, StanzaError::new(Condition::BadRequest)),
        };
    }
    stanza.set_from(client.jid().as_jid().clone());
    if kind == Available {
        core.registry.run_presence(core, client, &mut stanza);
    }
    match (kind, stanza.to().is_some()) {
        (Available, false) => available(core, client, stanza),
        (Unavailable, false) => {
            let presence = Arc::new(stanza);
            if unavailable(core, client, &presence) {
                // §4.5.2: the resource that said so is told like the user's other ones.
                let _ = client.resource.outbox.push(Item::addressed(presence, client.jid().as_jid().clone()));
            }
            Progress::Done
        }
        (Probe, true) => probe(core, client, &stanza),
        (Available | Unavailable, true) => directed(core, client, kind, stanza),
        (Error, true) => {
            router::route(core, crate::account::Parcel::new(Arc::new(stanza), None));
            Progress::Done
        }
        _ => Progress::Done,
    }
}

fn refuse(core: &Core, client: &Client, stanza: &Stanza, error: StanzaError) -> Progress {
    core.refuse(client, stanza, &error);
    Progress::Done
}

/// §4.7.2.3: an integer from -128 to 127; zero if there is none.
fn priority(stanza: &Stanza) -> Result<i8, StanzaError> {
    let Some(element) = stanza.children().find(|c| c.is("priority", ns::CLIENT)) else { return Ok(0) };
    let text = element.parse().map(|e| e.text_content()).unwrap_or_default();
    let malformed = || StanzaError::new(Condition::BadRequest).with_text("priority is not an integer from -128 to 127");
    text.trim().parse().map_err(|_| malformed())
}

type Contacts = SmallVec<[(BareJid, Visit); 16]>;

/// §4.2 and §4.4: initial or changed presence.
fn available(core: &Arc<Core>, client: &Client, stanza: Stanza) -> Progress {
    let priority = match priority(&stanza) {
        Ok(priority) => priority,
        Err(error) => return refuse(core, client, &stanza, error),
    };
    let presence = Arc::new(stanza);
    let mut contacts = Contacts::new();
    let mut requests: Vec<Arc<str>> = Vec::new();
    let (before, newly_reachable, blocked) = {
        let mut state = client.account.lock();
        let Some(bound) = state.bound(&client.resource) else { return Progress::Done };
        let before = bound.presence.replace(presence.clone());
        let initial = before.is_none();
        let newly_reachable = priority >= 0 && (initial || bound.priority < 0);
        bound.priority = priority;
        bound.note(&core.journal);
        if newly_reachable {
            state.offline.claim();
        }
        let blocked = state.blocked.clone();
        for (jid, contact) in &state.roster.items {
            if blocked.as_ref().is_some_and(|list| list.forbids(jid)) {
                continue;
            }
            let s = contact.subscription;
            let visit = Visit { notify: s.from, probe: s.to && initial };
            if visit.notify || visit.probe {
                contacts.push((jid.clone(), visit));
            }
            if initial && s.pending_in {
                requests.extend(contact.request.clone());
            }
        }
        own_resources(&state, client, &presence, initial);
        (before, newly_reachable, blocked)
    };
    let outbox = &client.resource.outbox;
    let visits = contacts.len();
    for (contact, what) in contacts {
        let answer = |item: Item| drop(outbox.push(item));
        visit(core, &contact, blocked.as_deref(), &presence, what, answer, client.jid().as_jid());
    }
    if before.is_none() {
        repeat_requests(client, requests);
    }
    if newly_reachable {
        core.registry.run_available(core, client, &presence);
    }
    core.registry.run_broadcast(core, client, before.as_deref(), &presence);
    Progress::Fanned(visits)
}

/// §4.2.2: every resource of a user sees every other, and itself.
fn own_resources(state: &AccountState, client: &Client, presence: &Arc<Stanza>, initial: bool) {
    for other in state.available() {
        let _ = other.resource.outbox.push(Item::addressed(presence.clone(), other.resource.jid.as_jid().clone()));
        if initial
            && !Arc::ptr_eq(&other.resource, &client.resource)
            && let Some(theirs) = &other.presence
        {
            let _ = client.resource.outbox.push(Item::addressed(theirs.clone(), client.jid().as_jid().clone()));
        }
    }
}

/// §3.1.3: requests nobody has answered come again at each login.
fn repeat_requests(client: &Client, requests: Vec<Arc<str>>) {
    for text in requests {
        match Stanza::parse(text.as_bytes(), &StreamContext::stored()) {
            Ok(stanza) => client.send(stanza),
            Err(_) => tracing::error!(account = %client.account.jid, "a stored subscription request is damaged"),
        }
    }
}

/// §4.5: the client says it is going. Was it available?
pub fn unavailable(core: &Arc<Core>, client: &Client, presence: &Arc<Stanza>) -> bool {
    let farewell = Farewell::take(core, &mut client.account.lock(), client, presence);
    let Some(farewell) = farewell else { return false };
    let was_available = farewell.was_available;
    farewell.tell(core, client, presence);
    was_available
}

/// A resource that has become unavailable, and who must still learn of it.
pub struct Farewell {
    was_available: bool,
    contacts: Contacts,
    directed: BTreeSet<Jid>,
    rooms: Option<Box<Joined>>,
    blocked: Option<Arc<BlockList>>,
}

impl Farewell {
    /// Takes the resource's presence away and tells the user's other resources. `None`: it is not bound.
    pub fn take(core: &Core, state: &mut AccountState, client: &Client, presence: &Arc<Stanza>) -> Option<Self> {
        let bound = state.bound(&client.resource)?;
        let was_available = bound.presence.take().is_some();
        bound.priority = 0;
        bound.interest = None;
        bound.note(&core.journal);
        let directed = std::mem::take(&mut bound.directed);
        let rooms = bound.rooms.take();
        let mut contacts = Contacts::new();
        if was_available {
            let notify = Visit { notify: true, probe: false };
            let subscribers = state.roster.subscribers().filter(|jid| !state.blocks(jid));
            contacts.extend(subscribers.map(|jid| (jid.clone(), notify)));
            for other in state.available() {
                let to = other.resource.jid.as_jid().clone();
                let _ = other.resource.outbox.push(Item::addressed(presence.clone(), to));
            }
        }
        Some(Self { was_available, contacts, directed, rooms, blocked: state.blocked.clone() })
    }

    /// Tells everybody else. Without any account's lock.
    pub fn tell(self, core: &Arc<Core>, client: &Client, presence: &Arc<Stanza>) {
        for (contact, what) in self.contacts {
            visit(core, &contact, self.blocked.as_deref(), presence, what, drop, client.jid().as_jid());
        }
        leave_directed(core, &self.directed, presence);
        if let Some(rooms) = &self.rooms {
            core.registry.run_left(core, client, rooms, presence);
        }
        if self.was_available {
            core.registry.run_unavailable(core, client, presence);
        }
    }
}

/// §4.6.3: whoever got directed presence learns that it is over.
pub fn leave_directed<'a>(core: &Core, directed: impl IntoIterator<Item = &'a Jid>, presence: &Arc<Stanza>) {
    for to in directed {
        deliver_to(core, presence, to);
    }
}

/// §4.6: presence for one entity, with or without a subscription.
fn directed(core: &Arc<Core>, client: &Client, kind: PresenceType, stanza: Stanza) -> Progress {
    let Some(to) = stanza.to().cloned() else { return Progress::Done };
    if client.account.lock().blocks(&to) {
        return refuse(core, client, &stanza, blocking::refusal());
    }
    let place = core.hosts.place(&to);
    if let Place::Service(prefix) = place
        && let Some(hook) = core.registry.service_presence(prefix)
    {
        return match hook(core, client, stanza) {
            Some(rest) => Progress::Wait(rest),
            None => Progress::Fanned(core.rooms.fan_out(&to)),
        };
    }
    if place == Place::Account {
        let mut state = client.account.lock();
        let subscriber = state.roster.subscription(to.bare_str()).from;
        let Some(bound) = state.bound(&client.resource) else { return Progress::Done };
        let broadcast = subscriber && bound.presence.is_some();
        if kind == PresenceType::Unavailable {
            bound.directed.remove(&to);
        } else if !broadcast && !bound.directed.contains(&to) {
            if bound.directed.len() >= core.config().limits.directed_presence_max {
                drop(state);
                let error = StanzaError::new(Condition::ResourceConstraint).with_text("too much directed presence");
                return refuse(core, client, &stanza, error);
            }
            bound.directed.insert(to);
        }
    }
    router::route(core, crate::account::Parcel::new(Arc::new(stanza), None));
    Progress::Done
}

/// §4.3: a probe the client sent by itself. Who is not subscribed learns `unsubscribed`, whoever is asked about.
fn probe(core: &Arc<Core>, client: &Client, stanza: &Stanza) -> Progress {
    let Some(to) = stanza.to().cloned() else { return Progress::Done };
    if client.account.lock().blocks(&to) {
        return refuse(core, client, stanza, blocking::refusal());
    }
    if core.hosts.place(&to) != Place::Account {
        return refuse(core, client, stanza, StanzaError::new(Condition::ServiceUnavailable));
    }
    let (core, client) = (core.clone(), client.clone());
    Progress::Wait(Box::pin(async move {
        let contact = match router::load(&core, &to.bare()).await {
            Ok(contact) => contact,
            Err(error) => return tracing::error!(%error, "probe failed"),
        };
        for item in probe_answer(&client, contact.as_deref(), &to) {
            let _ = client.resource.outbox.push(item);
        }
    }))
}

fn probe_answer(client: &Client, contact: Option<&Account>, to: &Jid) -> Vec<Item> {
    let asker = client.jid().as_jid();
    let about = to.bare();
    let reply = |kind| vec![Item::plain(Arc::new(Stanza::presence(kind, Some(about.as_jid()), Some(asker))))];
    let Some(contact) = contact else { return reply(PresenceType::Unsubscribed) };
    let state = contact.lock();
    if state.blocks(asker) {
        // XEP-0191 §3.3: no answer at all.
        return Vec::new();
    }
    if contact.jid != client.account.jid && !state.roster.subscription(client.account.jid.as_str()).from {
        return reply(PresenceType::Unsubscribed);
    }
    let seen: Vec<Item> = state
        .available()
        .filter(|b| to.resource().is_none() || b.resource.jid.as_jid() == to)
        .filter_map(|b| b.presence.clone())
        .map(|p| Item::addressed(p, asker.clone()))
        .collect();
    if seen.is_empty() { reply(PresenceType::Unavailable) } else { seen }
}

/// Shows a new subscriber the user's current presence (§3.1.5), or a resource of one.
pub fn show(core: &Arc<Core>, account: &Account, contact: &Jid) {
    let list = account.lock().blocked.clone();
    notify(core, account, contact, list.as_deref(), |bound| bound.presence.clone());
    core.registry.run_shown(core, account, &contact.bare());
}

/// Broadcasts the presence of every available resource of an account anew, as `change` has made it. What it leaves as it
/// was is not broadcast.
pub fn renew(core: &Arc<Core>, account: &Account, change: impl Fn(&Bound, &mut Stanza)) {
    let resources: SmallVec<[Arc<Resource>; 4]> = account.lock().available().map(|b| b.resource.clone()).collect();
    for resource in resources {
        let (presence, contacts, blocked) = {
            let mut state = account.lock();
            let Some(bound) = state.bound(&resource) else { continue };
            let Some(before) = &bound.presence else { continue };
            let mut presence = (**before).clone();
            change(bound, &mut presence);
            if presence.inner() == before.inner() {
                continue;
            }
            let presence = Arc::new(presence);
            bound.presence = Some(presence.clone());
            for other in state.available() {
                let to = other.resource.jid.as_jid().clone();
                let _ = other.resource.outbox.push(Item::addressed(presence.clone(), to));
            }
            let notify = Visit { notify: true, probe: false };
            let contacts: Contacts = state.roster.subscribers().map(|jid| (jid.clone(), notify)).collect();
            (presence, contacts, state.blocked.clone())
        };
        for (contact, what) in contacts {
            visit(core, &contact, blocked.as_deref(), &presence, what, drop, resource.jid.as_jid());
        }
    }
}

/// Tells a former subscriber that every resource is unavailable (§3.2.2, §3.3.3).
pub fn withdraw(core: &Core, account: &Account, contact: &Jid) {
    let list = account.lock().blocked.clone();
    notify(core, account, contact, list.as_deref(), |b| Some(Arc::new(gone(b.resource.jid.as_jid()))));
}

/// The same for one who has just been blocked (XEP-0191 §3.3).
pub fn hide(core: &Core, account: &Account, contact: &Jid) {
    notify(core, account, contact, None, |b| Some(Arc::new(gone(b.resource.jid.as_jid()))));
}

/// Unavailable presence of a resource.
pub fn gone(resource: &Jid) -> Stanza {
    Stanza::presence(PresenceType::Unavailable, Some(resource), None)
}

/// Tells every available resource of a local contact, or the one it is about, something about every available resource of
/// the user. The caller knows that the contact may or must see it; whom the user blocks is on the list, and whom the
/// contact blocks is not heard of. Told under the user's lock: presence that changes meanwhile comes after it.
fn notify(
    core: &Core,
    account: &Account,
    contact: &Jid,
    blocked: Option<&BlockList>,
    what: impl Fn(&Bound) -> Option<Arc<Stanza>>,
) {
    let Some(theirs) = core.accounts.find(contact.bare_str()) else { return };
    let (told, blocked_by) = {
        let state = theirs.lock();
        let jid = |b: &Bound| b.resource.jid.as_jid().clone();
        let meant = state.available().filter(|b| contact.resource().is_none() || jid(b) == *contact);
        let free = meant.filter(|b| blocked.is_none_or(|list| !list.forbids(b.resource.jid.as_jid())));
        (free.map(|b| b.resource.clone()).collect::<SmallVec<[Arc<Resource>; 4]>>(), state.blocked.clone())
    };
    let heard = |b: &&Bound| blocked_by.as_ref().is_none_or(|list| !list.forbids(b.resource.jid.as_jid()));
    for presence in account.lock().available().filter(heard).filter_map(what) {
        for resource in &told {
            let _ = resource.outbox.push(Item::addressed(presence.clone(), contact.clone()));
        }
    }
}
