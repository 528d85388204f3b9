//! XEP-0198 §5: sessions that can be taken up again, by SM-ID.

use super::ack::Ack;
use super::resource::Client;
use dashmap::DashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Every resumable session, connected or not.
#[derive(Default)]
pub struct ResumeTable {
    sessions: DashMap<Box<str>, Arc<Resumable>>,
}

/// One resumable session.
pub struct Resumable {
    /// Whose it is.
    pub client: Client,
    state: Mutex<Option<Deposit>>,
    /// Something was put there.
    deposited: Notify,
}

/// The counters and what is unacknowledged, while no connection has them.
struct Deposit {
    ack: Box<Ack>,
    /// Somebody took them.
    taken: Arc<Notify>,
}

/// Tells what one put there from what somebody else put there later.
pub struct Ticket(Arc<Notify>);

impl ResumeTable {
    /// A session that can be resumed from now on.
    pub fn insert(&self, id: &str, client: Client) {
        let session = Resumable { client, state: Mutex::default(), deposited: Notify::new() };
        self.sessions.insert(id.into(), Arc::new(session));
    }

    /// The session with this SM-ID.
    pub fn find(&self, id: &str) -> Option<Arc<Resumable>> {
        self.sessions.get(id).map(|s| s.value().clone())
    }

    /// It cannot be resumed any more.
    pub fn remove(&self, id: &str) {
        self.sessions.remove(id);
    }
}

impl Resumable {
    /// The connection is gone: somebody else may go on.
    pub fn deposit(&self, ack: Box<Ack>) -> Ticket {
        let taken = Arc::new(Notify::new());
        *self.lock() = Some(Deposit { ack, taken: taken.clone() });
        self.deposited.notify_one();
        Ticket(taken)
    }

    /// Waits until the connection has let go of the session.
    pub async fn is_free(&self) {
        while self.lock().is_none() {
            self.deposited.notified().await;
        }
    }

    /// Takes the session over, if it is free.
    pub fn take_over(&self) -> Option<Box<Ack>> {
        let deposit = self.lock().take()?;
        deposit.taken.notify_one();
        Some(deposit.ack)
    }

    /// Takes back what was put here, unless a new connection was faster.
    pub fn take_back(&self, ticket: &Ticket) -> Option<Box<Ack>> {
        let mut state = self.lock();
        state.take_if(|deposit| Arc::ptr_eq(&deposit.taken, &ticket.0)).map(|deposit| deposit.ack)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Deposit>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Waits until a new connection has taken the session over.
    pub async fn taken(&self) {
        self.0.notified().await;
    }
}
