//! Service discovery of the service (XEP-0045 §6.2, §6.3) and of rooms (§6.4, §6.5, §7.12).

use super::iq::{self, Asked, Outcome};
use super::task::Here;
use super::{SERVICE, activity, blocks, hats, mentioning, moderate, shapes};
use crate::extension::{Addressee, Declare, DiscoAsk};
use crate::rooms::{self, Affiliation, RoomConfig, RoomState};
use crate::router::bounce::refused;
use crate::storage::RoomsFor;
use crate::xep::disco;
use crate::xep::mam::rooms as mam;
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::formats::rsm;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// §7.12.
const NICK_NODE: &str = "x-roomuser-item";
/// §18.1.1.
const TRAFFIC_NODE: &str = "http://jabber.org/protocol/muc#traffic";

pub(super) fn declare(d: &mut Declare<'_>) {
    disco::serve(d, SERVICE);
    let room = Addressee::Within(SERVICE);
    d.disco(Box::new(|ask| Box::pin(all(ask))))
        .iq(room, IqType::Get, ("query", ns::DISCO_INFO), |call| {
            iq::handle(call, |here, asked| Box::pin(info(here, asked)))
        })
        .iq(room, IqType::Get, ("query", ns::DISCO_ITEMS), |call| {
            iq::handle(call, |here, asked| Box::pin(items(here, asked)))
        });
}

/// §6.3: the rooms everybody may find, and those the asker belongs to; a page of them.
async fn all(ask: Arc<DiscoAsk>) -> Result<Option<Vec<Element>>, StanzaError> {
    let core = &ask.core;
    let service = ask.owner.jid();
    if !ask.items || ask.node.is_some() || core.hosts.service(service.as_str()).is_none_or(|s| s.prefix != SERVICE) {
        return Ok(None);
    }
    let page_max = core.config().limits.rooms_page_max;
    let most = ask.page.max.and_then(|max| usize::try_from(max).ok()).map_or(page_max, |max| max.min(page_max));
    // By their names, as storage has them: order by address would differ where a name goes on with less than an "@".
    let after = ask.page.after.as_deref().and_then(|after| after.split('@').next()).unwrap_or_default().to_owned();
    let asker = ask.asker.bare();
    blocks::check_service(core, service.as_str(), &asker).await?;
    let closed = blocks::closed(core, service.as_str()).await?;
    // One more than fit tells that there is more; those that are closed are none of them.
    let limit = most + 1 + closed.len();
    let named = |config: &RoomConfig| Some(config.name.clone()).filter(|name| !name.is_empty());
    let temporary =
        core.rooms.temporary.page(service.as_str(), &after, limit, |_, listed| listed.is_found_by(&asker)).await;
    let mut found: BTreeMap<String, Option<String>> =
        temporary.into_iter().map(|(local, listed)| (local, named(&listed.config))).collect();
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let stored = core.storage.rooms_page(service.as_str(), &after, limit, RoomsFor::Member(asker.as_str())).await;
    for room in stored.map_err(refused("rooms"))? {
        let local = room.jid.split('@').next().unwrap_or_default().to_owned();
        let config = RoomConfig::from_stored(&room.config);
        found.entry(local).or_insert(config.as_ref().and_then(named));
    }
    found.retain(|local, _| !closed.contains(local));
    let more = found.len() > most;
    while found.len() > most {
        found.pop_last();
    }
    let address = |local: &String| format!("{local}@{service}");
    let ends = found.keys().next().zip(found.keys().last()).map(|(first, last)| (address(first), address(last)));
    let paged = more || ask.page.max.is_some() || ask.page.after.is_some();
    let set = paged.then(|| rsm::Page { ends, count: None }.to_element());
    let item = |(local, name): (String, Option<String>)| {
        Element::new("item", ns::DISCO_ITEMS).attr("jid", address(&local)).attr_opt("name", name)
    };
    Ok(Some(found.into_iter().map(item).chain(set).collect()))
}

fn name(here: &Here<'_>) -> Option<String> {
    Some(here.state.config.name.clone()).filter(|name| !name.is_empty())
}

