//! Why a stream ends: one enum, one table from reason to stream error (RFC 6120 §4.9.3) and log line.

use xep_support::stream::StreamCondition;

/// Why a connection ended or has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The client closed its stream.
    ClientClosed,
    /// The client sent a stream error and with it closed its stream (RFC 6120 §4.9.1.1).
    ClientFailed,
    /// The connection broke, or ended without a closing tag.
    ConnectionLost,
    /// The client sent something the stream does not survive.
    Refused(StreamCondition, &'static str),
    /// What waited for the client exceeded its bounds.
    SlowReader,
    /// The client took nothing for too long.
    WriteStalled,
    /// Neither data nor an answer to a ping for too long.
    Dead,
    /// Not negotiated in time.
    NegotiationTimeout,
    /// Another session took over the resource.
    Replaced,
    /// The session goes on over a newer connection (XEP-0198 §5).
    Resumed,
    /// The client acknowledged more than it was sent (XEP-0198 §6).
    AckTooHigh {
        /// What it acknowledged.
        h: u32,
        /// What it was sent.
        sent: u32,
    },
    /// An operator ended it.
    Kicked,
    /// Its account was removed.
    AccountGone,
    /// Its password was changed elsewhere.
    PasswordChanged,
    /// Its access was revoked (XEP-0494).
    Revoked,
    /// The client is sent elsewhere (RFC 7395 §3.6.1).
    Moved,
    /// The server stops.
    Shutdown,
    /// A defect of ours; only this connection ends.
    Internal,
}

impl CloseReason {
    /// The stream error the peer sees, if any, with a text.
    pub fn stream_error(self) -> Option<(StreamCondition, &'static str)> {
        Some(match self {
            Self::ClientClosed | Self::ClientFailed | Self::ConnectionLost | Self::Moved => return None,
            Self::Refused(condition, text) => (condition, text),
            Self::SlowReader => (StreamCondition::PolicyViolation, "too much is waiting for you to read it"),
            Self::WriteStalled => (StreamCondition::ConnectionTimeout, "nothing was read for too long"),
            Self::Dead => (StreamCondition::ConnectionTimeout, "no answer"),
            Self::NegotiationTimeout => (StreamCondition::ConnectionTimeout, "negotiation took too long"),
            Self::Replaced => (StreamCondition::Conflict, "replaced by a new session"),
            Self::Resumed => (StreamCondition::Conflict, "the session was resumed on another connection"),
            Self::AckTooHigh { .. } => {
                (StreamCondition::UndefinedCondition, "you acknowledged more than you were sent")
            }
            Self::Kicked => (StreamCondition::PolicyViolation, "session ended by an administrator"),
            Self::AccountGone => (StreamCondition::NotAuthorized, "account removed"),
            Self::PasswordChanged => (StreamCondition::Reset, "the password was changed"),
            Self::Revoked => (StreamCondition::NotAuthorized, "this device was logged out"),
            Self::Shutdown => (StreamCondition::SystemShutdown, "the server is going down"),
            Self::Internal => (StreamCondition::InternalServerError, ""),
        })
    }

    /// A constant word for logs and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::ClientFailed => "client-failed",
            Self::ConnectionLost => "connection-lost",
            Self::Refused(condition, _) => condition.as_str(),
            Self::SlowReader => "slow-reader",
            Self::WriteStalled => "write-stalled",
            Self::Dead => "dead",
            Self::NegotiationTimeout => "negotiation-timeout",
            Self::Replaced => "replaced",
            Self::Resumed => "resumed",
            Self::AckTooHigh { .. } => "ack-too-high",
            Self::Kicked => "kicked",
            Self::AccountGone => "account-gone",
            Self::PasswordChanged => "password-changed",
            Self::Revoked => "revoked",
            Self::Moved => "moved",
            Self::Shutdown => "shutdown",
            Self::Internal => "internal",
        }
    }
}
