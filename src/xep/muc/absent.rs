//! Who is not there to see what is said, and is woken by a push service (XEP-0357):
//!
//! - An occupant whose session sleeps or has lost its connection; what is said waits for it there.
//! - A member who is not in the room, if the room is like that (`muc#roomconfig_notifymembers`; by default those for members
//!   only are) and has an archive. Its devices need not know anything of this: woken, they enter and read the archive.
//!
//! What concerns a member is what people say there, in a room that is not for members only what mentions it, unless its
//! bookmark of the room (XEP-0402) says otherwise by XEP-0492: everything, nothing, or only what mentions it. So this is
//! switched off by the client in which notifications are.

use super::mention::{Member, Said, concerns};
use crate::account::Account;
use crate::account::resource::Client;
use crate::core::Core;
use crate::extension::Arrival;
use crate::hosts::Place;
use crate::rooms::{Affiliated, Affiliation, Room, RoomState};
use crate::router;
use crate::xep::mam::rooms as mam;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::{Facts, Stanza};

/// Messages of which devices are still to be told; of further ones they are not.
const UNTOLD_MAX: usize = 1_000;

/// Is it one that somebody is woken for? Most are.
fn is_news(message: &Stanza) -> bool {
    let facts = message.facts();
    facts.intersects(Facts::BODY | Facts::ENCRYPTED)
        && !facts.intersects(Facts::SUBJECT | Facts::NO_STORE | Facts::NO_PERMANENT_STORE)
}

/// Tells those who are not there, and those who are but do not look (`asleep`). The room does not wait for it.
pub(super) fn tell(
    core: &Arc<Core>,
    room: &Room,
    state: &RoomState,
    author: &BareJid,
    stanza: &Arc<Stanza>,
    asleep: &[Client],
) {
    if !core.config().push.enabled || !is_news(stanza) {
        return;
    }
    let can_be_woken = |client: &&Client| client.account.jid != *author && client.account.lock().push.is_some();
    let asleep: Vec<Client> = asleep.iter().filter(can_be_woken).cloned().collect();
    let members = members(core, state, author);
    if asleep.is_empty() && members.is_empty() {
        return;
    }
    if core.rooms.untold.fetch_add(1, Relaxed) >= UNTOLD_MAX {
        core.rooms.untold.fetch_sub(1, Relaxed);
        return;
    }
    let news = News { room: room.jid.clone(), stanza: stanza.clone(), asleep, members };
    let core = core.clone();
    core.work.clone().spawn(async move {
        let _one = core.rooms.telling.lock().await;
        news.tell(&core).await;
        core.rooms.untold.fetch_sub(1, Relaxed);
    });
}

/// Members with accounts here.
type Members = BTreeMap<BareJid, Member>;

fn members(core: &Core, state: &RoomState, author: &BareJid) -> Members {
    if !state.config.notifies_members() || mam::archive_of(state).is_none() {
        return Members::new();
    }
    let is_member = |jid: &Jid| jid.as_str() != author.as_str() && core.hosts.place(jid) == Place::Account;
    let known =
        state.affiliations.iter().filter(|(jid, known)| known.affiliation >= Affiliation::Member && is_member(jid));
    let most = core.config().limits.room_notified_members_max;
    if known.clone().take(most + 1).count() > most {
        return Members::new();
    }
    let names = |jid: &Jid, nick: Option<&str>| {
        let slots = state.occupants.of_user(jid);
        let nicks = slots.into_iter().filter_map(|slot| Some(state.occupants.at(slot)?.nick().to_owned()));
        nicks.chain(nick.map(str::to_owned)).chain(jid.local().map(str::to_owned)).collect::<Vec<_>>()
    };
    let member = |jid: &Jid, known: &Affiliated| Member {
        affiliation: known.affiliation,
        names: names(jid, known.nick.as_deref()),
        is_private: state.config.members_only,
        hats: state.hats.of(&jid.bare()).map(Into::into).collect(),
    };
    known.map(|(jid, known)| (jid.bare(), member(jid, known))).collect()
}

/// What was said, and who may not have seen it.
struct News {
    room: BareJid,
    stanza: Arc<Stanza>,
    asleep: Vec<Client>,
    members: Members,
}

impl News {
    async fn tell(self, core: &Arc<Core>) {
        for client in self.asleep.iter().filter(|client| !self.members.contains_key(&client.account.jid)) {
            let waits = Arrival::Waits(client.jid().resource());
            core.registry.run_arrived(core, &client.account, &mut client.account.lock(), &self.stanza, waits);
        }
        let jids: Vec<&str> = self.members.keys().map(|jid| jid.as_str()).collect();
        if jids.is_empty() {
            return;
        }
        let found = match core.storage.push_among(&jids).await {
            Ok(found) => found,
            Err(error) => return tracing::error!(%error, room = %self.room, "members are not told"),
        };
        if found.is_empty() {
            return;
        }
        let said = Said::of(&self.stanza);
        for (jid, member) in self.members.iter().filter(|(jid, _)| found.iter().any(|found| found == jid.as_str())) {
            if let Ok(Some(account)) = router::load(core, jid).await {
                self.tell_member(core, &said, &account, member).await;
            }
        }
    }

    async fn tell_member(&self, core: &Arc<Core>, said: &Said, account: &Arc<Account>, member: &Member) {
        let concerned = concerns(core, &self.room, said, account, member).await;
        let mut state = account.lock();
        if concerned && !state.removed && !state.blocks(self.room.as_jid()) {
            core.registry.run_arrived(core, account, &mut state, &self.stanza, Arrival::Kept);
        }
    }
}
