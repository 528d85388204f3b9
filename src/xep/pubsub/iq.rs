//! Requests (XEP-0060 §6 to §8): which one it is, who asks whom, and the answer. What changes a node is done to its end, in
//! the node's turn, whatever becomes of the session that asked for it.

use super::asker::Asker;
use super::subscribe::Then;
use super::{Publish, affiliations, error, items, nodes, publish, standalone, subscribe};
use crate::account::resource::Client;
use crate::account::roster::Roster;
use crate::account::{Account, OfflineState};
use crate::core::Core;
use crate::extension::{Addressee, Answer, IqCall};
use crate::im::to_the_end;
use crate::pubsub::Owner;
use crate::router;
use crate::router::bounce::refused;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// What a request that could be fulfilled is answered with.
enum Done {
    Empty,
    Element(Element),
    /// Printed already.
    Text(String),
    /// Fulfilled but for this (§8.8.2.4, §8.9.2.4).
    Except(Element),
}

type Outcome = Result<Done, StanzaError>;

/// Whose nodes, as it was addressed.
enum Address {
    Here(Owner),
    Account(Jid),
}

/// Handles all of them.
pub(super) fn handle(call: IqCall<'_>) -> Answer {
    let address = match call.addressee {
        Addressee::OwnAccount => Address::Here(Owner::Account(call.client.account.clone())),
        Addressee::OtherAccount => Address::Account(call.to.clone()),
        Addressee::Server | Addressee::Service(_) | Addressee::Within(_) => {
            Address::Here(Owner::Service(call.to.clone()))
        }
    };
    let (core, client, request) = (call.core.clone(), call.client.clone(), call.request.clone());
    let (kind, payload) = (call.kind, call.payload);
    let work = async move {
        let from = client.jid().as_jid().clone();
        let owner = match address {
            Address::Here(owner) => Ok(owner),
            Address::Account(jid) => account(&core, &jid).await,
        };
        match owner {
            Err(error) => reply(&core, &client, &request, Err(error)),
            Ok(owner) => {
                let asker = Asker { core: &core, owner: &owner, from: &from, internal: false };
                match kind {
                    IqType::Set => change(asker, &payload, |outcome| reply(&core, &client, &request, outcome)).await,
                    _ => reply(&core, &client, &request, look(asker, &payload).await),
                }
            }
        }
    };
    if kind != IqType::Set {
        return Answer::SentLater(Box::pin(work));
    }
    let (core, client, request) = (call.core.clone(), call.client.clone(), call.request.clone());
    let work = to_the_end(call.core, work);
    Answer::SentLater(Box::pin(async move {
        if work.await.is_none() {
            reply(&core, &client, &request, Err(StanzaError::new(Condition::InternalServerError)));
        }
    }))
}

/// The nodes of somebody else. One that does not exist has none, so that nobody learns who exists.
async fn account(core: &Arc<Core>, jid: &Jid) -> Result<Owner, StanzaError> {
    let jid = jid.bare();
    let account = router::load(core, &jid).await.map_err(refused("pubsub"))?;
    let nobody = || Arc::new(Account::new(jid, None, Roster::default(), OfflineState::default(), 0));
    Ok(Owner::Account(account.unwrap_or_else(nobody)))
}

fn reply(core: &Core, client: &Client, request: &Stanza, outcome: Outcome) {
    let answer = match outcome {
        Ok(Done::Empty) => Some(Stanza::iq_result(request, None)),
        Ok(Done::Element(element)) => Some(Stanza::iq_result(request, Some(element))),
        Ok(Done::Text(text)) => Some(Stanza::iq_result_around(request, &text)),
        Ok(Done::Except(element)) => {
            core.counters.stanza_error(Condition::NotAcceptable);
            request.error_reply_with(element, &StanzaError::new(Condition::NotAcceptable))
        }
        Err(error) => {
            tracing::debug!(id = request.id().as_deref(), reason = error.condition.as_str(), "request refused");
            return core.refuse(client, request, &error);
        }
    };
    if let Some(answer) = answer {
        client.send(answer);
    }
}

/// The child that says what is asked for.
fn action<'a>(payload: &'a Element, known: &[&str]) -> Result<&'a Element, StanzaError> {
    let named = |child: &&Element| child.ns() == payload.ns() && known.contains(&child.name());
    payload.child_elements().find(named).ok_or_else(|| error::bad("nothing that is known is asked for"))
}

