//! XEP-0502: how much is said in a room. Complete hours are stored when the next message comes or the last occupant leaves,
//! so what an end of the process takes away is not more than one of them.

use super::task::Here;
use crate::clock;
use crate::core::Core;
use crate::extension::{About, Extension};
use crate::rooms::activity::{self, HOURS, Hour};
use crate::rooms::{RoomConfig, RoomState};
use xep_support::stanza::Stanza;

/// How much is said.
pub struct ActivityIndicator;

impl Extension for ActivityIndicator {
    fn about(&self) -> About {
        About::new("XEP-0502", "MUC Activity Indicator", "0.1.0")
    }
}

/// Something was said.
pub(super) fn count(core: &Core, state: &mut RoomState, message: &Stanza, at_us: i64) {
    if activity::counts(message.facts()) {
        let over = state.activity.count(at_us);
        store(core, state, over);
    }
}

/// The room is about to be forgotten.
pub(super) fn put_away(core: &Core, state: &mut RoomState) {
    let counted = state.activity.take_before(i64::MAX);
    store(core, state, counted);
}

/// Nobody waits for it.
fn store(core: &Core, state: &RoomState, counted: Option<Hour>) {
    if let (Some(id), Some(hour)) = (state.id, counted) {
        drop(core.storage.room_activity_add(id, hour.hour, hour.messages));
    }
}

/// Messages per hour, if they are for everybody to know (§3.1, §9). Storage is asked once an hour.
pub(super) async fn rate(here: &mut Here<'_>) -> Option<String> {
    let Here { core, state, .. } = here;
    let id = state.id.filter(|_| is_open(&state.config))?;
    let now_us = clock::now_micros();
    let hour = activity::hour_of(now_us);
    let messages = match state.activity.before(hour) {
        Some(messages) => messages,
        None => {
            if let Some(over) = state.activity.take_before(hour) {
                // What could not be stored does not count.
                let _ = core.storage.room_activity_add(id, over.hour, over.messages).await;
            }
            let found = core.storage.room_activity(id, hour - HOURS, hour).await;
            let messages = found.inspect_err(|error| tracing::error!(%error, "activity could not be read")).ok()?;
            state.activity.set_before(hour, messages);
            messages
        }
    };
    activity::per_hour(messages, now_us.saturating_sub(state.created_us))
}

fn is_open(config: &RoomConfig) -> bool {
    config.persistent && config.public && !config.members_only && config.password.is_none()
}
