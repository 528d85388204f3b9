//! XEP-0198 on a client's stream: enabling, resuming, and what becomes of a session whose connection is gone.

use super::channel::Channel;
use super::framing::Framing;
use super::leave;
use crate::account::Account;
use crate::account::ack::{Ack, AckLimits, Log, Resume, failed, write_request};
use crate::account::resource::Client;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::journal::NewSession;
use std::sync::Arc;
use std::time::Duration;
use xep_support::ns;
use xep_support::stanza::error::Condition;
use xep_support::xml::Element;

/// §3, §5: the client's wish and our limits.
pub(super) fn enable(core: &Core, client: &Client, element: &Element) -> Ack {
    let (kept_max, limits, location) = limits(core);
    // An anonymous user is somebody else at the next login.
    let may = !kept_max.is_zero() && client.account.id.is_some();
    let wanted = may && matches!(element.get_attr("resume"), Some("true" | "1"));
    let asked = element.get_attr("max").and_then(|m| m.parse().ok()).map(Duration::from_secs);
    let max = asked.unwrap_or(kept_max).min(kept_max);
    let resume = wanted.then(|| Resume { id: super::random_id().into(), location, max });
    let session = resume.as_ref().map_or(0, |resume| note_enabled(core, client, resume));
    if let Some(resume) = &resume {
        core.resumable.insert(&resume.id, client.clone());
    }
    Ack::new(resume, limits, Log::new(core.journal.clone(), session, core.storage.archive_ids()))
}

/// How long a session is kept, how much of it, and where it is to be resumed.
pub(super) fn limits(core: &Core) -> (Duration, AckLimits, Option<Box<str>>) {
    let config = core.config();
    let l = &config.limits;
    let location = &config.c2s.resume_location;
    let location = (!location.is_empty()).then(|| location.as_str().into());
    let request_every = u32::try_from(l.ack_request_stanzas_max).unwrap_or(u32::MAX).max(1);
    let (stanzas_max, bytes_max) = (l.unacked_stanzas_max.max(1), l.unacked_bytes_max.max(1));
    (l.resume_seconds_max, AckLimits { stanzas_max, bytes_max, request_every }, location)
}

/// From now on the session survives a restart of the server: its number in the journal.
fn note_enabled(core: &Core, client: &Client, resume: &Resume) -> u32 {
    let (Some(account), resource) = (client.account.id, &client.resource) else { return 0 };
    let session = core.journal.new_session();
    core.journal.note(|batch| {
        let new = NewSession {
            account: account.0,
            jid: resource.jid.as_str(),
            id: &resume.id,
            max_seconds: u32::try_from(resume.max.as_secs()).unwrap_or(u32::MAX),
            since_us: resource.since_us,
            peer: resource.peer,
            encrypted: resource.encrypted,
        };
        batch.open(session, &new);
    });
    let mut state = client.account.lock();
    resource.outbox.journaled_as(session);
    client.pending.journaled_as(session);
    if let Some(bound) = state.bound(resource) {
        bound.note(&core.journal);
        if bound.rooms.is_some() {
            bound.note_rooms(&core.journal);
        }
    }
    session
}

/// How long the old connection has for letting go of a session that is resumed.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(10);

/// A session that goes on over a new connection.
pub(super) struct Resumed {
    pub(super) client: Client,
    pub(super) ack: Box<Ack>,
    /// `<resumed/>`.
    pub(super) element: Element,
    /// What is to be sent right behind it.
    pub(super) tail: Vec<u8>,
}

/// Before binding: `<resume/>`, or something that is out of place. `None`: the client was answered and may bind.
pub(super) async fn before_binding(
    core: &Arc<Core>,
    account: &Arc<Account>,
    element: &Element,
    channel: &mut Channel,
) -> Result<Option<(Client, Box<Ack>)>, CloseReason> {
    let condition = match element.name() {
        "resume" => match resume(core, account, element, channel.wire.framing).await? {
            Ok(Resumed { client, ack, element, tail }) => {
                channel.say(&element.to_xml(ns::CLIENT));
                channel.wire.queue(|_, out| out.extend_from_slice(&tail));
                return Ok(Some((client, ack)));
            }
            Err(condition) => condition,
        },
        _ => Condition::UnexpectedRequest,
    };
    channel.send(&failed(condition, handled_before(core, account, element))).await?;
    Ok(None)
}

