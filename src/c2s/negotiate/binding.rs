//! The stream of somebody known, until a resource is bound or an old session resumed (RFC 6120 §7, XEP-0198 §5).

use super::{Negotiation, Ready, unknown_element};
use crate::account::Account;
use crate::c2s::channel::{Inbound, refused};
use crate::c2s::{bind, stream_management};
use crate::close::CloseReason;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{Kind, TopLevel};
use xep_support::stream::StreamCondition;

impl Negotiation<'_> {
    /// RFC 6120 §7: nothing but binding is possible now.
    pub(super) async fn bind(&mut self, account: Arc<Account>) -> Result<Ready, CloseReason> {
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
