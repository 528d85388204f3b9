//! What is said over the control socket: one JSON object per line, a request and then its response.
//!
//! `{"op":"user_show","jid":"romeo@example.org"}` is answered by `{"done":{"user":{…}}}` or
//! `{"failed":{"kind":"not_found","message":"…"}}`. With `--json` the commands print what stands inside `done`'s one
//! member. Fields may be added; none changes its meaning.

pub use super::invites::{InviteKind, InviteWish};
pub use super::room_rows::{
    AffiliatedRow, BlockRow as RoomBlockRow, HatRow, OccupantRow, RoomDetails, RoomReply, RoomRequest, RoomRow,
};
pub use super::rows::{
    ArchiveRow, ArchivedRow, CertificateRow, CountersRow, DeviceRevocation, DeviceRow, InviteRow, Listeners,
    NodeDetails, NodeRow, OfAccount, OfArchive, OfDevice, OfNode, OfflineRow, PushRow, PushTestRow, PushedRow,
    RosterChange, Status, StorageStatus, SubscriptionState,
};
pub use super::secret::Password;
pub use super::uploads::{UploadRequest, UploadRow, UploadUsageRow};
use crate::config::Change;
use crate::storage::backup::BackupReport;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// What is asked. Lists come in pages: `after` is the last JID seen, empty at first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the commands and their arguments, which have their help")]
pub enum Request {
    Status,
    Reload,
    /// Answered when everything is closed and written.
    Stop,
    /// `file` is absolute.
    Backup {
        file: PathBuf,
    },
    Announce {
        text: String,
        domain: Option<String>,
    },
    UserAdd {
        jid: String,
        password: Password,
    },
    UserPasswd {
        jid: String,
        password: Password,
    },
    UserDel {
        jid: String,
    },
    UserList {
        domain: Option<String>,
        #[serde(default)]
        after: String,
    },
    UserShow {
        jid: String,
    },
    SessionList {
        jid: Option<String>,
    },
    SessionKick {
        jid: String,
        reason: Option<String>,
    },
    RosterShow {
        jid: String,
    },
    RosterAdd(RosterChange),
    RosterRemove {
        jid: String,
        contact: String,
    },
    OfflineList {
        jid: Option<String>,
        #[serde(default)]
        after: String,
    },
    OfflinePurge {
        jid: String,
        older_than_days: Option<u32>,
    },
    ArchiveShow(OfArchive),
    ArchiveExport(OfArchive),
    ArchivePurge(OfArchive),
    /// `after` is the last node seen.
    PubsubList {
        owner: Option<String>,
        #[serde(default)]
        after: OfNode,
    },
    PubsubShow(OfNode),
    PubsubDelete(OfNode),
    PushList {
        jid: Option<String>,
        #[serde(default)]
        after: String,
    },
    PushTest {
        jid: String,
    },
    DeviceList(OfAccount),
    DeviceRevoke(OfDevice),
    Upload(UploadRequest),
    Room(RoomRequest),
    InviteCreate(InviteWish),
    /// `after` is the number of the last one seen.
    InviteList {
        #[serde(default)]
        after: i64,
    },
    InviteShow {
        code: String,
    },
    InviteRevoke {
        code: String,
    },
}

