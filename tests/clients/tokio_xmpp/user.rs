//! Somebody with tokio-xmpp.

use crate::server::{DOMAIN, Door, PASSWORD};
use futures::StreamExt;
use sasl::common::Credentials;
use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;
use tokio_xmpp::connect::{DirectTlsServerConnector, DnsConfig, ServerConnector, StartTlsServerConnector};
use tokio_xmpp::xmlstream::Timeouts;
use tokio_xmpp::{Client, Error, Event, IqRequest, IqResponse, Stanza, client_login};
use xmpp_parsers::delay::Delay;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::message::{Lang, Message};
use xmpp_parsers::minidom::Element;
use xmpp_parsers::muc::Muc;
use xmpp_parsers::muc::user::{MucUser, Status};
use xmpp_parsers::presence::{Presence, Type};
use xmpp_parsers::roster::{Ask, Item, Roster, Subscription};
use xmpp_parsers::version::{VersionQuery, VersionResult};

/// Ends a test that would wait for ever; nothing is timed by it.
const DEADLINE: Duration = Duration::from_secs(20);

/// One session.
pub(crate) struct User {
    client: Client,
    jid: Jid,
    /// Read while something else was waited for.
    early: VecDeque<Stanza>,
}

impl User {
    /// Logs in; nobody is told yet.
    pub(crate) async fn log_in(door: &Door, name: &str) -> Self {
        let (jid, dns) = (account(name), DnsConfig::addr(&door.address));
        let mut client = if door.starttls {
            Client::new_starttls(jid, PASSWORD, dns, Timeouts::tight())
        } else {
            Client::new_direct_tls_with_config(jid, PASSWORD, dns, Timeouts::tight())
        };
        match in_time(client.next()).await {
            Some(Event::Online { bound_jid, .. }) => {
                assert_eq!(bound_jid.to_bare().to_string(), format!("{name}@{DOMAIN}"));
                Self { client, jid: bound_jid, early: VecDeque::new() }
            }
            other => panic!("{name} is not online: {other:?}"),
        }
    }

    pub(crate) fn full(&self) -> String {
        self.jid.to_string()
    }

    pub(crate) fn bare(&self) -> String {
        self.jid.to_bare().to_string()
    }

    /// Says good-bye and waits until the server did too.
    pub(crate) async fn log_out(self) {
        in_time(self.client.send_end()).await.expect("an orderly end");
    }

    /// Initial presence; comes back once the server has it.
    pub(crate) async fn online(&mut self) {
        self.send(Presence::available()).await;
        let (from, kind) = self.presence().await;
        assert_eq!((from, kind), (self.full(), Type::None), "one's own presence comes back (RFC 6121 §4.2.2)");
    }

    pub(crate) async fn send(&mut self, presence: Presence) {
        in_time(self.client.send_stanza(presence.into())).await.expect("sent");
    }

    pub(crate) async fn send_to(&mut self, other: &Self, presence: Presence) {
        self.send(presence.with_to(other.jid.to_bare())).await;
    }

    pub(crate) async fn say(&mut self, to: &str, text: &str) {
        let to = Jid::from_str(to).expect("an address");
        let message = Message::chat(to).with_body(Lang::default(), text.to_owned());
        in_time(self.client.send_stanza(message.into())).await.expect("sent");
    }

    /// The next message: sender, text, whether it waited at the server.
    pub(crate) async fn hear(&mut self) -> (String, String, bool) {
        let stanza = self.next(|stanza| matches!(stanza, Stanza::Message(_))).await;
        let Stanza::Message(message) = stanza else { unreachable!("a message was asked for") };
        let from = message.from.as_ref().expect("a sender").to_string();
        let (_, text) = message.get_best_body(vec![]).expect("a body");
        let delay = message.payloads.iter().find_map(|p| Delay::try_from(p.clone()).ok());
        if let Some(delay) = &delay {
            assert_eq!(delay.from.as_ref().map(Jid::to_string).as_deref(), Some(DOMAIN), "who delayed it");
        }
        (from, text.clone(), delay.is_some())
    }

    /// Who the next presence is from, and its type.
    pub(crate) async fn presence(&mut self) -> (String, Type) {
        let presence = self.full_presence().await;
        (presence.from.expect("a sender").to_string(), presence.type_)
    }

    pub(crate) async fn full_presence(&mut self) -> Presence {
        let stanza = self.next(|stanza| matches!(stanza, Stanza::Presence(_))).await;
        let Stanza::Presence(presence) = stanza else { unreachable!("presence was asked for") };
        presence
    }

    /// Enters the room, and comes back with the status codes once the subject is there.
    pub(crate) async fn enter(&mut self, nick: &str) -> Vec<Status> {
        let to = Jid::from_str(&occupant(nick)).expect("an address");
        self.send(Presence::available().with_to(to).with_payload(Muc::new())).await;
        let own = self.sees(nick, Type::None).await;
        let subject = |stanza: &Stanza| matches!(stanza, Stanza::Message(message) if !message.subjects.is_empty());
        self.next(subject).await;
        own.status
    }

    /// What the room says of an occupant by presence of this type.
    pub(crate) async fn sees(&mut self, nick: &str, kind: Type) -> MucUser {
        let from = Jid::from_str(&occupant(nick)).expect("an address");
        let wanted = |stanza: &Stanza| matches!(stanza, Stanza::Presence(p) if p.from.as_ref() == Some(&from) && p.type_ == kind);
        let Stanza::Presence(presence) = self.next(wanted).await else { unreachable!("presence was asked for") };
        let user = presence.payloads.into_iter().find_map(|payload| MucUser::try_from(payload).ok());
        user.expect("the room says who it is")
    }

