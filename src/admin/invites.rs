//! Invitations to make an account (XEP-0445).

use super::protocol::{Failure, FailureKind, InviteRow, Reply};
use super::{moment, readable_secret, served};
use crate::clock;
use crate::core::Core;
use crate::storage::Invite;
use std::sync::Arc;

/// 120 bits.
const CODE_LENGTH: usize = 24;
const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) async fn create(
    core: &Arc<Core>,
    domain: Option<String>,
    days: Option<u32>,
    uses: u32,
) -> Result<Reply, Failure> {
    let domain = match domain {
        Some(domain) => served(core, &domain)?,
        None => core.hosts.first().jid.clone(),
    };
    let (invite_days, pending_max) = {
        let config = core.config();
        (config.registration.invite_days, config.limits.invites_pending_max)
    };
    if usable(core).await?.len() >= pending_max {
        let message = format!("{pending_max} invitations wait to be used already (limits.invites_pending_max)");
        return Err(Failure::new(FailureKind::Limit, message));
    }
    let token = readable_secret(CODE_LENGTH)
        .ok_or_else(|| Failure::new(FailureKind::Failed, "no random numbers from the system"))?;
    let created_us = clock::now_micros();
    let invite = Invite {
        token,
        domain: domain.to_string(),
        created_us,
        expires_us: Some(created_us + i64::from(days.unwrap_or(invite_days)) * MICROS_PER_DAY),
        uses_left: uses,
        creator: None,
        note: None,
    };
    core.storage.invite_create(invite.clone()).await?;
    Ok(Reply::InviteCreated(row(invite)))
}

pub(super) async fn list(core: &Arc<Core>) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    Ok(Reply::Invites(usable(core).await?.into_iter().map(row).collect()))
}

pub(super) async fn revoke(core: &Arc<Core>, code: &str) -> Result<Reply, Failure> {
    if !core.storage.invite_delete(code).await? {
        return Err(Failure::new(FailureKind::NotFound, "there is no such invitation"));
    }
    Ok(Reply::InviteRevoked { code: code.to_owned() })
}

async fn usable(core: &Core) -> Result<Vec<Invite>, Failure> {
    let now_us = clock::now_micros();
    let mut invites = core.storage.invite_list().await?;
    invites.retain(|i| i.uses_left > 0 && i.expires_us.is_none_or(|expires| expires > now_us));
    Ok(invites)
}

fn row(invite: Invite) -> InviteRow {
    InviteRow {
        uri: format!("xmpp:{}?register;preauth={}", invite.domain, invite.token),
        code: invite.token,
        domain: invite.domain,
        created: moment(invite.created_us),
        expires: invite.expires_us.map(moment),
        uses_left: invite.uses_left,
    }
}
