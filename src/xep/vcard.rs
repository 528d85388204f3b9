//! XEP-0054: visiting cards, which everybody may read.

use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall};
use crate::ops;
use crate::router::bounce::refused;
use crate::storage::{Storage, Vcard};
use crate::xep::avatar;
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::{Element, StreamContext};

/// vcard-temp.
pub struct VcardTemp;

impl Extension for VcardTemp {
    fn about(&self) -> About {
        About::new("XEP-0054", "vcard-temp", "1.3.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let vcard = ("vCard", ns::VCARD);
        d.server_feature(ns::VCARD)
            .account_feature(ns::VCARD)
            .iq(Addressee::OwnAccount, IqType::Get, vcard, own)
            .iq(Addressee::OwnAccount, IqType::Set, vcard, set)
            .iq(Addressee::OtherAccount, IqType::Get, vcard, other)
            // §3.2.
            .iq(Addressee::OtherAccount, IqType::Set, vcard, |_| Answer::error(StanzaError::new(Condition::Forbidden)));
    }
}

/// §3.1: who has no card gets an empty one.
fn own(call: IqCall<'_>) -> Answer {
    let empty = Element::new("vCard", ns::VCARD);
    let Some(id) = call.client.account.id else { return Answer::with(empty) };
    let storage = call.core.storage.clone();
    Answer::later(async move {
        let kept = storage.vcard_get(id).await.map_err(refused("vcard"))?;
        kept.map_or(Ok(Some(empty)), |vcard| restore(&vcard).map(Some))
    })
}

/// §3.3: nobody of that name and nobody's card look the same.
fn other(call: IqCall<'_>) -> Answer {
    let (storage, asked) = (call.core.storage.clone(), call.to.bare());
    Answer::later(async move {
        let kept = find(&storage, asked.as_str()).await?;
        let vcard = kept.ok_or_else(|| StanzaError::new(Condition::ServiceUnavailable))?;
        restore(&vcard).map(Some)
    })
}

async fn find(storage: &Storage, asked: &str) -> Result<Option<Vcard>, StanzaError> {
    let Some(record) = storage.account(asked).await.map_err(refused("vcard"))? else { return Ok(None) };
    storage.vcard_get(record.account.id).await.map_err(refused("vcard"))
}

/// The card as it was stored.
pub(super) fn restore(vcard: &Vcard) -> Result<Element, StanzaError> {
    Element::parse_in(&vcard.xml, &StreamContext::stored()).map_err(|error| {
        tracing::error!(%error, "a vCard in storage is damaged");
        StanzaError::new(Condition::InternalServerError)
    })
}

/// §3.2: the new card replaces the old one; an empty card is none.
fn set(call: IqCall<'_>) -> Answer {
    let id = match ops::registered(&call.client.account) {
        Ok(id) => id,
        Err(error) => return Answer::error(error),
    };
    if call.payload.to_xml(ns::CLIENT).len() > call.core.config().limits.vcard_bytes_max {
        return Answer::error(StanzaError::new(Condition::PolicyViolation).with_text("the vCard is too large"));
    }
    let (core, client, card) = (call.core.clone(), call.client.clone(), call.payload);
    Answer::later(async move {
        let from = client.jid().as_jid();
        avatar::card_written(&core, &client.account, from, id, &card).await.map(|()| None)
    })
}
