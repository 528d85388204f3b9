//! XEP-0398: an avatar published to a node (XEP-0084) and the photograph of a visiting card (XEP-0153) are the same, and
//! its hash stands in the presence of its owner. A card is public: a picture whose nodes are not stays out of it.

use crate::account::Account;
use crate::account::resource::Client;
use crate::core::Core;
use crate::extension::{About, Declare, Extension};
use crate::im::presence;
use crate::pubsub::{AccessModel, Change, NodeEvent, Owner};
use crate::router::bounce::refused;
use crate::storage::AccountId;
use crate::xep::pubsub::{Publish, all_items, last_item, node, publish, standalone};
use crate::{clock, xep};
use aws_lc_rs::digest;
use std::sync::Arc;
use xep_support::formats::avatar::{self, Picture};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::{Element, StreamContext};

/// Pictures of the data node among which the current one is looked for, the newest ones.
const PICTURES_MAX: u32 = 16;

/// What waits for an account's turn.
const AVATAR: &str = "avatar";

/// The conversion.
pub struct AvatarConversion;

impl Extension for AvatarConversion {
    fn about(&self) -> About {
        About::new("XEP-0398", "User Avatar to vCard-Based Avatars Conversion", "1.0.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.registered_feature(ns::AVATAR_CONVERSION)
            .node_events(Box::new(published))
            .presence(Box::new(|_, client, stanza| stamp(client, stanza)));
    }
}

/// §4: "in every available presence that does not contain an empty photo element".
fn stamp(client: &Client, stanza: &mut Stanza) {
    let hides = avatar::says_none(stanza);
    let photo = {
        let mut state = client.account.lock();
        if stanza.to().is_none()
            && let Some(bound) = state.bound(&client.resource)
        {
            bound.hides_photo = hides;
        }
        state.photo.clone()
    };
    if let Some(hash) = photo.filter(|_| !hides) {
        avatar::stamp(stanza, &hash);
    }
}

/// The SHA-1 of a picture, as XEP-0084 and XEP-0153 write it.
fn hash(picture: &Picture) -> Arc<str> {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &picture.data);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

/// §3.1: something happened at the node that says which picture it is, or it is for others to see now, or not (§7).
fn published(core: &Arc<Core>, event: &NodeEvent<'_>) {
    let concerned = match &*event.node.name {
        ns::AVATAR_METADATA => true,
        ns::AVATAR_DATA => matches!(event.change, Change::Configured | Change::Deleted),
        _ => false,
    };
    let Some(account) = event.owner.account().filter(|_| concerned) else { return };
    let (Some(id), false) = (account.id, event.internal) else { return };
    if !core.conversions.ask(&account.jid, AVATAR) {
        return;
    }
    let (core, account) = (core.clone(), account.clone());
    core.work.clone().spawn(async move {
        if let Err(error) = into_card(&core, &account, id).await {
            tracing::error!(account = %account.jid, reason = error.condition.as_str(), "an avatar is not in the card");
        }
    });
}

async fn into_card(core: &Arc<Core>, account: &Arc<Account>, id: AccountId) -> Result<(), StanzaError> {
    let _turn = core.conversions.asked(&account.jid, AVATAR).await;
    let mut picture = public_picture(core, account).await?;
    let stored = core.storage.vcard_get(id).await.map_err(refused("vcard"))?;
    let mut card = match stored {
        Some(stored) => xep::vcard::restore(&stored)?,
        None => Element::new("vCard", ns::VCARD),
    };
    let before = avatar::photo(&card);
    if before.as_ref().map(|p| &p.data) == picture.as_ref().map(|p| &p.data) {
        return Ok(());
    }
    avatar::set_photo(&mut card, picture.as_ref());
    if card.to_xml(ns::CLIENT).len() > core.config().limits.vcard_bytes_max {
        tracing::info!(account = %account.jid, "an avatar is too large for the card");
        picture = None;
        avatar::set_photo(&mut card, None);
    }
    keep_card(core, account, id, &card, picture.as_ref()).await?;
    Ok(())
}

/// The picture that is published for everybody, if there is one (§7).
async fn public_picture(core: &Arc<Core>, account: &Arc<Account>) -> Result<Option<Picture>, StanzaError> {
    let owner = Owner::Account(account.clone());
    for name in [ns::AVATAR_METADATA, ns::AVATAR_DATA] {
        let node = node(core, &owner, name).await?;
        if node.is_none_or(|node| node.config.access_model != AccessModel::Open) {
            return Ok(None);
        }
    }
    let Some((wanted, kind)) = described(core, &owner).await? else { return Ok(None) };
    let pictures = all_items(core, &owner, ns::AVATAR_DATA, PICTURES_MAX).await?;
    let data =
        pictures.iter().find(|item| item.id == wanted).and_then(|item| avatar::read_data(&parse(&item.payload)?));
    let picture = data.map(|data| Picture { data, kind });
    // §3.1: "SHOULD verify that the SHA-1 hash of the image matches the id".
    Ok(picture.filter(|picture| hash(picture).eq_ignore_ascii_case(&wanted)))
}

/// Id and type of the picture that is published just now.
async fn described(core: &Arc<Core>, owner: &Owner) -> Result<Option<(String, Option<String>)>, StanzaError> {
    let item = last_item(core, owner, ns::AVATAR_METADATA).await?;
    let metadata = item.and_then(|item| parse(&item.payload));
    let described = metadata.as_ref().and_then(avatar::described);
    Ok(described.map(|(id, kind)| (id.to_owned(), kind.map(str::to_owned))))
}

fn parse(payload: &str) -> Option<Element> {
    Element::parse_in(payload, &StreamContext::stored()).ok()
}

/// Stores a card, an empty one as none, and lets everybody know of another photograph (§4). In the account's turn.
async fn keep_card(
    core: &Arc<Core>,
    account: &Account,
    id: AccountId,
    card: &Element,
    picture: Option<&Picture>,
) -> Result<Option<Arc<str>>, StanzaError> {
    let xml = card.first_child().map(|_| card.to_xml(ns::CLIENT));
    let photo = picture.map(hash);
    let commit = core.storage.vcard_set(id, xml.as_deref(), photo.as_deref(), clock::now_micros());
    commit.await.map_err(refused("vcard"))?;
    let before = std::mem::replace(&mut account.lock().photo, photo.clone());
    if before != photo {
        let hash = photo.as_deref().unwrap_or_default();
        presence::renew(core, account, |bound, stanza| {
            if !bound.hides_photo {
                avatar::stamp(stanza, hash);
            }
        });
    }
    Ok(before)
}

/// A client has written its card: stores it, and publishes its photograph (§3.2).
pub(super) async fn card_written(
    core: &Arc<Core>,
    account: &Arc<Account>,
    from: &Jid,
    id: AccountId,
    card: &Element,
) -> Result<(), StanzaError> {
    let _turn = core.conversions.of(&account.jid).await;
    let picture = avatar::photo(card);
    let before = keep_card(core, account, id, card, picture.as_ref()).await?;
    if let Err(error) = from_card(core, account, from, picture.as_ref(), before.is_some()).await {
        // The card is what was asked for; its photograph is not seen by those who look at the node.
        tracing::warn!(account = %account.jid, reason = error.condition.as_str(), "a photograph was not published");
    }
    Ok(())
}

async fn from_card(
    core: &Arc<Core>,
    account: &Arc<Account>,
    from: &Jid,
    picture: Option<&Picture>,
    had_one: bool,
) -> Result<(), StanzaError> {
    let owner = Owner::Account(account.clone());
    let current = described(core, &owner).await?;
    let Some(picture) = picture else {
        // A card that never had the picture says nothing about it.
        if !had_one || current.is_none() {
            return Ok(());
        }
        return announce(core, &owner, from, None).await;
    };
    let id = hash(picture);
    if current.is_some_and(|(current, _)| current.eq_ignore_ascii_case(&id)) {
        return Ok(());
    }
    let wish = Publish {
        node: ns::AVATAR_DATA.to_owned(),
        id: Some(id.to_string()),
        payload: Some(standalone(&avatar::data(&picture.data))),
        options: open_if_new(core, &owner, ns::AVATAR_DATA).await?,
        internal: true,
        ..Publish::default()
    };
    publish(core, &owner, from, wish).await?;
    announce(core, &owner, from, Some((picture, &id))).await
}

/// Publishes which picture it is now (XEP-0084 §3.2), or that there is none (§3.5).
async fn announce(
    core: &Arc<Core>,
    owner: &Owner,
    from: &Jid,
    picture: Option<(&Picture, &str)>,
) -> Result<(), StanzaError> {
    let wish = Publish {
        node: ns::AVATAR_METADATA.to_owned(),
        id: picture.map(|(_, id)| id.to_owned()),
        payload: Some(standalone(&avatar::metadata(picture))),
        options: open_if_new(core, owner, ns::AVATAR_METADATA).await?,
        internal: true,
        ..Publish::default()
    };
    publish(core, owner, from, wish).await.map(|_| ())
}

/// A node that has to be made is as public as the card; one that is there stays as it is.
async fn open_if_new(core: &Arc<Core>, owner: &Owner, name: &str) -> Result<Option<DataForm>, StanzaError> {
    let is_there = node(core, owner, name).await?.is_some();
    let access = Field::new("pubsub#access_model", FieldType::ListSingle).value("open");
    let form = DataForm::new(FormType::Submit).with_form_type(ns::PUBSUB_PUBLISH_OPTIONS).field(access);
    Ok((!is_there).then_some(form))
}
