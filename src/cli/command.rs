//! Commands that ask the server: from the command line to a request, and from the reply to exit code and text.

use super::args::{Command, Offline, Roster, Session, SubscriptionArg, User};
use super::ask::{self, Given};
use super::link::Link;
use super::{Exit, print, rooms, uploads};
use crate::admin::protocol::{
    Failure, FailureKind, NodeRow, OfArchive, OfNode, Reply, Request, RosterChange, SubscriptionState,
};
use crate::config::Config;
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _, Write};

/// Runs a command to its end.
pub(super) async fn run(
    command: &Command,
    config: Config,
    as_json: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let mut shown = None;
    let done = match request(command, &mut shown) {
        Ok(request) => Box::pin(perform(&config, request, err)).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(reply) => {
            report(&reply, shown.as_deref(), as_json, out)?;
            let picture = super::invite::picture(command, &reply, io::stdout().is_terminal());
            out.write_all(picture.filter(|_| !as_json).unwrap_or_default().as_bytes())?;
            Ok(Exit::Done)
        }
        Err(failure) => fail(&failure, as_json, out, err),
    }
}

/// Says why nothing came of it.
pub(super) fn fail(failure: &Failure, as_json: bool, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    if as_json {
        writeln!(out, "{:#}", json!({ "errors": [failure] }))?;
    } else if failure.message.starts_with("error: ") {
        writeln!(err, "{}", failure.message)?;
    } else {
        writeln!(err, "error: {}", failure.message)?;
    }
    Ok(match failure.kind {
        FailureKind::BadRequest | FailureKind::Settings => Exit::Usage,
        FailureKind::NotRunning => Exit::NotRunning,
        FailureKind::NotFound | FailureKind::Exists | FailureKind::Limit | FailureKind::Failed => Exit::Failed,
    })
}

fn report(reply: &Reply, password: Option<&str>, as_json: bool, out: &mut impl Write) -> io::Result<()> {
    if as_json {
        let mut json = as_object(reply)?;
        if let (Some(password), Some(object)) = (password, json.as_object_mut()) {
            object.insert("password".to_owned(), password.into());
        }
        return writeln!(out, "{json:#}");
    }
    out.write_all(print::text(reply).as_bytes())?;
    password.map_or(Ok(()), |password| writeln!(out, "password: {password}"))
}

/// What stands inside the reply's one member, and a list under the member's name: always an object.
fn as_object(reply: &Reply) -> io::Result<Value> {
    let reply = match reply {
        Reply::Room(reply) => serde_json::to_value(reply)?,
        reply => serde_json::to_value(reply)?,
    };
    let Value::Object(outer) = reply else { return Ok(Value::Null) };
    let Some((name, inner)) = outer.into_iter().next() else { return Ok(Value::Null) };
    Ok(match inner {
        Value::Object(mut object) => {
            // Pages are no concern of a script.
            object.remove("more");
            Value::Object(object)
        }
        list => json!({ name: list }),
    })
}

/// The request for a command. Passwords are asked for here; one that was made here goes into `shown`.
fn request(command: &Command, shown: &mut Option<String>) -> Result<Request, Failure> {
    Ok(match command {
        Command::Reload => Request::Reload,
        Command::Status => Request::Status,
        Command::Stop => Request::Stop,
        Command::User(user) => user_request(user, shown)?,
        Command::Session(Session::List { jid }) => Request::SessionList { jid: jid.clone() },
        Command::Session(Session::Kick { jid, reason }) => {
            Request::SessionKick { jid: jid.clone(), reason: reason.clone() }
        }
        Command::Roster(roster) => roster_request(roster),
        Command::Offline(Offline::List { jid }) => Request::OfflineList { jid: jid.clone(), after: String::new() },
        Command::Offline(Offline::Purge { jid, older_than_days, yes }) => {
            let which = older_than_days.map_or(String::new(), |days| format!(" older than {days} days"));
            ask::confirm(*yes, &format!("Delete the waiting messages of {jid}{which}?"))?;
            Request::OfflinePurge { jid: jid.clone(), older_than_days: *older_than_days }
        }
        Command::Archive(archive) => super::archive::request(archive)?,
        Command::Pubsub(pubsub) => super::pubsub::request(pubsub)?,
        Command::Push(push) => super::push::request(push),
        Command::Device(device) => super::device::request(device)?,
        Command::Upload(upload) => uploads::request(upload)?,
        Command::Room(room) => rooms::request(room)?,
        Command::Announce(announce) => Request::Announce { text: announce.text.clone(), domain: announce.to.clone() },
        Command::Backup(backup) => {
            // The server has a current directory of its own.
            let file = std::path::absolute(&backup.file)
                .map_err(|e| Failure::new(FailureKind::BadRequest, format!("{}: {e}", backup.file.display())))?;
            Request::Backup { file }
        }
        Command::Invite(invite) => super::invite::request(invite),
        Command::Serve(_) | Command::Check(_) | Command::Config(_) | Command::Restore(_) | Command::Chat(_) => {
            return Err(Failure::new(FailureKind::BadRequest, "this command asks no server"));
        }
    })
}