/// §6.4, §7.12.
async fn info(mut here: Here<'_>, asked: Asked) -> Outcome {
    let query = Element::new("query", ns::DISCO_INFO);
    let identity = || Element::new("identity", ns::DISCO_INFO).attr("category", "conference").attr("type", "text");
    match asked.payload.get_attr("node").filter(|node| !node.is_empty()) {
        None => {}
        Some(NICK_NODE) => {
            let nick = here.state.reserved_nick(asked.bare.as_str());
            return Ok(Some(query.attr("node", NICK_NODE).child_opt(nick.map(|nick| identity().attr("name", nick)))));
        }
        Some(node) if let Some(command) = hats::node_info(&here, &asked, node) => return Ok(Some(command)),
        Some(TRAFFIC_NODE) => return Err(StanzaError::new(Condition::ServiceUnavailable)),
        Some(_) => return Err(StanzaError::new(Condition::ItemNotFound)),
    }
    if here.state.locked && here.state.affiliation(&asked.bare) != Some(Affiliation::Owner) {
        return Err(StanzaError::new(Condition::ItemNotFound));
    }
    let feature = |var: &str| Element::new("feature", ns::DISCO_INFO).attr("var", var);
    let identity = identity().attr_opt("name", name(&here));
    let features = features(here.state);
    let activity = activity::rate(&mut here).await;
    let is_in = here.state.occupants.of_session(asked.from.as_str()).is_some();
    Ok(Some(
        query
            .child(identity)
            .children(features.into_iter().map(feature))
            .child(form(&here, is_in, activity.as_deref()).to_element()),
    ))
}

fn features(state: &RoomState) -> Vec<&'static str> {
    let own = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::MUC_STABLE_ID, ns::MUC_SELF_PING, ns::OCCUPANT_ID, ns::SID];
    let hats = [ns::HATS, ns::COMMANDS, ns::MUC_AFFILIATIONS];
    let archive = mam::FEATURES.into_iter().chain(moderate::FEATURES).filter(|_| mam::archive_of(state).is_some());
    // A temporary room has no place to keep a card.
    let card = state.id.map(|_| ns::VCARD);
    // §7.10.
    let register = [ns::MUC_REGISTER, ns::REGISTER].into_iter().filter(|_| state.config.allow_registration);
    let kinds = rooms::features(&state.config);
    let mut features: Vec<&str> = own
        .into_iter()
        .chain(hats)
        .chain(kinds)
        .chain(archive)
        .chain(card)
        .chain(register)
        .chain(mentioning::FEATURES)
        .collect();
    features.sort_unstable();
    features.dedup();
    features
}

/// The extended information. Who is not in the room does not learn the subject of one that is not for everybody (§14.4).
fn form(here: &Here<'_>, is_in: bool, activity: Option<&str>) -> DataForm {
    let config = &here.state.config;
    let is_open = config.public && !config.members_only && config.password.is_none();
    let subject = here.state.subject.as_ref().filter(|_| is_in || is_open);
    let subject = subject.and_then(|s| s.stanza.child("subject", ns::CLIENT)).map(|s| s.text_content());
    let (occupants, photos) = (here.state.occupants.len(), &here.state.photos);
    let hats = here.state.hats.hash();
    let hats = hats.as_deref();
    rooms::info(config, &rooms::Info { subject: subject.as_deref(), occupants, photos, hats, activity })
}

/// §6.5: who is there, for who is there as well.
async fn items(here: Here<'_>, asked: Asked) -> Outcome {
    let query = Element::new("query", ns::DISCO_ITEMS);
    match asked.payload.get_attr("node").filter(|node| !node.is_empty()) {
        None => {}
        Some(ns::COMMANDS) => return Ok(Some(hats::items(&here, &asked))),
        Some(_) => return Err(StanzaError::new(Condition::ItemNotFound)),
    }
    let state = &*here.state;
    let asker = state.occupants.of_session(asked.from.as_str()).and_then(|slot| state.occupants.at(slot));
    let item = |jid: &Jid| Element::new("item", ns::DISCO_ITEMS).attr("jid", jid.as_str());
    let Some(asker) = asker else { return Ok(Some(query)) };
    // Whose presence is not shown is not listed either.
    let seen = |o: &&rooms::Occupant| o.jid == asker.jid || shapes::sees(state, asker.role, o);
    Ok(Some(query.children(state.occupants.iter().filter(seen).map(|o| item(&o.jid)))))
}
