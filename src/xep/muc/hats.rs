//! Hats (XEP-0317): what rooms call people beyond their affiliations. Admins make them and hand them out by commands
//! (XEP-0050) of the room.

use super::iq::Asked;
use super::shapes::{self, Notice};
use super::task::{self, BoxedIn, Here};
use super::{SERVICE, admin, blocks, configure};
use crate::core::Core;
use crate::extension::commands::{Command, CommandCall, Step};
use crate::extension::{About, Addressee, BoxFuture, Declare, Extension};
use crate::rooms::{Affiliation, Hat, HatFault, RoomState, stored_hat};
use crate::router::bounce::refused;
use crate::xep::commands;
use std::collections::BTreeSet;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// Hats.
pub struct RoomHats;

impl Extension for RoomHats {
    fn about(&self) -> About {
        About::new("XEP-0317", "Hats", "0.3.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let room = Addressee::Within(SERVICE);
        for (node, name, run) in COMMANDS {
            // Who may is for the room to say, in its turn.
            let run = Box::new(move |call| Box::pin(step(call, run)) as BoxFuture<_>);
            d.command(room, Command { node, name, may: |_, _, _| true, run });
        }
        commands::serve(d, room);
    }
}

type Run = for<'a> fn(Here<'a>, Asker) -> BoxedIn<'a, Result<Step, StanzaError>>;

/// The commands: node, name, and what a step does.
const COMMANDS: [(&str, &str, Run); 6] = [
    (CREATE, "Create a hat", |here, asker| Box::pin(run_create(here, asker))),
    (DESTROY, "Destroy a hat", |here, asker| Box::pin(run_destroy(here, asker))),
    (LIST, "List the hats", |here, asker| Box::pin(async move { run_list(&here, &asker) })),
    (ASSIGN, "Assign a hat", |here, asker| Box::pin(run_assign(here, asker))),
    (UNASSIGN, "Remove a hat", |here, asker| Box::pin(run_unassign(here, asker))),
    (LIST_ASSIGNED, "List the assigned hats", |here, asker| Box::pin(async move { run_list_assigned(&here, &asker) })),
];

const CREATE: &str = "urn:xmpp:hats:commands:create";
const DESTROY: &str = "urn:xmpp:hats:commands:destroy";
const LIST: &str = "urn:xmpp:hats:commands:list";
const ASSIGN: &str = "urn:xmpp:hats:commands:assign";
const UNASSIGN: &str = "urn:xmpp:hats:commands:unassign";
const LIST_ASSIGNED: &str = "urn:xmpp:hats:commands:list-assigned";

/// §3.8.
const FORM: &str = "urn:xmpp:hats:commands";
const JID: &str = "hats#jid";
const TITLE: &str = "hats#title";
const URI: &str = "hats#uri";
const HUE: &str = "hats#hue";

/// Who runs a command, and what has been filled in.
struct Asker {
    full: Jid,
    bare: BareJid,
    form: Option<DataForm>,
}

async fn step(call: CommandCall, run: Run) -> Result<Step, StanzaError> {
    let CommandCall { core, client, to, mut forms } = call;
    if !core.config().rooms.enabled {
        return Err(StanzaError::new(Condition::ServiceUnavailable));
    }
    let (full, bare, room) = (client.jid().as_jid().clone(), client.account.jid.clone(), to.bare());
    blocks::check(&core, &room, &bare).await?;
    let asker = Asker { full, bare, form: forms.pop() };
    task::in_room(&core, &room, move |here| run(here, asker)).await
}

/// Which of the commands somebody may run.
#[derive(Clone, Copy)]
struct Rights {
    /// Make and hand out hats: admins and owners.
    rules: bool,
    /// See those the room has: who is in it or belongs to it.
    sees: bool,
    /// See who wears them, whose addresses that shows: as for the list of members (XEP-0045 §9.5).
    sees_all: bool,
}

