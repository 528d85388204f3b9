//! Instant messaging and presence (RFC 6121): the roster, subscriptions, presence.

pub mod invited;
pub mod presence;
pub mod roster;
pub mod subscription;
pub mod transitions;

use crate::core::Core;
use std::future::Future;
use tracing::Instrument;

/// Does work that changes rosters to its end, even if the session that wants it ends meanwhile: its connection may break,
/// a newer session may take its resource over. Stopped half-way, the user's roster would say what the contact's does not.
/// `None`: the work has panicked.
pub fn to_the_end<T: Send + 'static>(
    core: &Core,
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Option<T>> + Send + 'static {
    let task = core.work.spawn(work.in_current_span());
    async move { task.await.ok() }
}
