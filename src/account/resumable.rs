//! XEP-0198 §5: sessions that can be taken up again, by SM-ID.

use super::ack::Ack;
use super::resource::Client;
use crate::clock;
use crate::hold::Cause;
use crate::outbox::Item;
use dashmap::DashMap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use xep_support::stanza::Stanza;

/// Every resumable session, connected or not.
#[derive(Default)]
pub struct ResumeTable {
    sessions: DashMap<Box<str>, Arc<Resumable>>,
    ended: Mutex<VecDeque<EndedSession>>,
}

/// A session that is over. Its client may still ask how much of what it sent was handled.
struct EndedSession {
    id: Box<str>,
    account: Box<str>,
    handled: u32,
}

/// One resumable session.
pub struct Resumable {
    /// Whose it is.
    pub client: Client,
    state: Mutex<State>,
    /// Something has changed.
    changed: Notify,
}

#[derive(Default)]
struct State {
    deposit: Option<Deposit>,
    /// Counts those who want to take it over; the last one may.
    claims: u64,
}

/// The counters and what is unacknowledged, while no connection has them.
struct Deposit {
    ack: Box<Ack>,
    /// What the lost connection left to do is done.
    ready: bool,
    /// Somebody took them.
    taken: Arc<Notify>,
}

/// Tells what one put there from what somebody else put there later.
pub struct Ticket(Arc<Notify>);

/// The right to take a session over, until somebody else wants it.
pub struct Claim(u64);

impl ResumeTable {
    /// A session that can be resumed from now on.
    pub fn insert(&self, id: &str, client: Client) -> Arc<Resumable> {
        let session = Arc::new(Resumable { client, state: Mutex::default(), changed: Notify::new() });
        self.sessions.insert(id.into(), session.clone());
        session
    }

    /// The session with this SM-ID.
    pub fn find(&self, id: &str) -> Option<Arc<Resumable>> {
        self.sessions.get(id).map(|s| s.value().clone())
    }

    /// It cannot be resumed any more. How many of its client's stanzas were handled is remembered for a while, if that is
    /// certain; for the last `ended_max` sessions.
    pub fn remove(&self, id: &str, handled: Option<u32>, ended_max: usize) {
        let Some((id, session)) = self.sessions.remove(id) else { return };
        let Some(handled) = handled else { return };
        let account = session.client.account.jid.as_str().into();
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while ended.len() >= ended_max.max(1) {
            ended.pop_front();
        }
        ended.push_back(EndedSession { id, account, handled });
    }

    /// How many stanzas of an account's session that is over were handled.
    pub fn handled(&self, id: &str, account: &str) -> Option<u32> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().rev().find(|e| *e.id == *id && *e.account == *account).map(|e| e.handled)
    }
}

impl Resumable {
    /// The connection is gone. Nobody may go on before [`ready`](Self::ready).
    pub fn deposit(&self, ack: Box<Ack>) -> Ticket {
        let taken = Arc::new(Notify::new());
        self.lock().deposit = Some(Deposit { ack, ready: false, taken: taken.clone() });
        Ticket(taken)
    }

    /// What the connection left to do is done: somebody else may go on.
    pub fn ready(&self) {
        if let Some(deposit) = &mut self.lock().deposit {
            deposit.ready = true;
        }
        self.changed.notify_waiters();
    }

    /// Somebody wants to take the session over. Whoever wanted to before does not get it any more.
    pub fn claim(&self) -> Claim {
        let claims = {
            let mut state = self.lock();
            state.claims += 1;
            state.claims
        };
        self.changed.notify_waiters();
        Claim(claims)
    }

    /// Waits until the connection has let go of the session; `false` if somebody else wants it since.
    pub async fn is_free(&self, claim: &Claim) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if state.claims != claim.0 {
                    return false;
                }
                if state.deposit.as_ref().is_some_and(|d| d.ready) {
                    return true;
                }
            }
            changed.await;
        }
    }

    /// Takes the session over, if it is free and nobody else wants it since.
    pub fn take_over(&self, claim: &Claim) -> Option<Box<Ack>> {
        let mut state = self.lock();
        if state.claims != claim.0 {
            return None;
        }
        let deposit = state.deposit.take_if(|d| d.ready)?;
        deposit.taken.notify_one();
        Some(deposit.ack)
    }

    /// Does somebody else want it since?
    pub fn is_contested(&self, claim: &Claim) -> bool {
        self.lock().claims != claim.0
    }

    /// Takes back what was put here, unless a new connection was faster.
    pub fn take_back(&self, ticket: &Ticket) -> Option<Box<Ack>> {
        let mut state = self.lock();
        state.deposit.take_if(|deposit| Arc::ptr_eq(&deposit.taken, &ticket.0)).map(|deposit| deposit.ack)
    }

    /// A message that the client misses while nobody has its counters but we: noted, or `false` if it misses too much. It
    /// comes back if a connection has them.
    pub fn note_missed(&self, item: Item) -> Result<bool, Item> {
        match &mut self.lock().deposit {
            Some(deposit) if !deposit.ack.has_room() => Ok(false),
            Some(deposit) => {
                deposit.ack.note_missed(item, clock::now_micros());
                Ok(true)
            }
            None => Err(item),
        }
    }

    /// Was its client sent a copy of this message before a restart? See [`Ack::had_copy`].
    pub fn had_copy(&self, message: &Stanza, cause: Cause) -> bool {
        self.lock().deposit.as_ref().is_some_and(|deposit| deposit.ack.had_copy(message, cause))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Waits until a new connection has taken the session over.
    pub async fn taken(&self) {
        self.0.notified().await;
    }
}