fn user_request(user: &User, shown: &mut Option<String>) -> Result<Request, Failure> {
    let mut given = |source, jid: &str| {
        let Given { password, generated } = ask::password(source, jid)?;
        *shown = generated.then(|| password.0.clone());
        Ok::<_, Failure>(password)
    };
    Ok(match user {
        User::Add { jid, password } => Request::UserAdd { jid: jid.clone(), password: given(password, jid)? },
        User::Passwd { jid, password } => Request::UserPasswd { jid: jid.clone(), password: given(password, jid)? },
        User::Del { jid, yes } => {
            ask::confirm(*yes, &format!("Delete {jid} with everything it has?"))?;
            Request::UserDel { jid: jid.clone() }
        }
        User::List { domain } => Request::UserList { domain: domain.clone(), after: String::new() },
        User::Show { jid } => Request::UserShow { jid: jid.clone() },
    })
}

fn roster_request(roster: &Roster) -> Request {
    match roster {
        Roster::Show { jid } => Request::RosterShow { jid: jid.clone() },
        Roster::Add { jid, contact, name, groups, subscription } => Request::RosterAdd(RosterChange {
            jid: jid.clone(),
            contact: contact.clone(),
            name: name.clone(),
            groups: (!groups.is_empty()).then(|| groups.clone()),
            subscription: subscription.map(|subscription| match subscription {
                SubscriptionArg::None => SubscriptionState::None,
                SubscriptionArg::To => SubscriptionState::To,
                SubscriptionArg::From => SubscriptionState::From,
                SubscriptionArg::Both => SubscriptionState::Both,
            }),
        }),
        Roster::Remove { jid, contact } => Request::RosterRemove { jid: jid.clone(), contact: contact.clone() },
    }
}

async fn perform(config: &Config, request: Request, err: &mut impl Write) -> Result<Reply, Failure> {
    let fresh = !config.database_path().exists();
    let mut link = Link::open(config, &request).await?;
    if fresh && !link.is_running() {
        // Perhaps the operator meant another directory. Nobody to tell is no reason to stop.
        let _ = writeln!(err, "note: a new database was made in {}", config.data_dir.display());
    }
    let reply = all_pages(&mut link, request).await;
    let closed = link.close().await;
    let reply = reply?;
    closed?;
    Ok(reply)
}

