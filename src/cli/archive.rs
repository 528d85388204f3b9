//! `magpie archive …`: its arguments, its request, and how the answer looks.

use super::ask;
use super::words::count;
use crate::admin::protocol::{ArchiveRow, ArchivedRow, Failure, OfArchive, Request};
use clap::Subcommand;

/// `magpie archive …`
#[derive(Debug, Subcommand)]
pub enum Archive {
    /// Count the archived messages of an account
    Show {
        /// The account
        jid: String,
    },
    /// Print the archived messages of an account, one XML element per line
    Export {
        /// The account
        jid: String,
    },
    /// Delete archived messages of an account
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

pub(super) fn request(archive: &Archive) -> Result<Request, Failure> {
    let of = |jid: &String, older_than_days| OfArchive { jid: jid.clone(), after: i64::MIN, older_than_days };
    Ok(match archive {
        Archive::Show { jid } => Request::ArchiveShow(of(jid, None)),
        Archive::Export { jid } => Request::ArchiveExport(of(jid, None)),
        Archive::Purge { jid, older_than_days, yes } => {
            let which = older_than_days.map_or(String::new(), |days| format!(" older than {days} days"));
            ask::confirm(*yes, &format!("Delete the archived messages of {jid}{which}?"))?;
            Request::ArchivePurge(of(jid, *older_than_days))
        }
    })
}

pub(super) fn shown(row: &ArchiveRow) -> String {
    let range = match (&row.first, &row.last) {
        (Some(first), Some(last)) => format!(", from {first} to {last}"),
        _ => String::new(),
    };
    format!("{}: {}{range}\n", row.jid, count(row.messages, "message"))
}

/// With the time as XEP-0313 gives it to clients, so that other programs can read it.
pub(super) fn exported(messages: &[ArchivedRow]) -> String {
    let line = |m: &ArchivedRow| {
        format!(
            "<result xmlns='urn:xmpp:mam:2' id='{}'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='{}'/>{}</forwarded></result>\n",
            m.id,
            m.stamp,
            m.stanza.replacen("<message", "<message xmlns='jabber:client'", 1).replace('\n', "&#10;")
        )
    };
    messages.iter().map(line).collect()
}
