//! Answers that come only after the commit.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::Error;
use crate::journal::Effect;

/// The outcome of a write: ready once the write is on disk, or has failed.
///
/// The write was enqueued when this was made, takes effect in that order, and is not cancelled by dropping this.
#[must_use = "nothing may be acknowledged before the commit"]
#[derive(Debug)]
pub struct Commit<T>(oneshot::Receiver<Result<T, Error>>);

/// The other end of a [`Commit`].
pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

impl<T> Commit<T> {
    pub(super) fn pair() -> (Answer<T>, Self) {
        let (answer, receiver) = oneshot::channel();
        (answer, Self(receiver))
    }

    /// Need nobody wait for it any more?
    pub fn is_decided(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<T> Future for Commit<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // An answer dropped unsent: the writer is gone, and the write with it.
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}

/// Called with the outcome of a write, on the writer's task: it must be quick and must not block.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A [`Done`] that is called exactly once, whatever becomes of the operation that carries it.
///
/// What a callback captures (a sender's acknowledgement, say) would be released by a silent drop, as if all were well.
pub(super) struct Completion {
    done: Option<Done>,
    effect: Option<Effect>,
}

impl Completion {
    pub(super) fn new(done: Done, effect: Option<Effect>) -> Self {
        Self { done: Some(done), effect }
    }

    /// What the session journal is to know about the write.
    pub(super) fn effect(&self) -> Option<Effect> {
        self.effect
    }

    pub(super) fn finish(mut self, result: Result<(), Error>) {
        self.call(result);
    }

    fn call(&mut self, result: Result<(), Error>) {
        let Some(done) = self.done.take() else { return };
        // A bug in one callback must not take the writer, and with it everybody's durability, along.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a completion callback of the storage panicked");
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.call(Err(Error::Closed));
    }
}
