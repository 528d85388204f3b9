//! The roster (RFC 6121 §2): get, set, remove, pushes, versions.

use super::{subscription, to_the_end};
use crate::account::roster::Contact;
use crate::account::{Account, AccountState};
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, BoxFuture, Declare, Extension, IqCall, IqResult};
use crate::outbox::Item;
use crate::router::bounce::refused;
use crate::storage::{self, RosterRow};
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, PresenceType, Stanza};
use xep_support::xml::Element;

/// Roster management.
pub struct RosterManagement;

impl Extension for RosterManagement {
    fn about(&self) -> About {
        About::new("RFC 6121", "Instant Messaging and Presence", "")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.account_feature(ns::ROSTER)
            .iq(Addressee::OwnAccount, IqType::Get, ("query", ns::ROSTER), get)
            .iq(Addressee::OwnAccount, IqType::Set, ("query", ns::ROSTER), set)
            // RFC 6121 §2.1.5, §2.3.3: nobody else's roster may be read or changed.
            .iq(Addressee::OtherAccount, IqType::Get, ("query", ns::ROSTER), forbidden)
            .iq(Addressee::OtherAccount, IqType::Set, ("query", ns::ROSTER), forbidden);
    }
}

fn forbidden(_: IqCall<'_>) -> Answer {
    Answer::error(StanzaError::new(Condition::Forbidden))
}

/// §2.1.3, §2.6.2. The answer goes into the outbox under the account's lock: a push that follows a change must not
/// overtake the list it changes.
fn get(call: IqCall<'_>) -> Answer {
    let mut state = call.client.account.lock();
    let version = state.roster.version.to_string();
    let known = call.payload.get_attr("ver") == Some(&version);
    let query = (!known).then(|| {
        let items = state.roster.listed().map(|(jid, contact)| contact.to_item(jid));
        Element::new("query", ns::ROSTER).attr("ver", version).children(items)
    });
    if let Some(bound) = state.bound(&call.client.resource) {
        bound.interested = true;
        bound.note(&call.core.journal);
    }
    call.client.send(Stanza::iq_result(call.request, query));
    Answer::Sent
}

/// §2.3 to §2.5.
fn set(call: IqCall<'_>) -> Answer {
    let wish = match Wish::parse(&call) {
        Ok(wish) => wish,
        Err(error) => return Answer::error(error),
    };
    let (core, account) = (call.core.clone(), call.client.account.clone());
    let work = to_the_end(call.core, async move {
        match wish.remove {
            true => remove(&core, &account, &wish.jid).await,
            false => update(&core, &account, wish).await,
        }
    });
    Answer::later(async move { work.await.unwrap_or_else(|| Err(StanzaError::new(Condition::InternalServerError))) })
}

/// What a roster set asks for.
struct Wish {
    jid: BareJid,
    remove: bool,
    name: Option<Box<str>>,
    groups: Vec<Box<str>>,
}

impl Wish {
    /// §2.3.3: the errors in the order in which the RFC lists them.
    fn parse(call: &IqCall<'_>) -> Result<Self, StanzaError> {
        let bad = |text: &'static str| StanzaError::new(Condition::BadRequest).with_text(text);
        let unacceptable = |text: &'static str| StanzaError::new(Condition::NotAcceptable).with_text(text);
        let mut items = call.payload.child_elements();
        let (Some(item), None) = (items.next(), items.next()) else { return Err(bad("exactly one item")) };
        if !item.is("item", ns::ROSTER) {
            return Err(bad("an item is expected"));
        }
        let jid = item.get_attr("jid").ok_or_else(|| bad("no jid"))?;
        let jid = Jid::parse(jid).map_err(|_| StanzaError::new(Condition::JidMalformed))?.bare();
        let remove = item.get_attr("subscription") == Some("remove");
        let config = call.core.config();
        let limits = &config.limits;
        let name = item.get_attr("name").filter(|n| !n.is_empty()).map(Into::into);
        if item.get_attr("name").is_some_and(|n| n.len() > limits.roster_name_bytes_max) {
            return Err(unacceptable("the name is too long"));
        }
        let mut groups: Vec<Box<str>> = Vec::new();
        for group in item.child_elements().filter(|e| e.is("group", ns::ROSTER)) {
            let group = group.text_content();
            if group.is_empty() || group.len() > limits.roster_group_bytes_max {
                return Err(unacceptable("an empty or too long group name"));
            }
            if groups.iter().any(|g| **g == *group) {
                return Err(bad("a group is named twice"));
            }
            if groups.len() >= limits.roster_groups_max {
                return Err(unacceptable("too many groups"));
            }
            groups.push(group.into());
        }
        if !remove && jid == call.client.account.jid {
            return Err(StanzaError::new(Condition::NotAllowed).with_text("this is your own address"));
        }
        Ok(Self { jid, remove, name, groups })
    }
}

