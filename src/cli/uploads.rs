//! `magpie upload …`: its arguments, its requests, and how the answers look.

use super::ask;
use super::table::render;
use super::words::{bytes, count, sheet};
use crate::admin::protocol::{Failure, Reply, Request, UploadRequest, UploadRow, UploadUsageRow};
use clap::Subcommand;

/// `magpie upload …`
#[derive(Debug, Subcommand)]
pub enum Upload {
    /// Show how much everybody has uploaded
    Usage,
    /// List the files of an account
    List {
        /// The account
        jid: String,
    },
    /// Show one file
    Show {
        /// Its URL, or the name `list` shows
        file: String,
    },
    /// Delete one file; who has the link does not get it any more
    Delete {
        /// Its URL, or the name `list` shows
        file: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Delete the files of an account
    Purge {
        /// The account
        jid: String,
        /// Only those older than this
        #[arg(long, value_name = "DAYS")]
        older_than_days: Option<u32>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(super) fn request(upload: &Upload) -> Result<Request, Failure> {
    Ok(Request::Upload(match upload {
        Upload::Usage => UploadRequest::Usage { after: String::new() },
        Upload::List { jid } => UploadRequest::List { jid: jid.clone(), after: 0 },
        Upload::Show { file } => UploadRequest::Show { file: file.clone() },
        Upload::Delete { file, yes } => {
            ask::confirm(*yes, &format!("Delete {file}?"))?;
            UploadRequest::Delete { file: file.clone() }
        }
        Upload::Purge { jid, older_than_days, yes } => {
            let which = older_than_days.map_or(String::new(), |days| format!(" older than {days} days"));
            ask::confirm(*yes, &format!("Delete the files of {jid}{which}?"))?;
            UploadRequest::Purge { jid: jid.clone(), older_than_days: *older_than_days }
        }
    }))
}

/// What to ask for when this was not all.
pub(super) fn next_page(asked: &UploadRequest, reply: &Reply) -> Option<Request> {
    Some(Request::Upload(match (asked, reply) {
        (UploadRequest::List { jid, .. }, Reply::UploadFiles { files, more: true }) => {
            UploadRequest::List { jid: jid.clone(), after: files.last()?.id }
        }
        (UploadRequest::Usage { .. }, Reply::UploadUsage { users, more: true }) => {
            UploadRequest::Usage { after: users.last()?.jid.clone() }
        }
        _ => return None,
    }))
}

pub(super) fn listed(files: &[UploadRow]) -> String {
    let row = |f: &UploadRow| {
        let stored = f.stored.clone().unwrap_or_else(|| "not uploaded".to_owned());
        let expires = f.expires.clone().unwrap_or_else(|| "never".to_owned());
        [f.file.clone(), f.name.clone(), bytes(f.bytes), stored, expires]
    };
    render(["FILE", "NAME", "SIZE", "UPLOADED", "EXPIRES"], &files.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn shown(f: &UploadRow) -> String {
    sheet(&[
        ("file", f.file.clone()),
        ("of", f.jid.clone()),
        ("name", f.name.clone()),
        ("type", f.content_type.clone().unwrap_or_else(|| "-".to_owned())),
        ("size", bytes(f.bytes)),
        ("asked for", f.asked.clone()),
        ("uploaded", f.stored.clone().unwrap_or_else(|| "-".to_owned())),
        ("expires", f.expires.clone().unwrap_or_else(|| "never".to_owned())),
    ])
}

pub(super) fn usage(users: &[UploadUsageRow]) -> String {
    let row = |u: &UploadUsageRow| [u.jid.clone(), u.files.to_string(), bytes(u.bytes), u.pending.to_string()];
    let mut out = render(["ACCOUNT", "FILES", "SIZE", "ASKED FOR"], &users.iter().map(row).collect::<Vec<_>>());
    let (files, size) = users.iter().fold((0, 0), |(files, size), u| (files + u.files, size + u.bytes));
    out += &format!("together {}, {}\n", count(files, "file"), bytes(size));
    out
}
