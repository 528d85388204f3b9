//! The visiting card of a room, and its avatar in it (XEP-0486): an owner sets it, everybody may see it who may see the room.

use super::SERVICE;
use super::configure;
use super::iq::{self, Asked, Outcome};
use super::task::Here;
use crate::extension::{About, Addressee, Declare, Extension};
use crate::rooms::Affiliation;
use crate::router::bounce::refused;
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::{Element, StreamContext};

/// Avatars of rooms.
pub struct RoomAvatars;

impl Extension for RoomAvatars {
    fn about(&self) -> About {
        About::new("XEP-0486", "MUC Avatars", "0.1.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let room = Addressee::Within(SERVICE);
        d.service(SERVICE, None, [ns::VCARD])
            .iq(room, IqType::Get, ("vCard", ns::VCARD), |call| {
                iq::handle(call, |here, asked| Box::pin(get(here, asked)))
            })
            .iq(room, IqType::Set, ("vCard", ns::VCARD), |call| {
                iq::handle(call, |here, asked| Box::pin(set(here, asked)))
            });
    }
}

/// §3.4. Who is banned does not see it; a room without a card has an empty one.
async fn get(here: Here<'_>, asked: Asked) -> Outcome {
    if here.state.affiliation(&asked.bare) == Some(Affiliation::Outcast) {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    let empty = Element::new("vCard", ns::VCARD);
    let Some(id) = here.state.id.filter(|_| !here.state.locked) else { return Ok(Some(empty)) };
    let Some(text) = here.core.storage.room_vcard(id).await.map_err(refused("vcard"))? else { return Ok(Some(empty)) };
    Element::parse_in(&text, &StreamContext::stored()).map(Some).map_err(|error| {
        tracing::error!(%error, room = %here.room.jid, "the card of a room is damaged");
        StanzaError::new(Condition::InternalServerError)
    })
}

/// §3.2: the new card replaces the old one, an empty one is none.
async fn set(mut here: Here<'_>, asked: Asked) -> Outcome {
    if here.state.affiliation(&asked.bare) != Some(Affiliation::Owner) {
        return Err(StanzaError::new(Condition::Forbidden).with_text("Only owners are allowed to set avatars."));
    }
    // A temporary room has no place to keep it.
    let Some(id) = here.state.id else { return Err(StanzaError::new(Condition::ServiceUnavailable)) };
    let text = asked.payload.to_xml(ns::CLIENT);
    if text.len() > here.core.config().limits.vcard_bytes_max {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("the vCard is too large"));
    }
    let is_none = asked.payload.child_elements().next().is_none();
    let photos = photos(&asked.payload)?;
    let card = (!is_none).then(|| (text, photos.clone()));
    here.core.storage.room_set_vcard(id, card).await.map_err(refused("vcard"))?;
    here.state.photos = photos;
    configure::announce_change(&mut here).await;
    Ok(None)
}

/// §5.1: the hash of each photograph, as XEP-0153 computes it.
fn photos(card: &Element) -> Result<Vec<String>, StanzaError> {
    let photos = card.child_elements().filter(|el| el.is("PHOTO", ns::VCARD));
    let hash = |photo: &Element| {
        let base64 = photo.find("BINVAL", ns::VCARD)?.text_content();
        let base64: String = base64.split_whitespace().collect();
        Some(STANDARD.decode(base64).map(|data| {
            let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &data);
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        }))
    };
    // One that is somewhere else on the web has none.
    photos.filter_map(hash).collect::<Result<_, _>>().map_err(|_| StanzaError::bad_request().with_text("no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photographs_are_hashed_as_ever() {
        let card = |photos: &str| {
            Element::parse(&format!("<vCard xmlns='vcard-temp'>{photos}</vCard>"), ns::CLIENT).expect("XML")
        };
        let photo = |base64: &str| format!("<PHOTO><TYPE>image/png</TYPE><BINVAL>{base64}</BINVAL></PHOTO>");
        // SHA-1 of "abc" (FIPS 180-1, appendix A).
        let abc = "a9993e364706816aba3e25717850c26c9cd0d89d".to_owned();
        assert_eq!(photos(&card(&(photo("YW\n Jj") + "<PHOTO><EXTVAL>http://x</EXTVAL></PHOTO>"))), Ok(vec![abc]));
        assert_eq!(photos(&card("")), Ok(vec![]));
        assert!(photos(&card(&photo("?"))).is_err());
    }
}
