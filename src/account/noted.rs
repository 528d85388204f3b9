//! What the session journal is told about stanzas that are given to clients.

use crate::journal::{Batch, Given, Journal};
use crate::outbox::{Item, Receipt};
use crate::storage::ArchiveIds;

/// A stanza as it is noted.
pub(super) fn given<'a>(ids: ArchiveIds, item: &Item, seq: u32, at_us: i64, text: &'a [u8]) -> Given<'a> {
    let (group, settled) = match &item.receipt {
        Receipt::Copy(copies) => (copies.group(), copies.is_settled()),
        Receipt::Unacked(share) => (share.fate().group(), share.fate().is_acknowledged()),
        _ => (0, false),
    };
    let row = if let Receipt::Row(row) = &item.receipt { row.row() } else { 0 };
    let text = if row == 0 { text } else { &[] };
    let cause = item.receipt.cause();
    let told_as = match item.receipt {
        Receipt::Told(id) => id,
        _ if cause.is_some() => told_as(ids, item.extra.as_deref()),
        _ => 0,
    };
    Given { seq, at_us, cause, told_as, group, settled, row, text }
}

/// The id of the archive (XEP-0359) in what was added for one account; 0: none.
pub fn told_as(ids: ArchiveIds, extra: Option<&str>) -> i64 {
    let id = extra.and_then(|extra| {
        let (_, rest) = extra.split_once("<stanza-id ")?;
        let (_, rest) = rest.split_once(" id='")?;
        ids.read(rest.split_once('\'')?.0)
    });
    id.unwrap_or(0)
}

/// Notes what was given to a socket whose client is not in the journal, if its sender could send it again after a restart.
pub fn note_reached<'a>(journal: &Journal, items: impl Iterator<Item = &'a Item>) {
    let mut batch = Batch::default();
    for item in items {
        if let Some(cause) = item.receipt.cause() {
            batch.reached(cause);
        }
        if let Receipt::Copy(copies) = &item.receipt
            && copies.is_beyond()
        {
            batch.settled(copies.group());
        }
    }
    if !batch.is_empty() {
        journal.write(&mut batch);
    }
}
