//! Replies as text for people.

use super::table::render;
use super::words::{bytes, count, duration, list, sheet};
use crate::admin::protocol::{
    CertificateRow, ContactRow, OfflineRow, ReloadReport, Reply, SessionRow, Status, SubscriptionState, UserDetails,
    UserRow,
};
use crate::storage::backup::BackupReport;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Lines, each with its end.
pub(super) fn text(reply: &Reply) -> String {
    let line = |text: String| text + "\n";
    match reply {
        Reply::Status(status) => status_text(status),
        Reply::Reloaded(report) => reload_text(report),
        Reply::Stopped { pid } => line(format!("stopped (process {pid})")),
        Reply::BackedUp { file, report } => line(format!("{}: {}", file.display(), contents(report))),
        Reply::Announced { sessions } => line(format!("sent to {}", count(*sessions as u64, "session"))),
        Reply::UserAdded { jid } => line(format!("{jid} added")),
        Reply::PasswordSet { jid, sessions_ended } => {
            line(format!("{jid} has a new password{}", ended(*sessions_ended)))
        }
        Reply::UserDeleted { jid, sessions_ended } => line(format!("{jid} deleted{}", ended(*sessions_ended))),
        Reply::Users { users, .. } => users_text(users),
        Reply::User(details) => user_text(details),
        Reply::Sessions(sessions) => sessions_text(sessions),
        Reply::Kicked { sessions } => sessions.iter().map(|jid| format!("{jid} was told to go\n")).collect(),
        Reply::Roster(contacts) => roster_text(contacts),
        Reply::RosterChanged { contact, other_side } => {
            let both = if *other_side { ", and so has the other side" } else { "" };
            let state = subscription(contact.subscription);
            line(format!("{}: subscription {state}{both}", contact.contact))
        }
        Reply::RosterRemoved { jid, contact } => line(format!("{contact} removed from the roster of {jid}")),
        Reply::Offline { accounts, .. } => offline_text(accounts),
        Reply::OfflinePurged { messages, bytes: size } => {
            line(format!("{} deleted ({})", count(*messages, "message"), bytes(*size)))
        }
        Reply::Archive(row) => super::archive::shown(row),
        Reply::Archived { messages, .. } => super::archive::exported(messages),
        Reply::ArchivePurged { messages } => line(format!("{} deleted", count(*messages, "message"))),
        Reply::Nodes { nodes, .. } => super::pubsub::listed(nodes),
        Reply::Node(node) => super::pubsub::shown(node),
        Reply::NodeDeleted(of) => line(format!("the node {} of {} is deleted", of.node, of.owner)),
        Reply::Push { registrations, .. } => super::push::listed(registrations),
        Reply::PushTested(answers) => super::push::tested(answers),
        Reply::Devices(devices) => super::device::listed(devices),
        Reply::DeviceRevoked(done) => super::device::revoked(done),
        Reply::UploadFiles { files, .. } => super::uploads::listed(files),
        Reply::UploadFile(file) => super::uploads::shown(file),
        Reply::UploadDeleted { file } => line(format!("{file} deleted")),
        Reply::UploadsPurged { files } => line(format!("{} deleted", count(*files, "file"))),
        Reply::UploadUsage { users, .. } => super::uploads::usage(users),
        Reply::Room(reply) => super::rooms::text(reply),
        Reply::InviteCreated(invite) | Reply::Invite(invite) => super::invite::shown(invite),
        Reply::Invites { invites, .. } => super::invite::listed(invites),
        Reply::InviteRevoked { code } => line(format!("{code} is of no use any more")),
    }
}

fn ended(sessions: usize) -> String {
    if sessions == 0 { String::new() } else { format!("; {} ended", count(sessions as u64, "session")) }
}

/// What a backup has in it.
pub(super) fn contents(report: &BackupReport) -> String {
    format!(
        "{}, {}, {}, {}",
        count(report.accounts, "account"),
        count(report.roster_items, "contact"),
        count(report.offline_messages, "offline message"),
        bytes(report.bytes)
    )
}

