//! What a client can have together with authentication: an old session (XEP-0198 §5) or a new one (XEP-0386), and in a new
//! one whatever extensions declared for that.

use super::sasl2::Outcome;
use crate::account::Account;
use crate::account::ack::{Ack, failed, write_enabled};
use crate::account::resource::{Agent, Client};
use crate::c2s::bind::{self, Newcomer};
use crate::c2s::negotiate::{Negotiation, Ready};
use crate::c2s::stream_management::{self, Resumed};
use crate::c2s::{leave, random_id};
use crate::close::CloseReason;
use crate::core::Core;
use crate::xep::{mam, offline};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::sasl::SaslFailure;
use xep_support::stanza::error::Condition;
use xep_support::xml::Element;

/// `<bind/>` (XEP-0386 §3.2).
pub(super) struct Bind {
    tag: Option<String>,
    /// What is to be switched on.
    features: Vec<Element>,
}

impl Bind {
    pub(super) fn read(element: &Element) -> Result<Self, SaslFailure> {
        let malformed = SaslFailure::MalformedRequest;
        let mut tag = None;
        let mut features: Vec<Element> = Vec::new();
        for child in element.child_elements() {
            if child.ns() != ns::BIND2 {
                if features.iter().any(|known| known.ns() == child.ns()) {
                    // On and off, or twice: nobody can say which.
                    return Err(malformed);
                }
                features.push(child.clone());
            } else if child.name() == "tag" && tag.replace(child.text_content()).is_some() {
                return Err(malformed);
            }
        }
        let tag = tag.filter(|tag| !tag.is_empty());
        // §3.2.1: "subject to the necessary validation for resource identifiers", with room for what follows it.
        let valid = |tag: &String| Jid::from_parts(None, "x", Some(&format!("{tag}/{}", "x".repeat(32)))).is_ok();
        if tag.as_ref().is_some_and(|tag| !valid(tag)) {
            return Err(malformed);
        }
        Ok(Self { tag, features })
    }

    /// §3.2.1: the tag, then what is the same each time for the same installation of a client, so that it takes the place
    /// of its own ghost.
    fn resourcepart(&self, agent: &Agent) -> String {
        let own = agent.device.as_deref().map_or_else(random_id, str::to_owned);
        self.tag.as_ref().map_or(own.clone(), |tag| format!("{tag}/{own}"))
    }
}

/// How somebody came in, and what is said about it in `<success/>`.
pub(super) struct Entered {
    /// XML.
    pub(super) inline: String,
    session: Option<Session>,
    agent: Option<Box<Agent>>,
}

struct Session {
    client: Client,
    ack: Option<Box<Ack>>,
    /// What is sent behind everything else; there for a session that was resumed.
    tail: Option<Vec<u8>>,
}

/// Resumes, or binds, or does neither, as the client wants (XEP-0386 §3.2). A text says why it cannot bind.
pub(super) async fn enter(
    n: &Negotiation<'_>,
    account: &Arc<Account>,
    agent: Box<Agent>,
    resume: Option<Element>,
    wish: Option<Bind>,
) -> Result<Result<Entered, &'static str>, CloseReason> {
    let mut inline = String::new();
    if let Some(resume) = resume {
        match stream_management::resume(n.core, account, &resume, n.channel.wire.framing).await? {
            Ok(Resumed { client, ack, element, tail }) => {
                element.write(&mut inline, ns::SASL2);
                // One that was bound before the client said who it is.
                let device = agent.device.clone();
                let _ = client.resource.agent.set(agent);
                if let Err(reason) = n.still_welcome(account, device.as_deref()) {
                    client.resource.outbox.close(reason);
                }
                let session = Some(Session { client, ack: Some(ack), tail: Some(tail) });
                return Ok(Ok(Entered { inline, session, agent: None }));
            }
            Err(condition) => {
                let handled = stream_management::handled_before(n.core, account, &resume);
                inline.push_str(&failed(condition, handled));
            }
        }
    }
    n.still_welcome(account, agent.device.as_deref())?;
    let Some(wish) = wish else { return Ok(Ok(Entered { inline, session: None, agent: Some(agent) })) };
    let Ok(jid) = account.jid.with_resource(&wish.resourcepart(&agent)) else {
        return Ok(Err("no resource can have this tag"));
    };
    let device = agent.device.clone();
    let newcomer = Newcomer { account, peer: n.peer, encrypted: n.is_encrypted(), agent: Some(agent) };
    let client = match bind::bind(n.core, newcomer, jid, None).await {
        Ok(client) => client,
        Err(error) if error.condition == Condition::ResourceConstraint => return Ok(Err("too many resources")),
        Err(_) => return Ok(Err("nothing can be bound now")),
    };
    let mut unfinished = Unfinished { core: n.core, client: Some(client), ack: None };
    // Now that it can be found among the sessions: what came before this moment is noted, what comes later finds it.
    n.still_welcome(account, device.as_deref())?;
    if let Some(device) = device {
        unfinished.end_older(&device);
    }
    inline.push_str("<bound xmlns='urn:xmpp:bind:0'>");
    unfinished.switch_on(&wish.features, &mut inline);
    offline::leave_to_archive(n.core, account).await;
    if let Some(metadata) = mam::metadata_of(n.core, account).await {
        metadata.write(&mut inline, ns::BIND2);
    }
    inline.push_str("</bound>");
    Ok(Ok(Entered { inline, session: unfinished.finish(), agent: None }))
}

