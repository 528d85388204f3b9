//! What concerns a member who is not in the room: what its bookmark of the room (XEP-0402) says by XEP-0492, and who is
//! meant by a message.

use crate::account::Account;
use crate::clock;
use crate::core::Core;
use crate::pubsub::Owner;
use crate::rooms::Affiliation;
use crate::xep::pubsub;
use std::ops::Range;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::xml::{Element, StreamContext};

/// Bytes of a bookmark that is looked at.
const BOOKMARK_BYTES_MAX: u64 = 64 * 1024;
/// The namespaces XEP-0492 has or had.
const NOTIFY: [&str; 3] =
    ["urn:xmpp:notification-settings:1", "urn:xmpp:notification-settings:0", "urn:xmpp:client-key:0"];

/// A member who is not in the room, as messages may mean it.
pub(super) struct Member {
    /// What it is to the room.
    pub(super) affiliation: Affiliation,
    /// What it goes by.
    pub(super) names: Vec<String>,
    /// The room is for members only.
    pub(super) is_private: bool,
    /// The hats it wears, by their URIs.
    pub(super) hats: Vec<Box<str>>,
}

/// What a message says of whom it means: read once, however many members may be meant.
pub(super) struct Said {
    /// XEP-0513.
    mentions: Vec<Element>,
    /// Whom references (XEP-0372) are to.
    references: Vec<BareJid>,
    /// Whom replies (XEP-0461) are to.
    replies: Vec<Jid>,
    /// The body in lower case, without what belongs to mentions.
    text: String,
}

impl Said {
    pub(super) fn of(message: &Stanza) -> Self {
        let mentions: Vec<Element> = named(message, "mention").filter(|el| el.ns() == ns::MENTIONS).collect();
        let replies = named(message, "reply").filter(|el| el.ns() == ns::REPLY);
        let body = message.child("body", ns::CLIENT);
        Self {
            references: named(message, "reference").filter_map(|el| jid_of_uri(el.get_attr("uri")?)).collect(),
            replies: replies.filter_map(|el| Jid::parse(el.get_attr("to")?).ok()).collect(),
            text: body.map(|body| rest(&body.text_content(), &mentions).to_lowercase()).unwrap_or_default(),
            mentions,
        }
    }
}

/// Does it want to be told of this message?
pub(super) async fn concerns(
    core: &Arc<Core>,
    room: &BareJid,
    said: &Said,
    account: &Arc<Account>,
    member: &Member,
) -> bool {
    // XEP-0492 §3: what counts as long as nothing is said.
    let default = if member.is_private { Setting::Always } else { Setting::OnMention };
    match setting(core, account, room).await.unwrap_or(default) {
        Setting::Always => true,
        Setting::OnMention => {
            let occupant_id = core.device_secret.occupant_id(room.as_str(), account.jid.as_str());
            Meant { room, jid: &account.jid, occupant_id: &occupant_id, member }.by(said)
        }
        Setting::Never => false,
    }
}

/// What somebody wants to be told of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Setting {
    Always,
    OnMention,
    Never,
}

/// As its bookmark has it, if there is one that can be read.
async fn setting(core: &Arc<Core>, account: &Arc<Account>, room: &BareJid) -> Option<Setting> {
    let owner = Owner::Account(account.clone());
    let node = pubsub::node(core, &owner, ns::BOOKMARKS_PEP).await.ok().flatten()?;
    let ids = [room.as_str().to_owned()];
    let found = core.storage.pubsub_items_by_id(node.id, clock::now_micros(), &ids, BOOKMARK_BYTES_MAX).await;
    let bookmark =
        found.ok().and_then(|items| Element::parse_in(&items.first()?.payload, &StreamContext::stored()).ok());
    bookmark.as_ref().and_then(read)
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

/// Somebody who may be meant by a message.
struct Meant<'a> {
    room: &'a BareJid,
    jid: &'a BareJid,
    occupant_id: &'a str,
    member: &'a Member,
}

