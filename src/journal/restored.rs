//! What a restarted server finds of a session.

use super::Flags;
use super::record::{self, EffectKind, Record};
use super::shadow::{Place, Session, Shadow};
use crate::hold::Effects;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// A session of the last process.
#[derive(Debug)]
pub struct RestoredSession {
    /// Its number.
    pub session: u32,
    /// The account's key.
    pub account: i64,
    /// The full JID.
    pub jid: String,
    /// The SM-ID.
    pub id: String,
    /// How long it may be without a connection.
    pub max_seconds: u32,
    /// When it was bound.
    pub since_us: i64,
    /// Since when it has none; 0: it had one to the end.
    pub away_us: i64,
    /// Where its client was.
    pub peer: IpAddr,
    /// Was its stream encrypted?
    pub encrypted: bool,
    /// Its last available presence.
    pub presence: Option<String>,
    /// The priority in that.
    pub priority: i8,
    /// What it asked for.
    pub flags: Flags,
    /// The rooms it is in.
    pub rooms: String,
    /// Of these by [`super::room_mark`]: the last message it was given.
    pub told: Vec<(u32, i64)>,
    /// Its client has acknowledged so many.
    pub had: u32,
    /// So many of its client's stanzas were safe.
    pub safe: u32,
    /// It cannot be resumed: what is left goes another way.
    pub leaving: bool,
    /// Sent and not acknowledged, in order.
    pub outs: Vec<RestoredOut>,
    /// What its client's later stanzas have caused, by their numbers.
    pub effects: HashMap<u32, Effects>,
}

/// A stanza its client may not have.
#[derive(Debug)]
pub struct RestoredOut {
    /// Its number.
    pub seq: u32,
    /// When it was sent.
    pub at_us: i64,
    /// Of a message that several were given; 0: none.
    pub group: u64,
    /// Which stanza it comes from: a session and a number.
    pub cause: Option<(u32, u32)>,
    /// Somebody else has it.
    pub settled: bool,
    /// It went another way, so it is not sent again.
    pub moved: bool,
    /// The row of the offline store that it is; 0: none.
    pub row: i64,
    /// The stanza, if it is no such row.
    pub text: Vec<u8>,
}

pub(super) fn sessions(shadow: &Shadow, content: &[u8]) -> Vec<RestoredSession> {
    shadow.sessions.iter().filter_map(|(&number, session)| one(shadow, content, number, session)).collect()
}

fn one(shadow: &Shadow, content: &[u8], number: u32, session: &Session) -> Option<RestoredSession> {
    let Record::Open(open) = at(content, session.open)? else { return None };
    let (flags, priority, presence) = match session.state.and_then(|place| at(content, place)) {
        Some(Record::State { flags, priority, presence, .. }) => (flags, priority, presence),
        _ => (0, 0, ""),
    };
    let rooms = match session.rooms.and_then(|place| at(content, place)) {
        Some(Record::Rooms { rooms, .. }) => rooms,
        _ => "",
    };
    let outs = session.outs.iter().filter_map(|sent| {
        let Record::Out(out) = at(content, sent.place)? else { return None };
        Some(RestoredOut {
            seq: out.seq,
            at_us: out.at_us,
            group: out.group,
            cause: out.cause.filter(|c| !c.moved).map(|c| (c.session, c.stanza)),
            settled: sent.settled,
            moved: sent.moved.is_some(),
            row: out.row,
            text: out.text.to_owned(),
        })
    });
    let mut effects: HashMap<u32, Effects> = HashMap::new();
    for (effect, _) in &session.effects {
        let known = effects.entry(effect.cause.stanza).or_default();
        match effect.kind {
            EffectKind::Stored => {
                known.stored = true;
                known.told_as = known.told_as.or((effect.value != 0).then_some(effect.value));
            }
            EffectKind::Sent => known.archived_as = Some(effect.value),
            EffectKind::Received => known.received_as = Some(effect.value),
            EffectKind::Told => known.told_as = Some(effect.value),
            EffectKind::Reached => match u32::try_from(effect.value) {
                Ok(reached) if shadow.sessions.get(&reached).is_some_and(|s| !s.leaving) => {
                    if !known.reached.contains(&reached) {
                        known.reached.push(reached);
                    }
                }
                Ok(0) => known.read = true,
                _ => known.elsewhere = true,
            },
        }
    }
    Some(RestoredSession {
        session: number,
        account: open.account,
        jid: open.jid.to_owned(),
        id: open.id.to_owned(),
        max_seconds: open.max_seconds,
        since_us: open.since_us,
        away_us: session.away_us,
        peer: open.peer.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        encrypted: open.encrypted,
        presence: (!presence.is_empty()).then(|| presence.to_owned()),
        priority,
        flags: Flags(flags),
        rooms: rooms.to_owned(),
        told: session.told.clone(),
        had: session.had,
        safe: session.safe,
        leaving: session.leaving,
        outs: outs.collect(),
        effects,
    })
}

fn at(content: &[u8], place: Place) -> Option<Record<'_>> {
    let start = usize::try_from(place.at).ok()?;
    record::decode(content.get(start..start.checked_add(place.bytes as usize)?)?)
}
