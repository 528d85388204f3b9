//! `magpie push …`: its arguments, its request, and how the answer looks.

use super::table::render;
use crate::admin::protocol::{PushRow, PushTestRow, Request};
use clap::Subcommand;

/// `magpie push …`
#[derive(Debug, Subcommand)]
pub enum Push {
    /// List registrations, of all accounts or one, with what became of the last notification
    List {
        /// Only this account, with all notifications that are remembered
        jid: Option<String>,
    },
    /// Send a notification to each push service of an account, and show what they answer
    Test {
        /// The account
        jid: String,
    },
}

pub(super) fn request(push: &Push) -> Request {
    match push {
        Push::List { jid } => Request::PushList { jid: jid.clone(), after: String::new() },
        Push::Test { jid } => Request::PushTest { jid: jid.clone() },
    }
}

pub(super) fn listed(registrations: &[PushRow]) -> String {
    if registrations.is_empty() {
        return "no registrations\n".to_owned();
    }
    let row = |r: &PushRow| {
        let last = r.last.last().map_or_else(|| "-".to_owned(), |last| format!("{} {}", last.at, last.outcome));
        [r.jid.clone(), r.resource.clone(), r.service.clone(), r.node.clone(), r.failures.to_string(), last]
    };
    let rows: Vec<_> = registrations.iter().map(row).collect();
    let table = render(["ACCOUNT", "CLIENT", "SERVICE", "NODE", "FAILED", "LAST NOTIFICATION"], &rows);
    let of_one = registrations.iter().all(|r| r.jid == registrations[0].jid);
    if of_one { table + &history(registrations) } else { table }
}

/// All that is remembered.
fn history(registrations: &[PushRow]) -> String {
    let row = |r: &PushRow, at: &str, outcome: &str| [at.to_owned(), r.resource.clone(), outcome.to_owned()];
    let mut rows: Vec<_> =
        registrations.iter().flat_map(|r| r.last.iter().map(|p| row(r, &p.at, &p.outcome))).collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort();
    format!("\n{}", render(["NOTIFICATION", "CLIENT", "OUTCOME"], &rows))
}

pub(super) fn tested(answers: &[PushTestRow]) -> String {
    if answers.is_empty() {
        return "no registrations: the account has no client that wants to be woken\n".to_owned();
    }
    let row = |a: &PushTestRow| {
        let answer = a.error.clone().unwrap_or_else(|| "delivered".to_owned());
        [a.resource.clone(), a.service.clone(), a.node.clone(), answer]
    };
    render(["CLIENT", "SERVICE", "NODE", "ANSWER"], &answers.iter().map(row).collect::<Vec<_>>())
}
