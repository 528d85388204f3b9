//! Presence of occupants as the others see it (XEP-0045 §7.2.2 to §7.2.4).

use super::message::write_occupant_id;
use super::task::{Here, Pace, give};
use super::versions;
use crate::rooms::{Affiliation, Occupant, Role, RoomConfig, RoomState, Seat, Sight, affiliation_name};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{Child, PresenceType, Stanza};
use xep_support::xml::writer::{escape_attr, escape_text};

/// What is said in `<x/>` beside what the occupant is.
#[derive(Clone, Debug, Default)]
pub(super) struct Notice {
    /// Status codes for everybody.
    pub(super) codes: Vec<u16>,
    /// Status codes for the occupant itself, beside 110.
    pub(super) own_codes: Vec<u16>,
    /// The new nickname.
    pub(super) nick: Option<String>,
    /// The nickname of who did it.
    pub(super) actor: Option<String>,
    /// Why.
    pub(super) reason: Option<String>,
    /// Its content: the room is no more (§10.9).
    pub(super) destroy: Option<String>,
    /// Nobody is told of somebody who is not there.
    pub(super) quiet: bool,
    /// It comes with a change of the occupant's affiliation, by versions (XEP-0463).
    pub(super) change: Option<Arc<versions::Change>>,
}

impl Notice {
    /// With status codes for everybody.
    pub(super) fn codes(codes: impl IntoIterator<Item = u16>) -> Self {
        Self { codes: codes.into_iter().collect(), ..Self::default() }
    }
}

/// Who is told.
#[derive(Clone, Copy)]
struct Told {
    /// Sees the real address.
    fully: bool,
    /// Is the occupant itself.
    own: bool,
    /// Is told versions of the affiliations (XEP-0463).
    sight: Option<Sight>,
}

impl Told {
    fn of(state: &RoomState, viewer: &Occupant, notice: &Notice) -> Self {
        let sight = notice.change.as_ref().and_then(|_| versions::sight_of(state, viewer));
        Self { fully: state.sees_addresses(viewer.role), own: false, sight }
    }

    /// As one of the shapes there can be.
    fn place(self) -> usize {
        let sight = self.sight.map_or(0, |sight| sight.place() + 1);
        usize::from(self.fully) | usize::from(self.own) << 1 | sight << 2
    }
}

/// The number of these.
const SHAPES: usize = 12;

/// Does somebody in this role see the presence of this occupant?
pub(super) fn sees(state: &RoomState, viewer: Role, occupant: &Occupant) -> bool {
    sees_by(&state.config, viewer, occupant)
}

/// The same with another configuration.
pub(super) fn sees_by(config: &RoomConfig, viewer: Role, occupant: &Occupant) -> bool {
    let large = occupant.shown_to_all || occupant.role == Role::Moderator || viewer == Role::Moderator;
    config.presence_broadcast.contains(&occupant.role) && large
}

/// What the client's own presence must not contain, and what the room puts there.
fn is_ours(child: &Child<'_>) -> bool {
    matches!(child.ns(), ns::MUC | ns::MUC_USER | ns::OCCUPANT_ID | ns::HATS)
}

/// What the room says of an occupant that is there, whatever it is to the room.
fn write_who(out: &mut String, occupant: &Occupant) {
    write_occupant_id(out, &occupant.id);
    out.push_str(occupant.hats.as_deref().unwrap_or_default());
}

/// The presence of an occupant, from what its client sent or the room made of that before.
pub(super) fn shape(occupant: &Occupant, base: &Stanza, jid: Option<&Jid>) -> Arc<Stanza> {
    let mut tail = String::with_capacity(256);
    write_who(&mut tail, occupant);
    write_x(&mut tail, occupant.affiliation, Some(occupant.role), jid, &Notice::default(), false);
    let mut stanza = base.rebuilt(|child| !is_ours(child), &tail);
    stanza.set_from(occupant.jid.clone());
    Arc::new(stanza)
}

/// Something has changed: how the occupant is seen is made anew, from `base` or from how it was seen.
pub(super) fn refresh(occupant: &mut Occupant, base: Option<&Stanza>) {
    let shown = match base {
        Some(base) => shape(occupant, base, None),
        None => shape(occupant, &occupant.shown, None),
    };
    occupant.shown = shown;
    occupant.shown_fully = None;
}

/// Another session of an occupant is about to be seen in place of the last one: how that was seen is remembered.
pub(super) fn remember(state: &mut RoomState, slot: u32) {
    let Some(occupant) = state.occupants.at(slot) else { return };
    if let Some(last) = occupant.seats.last() {
        state.seen_before.insert(last.number, occupant.shown.clone());
    }
}