impl Request {
    /// The command, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Reload => "reload",
            Self::Stop => "stop",
            Self::Backup { .. } => "backup",
            Self::Announce { .. } => "announce",
            Self::UserAdd { .. } => "user add",
            Self::UserPasswd { .. } => "user passwd",
            Self::UserDel { .. } => "user del",
            Self::UserList { .. } => "user list",
            Self::UserShow { .. } => "user show",
            Self::SessionList { .. } => "session list",
            Self::SessionKick { .. } => "session kick",
            Self::RosterShow { .. } => "roster show",
            Self::RosterAdd(_) => "roster add",
            Self::RosterRemove { .. } => "roster remove",
            Self::OfflineList { .. } => "offline list",
            Self::OfflinePurge { .. } => "offline purge",
            Self::ArchiveShow(_) => "archive show",
            Self::ArchiveExport(_) => "archive export",
            Self::ArchivePurge(_) => "archive purge",
            Self::PubsubList { .. } => "pubsub list",
            Self::PubsubShow(_) => "pubsub show",
            Self::PubsubDelete(_) => "pubsub delete",
            Self::PushList { .. } => "push list",
            Self::PushTest { .. } => "push test",
            Self::DeviceList(_) => "device list",
            Self::DeviceRevoke(_) => "device revoke",
            Self::Upload(asked) => asked.name(),
            Self::Room(asked) => asked.name(),
            Self::InviteCreate(_) => "invite create",
            Self::InviteList { .. } => "invite list",
            Self::InviteShow { .. } => "invite show",
            Self::InviteRevoke { .. } => "invite revoke",
        }
    }

    /// Does it change anything, or only look?
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Status | Self::UserShow { .. } | Self::RosterShow { .. })
            && !matches!(self, Self::UserList { .. } | Self::SessionList { .. } | Self::OfflineList { .. })
            && !matches!(self, Self::PushList { .. } | Self::PushTest { .. } | Self::DeviceList(_))
            && !matches!(self, Self::PubsubList { .. } | Self::PubsubShow(_))
            && !matches!(self, Self::Upload(asked) if !asked.changes())
            && !matches!(self, Self::Room(asked) if !asked.changes())
            && !matches!(self, Self::InviteList { .. } | Self::InviteShow { .. })
            && !matches!(self, Self::ArchiveShow(_) | Self::ArchiveExport(_))
    }

    /// Whom it is about, for the log.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::UserAdd { jid, .. }
            | Self::UserPasswd { jid, .. }
            | Self::UserDel { jid }
            | Self::UserShow { jid }
            | Self::SessionKick { jid, .. }
            | Self::RosterShow { jid }
            | Self::RosterAdd(RosterChange { jid, .. })
            | Self::RosterRemove { jid, .. }
            | Self::ArchiveShow(OfArchive { jid, .. })
            | Self::ArchiveExport(OfArchive { jid, .. })
            | Self::ArchivePurge(OfArchive { jid, .. })
            | Self::PubsubShow(OfNode { owner: jid, .. })
            | Self::PubsubDelete(OfNode { owner: jid, .. })
            | Self::PushTest { jid }
            | Self::DeviceList(OfAccount { jid })
            | Self::DeviceRevoke(OfDevice { jid, .. })
            | Self::OfflinePurge { jid, .. } => Some(jid),
            Self::SessionList { jid } | Self::OfflineList { jid, .. } | Self::PushList { jid, .. } => jid.as_deref(),
            Self::UserList { domain, .. } | Self::Announce { domain, .. } => domain.as_deref(),
            Self::InviteCreate(wish) => wish.inviter.as_deref().or(wish.domain.as_deref()),
            Self::PubsubList { owner, .. } => owner.as_deref(),
            Self::Upload(asked) => asked.subject(),
            Self::Room(asked) => asked.subject(),
            Self::Backup { file } => file.to_str(),
            // The code is a secret.
            Self::InviteList { .. } | Self::InviteShow { .. } | Self::InviteRevoke { .. } => None,
            Self::Status | Self::Reload | Self::Stop => None,
        }
    }

    /// Does it make sense only with a running server?
    pub fn needs_running(&self) -> bool {
        matches!(
            self,
            Self::Status
                | Self::Reload
                | Self::Stop
                | Self::Announce { .. }
                | Self::SessionList { .. }
                | Self::SessionKick { .. }
                | Self::PushTest { .. }
        )
    }

    /// May it be the first thing that is ever done in a data directory?
    pub fn may_begin(&self) -> bool {
        matches!(self, Self::UserAdd { .. } | Self::InviteCreate(_))
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// It was done.
    Done(Reply),
    /// It was not.
    Failed(Failure),
}

