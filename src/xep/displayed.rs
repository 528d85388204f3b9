//! XEP-0490: how far a chat was read, for all devices of a user. Clients publish it themselves, or let it travel in a
//! marker they send anyway: then it is taken out of the message and published for them.

use crate::account::resource::Client;
use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use crate::hold::Hold;
use crate::pubsub::Owner;
use crate::xep::pubsub::{Publish, node, publish, standalone};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::Element;

/// The node and the namespace (§4.1).
const DISPLAYED: &str = "urn:xmpp:mds:displayed:0";

/// Feature: the server takes it from messages (§4.5.2).
const SERVER_ASSIST: &str = "urn:xmpp:mds:server-assist:0";

/// What is on its way to a node: the account and the chat, and what came since for the same. One after the other, so that
/// the last one stays.
type Underway = Mutex<HashMap<(BareJid, String), Option<Displayed>>>;

/// `<displayed/>` with the obligation to keep it.
struct Displayed {
    client: Client,
    element: Element,
    /// What the client sends next is acknowledged when this is durable too.
    holds: Vec<Hold>,
}

/// Message displayed synchronization.
#[derive(Default)]
pub struct DisplayedSync {
    underway: Arc<Underway>,
}

impl Extension for DisplayedSync {
    fn about(&self) -> About {
        About::new("XEP-0490", "Message Displayed Synchronization", "1.0.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.registered_feature(SERVER_ASSIST);
        d.sent(Box::new(move |core, client, _, parcel| {
            if let Some(element) = parcel.stanza.child("displayed", DISPLAYED) {
                assist(core, &self.underway, client, element, Arc::make_mut(&mut parcel.stanza));
            }
            Ok(())
        }));
    }
}

/// Stage Sent, before anybody keeps or copies the message (§5.2).
fn assist(core: &Arc<Core>, underway: &Arc<Underway>, client: &Client, element: Element, stanza: &mut Stanza) {
    stanza.retain_children(|child| !child.is("displayed", DISPLAYED));
    let Some(chat) = stanza.to().map(|to| to.as_str().to_owned()) else { return };
    if client.account.id.is_none() {
        return;
    }
    let key = (client.account.jid.clone(), chat);
    let mut new = Displayed { client: client.clone(), element, holds: vec![client.pending.hold()] };
    match lock(underway).entry(key.clone()) {
        Entry::Vacant(place) => drop(place.insert(None)),
        Entry::Occupied(mut place) => {
            // What has not been begun need not be done: the later one says more.
            new.holds.extend(place.get_mut().take().into_iter().flat_map(|old| old.holds));
            place.insert(Some(new));
            return;
        }
    }
    let (core, underway) = (core.clone(), underway.clone());
    core.work.clone().spawn(async move {
        let mut next = Some(new);
        while let Some(Displayed { client, element, holds }) = next.take() {
            if let Err(error) = keep(&core, &client, &key.1, &element).await {
                tracing::info!(account = %key.0, reason = error.condition.as_str(), "displayed state not kept");
            }
            drop(holds);
            let mut underway = lock(&underway);
            next = underway.get_mut(&key).and_then(Option::take);
            if next.is_none() {
                underway.remove(&key);
            }
        }
    });
}

fn lock(underway: &Underway) -> MutexGuard<'_, HashMap<(BareJid, String), Option<Displayed>>> {
    underway.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keep(core: &Arc<Core>, client: &Client, chat: &str, displayed: &Element) -> Result<(), StanzaError> {
    let owner = Owner::Account(client.account.clone());
    // A node that is there is the client's affair (§5.2 speaks of one that has to be made).
    let is_there = node(core, &owner, DISPLAYED).await?.is_some();
    let wish = Publish {
        node: DISPLAYED.to_owned(),
        id: Some(chat.to_owned()),
        payload: Some(standalone(displayed)),
        options: (!is_there).then(options),
        internal: true,
        ..Publish::default()
    };
    publish(core, &owner, client.jid().as_jid(), wish).await.map(|_| ())
}

/// §4.2.
fn options() -> DataForm {
    let field = |var, value| Field::new(var, FieldType::TextSingle).value(value);
    DataForm::new(FormType::Submit)
        .with_form_type(ns::PUBSUB_PUBLISH_OPTIONS)
        .field(field("pubsub#persist_items", "true"))
        .field(field("pubsub#max_items", "max"))
        .field(field("pubsub#send_last_published_item", "never"))
        .field(field("pubsub#access_model", "whitelist"))
}
