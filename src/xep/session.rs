//! The session request of RFC 3921 §3, which RFC 6121 made a formality: answered, nothing more.

use crate::extension::{About, Addressee, Answer, Declare, Extension};
use std::sync::Arc;
use xep_support::ns;
use xep_support::stanza::IqType;

/// Session establishment for old clients.
pub struct LegacySession;

impl Extension for LegacySession {
    fn about(&self) -> About {
        About::new("RFC 3921", "Session establishment, as a formality", "")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let session = ("session", ns::SESSION);
        d.iq(Addressee::OwnAccount, IqType::Set, session, |_| Answer::ok()).iq(
            Addressee::Server,
            IqType::Set,
            session,
            |_| Answer::ok(),
        );
    }
}
