//! What a room is at the moment.

use super::{Affiliation, History, Occupants, Role, RoomConfig};
use crate::storage::RoomId;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::Stanza;

/// A lasting association with the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affiliated {
    /// Which.
    pub affiliation: Affiliation,
    /// The nickname reserved for it (§7.10).
    pub nick: Option<Box<str>>,
    /// Why.
    pub reason: Option<Box<str>>,
    /// Does it want to be told of messages that concern it while it is not there, if it has said so?
    pub follows: Option<bool>,
}

impl Affiliated {
    /// An affiliation and nothing else.
    pub fn new(affiliation: Affiliation) -> Self {
        Self { affiliation, nick: None, reason: None, follows: None }
    }
}

/// The subject of a room (§8.1).
#[derive(Clone)]
pub struct Subject {
    /// The message that set it, as it was reflected.
    pub stanza: Arc<Stanza>,
    /// When.
    pub at_us: i64,
}

/// Who has spoken last when: bare JIDs, in milliseconds of a clock that never goes back.
#[derive(Default)]
pub struct Spoke(HashMap<BareJid, u64>);

impl Spoke {
    /// Somebody wants to speak: has it waited as long as it must? Then it has spoken.
    pub fn may_speak(&mut self, who: &BareJid, now_ms: u64, wait_ms: u64) -> bool {
        if self.0.get(who).is_some_and(|last| now_ms.saturating_sub(*last) < wait_ms) {
            return false;
        }
        if self.0.len() >= self.0.capacity() {
            // Nobody who need not wait is remembered, so it is no more than have spoken within that time.
            self.0.retain(|_, last| now_ms.saturating_sub(*last) < wait_ms);
        }
        self.0.insert(who.clone(), now_ms);
        true
    }
}

/// A room.
pub struct RoomState {
    /// Its key in storage; `None`: it is temporary and only here.
    pub id: Option<RoomId>,
    /// When it was made.
    pub created_us: i64,
    /// How it is configured.
    pub config: RoomConfig,
    /// Bare JIDs, and domains that are banned (§9.2).
    pub affiliations: BTreeMap<Jid, Affiliated>,
    /// Its subject, if it ever had one.
    pub subject: Option<Subject>,
    /// It waits for its first configuration (§10.1).
    pub locked: bool,
    /// It is to be forgotten, and not to be kept because somebody is in it.
    pub destroyed: bool,
    /// Who is in it.
    pub occupants: Occupants,
    /// Who has invited whom lately, the latest last: only these may say no.
    pub invited: VecDeque<(BareJid, BareJid)>,
    /// Who has spoken when, while somebody has to wait (XEP-0500).
    pub spoke: Spoke,
    /// Its last messages.
    pub history: History,
    /// Grows with every change of a stored affiliation (XEP-0463).
    pub version: i64,
    /// The hashes of its avatar (XEP-0486).
    pub photos: Vec<String>,
}

impl RoomState {
    /// A room that nobody is in and that is not stored.
    pub fn new(config: RoomConfig, created_us: i64) -> Self {
        Self {
            id: None,
            created_us,
            config,
            affiliations: BTreeMap::new(),
            subject: None,
            locked: false,
            destroyed: false,
            occupants: Occupants::default(),
            invited: VecDeque::new(),
            spoke: Spoke::default(),
            history: History::default(),
            version: 0,
            photos: Vec::new(),
        }
    }

    /// What somebody is to the room. A ban of one's domain counts for who has nothing else (§9.2).
    pub fn affiliation(&self, bare: &BareJid) -> Option<Affiliation> {
        if let Some(known) = self.affiliations.get(bare.as_str()) {
            return Some(known.affiliation);
        }
        self.affiliations.get(bare.domain()).map(|known| known.affiliation).filter(|a| *a == Affiliation::Outcast)
    }

    /// Those who have this affiliation.
    pub fn affiliated(&self, affiliation: Affiliation) -> impl Iterator<Item = (&Jid, &Affiliated)> {
        self.affiliations.iter().filter(move |(_, known)| known.affiliation == affiliation)
    }

    /// Somebody has this affiliation from now on. A reserved nickname stays if no other one is given.
    pub fn affiliate(&mut self, jid: Jid, new: Option<Affiliated>) {
        match new {
            Some(new) => drop(self.affiliations.insert(jid, new)),
            None => drop(self.affiliations.remove(&jid)),
        }
    }

    /// The nickname reserved for somebody.
    pub fn reserved_nick(&self, bare: &str) -> Option<&str> {
        self.affiliations.get(bare)?.nick.as_deref()
    }

    /// Is this nickname reserved for somebody else?
    pub fn is_reserved_for_another(&self, nick: &str, bare: &str) -> bool {
        let folded = super::fold(nick);
        let is_it = |known: &Affiliated| known.nick.as_deref().is_some_and(|nick| super::fold(nick) == folded);
        self.affiliations.iter().any(|(jid, known)| jid.as_str() != bare && is_it(known))
    }

    /// Does somebody in this role see the real addresses of the others?
    pub fn sees_addresses(&self, role: Role) -> bool {
        self.config.is_non_anonymous() || role == Role::Moderator
    }

    /// Is the presence of somebody in this role shown to everybody?
    pub fn is_broadcast(&self, role: Role) -> bool {
        self.config.presence_broadcast.contains(&role)
    }

    /// Is it kept when nobody is in it?
    pub fn is_kept(&self) -> bool {
        !self.destroyed && (self.config.persistent || !self.occupants.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).expect("a JID")
    }

    fn room() -> RoomState {
        let mut room = RoomState::new(RoomConfig::default(), 0);
        let rows = [
            ("a@b.example", Affiliation::Owner, Some("Boss")),
            ("c@d.example", Affiliation::Member, None),
            ("d.example", Affiliation::Outcast, None),
        ];
        for (who, affiliation, nick) in rows {
            room.affiliate(jid(who), Some(Affiliated { nick: nick.map(Into::into), ..Affiliated::new(affiliation) }));
        }
        room
    }

    /// §9.2: first the address, then its domain.
    #[test]
    fn affiliations_are_matched_in_order() {
        let room = room();
        let affiliation = |text: &str| room.affiliation(&jid(text).bare());
        assert_eq!(affiliation("a@b.example"), Some(Affiliation::Owner));
        assert_eq!(affiliation("x@b.example"), None);
        assert_eq!(affiliation("c@d.example"), Some(Affiliation::Member));
        assert_eq!(affiliation("x@d.example"), Some(Affiliation::Outcast));
    }

    #[test]
    fn reserved_nicknames_are_for_one() {
        let room = room();
        assert!(room.is_reserved_for_another("boss", "c@d.example"));
        assert!(!room.is_reserved_for_another("BOSS", "a@b.example"));
        assert_eq!(room.reserved_nick("a@b.example"), Some("Boss"));
    }
}
