//! A message nobody can take now: stage Undelivered, else an error to its sender.
//!
//! What keeps it is an extension: `xep/offline.rs` puts it into the store (XEP-0160) and hands it out at the next login.

use crate::account::{Account, AccountState, Parcel, Replay};
use crate::core::Core;
use crate::extension::{Arrival, Undelivered};
use std::sync::Arc;
use xep_support::stanza::error::{Condition, StanzaError};

/// Asks the hooks in turn. Called under the account's lock; what the sender has to be told comes back.
pub fn undelivered(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    mut parcel: Parcel,
) -> Option<(Parcel, StanzaError)> {
    let message = state.push.is_some().then(|| parcel.stanza.clone());
    for hook in core.registry.undelivered() {
        match hook(core, account, state, parcel) {
            Undelivered::Kept => {
                if let Some(message) = message {
                    core.registry.run_arrived(core, account, state, &message, Arrival::Kept);
                }
                return None;
            }
            Undelivered::Pass(back) => parcel = back,
            Undelivered::Dropped(reason) => {
                tracing::debug!(to = %account.jid, reason, "undelivered message dropped");
                return None;
            }
            Undelivered::Refused(parcel, error) => return Some((parcel, error)),
        }
    }
    Some((parcel, StanzaError::new(Condition::ServiceUnavailable)))
}

/// While stored messages are being handed out, a new one goes behind them.
pub fn queue_behind(
    core: &Arc<Core>,
    account: &Arc<Account>,
    state: &mut AccountState,
    parcel: Parcel,
) -> Option<(Parcel, StanzaError)> {
    let parked_max = core.config().limits.parked_stanzas_max;
    match &mut state.offline.replay {
        Replay::Parking(parcels) if parcels.len() < parked_max => {
            parcels.push(parcel);
            None
        }
        Replay::Parking(_) => Some((parcel, StanzaError::new(Condition::ResourceConstraint))),
        Replay::Idle | Replay::Due | Replay::Storing | Replay::Draining => undelivered(core, account, state, parcel),
    }
}
