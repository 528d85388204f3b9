//! Publish-subscribe: nodes of accounts (XEP-0163) and of the service `pubsub.<domain>` (XEP-0060), one engine for both.
//!
//! What other extensions use of it is here: they publish, retract and look at nodes without being clients.

mod affiliations;
mod approval;
mod asker;
mod discovery;
mod error;
mod features;
mod iq;
mod items;
mod last;
mod nodes;
mod notify;
mod publish;
mod subscribe;

use super::disco;
use crate::account::resource::Resource;
use crate::account::{Account, AccountState, Parcel};
use crate::clock;
use crate::core::Core;
use crate::extension::registry::Identity;
use crate::extension::{About, Addressee, Declare, Extension, Received};
use crate::pubsub::{Item, Node, Owner};
use crate::router::bounce::refused;
use crate::storage::{ItemQuery, PageFrom};
use asker::Asker;
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::Element;

pub use last::send_last_items;
pub use notify::recipients;

/// The service, and what it has in common with accounts.
pub struct PublishSubscribe;

/// What stands in front of the domain in the address of the service.
pub const SERVICE: &str = "pubsub";

impl Extension for PublishSubscribe {
    fn about(&self) -> About {
        About::new("XEP-0060", "Publish-Subscribe", "1.30.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let identity = Identity { category: "pubsub", kind: "service", name: "Publish-Subscribe" };
        d.service(SERVICE, Some(identity), [ns::PUBSUB])
            .service(SERVICE, None, features::COMMON)
            .service(SERVICE, None, features::SERVICE)
            .service_messages(SERVICE, Box::new(service_message))
            .receive(Box::new(receive))
            .disco(Box::new(|ask| Box::pin(discovery::answer(ask))));
        disco::serve(d, SERVICE);
        for addressee in [Addressee::OwnAccount, Addressee::OtherAccount, Addressee::Service(SERVICE)] {
            for payload in [("pubsub", ns::PUBSUB), ("pubsub", ns::PUBSUB_OWNER)] {
                d.iq(addressee, IqType::Get, payload, iq::handle).iq(addressee, IqType::Set, payload, iq::handle);
            }
        }
    }
}

/// Accounts as services.
pub struct PersonalEventing;

impl Extension for PersonalEventing {
    fn about(&self) -> About {
        About::new("XEP-0163", "Personal Eventing Protocol", "1.2.2")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.registered_identity(Identity { category: "pubsub", kind: "pep", name: "" }).registered_feature(ns::PUBSUB);
        for feature in features::COMMON.into_iter().chain(features::ACCOUNT) {
            d.registered_feature(feature);
        }
    }
}

/// Persistent public data.
pub struct PublicData;

impl Extension for PublicData {
    fn about(&self) -> About {
        About::new("XEP-0222", "Persistent Storage of Public Data via PubSub", "1.0")
    }

    /// §5: who looks at the server finds there what its accounts can.
    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_identity(Identity { category: "pubsub", kind: "pep", name: "" }).server_feature(PUBLISH_OPTIONS);
    }
}

/// Persistent private data.
pub struct PrivateData;

impl Extension for PrivateData {
    fn about(&self) -> About {
        About::new("XEP-0223", "Persistent Storage of Private Data via PubSub", "1.1.1")
    }

    /// §5, as for public data.
    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(PUBLISH_OPTIONS);
    }
}

const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";

/// Messages to the service: answers of owners. Errors come back from those who were notified.
fn service_message(core: &Arc<Core>, parcel: &Parcel) -> bool {
    let stanza = &parcel.stanza;
    match stanza.to() {
        Some(to) if !stanza.is_error() => approval::take(core, Owner::Service(to.clone()), parcel),
        _ => true,
    }
}

/// Stage Receive: the same for an account, to which other messages go as well.
fn receive(core: &Arc<Core>, account: &Arc<Account>, _: &mut AccountState, parcel: &mut Parcel) -> Received {
    let to_account = parcel.stanza.to().is_some_and(Jid::is_bare);
    if to_account && approval::take(core, Owner::Account(account.clone()), parcel) {
        return Received::Dropped("an answer about a subscription");
    }
    Received::Pass
}

