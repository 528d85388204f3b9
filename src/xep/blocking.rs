//! XEP-0191: users who do not want to hear of somebody, with what XEP-0377 lets them tell the operator about that.
//!
//! Nothing of somebody blocked reaches the user, and nothing of the user's reaches them: for them the user is offline.
//! Where that is seen to:
//!
//! | stanza | from somebody blocked | to somebody blocked |
//! |---|---|---|
//! | message | `delivery/message.rs`: `service-unavailable`; errors dropped | stage Sent, here: `not-acceptable` |
//! | iq | `router`: `service-unavailable`; answers dropped | `router/iq.rs`: `not-acceptable`; answers dropped |
//! | presence, broadcast and probed at login | `delivery/presence.rs`: dropped | the same: not sent |
//! | directed presence, probes | `delivery/presence.rs`, `im/presence.rs`: dropped | `im/presence.rs`: `not-acceptable` |
//! | subscriptions | `im/subscription.rs`: dropped; one that ends, ends silently | `im/subscription.rs`: `not-acceptable` |
//!
//! Blocking is polite (§4): it changes no subscription and tells nobody. A user who takes somebody blocked out of the
//! roster ends the subscriptions like with anybody else.

use crate::account::blocking::{BlockList, refusal};
use crate::account::resource::Client;
use crate::account::{Account, AccountState, Parcel};
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use crate::im;
use crate::ops;
use crate::outbox::Item;
use crate::router::bounce::refused;
use crate::storage::AccountId;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// The blocking command.
pub struct Blocking;

impl Extension for Blocking {
    fn about(&self) -> About {
        About::new("XEP-0191", "Blocking Command", "1.3")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let own = Addressee::OwnAccount;
        d.server_feature(ns::BLOCKING)
            .account_feature(ns::BLOCKING)
            .sent(Box::new(sent))
            .iq(own, IqType::Get, ("blocklist", ns::BLOCKING), get)
            .iq(own, IqType::Set, ("block", ns::BLOCKING), |call| change(&call, true))
            .iq(own, IqType::Set, ("unblock", ns::BLOCKING), |call| change(&call, false));
        for (kind, name) in [(IqType::Get, "blocklist"), (IqType::Set, "block"), (IqType::Set, "unblock")] {
            // Nobody else's.
            d.iq(Addressee::OtherAccount, kind, (name, ns::BLOCKING), |_| {
                Answer::error(StanzaError::new(Condition::Forbidden))
            });
        }
    }
}

/// Reports about who is blocked.
pub struct Reports;

