//! How an extension says what it is and what it does: one `declare`, from which the IQ table, the stages and service
//! discovery follow. Registration is data; at run time it is one look-up and a few calls.

pub mod commands;
pub mod registry;

use crate::account::joined::Joined;
use crate::account::resource::Client;
use crate::account::{Account, Parcel};
use crate::core::Core;
use crate::pubsub::{NodeEvent, Owner};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use xep_support::formats::rsm;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::error::StanzaError;
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

pub use registry::{Declare, Registry};

/// A protocol extension, or a part of the core that is declared like one.
pub trait Extension: Send + Sync + 'static {
    /// Number and name, for lists.
    fn about(&self) -> About;
    /// Everything it takes part in. What is a part of the stream, or is found in what rooms tell, has nothing to declare.
    fn declare(self: Arc<Self>, _: &mut Declare<'_>) {}
}

/// What an extension implements.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// `RFC 6121` or `XEP-0199`.
    pub id: &'static str,
    /// Its title.
    pub name: &'static str,
    /// The version of the document we follow; empty for RFCs.
    pub version: &'static str,
}

impl About {
    /// An XEP at the version we follow.
    pub const fn new(id: &'static str, name: &'static str, version: &'static str) -> Self {
        Self { id, name, version }
    }
}

/// To whom an IQ request goes that the server answers (RFC 6120 §10.3, 6121 §8.5.2.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Addressee {
    /// A served domain.
    Server,
    /// The sender's own account: no `to`, or its bare JID.
    OwnAccount,
    /// Another local account, whether it exists or not.
    OtherAccount,
    /// A service of a served domain, by its prefix ([`Declare::service`]).
    Service(&'static str),
    /// Something at such a service: an address with a localpart and without a resource.
    Within(&'static str),
}

/// An IQ request to be answered by us.
pub struct IqCall<'a> {
    /// The server.
    pub core: &'a Arc<Core>,
    /// Who asks.
    pub client: &'a Client,
    /// Get or set; nothing else gets here.
    pub kind: IqType,
    /// Whom it is for.
    pub addressee: Addressee,
    /// The domain or account asked; the own account where there was no `to`.
    pub to: &'a Jid,
    /// The one child of the request.
    pub payload: Element,
    /// The request as it came.
    pub request: &'a Arc<Stanza>,
}

/// What an IQ request is answered with: the payload of the result, or an error.
pub type IqResult = Result<Option<Element>, StanzaError>;

/// A future that owns everything it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The answer to an IQ request. Exactly one goes out.
pub enum Answer {
    /// Known at once.
    Now(IqResult),
    /// Needs storage. The asking session reads nothing further until it is there.
    Later(BoxFuture<IqResult>),
    /// The handler has put the answer into the outbox itself, where its place among other stanzas matters.
    Sent,
    /// The same, after something to wait for.
    SentLater(BoxFuture<()>),
}

impl Answer {
    /// An empty result.
    pub fn ok() -> Self {
        Self::Now(Ok(None))
    }

    /// A result with a payload.
    pub fn with(payload: Element) -> Self {
        Self::Now(Ok(Some(payload)))
    }

    /// An error.
    pub fn error(error: StanzaError) -> Self {
        Self::Now(Err(error))
    }

