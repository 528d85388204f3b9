//! Presence of occupants as the others see it (XEP-0045 §7.2.2 to §7.2.4).

use super::message::write_occupant_id;
use super::task::{Here, Pace, give};
use crate::rooms::{Affiliation, Occupant, Role, RoomState, Seat, affiliation_name};
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
}

/// Does somebody in this role see the presence of this occupant?
pub(super) fn sees(state: &RoomState, viewer: Role, occupant: &Occupant) -> bool {
    let large = occupant.shown_to_all || occupant.role == Role::Moderator || viewer == Role::Moderator;
    state.is_broadcast(occupant.role) && large
}

/// What the client's own presence must not contain, and what the room puts there.
fn is_ours(child: &Child<'_>) -> bool {
    matches!(child.ns(), ns::MUC | ns::MUC_USER | ns::OCCUPANT_ID)
}

/// The presence of an occupant, from what its client sent or the room made of that before.
pub(super) fn shape(occupant: &Occupant, base: &Stanza, jid: Option<&Jid>) -> Arc<Stanza> {
    let mut tail = String::with_capacity(256);
    write_occupant_id(&mut tail, &occupant.id);
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
    out.push_str("</x>");
}

/// Presence for one shape of addressees.
struct Shapes<'a> {
    occupant: &'a Occupant,
    base: &'a Stanza,
    role: Option<Role>,
    jid: Option<Jid>,
    notice: &'a Notice,
    made: [Option<Arc<Stanza>>; 4],
}

impl Shapes<'_> {
    fn of(&mut self, told: Told) -> Arc<Stanza> {
        let place = usize::from(told.fully) | usize::from(told.own) << 1;
        if let Some(made) = &self.made[place] {
            return made.clone();
        }
        let mut tail = String::with_capacity(256);
        write_occupant_id(&mut tail, &self.occupant.id);
        let jid = self.jid.as_ref().filter(|_| told.fully);
        write_x(&mut tail, self.occupant.affiliation, self.role, jid, self.notice, told.own);
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
        made: [without, with, None, None],
    };
    tell_others(here.state, slot, occupant, &mut shapes).await;
    for seat in &occupant.seats {
        tell_own(here.state, occupant.role, seat, &mut shapes);
    }
}

async fn tell_others(state: &RoomState, slot: u32, occupant: &Occupant, shapes: &mut Shapes<'_>) {
    let mut pace = Pace::default();
    for other in (0..state.occupants.slots()).filter(|other| *other != slot) {
        let Some(viewer) = state.occupants.at(other).filter(|viewer| sees(state, viewer.role, occupant)) else {
            continue;
        };
        let stanza = shapes.of(Told { fully: state.sees_addresses(viewer.role), own: false });
        for seat in &viewer.seats {
            give(seat, &stanza);
            pace.step().await;
        }
    }
}

fn tell_own(state: &RoomState, role: Role, seat: &Seat, shapes: &mut Shapes<'_>) {
    give(seat, &shapes.of(Told { fully: state.sees_addresses(role), own: true }));
}

/// Tells everybody but this session of it that an occupant is there.
pub(super) async fn show_others_only(here: &mut Here<'_>, slot: u32, but: &str) {
    let Some(occupant) = here.state.occupants.at(slot) else { return };
    let notice = Notice::default();
    let (role, jid) = (Some(occupant.role), address(occupant));
    let made = [Some(occupant.shown.clone()), occupant.shown_fully.clone(), None, None];
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
    let mut tail = String::with_capacity(256);
    write_occupant_id(&mut tail, &occupant.id);
    let jid = address(occupant).filter(|_| here.state.sees_addresses(occupant.role));
    write_x(&mut tail, occupant.affiliation, Some(occupant.role), jid.as_ref(), notice, true);
    let mut stanza = occupant.shown.rebuilt(|child| !is_ours(child), &tail);
    stanza.set_from(occupant.jid.clone());
    give(seat, &Arc::new(stanza));
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
        let told = Told { fully: state.sees_addresses(viewer.role), own: false };
        let stanza = match (saw(viewer.role), sees(state, viewer.role, occupant)) {
            (_, true) => there.of(told),
            (true, false) => away.of(told),
            (false, false) => continue,
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
