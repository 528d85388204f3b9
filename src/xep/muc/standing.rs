//! What those who are not there are to the room: a message tells of it where presence cannot (XEP-0045 §9.3, §9.4, §10.3 to
//! §10.7). Clients keep the list of members by it, for whom they encrypt (XEP-0384).

use super::task::{Here, Pace, give};
use super::versions::Change;
use crate::rooms::{Affiliation, Role, affiliation_name};
use std::sync::Arc;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::{MessageType, Stanza};
use xep_support::xml::Element;

/// Changes of one request that are told of. Who makes more at once reads the lists again.
pub(super) const TOLD_MAX: usize = 50;

/// Somebody who is not in the room has another affiliation. Those are told who see addresses; of a ban, moderators alone: to
/// the others it looks like the loss of what there was. With the versions of the change, for who is told them (XEP-0463).
pub(super) async fn tell(
    here: &Here<'_>,
    jid: &Jid,
    before: Option<Affiliation>,
    after: Option<Affiliation>,
    change: Option<&Change>,
) {
    let for_all = after.filter(|affiliation| *affiliation != Affiliation::Outcast);
    let was_seen = before.filter(|affiliation| *affiliation != Affiliation::Outcast);
    let everybody = here.state.config.is_non_anonymous() && for_all != was_seen;
    let (full, plain) = (message(here, jid, after), message(here, jid, for_all));
    let mut pace = Pace::default();
    for slot in 0..here.state.occupants.slots() {
        let Some(occupant) = here.state.occupants.at(slot) else { continue };
        let is_moderator = occupant.role == Role::Moderator;
        let with_versions = change.and_then(|change| change.message(here.state, occupant));
        let told = with_versions.or(is_moderator.then_some(&full)).or(everybody.then_some(&plain));
        let Some(told) = told else { continue };
        for seat in &occupant.seats {
            give(seat, told);
            pace.step().await;
        }
    }
}

fn message(here: &Here<'_>, jid: &Jid, affiliation: Option<Affiliation>) -> Arc<Stanza> {
    let item = Element::new("item", ns::MUC_USER)
        .attr("affiliation", affiliation_name(affiliation))
        .attr("jid", jid.as_str())
        .attr("role", "none");
    let x = Element::new("x", ns::MUC_USER).child(item);
    Arc::new(Stanza::message(MessageType::Normal, Some(here.room.jid.as_jid()), None, [x]))
}
