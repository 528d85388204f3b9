//! The rooms a session is in (XEP-0045).

use xep_support::jid::{BareJid, Jid};

/// The rooms a session is in.
#[derive(Default)]
pub struct Joined(pub Vec<JoinedRoom>);

/// A room a session is in.
pub struct JoinedRoom {
    /// The occupant JID there.
    pub jid: Jid,
    /// What the room's archive has from this id on, the session is given.
    pub since: i64,
}

impl Joined {
    /// It has entered this one.
    pub fn add(&mut self, joined: JoinedRoom) {
        self.0.retain(|known| known.jid.bare_str() != joined.jid.bare_str());
        self.0.push(joined);
    }

    /// It has another nickname there.
    pub fn rename(&mut self, room: &BareJid, jid: &Jid) {
        self.0
            .iter_mut()
            .filter(|known| known.jid.bare_str() == room.as_str())
            .for_each(|known| known.jid = jid.clone());
    }

    /// It has left this one. Is it in none any more?
    pub fn remove(&mut self, room: &BareJid) -> bool {
        self.0.retain(|known| known.jid.bare_str() != room.as_str());
        self.0.is_empty()
    }

    /// As the session journal notes them: a line for each.
    pub fn to_noted(&self) -> String {
        let line = |known: &JoinedRoom| format!("{}\t{}\n", known.jid, known.since);
        self.0.iter().map(line).collect()
    }

    /// What was noted: occupant JIDs, and the ids.
    pub fn from_noted(noted: &str) -> impl Iterator<Item = (Jid, i64)> {
        noted.lines().filter_map(|line| {
            let (jid, since) = line.rsplit_once('\t')?;
            Some((Jid::parse(jid).ok()?, since.parse().ok()?))
        })
    }
}
