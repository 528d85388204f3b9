//! XEP-0106: localparts such as `d\27artagnan`. To a server they are names like any other (§2, requirement 6); that they
//! work is what it announces (§6). That `\20` neither begins nor ends one (§4.1) is seen to when an account is made.

use crate::extension::{About, Declare, Extension};
use std::sync::Arc;
use xep_support::ns;

/// Escaped localparts.
pub struct JidEscaping;

impl Extension for JidEscaping {
    fn about(&self) -> About {
        About::new("XEP-0106", "JID Escaping", "1.1.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::JID_ESCAPING);
    }
}
