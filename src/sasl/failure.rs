//! The outcomes of RFC 6120 §6.5, and the reasons that lead to them.

use std::fmt;

/// A SASL error condition (RFC 6120 §6.5).
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub enum Failure {
    /// The client said `<abort/>`.
    Aborted,
    /// The account is temporarily disabled. Say so only after a successful proof.
    AccountDisabled,
    /// The password has expired. Say so only after a successful proof.
    CredentialsExpired,
    /// This mechanism needs an encrypted stream.
    EncryptionRequired,
    /// The base64 was wrong.
    IncorrectEncoding,
    /// The authorization identity is malformed, or not this user's to use.
    InvalidAuthzid,
    /// The mechanism was not offered.
    InvalidMechanism,
    /// The message breaks the syntax of its mechanism.
    MalformedRequest,
    /// Policy asks this user for a stronger mechanism.
    MechanismTooWeak,
    /// Wrong password, unknown user, or a channel that is not the one the client sees.
    NotAuthorized,
    /// Our fault, now.
    TemporaryAuthFailure,
}

impl Failure {
    /// All conditions.
    pub const ALL: [Self; 11] = [
        Self::Aborted,
        Self::AccountDisabled,
        Self::CredentialsExpired,
        Self::EncryptionRequired,
        Self::IncorrectEncoding,
        Self::InvalidAuthzid,
        Self::InvalidMechanism,
        Self::MalformedRequest,
        Self::MechanismTooWeak,
        Self::NotAuthorized,
        Self::TemporaryAuthFailure,
    ];

    /// The element name of the condition.
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::MechanismTooWeak => "mechanism-too-weak",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.condition())
    }
}

/// Why an exchange ended badly. For the log; the client learns only the condition.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("message longer than the limit")]
    TooLong,
    #[error("message breaks the grammar: {0}")]
    Grammar(&'static str),
    /// Without rsasl's own words: they may quote a character of a password.
    #[error("the mechanism refused the message")]
    Mechanism,
    #[error("a mandatory extension (m=) is not supported")]
    MandatoryExtension,
    #[error("the channel binding flag contradicts the mechanism")]
    FlagContradictsMechanism,
    #[error("the client did not see that channel binding is offered: downgrade")]
    Downgrade,
    #[error("the channel binding type is not offered")]
    UnsupportedBinding,
    #[error("the client sees another channel or header")]
    BindingMismatch,
    #[error("the nonce is not ours")]
    Nonce,
    #[error("wrong password or unknown user")]
    Proof,
    #[error("a message out of order")]
    OutOfOrder,
    #[error("the mechanism is not offered")]
    NotOffered,
    #[error("the stream is not encrypted")]
    NotEncrypted,
    #[error("no random numbers, no hashing thread, or a defect: {0}")]
    Internal(String),
}

impl Refusal {
    pub(super) const fn failure(&self) -> Failure {
        match self {
            Self::TooLong
            | Self::Grammar(_)
            | Self::Mechanism
            | Self::MandatoryExtension
            | Self::FlagContradictsMechanism
            | Self::OutOfOrder => Failure::MalformedRequest,
            Self::Downgrade | Self::UnsupportedBinding | Self::BindingMismatch | Self::Nonce | Self::Proof => {
                Failure::NotAuthorized
            }
            Self::NotOffered => Failure::InvalidMechanism,
            Self::NotEncrypted => Failure::EncryptionRequired,
            Self::Internal(_) => Failure::TemporaryAuthFailure,
        }
    }
}