async fn update(core: &Arc<Core>, account: &Arc<Account>, wish: Wish) -> IqResult {
    let _turn = account.roster_turn().await;
    let change = {
        let mut state = account.lock();
        let before = state.roster.items.get(&wish.jid);
        let (items_max, bytes_max) = {
            let limits = &core.config().limits;
            (limits.roster_items_max, limits.roster_bytes_max)
        };
        let others = || state.roster.listed().filter(|(jid, _)| **jid != wish.jid);
        let bytes: usize = others().map(|(jid, c)| item_bytes(jid, c.name.as_deref(), &c.groups)).sum();
        let wanted = item_bytes(&wish.jid, wish.name.as_deref(), &wish.groups);
        if others().count() >= items_max || bytes + wanted > bytes_max {
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("the roster is full"));
        }
        let mut after = before.cloned().unwrap_or_default();
        after.listed = true;
        after.name = wish.name;
        after.groups = wish.groups;
        Change::apply(core, account, &mut state, &wish.jid, after)
    };
    change.settle(account, &wish.jid).await.map_err(refused("roster"))?;
    Ok(None)
}

/// About what an item costs when it is sent.
fn item_bytes(jid: &BareJid, name: Option<&str>, groups: &[Box<str>]) -> usize {
    const MARKUP: usize = 64;
    jid.as_str().len() + name.map_or(0, str::len) + groups.iter().map(|g| g.len() + MARKUP / 4).sum::<usize>() + MARKUP
}

/// §2.5.2: the item goes, and with it the subscriptions in both directions.
pub async fn remove(core: &Arc<Core>, account: &Arc<Account>, jid: &BareJid) -> IqResult {
    let turn = account.roster_turn().await;
    let (change, was) = {
        let mut state = account.lock();
        let Some(contact) = state.roster.items.get(jid).filter(|c| c.listed) else {
            return Err(StanzaError::new(Condition::ItemNotFound));
        };
        let was = contact.subscription;
        (Change::apply(core, account, &mut state, jid, Contact::default()), was)
    };
    change.settle(account, jid).await.map_err(refused("roster"))?;
    drop(turn);
    if was.to || was.pending_out {
        subscription::tell(core, account, jid, PresenceType::Unsubscribe).await;
    }
    if was.from || was.pending_in {
        if was.from {
            super::presence::withdraw(core, account, jid);
        }
        subscription::tell(core, account, jid, PresenceType::Unsubscribed).await;
    }
    Ok(None)
}

/// A change of one entry: done in memory, on its way to the disk, not yet told to anybody. Whoever makes one takes the
/// account's [`roster_turn`](Account::roster_turn) before and keeps it until the change is settled: pushes leave in the
/// order of their versions (§2.6.3), and a client is left with the item as it is.
pub struct Change {
    before: Option<Contact>,
    after: Option<Contact>,
    version: i64,
    commit: Option<BoxFuture<Result<(), storage::Error>>>,
}

impl Change {
    /// Puts an entry in place; an empty one is removed. Called under the account's lock. What shows is a new version; a
    /// request that came or went (§3.1.3) does not.
    pub fn apply(core: &Core, account: &Account, state: &mut AccountState, jid: &BareJid, after: Contact) -> Self {
        let roster = &mut state.roster;
        let before = roster.items.get(jid).cloned();
        let after = (!after.is_empty()).then_some(after);
        if before == after {
            return Self { before, after, version: roster.version, commit: None };
        }
        if shown(before.as_ref(), jid) != shown(after.as_ref(), jid) {
            roster.version += 1;
        }
        let version = roster.version;
        let commit = match &after {
            Some(contact) => {
                roster.items.insert(jid.clone(), contact.clone());
                account.id.map(|id| {
                    let commit = core.storage.roster_upsert(id, contact.to_row(jid), version);
                    Box::pin(commit) as BoxFuture<_>
                })
            }
            None => {
                roster.items.remove(jid);
                account.id.map(|id| {
                    let commit = core.storage.roster_remove(id, jid.as_str(), version);
                    Box::pin(async move { commit.await.map(drop) }) as BoxFuture<_>
                })
            }
        };
        Self { before, after, version, commit }
    }

