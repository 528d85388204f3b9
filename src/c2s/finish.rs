//! What comes after the last poll of a session: it is over, or waits for its client; and its stream is closed.

use super::session::Ended;
use super::{detached, goodbye, leave};
use crate::account::resource::Client;
use crate::close::CloseReason;
use crate::core::Core;
use crate::counters::Place;
use std::sync::Arc;

/// After the session's last poll. The place is that of the connection.
pub(super) async fn finish(core: Arc<Core>, client: Client, mut ended: Ended, place: Place) {
    let detached = match ended.ack.take() {
        Some(ack) => detached::connection_ended(&core, &client, &mut ended, ack).await,
        None => {
            leave::depart(&core, &client, ended.reason, std::mem::take(&mut ended.unwritten), None);
            tracing::info!(reason = ended.reason.name(), "session ended");
            None
        }
    };
    if let Some(unfinished) = ended.unfinished.take() {
        // It may be between the user's roster and the contact's: what was begun is finished.
        unfinished.await;
    }
    let goodbye = async {
        say_goodbye(&core, &client, ended).await;
        drop(place);
    };
    match detached {
        Some(detached) => drop(tokio::join!(goodbye, detached.until_resumed_or_over(&core, &client))),
        None => goodbye.await,
    }
}

async fn say_goodbye(core: &Core, client: &Client, ended: Ended) {
    let Ended { reason, wire, goodbye: true, .. } = ended else { return };
    core.counters.stream_ended(reason);
    let limit = core.config().limits.close_seconds_max;
    let from = client.jid().domain();
    let farewell = client.resource.outbox.farewell().filter(|_| reason == CloseReason::Kicked);
    let _ = tokio::time::timeout(limit, goodbye::say_goodbye(wire, reason, true, Some(from), farewell)).await;
}
