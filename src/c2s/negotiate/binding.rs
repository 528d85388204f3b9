//! The stream of somebody known, until a resource is bound or an old session resumed (RFC 6120 §7, XEP-0198 §5).

use super::{Negotiation, Ready, unknown_element};
use crate::account::Account;
use crate::account::resource::{Agent, Client};
use crate::c2s::bind::{self, Newcomer};
use crate::c2s::channel::{Inbound, refused};
use crate::c2s::stream_management;
use crate::close::CloseReason;
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{Kind, TopLevel};
use xep_support::stream::StreamCondition;

impl Negotiation<'_> {
    /// RFC 6120 §7: nothing but binding is possible now.
    pub(super) async fn bind(
        &mut self,
        account: Arc<Account>,
        agent: Option<Box<Agent>>,
    ) -> Result<Ready, CloseReason> {
        let device = agent.as_ref().and_then(|agent| agent.device.clone());
        let device = device.as_deref();
        loop {
            let stanza = match self.channel.element().await? {
                Inbound::Element(TopLevel::Stanza(stanza)) => stanza,
                Inbound::Element(TopLevel::Other(element)) if element.is("error", ns::STREAM) => {
                    return Err(CloseReason::ClientFailed);
                }
                Inbound::Element(TopLevel::Other(element)) if element.ns() == ns::SM => {
                    match stream_management::before_binding(self.core, &account, &element, self.channel).await? {
                        Some((client, ack)) => {
                            self.close_unless_welcome(&account, device, &client);
                            if let Some(agent) = agent {
                                let _ = client.resource.agent.set(agent);
                            }
                            return Ok(self.ready(client, Some(ack), true));
                        }
                        None => continue,
                    }
                }
                Inbound::Element(TopLevel::Other(_)) => return Err(unknown_element()),
                Inbound::Malformed(reply) => {
                    self.channel.send_stanza(&reply).await?;
                    continue;
                }
            };
            let own = |to: &Jid| to == account.jid.as_jid() || self.host.as_ref() == Some(to);
            let for_us = stanza.to().is_none_or(own);
            if stanza.kind() != Kind::Iq || !stanza.has_child("bind", ns::BIND) || !for_us {
                // §7.1: "the server MUST NOT process the stanza and SHOULD return <not-authorized/>".
                return Err(refused(StreamCondition::NotAuthorized));
            }
            self.still_welcome(&account, device)?;
            let (peer, encrypted, agent) = (self.peer, self.is_encrypted(), agent.clone());
            let newcomer = Newcomer { account: &account, peer, encrypted, agent };
            match bind::bind_as_asked(self.core, newcomer, &stanza).await {
                Ok(client) => {
                    self.close_unless_welcome(&account, device, &client);
                    return Ok(self.ready(client, None, false));
                }
                Err(error) => {
                    if let Some(reply) = stanza.error_reply(&error) {
                        self.channel.send_stanza(&reply).await?;
                    }
                }
            }
        }
    }
    /// Now that it can be found among the sessions: what came before this moment is noted, what comes later finds it. A
    /// session that must not be ends as soon as it begins.
    fn close_unless_welcome(&self, account: &Account, device: Option<&str>, client: &Client) {
        if let Err(reason) = self.still_welcome(account, device) {
            client.resource.outbox.close(reason);
        }
    }
}