    /// Waits for the disk, then pushes the item to every interested resource (§2.1.6), one set to what it was included
    /// (§2.3.2).
    pub async fn settle(mut self, account: &Account, jid: &BareJid) -> Result<(), storage::Error> {
        self.committed(account, jid).await?;
        if self.before == self.after || self.is_visible(jid) {
            self.push(&account.lock(), jid);
        }
        Ok(())
    }

    /// Waits for the disk; then `first` is done, and what has changed is pushed. A subscription stanza comes before the
    /// push that follows from it (§3.1.6, §3.2.3, §3.3.3), and nothing is pushed if the item is what it was.
    pub async fn settle_after(
        mut self,
        account: &Account,
        jid: &BareJid,
        first: impl FnOnce(&AccountState),
    ) -> Result<(), storage::Error> {
        self.committed(account, jid).await?;
        let state = account.lock();
        first(&state);
        if self.is_visible(jid) {
            self.push(&state, jid);
        }
        Ok(())
    }

    /// When the disk refuses, memory goes back to what the disk has.
    async fn committed(&mut self, account: &Account, jid: &BareJid) -> Result<(), storage::Error> {
        let Some(commit) = self.commit.take() else { return Ok(()) };
        let committed = commit.await;
        if committed.is_err() {
            let mut state = account.lock();
            if state.roster.items.get(jid) == self.after.as_ref() {
                match self.before.take() {
                    Some(before) => drop(state.roster.items.insert(jid.clone(), before)),
                    None => drop(state.roster.items.remove(jid)),
                }
            }
        }
        committed
    }

    fn is_visible(&self, jid: &BareJid) -> bool {
        shown(self.before.as_ref(), jid) != shown(self.after.as_ref(), jid)
    }

    fn push(&self, state: &AccountState, jid: &BareJid) {
        let removed = || Element::new("item", ns::ROSTER).attr("jid", jid.as_str()).attr("subscription", "remove");
        let item = match shown(self.after.as_ref(), jid) {
            Some(item) => item,
            None if shown(self.before.as_ref(), jid).is_some() => removed(),
            None => return,
        };
        push(state, item, self.version);
    }
}

/// A change of one entry that is written together with something else; the maker has the account's
/// [`roster_turn`](Account::roster_turn) from before until it is done.
pub struct Planned {
    after: Contact,
    /// The version the roster will have.
    pub version: i64,
}

impl Planned {
    /// What the entry will be.
    pub fn new(state: &AccountState, after: Contact) -> Self {
        Self { after, version: state.roster.version + 1 }
    }

    /// The row to be written.
    pub fn row(&self, jid: &BareJid) -> RosterRow {
        self.after.to_row(jid)
    }

    /// It is written: now in memory as well, and pushed (§2.1.6).
    pub fn done(self, account: &Account, jid: &BareJid) {
        let mut state = account.lock();
        state.roster.version = self.version;
        let item = self.after.to_item(jid);
        state.roster.items.insert(jid.clone(), self.after);
        push(&state, item, self.version);
    }
}

/// The item the user's clients see.
fn shown(contact: Option<&Contact>, jid: &BareJid) -> Option<Element> {
    contact.filter(|c| c.listed).map(|c| c.to_item(jid))
}

fn push(state: &AccountState, item: Element, version: i64) {
    let query = Element::new("query", ns::ROSTER).attr("ver", version.to_string()).child(item);
    let push = Arc::new(Stanza::iq_set(None, None, &format!("push{version}"), query));
    for bound in state.interested() {
        let to = bound.resource.jid.as_jid().clone();
        let _ = bound.resource.outbox.push(Item::addressed(push.clone(), to));
    }
}
