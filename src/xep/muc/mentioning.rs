//! XEP-0513: who may mention whom in a room. Mentions nobody may make there are left out of messages: clients that know
//! nothing of permissions would notify people all the same (§7).

use super::iq::{Asked, Outcome};
use super::task::Here;
use super::{configure, message};
use crate::extension::{About, Extension};
use crate::rooms::form::Wish;
use crate::rooms::{Affiliation, Mentions, Role, RoomConfig, mentions};
use xep_support::formats::form::{DataForm, FormType};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::stanza::{Child, Facts, IqType, MessageType, Stanza};
use xep_support::xml::Element;

/// Mentions.
pub struct ExplicitMentions;

impl Extension for ExplicitMentions {
    fn about(&self) -> About {
        About::new("XEP-0513", "Explicit Mentions", "0.1.0")
    }
}

/// What a room supports: fields of its form are there for each of them.
pub(super) const FEATURES: [&str; 4] =
    [ns::MENTIONS, "urn:xmpp:mentions:0#channel", "urn:xmpp:mentions:0#associations", "urn:xmpp:mentions:0#hats"];

/// §3.6: the permissions, for everybody to look at and for owners to change.
pub(super) async fn handle(mut here: Here<'_>, asked: Asked) -> Outcome {
    if here.state.locked {
        return Err(StanzaError::new(Condition::ItemNotFound));
    }
    if asked.kind == IqType::Get {
        let form = mentions::form(&here.state.config).to_element();
        return Ok(Some(Element::new("query", ns::MENTIONS).child(form)));
    }
    if here.state.affiliation(&asked.bare) != Some(Affiliation::Owner) {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    let form = asked.payload.find("x", ns::DATA_FORM).and_then(|x| DataForm::from_element(x).ok());
    let form = form.filter(|form| form.form_type().is_none_or(|kind| kind == ns::MENTIONS));
    let form = form.ok_or_else(StanzaError::bad_request)?;
    match form.kind {
        FormType::Submit => {}
        FormType::Cancel => return Ok(None),
        FormType::Form | FormType::Result => return Err(StanzaError::bad_request()),
    }
    let mut config = RoomConfig::clone(&here.state.config);
    let fault = |var| StanzaError::new(Condition::NotAcceptable).with_text(format!("not a possible value of {var}"));
    mentions::read(&form, &mut config).map_err(fault)?;
    configure::apply(&mut here, &asked.bare, Wish { config, owners: None, admins: None }).await?;
    Ok(None)
}

/// Everybody learns what has changed.
pub(super) async fn announce(here: &mut Here<'_>, before: &RoomConfig) {
    let Some(changes) = mentions::changes(before, &here.state.config) else { return };
    let from = Some(here.room.jid.as_jid());
    message::announce(here, Stanza::message(MessageType::Groupchat, from, None, [changes.to_element()])).await;
}

/// Which mentions of a message are passed on.
#[derive(Clone, Copy)]
pub(super) enum Filter {
    /// There are none.
    Nothing,
    /// There are too many.
    Excess,
    /// As the room has it for somebody in this role.
    As(Role, Mentions),
}

impl Filter {
    /// Of what somebody in this role says.
    pub(super) fn of(stanza: &Stanza, role: Role, mentions: Mentions) -> Self {
        if !stanza.facts().contains(Facts::MENTION) {
            return Self::Nothing;
        }
        let count = stanza.children().filter(is_mention).count();
        if count > mentions.count as usize { Self::Excess } else { Self::As(role, mentions) }
    }

    /// Does this child of the message stay?
    pub(super) fn passes(self, child: &Child<'_>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Excess => !is_mention(child),
            Self::As(role, mentions) => !is_mention(child) || who_may(child, mentions).allows(role),
        }
    }
}

fn is_mention(child: &Child<'_>) -> bool {
    child.ns() == ns::MENTIONS && child.name() == "mention"
}

/// Groups of other kinds are taken for the largest one.
fn who_may(mention: &Child<'_>, mentions: Mentions) -> crate::rooms::MayMention {
    let mention = mention.parse();
    match mention.as_ref().and_then(|mention| mention.get_attr("mentions")) {
        None => mentions.individual,
        Some(group) if is_association(group) => mentions.associations,
        Some("urn:xmpp:mentions:0#hats") => mentions.hats,
        Some(_) => mentions.channel,
    }
}

/// The kinds of §3.2.2.
fn is_association(group: &str) -> bool {
    let kind = group.strip_prefix(ns::MENTIONS).and_then(|group| group.strip_prefix('#'));
    kind.is_some_and(|kind| {
        ["moderators", "participants", "visitors", "owner", "admin", "member", "none"].contains(&kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::xml::StreamContext;

    /// §3.6, §7: what a participant's message keeps, and a moderator's.
    #[test]
    fn what_may_not_be_mentioned_is_left_out() {
        let rows = [
            ("<mention xmlns='urn:xmpp:mentions:0' occupantid='x'/>", true, true),
            ("<mention xmlns='urn:xmpp:mentions:0' mentions='urn:xmpp:mentions:0#channel'/>", false, true),
            ("<mention xmlns='urn:xmpp:mentions:0' mentions='urn:xmpp:mentions:0#owner'/>", false, true),
            ("<mention xmlns='urn:xmpp:mentions:0' mentions='urn:x'/>", false, true),
            ("<mention xmlns='urn:x'/>", true, true),
        ];
        for (inner, by_participant, by_moderator) in rows {
            let xml = format!("<message><body>x</body>{inner}</message>");
            let stanza = Stanza::parse(xml.as_bytes(), &StreamContext::stored()).expect("a stanza");
            let all_pass = |role| {
                let filter = Filter::of(&stanza, role, Mentions::default());
                stanza.children().all(|child| filter.passes(&child))
            };
            assert_eq!(
                (all_pass(Role::Participant), all_pass(Role::Moderator)),
                (by_participant, by_moderator),
                "{inner}"
            );
        }
    }

    #[test]
    fn too_many_mentions_are_none() {
        let one = "<mention xmlns='urn:xmpp:mentions:0' occupantid='x'/>";
        let xml = format!("<message>{}<body/></message>", one.repeat(3));
        let stanza = Stanza::parse(xml.as_bytes(), &StreamContext::stored()).expect("a stanza");
        let left = |count| {
            let filter = Filter::of(&stanza, Role::Participant, Mentions { count, ..Mentions::default() });
            stanza.children().filter(|child| filter.passes(child)).count()
        };
        assert_eq!((left(3), left(2)), (4, 1));
    }
}