/// What is seen of an occupant is what this session of it says now.
pub(super) fn says(state: &mut RoomState, slot: u32, full: &str, stanza: &Stanza) {
    let is_it = |seat: &Seat| seat.resource().jid.as_str() == full;
    if state.occupants.at(slot).and_then(|occupant| occupant.seats.last()).is_some_and(|last| !is_it(last)) {
        remember(state, slot);
    }
    let Some(occupant) = state.occupants.at_mut(slot) else { return };
    if let Some(at) = occupant.seats.iter().position(is_it) {
        let seat = occupant.seats.remove(at);
        state.seen_before.remove(&seat.number);
        occupant.seats.push(seat);
    }
    refresh(occupant, Some(stanza));
}

/// The real address that is shown: that of the latest session.
pub(super) fn address(occupant: &Occupant) -> Option<Jid> {
    occupant.seats.last().map(|seat| seat.resource().jid.as_jid().clone())
}

/// How somebody in a role sees the occupant at a place.
pub(super) fn seen(state: &mut RoomState, slot: u32, fully: bool) -> Option<Arc<Stanza>> {
    let occupant = state.occupants.at_mut(slot)?;
    if !fully {
        return Some(occupant.shown.clone());
    }
    if occupant.shown_fully.is_none() {
        let jid = address(occupant);
        occupant.shown_fully = Some(shape(occupant, &occupant.shown, jid.as_ref()));
    }
    occupant.shown_fully.clone()
}

/// `<x/>`; `to_self`: for the occupant itself.
pub(super) fn write_x(
    out: &mut String,
    affiliation: Option<Affiliation>,
    role: Option<Role>,
    jid: Option<&Jid>,
    notice: &Notice,
    to_self: bool,
) {
    write_open_x(out, affiliation, role, jid, notice, to_self);
    out.push_str("</x>");
}

/// The same without its end.
fn write_open_x(
    out: &mut String,
    affiliation: Option<Affiliation>,
    role: Option<Role>,
    jid: Option<&Jid>,
    notice: &Notice,
    to_self: bool,
) {
    out.push_str("<x xmlns='");
    out.push_str(ns::MUC_USER);
    out.push_str("'><item affiliation='");
    out.push_str(affiliation_name(affiliation));
    out.push('\'');
    let mut attr = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            out.push(' ');
            out.push_str(name);
            out.push_str("='");
            escape_attr(out, value);
            out.push('\'');
        }
    };
    attr("jid", jid.map(Jid::as_str));
    attr("nick", notice.nick.as_deref());
    attr("role", Some(role.map_or("none", Role::name)));
    if notice.actor.is_none() && notice.reason.is_none() {
        out.push_str("/>");
    } else {
        out.push('>');
        if let Some(actor) = &notice.actor {
            out.push_str("<actor nick='");
            escape_attr(out, actor);
            out.push_str("'/>");
        }
        if let Some(reason) = &notice.reason {
            out.push_str("<reason>");
            escape_text(out, reason);
            out.push_str("</reason>");
        }
        out.push_str("</item>");
    }
    out.push_str(notice.destroy.as_deref().unwrap_or_default());
    let own = notice.own_codes.iter().chain(&[110]).filter(|_| to_self);
    let mut codes: Vec<u16> = notice.codes.iter().chain(own).copied().collect();
    codes.sort_unstable();
    for code in codes {
        out.push_str("<status code='");
        out.push_str(&code.to_string());
        out.push_str("'/>");
    }
}

/// Presence for one shape of addressees.
struct Shapes<'a> {
    occupant: &'a Occupant,
    base: &'a Stanza,
    role: Option<Role>,
    jid: Option<Jid>,
    notice: &'a Notice,
    made: [Option<Arc<Stanza>>; SHAPES],
}

impl Shapes<'_> {
    /// Is it there, and not on its way out?
    fn is_there(&self) -> bool {
        self.base.presence_type() == Ok(PresenceType::Available)
    }

    /// Those that were made before, without anything special.
    fn made_before(shown: Option<Arc<Stanza>>, fully: Option<Arc<Stanza>>) -> [Option<Arc<Stanza>>; SHAPES] {
        let mut made: [Option<Arc<Stanza>>; SHAPES] = Default::default();
        [made[0], made[1]] = [shown, fully];
        made
    }

    fn of(&mut self, state: &RoomState, told: Told) -> Arc<Stanza> {
        let place = told.place();
        if let Some(made) = &self.made[place] {
            return made.clone();
        }
        let mut tail = String::with_capacity(256);
        match self.is_there() {
            true => write_who(&mut tail, self.occupant),
            false => write_occupant_id(&mut tail, &self.occupant.id),
        }
        let jid = self.jid.as_ref().filter(|_| told.fully);
        write_open_x(&mut tail, self.occupant.affiliation, self.role, jid, self.notice, told.own);
        if let Some(sight) = told.sight {
            match self.notice.change.as_ref().and_then(|change| change.mav(sight)) {
                Some(mav) => tail.push_str(mav),
                None if told.own => versions::write_head(&mut tail, state, sight),
                None => {}
            }
        }
        tail.push_str("</x>");
        let mut stanza = self.base.rebuilt(|child| !is_ours(child), &tail);
        stanza.set_from(self.occupant.jid.clone());
        let stanza = Arc::new(stanza);
        self.made[place] = Some(stanza.clone());
        stanza
    }
}

