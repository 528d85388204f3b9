//! Rooms.

use super::page::Page;
use crate::core::Core;
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn write(page: &mut Page, core: &Core) {
    let rooms = core.rooms.all();
    let sessions: usize = rooms.iter().map(|room| room.sessions.load(Relaxed)).sum();
    page.gauge("magpie_rooms_in_memory", "Rooms somebody is in, or that are in use just now.").is(rooms.len());
    page.gauge("magpie_room_sessions", "Sessions in rooms; one that is in several counts in each.").is(sessions);
    let counters = &core.rooms.counters;
    page.counter("magpie_room_messages_total", "Messages reflected by rooms.").is(counters.reflected.load(Relaxed));
    page.counter("magpie_room_deliveries_total", "Copies of these, one for each session in the room.")
        .is(counters.deliveries.load(Relaxed));
    page.counter("magpie_room_messages_moderated_total", "Messages taken back by moderators of rooms (XEP-0425).")
        .is(counters.moderated.load(Relaxed));
}