impl Extension for Reports {
    fn about(&self) -> About {
        About::new("XEP-0377", "Blocking Command Reports", "0.4.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::REPORTING);
    }
}

/// Stage Sent (§3.3).
fn sent(_: &Arc<Core>, _: &Client, state: &mut AccountState, parcel: &mut Parcel) -> Result<(), StanzaError> {
    let blocked = parcel.stanza.to().is_some_and(|to| state.blocks(to));
    if blocked { Err(refusal()) } else { Ok(()) }
}

/// §3.2. Under the lock into the outbox: a push that follows a change must not overtake the list it changes.
fn get(call: IqCall<'_>) -> Answer {
    let mut state = call.client.account.lock();
    let list = state.blocked.clone();
    let items = list.iter().flat_map(|list| list.iter()).map(item);
    let answer = Element::new("blocklist", ns::BLOCKING).children(items);
    if let Some(bound) = state.bound(&call.client.resource) {
        bound.blocklist = true;
        bound.note(&call.core.journal);
    }
    call.client.send(Stanza::iq_result(call.request, Some(answer)));
    Answer::Sent
}

fn item(jid: &str) -> Element {
    Element::new("item", ns::BLOCKING).attr("jid", jid)
}

/// §3.3 to §3.5.
fn change(call: &IqCall<'_>, block: bool) -> Answer {
    let wish = ops::registered(&call.client.account).and_then(|id| Wish::parse(&call.payload, block, id));
    let wish = match wish {
        Ok(wish) => wish,
        Err(error) => return Answer::error(error),
    };
    if block {
        log_reports(&call.client.account, &call.payload);
    }
    let (core, client, request) = (call.core.clone(), call.client.clone(), call.request.clone());
    // To the end, whatever becomes of the session: the disk, the memory and what others see of it belong together.
    let work = im::to_the_end(call.core, async move {
        if let Err(error) = wish.fulfil(&core, &client, &request).await {
            core.refuse(&client, &request, &error);
        }
    });
    Answer::SentLater(Box::pin(async move {
        let _ = work.await;
    }))
}

/// What is asked for.
struct Wish {
    id: AccountId,
    block: bool,
    /// None: everybody is to be unblocked.
    jids: Vec<Jid>,
}

impl Wish {
    fn parse(payload: &Element, block: bool, id: AccountId) -> Result<Self, StanzaError> {
        let bad = |text: &'static str| StanzaError::new(Condition::BadRequest).with_text(text);
        let mut jids = Vec::new();
        for element in payload.child_elements() {
            if !element.is("item", ns::BLOCKING) {
                return Err(bad("items are expected"));
            }
            let jid = element.get_attr("jid").ok_or_else(|| bad("an item without a jid"))?;
            jids.push(Jid::parse(jid).map_err(|_| StanzaError::new(Condition::JidMalformed))?);
        }
        if block && jids.is_empty() {
            return Err(bad("nobody to be blocked"));
        }
        Ok(Self { id, block, jids })
    }

    /// Durable first, then in force, then told: to the asking client, to those that know the list, to the contacts.
    async fn fulfil(&self, core: &Arc<Core>, client: &Client, request: &Stanza) -> Result<(), StanzaError> {
        let account = &client.account;
        // Changes of one list do not overtake each other.
        let turn = account.roster_turn().await;
        let before = account.lock().blocked.clone();
        let before = before.map_or_else(|| BlockList::new(account.jid.clone()), |list| BlockList::clone(&list));
        let everybody = || before.iter().filter_map(|jid| Jid::parse(jid).ok()).collect();
        let all = !self.block && self.jids.is_empty();
        let mut changed: Vec<Jid> = if all { everybody() } else { self.jids.clone() };
        changed.retain(|jid| before.lists(jid) != self.block);
        let after = match self.block {
            true => before.clone().with(&changed),
            false => before.clone().without(&changed),
        };
        if self.block {
            check_limits(core, &before, &after)?;
        }
        if !changed.is_empty() {
            let jids: Vec<&str> = changed.iter().map(Jid::as_str).collect();
            let commit = match self.block {
                true => core.storage.blocking_add(self.id, &jids),
                false => core.storage.blocking_remove(self.id, &jids),
            };
            commit.await.map_err(refused("block list"))?;
        }
        let after = (!after.is_empty()).then(|| Arc::new(after));
        let gone = {
            let mut state = account.lock();
            state.blocked.clone_from(&after);
            client.send(Stanza::iq_result(request, None));
            self.push(&state);
            take_directed(&mut state)
        };
        drop(turn);
        for (from, to) in gone {
            im::presence::leave_directed(core, [&to], &Arc::new(im::presence::gone(&from)));
        }
        let concerned = BlockList::new(account.jid.clone()).with(&changed);
        if self.block {
            hide(core, account, &before, &concerned);
        } else {
            reveal(core, account, &concerned).await;
        }
        Ok(())
    }

