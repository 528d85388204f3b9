//! What became of one's invitations, and how they are withdrawn: two commands beside those of XEP-0401, which has none for it.

use super::is_home;
use crate::clock;
use crate::core::Core;
use crate::extension::commands::{Command, CommandCall, Step};
use crate::extension::{Addressee, Declare};
use crate::ops::invitations;
use crate::router::bounce::refused;
use crate::storage::{Invite, InviteKind};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use xep_support::formats::date::{self, Precision};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;

const LIST: &str = "invitations";
const REVOKE: &str = "revoke-invitations";
/// The field with those that are to be withdrawn.
const CHOSEN: &str = "invitations";
/// Shown at a time. By default nobody may have more than 20.
const SHOWN_MAX: u32 = 100;

/// For everybody: who may not invite any more may have done so before.
pub(super) fn declare(d: &mut Declare<'_>) {
    let may = is_home;
    let list = Command { node: LIST, name: "My invitations", may, run: Box::new(|call| Box::pin(list(call))) };
    let revoke =
        Command { node: REVOKE, name: "Withdraw invitations", may, run: Box::new(|call| Box::pin(revoke(call))) };
    d.command(Addressee::Server, list).command(Addressee::Server, revoke);
}

/// Those that can still be used.
async fn own(call: &CommandCall) -> Result<Vec<Invite>, StanzaError> {
    let Some(id) = call.client.account.id else { return Ok(Vec::new()) };
    let storage = &call.core.storage;
    let failed = refused("invitation");
    storage.barrier().await.map_err(refused("invitation"))?;
    storage.invite_list_of(id, clock::now_micros(), SHOWN_MAX).await.map_err(failed)
}

fn none() -> Step {
    Step::Done { form: None, note: Some("None of your invitations can be used any more.".to_owned()) }
}

async fn list(call: CommandCall) -> Result<Step, StanzaError> {
    let invites = own(&call).await?;
    if invites.is_empty() {
        return Ok(none());
    }
    let form = DataForm::new(FormType::Result).title("My invitations");
    let form = invites.iter().fold(form, |form, invite| {
        let field = Field::new(invite.token.as_str(), FieldType::TextSingle).label(told(invite));
        form.field(field.value(link(&call.core, invite)))
    });
    Ok(Step::Done { form: Some(form.to_element()), note: None })
}

async fn revoke(call: CommandCall) -> Result<Step, StanzaError> {
    let Some(filled) = call.forms.first() else {
        let invites = own(&call).await?;
        if invites.is_empty() {
            return Ok(none());
        }
        let field = Field::new(CHOSEN, FieldType::ListMulti).label("Invitations");
        let field = invites.iter().fold(field, |field, invite| field.option(told(invite), invite.token.as_str()));
        let form = DataForm::new(FormType::Form)
            .title("Withdraw invitations")
            .instructions("Nobody can use those you choose any more.")
            .field(field);
        return Ok(Step::Form { form, is_last: true });
    };
    let chosen: BTreeSet<&str> = filled.values(CHOSEN).iter().map(String::as_str).collect();
    if chosen.len() > SHOWN_MAX as usize {
        return Err(StanzaError::bad_request().with_app("bad-payload", ns::COMMANDS));
    }
    let id = call.client.account.id.ok_or_else(StanzaError::forbidden)?;
    // All of them are on their way to the disk before the first one is waited for.
    let commits: Vec<_> = chosen.iter().map(|token| call.core.storage.invite_delete_of(token, id)).collect();
    let mut count = 0;
    for commit in commits {
        count += u32::from(commit.await.map_err(refused("invitation"))?);
    }
    if count > 0 {
        tracing::info!(creator = %call.client.account.jid, count, "invitations withdrawn");
    }
    let note = match count {
        1 => "One invitation is withdrawn.".to_owned(),
        count => format!("{count} invitations are withdrawn."),
    };
    Ok(Step::Done { form: None, note: Some(note) })
}

/// What the inviter gave away.
fn link(core: &Core, invite: &Invite) -> String {
    let links = invitations::links(core, invite);
    links.landing.unwrap_or(links.uri)
}

/// An invitation in a line.
fn told(invite: &Invite) -> String {
    let mut line = match invite.kind {
        InviteKind::Account => "An account",
        InviteKind::Contact => "A contact",
        InviteKind::Both => "An account and a contact",
    }
    .to_owned();
    if let Some(username) = &invite.username {
        let _ = write!(line, " named {username}");
    }
    if invite.uses_max > 1 {
        let _ = write!(line, ", {} of {} uses left", invite.uses_left, invite.uses_max);
    }
    let _ = write!(line, ", until {}", date::format(invite.expires_us, Precision::Seconds));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_in_a_line() {
        let invite = Invite {
            token: "t".into(),
            domain: "im.example".into(),
            kind: InviteKind::Account,
            creator: None,
            inviter: None,
            username: Some("juliet".into()),
            group: None,
            created_us: 0,
            expires_us: 1_000_000,
            uses_max: 1,
            uses_left: 1,
        };
        assert_eq!(told(&invite), "An account named juliet, until 1970-01-01T00:00:01Z");
        let many = Invite { kind: InviteKind::Both, username: None, uses_max: 5, uses_left: 2, ..invite };
        assert_eq!(told(&many), "An account and a contact, 2 of 5 uses left, until 1970-01-01T00:00:01Z");
    }
}
