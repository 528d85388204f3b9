//! What a room is at the moment.

use super::activity::Activity;
use super::{Affiliation, Affiliations, Counted, Hats, Heads, History, Occupants, Requests, Role, RoomConfig};
use crate::clock;
use crate::storage::RoomId;
use std::collections::{HashMap, VecDeque};
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
    /// The version of the list that brought it.
    pub version: i64,
}

impl Affiliated {
    /// An affiliation and nothing else.
    pub fn new(affiliation: Affiliation) -> Self {
        Self { affiliation, nick: None, reason: None, follows: None, version: 0 }
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

/// Whom moderators have given voice or taken it from, while the room is in memory: that outlasts a visit (§5.1).
#[derive(Default)]
pub struct Voices(VecDeque<(BareJid, Role)>);

/// Whose voice is remembered at most; who is forgotten enters like anybody else.
const VOICES_MAX: usize = 1_000;

impl Voices {
    /// A moderator has decided. Who was made a moderator has voice, and is not one the next time.
    pub fn set(&mut self, who: &BareJid, role: Role) {
        self.forget(who);
        if self.0.len() >= VOICES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((who.clone(), role.min(Role::Participant)));
    }

    /// It has another affiliation, and with it what comes of that.
    pub fn forget(&mut self, who: &BareJid) {
        self.0.retain(|(known, _)| known != who);
    }

    /// What was decided.
    pub fn of(&self, who: &BareJid) -> Option<Role> {
        self.0.iter().find(|(known, _)| known == who).map(|(_, role)| *role)
    }
}

/// A room.
pub struct RoomState {
    /// Its key in storage; `None`: it is temporary and only here.
    pub id: Option<RoomId>,
    /// When it was made.
    pub created_us: i64,
    /// How it is configured.
    pub config: Arc<RoomConfig>,
    /// Bare JIDs, and domains that are banned (§9.2). Changed by [`RoomState::affiliate`].
    pub affiliations: Arc<Affiliations>,
    /// For whom nicknames are reserved, as they are compared.
    reserved: HashMap<Box<str>, Jid>,
    /// Its subject, if it ever had one.
    pub subject: Option<Subject>,
    /// It waits for its first configuration (§10.1).
    pub locked: bool,
    /// It is to be forgotten, and not to be kept because somebody is in it.
    pub destroyed: bool,
    /// Who is in it.
    pub occupants: Occupants,
    /// How an occupant was seen before another session of it said something, by the number of the one that was last.
    pub seen_before: HashMap<u32, Arc<Stanza>>,
    /// What occupants ask each other.
    pub requests: Requests,
    /// Who has invited whom lately, the latest last: only these may say no.
    pub invited: VecDeque<(BareJid, BareJid)>,
    /// Who has voice by decision of a moderator, or has not.
    pub voices: Voices,
    /// Who has asked for voice lately (§7.13).
    pub asked_for_voice: Spoke,
    /// Who has spoken when, while somebody has to wait (XEP-0500).
    pub spoke: Spoke,
    /// How much is said in it (XEP-0502).
    pub activity: Activity,
    /// While it is not stored.
    pub counted: Option<Counted>,
    /// Its last messages.
    pub history: History,
    /// Grows with every change of an affiliation (XEP-0463).
    pub version: i64,
    /// The last one that was not about bans alone.
    pub shown_version: i64,
    /// Both as they are told.
    pub heads: Heads,
    /// The hashes of its avatar (XEP-0486).
    pub photos: Vec<String>,
    /// Its hats (XEP-0317).
    pub hats: Hats,
}

impl RoomState {
    /// A room that nobody is in and that is not stored.
    pub fn new(config: RoomConfig, created_us: i64) -> Self {
        Self {
            id: None,
            created_us,
            config: Arc::new(config),
            affiliations: Arc::default(),
            reserved: HashMap::new(),
            subject: None,
            locked: false,
            destroyed: false,
            occupants: Occupants::default(),
            seen_before: HashMap::new(),
            requests: Requests::new(clock::now_micros().unsigned_abs()),
            invited: VecDeque::new(),
            voices: Voices::default(),
            asked_for_voice: Spoke::default(),
            spoke: Spoke::default(),
            activity: Activity::default(),
            counted: None,
            history: History::default(),
            version: 0,
            shown_version: 0,
            heads: Heads::default(),
            photos: Vec::new(),
            hats: Hats::default(),
        }
    }

    /// What somebody is to the room. A ban of one's domain counts for who has nothing else (§9.2).
    pub fn affiliation(&self, bare: &BareJid) -> Option<Affiliation> {
        if let Some(known) = self.affiliations.get(bare.as_str()) {
            return Some(known.affiliation);
        }
        self.affiliations.get(bare.domain()).map(|known| known.affiliation).filter(|a| *a == Affiliation::Outcast)
    }

    /// The role somebody enters with (§5.1.2), or had during an earlier visit (§5.1).
    pub fn role_of(&self, bare: &BareJid, affiliation: Option<Affiliation>) -> Role {
        let initial = Role::initial(affiliation, self.config.moderated);
        self.voices.of(bare).filter(|_| initial != Role::Moderator).unwrap_or(initial)
    }

    /// Those who have this affiliation.
    pub fn affiliated(&self, affiliation: Affiliation) -> impl Iterator<Item = (&Jid, &Affiliated)> {
        self.affiliations.iter().filter(move |(_, known)| known.affiliation == affiliation)
    }

    /// Somebody has this affiliation from now on, with this reserved nickname, or none: a new version of the list.
    pub fn affiliate(&mut self, jid: Jid, new: Option<Affiliated>) {
        let after = new.as_ref().map(|new| new.affiliation);
        self.version += 1;
        let version = self.version;
        let before = self.place(jid, new.map(|new| Affiliated { version, ..new })).map(|before| before.affiliation);
        if before >= Some(Affiliation::Member) || after >= Some(Affiliation::Member) {
            self.shown_version = version;
        }
    }

    /// The same as it was stored. What was there before comes back.
    pub fn place(&mut self, jid: Jid, new: Option<Affiliated>) -> Option<Affiliated> {
        let nick = |known: Option<&Affiliated>| known.and_then(|known| known.nick.as_deref()).map(super::fold);
        if let Some(before) = nick(self.affiliations.get(&jid))
            && self.reserved.get(&before) == Some(&jid)
        {
            self.reserved.remove(&before);
        }
        if let Some(now) = nick(new.as_ref()) {
            self.reserved.insert(now, jid.clone());
        }
        let affiliations = Arc::make_mut(&mut self.affiliations);
        match new {
            Some(new) => affiliations.insert(jid, new),
            None => affiliations.remove(&jid),
        }
    }

    /// The nickname reserved for somebody.
    pub fn reserved_nick(&self, bare: &str) -> Option<&str> {
        self.affiliations.get(bare)?.nick.as_deref()
    }

    /// Is this nickname reserved for somebody else?
    pub fn is_reserved_for_another(&self, nick: &str, bare: &str) -> bool {
        !self.reserved.is_empty() && self.reserved.get(&super::fold(nick)).is_some_and(|jid| jid.as_str() != bare)
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

    /// §5.1.
    #[test]
    fn voice_outlasts_a_visit() {
        let mut room = room();
        Arc::make_mut(&mut room.config).moderated = true;
        let (owner, member, other) = (jid("a@b.example").bare(), jid("c@d.example").bare(), jid("x@b.example").bare());
        room.voices.set(&owner, Role::Visitor);
        room.voices.set(&member, Role::Visitor);
        room.voices.set(&other, Role::Moderator);
        let role = |room: &RoomState, who: &BareJid| room.role_of(who, room.affiliation(who));
        assert_eq!(role(&room, &owner), Role::Moderator);
        assert_eq!(role(&room, &member), Role::Visitor);
        assert_eq!(role(&room, &other), Role::Participant);
        room.voices.forget(&other);
        assert_eq!(role(&room, &other), Role::Visitor);
    }

    #[test]
    fn reserved_nicknames_are_for_one() {
        let room = room();
        assert!(room.is_reserved_for_another("boss", "c@d.example"));
        assert!(!room.is_reserved_for_another("BOSS", "a@b.example"));
        assert_eq!(room.reserved_nick("a@b.example"), Some("Boss"));
    }
}