/// A list in one piece, however many pages it has.
async fn all_pages(link: &mut Link, request: Request) -> Result<Reply, Failure> {
    let mut reply = link.call(request.clone()).await?;
    loop {
        let next = match (&request, &reply) {
            (Request::UserList { domain, .. }, Reply::Users { users, more: true }) => {
                let after = users.last().map(|row| row.jid.clone()).unwrap_or_default();
                Request::UserList { domain: domain.clone(), after }
            }
            (Request::OfflineList { .. }, Reply::Offline { accounts, more: true }) => {
                let after = accounts.last().map(|row| row.jid.clone()).unwrap_or_default();
                Request::OfflineList { jid: None, after }
            }
            (Request::PubsubList { owner, .. }, Reply::Nodes { nodes, more: true }) => {
                let last = |row: &NodeRow| OfNode { owner: row.owner.clone(), node: row.node.clone() };
                Request::PubsubList { owner: owner.clone(), after: nodes.last().map(last).unwrap_or_default() }
            }
            (Request::PushList { jid, .. }, Reply::Push { registrations, more: true }) => {
                let after = registrations.last().map(|row| row.jid.clone()).unwrap_or_default();
                Request::PushList { jid: jid.clone(), after }
            }
            (Request::ArchiveExport(asked), Reply::Archived { messages, more: true }) => {
                let after = messages.last().map_or(asked.after, |row| row.id);
                Request::ArchiveExport(OfArchive { after, ..asked.clone() })
            }
            (Request::InviteList { .. }, seen) => match super::invite::next_page(seen) {
                Some(next) => next,
                None => return Ok(reply),
            },
            (Request::Upload(asked), seen) => match uploads::next_page(asked, seen) {
                Some(next) => next,
                None => return Ok(reply),
            },
            (Request::Room(asked), seen) => match rooms::next_page(asked, seen) {
                Some(next) => next,
                None => return Ok(reply),
            },
            _ => return Ok(reply),
        };
        match (&mut reply, link.call(next).await?) {
            (Reply::Users { users, more }, Reply::Users { users: page, more: further }) => {
                users.extend(page);
                *more = further;
            }
            (Reply::Offline { accounts, more }, Reply::Offline { accounts: page, more: further }) => {
                accounts.extend(page);
                *more = further;
            }
            (Reply::Nodes { nodes, more }, Reply::Nodes { nodes: page, more: further }) => {
                nodes.extend(page);
                *more = further;
            }
            (Reply::Push { registrations, more }, Reply::Push { registrations: page, more: further }) => {
                registrations.extend(page);
                *more = further;
            }
            (Reply::Invites { invites, more }, Reply::Invites { invites: page, more: further }) => {
                invites.extend(page);
                *more = further;
            }
            (Reply::UploadFiles { files, more }, Reply::UploadFiles { files: page, more: further }) => {
                files.extend(page);
                *more = further;
            }
            (Reply::UploadUsage { users, more }, Reply::UploadUsage { users: page, more: further }) => {
                users.extend(page);
                *more = further;
            }
            (Reply::Archived { messages, more }, Reply::Archived { messages: page, more: further }) => {
                messages.extend(page);
                *more = further;
            }
            (Reply::Room(all), Reply::Room(page)) => rooms::add_page(all, page),
            _ => return Ok(reply),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;

    fn read(line: &str) -> (Request, Option<String>) {
        let command = Cli::read(line.split(' ')).unwrap().command.unwrap();
        let mut shown = None;
        (request(&command, &mut shown).unwrap(), shown)
    }

    #[test]
    fn commands_become_requests_and_survive_the_wire() {
        for line in [
            "reload",
            "status",
            "stop",
            "user add a@b --generate",
            "user passwd a@b --generate",
            "user del a@b --yes",
            "user list b",
            "user show a@b",
            "session list",
            "session kick a@b/c --reason bye",
            "roster show a@b",
            "roster add a@b c@d --name C --group x --group y --subscription both",
            "roster remove a@b c@d",
            "offline list",
            "offline purge a@b --older-than-days 30 -y",
            "pubsub list",
            "pubsub list pubsub.b",
            "pubsub show a@b urn:x",
            "pubsub delete a@b urn:x -y",
            "push list",
            "push list a@b",
            "push test a@b",
            "upload usage",
            "upload list a@b",
            "upload delete f --yes",
            "upload purge a@b --older-than-days 3 -y",
            "room list",
            "room show r@conference.b",
            "room create r@conference.b --owner a@b roomname=R",
            "room destroy r@conference.b --alternate x@conference.b --reason moved -y",
            "room config r@conference.b membersonly=1",
            "room affiliation r@conference.b a@b owner",
            "room kick r@conference.b nick",
            "room archive show r@conference.b",
            "room archive purge r@conference.b --older-than-days 3 -y",
            "room block list",
            "room block add a@b --reason spam",
            "room block remove a@b",
            "announce hello --to b",
            "backup f",
            "invite create --days 3 --uses 2",
            "invite create b --kind both --inviter a@b --user c --group d --expires 12h",
            "invite show abc --no-qr",
            "invite list",
            "invite revoke abc",
        ] {
            let (request, shown) = read(&format!("magpie {line}"));
            let wire = serde_json::to_string(&request).unwrap();
            let back: Request = serde_json::from_str(&wire).unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), wire, "{line}");
            assert!(line.starts_with(request.name()), "{line}: {}", request.name());
            assert_eq!(shown.is_some(), line.contains("--generate"), "{line}");
        }
    }

    #[test]
    fn a_backup_goes_to_an_absolute_path() {
        let (Request::Backup { file }, _) = read("magpie backup f") else { panic!("not a backup") };
        assert!(file.is_absolute());
    }

    #[test]
    fn json_is_always_an_object() {
        let json = as_object(&Reply::Sessions(Vec::new())).unwrap();
        assert_eq!(json, json!({ "sessions": [] }));
        let json = as_object(&Reply::Users { users: Vec::new(), more: false }).unwrap();
        assert_eq!(json, json!({ "users": [] }));
        let json = as_object(&Reply::UserAdded { jid: "a@b".into() }).unwrap();
        assert_eq!(json, json!({ "jid": "a@b" }));
    }

    #[test]
    fn every_failure_has_its_exit_code() {
        let exit = |kind| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            fail(&Failure::new(kind, "x"), false, &mut out, &mut err).unwrap()
        };
        assert_eq!(exit(FailureKind::BadRequest), Exit::Usage);
        assert_eq!(exit(FailureKind::Settings), Exit::Usage);
        assert_eq!(exit(FailureKind::NotRunning), Exit::NotRunning);
        assert_eq!(exit(FailureKind::Exists), Exit::Failed);
    }
}