fn status_text(s: &Status) -> String {
    let addresses = |all: &[SocketAddr]| list(all);
    let writer = &s.storage.writer;
    let counted = &s.since_start;
    let mut lines = vec![
        (
            "magpie",
            format!("{}, process {}, up {} (since {})", s.version, s.pid, duration(s.uptime_seconds), s.started),
        ),
        ("domains", list(&s.domains)),
        ("STARTTLS", addresses(&s.listeners.starttls)),
        ("direct TLS", addresses(&s.listeners.direct_tls)),
        ("HTTP", addresses(&s.listeners.http)),
        ("HTTPS", addresses(&s.listeners.https)),
    ];
    lines.extend(s.certificates.iter().map(|c| ("certificate", certificate(c))));
    lines.extend([
        ("sessions", format!("{} of {}", s.sessions, count(s.accounts_connected as u64, "account"))),
        ("connections", s.connections.to_string()),
        ("accounts", format!("{}, {} in memory", s.accounts, s.accounts_in_memory)),
        ("offline", count(s.offline_messages, "message")),
        ("database", format!("{}, {}", s.storage.file.display(), bytes(s.storage.bytes))),
        (
            "writer",
            format!(
                "{} waiting, {} done, {} batches failed, last commit {} µs",
                count(writer.queue_depth as u64, "write"),
                writer.ops,
                writer.failed_batches,
                writer.last_commit_us
            ),
        ),
        ("memory", s.memory_bytes.map_or_else(|| "-".to_owned(), bytes)),
        (
            "since start",
            format!(
                "{}, {} refused; {}, {} failed; {} stored; {}",
                count(counted.connections, "connection"),
                counted.connections_refused,
                count(counted.logins, "login"),
                counted.logins_failed,
                count(counted.offline_stored, "offline message"),
                count(counted.registrations, "registration")
            ),
        ),
    ]);
    if counted.archive_failed > 0 {
        lines.push(("not archived", format!("{}: the disk refused", count(counted.archive_failed, "message"))));
    }
    sheet(&lines)
}

fn certificate(c: &CertificateRow) -> String {
    format!("{} for {}, by {}, until {}", c.file.display(), list(&c.names), c.issuer, c.not_after)
}

fn reload_text(report: &ReloadReport) -> String {
    let mut out = match &report.file {
        Some(file) => format!("settings read from {}\n", file.display()),
        None => "settings read; there is no file\n".to_owned(),
    };
    // A `String` takes everything.
    for warning in &report.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    for change in &report.changed {
        let _ = writeln!(out, "changed: {change}");
    }
    for change in &report.needs_restart {
        let _ = writeln!(out, "not yet: {change}");
    }
    if report.changed.is_empty() && report.needs_restart.is_empty() {
        let _ = writeln!(out, "no setting changed");
    }
    for row in &report.certificates {
        let _ = writeln!(out, "certificate {}", certificate(row));
    }
    out
}

