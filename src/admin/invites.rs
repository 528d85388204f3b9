//! Invitations (XEP-0401), as an operator makes and sees them.

use super::protocol::{Failure, FailureKind, InviteRow, Reply};
use super::{PAGE_ROWS, load, moment, served};
use crate::clock;
use crate::config::RegistrationMode;
use crate::core::Core;
use crate::ops::invitations::{self, Wish, WishError};
use crate::storage::{self, Invite, Person};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use xep_support::jid::Jid;

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum InviteKind {
    Account,
    Contact,
    Both,
}

impl InviteKind {
    fn name(kind: storage::InviteKind) -> &'static str {
        match kind {
            storage::InviteKind::Account => "account",
            storage::InviteKind::Contact => "contact",
            storage::InviteKind::Both => "both",
        }
    }
}

impl From<InviteKind> for storage::InviteKind {
    fn from(kind: InviteKind) -> Self {
        match kind {
            InviteKind::Account => Self::Account,
            InviteKind::Contact => Self::Contact,
            InviteKind::Both => Self::Both,
        }
    }
}

/// An invitation to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteWish {
    /// The domain of the account; without it that of the inviter, or the first one served.
    #[serde(default)]
    pub domain: Option<String>,
    /// What for; without it an account, and with an inviter both.
    #[serde(default)]
    pub kind: Option<InviteKind>,
    /// The account whose contact its bearers become.
    #[serde(default)]
    pub inviter: Option<String>,
    /// The only name the account may have; nobody else gets it meanwhile.
    #[serde(default)]
    pub username: Option<String>,
    /// The roster group in which the two find each other.
    #[serde(default)]
    pub group: Option<String>,
    /// For how many seconds; without it, `registration.invite_days`.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// The same in days.
    #[serde(default)]
    pub days: Option<u32>,
    /// How often.
    pub uses: u32,
}

/// Ten years: the settings know no longer ones either.
const SECONDS_MAX: u64 = 3_650 * 86_400;

pub(super) async fn create(core: &Arc<Core>, asked: InviteWish) -> Result<Reply, Failure> {
    let bad = |message: &str| Err(Failure::new(FailureKind::BadRequest, message));
    let inviter = match &asked.inviter {
        Some(jid) => Some(load(core, jid).await?),
        None => None,
    };
    let kind = asked.kind.unwrap_or(if inviter.is_some() { InviteKind::Both } else { InviteKind::Account });
    if inviter.is_none() && kind != InviteKind::Account {
        return bad("whose contact? Name the account with --inviter");
    }
    if inviter.is_none() && asked.group.is_some() {
        return bad("a group is for contacts: name one of them with --inviter");
    }
    if kind == InviteKind::Contact && asked.username.is_some() {
        return bad("a name is for an account, and this invitation is for none");
    }
    if kind == InviteKind::Account && core.config().registration.mode == RegistrationMode::Closed {
        return bad("nobody could use it: registration.mode is \"closed\"; \"invite\" lets those in who are invited");
    }
    if asked.username.is_some() && asked.uses > 1 {
        return bad("an account of that name can be made only once");
    }
    let seconds = asked.seconds.or(asked.days.map(|days| u64::from(days) * 86_400));
    if asked.uses == 0 || seconds.is_some_and(|seconds| seconds == 0 || seconds > SECONDS_MAX) {
        return bad("an invitation is good for at least one use, and for up to ten years");
    }
    if asked.group.as_ref().is_some_and(|g| g.is_empty() || g.len() > core.config().limits.roster_group_bytes_max) {
        return bad("the name of the group is empty or longer than limits.roster_group_bytes_max");
    }
    let domain = match (&asked.domain, &inviter) {
        (Some(domain), _) => served(core, domain)?.to_string(),
        (None, Some(inviter)) => inviter.jid.domain().to_owned(),
        (None, None) => core.hosts.first().jid.to_string(),
    };
    let username = asked.username.map(|name| local_part(name, &domain)).transpose()?;
    let inviter = inviter.and_then(|account| Some(Person { id: account.id?, jid: account.jid.to_string() }));
    let (group, uses) = (asked.group, asked.uses);
    let wish = Wish { domain, kind: kind.into(), creator: None, inviter, username, group, seconds, uses };
    let invite = invitations::make(core, wish).await.map_err(failure)?;
    Ok(Reply::InviteCreated(Box::new(row(core, invite))))
}

/// A name, also written as the whole address.
fn local_part(name: String, domain: &str) -> Result<String, Failure> {
    match name.split_once('@') {
        None => Ok(name),
        Some(_) => match Jid::parse(&name).map(|jid| jid.bare()) {
            Ok(jid) if jid.domain() == domain => Ok(jid.local().unwrap_or_default().to_owned()),
            _ => {
                let message = format!("the account will be at {domain}: \"{name}\" is none of these");
                Err(Failure::new(FailureKind::BadRequest, message))
            }
        },
    }
}

fn failure(error: WishError) -> Failure {
    match error {
        WishError::TooMany(..) => Failure::new(FailureKind::Limit, error.to_string()),
        WishError::NameTaken => Failure::new(FailureKind::Exists, "there is an account or an invitation of this name"),
        WishError::BadName => Failure::new(FailureKind::BadRequest, error.to_string()),
        WishError::Random => Failure::new(FailureKind::Failed, error.to_string()),
        WishError::Storage(error) => error.into(),
    }
}

pub(super) async fn list(core: &Arc<Core>, after: i64) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let found = core.storage.invite_list(after, clock::now_micros(), PAGE_ROWS).await?;
    let more = found.last().filter(|_| found.len() >= PAGE_ROWS as usize).map(|(number, _)| *number);
    Ok(Reply::Invites { invites: found.into_iter().map(|(_, invite)| row(core, invite)).collect(), more })
}

/// One that has ended as well, as long as anybody may ask.
pub(super) async fn show(core: &Arc<Core>, code: &str) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let invite = core.storage.invite_get(code).await?.ok_or_else(none)?;
    Ok(Reply::Invite(Box::new(row(core, invite))))
}

pub(super) async fn revoke(core: &Arc<Core>, code: &str) -> Result<Reply, Failure> {
    if !core.storage.invite_delete(code).await? {
        return Err(none());
    }
    Ok(Reply::InviteRevoked { code: code.to_owned() })
}

fn none() -> Failure {
    Failure::new(FailureKind::NotFound, "there is no such invitation")
}

fn row(core: &Core, invite: Invite) -> InviteRow {
    let links = invitations::links(core, &invite);
    InviteRow {
        code: invite.token,
        kind: InviteKind::name(invite.kind).to_owned(),
        link: links.landing,
        uri: links.uri,
        domain: invite.domain,
        inviter: invite.inviter.map(|person| person.jid),
        creator: invite.creator.map(|person| person.jid),
        username: invite.username,
        group: invite.group,
        created: moment(invite.created_us),
        expires: moment(invite.expires_us),
        uses_left: invite.uses_left,
        uses_max: invite.uses_max,
    }
}
