//! Who is in a room: occupants by nickname, each with one session or several (XEP-0045 §7.2.8).

use super::{Affiliation, Role};
use crate::account::resource::{Client, Resource};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::Stanza;

/// Somebody in a room.
pub struct Occupant {
    /// The occupant JID: room and nickname.
    pub jid: Jid,
    /// Whose it is.
    pub bare: BareJid,
    /// What it is to the room.
    pub affiliation: Option<Affiliation>,
    /// What it may do.
    pub role: Role,
    /// Its occupant id (XEP-0421).
    pub id: Box<str>,
    /// Its hats as presence shows them (XEP-0317).
    pub hats: Option<Box<str>>,
    /// Its sessions, the latest last.
    pub seats: SmallVec<[Seat; 1]>,
    /// Its presence as those see it who do not see its real address.
    pub shown: Arc<Stanza>,
    /// The same with the real address, made when it is needed.
    pub shown_fully: Option<Arc<Stanza>>,
    /// It was shown to everybody: the room was not too large when it came.
    pub shown_to_all: bool,
}

/// A session in a room.
pub struct Seat {
    /// It.
    pub client: Client,
    /// Tells it from others in ids of stanzas.
    pub number: u32,
}

impl Seat {
    /// Its session.
    pub fn resource(&self) -> &Arc<Resource> {
        &self.client.resource
    }
}

impl Occupant {
    /// Its nickname.
    pub fn nick(&self) -> &str {
        self.jid.resource().unwrap_or_default()
    }

    /// Is this session one of its?
    pub fn seat(&self, full: &str) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.resource().jid.as_str() == full)
    }
}

/// All occupants of a room.
#[derive(Default)]
pub struct Occupants {
    slots: Vec<Option<Box<Occupant>>>,
    free: Vec<u32>,
    by_nick: HashMap<Box<str>, u32>,
    by_session: HashMap<Jid, u32>,
    by_user: HashMap<BareJid, SmallVec<[u32; 2]>>,
    next_seat: u32,
}

/// Nicknames that differ only in this are the same (§14.6 number 7).
pub fn fold(nick: &str) -> Box<str> {
    nick.split_whitespace()
        .flat_map(|word| [" ", word])
        .flat_map(str::chars)
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .into()
}

impl Occupants {
    /// How many there are; sessions of one nickname count as one.
    pub fn len(&self) -> usize {
        self.by_nick.len()
    }

    /// Nobody?
    pub fn is_empty(&self) -> bool {
        self.by_nick.is_empty()
    }

    /// Sessions altogether.
    pub fn sessions(&self) -> usize {
        self.by_session.len()
    }

    /// Places that may be taken, for who goes through all of them step by step.
    pub fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Who is at this place.
    pub fn at(&self, slot: u32) -> Option<&Occupant> {
        self.slots.get(slot as usize)?.as_deref()
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, slot: u32) -> Option<&mut Occupant> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    /// The place of the session with this full JID.
    pub fn of_session(&self, full: &str) -> Option<u32> {
        self.by_session.get(full).copied()
    }

    /// The place of who has this nickname or one like it.
    pub fn of_nick(&self, nick: &str) -> Option<u32> {
        self.by_nick.get(&fold(nick)).copied()
    }

    /// The place of who has exactly this nickname.
    pub fn of_exact_nick(&self, nick: &str) -> Option<u32> {
        self.of_nick(nick).filter(|slot| self.at(*slot).is_some_and(|o| o.nick() == nick))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Occupant> {
        self.slots.iter().filter_map(Option::as_deref)
    }

    /// All of them with their places.
    pub fn places(&self) -> impl Iterator<Item = (u32, &Occupant)> {
        (0..).zip(&self.slots).filter_map(|(slot, occupant)| Some((slot, occupant.as_deref()?)))
    }

    /// The places of the occupants that belong to a bare JID, or to one of a domain.
    pub fn of_user(&self, jid: &Jid) -> SmallVec<[u32; 2]> {
        if !jid.is_domain() {
            return self.by_user.get(jid.as_str()).cloned().unwrap_or_default();
        }
        let users = self.by_user.iter().filter(|(bare, _)| bare.domain() == jid.domain());
        users.flat_map(|(_, slots)| slots.iter().copied()).collect()
    }

    /// A new occupant without sessions.
    pub fn add(&mut self, occupant: Occupant) -> u32 {
        let (nick, bare) = (fold(occupant.nick()), occupant.bare.clone());
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots() - 1
            }
        };
        self.slots[slot as usize] = Some(Box::new(occupant));
        self.by_nick.insert(nick, slot);
        self.by_user.entry(bare).or_default().push(slot);
        slot
    }

    /// A session takes this nickname as well.
    pub fn seat(&mut self, slot: u32, client: Client) {
        self.next_seat = self.next_seat.wrapping_add(1);
        let number = self.next_seat;
        let full = client.jid().as_jid().clone();
        if let Some(occupant) = self.at_mut(slot) {
            occupant.seats.push(Seat { client, number });
            self.by_session.insert(full, slot);
        }
    }

    /// A session is no more in the room. Its place, if it had one.
    pub fn unseat(&mut self, full: &str) -> Option<(u32, Seat)> {
        let slot = self.by_session.remove(full)?;
        let occupant = self.at_mut(slot)?;
        let at = occupant.seats.iter().position(|seat| seat.resource().jid.as_str() == full)?;
        Some((slot, occupant.seats.remove(at)))
    }

    /// An occupant is no more in the room, and none of its sessions.
    pub fn remove(&mut self, slot: u32) -> Option<Box<Occupant>> {
        let occupant = self.slots.get_mut(slot as usize)?.take()?;
        self.by_nick.remove(&fold(occupant.nick()));
        if let Some(slots) = self.by_user.get_mut(occupant.bare.as_str()) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.by_user.remove(occupant.bare.as_str());
            }
        }
        for seat in &occupant.seats {
            self.by_session.remove(seat.resource().jid.as_str());
        }
        if self.by_nick.is_empty() {
            // Empty is small, however many there were.
            *self = Self { next_seat: self.next_seat, ..Self::default() };
        } else {
            self.free.push(slot);
        }
        Some(occupant)
    }

    /// An occupant has another nickname, which nobody else has.
    pub fn rename(&mut self, slot: u32, jid: Jid) {
        let Some(occupant) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        self.by_nick.remove(&fold(occupant.nick()));
        occupant.jid = jid;
        self.by_nick.insert(fold(occupant.nick()), slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicknames_that_look_alike_are_one() {
        assert_eq!(fold("Third  Witch "), fold("third witch"));
        assert_ne!(fold("thirdwitch"), fold("third witch"));
    }
}
