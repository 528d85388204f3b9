//! Resource binding (RFC 6120 §7): the asked resourcepart or one of ours, conflicts, the limit per account.

use crate::account::Account;
use crate::account::resource::{Agent, Bound, Client, Resource};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::hold::Pending;
use crate::outbox::{Item, Outbox};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use xep_support::jid::FullJid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{IqType, Stanza};
use xep_support::xml::Element;

/// Who wants a resource.
pub struct Newcomer<'a> {
    /// Whose it will be.
    pub account: &'a Arc<Account>,
    /// Where the client is.
    pub peer: IpAddr,
    /// Is its stream encrypted?
    pub encrypted: bool,
    /// What it said about itself.
    pub agent: Option<Box<Agent>>,
}

/// Binds a resource as the request asks.
pub async fn bind_as_asked(core: &Arc<Core>, newcomer: Newcomer<'_>, request: &Stanza) -> Result<Client, StanzaError> {
    if request.iq_type() != Some(IqType::Set) || request.id().is_none() {
        return Err(StanzaError::new(Condition::BadRequest));
    }
    let asked = request.child("bind", ns::BIND).and_then(|b| b.find("resource", ns::BIND).map(Element::text_content));
    let jid = full_jid(newcomer.account, asked.as_deref())?;
    let bound_jid = Element::new("jid", ns::BIND).text(jid.as_str());
    let result = Stanza::iq_result(request, Some(Element::new("bind", ns::BIND).child(bound_jid)));
    bind(core, newcomer, jid, Some(result)).await
}

/// Binds this resource. The answer, if there is one, is the first thing in the new outbox.
///
/// Conflict policy (§7.7.2.2): the newer session wins, the older one ends with `<conflict/>`. A phone that comes back
/// under its old name must not be locked out by its own ghost.
pub async fn bind(
    core: &Arc<Core>,
    newcomer: Newcomer<'_>,
    jid: FullJid,
    answer: Option<Stanza>,
) -> Result<Client, StanzaError> {
    let Newcomer { account, peer, encrypted, agent } = newcomer;
    let (outbox, resources_max) = (outbox(core), core.config().limits.resources_per_account_max);
    let agent = agent.map(OnceLock::from).unwrap_or_default();
    let resource = Arc::new(Resource { jid, outbox, peer, encrypted, since_us: clock::now_micros(), agent });
    if let Some(answer) = answer {
        let _ = resource.outbox.push(Item::plain(Arc::new(answer)));
    }

    account.touch(clock::monotonic_seconds());
    let client = Client { account: account.clone(), resource, pending: Arc::new(Pending::default()) };
    loop {
        let ghost = {
            let mut state = account.lock();
            if state.removed {
                return Err(StanzaError::new(Condition::NotAllowed));
            }
            match state.resource(client.jid().resource()) {
                Some(old) => old.resource.clone(),
                None if state.resources.len() >= resources_max => {
                    // Whoever has been without a connection for longest makes room.
                    let lost = state.resources.iter().filter(|b| b.is_detached()).min_by_key(|b| b.detached_ms);
                    let Some(lost) = lost else {
                        return Err(StanzaError::new(Condition::ResourceConstraint).with_text("too many resources"));
                    };
                    lost.resource.clone()
                }
                None => {
                    // Most accounts have one; four are what a vector would make room for.
                    state.resources.reserve_exact(1);
                    state.resources.push(Bound::new(client.resource.clone()));
                    core.counters.sessions.fetch_add(1, Ordering::Relaxed);
                    return Ok(client);
                }
            }
        };
        // It leaves by itself, since only it knows what it has not written; until then it keeps what comes, in order.
        ghost.outbox.close(CloseReason::Replaced);
        if tokio::time::timeout(GHOST_PATIENCE, ghost.outbox.ended()).await.is_err() {
            tracing::error!(resource = %ghost.jid, "a session that was replaced does not end; taken over all the same");
            let ghost = Client { account: account.clone(), resource: ghost, pending: Arc::new(Pending::default()) };
            super::leave::depart(core, &ghost, CloseReason::Replaced, Vec::new(), None);
        }
    }
}

/// An empty outbox.
pub(super) fn outbox(core: &Core) -> Outbox {
    let limits = &core.config().limits;
    Outbox::new(limits.outbox_bytes_max, limits.outbox_stanzas_max)
}

/// A session told to end does so at its next turn. One that does not is broken, and must not lock its user out.
const GHOST_PATIENCE: Duration = Duration::from_secs(2);

fn full_jid(account: &Account, asked: Option<&str>) -> Result<FullJid, StanzaError> {
    match asked.filter(|a| !a.is_empty()) {
        // §7.7.2.1: what cannot be prepared is a bad request.
        Some(asked) => account.jid.with_resource(asked).map_err(|_| StanzaError::new(Condition::BadRequest)),
        None => {
            let made = super::random_id();
            account.jid.with_resource(&made).map_err(|_| StanzaError::new(Condition::InternalServerError))
        }
    }
}
