//! Authentication (RFC 4422): what a stream may offer, the server side of one exchange, and the keys behind it.
//!
//! rsasl is the framework (sessions, PLAIN, ANONYMOUS); the SCRAM mechanisms registered in it are our own (RFC 5802,
//! RFC 7677, RFC 9266, XEP-0474, XEP-0515), because every byte of them comes from strangers. Nothing here knows XML, base64
//! wrapping, storage or JIDs: the stream layer translates, looks accounts up between two steps, and decides who may
//! act as whom.

mod credentials;
mod exchange;
mod failure;
mod fast;
mod framework;
mod hash;
mod mechanism;
mod remembered;
mod scram;
#[cfg(test)]
mod tests;
mod upgrade;

pub use credentials::{Credentials, Decoy, DeriveError, StoredKey, limit_hashing};
pub use exchange::{Exchange, Step, Success};
pub use failure::Failure;
pub use fast::{DEVICE_SECRET_BYTES, DeviceSecret, FastMechanism, TOKEN_NONCE_BYTES, TokenProof};
pub use mechanism::{BindingType, ChannelBindings, Mechanism, MechanismList, Offer, OfferContext};
pub use remembered::{Newcomer, PasswordTag, Remembered};
pub use upgrade::UpgradeTask;

/// Longest message of a client, after base64. Two names in their most escaped form, a nonce and channel binding data
/// need a quarter of it.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Longest user name, after unescaping: the limit of a localpart (RFC 7622 §3.3.1).
pub const USER_BYTES_MAX: usize = 1023;
/// Longest authorization identity: a bare JID without its slash (RFC 7622 §3.1).
pub const AUTHZID_BYTES_MAX: usize = 3071;
/// Longest password.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest client nonce. It comes back in two of our messages and three of the client's.
pub const CLIENT_NONCE_BYTES_MAX: usize = 512;
/// Random bytes in a server nonce. A multiple of three, so that base64 needs no padding.
pub const SERVER_NONCE_BYTES: usize = 18;
/// Random bytes in a salt.
pub const SALT_BYTES: usize = 16;
/// RFC 7677 §4: "the minimum SHOULD be 4096".
pub const ITERATIONS_MIN: u32 = 4096;
/// A count beyond this is a typing mistake that would occupy a core for seconds at every login.
pub const ITERATIONS_MAX: u32 = 10_000_000;
/// For new passwords. The client pays for it at each login, phones included.
pub const ITERATIONS_DEFAULT: u32 = 10_000;
