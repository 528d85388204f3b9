//! A session whose connection is lost, and that waits for its client to come back (XEP-0198 §5).

use super::leave;
use super::session::Ended;
use super::stream_management::forget;
use crate::account::Replay;
use crate::account::ack::Ack;
use crate::account::resource::Client;
use crate::account::resumable::{Resumable, Ticket};
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use crate::delivery::carbons;
use crate::extension::Arrival;
use crate::outbox::{Item, Receipt};
use crate::router::bounce::bounce;
use crate::xep::client_state;
use std::sync::Arc;
use std::time::Duration;
use xep_support::stanza::{Facts, Kind, MessageType};

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
        CloseReason::ConnectionLost
            | CloseReason::Dead
            | CloseReason::WriteStalled
            | CloseReason::Resumed
            | CloseReason::Shutdown
    );
    let session = kept.as_ref().and_then(|(id, _)| core.resumable.find(id)).filter(|_| lost);
    tracing::info!(reason = reason.name(), resumable = session.is_some(), "session ended");
    let (Some(session), Some((id, max))) = (session, kept) else {
        if let Some(resume) = &ack.resume {
            forget(core, client, &resume.id, &ack);
        }
        leave::depart(core, client, reason, unwritten, Some(ack));
        return None;
    };
    // No sender waits for this client to come back.
    ack.note_flushed();
    ack.note_away(clock::now_micros());
    let ticket = detach(core, client, unwritten, ack, &session);
    if let Some(unfinished) = ended.unfinished.take() {
        // It was counted as handled.
        unfinished.await;
    }
    session.ready();
    Some(Detached { session, ticket, id, max })
}

/// Messages that were not sent yet go to the store, where they are as safe as anything: their senders need not wait for
/// this client to come back. What was sent waits for it, stored messages only as long as nobody else can take them.
fn detach(core: &Arc<Core>, client: &Client, unwritten: Vec<Item>, ack: Box<Ack>, session: &Arc<Resumable>) -> Ticket {
    let mut refused = Vec::new();
    let ticket = {
        let mut state = client.account.lock();
        let page = ack.page().cloned();
        let sent =
            if state.push.is_some() { ack.unacked().map(|item| item.stanza.clone()).collect() } else { Vec::new() };
        // From the moment on when it is not reachable any more, what it misses goes behind what was sent.
        let ticket = session.deposit(ack);
        let Some(bound) = state.bound(&client.resource) else { return ticket };
        (bound.detached_ms, bound.away) = (Some(clock::monotonic_ms()), Some(session.clone()));
        client.resource.outbox.lost();
        let kept = client.resource.outbox.extract(|item| is_kept(client, item) || is_own_copy(client, item));
        client_state::deactivate(core, &client.resource);
        let left: Vec<Item> = unwritten.into_iter().chain(kept).collect();
        let rows = page.is_some() || left.iter().any(|i| matches!(i.receipt, Receipt::Row(_)));
        if rows && matches!(state.offline.replay, Replay::Draining) {
            // These rows stay in the store; whatever is newer goes there too, until they are handed out anew.
            state.offline.replay = Replay::Storing;
        }
        if let Some(page) = page {
            state.offline.detached = Some(Arc::downgrade(&page));
            if state.reachable().next().is_some() {
                state.offline.revoke_detached();
            }
        }
        for mut item in left {
            match item.receipt {
                Receipt::Copy(copies) => match copies.left_behind() {
                    Ok(hold) => {
                        if leave::is_ours_alone(client, &item.stanza) {
                            // Nobody has the message itself (XEP-0280).
                            let Some(original) = carbons::original(&item.stanza) else { continue };
                            (item.stanza, item.to, item.extra) = (Arc::new(original), None, None);
                        }
                        item.receipt = hold.map_or(Receipt::None, Receipt::Hold);
                    }
                    // Others have it or will. This one gets it when it comes back.
                    Err(copies) => {
                        item.receipt = Receipt::Copy(copies);
                        if let Some(bound) = state.bound(&client.resource) {
                            bound.misses(item);
                        }
                        continue;
                    }
                },
                Receipt::None if is_own_copy(client, &item) => {
                    if let Some(bound) = state.bound(&client.resource) {
                        bound.misses(item);
                    }
                    continue;
                }
                other => item.receipt = other,
            }
            refused.extend(leave::send_elsewhere(core, client, &mut state, item, None));
        }
        for message in sent {
            let waits = Arrival::Waits(client.jid().resource());
            core.registry.run_arrived(core, &client.account, &mut state, &message, waits);
        }
        ticket
    };
    for (parcel, error) in refused {
        bounce(core, &parcel, error);
    }
    ticket
}

/// What was made for this session alone waits for it, except for a copy of a message (XEP-0280) that others know of.
fn is_kept(client: &Client, item: &Item) -> bool {
    let kept = matches!(item.stanza.message_type(), MessageType::Chat | MessageType::Normal);
    let shared = || matches!(item.receipt, Receipt::Copy(_)) || !leave::is_ours_alone(client, &item.stanza);
    item.stanza.kind() == Kind::Message && kept && shared()
}

/// A copy of a message (XEP-0280) that nobody else has need of. It waits with what was sent, since that survives the server.
fn is_own_copy(client: &Client, item: &Item) -> bool {
    item.stanza.facts().contains(Facts::CARBON) && leave::is_ours_alone(client, &item.stanza)
}

impl Detached {
    /// A session whose counters were deposited, for at most so long.
    pub(super) fn new(session: Arc<Resumable>, ticket: Ticket, id: Box<str>, max: Duration) -> Self {
        Self { session, ticket, id, max }
    }

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
        if reason == CloseReason::Shutdown && core.journal.is_on() {
            return suspend(client, ack).await;
        }
        forget(core, client, &self.id, &ack);
        tracing::info!(reason = reason.name(), "session not resumed");
        leave::depart(core, client, reason, Vec::new(), Some(ack));
    }
}

/// How long a stop waits for what a client sent to be safe. If it takes longer, the client sends some of it again.
const SUSPEND_PATIENCE: Duration = Duration::from_secs(5);

/// The server stops: the session goes on with the next process. What waits for its client counts as sent, and its presence
/// stands.
async fn suspend(client: &Client, mut ack: Box<Ack>) {
    {
        let _state = client.account.lock();
        for item in client.resource.outbox.shut() {
            ack.note_missed(item, clock::now_micros());
        }
    }
    client.resource.outbox.departed();
    if tokio::time::timeout(SUSPEND_PATIENCE, client.pending.cleared()).await.is_ok() {
        ack.make_safe(ack.handled);
    }
    tracing::info!("session waits for the next start");
}