fn node_of(action: &Element) -> Result<&str, StanzaError> {
    action.get_attr("node").filter(|node| !node.is_empty()).ok_or_else(error::node_required)
}

/// Requests that change nothing.
async fn look(asker: Asker<'_>, payload: &Element) -> Outcome {
    if payload.ns() == ns::PUBSUB_OWNER {
        let action = action(payload, &["configure", "default", "subscriptions", "affiliations"])?;
        let element = match action.name() {
            "configure" => nodes::configuration(asker, node_of(action)?).await?,
            "default" if action.get_attr("type").is_none_or(|kind| kind == "leaf") => {
                nodes::default_configuration(asker)?
            }
            "default" => return Err(error::unsupported("collections")),
            "subscriptions" => subscribe::of_node(asker, node_of(action)?).await?,
            _ => affiliations::of_node(asker, node_of(action)?).await?,
        };
        return Ok(Done::Element(element));
    }
    let action = action(payload, &["items", "subscriptions", "affiliations", "options", "default"])?;
    match action.name() {
        "items" => items::retrieve(asker, payload, action).await.map(Done::Text),
        "subscriptions" => subscribe::of_asker(asker, action.get_attr("node")).await.map(Done::Element),
        "affiliations" => affiliations::of_asker(asker, action.get_attr("node")).await.map(Done::Element),
        // §6.3.4.6, §6.4.3.2.
        "options" => Err(error::unsupported("subscription-options")),
        _ => Err(error::unsupported("retrieve-default-sub")),
    }
}

/// Requests that change something. The answer is on its way before what follows from it.
async fn change(asker: Asker<'_>, payload: &Element, answer: impl FnOnce(Outcome)) {
    let prepared = prepare(payload);
    let (action, name) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return answer(Err(error)),
    };
    let _turn = asker.core.nodes.turn(asker.owner, &name).await;
    match in_turn(asker, payload, action, &name).await {
        Err(error) => answer(Err(error)),
        Ok((done, then)) => {
            answer(Ok(done));
            if let Some((node, jid)) = then {
                subscribe::send_last(asker, &node, &jid).await;
            }
        }
    }
}

/// What is asked for, and at which node.
fn prepare(payload: &Element) -> Result<(&Element, String), StanzaError> {
    let known: &[&str] = if payload.ns() == ns::PUBSUB_OWNER {
        &["configure", "delete", "purge", "subscriptions", "affiliations"]
    } else {
        &["publish", "retract", "subscribe", "unsubscribe", "create", "options"]
    };
    let action = action(payload, known)?;
    let name = match (action.name(), action.get_attr("node").filter(|node| !node.is_empty())) {
        ("options", _) => return Err(error::unsupported("subscription-options")),
        // §8.1.1: an instant node.
        ("create", None) => super::random_id()?,
        (_, name) => name.ok_or_else(error::node_required)?.to_owned(),
    };
    Ok((action, name))
}

async fn in_turn(
    asker: Asker<'_>,
    payload: &Element,
    action: &Element,
    name: &str,
) -> Result<(Done, Then), StanzaError> {
    if payload.ns() == ns::PUBSUB_OWNER {
        return own(asker, action, name).await.map(|done| (done, None));
    }
    let done = match action.name() {
        "publish" => publish_item(asker, payload, action, name).await?,
        "retract" => retract(asker, action, name).await?,
        "subscribe" => {
            let (element, then) = subscribe::subscribe(asker, action, name).await?;
            return Ok((Done::Element(element), then));
        }
        "unsubscribe" => Done::Element(subscribe::unsubscribe(asker, action, name).await?),
        _ => create(asker, payload, action, name).await?,
    };
    Ok((done, None))
}

