//! From a fresh connection to a bound resource: stream header, STARTTLS, SASL, stream restart, resource binding
//! (RFC 6120 §4.3, §5, §6, §7). Runs in a boxed future that is gone when the session begins.

use super::channel::{Channel, Inbound, refused};
use super::{Door, bind, login, stream_management};
use crate::account::Account;
use crate::account::ack::Ack;
use crate::account::resource::Client;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::net::tls::CertStore;
use crate::net::transport::{TlsInfo, Transport};
use crate::sasl::{ChannelBindings, Offer, OfferContext};
use crate::xep::register;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{Kind, Stanza, TopLevel};
use xep_support::stream::{StreamCondition, StreamHeader};
use xep_support::xml::Element;

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

    fn features_before_login(&self, offer: &Offer) -> String {
        let mut out = String::from("<stream:features>");
        if self.tls.is_none() {
            // RFC 6120 §5.3.1; with the test switch it stays possible, but is not forced.
            let required = if offer.mechanisms().is_empty() { "<required/>" } else { "" };
            let _ = write!(out, "<starttls xmlns='{}'>{required}</starttls>", ns::TLS);
        }
        if !offer.mechanisms().is_empty() {
            let _ = write!(out, "<mechanisms xmlns='{}'>", ns::SASL);
            for mechanism in offer.mechanisms() {
                let _ = write!(out, "<mechanism>{}</mechanism>", mechanism.name());
            }
            out.push_str("</mechanisms>");
            // XEP-0440 §2.
            let mut bindings = offer.binding_types().peekable();
            if bindings.peek().is_some() {
                let _ = write!(out, "<sasl-channel-binding xmlns='{}'>", ns::SASL_CHANNEL_BINDING);
                for binding in bindings {
                    let _ = write!(out, "<channel-binding type='{}'/>", binding.name());
                }
                out.push_str("</sasl-channel-binding>");
            }
            if register::offered(self.core) {
                let _ = write!(out, "<register xmlns='{}'/>", ns::REGISTER_FEATURE);
                // XEP-0445 §3.
                let _ = write!(out, "<register xmlns='{}'/>", ns::IBR_TOKEN);
            }
        }
        // No idle time: negotiation as a whole is limited, traffic or not.
        write_limits(&mut out, self.core.config().limits.stanza_bytes_before_auth_max, None);
        out.push_str("</stream:features>");
        out
    }

    fn features_after_login(&self) -> String {
        let mut out = String::from("<stream:features>");
        let _ = write!(out, "<bind xmlns='{}'><required/></bind>", ns::BIND);
        // COMPAT: clients of RFC 3921 ask for a session; RFC 6121 keeps it as something optional.
        let _ = write!(out, "<session xmlns='{}'><optional/></session>", ns::SESSION);
        let _ = write!(out, "<sm xmlns='{}'/>", ns::SM);
        let _ = write!(out, "<ver xmlns='{}'/><sub xmlns='{}'/>", ns::ROSTER_VERSIONING, ns::PRE_APPROVAL);
        let l = &self.core.config().limits;
        write_limits(&mut out, l.stanza_bytes_max, Some(l.idle_probe_seconds.as_secs()));
        out.push_str("</stream:features>");
        out
    }

    /// Handles elements until the stream has to be restarted: by TLS (no account yet) or by authentication.
    async fn until_restart(
        &mut self,
        offer: &Arc<Offer>,
        certs: &CertStore,
    ) -> Result<Option<Arc<Account>>, CloseReason> {
        loop {
            match self.channel.element().await? {
                Inbound::Malformed(_) => return Err(refused(StreamCondition::NotAuthorized)),
                Inbound::Element(TopLevel::Stanza(stanza)) => self.before_login(offer, stanza).await?,
                Inbound::Element(TopLevel::Other(element)) => {
                    if element.is("starttls", ns::TLS) {
                        self.start_tls(certs).await?;
                        return Ok(None);
                    }
                    if element.is("error", ns::STREAM) {
                        return Err(CloseReason::ClientFailed);
                    }
                    if element.ns() != ns::SASL {
                        return Err(unknown_element());
                    }
                    if let Some(account) = self.authenticate(offer, &element).await? {
                        return Ok(Some(account));
                    }
                }
            }
        }
    }

    /// Only registration is possible before authentication (XEP-0077 §3.1); anything else ends the stream
    /// (RFC 6120 §4.9.3.12).
    async fn before_login(&mut self, offer: &Offer, stanza: Stanza) -> Result<(), CloseReason> {
        let registers = stanza.kind() == Kind::Iq
            && !crate::router::unanswerable(&stanza)
            && stanza.children().next().is_some_and(|c| matches!(c.ns(), ns::REGISTER | ns::PREAUTH));
        let (true, false, Some(host)) = (registers, offer.mechanisms().is_empty(), &self.host) else {
            return Err(refused(StreamCondition::NotAuthorized));
        };
        if !self.registration.take_request(self.core, self.peer) {
            return Err(CloseReason::Refused(StreamCondition::PolicyViolation, "too many requests before login"));
        }
        // Where nobody can register, nobody is filling in a form.
        self.patience.store(register::offered(self.core), Ordering::Relaxed);
        let reply = register::before_login(self.core, host, self.peer, &mut self.registration, &stanza).await;
        self.channel.send(&reply.to_xml()).await
    }

    /// RFC 6120 §5.4.
    async fn start_tls(&mut self, certs: &CertStore) -> Result<(), CloseReason> {
        if self.tls.is_some() {
            let _ = self.channel.send(&format!("<failure xmlns='{}'/>", ns::TLS)).await;
            return Err(CloseReason::ClientClosed);
        }
        if !self.channel.wire.unread.is_empty() {
            // What was sent in the clear behind <starttls/> could pass for something encrypted. It is never looked at.
            let _ = self.channel.send(&format!("<failure xmlns='{}'/>", ns::TLS)).await;
            return Err(CloseReason::ClientClosed);
        }
        self.channel.send(&format!("<proceed xmlns='{}'/>", ns::TLS)).await?;
        let host = self.host.as_ref().map(Jid::as_str);
        let plain = std::mem::replace(&mut self.channel.wire.io, Transport::Closed);
        match plain.upgrade(certs, host, &[]).await {
            Ok((io, info)) => {
                self.channel.wire.io = io;
                self.tls = Some(info);
                // §5.4.3.3: what was said in the clear is forgotten.
                self.host = None;
                self.channel.restart();
                Ok(())
            }
            Err(error) => {
                self.core.counters.tls_failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "TLS handshake failed");
                Err(CloseReason::ConnectionLost)
            }
        }
    }

    async fn authenticate(
        &mut self,
        offer: &Arc<Offer>,
        element: &Element,
    ) -> Result<Option<Arc<Account>>, CloseReason> {
        let account = login::authenticate(self, offer, element).await?;
        if account.is_none() {
            self.attempts += 1;
            if self.attempts >= self.core.config().limits.auth_attempts_per_stream_max {
                return Err(CloseReason::Refused(StreamCondition::PolicyViolation, "too many failed attempts"));
            }
        }
        Ok(account)
    }

    /// RFC 6120 §7: nothing but binding is possible now.
    async fn bind(&mut self, account: Arc<Account>) -> Result<Ready, CloseReason> {
        loop {
            let stanza = match self.channel.element().await? {
                Inbound::Element(TopLevel::Stanza(stanza)) => stanza,
                Inbound::Element(TopLevel::Other(element)) if element.is("error", ns::STREAM) => {
                    return Err(CloseReason::ClientFailed);
                }
                Inbound::Element(TopLevel::Other(element)) if element.ns() == ns::SM => {
                    match stream_management::before_binding(self.core, &account, &element, self.channel).await? {
                        Some((client, ack)) => return Ok(self.ready(client, Some(ack))),
                        None => continue,
                    }
                }
                Inbound::Element(TopLevel::Other(_)) => return Err(unknown_element()),
                Inbound::Malformed(reply) => {
                    self.channel.send(&reply.to_xml()).await?;
                    continue;
                }
            };
            let own = |to: &Jid| to == account.jid.as_jid() || self.host.as_ref() == Some(to);
            let for_us = stanza.to().is_none_or(own);
            if stanza.kind() != Kind::Iq || !stanza.has_child("bind", ns::BIND) || !for_us {
                // §7.1: "the server MUST NOT process the stanza and SHOULD return <not-authorized/>".
                return Err(refused(StreamCondition::NotAuthorized));
            }
            if self.core.changed.since(&account.jid, self.since_ms) {
                // The password it logged in with is no longer the password.
                return Err(CloseReason::PasswordChanged);
            }
            match bind::bind(self.core, &account, &stanza, self.peer, self.tls.is_some()).await {
                Ok(client) => return Ok(self.ready(client, None)),
                Err(error) => {
                    if let Some(reply) = stanza.error_reply(&error) {
                        self.channel.send(&reply.to_xml()).await?;
                    }
                }
            }
        }
    }
}

impl Negotiation<'_> {
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

/// XEP-0478 §2.
fn write_limits(out: &mut String, bytes_max: usize, idle_seconds: Option<u64>) {
    let _ = write!(out, "<limits xmlns='{}'><max-bytes>{bytes_max}</max-bytes>", ns::STREAM_LIMITS);
    if let Some(seconds) = idle_seconds {
        let _ = write!(out, "<idle-seconds>{seconds}</idle-seconds>");
    }
    out.push_str("</limits>");
}
