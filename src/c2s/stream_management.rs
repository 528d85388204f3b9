//! XEP-0198 on a client's stream: enabling, resuming, and what becomes of a session whose connection is gone.

use super::channel::Channel;
use super::leave;
use super::session::Ended;
use crate::account::ack::{Ack, AckLimits, Resume, failed, write_request};
use crate::account::resource::Client;
use crate::account::resumable::{Resumable, Ticket};
use crate::account::{Account, Replay};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::outbox::{Item, Receipt};
use crate::router::bounce::bounce;
use std::sync::Arc;
use std::time::Duration;
use xep_support::ns;
use xep_support::stanza::error::Condition;
use xep_support::stanza::{Kind, MessageType, Print};
use xep_support::xml::Element;

/// §3, §5: the client's wish and our limits.
pub(super) fn enable(core: &Core, client: &Client, element: &Element) -> Ack {
    let (kept_max, limits) = {
        let l = &core.config().limits;
        let request_every = u32::try_from(l.ack_request_stanzas_max).unwrap_or(u32::MAX).max(1);
        let (stanzas_max, bytes_max) = (l.unacked_stanzas_max.max(1), l.unacked_bytes_max.max(1));
        (l.resume_seconds_max, AckLimits { stanzas_max, bytes_max, request_every })
    };
    // An anonymous user is somebody else at the next login.
    let may = !kept_max.is_zero() && client.account.id.is_some();
    let wanted = may && matches!(element.get_attr("resume"), Some("true" | "1"));
    let asked = element.get_attr("max").and_then(|m| m.parse().ok()).map(Duration::from_secs);
    let resume = wanted.then(|| Resume { id: super::random_id().into(), max: asked.unwrap_or(kept_max).min(kept_max) });
    if let Some(resume) = &resume {
        core.resumable.insert(&resume.id, client.clone());
    }
    Ack::new(resume, limits)
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
        "resume" => match resume(core, account, element).await? {
            Ok(Resumed { client, ack, element, tail }) => {
                channel.wire.queue(element.to_xml(ns::CLIENT).as_bytes());
                channel.wire.queue(&tail);
                return Ok(Some((client, ack)));
            }
            Err(condition) => condition,
        },
        _ => Condition::UnexpectedRequest,
    };
    channel.send(&failed(condition, None)).await?;
    Ok(None)
}

/// §5: takes a session over, as `<resume/>` asks. A condition is for `<failed/>`, a reason ends the stream.
pub(super) async fn resume(
    core: &Arc<Core>,
    account: &Arc<Account>,
    element: &Element,
) -> Result<Result<Resumed, Condition>, CloseReason> {
    let count = element.get_attr("h").and_then(|h| h.parse::<u32>().ok());
    let (Some(id), Some(h)) = (element.get_attr("previd"), count) else { return Ok(Err(Condition::BadRequest)) };
    // Somebody else's session is as unknown as none at all.
    let session = core.resumable.find(id).filter(|s| Arc::ptr_eq(&s.client.account, account));
    let Some(session) = session else { return Ok(Err(Condition::ItemNotFound)) };
    let client = session.client.clone();
    client.resource.outbox.hand_over();
    // What was handled over the old connection is counted only when it is safe.
    let free = async {
        session.is_free().await;
        client.pending.cleared().await;
    };
    if tokio::time::timeout(HAND_OVER_PATIENCE, free).await.is_err() {
        return Ok(Err(Condition::ItemNotFound));
    }
    // From here on nothing is awaited: whoever has the state must not be interrupted.
    let Some(mut ack) = session.take_over() else { return Ok(Err(Condition::ItemNotFound)) };
    if ack.acknowledge(h).is_err() {
        let reason = CloseReason::AckTooHigh { h, sent: ack.sent() };
        core.resumable.remove(id);
        leave::depart(core, &client, reason, ack.into_unacked().into());
        return Err(reason);
    }
    let Some(tail) = attach(core, &client, &mut ack) else {
        core.resumable.remove(id);
        leave::depart(core, &client, CloseReason::ConnectionLost, ack.into_unacked().into());
        return Ok(Err(Condition::ItemNotFound));
    };
    let element = Element::new("resumed", ns::SM).attr("previd", id).attr("h", ack.handled.to_string());
    Ok(Ok(Resumed { client, ack, element, tail }))
}