impl Meant<'_> {
    /// By a mention (XEP-0513), by a reference (XEP-0372), by a reply (XEP-0461), or by name?
    fn by(&self, said: &Said) -> bool {
        let (mut is_meant, mut is_left_alone) = (false, false);
        for mention in said.mentions.iter().filter(|mention| self.is_mentioned(mention)) {
            let has = |name| mention.find(name, ns::MENTIONS).is_some();
            is_left_alone |= has("noping");
            // §3.5.1: who is not in the room is not active.
            is_meant |= !has("noping") && !has("active");
        }
        if is_meant || is_left_alone {
            return is_meant;
        }
        said.references.contains(self.jid)
            || said.replies.iter().any(|to| self.is_occupant(to))
            || self.is_named(&said.text)
    }

    /// XEP-0513 §3.1, §3.2. Who is not there has the role it would enter with.
    fn is_mentioned(&self, mention: &Element) -> bool {
        let Some(group) = mention.get_attr("mentions") else {
            return match mention.get_attr("occupantid") {
                Some(id) => id == self.occupant_id,
                None => mention.get_attr("jid").is_some_and(|jid| is_jid(jid, self.jid)),
            };
        };
        let affiliation = self.member.affiliation;
        match group.strip_prefix(ns::MENTIONS).unwrap_or_default() {
            "#channel" => mention.get_attr("uri").is_none_or(|uri| is_uri_of(uri, self.room)),
            "#hats" => mention.get_attr("uri").is_some_and(|uri| self.member.hats.iter().any(|hat| **hat == *uri)),
            "#moderators" => affiliation >= Affiliation::Admin,
            "#participants" => affiliation == Affiliation::Member,
            group => group.strip_prefix('#').is_some_and(|name| affiliation.name() == name),
        }
    }

    /// Is it the author this says, by the occupant JID (XEP-0461 §3.1)?
    fn is_occupant(&self, to: &Jid) -> bool {
        let is_name = |nick| self.member.names.iter().any(|name| name == nick);
        to.bare() == *self.room && to.resource().is_some_and(is_name)
    }

    /// In a text in lower case.
    fn is_named(&self, text: &str) -> bool {
        let is_word = |at: usize, name: &str| {
            let before = text[..at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        };
        let names = self.member.names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
        names.into_iter().any(|name| text.match_indices(&name).any(|(at, _)| is_word(at, &name)))
    }
}

fn named(message: &Stanza, name: &str) -> impl Iterator<Item = Element> {
    message.children().filter(move |child| child.name() == name).filter_map(|child| child.parse())
}

fn is_jid(text: &str, jid: &BareJid) -> bool {
    Jid::parse(text).is_ok_and(|meant| meant.bare() == *jid)
}

fn is_uri_of(uri: &str, jid: &BareJid) -> bool {
    jid_of_uri(uri).is_some_and(|meant| meant == *jid)
}

fn jid_of_uri(uri: &str) -> Option<BareJid> {
    let jid = uri.strip_prefix("xmpp:")?.split(['?', ';']).next()?;
    Some(Jid::parse(jid).ok()?.bare())
}

/// A text without what belongs to mentions (XEP-0513 §3.3): that says itself who is meant.
fn rest(text: &str, mentions: &[Element]) -> String {
    let place = |mention: &Element, name| mention.get_attr(name)?.parse::<usize>().ok();
    let places = mentions.iter().filter(|mention| mention.get_attr("hreflang").is_none());
    let places = places.filter_map(|m| Some(place(m, "begin")?..place(m, "end")?));
    let places = disjoint(places.filter(|place| !place.is_empty()).collect());
    let mut places = places.iter().peekable();
    let mut is_taken = |at: usize| {
        while places.next_if(|place| place.end <= at).is_some() {}
        places.peek().is_some_and(|place| place.contains(&at))
    };
    text.chars().enumerate().map(|(at, c)| if is_taken(at) { ' ' } else { c }).collect()
}

