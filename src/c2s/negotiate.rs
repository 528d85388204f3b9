//! From a fresh connection to a bound resource: stream header, STARTTLS, SASL, stream restart, resource binding
//! (RFC 6120 §4.3, §5, §6, §7). Runs in a boxed future that is gone when the session begins.

mod before_login;
mod binding;
mod features;

use before_login::Known;

use super::channel::{Channel, refused};
use super::framing::Framing;
use crate::account::Account;
use crate::account::ack::Ack;
use crate::account::resource::Client;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::net::tls::CertStore;
use crate::net::transport::TlsInfo;
use crate::ops::devices;
use crate::sasl::{ChannelBindings, Offer, OfferContext};
use crate::xep::register;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use xep_support::jid::{BareJid, Jid};
use xep_support::stream::{StreamCondition, StreamHeader};

/// A client that is ready for its session.
pub struct Ready {
    /// Who it is.
    pub client: Client,
    /// The language of its stream.
    pub lang: Option<Arc<str>>,
    /// Its stream management, if that has begun.
    pub ack: Option<Box<Ack>>,
    /// It goes on with an old session.
    pub resumed: bool,
}

/// What protects a connection.
#[derive(Debug, Default)]
pub struct Way {
    /// Our TLS, if there is any: logins can be bound to it.
    pub tls: Option<TlsInfo>,
    /// Is it encrypted, by us or at least up to a proxy that we trust?
    pub encrypted: bool,
    /// May passwords go over it in the clear? Only a test switch for loopback addresses.
    pub plaintext_auth: bool,
}

/// A connection on its way to a session.
pub struct Negotiation<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) channel: &'a mut Channel,
    pub(super) peer: IpAddr,
    way: Way,
    /// The served domain of the stream; once known it must not change.
    pub(super) host: Option<Jid>,
    header: Option<StreamHeader>,
    registration: register::RegistrationState,
    pub(super) attempts: usize,
    /// Somebody is filling in a registration form: that may take longer.
    patience: Arc<AtomicBool>,
    since_ms: u64,
    /// XEP-0509: the version of what the client was offered.
    pub(super) config_version: Option<String>,
    /// XEP-0388 §4.8: a password was proved, and a task begun; there is no other authentication on this stream.
    pub(super) continued: bool,
    /// How often the client expected another version.
    pub(super) outdated: u32,
}

impl<'a> Negotiation<'a> {
    /// Begins.
    pub fn new(core: &'a Arc<Core>, channel: &'a mut Channel, peer: IpAddr, way: Way) -> Self {
        Self {
            core,
            channel,
            peer,
            way,
            host: None,
            header: None,
            registration: register::RegistrationState::default(),
            attempts: 0,
            patience: Arc::default(),
            since_ms: clock::monotonic_ms(),
            config_version: None,
            continued: false,
            outdated: 0,
        }
    }

    /// Becomes true when a person is at work on the other side.
    pub fn patience(&self) -> Arc<AtomicBool> {
        self.patience.clone()
    }

    /// The domain the client asked for, for the `from` of a header that only carries an error.
    pub fn host(&self) -> Option<&Jid> {
        self.host.as_ref()
    }

    /// Runs until a resource is bound.
    pub async fn run(&mut self, certs: &CertStore) -> Result<Ready, CloseReason> {
        let account = loop {
            self.open_stream().await?;
            let offer = Arc::new(self.offer());
            let features = self.features_before_login(&offer);
            self.channel.say(&features);
            match self.until_known(&offer, certs).await? {
                Known::Encrypted => {}
                Known::Account(account) => break account,
                Known::Ready(ready) => return Ok(*ready),
                Known::Unbound(account, agent) => return self.bind(account, Some(agent)).await,
            }
        };
        // RFC 6120 §6.4.6: the client opens a new stream.
        self.channel.restart();
        self.logged_in();
        self.open_stream().await?;
        // §4.9.3.9: whoever is authenticated as one cannot go on as another. An anonymous user cannot know its name yet.
        if account.id.is_some() && self.header_contradicts(&account.jid) {
            return Err(refused(StreamCondition::InvalidFrom));
        }
        self.channel.say(&self.features_after_login(false, false));
        self.bind(account, None).await
    }

    /// From now on larger stanzas are taken.
    pub(super) fn logged_in(&mut self) {
        let limits = {
            let l = &self.core.config().limits;
            super::frame_limits(l, l.stanza_bytes_max)
        };
        self.channel.wire.input.set_limits(limits);
    }

    /// Is the stream encrypted?
    pub(super) fn is_encrypted(&self) -> bool {
        self.way.encrypted
    }