/// Tells everybody who may see it, then the occupant itself, that it is there or has changed.
pub(super) async fn show(here: &mut Here<'_>, slot: u32, notice: &Notice) {
    let plain = notice.codes.is_empty() && notice.actor.is_none() && notice.reason.is_none();
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    let [without, with] = match plain {
        true => [Some(occupant.shown.clone()), occupant.shown_fully.clone()],
        false => [None, None],
    };
    let mut shapes = Shapes {
        occupant,
        base: &occupant.shown,
        role: Some(occupant.role),
        jid: address(occupant),
        notice,
        made: Shapes::made_before(without, with),
    };
    tell_others(here.state, slot, occupant, &mut shapes).await;
    for seat in &occupant.seats {
        tell_own(here.state, occupant.role, seat, &mut shapes);
    }
}

async fn tell_others(state: &RoomState, slot: u32, occupant: &Occupant, shapes: &mut Shapes<'_>) {
    let mut pace = Pace::default();
    for other in (0..state.occupants.slots()).filter(|other| *other != slot) {
        let Some(viewer) = state.occupants.at(other) else { continue };
        if !sees(state, viewer.role, occupant) {
            shapes.notice.change.iter().for_each(|change| change.give(state, viewer));
            pace.step().await;
            continue;
        }
        let stanza = shapes.of(state, Told::of(state, viewer, shapes.notice));
        for seat in &viewer.seats {
            give(seat, &stanza);
            pace.step().await;
        }
    }
}

fn tell_own(state: &RoomState, role: Role, seat: &Seat, shapes: &mut Shapes<'_>) {
    let sight = versions::sight(state, shapes.occupant.affiliation, role).filter(|_| shapes.is_there());
    give(seat, &shapes.of(state, Told { fully: state.sees_addresses(role), own: true, sight }));
}

/// Tells those who see real addresses that an occupant has another one, and is otherwise as it was.
pub(super) async fn show_address(here: &mut Here<'_>, slot: u32) {
    let Some(stanza) = seen(here.state, slot, true) else { return };
    let (state, mut pace) = (&*here.state, Pace::default());
    let Some(occupant) = state.occupants.at(slot) else { return };
    for (other, viewer) in state.occupants.places() {
        if other == slot || !state.sees_addresses(viewer.role) || !sees(state, viewer.role, occupant) {
            continue;
        }
        for seat in &viewer.seats {
            give(seat, &stanza);
            pace.step().await;
        }
    }
}

/// Tells everybody but this session of it that an occupant is there.
pub(super) async fn show_others_only(here: &mut Here<'_>, slot: u32, but: &str) {
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    let notice = Notice::default();
    let (role, jid) = (Some(occupant.role), address(occupant));
    let made = Shapes::made_before(Some(occupant.shown.clone()), occupant.shown_fully.clone());
    let mut shapes = Shapes { occupant, base: &occupant.shown, role, jid, notice: &notice, made };
    tell_others(here.state, slot, occupant, &mut shapes).await;
    for seat in occupant.seats.iter().filter(|seat| seat.resource().jid.as_str() != but) {
        tell_own(here.state, occupant.role, seat, &mut shapes);
    }
}

/// Tells everybody that an occupant has another nickname from now on.
pub(super) async fn hide_renamed(here: &Here<'_>, occupant: &Occupant, notice: &Notice) {
    let gone = Stanza::presence(PresenceType::Unavailable, None, None);
    let (role, jid) = (Some(occupant.role), address(occupant));
    let mut shapes = Shapes { occupant, base: &gone, role, jid, notice, made: Default::default() };
    let slot = here.state.occupants.of_exact_nick(occupant.nick()).unwrap_or(u32::MAX);
    tell_others(here.state, slot, occupant, &mut shapes).await;
    for seat in &occupant.seats {
        tell_own(here.state, occupant.role, seat, &mut shapes);
    }
}

/// Tells one session of an occupant about it itself.
pub(super) fn show_to_self(here: &Here<'_>, slot: u32, full: &str, notice: &Notice) {
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    let Some(seat) = occupant.seat(full) else { return };
    let (role, jid) = (Some(occupant.role), address(occupant));
    let mut shapes = Shapes { occupant, base: &occupant.shown, role, jid, notice, made: Default::default() };
    tell_own(here.state, occupant.role, seat, &mut shapes);
}

