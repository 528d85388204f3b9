//! Rooms: lists of them, what each is, and everything an operator may change there.

use super::protocol::{
    AffiliatedRow, ArchivedRow, Failure, FailureKind, HatRow, OccupantRow, Reply, RoomBlockRow as BlockRow,
    RoomDetails, RoomReply, RoomRequest, RoomRow,
};
use super::{PAGE_ROWS, bare, moment};
use crate::clock;
use crate::core::Core;
use crate::hosts::Place;
use crate::rooms::form::{self, Fault};
use crate::rooms::{Affiliation, Hat, HatFault, Hats, Listed, RoomConfig};
use crate::storage::{ArchiveQuery, PageFrom, RoomBlock, RoomFound, RoomId, RoomSummary, RoomsFor};
use crate::xep::muc::hats::{self, HatChange, HatError};
use crate::xep::muc::{self, operate};
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::error::{Condition, StanzaError};

pub(super) async fn handle(core: &Arc<Core>, request: RoomRequest) -> Result<Reply, Failure> {
    use RoomRequest as Ask;
    let reply = match request {
        Ask::List { service, after } => list(core, service.as_deref(), &after).await?,
        Ask::Show { room } => show(core, &find(core, &room)?).await?,
        Ask::Create { room, owner, settings } => create(core, &find(core, &room)?, &owner, settings).await?,
        Ask::Destroy { room, alternate, reason } => {
            let room = find(core, &room)?;
            let alternate = alternate.as_deref().map(bare).transpose()?.map(BareJid::into_jid);
            operate::destroy(core, &room, alternate, reason).await.map_err(|e| failed(&room, &e))?;
            RoomReply::Destroyed { room: room.to_string() }
        }
        Ask::Config { room, settings } => configure(core, &find(core, &room)?, settings).await?,
        Ask::Affiliation { room, jid, affiliation, reason } => {
            affiliate(core, &find(core, &room)?, &jid, &affiliation, reason).await?
        }
        Ask::Kick { room, nick, reason } => {
            let room = find(core, &room)?;
            let kicked = operate::kick(core, &room, nick.clone(), reason).await;
            kicked.map_err(|error| match error.condition {
                Condition::ItemNotFound => Failure::new(FailureKind::NotFound, format!("nobody is {nick} in {room}")),
                _ => failed(&room, &error),
            })?;
            RoomReply::Kicked { room: room.to_string(), nick }
        }
        Ask::HatCreate { room, uri, title, hue } => {
            let change = HatChange::Create { uri: uri.clone(), title, hue };
            RoomReply::HatCreated { room: hat(core, &room, change).await?, uri }
        }
        Ask::HatDestroy { room, uri } => {
            let change = HatChange::Destroy { uri: uri.clone() };
            RoomReply::HatDestroyed { room: hat(core, &room, change).await?, uri }
        }
        Ask::HatAssign { room, jid, uri } => {
            let who = wearer(&jid)?;
            let (jid, change) = (who.to_string(), HatChange::Assign { who, uri: uri.clone() });
            RoomReply::HatAssigned { room: hat(core, &room, change).await?, jid, uri }
        }
        Ask::HatUnassign { room, jid, uri } => {
            let who = wearer(&jid)?;
            let (jid, change) = (who.to_string(), HatChange::Unassign { who, uri: uri.clone() });
            RoomReply::HatUnassigned { room: hat(core, &room, change).await?, jid, uri }
        }
        Ask::Archive { room } => archive(core, &find(core, &room)?).await?,
        Ask::ArchiveExport { room, after } => export(core, &find(core, &room)?, after).await?,
        Ask::ArchivePurge { room, older_than_days } => {
            let id = stored(core, &find(core, &room)?).await?;
            let before_us = clock::now_micros() - i64::from(older_than_days.unwrap_or(0)) * MICROS_PER_DAY;
            RoomReply::Purged { messages: core.storage.archive_purge(id, before_us).await? }
        }
        Ask::Blocks { service } => blocks(core, service.as_deref()).await?,
        Ask::Block { service, jid, reason } => {
            let (service, jid) = (service_of(core, service.as_deref())?, bare(&jid)?.to_string());
            let block = RoomBlock { jid: jid.clone(), since_us: clock::now_micros(), reason };
            muc::keep_out(core, &service, block).await?;
            RoomReply::Blocked { jid }
        }
        Ask::Unblock { service, jid } => {
            let (service, jid) = (service_of(core, service.as_deref())?, bare(&jid)?.to_string());
            if !muc::let_in(core, &service, &jid).await? {
                return Err(Failure::new(FailureKind::NotFound, format!("{jid} is not kept out of {service}")));
            }
            RoomReply::Unblocked { jid }
        }
    };
    Ok(Reply::Room(reply))
}

