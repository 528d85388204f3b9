//! Connected clients: who they are, and how they are made to go.

use super::protocol::{Failure, FailureKind, Reply, SessionRow};
use super::{bare, moment};
use crate::account::Account;
use crate::account::resource::Bound;
use crate::clock;
use crate::close::CloseReason;
use crate::core::Core;
use std::sync::Arc;
use xep_support::jid::Jid;

pub(super) fn list(core: &Arc<Core>, jid: Option<&str>) -> Result<Reply, Failure> {
    let mut rows = match jid {
        Some(jid) => of(core, bare(jid)?.as_str()),
        None => core.accounts.connected().iter().flat_map(|account| rows(account)).collect(),
    };
    rows.sort_by(|a: &SessionRow, b| a.jid.cmp(&b.jid));
    Ok(Reply::Sessions(rows))
}

/// The sessions of one account.
pub(super) fn of(core: &Core, bare: &str) -> Vec<SessionRow> {
    core.accounts.find(bare).map(|account| rows(&account)).unwrap_or_default()
}

fn rows(account: &Account) -> Vec<SessionRow> {
    account.lock().resources.iter().map(row).collect()
}

fn row(bound: &Bound) -> SessionRow {
    let resource = &bound.resource;
    let (peer, encrypted) = bound.moved_to.as_deref().copied().unwrap_or((resource.peer, resource.encrypted));
    let (waiting_bytes, waiting_stanzas) = resource.outbox.depth();
    SessionRow {
        jid: resource.jid.to_string(),
        peer,
        transport: bound.link.map(|link| link.name().to_owned()),
        encrypted,
        since: moment(resource.since_us),
        available: bound.presence.is_some(),
        priority: bound.priority,
        detached_seconds: bound.detached_ms.map(|since| clock::monotonic_ms().saturating_sub(since) / 1000),
        waiting_stanzas,
        waiting_bytes,
    }
}

/// Closes one session, or all of an account.
pub(super) fn kick(core: &Arc<Core>, jid: &str, reason: Option<&str>) -> Result<Reply, Failure> {
    let jid = Jid::parse(jid).map_err(|e| Failure::new(FailureKind::BadRequest, format!("\"{jid}\": {e}")))?;
    let mut kicked = Vec::new();
    if let Some(account) = core.accounts.find(jid.bare_str()) {
        let state = account.lock();
        let meant = |b: &&Bound| jid.resource().is_none_or(|part| b.resource.jid.resource() == part);
        for bound in state.resources.iter().filter(meant) {
            match reason {
                Some(text) => bound.resource.outbox.close_saying(CloseReason::Kicked, text),
                None => bound.resource.outbox.close(CloseReason::Kicked),
            }
            kicked.push(bound.resource.jid.to_string());
        }
    }
    if kicked.is_empty() {
        return Err(Failure::new(FailureKind::NotFound, format!("{jid} has no session")));
    }
    Ok(Reply::Kicked { sessions: kicked })
}
