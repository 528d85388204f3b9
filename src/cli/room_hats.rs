//! `magpie room hat …`: its arguments, its requests, and how the answers look.

use super::table::render;
use crate::admin::protocol::{HatRow, RoomReply, RoomRequest};
use clap::Subcommand;

/// `magpie room hat …`
#[derive(Debug, Subcommand)]
pub enum RoomHat {
    /// Make a hat, or give one another title
    Create {
        /// The room
        room: String,
        /// What it is for programs: urn:example:host
        uri: String,
        /// What it is called
        title: String,
        /// Its colour, an angle from 0 to 360
        #[arg(long)]
        hue: Option<String>,
    },
    /// Remove a hat from the room and from everybody
    Destroy {
        /// The room
        room: String,
        /// The hat
        uri: String,
    },
    /// Give somebody a hat
    Assign {
        /// The room
        room: String,
        /// Who
        jid: String,
        /// The hat
        uri: String,
    },
    /// Take a hat from somebody
    Unassign {
        /// The room
        room: String,
        /// Who
        jid: String,
        /// The hat
        uri: String,
    },
}

pub(super) fn request(hat: &RoomHat) -> RoomRequest {
    match hat {
        RoomHat::Create { room, uri, title, hue } => {
            RoomRequest::HatCreate { room: room.clone(), uri: uri.clone(), title: title.clone(), hue: hue.clone() }
        }
        RoomHat::Destroy { room, uri } => RoomRequest::HatDestroy { room: room.clone(), uri: uri.clone() },
        RoomHat::Assign { room, jid, uri } => {
            RoomRequest::HatAssign { room: room.clone(), jid: jid.clone(), uri: uri.clone() }
        }
        RoomHat::Unassign { room, jid, uri } => {
            RoomRequest::HatUnassign { room: room.clone(), jid: jid.clone(), uri: uri.clone() }
        }
    }
}

/// What was done; of other answers nothing.
pub(super) fn text(reply: &RoomReply) -> String {
    match reply {
        RoomReply::HatCreated { room, uri } => format!("{room} has the hat {uri}\n"),
        RoomReply::HatDestroyed { room, uri } => format!("{room} has the hat {uri} no more\n"),
        RoomReply::HatAssigned { room, jid, uri } => format!("{jid} wears {uri} in {room}\n"),
        RoomReply::HatUnassigned { room, jid, uri } => format!("{jid} wears {uri} in {room} no more\n"),
        _ => String::new(),
    }
}

/// The hats of a room.
pub(super) fn listed(hats: &[HatRow]) -> String {
    let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let row = |hat: &HatRow| {
        let hue = or_none(hat.hue.clone().unwrap_or_default());
        [hat.title.clone(), hat.uri.clone(), hue, or_none(hat.worn_by.join(", "))]
    };
    render(["HAT", "URI", "HUE", "WORN BY"], &hats.iter().map(row).collect::<Vec<_>>())
}