/// The address of a room we could have.
fn find(core: &Core, room: &str) -> Result<BareJid, Failure> {
    let jid = bare(room)?;
    if core.hosts.place(jid.as_jid()) == Place::Service(muc::SERVICE) && jid.as_jid().local().is_some() {
        return Ok(jid);
    }
    let message = format!("\"{room}\" is no address of a room, such as name@{}", first(core));
    Err(Failure::new(FailureKind::BadRequest, message))
}

/// The service of the first domain.
fn first(core: &Core) -> String {
    format!("{}.{}", muc::SERVICE, core.hosts.first().jid)
}

/// A service of ours: the one named, or the one there is.
fn service_of(core: &Core, service: Option<&str>) -> Result<String, Failure> {
    let Some(service) = service else { return Ok(first(core)) };
    let jid = bare(service)?;
    if jid.as_jid().is_domain() && core.hosts.place(jid.as_jid()) == Place::Service(muc::SERVICE) {
        return Ok(jid.to_string());
    }
    let message = format!("\"{service}\" is no service with rooms, such as {}", first(core));
    Err(Failure::new(FailureKind::BadRequest, message))
}

fn no_room(room: &BareJid) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no room {room}"))
}

fn failed(room: &BareJid, error: &StanzaError) -> Failure {
    let text = error.text.as_deref().map_or_else(|| error.condition.as_str().to_owned(), str::to_owned);
    match error.condition {
        Condition::ItemNotFound => no_room(room),
        Condition::Conflict => Failure::new(FailureKind::Exists, format!("{room}: {text}")),
        Condition::ResourceConstraint => Failure::new(FailureKind::Limit, format!("{room}: {text}")),
        _ => Failure::new(FailureKind::Failed, format!("{room}: {text}")),
    }
}

/// Stored rooms page by page, service after service; temporary ones come with those of their service that are in use.
async fn list(core: &Arc<Core>, service: Option<&str>, after: &str) -> Result<RoomReply, Failure> {
    core.storage.barrier().await?;
    let mut services: Vec<String> = match service {
        Some(service) => vec![service_of(core, Some(service))?],
        None => core.hosts.iter().map(|host| format!("{}.{}", muc::SERVICE, host.jid)).collect(),
    };
    services.sort_unstable();
    let (after_name, after_service) = after.split_once('@').unwrap_or_default();
    let mut rooms = Vec::new();
    for service in services.iter().filter(|service| service.as_str() >= after_service) {
        let after = if service == after_service { after_name } else { "" };
        let page = core.storage.rooms_page(service, after, PAGE_ROWS, RoomsFor::Operator).await?;
        let is_last = page.len() < PAGE_ROWS as usize;
        let upto = page.last().map(|room| room.jid.clone()).filter(|_| !is_last);
        rooms.extend(rows(core, service, page, after, upto.as_deref()).await);
        if !is_last {
            return Ok(RoomReply::Rooms { rooms, more: true });
        }
    }
    Ok(RoomReply::Rooms { rooms, more: false })
}

async fn rows(
    core: &Arc<Core>,
    service: &str,
    page: Vec<RoomSummary>,
    after: &str,
    upto: Option<&str>,
) -> Vec<RoomRow> {
    let local = |jid: &str| jid.split('@').next().unwrap_or_default().to_owned();
    let mut rows = BTreeMap::new();
    for room in page {
        let config = RoomConfig::from_stored(&room.config).unwrap_or_default();
        let occupants = core.rooms.find(&room.jid).and_then(|room| room.listed()).map_or(0, |room| room.occupants);
        rows.insert(local(&room.jid), row(room.jid, &config, occupants, Some(moment(room.created_us))));
    }
    let upto = upto.map(local);
    let is_next = |name: &str, _: &Listed| upto.as_ref().is_none_or(|upto| name <= upto.as_str());
    for (name, room) in core.rooms.temporary.page(service, after, usize::MAX, is_next).await {
        let temporary = || row(format!("{name}@{service}"), &room.config, room.occupants, None);
        rows.entry(name.clone()).or_insert_with(temporary);
    }
    rows.into_values().collect()
}

