//! XEP-0124 and XEP-0206: streams over HTTP (`http::bosh`). In XMPP there is nothing to declare.

use crate::extension::{About, Extension};

/// Streams over requests and answers.
pub struct Bosh;

impl Extension for Bosh {
    fn about(&self) -> About {
        About::new("XEP-0124", "Bidirectional-streams Over Synchronous HTTP (BOSH)", "1.11.2")
    }
}

/// What they carry.
pub struct XmppOverBosh;

impl Extension for XmppOverBosh {
    fn about(&self) -> About {
        About::new("XEP-0206", "XMPP Over BOSH", "1.4")
    }
}
