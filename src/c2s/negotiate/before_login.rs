//! The stream of somebody unknown: STARTTLS, authentication, registration (RFC 6120 §5, §6; XEP-0077), and nothing else.

use super::{Negotiation, Ready, unknown_element};
use crate::account::Account;
use crate::account::resource::Agent;
use crate::c2s::channel::{Inbound, refused};
use crate::c2s::login::sasl2::Outcome;
use crate::c2s::login::{self, sasl2};
use crate::close::CloseReason;
use crate::net::tls::CertStore;
use crate::net::transport::Transport;
use crate::sasl::Offer;
use crate::xep::register;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{Kind, Stanza, TopLevel};
use xep_support::stream::StreamCondition;
use xep_support::xml::Element;

/// What came of a stream of somebody unknown.
pub(super) enum Known {
    /// It is encrypted, and begins anew.
    Encrypted,
    /// Authenticated as RFC 6120 §6 has it: the stream begins anew.
    Account(Arc<Account>),
    /// Authenticated by SASL2: nothing begins anew, and a resource is still to be bound.
    Unbound(Arc<Account>, Box<Agent>),
    /// With SASL2 there came a session.
    Ready(Box<Ready>),
}

impl Negotiation<'_> {
    /// Handles elements until something else is due.
    pub(super) async fn until_known(&mut self, offer: &Arc<Offer>, certs: &CertStore) -> Result<Known, CloseReason> {
        loop {
            match self.channel.element().await? {
                Inbound::Malformed(_) => return Err(refused(StreamCondition::NotAuthorized)),
                Inbound::Element(TopLevel::Stanza(stanza)) => self.before_login(offer, stanza).await?,
                Inbound::Element(TopLevel::Other(element)) => {
                    if element.is("starttls", ns::TLS) {
                        self.start_tls(certs).await?;
                        return Ok(Known::Encrypted);
                    }
                    if element.is("error", ns::STREAM) {
                        return Err(CloseReason::ClientFailed);
                    }
                    if let Some(known) = self.authenticate(offer, &element).await? {
                        return Ok(known);
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
        let reply = register::before_login(self.core, host, self.peer, &mut self.registration, &stanza).await;
        // Where nobody can register, nobody is filling in a form.
        self.patience.store(register::takes_time(self.core, &self.registration), Ordering::Relaxed);
        self.channel.send_stanza(&reply).await
    }

    /// RFC 6120 §5.4.
    async fn start_tls(&mut self, certs: &CertStore) -> Result<(), CloseReason> {
        if !self.may_start_tls() {
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
                self.way.tls = Some(info);
                self.way.encrypted = true;
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

    /// `None`: it failed, and may be tried again.
    async fn authenticate(&mut self, offer: &Arc<Offer>, element: &Element) -> Result<Option<Known>, CloseReason> {
        let counts = match element.ns() {
            // XEP-0388 §4.8: once a task was begun no other authentication is possible.
            ns::SASL | ns::SASL2 if self.continued => return Err(refused(StreamCondition::NotAuthorized)),
            ns::SASL => match login::authenticate(self, offer, element).await? {
                Some(account) => return Ok(Some(Known::Account(account))),
                None => true,
            },
            ns::SASL2 if element.name() == "authenticate" => match sasl2::authenticate(self, offer, element).await? {
                Outcome::Ready(ready) => return Ok(Some(Known::Ready(ready))),
                Outcome::Unbound(account, agent) => return Ok(Some(Known::Unbound(account, agent))),
                Outcome::Failed(counts) => counts,
            },
            _ => return Err(unknown_element()),
        };
        if counts {
            self.attempts += 1;
            if self.attempts >= self.core.config().limits.auth_attempts_per_stream_max {
                return Err(CloseReason::Refused(StreamCondition::PolicyViolation, "too many failed attempts"));
            }
        }
        Ok(None)
    }
}