fn row(room: String, config: &RoomConfig, occupants: usize, created: Option<String>) -> RoomRow {
    RoomRow {
        room,
        name: config.name.clone(),
        persistent: config.persistent,
        public: config.public,
        members_only: config.members_only,
        occupants,
        created,
    }
}

async fn show(core: &Arc<Core>, room: &BareJid) -> Result<RoomReply, Failure> {
    let shown = operate::show(core, room).await.map_err(|error| failed(room, &error))?;
    let affiliated = |(jid, known): (String, crate::rooms::Affiliated)| AffiliatedRow {
        jid,
        affiliation: known.affiliation.name().to_owned(),
        nick: known.nick.map(String::from),
        reason: known.reason.map(String::from),
    };
    let occupant = |seen: operate::Seen| OccupantRow {
        nick: seen.nick,
        role: seen.role.name().to_owned(),
        sessions: seen.sessions,
    };
    let settings = form::settings(&shown.config).into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(RoomReply::Room(Box::new(RoomDetails {
        room: room.to_string(),
        created: moment(shown.created_us),
        locked: shown.locked,
        subject: shown.subject,
        settings: settings.collect(),
        affiliations: shown.affiliations.into_iter().map(affiliated).collect(),
        occupants: shown.occupants.into_iter().map(occupant).collect(),
        hats: shown.hats.iter().map(|(uri, hat)| hat_row(&shown.hats, uri, hat)).collect(),
    })))
}

fn hat_row(hats: &Hats, uri: &str, hat: &Hat) -> HatRow {
    let worn_by = hats.wearers(uri).iter().map(BareJid::to_string).collect();
    HatRow { uri: uri.to_owned(), title: hat.title.to_string(), hue: hat.hue.as_deref().map(str::to_owned), worn_by }
}

/// Who can wear a hat: somebody, and no whole domain.
fn wearer(jid: &str) -> Result<BareJid, Failure> {
    let who = bare(jid)?;
    let is_user = who.as_jid().local().is_some();
    is_user.then_some(who).ok_or_else(|| Failure::new(FailureKind::BadRequest, "a hat is for one user"))
}

/// Changes something about the hats of a room, whose address comes back.
async fn hat(core: &Arc<Core>, room: &str, change: HatChange) -> Result<String, Failure> {
    let room = find(core, room)?;
    let done = hats::change(core, &room, change).await;
    done.map_err(|error| match error {
        HatError::Fault(fault) => {
            let too_many = matches!(fault, HatFault::TooMany | HatFault::TooManyOfOne | HatFault::TooManyWorn);
            let kind = if too_many { FailureKind::Limit } else { FailureKind::BadRequest };
            Failure::new(kind, fault.to_string())
        }
        HatError::NoSuchHat => Failure::new(FailureKind::NotFound, format!("{room} has no such hat")),
        HatError::NotWorn => Failure::new(FailureKind::NotFound, "that hat is not worn by this user"),
        HatError::Other(error) => failed(&room, &error),
    })?;
    Ok(room.to_string())
}

/// Takes settings as the command line has them: several values of a list are separated by commas.
fn apply(config: &mut RoomConfig, core: &Core, settings: &[(String, String)]) -> Result<(), Failure> {
    let wrong = |message: String| Failure::new(FailureKind::BadRequest, message);
    for (name, value) in settings {
        let is_list = ["presencebroadcast", "getmemberlist", "contactjid"].iter().any(|list| name.ends_with(list));
        let values: Vec<String> = match value.as_str() {
            "" => Vec::new(),
            value if is_list => value.split(',').map(|value| value.trim().to_owned()).collect(),
            value => vec![value.to_owned()],
        };
        match form::set(config, name, &values, &core.config().limits) {
            Ok(true) => {}
            Ok(false) => return Err(wrong(format!("a room has no setting {name}; `magpie room show` lists them"))),
            Err(Fault(field)) => return Err(wrong(format!("\"{value}\" is not a possible value of {field}"))),
        }
    }
    Ok(())
}