/// §5: the counters go on, and what the client has not acknowledged is sent again: it comes back printed. `None`: the
/// session has ended.
fn attach(core: &Arc<Core>, client: &Client, ack: &mut Ack) -> Option<Vec<u8>> {
    let presence = {
        let mut state = client.account.lock();
        let bound = state.bound(&client.resource)?;
        bound.detached_ms = None;
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
        let extra = item.extra.as_deref().unwrap_or_default().as_bytes();
        item.stanza.write(&mut out, &Print { to: item.to.as_ref(), xmlns: None, extra });
    }
    ack.reconnected();
    if ack.take_request(true, clock::monotonic_seconds()) {
        write_request(&mut out);
    }
    // Messages that came meanwhile are in the store.
    if let Some(presence) = presence {
        core.registry.run_available(core, client, &presence);
    }
    Some(out)
}

/// A session that waits for its client to come back.
pub(super) struct Detached {
    session: Arc<Resumable>,
    ticket: Ticket,
    id: Box<str>,
    max: Duration,
}

/// The connection of a session with stream management ended: for good, or for as long as the client may come back.
pub(super) async fn connection_ended(
    core: &Arc<Core>,
    client: &Client,
    ended: &mut Ended,
    mut ack: Box<Ack>,
) -> Option<Detached> {
    let reason = ended.reason;
    let unwritten = std::mem::take(&mut ended.unwritten);
    let kept = ack.resume.as_ref().map(|r| (r.id.clone(), r.max));
    let lost = matches!(
        reason,
        CloseReason::ConnectionLost | CloseReason::Dead | CloseReason::WriteStalled | CloseReason::Resumed
    );
    let session = kept.as_ref().and_then(|(id, _)| core.resumable.find(id)).filter(|_| lost);
    tracing::info!(reason = reason.name(), resumable = session.is_some(), "session ended");
    let (Some(session), Some((id, max))) = (session, kept) else {
        if let Some(resume) = &ack.resume {
            core.resumable.remove(&resume.id);
        }
        let in_hand = unwritten.into_iter().chain(ack.into_unacked()).collect();
        leave::depart(core, client, reason, in_hand);
        return None;
    };
    detach(core, client, unwritten, &ack);
    // No sender waits for this client to come back.
    ack.note_flushed();
    if let Some(unfinished) = ended.unfinished.take() {
        // It was counted as handled.
        unfinished.await;
    }
    let ticket = session.deposit(ack);
    Some(Detached { session, ticket, id, max })
}

/// Messages that were not sent yet go to the store, where they are as safe as anything: their senders need not wait for
/// this client to come back. What was sent waits for it, stored messages only as long as nobody else can take them.
fn detach(core: &Arc<Core>, client: &Client, unwritten: Vec<Item>, ack: &Ack) {
    let mut refused = Vec::new();
    {
        let mut state = client.account.lock();
        let Some(bound) = state.bound(&client.resource) else { return };
        bound.detached_ms = Some(clock::monotonic_ms());
        let left: Vec<Item> = unwritten.into_iter().chain(client.resource.outbox.extract(is_kept)).collect();
        let page = ack.page();
        let rows = page.is_some() || left.iter().any(|i| matches!(i.receipt, Receipt::Row(_)));
        if rows && matches!(state.offline.replay, Replay::Draining) {
            // These rows stay in the store; whatever is newer goes there too, until they are handed out anew.
            state.offline.replay = Replay::Storing;
        }
        if let Some(page) = page {
            state.offline.detached = Some(Arc::downgrade(page));
            if state.reachable().next().is_some() {
                state.offline.revoke_detached();
            }
        }
        for item in left {
            refused.extend(leave::send_elsewhere(core, client, &mut state, item));
        }
    }
    for (parcel, error) in refused {
        bounce(core, &parcel, error);
    }
}

fn is_kept(item: &Item) -> bool {
    let kept = matches!(item.stanza.message_type(), MessageType::Chat | MessageType::Normal);
    item.stanza.kind() == Kind::Message && kept
}

impl Detached {
    /// Until the client resumes, the time is up, or somebody ends the session.
    pub(super) async fn until_resumed_or_over(self, core: &Arc<Core>, client: &Client) {
        // First of all: is it somebody else's now? Then its outbox is, too.
        let reason = tokio::select! {
            biased;
            () = self.ticket.taken() => return,
            () = tokio::time::sleep(self.max) => CloseReason::ConnectionLost,
            reason = client.resource.outbox.closed() => reason,
        };
        let Some(ack) = self.session.take_back(&self.ticket) else { return };
        core.resumable.remove(&self.id);
        tracing::info!(reason = reason.name(), "session not resumed");
        leave::depart(core, client, reason, ack.into_unacked().into());
    }
}
