//! Another configuration shows other things of those who are there (XEP-0045 §10.2): real addresses, or none any more, and
//! presence that was shown to nobody, or is not any more. What it says is shown, as far as it is not too much at once.

use super::message::write_occupant_id;
use super::shapes::{self, Notice};
use super::task::{Here, Pace, give};
use crate::rooms::{Occupant, Role, RoomConfig, RoomState};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::stanza::{PresenceType, Stanza};

/// What somebody in a role is to be told of an occupant.
enum News {
    /// It is there, with its real address or without.
    There { fully: bool },
    /// It is not seen any more.
    Away { fully: bool },
}

/// The room was configured otherwise before.
pub(super) async fn show(here: &mut Here<'_>, before: &RoomConfig) {
    let changed: Vec<u32> =
        here.state.occupants.places().filter(|(_, o)| is_other(here.state, before, o)).map(|(slot, _)| slot).collect();
    if shapes::is_too_much(here, changed.len()) {
        return;
    }
    let mut pace = Pace::default();
    for slot in changed {
        show_one(here, before, slot, &mut pace).await;
    }
}

/// Is there anything new for anybody?
fn is_other(state: &RoomState, before: &RoomConfig, occupant: &Occupant) -> bool {
    Role::ALL.into_iter().any(|viewer| news(state, before, viewer, occupant).is_some())
}

fn news(state: &RoomState, before: &RoomConfig, viewer: Role, occupant: &Occupant) -> Option<News> {
    let (saw, sees) = (shapes::sees_by(before, viewer, occupant), shapes::sees(state, viewer, occupant));
    let fully = state.sees_addresses(viewer);
    let saw_fully = before.is_non_anonymous() || viewer == Role::Moderator;
    match (saw, sees) {
        (false, true) => Some(News::There { fully }),
        (true, true) => (fully != saw_fully).then_some(News::There { fully }),
        (true, false) => Some(News::Away { fully }),
        (false, false) => None,
    }
}

async fn show_one(here: &mut Here<'_>, before: &RoomConfig, slot: u32, pace: &mut Pace) {
    let mut made: [Option<Arc<Stanza>>; Role::ALL.len()] = Default::default();
    for viewer in Role::ALL {
        let Some(news) = here.state.occupants.at(slot).and_then(|o| news(here.state, before, viewer, o)) else {
            continue;
        };
        made[viewer as usize] = match news {
            News::There { fully } => shapes::seen(here.state, slot, fully),
            News::Away { fully } => here.state.occupants.at(slot).map(|occupant| away(occupant, fully)),
        };
    }
    for other in (0..here.state.occupants.slots()).filter(|other| *other != slot) {
        let Some(viewer) = here.state.occupants.at(other) else { continue };
        let Some(stanza) = &made[viewer.role as usize] else { continue };
        for seat in &viewer.seats {
            give(seat, stanza);
            pace.step().await;
        }
    }
}

fn away(occupant: &Occupant, fully: bool) -> Arc<Stanza> {
    let mut tail = String::with_capacity(256);
    write_occupant_id(&mut tail, &occupant.id);
    let jid: Option<Jid> = shapes::address(occupant).filter(|_| fully);
    shapes::write_x(&mut tail, occupant.affiliation, None, jid.as_ref(), &Notice::default(), false);
    let gone = Stanza::presence(PresenceType::Unavailable, Some(&occupant.jid), None);
    Arc::new(gone.rebuilt(|_| true, &tail))
}
