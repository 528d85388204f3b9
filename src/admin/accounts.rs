//! Accounts: made, changed, removed, listed.

use super::protocol::{Failure, FailureKind, KeyRow, Password, Reply, UserDetails, UserRow};
use super::{PAGE_ROWS, local, moment, no_account, served, sessions};
use crate::core::Core;
use crate::ops::{self, OpError};
use crate::storage::AccountRow;
use std::sync::Arc;
use xep_support::jid::BareJid;

pub(super) async fn add(core: &Arc<Core>, jid: &str, password: Password) -> Result<Reply, Failure> {
    let jid = local(core, jid)?;
    ops::create_account(core, &jid, password.0).await.map_err(|e| failure(&jid, e))?;
    Ok(Reply::UserAdded { jid: jid.to_string() })
}

pub(super) async fn set_password(core: &Arc<Core>, jid: &str, password: Password) -> Result<Reply, Failure> {
    let jid = local(core, jid)?;
    let sessions_ended = sessions_of(core, &jid);
    ops::set_password(core, &jid, password.0, None).await.map_err(|e| failure(&jid, e))?;
    Ok(Reply::PasswordSet { jid: jid.to_string(), sessions_ended })
}

pub(super) async fn delete(core: &Arc<Core>, jid: &str) -> Result<Reply, Failure> {
    let jid = local(core, jid)?;
    let sessions_ended = sessions_of(core, &jid);
    ops::delete_account(core, &jid, None).await.map_err(|e| failure(&jid, e))?;
    Ok(Reply::UserDeleted { jid: jid.to_string(), sessions_ended })
}

fn sessions_of(core: &Core, jid: &BareJid) -> usize {
    core.accounts.find(jid.as_str()).map_or(0, |account| account.lock().resources.len())
}

fn failure(jid: &BareJid, error: OpError) -> Failure {
    let kind = match &error {
        OpError::Exists => return Failure::new(FailureKind::Exists, format!("{jid} exists already")),
        OpError::NotFound => return no_account(jid),
        OpError::Reserved => {
            let message = format!("an invitation keeps {jid} for somebody: revoke it first (magpie invite list)");
            return Failure::new(FailureKind::Exists, message);
        }
        OpError::OtherName(_) | OpError::NotServed | OpError::BadName(_) | OpError::BadPassword(_) => {
            FailureKind::BadRequest
        }
        OpError::InviteGone => FailureKind::NotFound,
        OpError::Storage(_) => FailureKind::Failed,
    };
    Failure::new(kind, error.to_string())
}

pub(super) async fn list(core: &Arc<Core>, domain: Option<&str>, after: &str) -> Result<Reply, Failure> {
    let domain = domain.map(|d| served(core, d)).transpose()?;
    let rows = core.storage.account_list(domain.as_ref().map(|d| d.as_str()), after, PAGE_ROWS).await?;
    let more = rows.len() == PAGE_ROWS as usize;
    let row = |row: AccountRow| {
        let sessions = core.accounts.find(&row.jid).map_or(0, |account| account.lock().resources.len());
        UserRow {
            last_seen: row.last_logout_us.filter(|_| sessions == 0).map(moment),
            created: moment(row.created_us),
            disabled: row.disabled,
            jid: row.jid,
            sessions,
        }
    };
    Ok(Reply::Users { users: rows.into_iter().map(row).collect(), more })
}

pub(super) async fn show(core: &Arc<Core>, jid: &str) -> Result<Reply, Failure> {
    let jid = local(core, jid)?;
    core.storage.barrier().await?;
    let record = core.storage.account(jid.as_str()).await?.ok_or_else(|| no_account(&jid))?;
    let account = &record.account;
    let roster = core.storage.roster_load(account.id).await?;
    let offline = core.storage.offline_count(account.id).await?;
    let sessions = sessions::of(core, jid.as_str());
    Ok(Reply::User(Box::new(UserDetails {
        jid: account.jid.clone(),
        created: moment(account.created_us),
        last_seen: account.last_logout_us.filter(|_| sessions.is_empty()).map(moment),
        disabled: account.disabled,
        sessions,
        contacts: roster.iter().filter(|row| row.in_roster).count(),
        requests_pending: roster.iter().filter(|row| row.pending_in).count(),
        blocked: record.blocked_count,
        offline_messages: offline.count,
        offline_bytes: offline.bytes,
        private_items: core.storage.private_usage(account.id).await?.keys,
        vcard: core.storage.vcard_get(account.id).await?.is_some(),
        keys: (record.credentials.iter())
            .map(|c| KeyRow { hash: c.hash.as_str().to_owned(), iterations: c.iterations })
            .collect(),
    })))
}