impl Rights {
    fn of(state: &RoomState, full: &Jid, bare: &BareJid) -> Self {
        let affiliation = state.affiliation(bare);
        let role = state.occupants.of_session(full.as_str()).and_then(|slot| Some(state.occupants.at(slot)?.role));
        let out =
            affiliation == Some(Affiliation::Outcast) || (state.locked && affiliation != Some(Affiliation::Owner));
        Self {
            rules: !out && affiliation >= Some(Affiliation::Admin),
            sees: !out && (role.is_some() || affiliation.is_some()),
            sees_all: !out && admin::may_list(state, affiliation, role, Affiliation::Member),
        }
    }

    fn may(self, node: &str) -> bool {
        match node {
            LIST => self.sees,
            LIST_ASSIGNED => self.sees_all,
            _ => self.rules,
        }
    }

    fn check(here: &Here<'_>, asker: &Asker, node: &str) -> Result<(), StanzaError> {
        let may = Self::of(here.state, &asker.full, &asker.bare).may(node);
        if may { Ok(()) } else { Err(StanzaError::forbidden()) }
    }
}

// Service discovery of the commands (XEP-0050 §2.2).

/// What a node of the room is: the list of commands or one of them, if the asker may run it.
pub(super) fn node_info(here: &Here<'_>, asked: &Asked, node: &str) -> Option<Element> {
    let query = Element::new("query", ns::DISCO_INFO).attr("node", node);
    let identity = |kind: &str, name: &str| {
        let identity = Element::new("identity", ns::DISCO_INFO).attr("category", "automation").attr("type", kind);
        identity.attr("name", name)
    };
    let feature = |var: &str| Element::new("feature", ns::DISCO_INFO).attr("var", var);
    if node == ns::COMMANDS {
        return Some(query.child(identity("command-list", "Commands")).child(feature(ns::COMMANDS)));
    }
    let rights = Rights::of(here.state, &asked.from, &asked.bare);
    let (_, name, _) = COMMANDS.iter().find(|(known, ..)| *known == node && rights.may(node))?;
    let features = [ns::COMMANDS, ns::DATA_FORM].map(feature);
    Some(query.child(identity("command-node", name)).children(features))
}

/// The commands the asker may run.
pub(super) fn items(here: &Here<'_>, asked: &Asked) -> Element {
    let rights = Rights::of(here.state, &asked.from, &asked.bare);
    let item = |(node, name, _): &(&'static str, &'static str, Run)| {
        let item = Element::new("item", ns::DISCO_ITEMS).attr("jid", here.room.jid.as_str());
        item.attr("node", *node).attr("name", *name)
    };
    let may = COMMANDS.iter().filter(|(node, ..)| rights.may(node));
    Element::new("query", ns::DISCO_ITEMS).attr("node", ns::COMMANDS).children(may.map(item))
}

// The commands (§3.2 to §3.7).

fn ask(title: &str, line: &str, fields: impl IntoIterator<Item = Field>) -> Result<Step, StanzaError> {
    let form = DataForm::new(FormType::Form).title(title).instructions(line).with_form_type(FORM);
    Ok(Step::Form { form: fields.into_iter().fold(form, DataForm::field), is_last: true })
}

fn done() -> Result<Step, StanzaError> {
    Ok(Step::Done { form: None, note: None })
}

/// XEP-0050 §4.4.
fn bad(text: &'static str) -> StanzaError {
    StanzaError::bad_request().with_app("bad-payload", ns::COMMANDS).with_text(text)
}

/// The value of a field that must be there. A form that says it is another one is another one (XEP-0068).
fn value<'a>(form: &'a DataForm, var: &str) -> Result<&'a str, StanzaError> {
    if form.form_type().is_some_and(|kind| kind != FORM) {
        return Err(bad("another form was asked for"));
    }
    let value = form.get(var).map(str::trim).filter(|value| !value.is_empty());
    value.ok_or_else(|| bad("a field of the form is missing"))
}