/// §5: how many stanzas of a session that cannot be resumed any more were handled, for `<failed/>`.
pub(super) fn handled_before(core: &Core, account: &Account, resume: &Element) -> Option<u32> {
    core.resumable.handled(resume.get_attr("previd")?, account.jid.as_str())
}

/// A session cannot be resumed any more.
pub(super) fn forget(core: &Core, client: &Client, id: &str, ack: &Ack) {
    let ended_max = core.config().limits.resume_ended_max;
    core.resumable.remove(id, client.pending.is_clear().then_some(ack.handled), ended_max);
}

/// §5: takes a session over, as `<resume/>` asks, on a connection with this framing. A condition is for `<failed/>`, a reason ends the stream.
pub(super) async fn resume(
    core: &Arc<Core>,
    account: &Arc<Account>,
    element: &Element,
    framing: Framing,
) -> Result<Result<Resumed, Condition>, CloseReason> {
    let count = element.get_attr("h").and_then(|h| h.parse::<u32>().ok());
    let (Some(id), Some(h)) = (element.get_attr("previd"), count) else { return Ok(Err(Condition::BadRequest)) };
    // Somebody else's session is as unknown as none at all.
    let session = core.resumable.find(id).filter(|s| Arc::ptr_eq(&s.client.account, account));
    let Some(session) = session else { return Ok(Err(Condition::ItemNotFound)) };
    let client = session.client.clone();
    // Of several who want it at the same time the last one gets it, the others at once nothing.
    let claim = session.claim();
    client.resource.outbox.hand_over();
    // What was handled over the old connection is counted only when it is safe.
    let free = async {
        if session.is_free(&claim).await {
            client.pending.cleared().await;
        }
    };
    if tokio::time::timeout(HAND_OVER_PATIENCE, free).await.is_err() {
        return Ok(Err(Condition::ItemNotFound));
    }
    // From here on nothing is awaited: whoever has the state must not be interrupted.
    let Some(mut ack) = session.take_over(&claim) else { return Ok(Err(Condition::ItemNotFound)) };
    if ack.acknowledge(h).is_err() {
        let reason = CloseReason::AckTooHigh { h, sent: ack.sent() };
        forget(core, &client, id, &ack);
        leave::depart(core, &client, reason, Vec::new(), Some(ack));
        return Err(reason);
    }
    let Some(tail) = attach(core, &client, &mut ack, framing) else {
        forget(core, &client, id, &ack);
        leave::depart(core, &client, CloseReason::ConnectionLost, Vec::new(), Some(ack));
        return Ok(Err(Condition::ItemNotFound));
    };
    if session.is_contested(&claim) {
        // Its wish came before we were there to hear it.
        client.resource.outbox.hand_over();
    }
    ack.note_away(0);
    ack.make_safe(ack.handled);
    let element = Element::new("resumed", ns::SM).attr("previd", id).attr("h", ack.handled.to_string());
    Ok(Ok(Resumed { client, ack, element, tail }))
}

/// §5: the counters go on, and what the client has not acknowledged is sent again: it comes back printed. `None`: the
/// session has ended.
fn attach(core: &Arc<Core>, client: &Client, ack: &mut Ack, framing: Framing) -> Option<Vec<u8>> {
    let presence = {
        let mut state = client.account.lock();
        let bound = state.bound(&client.resource)?;
        (bound.detached_ms, bound.away) = (None, None);
        let presence = bound.presence.clone().filter(|_| bound.priority >= 0);
        client.resource.outbox.taken_over();
        if ack.page().is_some() {
            // It is this one that waited.
            state.offline.detached = None;
        }
        state.offline.had_upto = state.offline.had_upto.max(ack.had_upto());
        ack.drop_revoked();
        if presence.is_some() {
            state.offline.claim();
        }
        presence
    };
    let mut out = Vec::new();
    for item in ack.unacked() {
        framing.item(&mut out, item);
    }
    ack.reconnected();
    if ack.take_request(true, clock::monotonic_seconds()) {
        framing.element(&mut out, write_request);
    }
    // Messages that came meanwhile are in the store.
    if let Some(presence) = presence {
        core.registry.run_available(core, client, &presence);
    }
    Some(out)
}
