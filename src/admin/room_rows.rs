//! What is asked and said about rooms; a part of [`protocol`](super::protocol).

use super::protocol::ArchivedRow;
use serde::{Deserialize, Serialize};

/// What is asked about rooms; `{"op":"room","what":"show","room":"…"}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the commands and their arguments, which have their help")]
pub enum RoomRequest {
    /// Behind the room `after`; of all services, or one.
    List {
        service: Option<String>,
        #[serde(default)]
        after: String,
    },
    Show {
        room: String,
    },
    /// `settings`: as for `config`.
    Create {
        room: String,
        owner: String,
        #[serde(default)]
        settings: Vec<(String, String)>,
    },
    Destroy {
        room: String,
        alternate: Option<String>,
        reason: Option<String>,
    },
    /// Names of fields of the configuration form, with or without `muc#roomconfig_`, and values.
    Config {
        room: String,
        settings: Vec<(String, String)>,
    },
    /// `affiliation`: "none", or as XEP-0045 names it.
    Affiliation {
        room: String,
        jid: String,
        affiliation: String,
        reason: Option<String>,
    },
    Kick {
        room: String,
        nick: String,
        reason: Option<String>,
    },
    /// A hat of this URI that is there already gets this title.
    HatCreate {
        room: String,
        uri: String,
        title: String,
        hue: Option<String>,
    },
    HatDestroy {
        room: String,
        uri: String,
    },
    HatAssign {
        room: String,
        jid: String,
        uri: String,
    },
    HatUnassign {
        room: String,
        jid: String,
        uri: String,
    },
    Archive {
        room: String,
    },
    ArchiveExport {
        room: String,
        #[serde(default = "from_the_start")]
        after: i64,
    },
    ArchivePurge {
        room: String,
        older_than_days: Option<u32>,
    },
    /// Rooms, users and domains a service keeps out.
    Blocks {
        service: Option<String>,
    },
    Block {
        service: Option<String>,
        jid: String,
        reason: Option<String>,
    },
    Unblock {
        service: Option<String>,
        jid: String,
    },
}

fn from_the_start() -> i64 {
    i64::MIN
}

impl RoomRequest {
    /// The command, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "room list",
            Self::Show { .. } => "room show",
            Self::Create { .. } => "room create",
            Self::Destroy { .. } => "room destroy",
            Self::Config { .. } => "room config",
            Self::Affiliation { .. } => "room affiliation",
            Self::Kick { .. } => "room kick",
            Self::HatCreate { .. } => "room hat create",
            Self::HatDestroy { .. } => "room hat destroy",
            Self::HatAssign { .. } => "room hat assign",
            Self::HatUnassign { .. } => "room hat unassign",
            Self::Archive { .. } => "room archive show",
            Self::ArchiveExport { .. } => "room archive export",
            Self::ArchivePurge { .. } => "room archive purge",
            Self::Blocks { .. } => "room block list",
            Self::Block { .. } => "room block add",
            Self::Unblock { .. } => "room block remove",
        }
    }

    /// Does it change anything, or only look?
    pub fn changes(&self) -> bool {
        !matches!(
            self,
            Self::List { .. }
                | Self::Show { .. }
                | Self::Archive { .. }
                | Self::ArchiveExport { .. }
                | Self::Blocks { .. }
        )
    }

    /// What it is about, for the log.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::List { service, .. } | Self::Blocks { service } => service.as_deref(),
            Self::Block { jid, .. } | Self::Unblock { jid, .. } => Some(jid),
            Self::Show { room }
            | Self::Create { room, .. }
            | Self::Destroy { room, .. }
            | Self::Config { room, .. }
            | Self::Affiliation { room, .. }
            | Self::Kick { room, .. }
            | Self::HatCreate { room, .. }
            | Self::HatDestroy { room, .. }
            | Self::HatAssign { room, .. }
            | Self::HatUnassign { room, .. }
            | Self::Archive { room }
            | Self::ArchiveExport { room, .. }
            | Self::ArchivePurge { room, .. } => Some(room),
        }
    }
}

/// What came of a [`RoomRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as what they carry")]
pub enum RoomReply {
    Rooms { rooms: Vec<RoomRow>, more: bool },
    Room(Box<RoomDetails>),
    Created { room: String },
    Destroyed { room: String },
    Configured { room: String },
    Affiliated { room: String, jid: String, affiliation: String },
    Kicked { room: String, nick: String },
    HatCreated { room: String, uri: String },
    HatDestroyed { room: String, uri: String },
    HatAssigned { room: String, jid: String, uri: String },
    HatUnassigned { room: String, jid: String, uri: String },
    Archive { room: String, messages: u64, first: Option<String>, last: Option<String> },
    Archived { messages: Vec<ArchivedRow>, more: bool },
    Purged { messages: u64 },
    Blocks { blocks: Vec<BlockRow> },
    Blocked { jid: String },
    Unblocked { jid: String },
}

/// A room in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RoomRow {
    pub room: String,
    pub name: String,
    pub persistent: bool,
    pub public: bool,
    pub members_only: bool,
    pub occupants: usize,
    /// `None`: a temporary one.
    pub created: Option<String>,
}

/// Everything about a room but what is said there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RoomDetails {
    pub room: String,
    pub created: String,
    /// It waits for its owner to configure it.
    pub locked: bool,
    pub subject: Option<String>,
    /// Name and value, as XEP-0045 names them; the password is not shown.
    pub settings: Vec<(String, String)>,
    pub affiliations: Vec<AffiliatedRow>,
    pub occupants: Vec<OccupantRow>,
    pub hats: Vec<HatRow>,
}

/// Somebody who is something to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AffiliatedRow {
    pub jid: String,
    pub affiliation: String,
    pub nick: Option<String>,
    pub reason: Option<String>,
}

/// A hat of a room (XEP-0317).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HatRow {
    pub uri: String,
    pub title: String,
    pub hue: Option<String>,
    pub worn_by: Vec<String>,
}

/// Somebody who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OccupantRow {
    pub nick: String,
    pub role: String,
    pub sessions: Vec<String>,
}

/// Somebody a service keeps out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BlockRow {
    pub service: String,
    pub jid: String,
    pub since: String,
    pub reason: Option<String>,
}
