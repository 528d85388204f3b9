//! XEP-0353: invitations to calls and what becomes of them, as far as a server has a part in it, which others play:
//!
//! - An invitation for the bare JID goes to every device (RFC 6121 §8.5.2.1), to those with a negative priority as a copy.
//! - What one device answers, the user's other devices see as a copy (XEP-0280): they stop ringing. Messages about calls
//!   are copied whether of type `chat`, as §3 wants, or `normal`.
//! - All of them are archived (`xep/mam/decide.rs`): who missed a call finds it there.
//! - A call rings now or never. With nobody there its messages are kept like others, but only as long as it may still be
//!   ringing (`offline.call_seconds`): a device that wakes up in time rings, nothing rings hours later. One that reads the
//!   archive or has been told by a push service does not depend on that.

use crate::extension::{About, Extension};

/// Calls.
pub struct JingleMessages;

impl Extension for JingleMessages {
    fn about(&self) -> About {
        About::new("XEP-0353", "Jingle Message Initiation", "0.8.0")
    }
}