/// What only owners ask for (§8).
async fn own(asker: Asker<'_>, action: &Element, name: &str) -> Outcome {
    let except = |failed: Option<Element>| failed.map_or(Done::Empty, Done::Except);
    match action.name() {
        "configure" => {
            let form = config_form(action)?.ok_or_else(|| error::bad("there is no form"))?;
            nodes::configure(asker, name, &form).await.map(|()| Done::Empty)
        }
        "delete" => {
            let redirect = action.find("redirect", ns::PUBSUB_OWNER).and_then(|redirect| redirect.get_attr("uri"));
            nodes::delete(asker, name, redirect).await.map(|()| Done::Empty)
        }
        "purge" => publish::purge(asker, name).await.map(|()| Done::Empty),
        "subscriptions" => subscribe::modify(asker, action, name).await.map(except),
        _ => affiliations::modify(asker, action, name).await.map(except),
    }
}

/// The form in an element, if there is one. COMPAT: some clients leave `FORM_TYPE` out.
fn config_form(element: &Element) -> Result<Option<DataForm>, StanzaError> {
    let Some(form) = element.find("x", ns::DATA_FORM) else { return Ok(None) };
    let form = DataForm::from_element(form).map_err(|_| error::bad("a form without a type"))?;
    let fits = form.form_type().is_none_or(|of| of == ns::PUBSUB_NODE_CONFIG);
    if !fits || !matches!(form.kind, FormType::Submit | FormType::Cancel) {
        return Err(error::bad("not a submitted form of that type"));
    }
    Ok(Some(form))
}

/// §8.1.3: `<configure/>` follows `<create/>` and names no node.
async fn create(asker: Asker<'_>, payload: &Element, action: &Element, name: &str) -> Outcome {
    let configure = payload.find("configure", ns::PUBSUB);
    let first = payload.child_elements().find(|child| child.ns() == ns::PUBSUB).map(Element::name);
    if configure.is_some_and(|configure| configure.get_attr("node").is_some()) || first != Some("create") {
        return Err(error::bad("<configure/> must follow <create/> and name no node"));
    }
    let form = configure.map(config_form).transpose()?.flatten().filter(|form| form.kind == FormType::Submit);
    nodes::create(asker, name, form.as_ref()).await?;
    if action.get_attr("node") == Some(name) {
        return Ok(Done::Empty);
    }
    let create = Element::new("create", ns::PUBSUB).attr("node", name);
    Ok(Done::Element(Element::new("pubsub", ns::PUBSUB).child(create)))
}

/// §7.1. One item at most: batches are gone since version 1.13.
async fn publish_item(asker: Asker<'_>, payload: &Element, action: &Element, name: &str) -> Outcome {
    let mut given = action.child_elements().filter(|child| child.is("item", ns::PUBSUB));
    let item = given.next();
    if given.next().is_some() {
        return Err(error::bad("one item at a time"));
    }
    let mut inside = item.into_iter().flat_map(Element::child_elements);
    let content = inside.next();
    if inside.next().is_some() {
        return Err(error::invalid_payload());
    }
    let options = match payload.find("publish-options", ns::PUBSUB) {
        None => None,
        Some(options) => {
            let form = options.find("x", ns::DATA_FORM).and_then(|form| DataForm::from_element(form).ok());
            Some(form.ok_or_else(|| error::bad("publish-options without a form"))?)
        }
    };
    let id = item.and_then(|item| item.get_attr("id")).filter(|id| !id.is_empty());
    let wish = Publish {
        node: name.to_owned(),
        id: id.map(str::to_owned),
        payload: content.map(standalone),
        options,
        without_item: item.is_none(),
        internal: false,
    };
    let published = publish::publish(asker, wish).await?;
    // §7.1.2 asks for the id of what got one here. COMPAT: nbxmpp takes an answer without an item for malformed.
    let item = item.map(|_| Element::new("item", ns::PUBSUB).attr("id", published));
    let publish = Element::new("publish", ns::PUBSUB).attr("node", name).child_opt(item);
    Ok(Done::Element(Element::new("pubsub", ns::PUBSUB).child(publish)))
}

/// §7.2.
async fn retract(asker: Asker<'_>, action: &Element, name: &str) -> Outcome {
    let mut given = action.child_elements().filter(|child| child.is("item", ns::PUBSUB));
    let id = given.next().and_then(|item| item.get_attr("id")).ok_or_else(error::item_required)?;
    if given.next().is_some() {
        return Err(error::bad("one item at a time"));
    }
    let notify = matches!(action.get_attr("notify"), Some("1" | "true"));
    publish::retract(asker, name, id, notify).await.map(|()| Done::Empty)
}