/// The same places in order, those that overlap or touch as one.
fn disjoint(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| place.start);
    places.dedup_by(|next, last| {
        let is_joined = next.start <= last.end;
        if is_joined {
            last.end = last.end.max(next.end);
        }
        is_joined
    });
    places
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

    /// Is the hag, a member of the coven, meant?
    fn is_meant(inner: &str) -> bool {
        let jid = |text: &str| Jid::parse(text).expect("a JID").bare();
        let (room, hag) = (jid("coven@rooms.x"), jid("hag@x"));
        let names = vec!["Third Witch".to_owned(), "hag".to_owned()];
        let member =
            Member { affiliation: Affiliation::Member, names, is_private: true, hats: vec!["urn:hat:witch".into()] };
        let xml = format!("<message>{inner}</message>");
        let message = Stanza::parse(xml.as_bytes(), &StreamContext::stored()).expect("a stanza");
        Meant { room: &room, jid: &hag, occupant_id: "3", member: &member }.by(&Said::of(&message))
    }

    #[test]
    fn somebody_is_meant_by_name_or_reference() {
        let rows = [
            ("<body>third witch: hi</body>", true),
            ("<body>ask HAG!</body>", true),
            ("<body>haggard</body>", false),
            ("<body>nothing</body>", false),
            ("<body>x</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:hag@x'/>", true),
            ("<body>x</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:crone@x'/>", false),
            ("<body>x</body><reply xmlns='urn:xmpp:reply:0' id='1' to='coven@rooms.x/Third Witch'/>", true),
            ("<body>x</body><reply xmlns='urn:xmpp:reply:0' id='1' to='coven@rooms.x/Hecate'/>", false),
        ];
        for (inner, meant) in rows {
            assert_eq!(is_meant(inner), meant, "{inner}");
        }
    }

    /// XEP-0513 §3.1, §3.2, §3.5.
    #[test]
    fn somebody_is_mentioned() {
        let rows = [
            ("occupantid='3'", "", true),
            ("occupantid='1' jid='hag@x'", "", false),
            ("jid='hag@x/pda'", "", true),
            ("mentions='urn:xmpp:mentions:0#channel'", "", true),
            ("mentions='urn:xmpp:mentions:0#channel' uri='xmpp:coven@rooms.x?join'", "", true),
            ("mentions='urn:xmpp:mentions:0#channel' uri='xmpp:heath@rooms.x'", "", false),
            ("mentions='urn:xmpp:mentions:0#member'", "", true),
            ("mentions='urn:xmpp:mentions:0#participants'", "", true),
            ("mentions='urn:xmpp:mentions:0#owner'", "", false),
            ("mentions='urn:xmpp:mentions:0#moderators'", "", false),
            ("mentions='urn:xmpp:mentions:0#hats' uri='urn:hat:witch'", "", true),
            ("mentions='urn:xmpp:mentions:0#hats' uri='urn:hat:ghost'", "", false),
            ("mentions='urn:xmpp:mentions:0#server' uri='xmpp:x'", "", false),
            ("mentions='urn:xmpp:mentions:0#channel'", "<active/>", false),
            ("occupantid='3'", "<noping/>", false),
        ];
        for (attrs, inside, meant) in rows {
            let mention = format!("<mention xmlns='urn:xmpp:mentions:0' {attrs}>{inside}</mention>");
            assert_eq!(is_meant(&format!("<body>x</body>{mention}")), meant, "{mention}");
        }
    }

    /// XEP-0513 §3.3, §3.5.2: two may have one name.
    #[test]
    fn a_name_is_whose_the_mention_says() {
        let mention =
            |attrs: &str, inside: &str| format!("<mention xmlns='urn:xmpp:mentions:0' {attrs}>{inside}</mention>");
        let rows = [
            ("<body>Hé, hag</body>", mention("begin='4' end='7' occupantid='1'", ""), false),
            ("<body>hag, not hag</body>", mention("begin='9' end='12' occupantid='1'", ""), true),
            ("<body>I meant hag</body>", mention("occupantid='3'", "<noping/>"), false),
            ("<body>hag</body>", mention("begin='9' end='1' occupantid='1'", ""), true),
        ];
        for (body, mention, meant) in rows {
            assert_eq!(is_meant(&format!("{body}{mention}")), meant, "{body}{mention}");
        }
    }

    #[test]
    fn places_of_mentions_may_overlap_in_any_order() {
        let mention = |(begin, end): &(usize, usize)| {
            let begin = begin.to_string();
            Element::new("mention", ns::MENTIONS).attr("begin", begin).attr("end", end.to_string())
        };
        let rows: [(&[(usize, usize)], &str); 7] = [
            (&[], "0123é56789"),
            (&[(7, 9), (1, 3)], "0  3é56  9"),
            (&[(4, 6), (2, 5)], "01    6789"),
            (&[(1, 8), (2, 3), (4, 5)], "0       89"),
            (&[(3, 5), (1, 3), (3, 4)], "0    56789"),
            (&[(9, 1), (5, 5), (0, 1)], " 123é56789"),
            (&[(8, 99), (50, 60)], "0123é567  "),
        ];
        for (places, expected) in rows {
            let mentions: Vec<Element> = places.iter().map(mention).collect();
            assert_eq!(rest("0123é56789", &mentions), expected, "{places:?}");
        }
    }
}