    /// A new room is as the server has it (§10.1.2).
    pub(crate) async fn open_room(&mut self) {
        let query =
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>";
        let query = Element::from_str(query).expect("XML");
        let room = Jid::from_str(ROOM).expect("an address");
        let token = self.client.send_iq(Some(room), IqRequest::Set(query)).await;
        assert!(matches!(in_time(token).await.expect("an answer"), IqResponse::Result(_)), "the room is open");
    }

    pub(crate) async fn speak(&mut self, text: &str) {
        let to = Jid::from_str(ROOM).expect("an address");
        let message = Message::groupchat(to).with_body(Lang::default(), text.to_owned());
        in_time(self.client.send_stanza(message.into())).await.expect("sent");
    }

    /// The item of the next roster push, which is acknowledged.
    pub(crate) async fn push(&mut self) -> Item {
        let stanza = self.next(|stanza| matches!(stanza, Stanza::Iq(_))).await;
        let Stanza::Iq(Iq::Set { from, id, payload, .. }) = stanza else { panic!("not a push: {stanza:?}") };
        assert!(from.is_none_or(|from| from == self.jid.to_bare()), "a push comes from the own account");
        let mut roster = Roster::try_from(payload).expect("a roster push");
        let answer = Iq::Result { from: None, to: None, id, payload: None };
        in_time(self.client.send_stanza(answer.into())).await.expect("sent");
        assert_eq!(roster.items.len(), 1, "a push has one item (RFC 6121 §2.1.6)");
        roster.items.remove(0)
    }

    /// The push that goes with a presence about a subscription.
    pub(crate) async fn push_after_presence(&mut self, kind: Type) -> Item {
        assert_eq!(self.presence().await.1, kind);
        self.push().await
    }

    pub(crate) async fn roster(&mut self) -> Vec<Item> {
        let answer = self.ask(IqRequest::Get(Roster { ver: None, items: vec![] }.into())).await;
        Roster::try_from(answer.expect("a roster")).expect("a roster").items
    }

    pub(crate) async fn add_contact(&mut self, other: &Self, name: &str) {
        self.set_contact(other, Some(name.to_owned()), Subscription::None).await;
    }

    pub(crate) async fn remove_contact(&mut self, other: &Self) {
        self.set_contact(other, None, Subscription::Remove).await;
    }

    async fn set_contact(&mut self, other: &Self, name: Option<String>, subscription: Subscription) {
        let jid = other.jid.to_bare();
        let item = Item { jid, name, subscription, ask: Ask::None, groups: vec![], approved: None };
        let answer = self.ask(IqRequest::Set(Roster { ver: None, items: vec![item] }.into())).await;
        assert_eq!(answer, None, "an empty result");
    }

    /// What the server says it is.
    pub(crate) async fn version(&mut self) -> VersionResult {
        let to = Jid::from_str(DOMAIN).expect("an address");
        let token = self.client.send_iq(Some(to), IqRequest::Get(VersionQuery.into())).await;
        let IqResponse::Result(Some(answer)) = in_time(token).await.expect("an answer") else { panic!("an error") };
        VersionResult::try_from(answer).expect("a version")
    }

    async fn ask(&mut self, request: IqRequest) -> Option<Element> {
        let token = self.client.send_iq(None, request).await;
        match in_time(token).await.expect("an answer") {
            IqResponse::Result(payload) => payload,
            IqResponse::Error(error) => panic!("refused: {error:?}"),
        }
    }

    /// The first stanza not yet looked at that is `wanted`; others wait for their turn.
    async fn next(&mut self, wanted: impl Fn(&Stanza) -> bool) -> Stanza {
        if let Some(at) = self.early.iter().position(&wanted) {
            return self.early.remove(at).expect("just found there");
        }
        loop {
            match in_time(self.client.next()).await {
                Some(Event::Stanza(stanza)) if wanted(&stanza) => return stanza,
                Some(Event::Stanza(stanza)) => self.early.push_back(stanza),
                other => panic!("{} got {other:?}", self.jid),
            }
        }
    }
}

/// The room of the tests.
const ROOM: &str = "verona@conference.localhost";

/// Somebody in it.
pub(crate) fn occupant(nick: &str) -> String {
    format!("{ROOM}/{nick}")
}

fn account(name: &str) -> BareJid {
    BareJid::from_str(&format!("{name}@{DOMAIN}")).expect("an address")
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("within the deadline")
}

/// Logs in once, up to the end of SASL. `Client` itself would try again for ever.
pub(crate) async fn log_in_once(door: &Door, name: &str, password: &str) -> Result<(), Error> {
    let dns = DnsConfig::addr(&door.address);
    if door.starttls {
        authenticate(StartTlsServerConnector(dns), name, password).await
    } else {
        authenticate(DirectTlsServerConnector(dns), name, password).await
    }
}

async fn authenticate(connector: impl ServerConnector, name: &str, password: &str) -> Result<(), Error> {
    let jid = Jid::from(account(name));
    let connected = connector.connect(&jid, xmpp_parsers::ns::JABBER_CLIENT, Timeouts::tight());
    let (stream, channel_binding) = in_time(connected).await?;
    assert!(channel_binding.supports("tls-exporter"), "TLS 1.3 binds");
    let (features, stream) = in_time(stream.recv_features()).await?;
    let credentials =
        Credentials::default().with_username(name).with_password(password).with_channel_binding(channel_binding);
    in_time(client_login(stream, features.sasl_mechanisms, credentials)).await.map(drop)
}