async fn create(
    core: &Arc<Core>,
    room: &BareJid,
    owner: &str,
    settings: Vec<(String, String)>,
) -> Result<RoomReply, Failure> {
    let owner = bare(owner)?;
    let mut config = RoomConfig::of_service(&core.config().rooms);
    apply(&mut config, core, &settings)?;
    operate::create(core, room, owner, config).await.map_err(|error| match error.condition {
        Condition::Conflict if error.text.is_none() => {
            Failure::new(FailureKind::Exists, format!("there is a room {room} already"))
        }
        _ => failed(room, &error),
    })?;
    Ok(RoomReply::Created { room: room.to_string() })
}

async fn configure(core: &Arc<Core>, room: &BareJid, settings: Vec<(String, String)>) -> Result<RoomReply, Failure> {
    let inner = core.clone();
    let done = operate::configure(core, room, move |config| apply(config, &inner, &settings)).await;
    done.map_err(|error| failed(room, &error))??;
    Ok(RoomReply::Configured { room: room.to_string() })
}

async fn affiliate(
    core: &Arc<Core>,
    room: &BareJid,
    who: &str,
    affiliation: &str,
    reason: Option<String>,
) -> Result<RoomReply, Failure> {
    let who: Jid = bare(who)?.into_jid();
    let Some(wanted) = Affiliation::from_name(affiliation) else {
        let message = format!("\"{affiliation}\" is none of owner, admin, member, none, outcast");
        return Err(Failure::new(FailureKind::BadRequest, message));
    };
    if who.is_domain() && !matches!(wanted, Some(Affiliation::Outcast) | None) {
        return Err(Failure::new(FailureKind::BadRequest, "a whole domain can be an outcast only"));
    }
    let done = operate::affiliate(core, room, who.clone(), wanted, reason).await;
    done.map_err(|error| match error.condition {
        Condition::Conflict => Failure::new(FailureKind::Failed, format!("nobody would own {room} any more")),
        _ => failed(room, &error),
    })?;
    Ok(RoomReply::Affiliated { room: room.to_string(), jid: who.to_string(), affiliation: affiliation.to_owned() })
}

/// The key of a room that is stored.
async fn stored(core: &Arc<Core>, room: &BareJid) -> Result<RoomId, Failure> {
    core.storage.barrier().await?;
    match core.storage.room_load(room.as_str()).await? {
        RoomFound::Room(row) => Ok(row.id),
        RoomFound::Gone(_) | RoomFound::None => Err(no_room(room)),
    }
}

async fn archive(core: &Arc<Core>, room: &BareJid) -> Result<RoomReply, Failure> {
    let id = stored(core, room).await?;
    let messages = core.storage.archive_count(id, &ArchiveQuery::default(), u32::MAX).await?;
    let (first, last) = core.storage.archive_bounds(id).await?.unzip();
    Ok(RoomReply::Archive { room: room.to_string(), messages, first: first.map(moment), last: last.map(moment) })
}

/// Messages, and their bytes, in one piece of an export.
const EXPORT_ROWS: u32 = 500;
const EXPORT_BYTES: u64 = 1 << 20;

async fn export(core: &Arc<Core>, room: &BareJid, after: i64) -> Result<RoomReply, Failure> {
    let id = stored(core, room).await?;
    let query = ArchiveQuery { after, ..ArchiveQuery::default() };
    let page = core.storage.archive_page(id, &query, PageFrom::Oldest, EXPORT_ROWS, EXPORT_BYTES).await?;
    let row = |m: crate::storage::ArchivedMessage| ArchivedRow { id: m.id, stamp: moment(m.id), stanza: m.stanza };
    Ok(RoomReply::Archived { messages: page.messages.into_iter().map(row).collect(), more: page.more })
}

async fn blocks(core: &Arc<Core>, service: Option<&str>) -> Result<RoomReply, Failure> {
    core.storage.barrier().await?;
    let service = service_of(core, service)?;
    let row = |block: RoomBlock| BlockRow {
        service: service.clone(),
        jid: block.jid,
        since: moment(block.since_us),
        reason: block.reason,
    };
    let blocks = core.storage.room_blocks(&service).await?.into_iter().map(row).collect();
    Ok(RoomReply::Blocks { blocks })
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
