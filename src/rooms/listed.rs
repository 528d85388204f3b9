//! Rooms in use as lists show them. A room's task says what the room has become; who makes a list need not wait for its
//! turn. Stored rooms are listed by storage: only the others have to be found here.

use super::{Affiliated, Affiliation, Room, RoomConfig, RoomState};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xep_support::jid::{BareJid, Jid};

/// Who is what to a room.
pub type Affiliations = BTreeMap<Jid, Affiliated>;

/// What lists say of a room in use.
#[derive(Clone)]
pub struct Listed {
    /// How it is configured.
    pub config: Arc<RoomConfig>,
    /// It waits for its first configuration.
    pub locked: bool,
    /// How many are in it.
    pub occupants: usize,
    /// Who is what to it, if it is not stored.
    affiliations: Option<Arc<Affiliations>>,
}

impl Listed {
    fn of(state: &RoomState) -> Self {
        Self {
            config: state.config.clone(),
            locked: state.locked,
            occupants: state.occupants.len(),
            affiliations: state.id.is_none().then(|| state.affiliations.clone()),
        }
    }

    /// Does everybody find it?
    pub fn is_public(&self) -> bool {
        self.config.public && !self.locked
    }

    /// Does somebody find it, if it is not stored? Who belongs to it finds one that is hidden, too.
    pub fn is_found_by(&self, asker: &BareJid) -> bool {
        let known = self.affiliations.as_ref().and_then(|known| known.get(asker.as_str()));
        self.is_public() || (!self.locked && known.is_some_and(|known| known.affiliation != Affiliation::Outcast))
    }
}

/// By their names.
type Named = BTreeMap<Box<str>, Arc<Room>>;

/// Rooms that are only in memory, by service and name.
#[derive(Default)]
pub struct Temporary(Mutex<HashMap<Box<str>, Named>>);

/// Rooms looked at before others have their turn.
const STEP: usize = 256;

impl Temporary {
    /// The room has become this; `None`: there is none any more.
    pub fn note(&self, room: &Arc<Room>, state: Option<&RoomState>) {
        let listed = state.map(Listed::of);
        let is_one = listed.as_ref().is_some_and(|listed| listed.affiliations.is_some());
        let before = std::mem::replace(&mut *lock(&room.listed), listed);
        if before.is_some_and(|before| before.affiliations.is_some()) == is_one {
            return;
        }
        let (service, name) = (room.jid.domain(), room.jid.as_jid().local().unwrap_or_default());
        let mut services = lock(&self.0);
        if is_one {
            services.entry(service.into()).or_default().insert(name.into(), room.clone());
        } else if let Some(rooms) = services.get_mut(service)
            && rooms.get(name).is_some_and(|known| Arc::ptr_eq(known, room))
        {
            rooms.remove(name);
        }
    }

    /// Those of a service whose names come after this one and that are wanted, in order, at most so many.
    pub async fn page(
        &self,
        service: &str,
        after: &str,
        most: usize,
        wanted: impl Fn(&str, &Listed) -> bool,
    ) -> Vec<(String, Listed)> {
        let (mut found, mut after) = (Vec::new(), after.to_owned());
        loop {
            let next = self.step(service, &after);
            let Some(last) = next.last() else { return found };
            after = last.jid.as_jid().local().unwrap_or_default().to_owned();
            for room in next {
                let name = room.jid.as_jid().local().unwrap_or_default();
                if let Some(listed) = room.listed().filter(|listed| wanted(name, listed)) {
                    found.push((name.to_owned(), listed));
                }
                if found.len() >= most {
                    return found;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn step(&self, service: &str, after: &str) -> Vec<Arc<Room>> {
        let services = lock(&self.0);
        let next = services.get(service).map(|rooms| rooms.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)));
        next.into_iter().flatten().take(STEP).map(|(_, room)| room.clone()).collect()
    }
}

impl Room {
    /// What its task has said last; `None`: there is no such room, or it is not read yet.
    pub fn listed(&self) -> Option<Listed> {
        lock(&self.listed).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::Rooms;
    use super::*;
    use crate::storage::RoomId;

    fn bare(text: &str) -> BareJid {
        BareJid::parse(text).expect("a JID")
    }

    fn state(public: bool) -> RoomState {
        let mut state = RoomState::new(RoomConfig { public, ..RoomConfig::default() }, 0);
        for (who, affiliation) in [("owner@x", Affiliation::Owner), ("troll@x", Affiliation::Outcast)] {
            state.affiliate(bare(who).into_jid(), Some(Affiliated::new(affiliation)));
        }
        state
    }

    async fn names(rooms: &Rooms, service: &str, after: &str, most: usize, asker: &str) -> Vec<String> {
        let found = rooms.temporary.page(service, after, most, |_, listed| listed.is_found_by(&bare(asker))).await;
        found.into_iter().map(|(name, _)| name).collect()
    }

    /// Those that are only here, by name; hidden ones for those who belong to them.
    #[tokio::test]
    async fn a_page() {
        let rooms = Rooms::default();
        let hidden = ["b", "d"];
        for name in ["c", "a", "b", "d", "e"] {
            rooms.temporary.note(&rooms.get(&bare(&format!("{name}@s"))), Some(&state(!hidden.contains(&name))));
        }
        rooms.temporary.note(&rooms.get(&bare("x@other")), Some(&state(true)));
        assert_eq!(names(&rooms, "s", "", 9, "owner@x").await, ["a", "b", "c", "d", "e"]);
        assert_eq!(names(&rooms, "s", "", 9, "hag@x").await, ["a", "c", "e"]);
        assert_eq!(names(&rooms, "s", "a", 1, "hag@x").await, ["c"]);
        assert_eq!(names(&rooms, "s", "", 9, "troll@x").await, ["a", "c", "e"]);
        assert_eq!(names(&rooms, "none", "", 9, "hag@x").await, [""; 0]);
    }

    /// One that is stored or gone is not here; one that waits for its configuration is for nobody.
    #[tokio::test]
    async fn rooms_come_and_go() {
        let rooms = Rooms::default();
        let room = rooms.get(&bare("a@s"));
        let mut state = state(true);
        state.locked = true;
        rooms.temporary.note(&room, Some(&state));
        assert_eq!(names(&rooms, "s", "", 9, "owner@x").await, [""; 0]);
        state.locked = false;
        rooms.temporary.note(&room, Some(&state));
        assert_eq!(names(&rooms, "s", "", 9, "owner@x").await, ["a"]);
        state.id = Some(RoomId(1));
        rooms.temporary.note(&room, Some(&state));
        assert!(room.listed().is_some());
        assert_eq!(names(&rooms, "s", "", 9, "owner@x").await, [""; 0]);
        state.id = None;
        rooms.temporary.note(&room, Some(&state));
        rooms.abandon(&room);
        assert_eq!(names(&rooms, "s", "", 9, "owner@x").await, [""; 0]);
    }
}
