//! Registering with a room (XEP-0045 §7.10): one becomes a member and has a nickname of one's own.

use super::admin::{self, Change};
use super::approve;
use super::iq::{Asked, Outcome};
use super::shapes::Notice;
use super::stored;
use super::task::Here;
use crate::rooms::{self, Affiliated, Affiliation};
use xep_support::formats::form::DataForm;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// `jabber:iq:register`.
pub(super) async fn handle(mut here: Here<'_>, asked: Asked) -> Outcome {
    let affiliation = here.state.affiliation(&asked.bare);
    if here.state.locked && affiliation != Some(Affiliation::Owner) {
        return Err(StanzaError::new(Condition::ItemNotFound));
    }
    let may = match affiliation {
        Some(Affiliation::Outcast) => false,
        Some(_) => true,
        None => here.state.config.allow_registration,
    };
    if !may {
        return Err(StanzaError::new(Condition::NotAllowed));
    }
    if asked.kind == IqType::Get {
        return Ok(Some(form(&here, &asked)));
    }
    if asked.payload.find("remove", ns::REGISTER).is_some() {
        return remove(&mut here, &asked, affiliation).await.map(|()| None);
    }
    let form = asked.payload.find("x", ns::DATA_FORM).and_then(|x| DataForm::from_element(x).ok());
    let form = form.ok_or_else(StanzaError::bad_request)?;
    let nick = rooms::registered_nick(&form).ok_or_else(StanzaError::bad_request)?;
    if affiliation.is_none() && here.state.config.members_only {
        // §9.9: who may enter is for the admins to say.
        return approve::ask(&here, &asked.bare, nick).map(|()| None);
    }
    register(&mut here, &asked, nick).await.map(|()| None)
}

/// What is asked for, or what is so already.
fn form(here: &Here<'_>, asked: &Asked) -> Element {
    let query = Element::new("query", ns::REGISTER);
    match here.state.reserved_nick(asked.bare.as_str()) {
        Some(nick) => query
            .child(Element::new("registered", ns::REGISTER))
            .child(Element::new("username", ns::REGISTER).text(nick)),
        None => query.child(rooms::register_form(here.room.jid.as_str()).to_element()),
    }
}

async fn register(here: &mut Here<'_>, asked: &Asked, nick: &str) -> Result<(), StanzaError> {
    let nick = super::rules::to_reserve(here, nick)?;
    super::rules::may_have_nick(here, &asked.bare, &nick)?;
    let known = here.state.affiliations.get(asked.bare.as_str()).cloned();
    let known = known.unwrap_or_else(|| Affiliated::new(Affiliation::Member));
    change(here, asked, Some(Affiliated { nick: Some(nick.clone()), ..known })).await?;
    super::nick::assign(here, &asked.bare, &nick).await;
    Ok(())
}

/// XEP-0077 §3.2: a member is none any more, others only lose the nickname.
async fn remove(here: &mut Here<'_>, asked: &Asked, affiliation: Option<Affiliation>) -> Result<(), StanzaError> {
    let known = here.state.affiliations.get(asked.bare.as_str()).cloned();
    let known = known.ok_or(StanzaError::new(Condition::RegistrationRequired))?;
    let stays = affiliation >= Some(Affiliation::Admin);
    change(here, asked, stays.then_some(Affiliated { nick: None, ..known })).await
}

async fn change(here: &mut Here<'_>, asked: &Asked, new: Option<Affiliated>) -> Result<(), StanzaError> {
    let jid = asked.bare.as_jid().clone();
    let change = Change::Affiliation { jid: jid.clone(), new: new.clone() };
    if admin::is_so(here.state, &change) {
        return Ok(());
    }
    stored::affiliations(here, &[change]).await?;
    admin::set_affiliation(here, &asked.bare, jid, new, Notice::default()).await;
    Ok(())
}