impl From<Result<Reply, Failure>> for Response {
    fn from(result: Result<Reply, Failure>) -> Self {
        result.map_or_else(Self::Failed, Self::Done)
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For scripts.
    pub kind: FailureKind,
    /// For people.
    pub message: String,
}

impl Failure {
    /// With a sentence for the operator.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request makes no sense here: a malformed address, a domain that is not served.
    BadRequest,
    /// What it is about does not exist.
    NotFound,
    /// What should be made exists already.
    Exists,
    /// A limit stands in the way.
    Limit,
    /// It needs a running server.
    NotRunning,
    /// The settings are wrong; nothing changed.
    Settings,
    /// Trouble with disk or machine.
    Failed,
}

impl From<crate::storage::Error> for Failure {
    fn from(error: crate::storage::Error) -> Self {
        Self::new(FailureKind::Failed, error.to_string())
    }
}

/// What came of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as what they carry")]
pub enum Reply {
    Status(Box<Status>),
    Reloaded(ReloadReport),
    Stopped {
        pid: u32,
    },
    BackedUp {
        file: PathBuf,
        #[serde(flatten)]
        report: BackupReport,
    },
    Announced {
        sessions: usize,
    },
    UserAdded {
        jid: String,
    },
    PasswordSet {
        jid: String,
        sessions_ended: usize,
    },
    UserDeleted {
        jid: String,
        sessions_ended: usize,
    },
    Users {
        users: Vec<UserRow>,
        more: bool,
    },
    User(Box<UserDetails>),
    Sessions(Vec<SessionRow>),
    Kicked {
        sessions: Vec<String>,
    },
    Roster(Vec<ContactRow>),
    RosterChanged {
        contact: ContactRow,
        other_side: bool,
    },
    RosterRemoved {
        jid: String,
        contact: String,
    },
    Offline {
        accounts: Vec<OfflineRow>,
        more: bool,
    },
    OfflinePurged {
        messages: u64,
        bytes: u64,
    },
    Archive(ArchiveRow),
    Archived {
        messages: Vec<ArchivedRow>,
        more: bool,
    },
    ArchivePurged {
        messages: u64,
    },
    Nodes {
        nodes: Vec<NodeRow>,
        more: bool,
    },
    Node(Box<NodeDetails>),
    NodeDeleted(OfNode),
    Push {
        registrations: Vec<PushRow>,
        more: bool,
    },
    PushTested(Vec<PushTestRow>),
    Devices(Vec<DeviceRow>),
    DeviceRevoked(DeviceRevocation),
    UploadFiles {
        files: Vec<UploadRow>,
        more: bool,
    },
    UploadFile(UploadRow),
    UploadDeleted {
        file: String,
    },
    UploadsPurged {
        files: u64,
    },
    UploadUsage {
        users: Vec<UploadUsageRow>,
        more: bool,
    },
    Room(RoomReply),
    InviteCreated(Box<InviteRow>),
    Invites {
        invites: Vec<InviteRow>,
        /// The number to go on behind, if there are more.
        more: Option<i64>,
    },
    Invite(Box<InviteRow>),
    InviteRevoked {
        code: String,
    },
}

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// Settings in force from now on.
    pub changed: Vec<Change>,
    /// Settings that wait for a restart.
    pub needs_restart: Vec<Change>,
    /// What is doubtful.
    pub warnings: Vec<String>,
    /// The certificates, read again.
    pub certificates: Vec<CertificateRow>,
}

/// An account in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UserRow {
    pub jid: String,
    pub created: String,
    /// `None`: never logged in, or still there.
    pub last_seen: Option<String>,
    pub sessions: usize,
    pub disabled: bool,
}

/// Everything about one account, but nothing it wrote or knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UserDetails {
    pub jid: String,
    pub created: String,
    pub last_seen: Option<String>,
    pub disabled: bool,
    pub sessions: Vec<SessionRow>,
    pub contacts: usize,
    pub requests_pending: usize,
    pub blocked: u64,
    pub offline_messages: u64,
    pub offline_bytes: u64,
    pub private_items: u64,
    pub vcard: bool,
    /// Hash functions of the stored keys with their iterations.
    pub keys: Vec<KeyRow>,
}

/// One kind of stored key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KeyRow {
    pub hash: String,
    pub iterations: u32,
}

/// A connected client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SessionRow {
    pub jid: String,
    pub peer: IpAddr,
    /// `tcp` (also with STARTTLS), `tls`, `websocket` or `bosh`; what it was last, for one without a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    pub encrypted: bool,
    pub since: String,
    /// It has sent presence.
    pub available: bool,
    pub priority: i8,
    /// For how many seconds it has been without a connection, if it may come back (XEP-0198).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached_seconds: Option<u64>,
    /// What it has not read yet.
    pub waiting_stanzas: usize,
    pub waiting_bytes: usize,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ContactRow {
    pub contact: String,
    pub name: Option<String>,
    pub groups: Vec<String>,
    pub subscription: SubscriptionState,
    /// The user has asked and waits for an answer.
    pub pending_out: bool,
    /// The contact has asked and waits for an answer.
    pub pending_in: bool,
    /// The user has approved in advance.
    pub approved: bool,
    /// `false`: only a note that somebody asked.
    pub in_roster: bool,
}
