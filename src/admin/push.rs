//! Push services (XEP-0357): who is registered, what became of the last notifications, and a test.

use super::protocol::{Failure, PushRow, PushTestRow, PushedRow, Reply};
use super::{PAGE_ROWS, bare, local, moment, no_account};
use crate::account::push::{Attempt, Device};
use crate::core::Core;
use crate::storage;
use crate::xep::push::notify;
use std::sync::Arc;

pub(super) async fn list(core: &Arc<Core>, jid: Option<&str>, after: &str) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    if let Some(jid) = jid {
        let jid = local(core, jid)?;
        let record = core.storage.account(jid.as_str()).await?.ok_or_else(|| no_account(&jid))?;
        let registrations = record.push.into_iter().map(|row| shown(core, jid.as_str(), row)).collect();
        return Ok(Reply::Push { registrations, more: false });
    }
    let mut rows = core.storage.push_list(after, PAGE_ROWS).await?;
    let more = rows.len() == PAGE_ROWS as usize;
    if let Some(last) = rows.last().map(|(jid, _)| jid.clone()).filter(|_| more) {
        // The rest of the last account is on the next page, and so are these, unless it has the page for itself.
        let whole = rows.iter().take_while(|(jid, _)| *jid != last).count();
        rows.truncate(if whole > 0 { whole } else { rows.len() });
    }
    let registrations = rows.into_iter().map(|(jid, row)| shown(core, &jid, row)).collect();
    Ok(Reply::Push { registrations, more })
}

fn shown(core: &Core, jid: &str, row: storage::PushRow) -> PushRow {
    let outcome = |a: Attempt| PushedRow { at: moment(a.at_us), outcome: a.outcome.into() };
    let last = match (bare(jid), Device::new(row.clone())) {
        (Ok(jid), Some(device)) => core.push_log.of(&jid, &device.registration).into_iter().map(outcome).collect(),
        _ => Vec::new(),
    };
    let storage::PushRow { service, node, resource, since_us, failures, .. } = row;
    PushRow { jid: jid.to_owned(), service, node, resource, enabled: moment(since_us), failures, last }
}

pub(super) async fn test(core: &Arc<Core>, jid: &str) -> Result<Reply, Failure> {
    let jid = local(core, jid)?;
    let tested = notify::test(core, &jid).await?.ok_or_else(|| no_account(&jid))?;
    let row = |tested: notify::Tested| {
        let storage::PushRow { service, node, resource, .. } = tested.registration.row.clone();
        PushTestRow { service, node, resource, error: tested.error.map(|error| error.to_string()) }
    };
    Ok(Reply::PushTested(tested.into_iter().map(row).collect()))
}
