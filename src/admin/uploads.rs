//! Uploaded files (XEP-0363): who has how much, which they are, and their removal.

use super::protocol::{Failure, FailureKind, Reply};
use super::{PAGE_ROWS, local, moment, no_account};
use crate::clock;
use crate::core::Core;
use crate::storage::{AccountId, Upload};
use crate::uploads;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked about uploads; `{"op":"upload","what":"list","jid":"…"}`. A file is named by its URL or the token in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the commands and their arguments, which have their help")]
pub enum UploadRequest {
    /// Behind the file with this id.
    List {
        jid: String,
        #[serde(default)]
        after: i64,
    },
    Show {
        file: String,
    },
    Delete {
        file: String,
    },
    Purge {
        jid: String,
        older_than_days: Option<u32>,
    },
    Usage {
        #[serde(default)]
        after: String,
    },
}

impl UploadRequest {
    /// The command, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "upload list",
            Self::Show { .. } => "upload show",
            Self::Delete { .. } => "upload delete",
            Self::Purge { .. } => "upload purge",
            Self::Usage { .. } => "upload usage",
        }
    }

    /// Does it change anything, or only look?
    pub fn changes(&self) -> bool {
        matches!(self, Self::Delete { .. } | Self::Purge { .. })
    }

    /// Whom or what it is about, for the log.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::List { jid, .. } | Self::Purge { jid, .. } => Some(jid),
            Self::Show { file } | Self::Delete { file } => Some(file),
            Self::Usage { .. } => None,
        }
    }
}

/// A file, or a slot for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UploadRow {
    pub id: i64,
    /// What names it in its URL and on disk.
    pub file: String,
    pub jid: String,
    pub name: String,
    pub content_type: Option<String>,
    pub bytes: u64,
    pub asked: String,
    /// `None`: nothing has been uploaded yet.
    pub stored: Option<String>,
    pub expires: Option<String>,
}

/// What a user has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UploadUsageRow {
    pub jid: String,
    pub files: u64,
    pub bytes: u64,
    /// Slots nothing has been uploaded to yet.
    pub pending: u64,
}

pub(super) async fn handle(core: &Arc<Core>, request: &UploadRequest) -> Result<Reply, Failure> {
    match request {
        UploadRequest::List { jid, after } => list(core, jid, *after).await,
        UploadRequest::Show { file } => show(core, file).await,
        UploadRequest::Delete { file } => delete(core, file).await,
        UploadRequest::Purge { jid, older_than_days } => purge(core, jid, older_than_days.unwrap_or(0)).await,
        UploadRequest::Usage { after } => usage(core, after).await,
    }
}

async fn find(core: &Arc<Core>, jid: &str) -> Result<AccountId, Failure> {
    let jid = local(core, jid)?;
    core.storage.barrier().await?;
    Ok(core.storage.account(jid.as_str()).await?.ok_or_else(|| no_account(&jid))?.account.id)
}

async fn list(core: &Arc<Core>, jid: &str, after: i64) -> Result<Reply, Failure> {
    let rows = core.storage.upload_list(find(core, jid).await?, after, PAGE_ROWS).await?;
    let more = rows.len() == PAGE_ROWS as usize;
    Ok(Reply::UploadFiles { files: rows.into_iter().map(row).collect(), more })
}

async fn show(core: &Arc<Core>, file: &str) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let found = core.storage.upload_find(token(file)?).await?;
    Ok(Reply::UploadFile(row(found.ok_or_else(|| no_file(file))?)))
}

/// Nobody can fetch it any more, and its bytes are off the disk, when this returns.
async fn delete(core: &Arc<Core>, file: &str) -> Result<Reply, Failure> {
    let token = token(file)?;
    if !core.storage.upload_delete(token).await? {
        return Err(no_file(file));
    }
    uploads::sweep(core).await;
    Ok(Reply::UploadDeleted { file: token.to_owned() })
}

async fn purge(core: &Arc<Core>, jid: &str, older_than_days: u32) -> Result<Reply, Failure> {
    let account = find(core, jid).await?;
    let before_us = clock::now_micros() - i64::from(older_than_days) * MICROS_PER_DAY;
    let files = core.storage.upload_purge(account, before_us).await?;
    uploads::sweep(core).await;
    Ok(Reply::UploadsPurged { files })
}

async fn usage(core: &Arc<Core>, after: &str) -> Result<Reply, Failure> {
    core.storage.barrier().await?;
    let rows = core.storage.upload_usage(after, PAGE_ROWS).await?;
    let more = rows.len() == PAGE_ROWS as usize;
    let row = |of: crate::storage::UploadUsage| UploadUsageRow {
        jid: of.owner,
        files: of.files,
        bytes: of.bytes,
        pending: of.pending,
    };
    Ok(Reply::UploadUsage { users: rows.into_iter().map(row).collect(), more })
}

/// The token itself, or the part of a URL that is one.
fn token(file: &str) -> Result<&str, Failure> {
    file.split('/').find(|part| uploads::is_token(part)).ok_or_else(|| {
        let message = format!("\"{file}\" is no uploaded file: give its URL, or what `magpie upload list` shows");
        Failure::new(FailureKind::BadRequest, message)
    })
}

fn no_file(file: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no file {file}"))
}

fn row(upload: Upload) -> UploadRow {
    UploadRow {
        id: upload.id,
        file: upload.token,
        jid: upload.owner,
        name: upload.name,
        content_type: upload.content_type,
        bytes: upload.bytes,
        asked: moment(upload.created_us),
        stored: upload.stored_us.map(moment),
        expires: upload.expires_us.map(moment),
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
