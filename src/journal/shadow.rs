//! What the journal says, in memory: read from its records, whether they are written now or were before a restart.

use super::record::{Effect, EffectKind, Open, Out, Record};
use crate::hold::Cause;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Where the body of a record lies in the file.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) bytes: u32,
}

/// All sessions in the journal.
#[derive(Default)]
pub(super) struct Shadow {
    /// By number, which is the order in which they began.
    pub(super) sessions: BTreeMap<u32, Session>,
    /// Who has been given a message that several were given, as long as nobody is known to have it.
    groups: HashMap<u64, Vec<u32>>,
    /// The largest number a session ever had.
    pub(super) last_session: u32,
    /// Who is in which room that is stored.
    pub(super) there: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    pub(super) database: i64,
    pub(super) boot: u64,
    pub(super) ended: bool,
}

pub(super) struct Session {
    pub(super) open: Place,
    pub(super) state: Option<Place>,
    /// The rooms it is in.
    pub(super) rooms: Option<Place>,
    /// Of these, the last message it was given, by [`super::room_mark`].
    pub(super) told: Vec<(u32, i64)>,
    pub(super) away_us: i64,
    pub(super) had: u32,
    pub(super) safe: u32,
    pub(super) leaving: bool,
    pub(super) outs: VecDeque<Sent>,
    /// What its client's stanzas beyond `safe` have caused, each with the transaction it depends on.
    pub(super) effects: Vec<(Effect, u64)>,
}

/// Sent and not acknowledged.
pub(super) struct Sent {
    pub(super) place: Place,
    pub(super) seq: u32,
    pub(super) group: u64,
    /// Somebody else has it.
    pub(super) settled: bool,
    /// It went another way, if this transaction was committed; 0: it did.
    pub(super) moved: Option<u64>,
}

impl Session {
    fn told(&mut self, room: u32, id: i64) {
        match self.told.iter_mut().find(|(known, _)| *known == room) {
            Some((_, last)) => *last = id.max(*last),
            None => self.told.push((room, id)),
        }
    }
}

/// The room a printed message of a room is from.
fn room_of(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let from = text.strip_prefix("<message from='")?;
    Some(super::room_mark(from.split(['/', '\'']).next()?))
}