async fn run_create(mut here: Here<'_>, asker: Asker) -> Result<Step, StanzaError> {
    Rights::check(&here, &asker, CREATE)?;
    let Some(form) = asker.form else {
        let text = |var, label: &str| Field::new(var, FieldType::TextSingle).label(label);
        let fields = [text(TITLE, "Hat Title").required(), text(URI, "Hat URI").required(), text(HUE, "Hat Hue")];
        return ask("Creating a Hat", "Fill out this form to create a hat.", fields);
    };
    create(&mut here, value(&form, URI)?, value(&form, TITLE)?, form.get(HUE)).await.map_err(told)?;
    log(&here, "hat created", &asker.bare, value(&form, URI)?, None);
    done()
}

/// What is wrong with a hat.
fn told(error: HatError) -> StanzaError {
    match error {
        HatError::Fault(fault) => {
            let text = fault.to_string();
            match fault {
                HatFault::Uri | HatFault::Title | HatFault::Hue => bad("").with_text(text),
                HatFault::TooLarge => StanzaError::new(Condition::NotAcceptable).with_text(text),
                HatFault::TooMany | HatFault::TooManyOfOne | HatFault::TooManyWorn => {
                    StanzaError::resource_constraint().with_text(text)
                }
            }
        }
        HatError::NoSuchHat => StanzaError::item_not_found().with_text("There is no such hat."),
        HatError::NotWorn => StanzaError::item_not_found().with_text("The hat is not worn."),
        HatError::Other(error) => error,
    }
}

/// A field by which one of the hats is chosen.
fn choice(here: &Here<'_>) -> Field {
    let field = Field::new(URI, FieldType::ListSingle).label("The role").required();
    here.state.hats.iter().fold(field, |field, (uri, hat)| field.option(&*hat.title, uri))
}

async fn run_destroy(mut here: Here<'_>, asker: Asker) -> Result<Step, StanzaError> {
    Rights::check(&here, &asker, DESTROY)?;
    let Some(form) = asker.form else {
        return ask("Destroying a Hat", "Fill out this form to destroy a hat.", [choice(&here)]);
    };
    let uri = value(&form, URI)?;
    destroy(&mut here, uri).await.map_err(told)?;
    log(&here, "hat destroyed", &asker.bare, uri, None);
    done()
}

async fn run_assign(mut here: Here<'_>, asker: Asker) -> Result<Step, StanzaError> {
    Rights::check(&here, &asker, ASSIGN)?;
    let Some(form) = asker.form else {
        return ask("Assigning a Hat", "Fill out this form to assign a hat.", [whom(), choice(&here)]);
    };
    let (who, uri) = (wearer(&here, &form)?, value(&form, URI)?);
    assign(&mut here, &who, uri).await.map_err(told)?;
    log(&here, "hat assigned", &asker.bare, uri, Some(&who));
    done()
}

async fn run_unassign(mut here: Here<'_>, asker: Asker) -> Result<Step, StanzaError> {
    Rights::check(&here, &asker, UNASSIGN)?;
    let Some(form) = asker.form else {
        return ask("Removing a Hat", "Fill out this form to remove a hat.", [whom(), choice(&here)]);
    };
    let (who, uri) = (wearer(&here, &form)?, value(&form, URI)?);
    unassign(&mut here, &who, uri).await.map_err(told)?;
    log(&here, "hat removed", &asker.bare, uri, Some(&who));
    done()
}

fn whom() -> Field {
    Field::new(JID, FieldType::JidSingle).label("User Address").required()
}

/// Whom a form names: a user, or an occupant of this room.
fn wearer(here: &Here<'_>, form: &DataForm) -> Result<BareJid, StanzaError> {
    let jid = Jid::parse(value(form, JID)?).map_err(|_| bad("no address"))?;
    if jid.bare_str() == here.room.jid.as_str() {
        let slot = jid.resource().and_then(|nick| here.state.occupants.of_exact_nick(nick));
        let bare = slot.and_then(|slot| here.state.occupants.at(slot)).map(|occupant| occupant.bare.clone());
        return bare.ok_or_else(|| StanzaError::item_not_found().with_text("There is no such occupant."));
    }
    if jid.local().is_none() { Err(bad("not the address of a user")) } else { Ok(jid.bare()) }
}