/// The same for all of them.
pub(super) fn show_to_all_of(here: &Here<'_>, slot: u32) {
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    for seat in &occupant.seats {
        show_to_self(here, slot, seat.resource().jid.as_str(), &Notice::default());
    }
}

/// Would it take too many presences to show everybody so many occupants anew?
pub(super) fn is_too_much(here: &Here<'_>, occupants: usize) -> bool {
    let presences = occupants.saturating_mul(here.state.occupants.sessions());
    let is_it = presences > here.core.config().limits.room_shown_again_max;
    if is_it {
        tracing::info!(room = %here.room.jid, presences, "too many are there to be shown again");
    }
    is_it
}

/// Tells everybody that an occupant is gone, which is in the room no more: those who saw it before, then the sessions it
/// had. `base`: what its client said last.
pub(super) async fn hide(
    here: &Here<'_>,
    occupant: &Occupant,
    leaving: &[Seat],
    base: Option<&Stanza>,
    notice: &Notice,
) {
    let gone = Stanza::presence(PresenceType::Unavailable, None, None);
    // A new nickname comes with the role that stays (§7.6).
    let role = notice.nick.is_some().then_some(occupant.role);
    let jid = leaving.last().map(|seat| seat.resource().jid.as_jid().clone());
    let base = base.unwrap_or(&gone);
    let mut shapes = Shapes { occupant, base, role, jid, notice, made: Default::default() };
    tell_others(here.state, u32::MAX, occupant, &mut shapes).await;
    for seat in leaving {
        tell_own(here.state, occupant.role, seat, &mut shapes);
    }
}

/// Tells one session that it is gone, while others of the same nickname stay.
pub(super) fn hide_from_self(
    here: &Here<'_>,
    occupant: &Occupant,
    seat: &Seat,
    base: Option<&Stanza>,
    notice: &Notice,
) {
    let gone = Stanza::presence(PresenceType::Unavailable, None, None);
    let role = notice.nick.is_some().then_some(occupant.role);
    let jid = Some(seat.resource().jid.as_jid().clone());
    let mut shapes = Shapes { occupant, base: base.unwrap_or(&gone), role, jid, notice, made: Default::default() };
    tell_own(here.state, occupant.role, seat, &mut shapes);
}

/// The role or affiliation of an occupant is another one. Those who saw it and do not any more are told that it is gone.
pub(super) async fn changed_role(here: &mut Here<'_>, slot: u32, before: Role, notice: &Notice) {
    if let Some(occupant) = here.state.occupants.at_mut(slot) {
        refresh(occupant, None);
    }
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    let state = &*here.state;
    let saw = |viewer: Role| {
        let large = occupant.shown_to_all || before == Role::Moderator || viewer == Role::Moderator;
        state.is_broadcast(before) && large
    };
    let gone = Stanza::presence(PresenceType::Unavailable, None, None);
    let none = Notice::default();
    let (role, jid) = (Some(occupant.role), address(occupant));
    let mut there =
        Shapes { occupant, base: &occupant.shown, role, jid: jid.clone(), notice, made: Default::default() };
    let mut away = Shapes { occupant, base: &gone, role: None, jid, notice: &none, made: Default::default() };
    let mut pace = Pace::default();
    for other in (0..state.occupants.slots()).filter(|other| *other != slot) {
        let Some(viewer) = state.occupants.at(other) else { continue };
        let told = Told::of(state, viewer, notice);
        let is_seen = sees(state, viewer.role, occupant);
        if !is_seen {
            notice.change.iter().for_each(|change| change.give(state, viewer));
        }
        let stanza = match (saw(viewer.role), is_seen) {
            (_, true) => there.of(state, told),
            (true, false) => away.of(state, Told { sight: None, ..told }),
            (false, false) => {
                pace.step().await;
                continue;
            }
        };
        for seat in &viewer.seats {
            give(seat, &stanza);
            pace.step().await;
        }
    }
    for seat in &occupant.seats {
        tell_own(state, occupant.role, seat, &mut there);
    }
    if occupant.role == Role::Moderator && before != Role::Moderator {
        show_all_fully(here, slot).await;
    }
}

/// §9.6: a new moderator of a semi-anonymous or large room sees what it did not see before.
async fn show_all_fully(here: &mut Here<'_>, slot: u32) {
    if here.state.config.is_non_anonymous() && here.state.occupants.iter().all(|o| o.shown_to_all) {
        return;
    }
    let mut pace = Pace::default();
    for other in (0..here.state.occupants.slots()).filter(|other| *other != slot) {
        let visible = here.state.occupants.at(other).is_some_and(|o| sees(here.state, Role::Moderator, o));
        let Some(stanza) = seen(here.state, other, true).filter(|_| visible) else { continue };
        let Some(occupant) = here.state.occupants.at(slot) else { return };
        for seat in &occupant.seats {
            give(seat, &stanza);
            pace.step().await;
        }
    }
}