    /// §3.3: to the resources that asked for the list.
    fn push(&self, state: &AccountState) {
        let name = if self.block { "block" } else { "unblock" };
        let items = Element::new(name, ns::BLOCKING).children(self.jids.iter().map(|jid| item(jid.as_str())));
        let push = Arc::new(Stanza::iq_set(None, None, &format!("{name}{}", crate::clock::now_micros()), items));
        for bound in state.resources.iter().filter(|b| b.blocklist) {
            let _ = bound.resource.outbox.push(Item::addressed(push.clone(), bound.resource.jid.as_jid().clone()));
        }
    }
}

fn check_limits(core: &Core, before: &BlockList, after: &BlockList) -> Result<(), StanzaError> {
    let config = core.config();
    let limits = &config.limits;
    let bytes: usize = after.iter().map(|jid| jid.len() + ITEM_BYTES).sum();
    let full = after.len() > limits.blocklist_items_max || bytes > limits.blocklist_bytes_max;
    match full && after.len() > before.len() {
        true => Err(StanzaError::new(Condition::ResourceConstraint).with_text("the block list is full")),
        false => Ok(()),
    }
}

/// What an entry costs beside its JID when the list is sent.
const ITEM_BYTES: usize = 16;

/// Directed presence that the list in force now forbids: from whom, to whom. They are to learn that it is over.
fn take_directed(state: &mut AccountState) -> Vec<(Jid, Jid)> {
    let Some(list) = state.blocked.clone() else { return Vec::new() };
    let mut taken = Vec::new();
    for bound in &mut state.resources {
        let from = bound.resource.jid.as_jid();
        bound.directed.retain(|to| {
            let forbidden = list.forbids(to);
            if forbidden {
                taken.push((from.clone(), to.clone()));
            }
            !forbidden
        });
    }
    taken
}

/// Contacts, or resources of theirs, which this list means, with the subscription.
fn meant(account: &Account, list: &BlockList) -> Vec<(Jid, bool, bool)> {
    let state = account.lock();
    let seen = state.roster.items.iter().filter(|(_, contact)| contact.subscription.from || contact.subscription.to);
    let meant = seen.flat_map(|(jid, contact)| {
        let s = contact.subscription;
        list.meant_of(jid).into_iter().map(move |jid| (jid, s.from, s.to))
    });
    meant.collect()
}

/// §3.3: who saw the user's presence sees that it is gone.
fn hide(core: &Core, account: &Account, before: &BlockList, blocked: &BlockList) {
    for (jid, from, _) in meant(account, blocked) {
        if from && !before.forbids(&jid) {
            im::presence::hide(core, account, &jid);
        }
    }
}

/// §3.4: who may see the user's presence sees it again, and so does the user theirs.
async fn reveal(core: &Arc<Core>, account: &Account, unblocked: &BlockList) {
    for (jid, from, to) in meant(account, unblocked) {
        // What another entry still blocks is left out there.
        if from {
            im::presence::show(core, account, &jid);
        }
        let theirs = core.accounts.find(jid.bare_str()).filter(|_| to);
        if let Some(theirs) = theirs.filter(|theirs| theirs.lock().roster.subscription(account.jid.as_str()).from) {
            im::presence::show(core, &theirs, account.jid.as_jid());
        }
    }
}

/// Reports of one request that are logged; more are hardly a person's.
const REPORTS_MAX: usize = 8;
/// Bytes of a report's text that are logged.
const REPORT_TEXT_BYTES_MAX: usize = 512;

/// XEP-0377 §6: for the operator to read. Whatever a report looks like, the blocking goes on.
fn log_reports(account: &Account, block: &Element) {
    let reported = block.child_elements().filter_map(|item| Some((item, item.find("report", ns::REPORTING)?)));
    for (item, report) in reported.take(REPORTS_MAX) {
        let text = report.find("text", ns::REPORTING).map(Element::text_content).unwrap_or_default();
        let ids = report.child_elements().filter(|child| child.is("stanza-id", ns::SID));
        let ids: Vec<&str> = ids.filter_map(|id| id.get_attr("id")).take(REPORTS_MAX).collect();
        tracing::warn!(
            by = %account.jid,
            about = ?item.get_attr("jid").unwrap_or_default(),
            reason = ?report.get_attr("reason").unwrap_or_default(),
            text = ?shortened(&text),
            messages = ?ids,
            "a user reports somebody"
        );
    }
}

fn shortened(text: &str) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    &text[..ends.take_while(|&end| end <= REPORT_TEXT_BYTES_MAX).last().unwrap_or(0)]
}