fn users_text(users: &[UserRow]) -> String {
    let row = |u: &UserRow| {
        let seen = match (u.sessions, &u.last_seen) {
            (0, Some(seen)) => seen.clone(),
            (0, None) => "never".to_owned(),
            (sessions, _) => count(sessions as u64, "session"),
        };
        let state = if u.disabled { "disabled" } else { "" };
        [u.jid.clone(), u.created.clone(), seen, state.to_owned()]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    render(["ACCOUNT", "CREATED", "LAST SEEN", ""], &rows)
}

fn user_text(u: &UserDetails) -> String {
    let seen = match (&u.last_seen, u.sessions.is_empty()) {
        (_, false) => "now".to_owned(),
        (Some(seen), true) => seen.clone(),
        (None, true) => "never".to_owned(),
    };
    let state = if u.disabled { "disabled" } else { "in use" };
    let keys = u.keys.iter().map(|k| format!("{} with {} iterations", k.hash, k.iterations));
    let mut out = sheet(&[
        ("account", format!("{}, {state}", u.jid)),
        ("created", u.created.clone()),
        ("last seen", seen),
        ("contacts", format!("{}, {} waiting for an answer", u.contacts, count(u.requests_pending as u64, "request"))),
        ("blocks", count(u.blocked, "address")),
        ("offline", format!("{}, {}", count(u.offline_messages, "message"), bytes(u.offline_bytes))),
        (
            "stored",
            format!("{}, {}", count(u.private_items, "private item"), if u.vcard { "vCard" } else { "no vCard" }),
        ),
        ("keys", list(keys)),
    ]);
    if !u.sessions.is_empty() {
        out.push('\n');
        out.push_str(&sessions_text(&u.sessions));
    }
    out
}

fn sessions_text(sessions: &[SessionRow]) -> String {
    let row = |s: &SessionRow| {
        let presence = if s.available { format!("available, {}", s.priority) } else { "-".to_owned() };
        let waiting = match s.waiting_stanzas {
            0 => "-".to_owned(),
            stanzas => format!("{}, {}", count(stanzas as u64, "stanza"), bytes(s.waiting_bytes as u64)),
        };
        let safety = if s.encrypted { "TLS" } else { "plain" };
        let stream = match (s.detached_seconds, s.transport.as_deref()) {
            (Some(seconds), _) => format!("lost {seconds} s ago"),
            (None, None | Some("tls")) => safety.to_owned(),
            (None, Some(transport)) => format!("{transport}, {safety}"),
        };
        [s.jid.clone(), s.peer.to_string(), stream, s.since.clone(), presence, waiting]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    render(["SESSION", "FROM", "STREAM", "SINCE", "PRESENCE", "WAITING"], &rows)
}

fn subscription(state: SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::None => "none",
        SubscriptionState::To => "to",
        SubscriptionState::From => "from",
        SubscriptionState::Both => "both",
    }
}

fn roster_text(contacts: &[ContactRow]) -> String {
    let row = |c: &ContactRow| {
        let notes = [
            (c.pending_out, "asked"),
            (c.pending_in, "waits for an answer"),
            (c.approved, "approved in advance"),
            (!c.in_roster, "not in the roster"),
        ];
        let notes = list(notes.into_iter().filter(|(set, _)| *set).map(|(_, note)| note));
        let name = c.name.clone().unwrap_or_else(|| "-".to_owned());
        [c.contact.clone(), name, subscription(c.subscription).to_owned(), list(&c.groups), notes]
    };
    let rows: Vec<_> = contacts.iter().map(row).collect();
    render(["CONTACT", "NAME", "SUBSCRIPTION", "GROUPS", "NOTES"], &rows)
}

fn offline_text(accounts: &[OfflineRow]) -> String {
    let row = |a: &OfflineRow| {
        let oldest = a.oldest.clone().unwrap_or_else(|| "-".to_owned());
        [a.jid.clone(), a.messages.to_string(), bytes(a.bytes), oldest]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    render(["ACCOUNT", "MESSAGES", "SIZE", "OLDEST"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [0, 1023, 1536, 5 << 20, 3 << 30].map(bytes),
            ["0 bytes", "1023 bytes", "1.5 KiB", "5.0 MiB", "3.0 GiB"]
        );
        assert_eq!([5, 65, 3_660, 90_000].map(duration), ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!((count(1, "session"), count(2, "session")), ("1 session".into(), "2 sessions".into()));
    }

    #[test]
    fn a_name_from_a_client_cannot_move_the_cursor() {
        let contact = ContactRow {
            contact: "b@c".into(),
            name: Some("\u{1b}[2J".into()),
            groups: vec!["x".into(), "y".into()],
            subscription: SubscriptionState::To,
            pending_out: false,
            pending_in: true,
            approved: false,
            in_roster: true,
        };
        let expected = "CONTACT  NAME  SUBSCRIPTION  GROUPS  NOTES\nb@c      \u{fffd}[2J  to            x, y    waits for an answer\n";
        assert_eq!(text(&Reply::Roster(vec![contact])), expected);
    }

    #[test]
    fn a_reload_says_what_waits_for_a_restart() {
        let change =
            |key: &str, live| crate::config::Change { key: key.into(), old: "1".into(), new: "2".into(), live };
        let report = ReloadReport {
            file: Some("magpie.toml".into()),
            changed: vec![change("limits.a", true)],
            needs_restart: vec![change("limits.b", false)],
            warnings: Vec::new(),
            certificates: Vec::new(),
        };
        assert_eq!(
            text(&Reply::Reloaded(report)),
            "settings read from magpie.toml\nchanged: limits.a: 1 -> 2\nnot yet: limits.b: 1 -> 2 (needs a restart)\n"
        );
    }
}
