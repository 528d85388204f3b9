//! Who is not there to see what is said, and is woken by a push service (XEP-0357):
//!
//! - An occupant whose session sleeps or has lost its connection; what is said waits for it there.
//! - A member who is not in the room, if the room is like that (`muc#roomconfig_notifymembers`; by default those for members
//!   only are) and has an archive. Its devices need not know anything of this: woken, they enter and read the archive.
//!
//! What concerns a member is what people say there, unless its bookmark of the room (XEP-0402) says otherwise by XEP-0492:
//! nothing, or only what mentions it. So this is switched off by the client in which notifications are.

use crate::account::Account;
use crate::account::resource::Client;
use crate::clock;
use crate::core::Core;
use crate::extension::Arrival;
use crate::hosts::Place;
use crate::pubsub::Owner;
use crate::rooms::{Affiliation, Room, RoomState};
use crate::router;
use crate::xep::mam::rooms as mam;
use crate::xep::pubsub;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::{Facts, Stanza};
use xep_support::xml::{Element, StreamContext};

/// Messages of which devices are still to be told; of further ones they are not.
const UNTOLD_MAX: usize = 1_000;
/// Bytes of a bookmark that is looked at.
const BOOKMARK_BYTES_MAX: u64 = 64 * 1024;
/// The namespaces XEP-0492 has or had.
const NOTIFY: [&str; 3] =
    ["urn:xmpp:notification-settings:1", "urn:xmpp:notification-settings:0", "urn:xmpp:client-key:0"];

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

/// Members with accounts here, each with the names it goes by.
type Members = BTreeMap<BareJid, Vec<String>>;

fn members(core: &Core, state: &RoomState, author: &BareJid) -> Members {
    if !state.config.notifies_members() || mam::archive_of(state).is_none() {
        return Members::new();
    }
    let is_member = |jid: &BareJid| jid != author && core.hosts.place(jid.as_jid()) == Place::Account;
    let known = state.affiliations.iter().filter(|(_, known)| known.affiliation >= Affiliation::Member);
    let names = |jid: &BareJid, nick: Option<&str>| {
        let slots = state.occupants.of_user(jid.as_jid());
        let nicks = slots.into_iter().filter_map(|slot| Some(state.occupants.at(slot)?.nick().to_owned()));
        nicks.chain(nick.map(str::to_owned)).chain(jid.as_jid().local().map(str::to_owned)).collect::<Vec<_>>()
    };
    let most = core.config().limits.room_notified_members_max;
    let known = known.map(|(jid, known)| (jid.bare(), known)).filter(|(jid, _)| is_member(jid));
    let members: Members =
        known.take(most + 1).map(|(jid, known)| (jid.clone(), names(&jid, known.nick.as_deref()))).collect();
    if members.len() > most { Members::new() } else { members }
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
        for (jid, names) in self.members.iter().filter(|(jid, _)| found.iter().any(|found| found == jid.as_str())) {
            if let Ok(Some(account)) = router::load(core, jid).await {
                self.tell_member(core, &account, names).await;
            }
        }
    }

    async fn tell_member(&self, core: &Arc<Core>, account: &Arc<Account>, names: &[String]) {
        let concerned = match setting(core, account, &self.room).await {
            Setting::Always => true,
            Setting::OnMention => mentions(&self.stanza, account.jid.as_str(), names),
            Setting::Never => false,
        };
        let mut state = account.lock();
        if concerned && !state.removed && !state.blocks(self.room.as_jid()) {
            core.registry.run_arrived(core, account, &mut state, &self.stanza, Arrival::Kept);
        }
    }
}

/// What somebody wants to be told of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Setting {
    Always,
    OnMention,
    Never,
}

/// As its bookmark has it; everything, without one or with one that cannot be read.
async fn setting(core: &Arc<Core>, account: &Arc<Account>, room: &BareJid) -> Setting {
    let owner = Owner::Account(account.clone());
    let Ok(Some(node)) = pubsub::node(core, &owner, ns::BOOKMARKS_PEP).await else { return Setting::Always };
    let ids = [room.as_str().to_owned()];
    let found = core.storage.pubsub_items_by_id(node.id, clock::now_micros(), &ids, BOOKMARK_BYTES_MAX).await;
    let bookmark =
        found.ok().and_then(|items| Element::parse_in(&items.first()?.payload, &StreamContext::stored()).ok());
    bookmark.as_ref().and_then(read).unwrap_or(Setting::Always)
}