/// Is `a` later than `b`, as XEP-0198 counts?
pub(super) fn is_later(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

impl Shadow {
    pub(super) fn apply(&mut self, record: &Record<'_>, place: Place) {
        self.ended = matches!(record, Record::End);
        match *record {
            Record::Begin { database, boot } => (self.database, self.boot) = (database, boot),
            Record::Open(Open { session, .. }) => self.open(session, place),
            Record::State { session, .. } => self.change(session, |s| s.state = Some(place)),
            Record::Out(out) => self.out(&out, place),
            Record::Had { session, h } => self.had(session, h),
            Record::Safe { session, h } => self.change(session, |s| {
                s.safe = h;
                s.effects.retain(|(effect, _)| is_later(effect.cause.stanza, h));
            }),
            Record::Away { session, since_us } => self.change(session, |s| s.away_us = since_us),
            Record::Requeued { session } => self.change(session, |s| s.outs.clear()),
            Record::Leaving { session } => self.change(session, |s| s.leaving = true),
            Record::Gone { session } => drop(self.sessions.remove(&session)),
            Record::Done { transaction, effects } => {
                effects.iter().for_each(|effect| self.effect(effect, transaction));
            }
            Record::Failed { transaction } => self.undo(|t| t == transaction),
            Record::Settled { group } => self.settle(group),
            Record::End => {}
            Record::Rooms { session, rooms } => self.rooms(session, rooms, place),
            Record::Told { session, room, id } => self.change(session, |s| s.told(room, id)),
            Record::There { room, nick, there } => self.there(room, nick, there),
        }
    }

    /// What depends on a transaction like this never happened.
    pub(super) fn undo(&mut self, like: impl Fn(u64) -> bool) {
        for session in self.sessions.values_mut() {
            session.effects.retain(|&(_, transaction)| !like(transaction));
            for sent in &mut session.outs {
                sent.moved = sent.moved.filter(|&transaction| !like(transaction));
            }
        }
    }

    fn change(&mut self, session: u32, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.get_mut(&session) {
            change(session);
        }
    }

    fn open(&mut self, number: u32, open: Place) {
        self.last_session = self.last_session.max(number);
        let (outs, effects) = (VecDeque::new(), Vec::new());
        let (rooms, told) = (None, Vec::new());
        let session =
            Session { open, state: None, rooms, told, away_us: 0, had: 0, safe: 0, leaving: false, outs, effects };
        self.sessions.insert(number, session);
    }

    fn out(&mut self, out: &Out<'_>, place: Place) {
        if let Some(cause) = out.cause {
            let effect = |kind, value| Effect { cause, kind, value };
            self.effect(effect(EffectKind::Reached, out.session.into()), 0);
            if out.told_as != 0 && !cause.moved {
                self.effect(effect(EffectKind::Told, out.told_as), 0);
            }
        }
        let Some(session) = self.sessions.get_mut(&out.session) else { return };
        if out.cause.is_none()
            && out.told_as != 0
            && let Some(room) = room_of(out.text)
        {
            session.told(room, out.told_as);
        }
        session.outs.push_back(Sent { place, seq: out.seq, group: out.group, settled: out.settled, moved: None });
        if out.group != 0 && !out.settled {
            self.groups.entry(out.group).or_default().push(out.session);
        }
    }

    fn rooms(&mut self, number: u32, rooms: &str, place: Place) {
        let marks: Vec<u32> =
            rooms.lines().filter_map(|line| Some(super::room_mark(line.split_once('/')?.0))).collect();
        self.change(number, |session| {
            session.rooms = (!rooms.is_empty()).then_some(place);
            session.told.retain(|(room, _)| marks.contains(room));
            session.told.shrink_to_fit();
        });
    }

    fn there(&mut self, room: &str, nick: &str, there: bool) {
        if there {
            self.there.entry(room.into()).or_default().insert(nick.into());
        } else if let Some(nicks) = self.there.get_mut(room) {
            nicks.remove(nick);
            if nicks.is_empty() {
                self.there.remove(room);
            }
        }
    }

    fn had(&mut self, number: u32, h: u32) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        session.had = h;
        let mut settled = Vec::new();
        while session.outs.front().is_some_and(|sent| !is_later(sent.seq, h)) {
            let group = session.outs.pop_front().map_or(0, |sent| sent.group);
            settled.extend((group != 0).then_some(group));
        }
        if session.outs.is_empty() {
            session.outs = VecDeque::new();
        }
        settled.into_iter().for_each(|group| self.settle(group));
    }

    fn settle(&mut self, group: u64) {
        for number in self.groups.remove(&group).unwrap_or_default() {
            let outs = self.sessions.get_mut(&number).into_iter().flat_map(|s| &mut s.outs);
            outs.filter(|sent| sent.group == group).for_each(|sent| sent.settled = true);
        }
    }

    fn effect(&mut self, effect: Effect, transaction: u64) {
        let Cause { session, stanza, moved } = effect.cause;
        let Some(session) = self.sessions.get_mut(&session) else { return };
        if moved {
            let sent = session.outs.iter_mut().find(|sent| sent.seq == stanza);
            sent.into_iter().for_each(|sent| sent.moved = Some(transaction));
        } else if is_later(stanza, session.safe) {
            session.effects.push((effect, transaction));
        }
    }

    /// Groups nobody is in any more are forgotten.
    pub(super) fn forget_groups(&mut self) {
        let sessions = &self.sessions;
        self.groups.retain(|group, numbers| {
            let in_it = |n: &u32| sessions.get(n).is_some_and(|s| s.outs.iter().any(|sent| sent.group == *group));
            numbers.iter().any(in_it)
        });
    }
}
