//! What owners do (XEP-0045 §10.1, §10.2, §10.9).

use super::iq::{Asked, Outcome};
use super::task::Here;
use super::{configure, exit, stored};
use crate::rooms::{Affiliation, form};
use xep_support::formats::form::{DataForm, FormType};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// `muc#owner`.
pub(super) async fn handle(mut here: Here<'_>, asked: Asked) -> Outcome {
    if here.state.affiliation(&asked.bare) != Some(Affiliation::Owner) {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    if asked.kind == IqType::Get {
        return Ok(Some(Element::new("query", ns::MUC_OWNER).child(form_of(&here).to_element())));
    }
    if let Some(destroy) = asked.payload.find("destroy", ns::MUC_OWNER) {
        let destroy = notice(&here, destroy)?;
        let text_max = here.core.config().limits.room_text_bytes_max;
        let alternate =
            asked.payload.find("destroy", ns::MUC_OWNER).and_then(|el| el.get_attr("jid")).map(str::to_owned);
        let reason = asked.payload.find("destroy", ns::MUC_OWNER).and_then(|el| el.find("reason", ns::MUC_OWNER));
        stored::destruction(&mut here, alternate, reason.map(|reason| cut(&reason.text_content(), text_max))).await?;
        tracing::info!(room = %here.room.jid, by = %asked.bare, "room destroyed");
        exit::destroy(&mut here, destroy).await;
        return Ok(None);
    }
    let form = asked.payload.find("x", ns::DATA_FORM).ok_or_else(StanzaError::bad_request)?;
    let form = DataForm::from_element(form).map_err(|_| StanzaError::bad_request())?;
    // An instant room is asked for without any (§10.1.2).
    if form.form_type().is_some_and(|kind| kind != ns::MUC_ROOM_CONFIG) {
        return Err(StanzaError::bad_request());
    }
    match form.kind {
        FormType::Submit => submit(&mut here, &asked.bare, &form).await,
        FormType::Cancel => cancel(&mut here).await,
        FormType::Form | FormType::Result => return Err(StanzaError::bad_request()),
    }
    .map(|()| None)
}

/// §10.9: what everybody is told, within what may be said.
fn notice(here: &Here<'_>, destroy: &Element) -> Result<String, StanzaError> {
    let text_max = here.core.config().limits.room_text_bytes_max;
    let venue = destroy.get_attr("jid").map(Jid::parse).transpose();
    let venue = venue.map_err(|_| StanzaError::new(Condition::JidMalformed))?;
    let text = |name: &'static str| {
        let text = destroy.find(name, ns::MUC_OWNER).map(Element::text_content).filter(|text| !text.is_empty())?;
        Some(Element::new(name, ns::MUC_USER).text(cut(&text, text_max)))
    };
    let element = Element::new("destroy", ns::MUC_USER)
        .attr_opt("jid", venue.as_ref().map(Jid::as_str))
        .child_opt(text("password"))
        .child_opt(text("reason"));
    Ok(element.to_xml(ns::MUC_USER))
}

/// What is too long ends earlier.
fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

/// §10.1.3, §10.2.
fn form_of(here: &Here<'_>) -> DataForm {
    let all = |affiliation| {
        let jids = here.state.affiliated(affiliation).map(|(jid, _)| jid.bare());
        jids.collect::<Vec<BareJid>>()
    };
    let (owners, admins) = (all(Affiliation::Owner), all(Affiliation::Admin));
    form::form(&here.state.config, &here.room.jid, &owners, &admins, &here.core.config().limits)
}

/// §10.1.2: an empty form takes everything as it is.
async fn submit(here: &mut Here<'_>, by: &BareJid, form: &DataForm) -> Result<(), StanzaError> {
    let wish = form::read(form, &here.state.config, &here.core.config().limits);
    let wish = wish.map_err(|fault| StanzaError::new(Condition::NotAcceptable).with_text(fault.to_string()))?;
    configure::apply(here, by, wish).await
}

/// §10.1.3: who cancels the first configuration does not want the room.
async fn cancel(here: &mut Here<'_>) -> Result<(), StanzaError> {
    if here.state.locked {
        stored::destruction(here, None, None).await?;
        exit::destroy(here, Element::new("destroy", ns::MUC_USER).to_xml(ns::MUC_USER)).await;
    }
    Ok(())
}