/// Something to publish.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    /// The NodeID.
    pub node: String,
    /// The ItemID; one is made if there is none.
    pub id: Option<String>,
    /// One element as XML that stands alone (see [`standalone`]); `None`: an empty item.
    pub payload: Option<String>,
    /// What the node has to be like, or becomes if it has to be made (§7.1.5).
    pub options: Option<DataForm>,
    /// There is not even an empty item, only an event.
    pub without_item: bool,
    /// An extension of ours publishes, not a client: it may whatever the owner may, and `NodeEvent::internal` is set.
    pub internal: bool,
}

/// Who gets a notification.
pub enum Recipient {
    /// A resource.
    Resource(Arc<Resource>),
    /// An address, local or not.
    Address(Jid),
}

/// An element as text that can stand anywhere: as the payload of an item is stored.
pub fn standalone(element: &Element) -> String {
    // No namespace has this name: every element declares its own.
    element.to_xml("\u{1}")
}

/// Publishes, as `from`; the ItemID, once it is durable and everybody is notified. Not from within a node's turn.
pub async fn publish(core: &Arc<Core>, owner: &Owner, from: &Jid, wish: Publish) -> Result<String, StanzaError> {
    let _turn = core.nodes.turn(owner, &wish.node).await;
    publish::publish(Asker { core, owner, from, internal: wish.internal }, wish).await
}

/// Removes an item, as `from`; `item-not-found` if there is none. Subscribers are told if `notify` or the node say so.
/// Not from within a node's turn.
pub async fn retract(
    core: &Arc<Core>,
    owner: &Owner,
    from: &Jid,
    (node, id): (&str, &str),
    notify: bool,
    internal: bool,
) -> Result<(), StanzaError> {
    let _turn = core.nodes.turn(owner, node).await;
    publish::retract(Asker { core, owner, from, internal }, node, id, notify).await
}

/// Deletes a node and tells its subscribers. Not from within a node's turn.
pub async fn delete(core: &Arc<Core>, owner: &Owner, node: &str) -> Result<(), StanzaError> {
    let _turn = core.nodes.turn(owner, node).await;
    nodes::delete(Asker { core, owner, from: owner.jid(), internal: true }, node, None).await
}

/// A node, if there is one.
pub async fn node(core: &Arc<Core>, owner: &Owner, name: &str) -> Result<Option<Arc<Node>>, StanzaError> {
    let weight_max = core.config().limits.pubsub_cached_max;
    core.nodes.get(&core.storage, owner, name, weight_max).await.map_err(refused("pubsub"))
}

/// The newest item of a node, whoever asks.
pub async fn last_item(core: &Arc<Core>, owner: &Owner, name: &str) -> Result<Option<Item>, StanzaError> {
    Ok(all_items(core, owner, name, 1).await?.pop())
}

/// All items of a node, the oldest first, whoever asks; at most `items_max`, the newest of them.
pub async fn all_items(core: &Arc<Core>, owner: &Owner, name: &str, items_max: u32) -> Result<Vec<Item>, StanzaError> {
    match node(core, owner, name).await? {
        Some(node) => newest(core, &node, items_max).await,
        None => Ok(Vec::new()),
    }
}

/// The newest items of a node, the oldest of these first.
async fn newest(core: &Core, node: &Node, items_max: u32) -> Result<Vec<Item>, StanzaError> {
    if !node.config.persist_items {
        return Ok(Vec::new());
    }
    let query = ItemQuery { after: None, before: None, from: PageFrom::Newest, items_max, bytes_max: u64::MAX };
    let page = core.storage.pubsub_items(node.id, clock::now_micros(), &query).await.map_err(refused("pubsub"))?;
    Ok(page.map(|page| page.items).unwrap_or_default())
}

/// An id nobody can guess or has used.
fn random_id() -> Result<String, StanzaError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| error::no_room("no random numbers"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
