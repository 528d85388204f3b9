//! From a fresh connection to a bound resource: stream header, STARTTLS, SASL, stream restart, resource binding
//! (RFC 6120 §4.3, §5, §6, §7). Runs in a boxed future that is gone when the session begins.

mod before_login;
mod binding;
mod features;

use super::Door;
use super::channel::{Channel, refused};
use crate::account::ack::Ack;
use crate::account::resource::Client;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::net::tls::CertStore;
use crate::net::transport::TlsInfo;
use crate::sasl::{ChannelBindings, Offer, OfferContext};
use crate::xep::register;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use xep_support::jid::Jid;
use xep_support::stream::{StreamCondition, StreamHeader};

/// A client that is ready for its session.
pub struct Ready {
    /// Who it is.
    pub client: Client,
    /// The language of its stream.
    pub lang: Option<Arc<str>>,
    /// The stream management of a session it resumed.
    pub resumed: Option<Box<Ack>>,
}

/// A connection on its way to a session.
pub struct Negotiation<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) channel: &'a mut Channel,
    pub(super) door: &'a Door,
    pub(super) peer: IpAddr,
    /// The served domain of the stream; once known it must not change.
    pub(super) host: Option<Jid>,
    tls: Option<TlsInfo>,
    header: Option<StreamHeader>,
    registration: register::RegistrationState,
    pub(super) attempts: usize,
    /// Somebody is filling in a registration form: that may take longer.
    patience: Arc<AtomicBool>,
    since_ms: u64,
}

impl<'a> Negotiation<'a> {
    /// Begins; `tls` is there for a connection that came in by direct TLS.
    pub fn new(
        core: &'a Arc<Core>,
        channel: &'a mut Channel,
        door: &'a Door,
        peer: IpAddr,
        tls: Option<TlsInfo>,
    ) -> Self {
        Self {
            core,
            channel,
            door,
            peer,
            host: None,
            tls,
            header: None,
            registration: register::RegistrationState::default(),
            attempts: 0,
            patience: Arc::default(),
            since_ms: clock::monotonic_ms(),
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
            self.channel.send(&features).await?;
            if let Some(account) = self.until_restart(&offer, certs).await? {
                break account;
            }
        };
        // RFC 6120 §6.4.6: the client opens a new stream.
        self.channel.restart();
        let limits = {
            let l = &self.core.config().limits;
            super::frame_limits(l, l.stanza_bytes_max)
        };
        self.channel.wire.framer.set_limits(limits);
        self.open_stream().await?;
        // §4.9.3.9: whoever is authenticated as one cannot go on as another.
        let from = self.header.as_ref().and_then(|h| h.from.as_deref());
        // An anonymous user cannot know its name yet.
        let named = account.id.is_some();
        if from.filter(|_| named).is_some_and(|from| !Jid::parse(from).is_ok_and(|from| from.bare() == account.jid)) {
            return Err(refused(StreamCondition::InvalidFrom));
        }
        self.channel.send(&self.features_after_login()).await?;
        self.bind(account).await
    }

    /// RFC 6120 §4.7: the client's header, checked, and ours.
    async fn open_stream(&mut self) -> Result<(), CloseReason> {
        let header = self.channel.header().await?;
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
        self.channel.open(&id, Some(host.jid.as_str()), to.as_ref().map(|to| to.as_str()));
        if header.version.0 < 1 {
            return Err(CloseReason::Refused(StreamCondition::UnsupportedVersion, "XMPP 1.0 is needed"));
        }
        self.header = Some(header);
        Ok(())
    }

    fn offer(&self) -> Offer {
        let config = self.core.config();
        let encrypted = self.tls.is_some();
        let plain_allowed = encrypted || self.door.plaintext_auth && self.peer.is_loopback();
        let host = self.host.as_ref().map(Jid::as_str).unwrap_or_default();
        let bindings = self.tls.as_ref().map(|tls| ChannelBindings {
            tls_exporter: tls.exporter,
            tls_server_end_point: tls.server_end_point().map(<[u8]>::to_vec),
        });
        Offer::new(OfferContext {
            tls: encrypted,
            authentication_allowed: plain_allowed,
            plain_allowed,
            anonymous: config.auth.anonymous_domains.iter().any(|d| d == host),
            channel_bindings: bindings.unwrap_or_default(),
            disabled: config.auth.mechanisms_disabled.clone(),
            without_downgrade_hash: !config.auth.downgrade_protection,
        })
    }

    fn ready(&self, client: Client, resumed: Option<Box<Ack>>) -> Ready {
        tracing::Span::current().record("jid", client.jid().as_str());
        let lang = self.header.as_ref().and_then(|h| h.lang.as_deref()).map(Arc::from);
        Ready { client, lang, resumed }
    }
}

/// RFC 6120 §4.9.3.24.
fn unknown_element() -> CloseReason {
    refused(StreamCondition::UnsupportedStanzaType)
}