fn log(here: &Here<'_>, what: &str, by: &BareJid, uri: &str, whom: Option<&BareJid>) {
    tracing::info!(room = %here.room.jid, what, %by, uri, whom = whom.map(|who| who.as_str()), "moderation");
}

/// §3.4.
fn run_list(here: &Here<'_>, asker: &Asker) -> Result<Step, StanzaError> {
    Rights::check(here, asker, LIST)?;
    let rows = here.state.hats.iter().map(|(uri, hat)| described(hat, [(TITLE, &hat.title), (URI, uri)]));
    table("Hats List", [TITLE, URI, HUE], rows)
}

/// §3.7.
fn run_list_assigned(here: &Here<'_>, asker: &Asker) -> Result<Step, StanzaError> {
    Rights::check(here, asker, LIST_ASSIGNED)?;
    let rows = here.state.hats.worn();
    let bytes: usize = here.state.hats.worn().map(|(who, ..)| who.as_str().len()).sum();
    if bytes > here.core.config().limits.room_list_bytes_max / 2 {
        return Err(StanzaError::resource_constraint());
    }
    let rows = rows.map(|(who, uri, hat)| described(hat, [(JID, who.as_str()), (URI, uri), (TITLE, &hat.title)]));
    table("Assigned Hats List", [JID, URI, TITLE, HUE], rows)
}