    /// An answer to wait for.
    pub fn later(future: impl Future<Output = IqResult> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

/// A handler of IQ requests.
pub type IqHandler = Box<dyn Fn(IqCall<'_>) -> Answer + Send + Sync>;

/// What a hook of stage Undelivered decided about a message nobody can take now.
pub enum Undelivered {
    /// It is taken care of.
    Kept,
    /// Nothing for this hook; the next one is asked, and at the end the sender gets an error.
    Pass(Parcel),
    /// It must not be kept and needs no error (a chat state, say). The reason is for the log.
    Dropped(&'static str),
    /// The sender gets this error.
    Refused(Parcel, StanzaError),
}

/// Stage Submit: a message of a local client before anything else. May take children out of it, or refuse it.
pub type SubmitHook = Box<dyn Fn(&Core, &Client, &mut Stanza) -> Result<(), StanzaError> + Send + Sync>;

/// Stage Sent: a message of a local client that is about to go its way, under the sender's account lock; `from` is
/// stamped. May copy it, or refuse it; must not wait.
pub type SentHook = Box<
    dyn Fn(&Arc<Core>, &Client, &mut crate::account::AccountState, &mut Parcel) -> Result<(), StanzaError>
        + Send
        + Sync,
>;

/// What a hook of stage Receive decided about a message for a local account.
pub enum Received {
    /// It may go on.
    Pass,
    /// It may go on, and something is to be done if nothing refuses it later.
    Accepted(Box<dyn FnOnce() + Send>),
    /// The sender gets this error.
    Refused(StanzaError),
    /// It goes no further, and its sender is not told.
    Dropped(&'static str),
}

/// Stage Receive: a message that a local account is about to get, or that will be kept for it; under the account's lock;
/// must not wait. May add XML for this account's resources ([`Parcel::add`]).
pub type ReceiveHook =
    Box<dyn Fn(&Arc<Core>, &Arc<Account>, &mut crate::account::AccountState, &mut Parcel) -> Received + Send + Sync>;

/// Stage Undelivered: called under the account's lock, so that the order of messages is kept; must not wait.
pub type UndeliveredHook =
    Box<dyn Fn(&Arc<Core>, &Arc<Account>, &mut crate::account::AccountState, Parcel) -> Undelivered + Send + Sync>;

/// Something has happened at a node (XEP-0060): durable, notified, not yet acknowledged. In the node's turn, so events of a
/// node come in their order; must not wait. What a hook sets going reads the node again rather than trusting that nothing
/// newer has happened.
pub type NodeHook = Box<dyn Fn(&Arc<Core>, &NodeEvent<'_>) + Send + Sync>;

/// A message to a service itself. `true`: it is taken care of.
pub type ServiceHook = Box<dyn Fn(&Arc<Core>, &Parcel) -> bool + Send + Sync>;

/// Messages to what is at a service, and IQ stanzas with a resource there: requests, and answers to what was passed on.
pub type WithinHook = Box<dyn Fn(&Arc<Core>, Parcel) + Send + Sync>;

/// Presence of a client for a service or for something there, available or not; `from` is stamped.
/// The client is not read further until the future is done, if there is one.
pub type ServicePresenceHook = Box<dyn Fn(&Arc<Core>, &Client, Stanza) -> Option<BoxFuture<()>> + Send + Sync>;

/// Stage Left: a session has become unavailable to all, or is over. It comes with the rooms it was in, if it was in any,
/// and its farewell.
pub type LeftHook = Box<dyn Fn(&Arc<Core>, &Client, &Joined, &Arc<Stanza>) + Send + Sync>;

/// What is asked in service discovery (XEP-0030).
pub struct DiscoAsk {
    /// The server.
    pub core: Arc<Core>,
    /// The account or service that is asked. An account that is not there is asked in vain.
    pub owner: Owner,
    /// Who asks.
    pub asker: Jid,
    /// About which node; `None`: about the entity itself.
    pub node: Option<String>,
    /// Its items, rather than information.
    pub items: bool,
    /// Which page of the items (XEP-0059).
    pub page: rsm::Request,
}

/// Adds to what an account or service shows in service discovery: children for the answer. `None`: there is nothing of
/// that name, or the asker may not see it.
pub type DiscoHook = Box<dyn Fn(Arc<DiscoAsk>) -> BoxFuture<Result<Option<Vec<Element>>, StanzaError>> + Send + Sync>;
/// Switches something on for a session that is just being bound (XEP-0386 §3.2). What it answers goes into `<bound/>`.
pub type InlineHook = Box<dyn Fn(&Arc<Core>, &Client, &Element) -> Option<Element> + Send + Sync>;

/// Where a message is that an account got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival<'a> {
    /// It is kept: no resource can take it now.
    Kept,
    /// Resources that are connected have it.
    Delivered,
    /// It waits for the resource of this name, which has lost its connection (XEP-0198).
    Waits(&'a str),
}

/// Stage Arrived: a message came to rest, for an account with devices that may have to be told
/// ([`AccountState::push`](crate::account::AccountState::push)); under its lock; must not wait.
pub type ArrivedHook =
    Box<dyn Fn(&Arc<Core>, &Arc<Account>, &mut crate::account::AccountState, &Stanza, Arrival<'_>) + Send + Sync>;

/// Stage Presence: available presence of a local client before it goes anywhere, to all or to somebody. May add XML, or
/// take it out.
pub type PresenceHook = Box<dyn Fn(&Core, &Client, &mut Stanza) + Send + Sync>;

/// Stage Shown: a contact, the second one, was allowed to see the presence of an account and has been shown it.
pub type ShownHook = Box<dyn Fn(&Arc<Core>, &Account, &BareJid) + Send + Sync>;

/// Stage Broadcast: the available presence of a local client has gone to its contacts. It comes with the one before it,
/// if the client was available already; nobody's lock is held.
pub type BroadcastHook = Box<dyn Fn(&Arc<Core>, &Client, Option<&Stanza>, &Arc<Stanza>) + Send + Sync>;

/// Stages Available and Unavailable: a resource came (with its first available presence) or went.
pub type ResourceHook = Box<dyn Fn(&Arc<Core>, &Client, &Stanza) + Send + Sync>;
