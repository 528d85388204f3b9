//! The devices of an account: what may log in, what is connected, and how that ends (XEP-0494).

use super::OpError;
use crate::account::Account;
use crate::account::resource::{Bound, Resource};
use crate::close::CloseReason;
use crate::core::Core;
use crate::storage::{AccountId, DeviceRow};
use crate::{clock, storage};

/// A device, or a session of a client that did not say which device it is.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// What it is revoked by.
    pub id: String,
    /// The software it said it was.
    pub software: Option<String>,
    /// What it said it runs on.
    pub name: Option<String>,
    /// When it first logged in.
    pub first_seen_us: i64,
    /// When it last was there; now, if it is connected.
    pub last_seen_us: i64,
    /// It has proved the password that is in force.
    pub password: bool,
    /// Its token is good until then.
    pub token_until_us: Option<i64>,
    /// The resources of its sessions, those included that may be resumed (XEP-0198).
    pub sessions: Vec<String>,
}

/// What revoking did.
#[derive(Clone, Copy, Debug)]
pub struct Revocation {
    /// Tokens that are of no use any more.
    pub tokens: u64,
    /// Sessions that were told to end.
    pub sessions: usize,
    /// It knows the password: only another one keeps it out.
    pub password: bool,
    /// The session that asked is one of them, and was left for the caller to end.
    pub own: bool,
}

/// Ids of sessions without a device begin so; those of devices have letters and digits only.
const SESSION_PREFIX: &str = "session-";

/// Everything that has access, connected first, then the one seen last.
pub async fn list(core: &Core, account: &Account, id: AccountId) -> Result<Vec<Device>, OpError> {
    // What a login has just noted.
    core.storage.barrier().await.map_err(OpError::Storage)?;
    let now_us = clock::now_micros();
    let rows = core.storage.device_list(id).await.map_err(OpError::Storage)?;
    let mut devices: Vec<Device> = rows.into_iter().map(|row| known(row, now_us)).collect();
    for bound in &account.lock().resources {
        let own = bound.resource.device();
        let Some(device) = devices.iter_mut().find(|d| Some(d.id.as_str()) == own) else {
            devices.push(of_session(bound, now_us));
            continue;
        };
        device.last_seen_us = now_us;
        if let Some(agent) = bound.resource.agent.get() {
            // They need not have been kept.
            device.software = device.software.take().or_else(|| text(&agent.software));
            device.name = device.name.take().or_else(|| text(&agent.name));
        }
        device.sessions.push(bound.resource.jid.resource().to_owned());
    }
    // Others have no access any more.
    devices.retain(|d| d.password || d.token_until_us.is_some() || !d.sessions.is_empty());
    devices.sort_by_key(|d| (d.sessions.is_empty(), -d.last_seen_us));
    Ok(devices)
}

fn known(row: DeviceRow, now_us: i64) -> Device {
    Device {
        id: row.id,
        software: row.software,
        name: row.name,
        first_seen_us: row.first_seen_us,
        last_seen_us: row.last_seen_us,
        password: row.password_us.is_some(),
        token_until_us: row.token_until_us.filter(|until| *until > now_us),
        sessions: Vec::new(),
    }
}

fn of_session(bound: &Bound, now_us: i64) -> Device {
    let resource = &bound.resource;
    let agent = resource.agent.get();
    Device {
        // A device whose record is gone (there were too many) keeps its name.
        id: resource.device().map_or_else(|| session_id(bound), str::to_owned),
        software: agent.and_then(|agent| text(&agent.software)),
        name: agent.and_then(|agent| text(&agent.name)),
        first_seen_us: resource.since_us,
        last_seen_us: now_us,
        password: agent.is_none_or(|agent| !agent.by_token),
        token_until_us: None,
        sessions: vec![resource.jid.resource().to_owned()],
    }
}

fn text(text: &Option<Box<str>>) -> Option<String> {
    text.as_deref().map(str::to_owned)
}

/// The moment of its binding tells a session from others of its account.
fn session_id(bound: &Bound) -> String {
    format!("{SESSION_PREFIX}{:x}", bound.resource.since_us)
}

/// Takes access away, as far as that is possible: tokens end, and so do sessions. [`OpError::NotFound`] if there is nothing
/// of that name. The session that asked has to be answered first, and is then closed by the caller.
pub async fn revoke(
    core: &Core,
    account: &Account,
    id: AccountId,
    device: &str,
    asking: Option<&Resource>,
) -> Result<Revocation, OpError> {
    let row = match device.starts_with(SESSION_PREFIX) {
        true => None,
        false => core.storage.device_revoke(id, device).await.map_err(OpError::Storage)?,
    };
    let ended = |bound: &&Bound| match bound.resource.device() {
        Some(own) => own == device,
        None => session_id(bound) == device,
    };
    // Names that somebody made up are not remembered.
    if row.is_none() && !account.lock().resources.iter().any(|bound| ended(&bound)) {
        return Err(OpError::NotFound);
    }
    // A login of this device that has just begun does not come through either.
    core.changed.note(&login_key(account, device));
    let mut revocation = match row {
        Some(storage::Revoked { tokens, password }) => Revocation { tokens, sessions: 0, password, own: false },
        None => Revocation { tokens: 0, sessions: 0, password: false, own: false },
    };
    for bound in account.lock().resources.iter().filter(ended) {
        if asking.is_some_and(|asking| std::ptr::eq(asking, &*bound.resource)) {
            revocation.own = true;
        } else {
            bound.resource.outbox.close(CloseReason::Revoked);
        }
        revocation.sessions += 1;
        revocation.password |= bound.resource.agent.get().is_none_or(|agent| !agent.by_token);
    }
    tracing::info!(account = %account.jid, device, tokens = revocation.tokens, "access of a device revoked");
    Ok(revocation)
}

/// Under which its revocation is remembered while logins may be under way.
pub fn login_key(account: &Account, device: &str) -> String {
    format!("{}/{device}", account.jid)
}
