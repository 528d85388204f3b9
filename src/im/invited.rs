//! XEP-0379: a request with the token of an invitation is granted for the user who invited, and the user asks in turn. What
//! the document has a client do, the server does: the token is its own (XEP-0401).

use crate::account::Account;
use crate::account::roster::{Contact, Subscription};
use crate::clock;
use crate::core::Core;
use crate::storage;
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::Stanza;

/// One use of an invitation, taken.
pub(super) struct Welcome {
    group: Option<String>,
}

/// Takes one use of the invitation whose token is in this request, if it is one of the account's own. In every other case
/// the request is like any other (§4.1).
pub(super) async fn redeem(
    core: &Core,
    account: &Account,
    from: &BareJid,
    request: &Stanza,
) -> Result<Option<Welcome>, storage::Error> {
    let preauth = request.child("preauth", ns::PREAUTH);
    let token = preauth.as_ref().and_then(|element| element.get_attr("token"));
    let (Some(token), Some(id)) = (token, account.id) else { return Ok(None) };
    if !is_of_use(core, account, from) {
        return Ok(None);
    }
    let now_us = clock::now_micros();
    // Looking costs less than writing, and a stranger may send what he likes.
    let found = core.storage.invite_get(token).await?.filter(|invite| invite.is_good(now_us));
    let own =
        |invite: &storage::Invite| invite.kind.is_for_contact() && invite.inviter.as_ref().is_some_and(|p| p.id == id);
    if !found.as_ref().is_some_and(own) {
        return Ok(None);
    }
    let group = core.storage.invite_redeem_contact(token, id, now_us).await?;
    if group.is_some() {
        tracing::info!(inviter = %account.jid, contact = %from, "contact by invitation");
    }
    Ok(group.map(|group| Welcome { group }))
}

/// A use is not spent on somebody who has what it is for, or cannot get it.
fn is_of_use(core: &Core, account: &Account, from: &BareJid) -> bool {
    let state = account.lock();
    let known = state.roster.items.get(from);
    let settled = known.is_some_and(|contact| contact.subscription.from || contact.subscription.approved);
    let has_room = known.is_some_and(|contact| contact.listed)
        || state.roster.listed().count() < core.config().limits.roster_items_max;
    !settled && has_room && !state.blocks(from)
}

impl Welcome {
    /// The contact is in the roster (§3.5), without a name (§5.4), and is asked in turn.
    pub(super) fn enter(&self, contact: &mut Contact, state: &mut Subscription) {
        contact.listed = true;
        if let Some(group) = &self.group
            && !contact.groups.iter().any(|known| **known == **group)
        {
            contact.groups.push(group.as_str().into());
        }
        state.pending_out = !state.to;
    }
}
