//! XEP-0156 and XEP-0487: the documents are served by HTTP (`http::host_meta`). XEP-0368: ports for TLS from the first byte
//! (`c2s`), and for HTTP as well (`http::entrance`). In XMPP there is nothing to declare.

use crate::extension::{About, Extension};

/// Ways to XMPP streams over HTTP, in host-meta.
pub struct HostMeta;

impl Extension for HostMeta {
    fn about(&self) -> About {
        About::new("XEP-0156", "Discovering Alternative XMPP Connection Methods", "1.4.0")
    }
}

/// Client streams that begin with TLS.
pub struct DirectTls;

impl Extension for DirectTls {
    fn about(&self) -> About {
        About::new("XEP-0368", "SRV records for XMPP over TLS", "1.1.0")
    }
}

/// Where these are, in host-meta.
pub struct HostMeta2;

impl Extension for HostMeta2 {
    fn about(&self) -> About {
        About::new("XEP-0487", "Host Meta 2 - One Method To Rule Them All", "0.1.0")
    }
}
