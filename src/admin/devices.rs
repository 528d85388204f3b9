//! Devices (XEP-0494): what has access to an account, and the end of it.

use super::protocol::{DeviceRevocation, DeviceRow, Failure, FailureKind, OfDevice, Reply};
use super::{load, moment, no_account};
use crate::account::Account;
use crate::core::Core;
use crate::ops::OpError;
use crate::ops::devices::{self, Device};
use crate::storage::AccountId;
use std::sync::Arc;

/// A temporary account has no devices.
fn id(account: &Account) -> Result<AccountId, Failure> {
    account.id.ok_or_else(|| no_account(&account.jid))
}

pub(super) async fn list(core: &Arc<Core>, jid: &str) -> Result<Reply, Failure> {
    let account = load(core, jid).await?;
    let devices = devices::list(core, &account, id(&account)?).await.map_err(|error| failure(jid, error))?;
    Ok(Reply::Devices(devices.into_iter().map(row).collect()))
}

fn row(device: Device) -> DeviceRow {
    DeviceRow {
        id: device.id,
        software: device.software,
        name: device.name,
        first_seen: moment(device.first_seen_us),
        last_seen: moment(device.last_seen_us),
        password: device.password,
        token_until: device.token_until_us.map(moment),
        sessions: device.sessions,
    }
}

pub(super) async fn revoke(core: &Arc<Core>, asked: &OfDevice) -> Result<Reply, Failure> {
    let account = load(core, &asked.jid).await?;
    let done = devices::revoke(core, &account, id(&account)?, &asked.id, None).await;
    let done = done.map_err(|error| failure(&format!("{} of {}", asked.id, asked.jid), error))?;
    Ok(Reply::DeviceRevoked(DeviceRevocation {
        jid: account.jid.to_string(),
        id: asked.id.clone(),
        tokens: done.tokens,
        sessions_ended: done.sessions,
        password_known: done.password,
    }))
}

fn failure(what: &str, error: OpError) -> Failure {
    match error {
        OpError::NotFound => Failure::new(FailureKind::NotFound, format!("there is no device {what}")),
        error => Failure::new(FailureKind::Failed, error.to_string()),
    }
}
