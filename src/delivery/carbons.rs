//! XEP-0280: copies of what an account's resources send and receive, for those of its resources that want them.
//!
//! A copy is made once, shared, and addressed to each of them. Copies of what was received are on a par with the message
//! itself: who sent it is acknowledged when all are written, and it goes another way only if none was. A copy of what is
//! in the store, or of what its user sends, is an extra that goes with its session. For a client without a connection copies
//! are noted with what it was sent before.

use super::message::{is_fleeting, ordered};
use crate::account::resource::{Bound, Resource, Taker};
use crate::account::{Account, AccountState, Parcel};
use crate::clock;
use crate::hold::{Cause, Hold};
use crate::outbox::{Copies, Item};
use smallvec::SmallVec;
use std::sync::Arc;
use xep_support::formats::{delay, stanza_id};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{Facts, MessageType, Stanza};
use xep_support::xml::Element;

/// Which way a message goes, as its copies tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the account.
    Sent,
    /// To the account.
    Received,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }
}

/// §6.1: "payload elements typically used in IM", those of newer documents included, and direct invitations.
const INSTANT_MESSAGING: [Facts; 11] = [
    Facts::RECEIPT,
    Facts::RECEIPT_REQUEST,
    Facts::CHAT_STATE,
    Facts::MARKER,
    Facts::MARKABLE,
    Facts::ENCRYPTED,
    Facts::CORRECTION,
    Facts::RETRACTION,
    Facts::REACTIONS,
    Facts::JINGLE_MESSAGE,
    Facts::CONFERENCE,
];

/// §6.1: is it copied at all? An error does not always say what it answers. One that does not is copied; our own are
/// judged by the message ([`Parcel::uncopied`]).
pub fn is_eligible(stanza: &Stanza, way: Way) -> bool {
    let facts = stanza.facts();
    // §9, XEP-0334 §4.3.
    if facts.intersects(Facts::CARBON_PRIVATE | Facts::NO_COPY) {
        return false;
    }
    let typical = || INSTANT_MESSAGING.iter().any(|fact| facts.contains(*fact));
    let kind = stanza.message_type();
    match kind {
        MessageType::Groupchat => false,
        MessageType::Error => !facts.contains(Facts::PUBSUB_EVENT),
        _ if facts.contains(Facts::MUC_USER) && is_invitation(stanza) => true,
        // The room itself sends it to every client that is in it.
        _ if facts.contains(Facts::MUC_USER) && way == Way::Received && is_from_resource(stanza) => false,
        MessageType::Chat => true,
        MessageType::Normal => facts.contains(Facts::BODY) || typical(),
        MessageType::Headline => typical(),
    }
}

fn is_from_resource(stanza: &Stanza) -> bool {
    stanza.from().is_some_and(|from| from.resource().is_some())
}

/// A mediated invitation to a room, or the answer to one (XEP-0045 §7.8.2).
fn is_invitation(stanza: &Stanza) -> bool {
    let invites = |x: &Element| ["invite", "decline"].iter().any(|name| x.find(name, ns::MUC_USER).is_some());
    stanza.child("x", ns::MUC_USER).is_some_and(|x| invites(&x))
}

/// Copies to be sent if the message is not refused.
pub struct Due {
    account: BareJid,
    stanza: Arc<Stanza>,
    extra: Option<Arc<str>>,
    to: SmallVec<[Taker; 4]>,
    cause: Option<Cause>,
}

/// §7: copies of what an account is about to get, for each resource that wants them and does not get the message itself.
pub fn due(account: &Account, state: &AccountState, parcel: &Parcel, gets: impl Fn(&Bound) -> bool) -> Option<Due> {
    let stanza = &parcel.stanza;
    let is_sender = |b: &Bound| stanza.from().is_some_and(|from| from == b.resource.jid.as_jid());
    let wanted = |b: &&Bound| b.carbons && !gets(b) && !is_sender(b);
    let mut to = state.resources.iter().filter(wanted).map(Taker::of).peekable();
    to.peek()?;
    if parcel.uncopied || !is_eligible(stanza, Way::Received) || is_error_to_account(stanza) {
        return None;
    }
    let (account, stanza, extra) = (account.jid.clone(), stanza.clone(), parcel.extra.clone());
    Some(Due { account, stanza, extra, to: to.collect(), cause: cause(parcel) })
}

