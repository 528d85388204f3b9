//! IQ requests of our own (RFC 6120 §8.2.3): who waits for which answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use xep_support::jid::Jid;
use xep_support::stanza::Stanza;

/// Requests that may wait for an answer at a time; more are not sent.
const WAITING_MAX: usize = 10_000;

/// Everybody who waits for an answer.
#[derive(Default)]
pub struct Requests {
    waiting: Mutex<HashMap<Box<str>, Waiting>>,
    last: AtomicU64,
}

struct Waiting {
    /// Whoever was asked: nobody else may answer.
    asked: Jid,
    answer: oneshot::Sender<Arc<Stanza>>,
}

/// A request that was given an id. Dropping it gives the answer up.
pub struct Request<'a> {
    requests: &'a Requests,
    id: Box<str>,
    answer: oneshot::Receiver<Arc<Stanza>>,
}

impl Requests {
    /// A request that will be sent to `asked`; `None`: too many wait already.
    pub fn begin(&self, asked: &Jid) -> Option<Request<'_>> {
        // Who was asked is compared, so that it need not be a secret.
        let id: Box<str> = format!("magpie-{}", self.last.fetch_add(1, Ordering::Relaxed)).into();
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        waiting.insert(id.clone(), Waiting { asked: asked.clone(), answer });
        Some(Request { requests: self, id, answer: receiver })
    }

    /// A result or an error arrived.
    pub fn answered(&self, stanza: Arc<Stanza>) {
        let (Some(id), Some(from)) = (stanza.id(), stanza.from()) else { return };
        let mut waiting = self.lock();
        if waiting.get(&*id).is_none_or(|w| w.asked != *from) {
            return;
        }
        if let Some(Waiting { answer, .. }) = waiting.remove(&*id) {
            let _ = answer.send(stanza);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request<'_> {
    /// What the request has to carry.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The answer: a result or an error. `None`: there will be none.
    pub async fn answer(mut self) -> Option<Arc<Stanza>> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.id);
    }
}
