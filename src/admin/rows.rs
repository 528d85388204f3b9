//! What is said about messages, devices, push services, invitations and the server itself; a part of
//! [`protocol`](super::protocol).

use crate::storage::WriterStats;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which archive, and what of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfArchive {
    /// The account.
    pub jid: String,
    /// Only what follows this message: the last id seen.
    #[serde(default = "from_the_start")]
    pub after: i64,
    /// Only what is older.
    #[serde(default)]
    pub older_than_days: Option<u32>,
}

fn from_the_start() -> i64 {
    i64::MIN
}

/// Which account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfAccount {
    /// The account.
    pub jid: String,
}

/// Which device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfDevice {
    /// The account.
    pub jid: String,
    /// The device, or a session without one, as listed.
    pub id: String,
}

/// Something that has access to an account (XEP-0494).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DeviceRow {
    pub id: String,
    pub software: Option<String>,
    pub name: Option<String>,
    pub first_seen: String,
    pub last_seen: String,
    /// It has proved the password that is in force.
    pub password: bool,
    /// It has a token that is good until then.
    pub token_until: Option<String>,
    /// The resources of its sessions.
    pub sessions: Vec<String>,
}

/// What came of revoking a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DeviceRevocation {
    pub jid: String,
    pub id: String,
    pub tokens: u64,
    pub sessions_ended: usize,
    /// It knows the password: only another one keeps it out.
    pub password_known: bool,
}

/// How much an account has archived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ArchiveRow {
    pub jid: String,
    pub messages: u64,
    pub first: Option<String>,
    pub last: Option<String>,
}

/// An archived message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ArchivedRow {
    pub id: i64,
    pub stamp: String,
    pub stanza: String,
}

/// What an account has waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OfflineRow {
    pub jid: String,
    pub messages: u64,
    pub bytes: u64,
    pub oldest: Option<String>,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InviteRow {
    pub code: String,
    /// What it is for: `account`, `contact` or `both`.
    pub kind: String,
    /// A page for people, if there is a web side.
    pub link: Option<String>,
    /// For clients that know XEP-0379, XEP-0401 and XEP-0445.
    pub uri: String,
    pub domain: String,
    /// Whose contact its bearers become.
    pub inviter: Option<String>,
    /// The account that made it; nobody: an operator.
    pub creator: Option<String>,
    /// The only name the account may have.
    pub username: Option<String>,
    pub group: Option<String>,
    pub created: String,
    pub expires: String,
    pub uses_left: u32,
    pub uses_max: u32,
}

/// A registration with a push service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PushRow {
    pub jid: String,
    pub service: String,
    pub node: String,
    /// The client that enabled it.
    pub resource: String,
    pub enabled: String,
    /// Notifications in a row that failed.
    pub failures: u32,
    /// The last notifications since the start of the server, oldest first.
    pub last: Vec<PushedRow>,
}

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PushedRow {
    pub at: String,
    /// `delivered`, or the error.
    pub outcome: String,
}

/// What a push service answered to a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PushTestRow {
    pub service: String,
    pub node: String,
    pub resource: String,
    /// `None`: it took the notification.
    pub error: Option<String>,
}

/// How a running server is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub started: String,
    pub uptime_seconds: u64,
    pub domains: Vec<String>,
    pub data_dir: PathBuf,
    pub listeners: Listeners,
    pub certificates: Vec<CertificateRow>,
    /// Accounts that exist.
    pub accounts: u64,
    pub accounts_in_memory: usize,
    pub accounts_connected: usize,
    pub sessions: u64,
    /// Sessions and those that are not logged in yet.
    pub connections: usize,
    pub offline_messages: u64,
    pub storage: StorageStatus,
    /// Resident memory, if the system tells.
    pub memory_bytes: Option<u64>,
    pub since_start: CountersRow,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Listeners {
    pub starttls: Vec<SocketAddr>,
    pub direct_tls: Vec<SocketAddr>,
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
}

/// A certificate in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CertificateRow {
    pub file: PathBuf,
    pub names: Vec<String>,
    pub issuer: String,
    pub not_after: String,
}

/// How the database is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StorageStatus {
    pub file: PathBuf,
    pub bytes: u64,
    pub writer: WriterStats,
}

/// What was counted since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CountersRow {
    pub connections: u64,
    pub connections_refused: u64,
    pub logins: u64,
    pub logins_failed: u64,
    pub offline_stored: u64,
    /// Messages that were delivered and are missing in an archive, because the disk refused.
    #[serde(default)]
    pub archive_failed: u64,
    pub registrations: u64,
}

/// Which node of publish-subscribe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfNode {
    /// The account or service.
    pub owner: String,
    /// The NodeID.
    pub node: String,
}

/// A node of publish-subscribe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NodeRow {
    pub owner: String,
    pub node: String,
    pub title: String,
    pub access_model: String,
    pub items: u64,
    pub bytes: u64,
    pub subscriptions: u64,
    /// When something was published last.
    pub published: Option<String>,
}

/// Everything about a node but its items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NodeDetails {
    pub summary: NodeRow,
    pub creator: String,
    pub created: String,
    /// Name and value, as XEP-0060 names them.
    pub settings: Vec<(String, String)>,
    /// Address and affiliation.
    pub affiliations: Vec<(String, String)>,
    /// Address and state.
    pub subscriptions: Vec<(String, String)>,
}

/// Who sees whose presence (RFC 6121 §2.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the RFC")]
pub enum SubscriptionState {
    None,
    To,
    From,
    Both,
}

/// A contact to add or to change; what is not said stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RosterChange {
    /// The account.
    pub jid: String,
    /// Whom.
    pub contact: String,
    /// What the user calls the contact; empty: nothing.
    pub name: Option<String>,
    /// Its groups.
    pub groups: Option<Vec<String>>,
    /// Who sees whose presence; a contact of this server gets the other side.
    pub subscription: Option<SubscriptionState>,
}