    /// RFC 6120 §5; not where something else carries the stream (RFC 7395 §3.9, XEP-0206 §7).
    fn may_start_tls(&self) -> bool {
        !self.way.encrypted && !self.channel.wire.framing.is_framed()
    }

    /// XEP-0388 §2.3, §4.4: does the stream header say that the client is somebody else?
    pub(super) fn header_contradicts(&self, user: &BareJid) -> bool {
        let from = self.header.as_ref().and_then(|h| h.from.as_deref());
        from.is_some_and(|from| !Jid::parse(from).is_ok_and(|from| from.bare() == *user))
    }

    /// RFC 6120 §4.7: the client's header, checked, and ours.
    async fn open_stream(&mut self) -> Result<(), CloseReason> {
        let header = self.channel.header().await?;
        let elsewhere = !self.core.config().http.websocket_see_other_uri.is_empty();
        if elsewhere && self.channel.wire.framing == Framing::WebSocket {
            return Err(CloseReason::Moved);
        }
        let host = match header.to.as_deref() {
            Some(to) => Jid::parse(to).ok().and_then(|to| self.core.hosts.find(to.as_str())),
            // §4.7.2: without `to` a server that serves one domain knows what is meant.
            None if self.core.hosts.iter().count() == 1 => Some(self.core.hosts.first()),
            None => None,
        };
        let Some(host) = host else {
            return Err(refused(StreamCondition::HostUnknown));
        };
        if self.host.as_ref().is_some_and(|known| *known != host.jid) {
            return Err(CloseReason::Refused(StreamCondition::HostUnknown, "the domain changed within a connection"));
        }
        self.host = Some(host.jid.clone());
        let id = super::random_id();
        // §4.7.2: the bare JID of whoever the client says it is.
        let to = header.from.as_deref().and_then(|from| Jid::parse(from).ok()).map(|from| from.bare());
        let elsewhere = to.as_ref().is_some_and(|from| from.domain() != host.jid.domain());
        self.channel.open(&id, Some(host.jid.as_str()), to.as_ref().map(|to| to.as_str()));
        if header.version.0 < 1 {
            return Err(CloseReason::Refused(StreamCondition::UnsupportedVersion, "XMPP 1.0 is needed"));
        }
        if elsewhere {
            // XEP-0388 §2.1, RFC 6120 §4.9.3.9: nobody of another domain can log in here.
            return Err(refused(StreamCondition::InvalidFrom));
        }
        self.header = Some(header);
        Ok(())
    }

    /// Is the password still the one it logged in with, and was its device not revoked meanwhile?
    pub(super) fn still_welcome(&self, account: &Account, device: Option<&str>) -> Result<(), CloseReason> {
        if self.core.changed.since(account.jid.as_str(), self.since_ms) {
            return Err(CloseReason::PasswordChanged);
        }
        let revoked = |device| self.core.changed.since(&devices::login_key(account, device), self.since_ms);
        if device.is_some_and(revoked) { Err(CloseReason::Revoked) } else { Ok(()) }
    }

    fn offer(&self) -> Offer {
        let config = self.core.config();
        let encrypted = self.way.encrypted;
        let plain_allowed = encrypted || self.way.plaintext_auth && self.peer.is_loopback();
        let host = self.host.as_ref().map(Jid::as_str).unwrap_or_default();
        let bindings = self.way.tls.as_ref().map(|tls| ChannelBindings {
            tls_exporter: tls.exporter,
            tls_server_end_point: tls.server_end_point().map(<[u8]>::to_vec),
        });
        Offer::new(OfferContext {
            tls: encrypted,
            authentication_allowed: plain_allowed,
            plain_allowed,
            tls_version: self.way.tls.as_ref().map(|tls| tls.version.as_hex()),
            tokens: config.auth.fast_token_days > 0,
            anonymous: config.auth.anonymous_domains.iter().any(|d| d == host),
            channel_bindings: bindings.unwrap_or_default(),
            disabled: config.auth.mechanisms_disabled.clone(),
            without_downgrade_hash: !config.auth.downgrade_protection,
        })
    }

    pub(super) fn ready(&self, client: Client, ack: Option<Box<Ack>>, resumed: bool) -> Ready {
        tracing::Span::current().record("jid", client.jid().as_str());
        let lang = self.header.as_ref().and_then(|h| h.lang.as_deref()).map(Arc::from);
        Ready { client, lang, ack, resumed }
    }
}

/// RFC 6120 §4.9.3.24.
fn unknown_element() -> CloseReason {
    refused(StreamCondition::UnsupportedStanzaType)
}
