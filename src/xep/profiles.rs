//! Documents that say what clients publish at the nodes of their accounts (XEP-0163) and how. They need nothing of us but
//! that, and defaults that suit their nodes (`pubsub::NodeConfig::for_node`).

use crate::extension::{About, Extension};
use std::sync::Arc;

/// One of these documents.
pub struct Profile(About);

impl Extension for Profile {
    fn about(&self) -> About {
        self.0
    }
}

/// All of them.
pub fn all() -> impl Iterator<Item = Arc<dyn Extension>> {
    const PROFILES: [About; 5] = [
        About::new("XEP-0084", "User Avatar", "1.1.4"),
        About::new("XEP-0153", "vCard-Based Avatars", "1.1.1"),
        About::new("XEP-0172", "User Nickname", "1.1"),
        About::new("XEP-0292", "vCard4 Over XMPP", "0.12.0"),
        About::new("XEP-0384", "OMEMO Encryption", "0.9.1"),
    ];
    PROFILES.into_iter().map(|about| Arc::new(Profile(about)) as Arc<dyn Extension>)
}