fn described<const N: usize>(hat: &Hat, fields: [(&'static str, &str); N]) -> Element {
    let field = |(var, value): (&'static str, &str)| {
        let value = Element::new("value", ns::DATA_FORM).text(value);
        Element::new("field", ns::DATA_FORM).attr("var", var).child(value)
    };
    let hue = hat.hue.as_deref().map(|hue| field((HUE, hue)));
    Element::new("item", ns::DATA_FORM).children(fields.map(field)).child_opt(hue)
}

/// XEP-0004 §3.4.
fn table<const N: usize>(
    title: &str,
    columns: [&'static str; N],
    rows: impl Iterator<Item = Element>,
) -> Result<Step, StanzaError> {
    let column = |var: &'static str| Element::new("field", ns::DATA_FORM).attr("var", var);
    let reported = Element::new("reported", ns::DATA_FORM).children(columns.map(column));
    let form = DataForm::new(FormType::Result).title(title).with_form_type(FORM).to_element();
    Ok(Step::Done { form: Some(form.child(reported).children(rows)), note: None })
}

// What is done, also by who operates the server: on disk first, then in the room.

/// What who operates the server may do about hats.
pub enum HatChange {
    /// §3.2.
    Create {
        /// What it is.
        uri: String,
        /// Its name for people.
        title: String,
        /// Its colour.
        hue: Option<String>,
    },
    /// §3.3.
    Destroy {
        /// Which.
        uri: String,
    },
    /// §3.5.
    Assign {
        /// To whom.
        who: BareJid,
        /// Which.
        uri: String,
    },
    /// §3.6.
    Unassign {
        /// From whom.
        who: BareJid,
        /// Which.
        uri: String,
    },
}

/// Does it in the room's turn.
///
/// # Errors
/// Why nothing was done.
pub async fn change(core: &Arc<Core>, room: &BareJid, change: HatChange) -> Result<(), HatError> {
    let done = task::in_room(core, room, move |mut here| {
        Box::pin(async move {
            let here = &mut here;
            Ok(match &change {
                HatChange::Create { uri, title, hue } => create(here, uri, title, hue.as_deref()).await,
                HatChange::Destroy { uri } => destroy(here, uri).await,
                HatChange::Assign { who, uri } => assign(here, who, uri).await,
                HatChange::Unassign { who, uri } => unassign(here, who, uri).await,
            })
        })
    });
    done.await?
}

/// Why nothing was done.
#[derive(Debug)]
pub enum HatError {
    /// The hat is none, or one too many.
    Fault(HatFault),
    /// The room has none of this URI.
    NoSuchHat,
    /// Not by this one.
    NotWorn,
    /// There is no such room, or storage refused.
    Other(StanzaError),
}

impl From<HatFault> for HatError {
    fn from(fault: HatFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StanzaError> for HatError {
    fn from(error: StanzaError) -> Self {
        Self::Other(error)
    }
}

/// §3.2: the room has a hat; one of this URI that it had already is another one.
pub(super) async fn create(here: &mut Here<'_>, uri: &str, title: &str, hue: Option<&str>) -> Result<(), HatError> {
    let core: &Core = here.core;
    let hat = Hat::read(uri, title, hue, &core.config().limits)?;
    here.state.hats.check_place(uri, &core.config().limits)?;
    if here.state.hats.get(uri) == Some(&hat) {
        return Ok(());
    }
    if let Some(id) = here.state.id {
        core.storage.room_set_hat(id, stored_hat(uri, &hat)).await.map_err(refused("room"))?;
    }
    here.state.hats.set(uri, hat);
    let wearers = here.state.hats.wearers(uri);
    show(here, &wearers).await;
    configure::announce_change(here).await;
    Ok(())
}

/// §3.3: the room has a hat no more, and nobody wears it.
pub(super) async fn destroy(here: &mut Here<'_>, uri: &str) -> Result<(), HatError> {
    here.state.hats.get(uri).ok_or(HatError::NoSuchHat)?;
    if let Some(id) = here.state.id {
        here.core.storage.room_destroy_hat(id, uri.to_owned()).await.map_err(refused("room"))?;
    }
    let wearers = here.state.hats.destroy(uri);
    show(here, &wearers).await;
    configure::announce_change(here).await;
    Ok(())
}

/// §3.5: somebody wears a hat, whether he is there or not.
pub(super) async fn assign(here: &mut Here<'_>, who: &BareJid, uri: &str) -> Result<(), HatError> {
    here.state.hats.get(uri).ok_or(HatError::NoSuchHat)?;
    if here.state.hats.is_worn_by(who, uri) {
        return Ok(());
    }
    here.state.hats.check_head(who, &here.core.config().limits)?;
    wear(here, who, uri, true).await?;
    here.state.hats.put_on(who.clone(), uri);
    show(here, &BTreeSet::from([who.clone()])).await;
    Ok(())
}

/// §3.6.
pub(super) async fn unassign(here: &mut Here<'_>, who: &BareJid, uri: &str) -> Result<(), HatError> {
    here.state.hats.get(uri).ok_or(HatError::NoSuchHat)?;
    if !here.state.hats.is_worn_by(who, uri) {
        return Err(HatError::NotWorn);
    }
    wear(here, who, uri, false).await?;
    here.state.hats.take_off(who, uri);
    show(here, &BTreeSet::from([who.clone()])).await;
    Ok(())
}

async fn wear(here: &Here<'_>, who: &BareJid, uri: &str, wears: bool) -> Result<(), StanzaError> {
    let Some(id) = here.state.id else { return Ok(()) };
    let written = here.core.storage.room_wear_hat(id, who.to_string(), uri.to_owned(), wears);
    written.await.map_err(refused("room"))
}

/// Those of them who are there are shown with the hats they wear now. An empty `<hats/>` says that there are none any more.
async fn show(here: &mut Here<'_>, who: &BTreeSet<BareJid>) {
    let slots: Vec<u32> = who.iter().flat_map(|bare| here.state.occupants.of_user(bare.as_jid())).collect();
    let is_too_much = shapes::is_too_much(here, slots.len());
    for slot in slots {
        let Some(bare) = here.state.occupants.at(slot).map(|occupant| &occupant.bare) else { continue };
        let none = || format!("<hats xmlns='{}'/>", ns::HATS).into();
        let printed = here.state.hats.printed(bare).unwrap_or_else(none);
        if let Some(occupant) = here.state.occupants.at_mut(slot) {
            occupant.hats = Some(printed);
            shapes::refresh(occupant, None);
        }
        // Who enters sees it all the same.
        if !is_too_much {
            shapes::show(here, slot, &Notice::default()).await;
        }
    }
}
