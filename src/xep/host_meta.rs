//! XEP-0156 and XEP-0487: the documents are served by HTTP (`http::host_meta`); in XMPP there is nothing to declare.

use crate::extension::{About, Declare, Extension};
use std::sync::Arc;

/// Ways to XMPP streams over HTTP, in host-meta.
pub struct HostMeta;

impl Extension for HostMeta {
    fn about(&self) -> About {
        About::new("XEP-0156", "Discovering Alternative XMPP Connection Methods", "1.4.0")
    }

    fn declare(self: Arc<Self>, _: &mut Declare<'_>) {}
}

/// The same for direct TLS.
pub struct HostMeta2;

impl Extension for HostMeta2 {
    fn about(&self) -> About {
        About::new("XEP-0487", "Host Meta 2 - One Method To Rule Them All", "0.1.0")
    }

    fn declare(self: Arc<Self>, _: &mut Declare<'_>) {}
}
