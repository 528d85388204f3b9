//! Subscriptions that an owner has to approve (XEP-0060 §8.6): the form that asks, and the one that answers.

use super::asker::Asker;
use super::{error, notify, subscribe};
use crate::account::Parcel;
use crate::core::Core;
use crate::im::to_the_end;
use crate::pubsub::{Affiliation, Node, Owner, SubscriptionState};
use crate::router;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

const NODE: &str = "pubsub#node";
const SUBSCRIBER: &str = "pubsub#subscriber_jid";
const ALLOW: &str = "pubsub#allow";

/// Asks all owners; the first answer counts. The messages wait for those who are not there.
pub(super) fn ask_owners(asker: Asker<'_>, node: &Node, subscriber: &Jid) {
    let own = asker.owner.account().map(|account| account.jid.as_jid());
    let owners = node.affiliated(Affiliation::Owner).map(|jid| jid.as_jid());
    for owner in own.into_iter().chain(owners) {
        let message = request(asker.owner, node, subscriber, owner);
        router::route(asker.core, Parcel::new(Arc::new(message), None));
    }
}

fn request(owner: &Owner, node: &Node, subscriber: &Jid, to: &Jid) -> Stanza {
    let form = DataForm::new(FormType::Form)
        .title("PubSub subscriber request")
        .instructions("Approve or deny this subscription. To decide later, cancel.")
        .with_form_type(ns::PUBSUB_SUBSCRIBE_AUTHORIZATION)
        .field(Field::new(NODE, FieldType::TextSingle).label("Node ID").value(&*node.name))
        .field(Field::new(SUBSCRIBER, FieldType::JidSingle).label("Subscriber address").value(subscriber.as_str()))
        .field(Field::new(ALLOW, FieldType::Boolean).label("Allow this JID to subscribe to this node?").value("0"));
    let body = format!("{subscriber} wants to subscribe to {}", node.name);
    let mut inside = Element::new("body", ns::CLIENT).text(body).to_xml(ns::CLIENT);
    form.to_element().write(&mut inside, ns::CLIENT);
    Stanza::message_with(MessageType::Normal, &notify::unique_id(), Some(owner.jid()), Some(to), &inside)
}

/// The answer in a message, if it is one.
fn answer_in(message: &Stanza) -> Option<DataForm> {
    if message.is_error() || !message.has_child("x", ns::DATA_FORM) {
        return None;
    }
    let form = DataForm::from_element(&message.child("x", ns::DATA_FORM)?).ok()?;
    let answers = matches!(form.kind, FormType::Submit | FormType::Cancel)
        && form.form_type() == Some(ns::PUBSUB_SUBSCRIBE_AUTHORIZATION);
    answers.then_some(form)
}

/// Takes a message that answers such a form. `false`: it is something else. Its sender is told what is wrong with it, and
/// acknowledged nothing before it is done.
pub(super) fn take(core: &Arc<Core>, owner: Owner, parcel: &Parcel) -> bool {
    let Some(form) = answer_in(&parcel.stanza) else { return false };
    let Some(from) = parcel.stanza.from().cloned() else { return true };
    let parcel = Parcel::new(parcel.stanza.clone(), parcel.hold.clone());
    let core_too = core.clone();
    let work = to_the_end(core, async move {
        if let Err(error) = decide(&core_too, &owner, &from, &form).await {
            router::bounce::bounce(&core_too, &parcel, error);
        }
    });
    // It runs by itself; the hold in the parcel is what somebody waits for.
    drop(work);
    true
}

async fn decide(core: &Arc<Core>, owner: &Owner, from: &Jid, form: &DataForm) -> Result<(), StanzaError> {
    // "the subscription request MUST remain in the pending state".
    if form.kind == FormType::Cancel {
        return Ok(());
    }
    let name = form.get(NODE).ok_or_else(error::node_required)?;
    let jid = form.get(SUBSCRIBER).and_then(|jid| Jid::parse(jid).ok()).ok_or_else(error::invalid_jid)?;
    let allow = form.get_bool(ALLOW).ok_or_else(|| error::bad("yes or no?"))?;
    let asker = Asker { core, owner, from, internal: false };
    let _turn = core.nodes.turn(owner, name).await;
    let node = asker.own_node(name).await?;
    if node.subscriptions.get(&jid) != Some(&SubscriptionState::Pending) {
        return Err(error::no_such_subscriber());
    }
    let state = allow.then_some(SubscriptionState::Subscribed);
    match state {
        Some(state) => subscribe::add(asker, &node, &jid, state).await?,
        None => subscribe::remove(asker, &node, std::slice::from_ref(&jid)).await?,
    }
    notify::tell_subscriber(core, owner, &node, &jid, state);
    if allow {
        subscribe::send_last(asker, &node, &jid).await;
    }
    Ok(())
}
