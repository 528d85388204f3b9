//! The table of sessions. One is in it as long as there is something that could be asked for: the last answers some seconds
//! beyond its end, for a client whose connection broke while they were on the way (XEP-0124 §13.3).

use super::link::Shared;
use super::reading::Reading;
use dashmap::DashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;

/// All sessions. Each has a place in the budget of connections until it ends, so they are bounded.
pub struct Sessions {
    by_sid: DashMap<String, Arc<Shared>>,
    /// Bytes of those that have ended.
    ended_bytes: AtomicUsize,
    /// Requests that are being read.
    pub(super) reading: Arc<Reading>,
    stopping: watch::Receiver<bool>,
}

/// What all sessions that have ended may take: a few hundred, if their last answers are large. Without room for it a session
/// is forgotten at once.
const ENDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Of one that has no answer to speak of.
const ENDED_BYTES_EACH: usize = 2 * 1024;
/// For so long the last answers of a session can be asked for.
const ENDED_TIME_MAX: Duration = Duration::from_secs(10);

impl Sessions {
    /// None yet.
    pub fn new(stopping: watch::Receiver<bool>) -> Arc<Self> {
        let (by_sid, reading) = (DashMap::new(), Arc::default());
        Arc::new(Self { by_sid, ended_bytes: AtomicUsize::new(0), reading, stopping })
    }

    /// The session with this name.
    pub(super) fn find(&self, sid: &str) -> Option<Arc<Shared>> {
        self.by_sid.get(sid).map(|found| found.value().clone())
    }
}

/// A session in the table; it leaves it when this is dropped, however that comes.
pub(super) struct Listed {
    sessions: Arc<Sessions>,
    shared: Arc<Shared>,
    ended_bytes: usize,
}

impl Listed {
    /// Puts it into the table.
    pub(super) fn new(sessions: &Arc<Sessions>, shared: Arc<Shared>) -> Self {
        sessions.by_sid.insert(shared.sid.clone(), shared.clone());
        Self { sessions: sessions.clone(), shared, ended_bytes: 0 }
    }

    /// Serves its stream to the end.
    pub(super) async fn serve(self, mut stream: Pin<Box<impl Future<Output = ()>>>) {
        let has_ended = self.shared.keep(stream.as_mut()).await;
        if has_ended {
            drop(stream);
            Box::pin(self.remember()).await;
        } else {
            tokio::join!(stream, Box::pin(self.remember()));
        }
    }

    /// The session is over: somebody may have missed the last words.
    async fn remember(mut self) {
        let (bytes, patience) = self.shared.remains();
        if !self.take_room(bytes) {
            return;
        }
        let mut stopping = self.sessions.stopping.clone();
        tokio::select! {
            () = tokio::time::sleep(patience.min(ENDED_TIME_MAX)) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    fn take_room(&mut self, bytes: usize) -> bool {
        self.ended_bytes = bytes + ENDED_BYTES_EACH;
        self.sessions.ended_bytes.fetch_add(self.ended_bytes, Relaxed) + self.ended_bytes <= ENDED_BYTES_MAX
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.by_sid.remove(&self.shared.sid);
        self.sessions.ended_bytes.fetch_sub(self.ended_bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::tests::session;
    use super::*;
    use std::future::{poll_fn, ready};
    use std::task::Poll;

    fn sessions() -> (watch::Sender<bool>, Arc<Sessions>) {
        let (sender, stopping) = watch::channel(false);
        (sender, Sessions::new(stopping))
    }

    /// A defect in a stream leaves nothing behind.
    #[tokio::test]
    async fn a_stream_that_panics_leaves_the_table() {
        let (_sender, sessions) = sessions();
        let (shared, _place) = session(60);
        let listed = Listed::new(&sessions, shared);
        assert!(sessions.find("sid").is_some());
        let stream = Box::pin(poll_fn(|_| -> Poll<()> { panic!("a defect") }));
        assert!(tokio::spawn(listed.serve(stream)).await.is_err_and(|error| error.is_panic()));
        assert!(sessions.find("sid").is_none());
    }

    /// After its end a session is there for a while, unless the server stops.
    #[tokio::test]
    async fn the_last_answers_are_kept_for_a_while() {
        let (sender, sessions) = sessions();
        let (shared, _place) = session(60);
        let mut serving = Box::pin(Listed::new(&sessions, shared.clone()).serve(Box::pin(ready(()))));
        assert!(poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await.is_pending());
        assert!(sessions.find("sid").is_some_and(|found| Arc::ptr_eq(&found, &shared)));
        assert_eq!(sessions.ended_bytes.load(Relaxed), ENDED_BYTES_EACH + shared.remains().0);
        sender.send_replace(true);
        serving.await;
        assert!(sessions.find("sid").is_none());
        assert_eq!(sessions.ended_bytes.load(Relaxed), 0);
    }

    #[test]
    fn those_that_have_ended_have_so_much_room() {
        let (_sender, sessions) = sessions();
        let mut listed = Listed::new(&sessions, session(60).0);
        assert!(listed.take_room(ENDED_BYTES_MAX - ENDED_BYTES_EACH));
        let mut other = Listed::new(&sessions, session(60).0);
        assert!(!other.take_room(0));
        drop((listed, other));
        assert_eq!(sessions.ended_bytes.load(Relaxed), 0);
    }
}
