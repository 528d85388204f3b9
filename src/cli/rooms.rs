//! `magpie room …`: its arguments, its requests, and how the answers look.

use super::room_hats::{self, RoomHat};
use super::table::render;
use super::words::{count, sheet};
use super::{archive, ask};
use crate::admin::protocol::{
    Failure, FailureKind, Reply, Request, RoomBlockRow, RoomDetails, RoomReply, RoomRequest, RoomRow,
};
use clap::Subcommand;

/// `magpie room …`
#[derive(Debug, Subcommand)]
pub enum Room {
    /// List rooms, those nobody is in as well
    List {
        /// Only those of this service (conference.example.org)
        service: Option<String>,
    },
    /// Show how a room is configured, who may what there, and who is in it
    Show {
        /// The room
        room: String,
    },
    /// Make a room that stays
    Create {
        /// The room
        room: String,
        /// Who owns it
        #[arg(long, value_name = "JID")]
        owner: String,
        /// Settings, as for `config`
        #[arg(value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
    /// Destroy a room with all that was said there; who is in it is told
    Destroy {
        /// The room
        room: String,
        /// The room to go to instead
        #[arg(long, value_name = "ROOM")]
        alternate: Option<String>,
        /// Why, for those who are in it
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Change settings of a room; `show` lists them
    Config {
        /// The room
        room: String,
        /// What to change: membersonly=1 roomname="Our place"
        #[arg(value_name = "NAME=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Make somebody owner, admin or member of a room, ban somebody (outcast), or end that (none)
    Affiliation {
        /// The room
        room: String,
        /// Who; a whole domain can be banned
        jid: String,
        /// owner, admin, member, none or outcast
        affiliation: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Put somebody out of a room, who may come back
    Kick {
        /// The room
        room: String,
        /// The nickname
        nick: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Names for what people are in a room (XEP-0317); `show` lists them
    #[command(subcommand)]
    Hat(RoomHat),
    /// What was said in a room
    #[command(subcommand)]
    Archive(RoomArchive),
    /// Rooms, users and domains a service keeps out
    #[command(subcommand)]
    Block(RoomBlock),
}

/// `magpie room archive …`
#[derive(Debug, Subcommand)]
pub enum RoomArchive {
    /// Count the messages
    Show {
        /// The room
        room: String,
    },
    /// Print the messages, one XML element per line
    Export {
        /// The room
        room: String,
    },
    /// Delete messages
    Purge {
        /// The room
        room: String,
        /// Only those older than this
        #[arg(long, value_name = "DAYS")]
        older_than_days: Option<u32>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// `magpie room block …`
#[derive(Debug, Subcommand)]
pub enum RoomBlock {
    /// List them
    List {
        /// The service, if there are several
        #[arg(long)]
        service: Option<String>,
    },
    /// Keep a room, a user or a domain out; a room that is there is closed
    Add {
        /// The room, user or domain
        jid: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        /// The service, if there are several
        #[arg(long)]
        service: Option<String>,
    },
    /// Let it in again
    Remove {
        /// The room, user or domain
        jid: String,
        /// The service, if there are several
        #[arg(long)]
        service: Option<String>,
    },
}

fn settings(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| {
        let wrong = || Failure::new(FailureKind::BadRequest, format!("\"{text}\": write NAME=VALUE"));
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(wrong)
    };
    given.iter().map(pair).collect()
}

pub(super) fn request(room: &Room) -> Result<Request, Failure> {
    use RoomRequest as Ask;
    Ok(Request::Room(match room {
        Room::List { service } => Ask::List { service: service.clone(), after: String::new() },
        Room::Show { room } => Ask::Show { room: room.clone() },
        Room::Create { room, owner, settings: given } => {
            Ask::Create { room: room.clone(), owner: owner.clone(), settings: settings(given)? }
        }
        Room::Destroy { room, alternate, reason, yes } => {
            ask::confirm(*yes, &format!("Destroy {room} with all that was said there?"))?;
            Ask::Destroy { room: room.clone(), alternate: alternate.clone(), reason: reason.clone() }
        }
        Room::Config { room, settings: given } => Ask::Config { room: room.clone(), settings: settings(given)? },
        Room::Affiliation { room, jid, affiliation, reason } => Ask::Affiliation {
            room: room.clone(),
            jid: jid.clone(),
            affiliation: affiliation.clone(),
            reason: reason.clone(),
        },
        Room::Kick { room, nick, reason } => {
            Ask::Kick { room: room.clone(), nick: nick.clone(), reason: reason.clone() }
        }
        Room::Hat(hat) => room_hats::request(hat),
        Room::Archive(RoomArchive::Show { room }) => Ask::Archive { room: room.clone() },
        Room::Archive(RoomArchive::Export { room }) => Ask::ArchiveExport { room: room.clone(), after: i64::MIN },
        Room::Archive(RoomArchive::Purge { room, older_than_days, yes }) => {
            let which = older_than_days.map_or(String::new(), |days| format!(" older than {days} days"));
            ask::confirm(*yes, &format!("Delete the messages of {room}{which}?"))?;
            Ask::ArchivePurge { room: room.clone(), older_than_days: *older_than_days }
        }
        Room::Block(RoomBlock::List { service }) => Ask::Blocks { service: service.clone() },
        Room::Block(RoomBlock::Add { jid, reason, service }) => {
            Ask::Block { service: service.clone(), jid: jid.clone(), reason: reason.clone() }
        }
        Room::Block(RoomBlock::Remove { jid, service }) => Ask::Unblock { service: service.clone(), jid: jid.clone() },
    }))
}

/// What to ask for when this was not all.
pub(super) fn next_page(asked: &RoomRequest, reply: &Reply) -> Option<Request> {
    let Reply::Room(reply) = reply else { return None };
    Some(Request::Room(match (asked, reply) {
        (RoomRequest::List { service, .. }, RoomReply::Rooms { rooms, more: true }) => {
            RoomRequest::List { service: service.clone(), after: rooms.last()?.room.clone() }
        }
        (RoomRequest::ArchiveExport { room, .. }, RoomReply::Archived { messages, more: true }) => {
            RoomRequest::ArchiveExport { room: room.clone(), after: messages.last()?.id }
        }
        _ => return None,
    }))
}

/// Adds a further page. Anything else ends the list.
pub(super) fn add_page(all: &mut RoomReply, page: RoomReply) {
    match (all, page) {
        (RoomReply::Rooms { rooms, more }, RoomReply::Rooms { rooms: page, more: further }) => {
            rooms.extend(page);
            *more = further;
        }
        (RoomReply::Archived { messages, more }, RoomReply::Archived { messages: page, more: further }) => {
            messages.extend(page);
            *more = further;
        }
        (RoomReply::Rooms { more, .. } | RoomReply::Archived { more, .. }, _) => *more = false,
        _ => {}
    }
}

pub(super) fn text(reply: &RoomReply) -> String {
    match reply {
        RoomReply::Rooms { rooms, .. } => listed(rooms),
        RoomReply::Room(room) => shown(room),
        RoomReply::Created { room } => format!("{room} is there\n"),
        RoomReply::Destroyed { room } => format!("{room} is destroyed\n"),
        RoomReply::Configured { room } => format!("{room} is configured\n"),
        RoomReply::Affiliated { room, jid, affiliation } => format!("{jid} is now {affiliation} of {room}\n"),
        RoomReply::Kicked { room, nick } => format!("{nick} was put out of {room}\n"),
        RoomReply::HatCreated { .. }
        | RoomReply::HatDestroyed { .. }
        | RoomReply::HatAssigned { .. }
        | RoomReply::HatUnassigned { .. } => room_hats::text(reply),
        RoomReply::Archive { room, messages, first, last } => {
            let range = match (first, last) {
                (Some(first), Some(last)) => format!(", from {first} to {last}"),
                _ => String::new(),
            };
            format!("{room}: {}{range}\n", count(*messages, "message"))
        }
        RoomReply::Archived { messages, .. } => archive::exported(messages),
        RoomReply::Purged { messages } => format!("{} deleted\n", count(*messages, "message")),
        RoomReply::Blocks { blocks } => blocked(blocks),
        RoomReply::Blocked { jid } => format!("{jid} is kept out\n"),
        RoomReply::Unblocked { jid } => format!("{jid} is let in again\n"),
    }
}

fn listed(rooms: &[RoomRow]) -> String {
    if rooms.is_empty() {
        return "no rooms\n".to_owned();
    }
    let row = |r: &RoomRow| {
        let kinds = [(!r.persistent, "temporary"), (!r.public, "hidden"), (r.members_only, "members only")];
        let kinds: Vec<_> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect();
        let kind = if kinds.is_empty() { "-".to_owned() } else { kinds.join(", ") };
        let created = r.created.clone().unwrap_or_else(|| "-".to_owned());
        [r.room.clone(), r.name.clone(), kind, r.occupants.to_string(), created]
    };
    render(["ROOM", "NAME", "KIND", "OCCUPANTS", "CREATED"], &rooms.iter().map(row).collect::<Vec<_>>())
}

fn shown(room: &RoomDetails) -> String {
    let mut lines = vec![("room", room.room.clone()), ("created", room.created.clone())];
    if room.locked {
        lines.push(("state", "waits for its owner to configure it".to_owned()));
    }
    lines.extend(room.subject.iter().map(|subject| ("subject", subject.clone())));
    lines.extend(room.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let mut out = sheet(&lines);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    if !room.affiliations.is_empty() {
        let rows = room.affiliations.iter();
        let rows: Vec<_> =
            rows.map(|a| [a.jid.clone(), a.affiliation.clone(), or_none(&a.nick), or_none(&a.reason)]).collect();
        out.push('\n');
        out.push_str(&render(["ADDRESS", "AFFILIATION", "NICKNAME", "REASON"], &rows));
    }
    if !room.occupants.is_empty() {
        let rows = room.occupants.iter();
        let rows: Vec<_> = rows.map(|o| [o.nick.clone(), o.role.clone(), o.sessions.join(", ")]).collect();
        out.push('\n');
        out.push_str(&render(["OCCUPANT", "ROLE", "SESSIONS"], &rows));
    }
    if !room.hats.is_empty() {
        out.push('\n');
        out.push_str(&room_hats::listed(&room.hats));
    }
    out
}

fn blocked(blocks: &[RoomBlockRow]) -> String {
    if blocks.is_empty() {
        return "nobody is kept out\n".to_owned();
    }
    let row = |b: &RoomBlockRow| {
        [b.jid.clone(), b.service.clone(), b.since.clone(), b.reason.clone().unwrap_or_else(|| "-".to_owned())]
    };
    render(["KEPT OUT", "OF", "SINCE", "REASON"], &blocks.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_listed_and_shown() {
        let row = RoomRow {
            room: "a@conference.b".into(),
            name: "A\u{1b}".into(),
            persistent: false,
            public: true,
            members_only: true,
            occupants: 2,
            created: None,
        };
        let expected = "ROOM            NAME  KIND                     OCCUPANTS  CREATED\n\
            a@conference.b  A\u{fffd}    temporary, members only  2          -\n";
        assert_eq!(listed(&[row]), expected);
        assert_eq!(listed(&[]), "no rooms\n");
        let details = RoomDetails {
            room: "a@conference.b".into(),
            created: "then".into(),
            locked: true,
            subject: Some("Spells".into()),
            settings: vec![("roomname".into(), "A".into())],
            affiliations: Vec::new(),
            occupants: Vec::new(),
            hats: Vec::new(),
        };
        let text = shown(&details);
        for part in ["state     waits", "subject   Spells\n", "roomname  A\n"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_setting_is_a_name_and_a_value() {
        assert_eq!(settings(&["a=b=c".to_owned()]), Ok(vec![("a".to_owned(), "b=c".to_owned())]));
        assert!(settings(&["a".to_owned()]).is_err());
    }
}