/// §10.3: what comes back to the bare JID may be the error of a copy.
fn is_error_to_account(stanza: &Stanza) -> bool {
    let to_account = |to: &Jid| to.resource().is_none() || stanza.from().is_some_and(|f| f.bare_str() == to.bare_str());
    stanza.is_error() && stanza.to().is_none_or(to_account)
}

/// Sends copies of a message that the store has, unless it was refused.
pub fn send_unless_refused(due: Option<Due>, refused: Option<(Parcel, StanzaError)>) -> Option<(Parcel, StanzaError)> {
    if refused.is_none() {
        due.into_iter().for_each(|due| due.send(None));
    }
    refused
}

impl Due {
    /// Sends them. Those that are to know of each other and of the original are given `copies`.
    pub fn send(self, copies: Option<&Arc<Copies>>) {
        let extra = self.extra.as_deref().unwrap_or_default();
        push(&self.account, Way::Received, (&self.stanza, self.cause), extra, self.to, copies);
    }
}

/// §8: copies of what a client sends, for the account's other resources. What goes to the account itself is copied when it
/// is received.
pub fn copy_sent(account: &Account, state: &AccountState, sender: &Resource, parcel: &Parcel) {
    let stanza = &parcel.stanza;
    let wanted = |b: &&Bound| b.carbons && !std::ptr::eq(&*b.resource, sender);
    let mut to = state.resources.iter().filter(wanted).map(Taker::of).peekable();
    let own = || stanza.to().is_none_or(|to| to.bare_str() == account.jid.as_str());
    if to.peek().is_none() || own() || !is_eligible(stanza, Way::Sent) {
        return;
    }
    let mut extra = String::new();
    if let Some(id) = parcel.archived_as {
        stanza_id::write(&mut extra, account.jid.as_str(), id);
    }
    push(&account.jid, Way::Sent, (stanza, cause(parcel)), &extra, to, None);
}

fn cause(parcel: &Parcel) -> Option<Cause> {
    parcel.hold.as_ref().and_then(Hold::cause)
}

fn push(
    account: &BareJid,
    way: Way,
    (stanza, cause): (&Stanza, Option<Cause>),
    extra: &str,
    to: impl IntoIterator<Item = Taker>,
    copies: Option<&Arc<Copies>>,
) {
    let carbon = Arc::new(Stanza::forwarding(stanza, account.as_jid(), (way.name(), ns::CARBONS), extra));
    let lasts = ordered(stanza.message_type()) && !is_fleeting(stanza);
    for taker in to {
        let mut item = match copies.filter(|_| lasts || !taker.detached) {
            Some(copies) => Item::copy(carbon.clone(), copies.clone()),
            None => Item::plain(carbon.clone()),
        };
        item.to = Some(taker.resource.jid.as_jid().clone());
        if !taker.detached {
            let _ = taker.resource.outbox.push(item);
            continue;
        }
        // It may be a while until the client sees it.
        let mut stamp = String::with_capacity(128);
        delay::write(&mut stamp, Some(account.as_str()), clock::now_micros());
        item.extra = Some(stamp.into());
        if !lasts {
            let _ = taker.resource.outbox.push(item);
        } else if !cause.is_some_and(|cause| copies.is_none() && taker.had_copy(stanza, cause)) {
            taker.misses(item);
        }
    }
}

/// The message a copy was made of. To be asked when nobody else has it.
pub fn original(carbon: &Stanza) -> Option<Stanza> {
    carbon.facts().contains(Facts::CARBON).then(|| carbon.forwarded())?
}