/// A session that is bound and not begun. If the connection is lost meanwhile it ends as sessions do.
struct Unfinished<'a> {
    core: &'a Arc<Core>,
    client: Option<Client>,
    ack: Option<Box<Ack>>,
}

impl Unfinished<'_> {
    /// XEP-0386 §3.2: "the server SHOULD terminate any earlier sessions from the same client". Those of the same name are
    /// gone already.
    fn end_older(&self, device: &str) {
        let Some(client) = &self.client else { return };
        let state = client.account.lock();
        let others = state.resources.iter().filter(|b| !Arc::ptr_eq(&b.resource, &client.resource));
        for bound in others.filter(|b| b.resource.device() == Some(device)) {
            bound.resource.outbox.close(CloseReason::Replaced);
        }
    }

    /// What is unknown is left out (§3.2).
    fn switch_on(&mut self, features: &[Element], out: &mut String) {
        let Some(client) = &self.client else { return };
        for element in features {
            if element.is("enable", ns::SM) {
                let ack = stream_management::enable(self.core, client, element);
                let mut enabled = Vec::new();
                write_enabled(&mut enabled, ack.resume.as_ref());
                out.push_str(&String::from_utf8_lossy(&enabled));
                self.ack = Some(Box::new(ack));
            } else if let Some(answer) =
                self.core.registry.inline(element.ns()).and_then(|on| on(self.core, client, element))
            {
                answer.write(out, ns::BIND2);
            }
        }
    }

    fn finish(mut self) -> Option<Session> {
        let (client, ack) = (self.client.take()?, self.ack.take());
        Some(Session { client, ack, tail: None })
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let ack = self.ack.take();
        if let Some((ack, resume)) = ack.as_ref().and_then(|ack| Some((ack, ack.resume.as_ref()?))) {
            stream_management::forget(self.core, &client, &resume.id, ack);
        }
        leave::depart(self.core, &client, CloseReason::ConnectionLost, Vec::new(), ack);
    }
}

impl Entered {
    /// The full JID, if there is a resource (XEP-0388 §2.6.1). COMPAT: of a resumed session as well, although the example
    /// has the bare JID: newer versions of the document say so, and xmpp.js takes what it reads for its own address.
    pub(super) fn bound_jid(&self) -> Option<&str> {
        Some(self.session.as_ref()?.client.jid().as_str())
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Is stream management on?
    pub(super) fn is_managed(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.ack.is_some())
    }

    /// After `<success/>` and the features: what a resumed session has to be sent again, and the session itself.
    pub(super) fn into_outcome(self, n: &mut Negotiation<'_>, account: Arc<Account>) -> Outcome {
        let Some(Session { client, ack, tail }) = self.session else {
            return Outcome::Unbound(account, self.agent.unwrap_or_default());
        };
        if let Some(tail) = &tail {
            n.channel.wire.queue(|_, out| out.extend_from_slice(tail));
        }
        let ready: Ready = n.ready(client, ack, tail.is_some());
        Outcome::Ready(Box::new(ready))
    }
}