/// XEP-0492 §3: what is said for phones goes before what is said for clients, and that before the rest. Phones are what is
/// woken.
fn read(conference: &Element) -> Option<Setting> {
    let extensions = conference.child_elements().find(|el| el.name() == "extensions")?;
    let notify = extensions.child_elements().find(|el| NOTIFY.iter().any(|ns| el.is("notify", ns)))?;
    let setting = |el: &Element| match el.name() {
        "always" => Some(Setting::Always),
        "on-mention" => Some(Setting::OnMention),
        "never" => Some(Setting::Never),
        _ => None,
    };
    let weight = |el: &Element| match (el.get_attr("identity-category"), el.get_attr("identity-type")) {
        (Some("client"), Some("phone")) => 3,
        (Some("client"), None) => 2,
        (None, _) => 1,
        _ => 0,
    };
    let known = notify.child_elements().filter_map(|el| Some((weight(el), setting(el)?)));
    known.filter(|(weight, _)| *weight > 0).max_by_key(|(weight, _)| *weight).map(|(_, setting)| setting)
}

/// Is somebody meant by name, or by a reference (XEP-0372)?
fn mentions(message: &Stanza, jid: &str, names: &[String]) -> bool {
    let uri = format!("xmpp:{jid}");
    let mut references = message.children().filter(|c| c.name() == "reference").filter_map(|c| c.parse());
    if references.any(|el| el.get_attr("uri").is_some_and(|meant| meant.split('?').next() == Some(&uri))) {
        return true;
    }
    let Some(body) = message.child("body", ns::CLIENT) else { return false };
    let body = body.text_content().to_lowercase();
    let is_word = |at: usize, name: &str| {
        let before = body[..at].chars().next_back();
        let after = body[at + name.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    let names = names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    names.into_iter().any(|name| body.match_indices(&name).any(|(at, _)| is_word(at, &name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(notify: &str) -> Option<Setting> {
        let xml = format!(
            "<conference xmlns='urn:xmpp:bookmarks:1'><extensions>\
             <notify xmlns='urn:xmpp:notification-settings:1'>{notify}</notify></extensions></conference>"
        );
        read(&Element::parse(&xml, ns::CLIENT).expect("XML"))
    }

    /// XEP-0492 §3.
    #[test]
    fn the_most_particular_setting_counts() {
        let rows = [
            ("<never/>", Some(Setting::Never)),
            ("<on-mention/>", Some(Setting::OnMention)),
            ("<always/><never identity-category='client'/>", Some(Setting::Never)),
            (
                "<never identity-category='client'/><always identity-category='client' identity-type='phone'/>",
                Some(Setting::Always),
            ),
            ("<never identity-category='client' identity-type='pc'/>", None),
            ("<sometimes/>", None),
            ("", None),
        ];
        for (notify, expected) in rows {
            assert_eq!(setting(notify), expected, "{notify}");
        }
        assert_eq!(read(&Element::new("conference", "urn:xmpp:bookmarks:1")), None);
    }

    #[test]
    fn somebody_is_meant_by_name_or_reference() {
        let message = |inner: &str| {
            let xml = format!("<message>{inner}</message>");
            Stanza::parse(xml.as_bytes(), &StreamContext::stored()).expect("a stanza")
        };
        let names = ["Third Witch".to_owned(), "hag".to_owned()];
        let rows = [
            ("<body>third witch: hi</body>", true),
            ("<body>ask HAG!</body>", true),
            ("<body>haggard</body>", false),
            ("<body>nothing</body>", false),
            ("<body>x</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:hag@x'/>", true),
            ("<body>x</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:crone@x'/>", false),
        ];
        for (inner, meant) in rows {
            assert_eq!(mentions(&message(inner), "hag@x", &names), meant, "{inner}");
        }
    }
}
