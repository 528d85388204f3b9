//! Rows of what is said about messages and invitations; a part of [`protocol`](super::protocol).

use serde::{Deserialize, Serialize};

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
    /// For clients that know XEP-0401 and XEP-0445.
    pub uri: String,
    pub domain: String,
    pub created: String,
    pub expires: Option<String>,
    pub uses_left: u32,
}
